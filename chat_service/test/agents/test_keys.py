"""API keys over HTTP: made by agents within their own rights, shown once, ended at once."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chat_service.model import Token
from chat_service.schema import (
    ROLE_PERMISSIONS,
    Permission,
    Role,
    TokenId,
    TokenKind,
    new_id,
    utc_now,
)
from chat_service.test.audit import acts_of
from chat_service.test.builders import Json, Person, Workspace, writing
from chat_service.test.fakes import TurningClock
from chat_service.test.realtime.conftest import served
from chat_service.test.sessions.calls import refused, waiting
from chat_service.workspaces.bounds import AT_MOST

PATH = "/v1/api-keys"
SCANNED = re.compile(r"sk_[0-9a-f]{32}_[0-9a-f]{32}_[0-9a-f]{48}")
DOCUMENT = Path(__file__).parents[3] / "docs" / "administration.md"


@pytest.fixture
async def owner(workspace: Workspace) -> Person:
    """Who may make keys."""
    return await workspace.agent(Role.OWNER)


async def made(owner: Person, **fields: Any) -> tuple[Json, Person]:
    """A new key, and the program that uses it."""
    response = await owner.post(PATH, {"name": "Shop", **fields})
    assert response.status_code == 201, response.text
    key, token = response.json()["api_key"], response.json()["token"]
    return key, Person(owner.client, token, key["id"])


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_a_key_may_do_what_it_was_made_for(workspace: Workspace, owner: Person) -> None:
    key, program = await made(owner, scopes=["sessions:read_all", "sessions:read_all"])
    assert key["scopes"] == ["sessions:read_all"]
    assert (await program.get("/v1/sessions")).status_code == 200
    session_id = await waiting(await workspace.customer())
    assert (await program.send(session_id)).status_code == 403


@pytest.mark.asvs("15.3.1")
@pytest.mark.api_top10("API3")
async def test_a_key_is_shown_once(owner: Person) -> None:
    _, program = await made(owner, role="bot")
    listed = await owner.get(PATH)
    (key,) = listed.json()["data"]
    secret = program.token.rpartition("_")[2]
    assert secret not in listed.text
    assert program.token.startswith(key["token_prefix"])
    assert set(key) == {
        "object",
        "id",
        "workspace_id",
        "name",
        "token_prefix",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    }


async def test_secret_scanners_find_a_key(owner: Person) -> None:
    _, program = await made(owner, role="bot")
    assert SCANNED.pattern in DOCUMENT.read_text()
    assert SCANNED.fullmatch(program.token)
    assert SCANNED.search(f"key='{program.token}'")


async def test_a_key_ends_after_its_days(owner: Person, clock: TurningClock) -> None:
    _, short = await made(owner, role="bot", expires_in_days=1)
    _, usual = await made(owner, role="bot")
    clock.turn(hours=25)
    answers = [(await key.get("/v1/workspace")).status_code for key in (short, usual)]
    assert answers == [401, 200]
    clock.turn(days=364)
    assert (await usual.get("/v1/workspace")).status_code == 401


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_a_bot_answers_and_hands_over_and_holds_nothing(
    workspace: Workspace, owner: Person
) -> None:
    key, bot = await made(owner, role="bot")
    assert set(key["scopes"]) == ROLE_PERMISSIONS[Role.BOT]
    session_id = await waiting(await workspace.customer())
    assert (await bot.get(f"/v1/sessions/{session_id}")).status_code == 404
    for path in ("/v1/events", "/v1/audit-entries", "/v1/inboxes", PATH):
        assert (await bot.get(path)).status_code == 403
    assert (await refused(bot, session_id, "claim"))["code"] == "forbidden"


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_nobody_gives_what_he_has_not(workspace: Workspace, owner: Person) -> None:
    supervisor = await workspace.agent(Role.SUPERVISOR)
    for scopes in (["audit:read"], ["messages:write"]):
        answer = await supervisor.post(PATH, {"name": "Shop", "scopes": scopes})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await owner.get(PATH)).json()["data"] == []


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API2")
async def test_a_revoked_key_is_refused_at_once(owner: Person) -> None:
    key, program = await made(owner, role="bot")
    other, still = await made(owner, role="bot")
    for _ in range(2):
        assert (await owner.call("DELETE", f"{PATH}/{key['id']}")).status_code == 204
    answers = [(await each.get("/v1/workspace")).status_code for each in (program, still)]
    assert answers == [401, 200]
    first, second = (await owner.get(PATH)).json()["data"]
    assert (first["id"], first["revoked_at"]) == (other["id"], None)
    assert (second["id"], second["revoked_at"] is None) == (key["id"], False)


@pytest.mark.asvs("8.3.2")
async def test_revoking_closes_the_sockets_of_a_key(workspace: Workspace, owner: Person) -> None:
    key, program = await made(owner, scopes=["sessions:read_all"])
    async with served(workspace.service) as address, address.socket() as socket:
        assert (await socket.hello(program.token))["op"] == "welcome"
        await owner.call("DELETE", f"{PATH}/{key['id']}")
        assert await socket.closed() == 4506


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_login_is_no_key(workspace: Workspace, owner: Person) -> None:
    customer = await workspace.customer()
    family = UUID(customer.details["refresh_token"].split("_")[2])
    for token_id in (UUID(owner.token.split("_")[2]), family):
        gone = await owner.call("DELETE", f"{PATH}/{token_id}")
        assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert (await owner.get(PATH)).json()["data"] == []
    assert (await customer.get("/v1/sessions")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({}, [""]),
        ({"scopes": ["audit:read"], "role": "bot"}, [""]),
        ({"scopes": []}, ["/scopes"]),
        ({"scopes": ["everything"]}, ["/scopes/0"]),
        ({"role": "owner"}, ["/role"]),
        ({"role": "bot", "expires_in_days": 0}, ["/expires_in_days"]),
        ({"role": "bot", "expires_in_days": 3_651}, ["/expires_in_days"]),
        ({"role": "bot", "name": ""}, ["/name"]),
    ],
)
async def test_refuses_a_key_for_nothing_or_for_ever(
    owner: Person, fields: Json, pointers: list[str]
) -> None:
    answer = await owner.post(PATH, {"name": "Shop", **fields})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


@pytest.mark.asvs("2.3.2")
async def test_a_workspace_has_a_thousand_living_keys_at_most(
    workspace: Workspace, owner: Person
) -> None:
    now = utc_now()
    async with writing(workspace.service) as db:
        for number in range(AT_MOST + 5):
            db.add(
                Token(
                    workspace_id=workspace.id,
                    id=TokenId(new_id()),
                    kind=TokenKind.KEY,
                    name=f"Key {number}",
                    scopes=[],
                    secret_hash=bytes(32),
                    generation=0,
                    created_at=now,
                    revoked_at=now if number < 5 else None,
                )
            )
    full = await owner.post(PATH, {"name": "One more", "role": "bot"})
    assert (full.status_code, full.json()["code"]) == (409, "too_many")
    listed = (await owner.get(PATH)).json()["data"]
    assert (len(listed), {key["revoked_at"] for key in listed}) == (AT_MOST, {None})
    await owner.call("DELETE", f"{PATH}/{listed[0]['id']}")
    assert (await owner.post(PATH, {"name": "One more", "role": "bot"})).status_code == 201


@pytest.mark.asvs("16.2.1")
async def test_a_key_is_noted_with_names_and_without_values(
    workspace: Workspace, owner: Person
) -> None:
    key, _ = await made(owner, scopes=[Permission.AUDIT_READ])
    await owner.call("DELETE", f"{PATH}/{key['id']}")
    created, revoked = [
        entry
        for entry in await acts_of(workspace.service, workspace.id)
        if entry.target_id == key["id"]
    ]
    assert (created.action, created.fields) == (
        "api_key.created",
        ["expires_at", "name", "scopes"],
    )
    assert (revoked.action, revoked.fields) == ("api_key.revoked", [])
