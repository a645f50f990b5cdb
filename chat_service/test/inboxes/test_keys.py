"""Keys of an inbox: shown once, two at most, and good for nothing once they are revoked."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey
from sqlalchemy import select

from chat_service.model import AuditEntry, InboxKey
from chat_service.schema import Permission
from chat_service.test.builders import Json, Person, Workspace, build_workspace, writing
from chat_service.test.customers.site import keys_path, show, site_of, site_with_a_pair

HS256 = {"algorithm": "HS256"}


@pytest.fixture
async def manager(workspace: Workspace) -> Person:
    """Who may manage inboxes, and nothing else."""
    return await workspace.key([Permission.INBOXES_MANAGE])


async def make(workspace: Workspace, manager: Person, **body: object) -> httpx2.Response:
    """The answer to who makes a key."""
    return await manager.post(keys_path(workspace), HS256 | body)


async def listed(workspace: Workspace, manager: Person) -> list[Json]:
    """The keys that live."""
    found: list[Json] = (await manager.get(keys_path(workspace))).json()["data"]
    return found


@pytest.mark.asvs("15.3.1")
@pytest.mark.api_top10("API3")
async def test_a_secret_is_shown_once_and_is_not_in_the_database(
    workspace: Workspace, manager: Person
) -> None:
    made = (await make(workspace, manager)).json()
    assert len(made["secret"]) == 43
    assert made["key"]["kid"] == made["key"]["id"].replace("-", "")
    assert (made["key"]["object"], made["key"]["public_key"]) == ("inbox_key", None)
    assert await listed(workspace, manager) == [made["key"]]
    async with writing(workspace.service) as db:
        rows = (
            await db.scalars(select(InboxKey.material).where(InboxKey.workspace_id == workspace.id))
        ).all()
    assert made["secret"] not in rows[0]


async def test_a_public_key_is_taken_as_jwk_and_as_pem(
    workspace: Workspace, manager: Person
) -> None:
    pair = OKPKey.generate_key("Ed25519")
    jwk = pair.as_dict(private=False)
    for given in (jwk | {"alg": "EdDSA", "kid": "theirs"}, pair.as_pem(private=False).decode()):
        made = await make(workspace, manager, algorithm="EdDSA", public_key=given)
        assert made.status_code == 201, made.text
        assert made.json()["secret"] is None
        assert made.json()["key"]["public_key"] == jwk


PAIR = OKPKey.generate_key("Ed25519")
UNUSABLE: dict[str, list[Any]] = {
    "private_key": [PAIR.as_dict(private=True), PAIR.as_pem(private=True).decode()],
    "unusable_key": [
        "",
        "x",
        {},
        {"kty": "OKP"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": 7},
        OKPKey.generate_key("X25519").as_dict(private=False),
        OKPKey.generate_key("Ed448").as_dict(private=False),
        ECKey.generate_key("P-256").as_dict(private=False),
        ECKey.generate_key("P-256").as_pem(private=False).decode(),
        OctKey.generate_key(256).as_dict(),
        ["x"],
        7,
        True,
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 2_000,
    ],
}


@pytest.mark.parametrize("code", UNUSABLE)
@pytest.mark.asvs("11.6.1")
async def test_refuses_what_is_no_public_key_of_ed25519(
    workspace: Workspace, manager: Person, code: str
) -> None:
    for given in UNUSABLE[code]:
        refused = await make(workspace, manager, algorithm="EdDSA", public_key=given)
        assert refused.status_code == 422, given
        assert [(one["pointer"], one["code"]) for one in refused.json()["errors"]] == [
            ("/public_key", code)
        ]
    assert await listed(workspace, manager) == []


@pytest.mark.asvs("2.2.3")
async def test_a_public_key_belongs_to_a_pair_and_to_nothing_else(
    workspace: Workspace, manager: Person
) -> None:
    missing = await make(workspace, manager, algorithm="EdDSA")
    assert missing.json()["errors"][0]["code"] == "missing"
    misplaced = await make(workspace, manager, public_key=PAIR.as_dict(private=False))
    assert misplaced.json()["errors"][0]["code"] == "reserved"


@pytest.mark.asvs("2.3.4", "15.4.2")
async def test_two_keys_are_live_at_most_however_many_are_made_at_once(
    workspace: Workspace, manager: Person
) -> None:
    answers = await asyncio.gather(*(make(workspace, manager) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {
        "too_many"
    }
    first = (await listed(workspace, manager))[0]
    gone = await manager.call("DELETE", f"{keys_path(workspace)}/{first['id']}")
    assert (gone.status_code, len(await listed(workspace, manager))) == (204, 1)
    assert (await make(workspace, manager)).status_code == 201


@pytest.mark.asvs("8.3.2", "9.1.3")
@pytest.mark.api_top10("API2")
async def test_what_a_revoked_key_signed_is_not_believed(
    workspace: Workspace, manager: Person
) -> None:
    old, new = await site_of(workspace), await site_with_a_pair(workspace)
    assert (await show(workspace, old.token())).status_code == 201
    path = f"{keys_path(workspace)}/{old.kid}"
    for _ in range(2):
        assert (await manager.call("DELETE", _with_hyphens(path, old.kid))).status_code == 204
    assert (await show(workspace, old.token())).status_code == 422
    assert (await show(workspace, new.token())).status_code == 201


def _with_hyphens(path: str, kid: str) -> str:
    parts = (kid[:8], kid[8:12], kid[12:16], kid[16:20], kid[20:])
    return path.replace(kid, "-".join(parts))


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_key_is_found_in_its_own_inbox_alone(workspace: Workspace, manager: Person) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    stranger = await elsewhere.key()
    key = (await make(workspace, manager)).json()["key"]
    for person, path in (
        (stranger, f"{keys_path(workspace)}/{key['id']}"),
        (stranger, f"{keys_path(elsewhere)}/{key['id']}"),
        (manager, f"{keys_path(elsewhere)}/{key['id']}"),
        (manager, f"{keys_path(workspace)}/{uuid4()}"),
    ):
        assert (await person.call("DELETE", path)).status_code == 404
    assert len(await listed(workspace, manager)) == 1


@pytest.mark.asvs("16.2.1")
async def test_who_made_and_ended_a_key_is_audited(workspace: Workspace, manager: Person) -> None:
    key = (await make(workspace, manager)).json()["key"]
    for _ in range(2):
        await manager.call("DELETE", f"{keys_path(workspace)}/{key['id']}")
    query = select(AuditEntry).where(
        AuditEntry.workspace_id == workspace.id, AuditEntry.target_type == "inbox_key"
    )
    async with writing(workspace.service) as db:
        entries = (await db.scalars(query.order_by(AuditEntry.id))).all()
    assert [(one.action, one.target_id) for one in entries] == [
        ("inbox_key.created", key["id"]),
        ("inbox_key.revoked", key["id"]),
    ]
    assert {str(one.token_id).replace("-", "") for one in entries} == {manager.id}
