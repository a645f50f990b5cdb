"""Nobody is verified but by a short-lived token of the host site, on the first device that shows it.

Seen elsewhere: a hash of the e-mail, compared with `==`, that was good for ever and on every device;
and a second visitor who saw the history of the first.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from chat_service.model import AuditEntry, ShownProof
from chat_service.test.builders import Json, Person, Workspace, build_workspace, writing
from chat_service.test.customers.calls import refresh
from chat_service.test.customers.site import (
    DEVICE,
    Site,
    encoded,
    identified,
    show,
    site_of,
    site_with_a_pair,
)
from chat_service.test.fakes import TurningClock
from chat_service.test.sessions.calls import waiting
from chat_service.test.snapshot import rows_of


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


def _unsigned(site: Site) -> str:
    head, claims, _ = site.token(header={"alg": "none"}).split(".")
    return f"{head}.{claims}."


def _with_another_mac(site: Site) -> str:
    head, claims, mac = site.token().split(".")
    return f"{head}.{claims}.{mac[::-1]}"


def _with_other_claims(site: Site) -> str:
    head, _, mac = site.token().split(".")
    return f"{head}.{site.token('admin').split('.')[1]}.{mac}"


ATTACKS: dict[str, Callable[[Site], str]] = {
    "garbage": lambda _: "x",
    "an email and its hash": lambda site: f"ada@example.org:{encoded(site.secret.encode())}",
    "no signature": _unsigned,
    "another signature": _with_another_mac,
    "other claims": _with_other_claims,
    "none": lambda site: site.token(header={"alg": "none"}),
    "RS256": lambda site: site.token(header={"alg": "RS256"}),
    "the algorithm of a pair": lambda site: site.token(header={"alg": "EdDSA"}),
    "kid of nobody": lambda site: site.token(header={"kid": "0" * 32}),
    "kid as a path": lambda site: site.token(header={"kid": "../../../dev/null"}),
    "kid as a query": lambda site: site.token(header={"kid": "' OR 1=1 --"}),
    "a key brought along": lambda site: site.token(
        header={"jwk": {"kty": "oct", "k": encoded(site.secret.encode())}}
    ),
    "a key elsewhere": lambda site: site.token(header={"jku": "https://evil.example/jwks.json"}),
    "over": lambda site: site.token(iat=1_600_000_000, exp=1_600_000_300),
    "good for a year": lambda site: site.token(exp=4_000_000_000),
    "for ever": lambda site: site.token(exp=None),
    "of nobody": lambda site: site.token(None),
    "for another inbox": lambda site: site.token(aud=site.workspace.inbox_key[:-1] + "x"),
    "for nobody": lambda site: site.token(aud=None),
    "our own access token": lambda site: site.token(
        aud="chat-service/customer", iss="chat-service"
    ),
}


def without_ids(answer: httpx2.Response) -> Json:
    """What a refusal tells, but for the id of its request."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}


@pytest.mark.asvs("6.8.2", "9.1.2", "9.1.3", "16.3.1")
@pytest.mark.api_top10("API2")
async def test_every_forged_token_is_refused_with_the_same_words(
    site: Site, workspace: Workspace
) -> None:
    before = await rows_of(workspace)
    answers = {name: await show(workspace, forge(site)) for name, forge in ATTACKS.items()}
    elsewhere = await build_workspace(workspace.service, workspace.client)
    foreign = await site_of(elsewhere)
    answers["foreign kid"] = await show(workspace, foreign.token(aud=workspace.inbox_key))
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(
        answers, 422
    )
    told = [without_ids(answer) for answer in answers.values()]
    assert told == [told[0]] * len(told)
    assert (told[0]["code"], told[0]["errors"][0]["pointer"]) == (
        "invalid_identity",
        "/identity_token",
    )
    assert await rows_of(workspace) == before
    assert await refusals(workspace) == len(answers)
    assert (await show(workspace, site.token())).status_code == 201


async def refusals(workspace: Workspace) -> int:
    """How many identifications were refused, by the audit log."""
    query = select(func.count()).where(
        AuditEntry.workspace_id == workspace.id,
        AuditEntry.action == "customer.identified",
        AuditEntry.outcome == "refused",
    )
    async with writing(workspace.service) as db:
        return int(await db.scalar(query) or 0)


@pytest.mark.asvs("9.1.2")
@pytest.mark.api_top10("API2")
async def test_a_pair_of_keys_is_as_good_and_its_public_key_signs_nothing(
    workspace: Workspace,
) -> None:
    site = await site_with_a_pair(workspace)
    assert site.pair is not None
    assert (await show(workspace, site.token())).status_code == 201
    confused = Site(workspace, site.kid, secret=site.pair.as_pem(private=False).decode())
    for header in ({"alg": "HS256"}, {"alg": "EdDSA"}):
        assert (await show(workspace, confused.token(header=header))).status_code == 422


@pytest.mark.api_top10("API2")
async def test_a_token_belongs_to_the_first_device_that_shows_it(
    site: Site, workspace: Workspace
) -> None:
    token = site.token()
    first = await show(workspace, token)
    again = await show(workspace, token)
    stolen = await show(workspace, token, device_id="thief")
    assert [first.status_code, again.status_code, stolen.status_code] == [201, 201, 422]
    forged = await show(workspace, "x")
    assert without_ids(stolen) == without_ids(forged)
    assert (await show(workspace, token)).json()["customer"] == first.json()["customer"]


@pytest.mark.asvs("15.4.2")
@pytest.mark.api_top10("API2")
async def test_of_many_devices_that_show_one_token_at_once_one_is_believed(
    site: Site, workspace: Workspace
) -> None:
    token = site.token()
    answers = await asyncio.gather(
        *(show(workspace, token, device_id=f"device-{number}") for number in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201, *[422] * 7]


@pytest.mark.asvs("9.2.1")
@pytest.mark.api_top10("API2")
async def test_a_token_is_believed_until_its_time_has_passed_and_its_trace_goes_then(
    site: Site, workspace: Workspace, clock: TurningClock
) -> None:
    token = site.token()
    assert (await show(workspace, token)).status_code == 201
    clock.turn(seconds=350)
    assert (await show(workspace, token)).status_code == 201
    clock.turn(seconds=15)
    assert (await show(workspace, token)).status_code == 422
    later = site.token(iat=int(clock().timestamp()), exp=int(clock().timestamp()) + 60)
    assert (await show(workspace, later)).status_code == 201
    query = select(func.count()).where(ShownProof.workspace_id == workspace.id)
    async with writing(workspace.service) as db:
        assert await db.scalar(query) == 1


@pytest.mark.asvs("7.2.4")
@pytest.mark.api_top10("API2")
async def test_a_switch_of_identity_makes_new_tokens_and_ends_the_old(
    site: Site, workspace: Workspace
) -> None:
    visitor = await workspace.customer()
    steps = [visitor]
    for sub in ("ada", "eve", "ada"):
        steps.append(await identified(site, sub, by=steps[-1]))
    for old in steps[:-1]:
        assert (await old.get("/v1/sessions")).status_code == 401
        body = {"refresh_token": old.details["refresh_token"], "device_id": DEVICE}
        assert (await old.client.post("/v1/auth/token", json=body)).status_code == 400
    assert (await steps[-1].get("/v1/sessions")).status_code == 200


@pytest.mark.asvs("7.4.1")
@pytest.mark.api_top10("API2")
async def test_signing_out_ends_what_an_identity_opened(site: Site, workspace: Workspace) -> None:
    ada = await identified(site)
    session_id = await waiting(ada)
    assert (await ada.post("/v1/auth/sign-out")).status_code == 204
    assert (await ada.get(f"/v1/sessions/{session_id}")).status_code == 401
    assert (await refresh(ada)).status_code == 400
    visitor = await workspace.customer()
    assert (await visitor.get(f"/v1/sessions/{session_id}")).status_code == 404


@pytest.mark.api_top10("API2")
async def test_a_refresh_token_is_of_no_use_on_another_device(site: Site) -> None:
    ada = await identified(site)
    body: dict[str, Any] = {"refresh_token": ada.details["refresh_token"]}
    for device in (None, "thief", DEVICE.upper()):
        answer = await ada.client.post("/v1/auth/token", json={**body, "device_id": device})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_grant")
    answer = await ada.client.post("/v1/auth/token", json={**body, "device_id": DEVICE})
    assert answer.status_code == 200
    assert (await ada.get("/v1/sessions")).status_code == 200


@pytest.mark.api_top10("API2")
async def test_a_stolen_old_token_on_another_device_ends_nothing(workspace: Workspace) -> None:
    path = f"/v1/inboxes/{workspace.inbox_key}/customers"
    begun = (await workspace.client.post(path, json={"device_id": DEVICE})).json()
    first, newest = begun["refresh_token"], begun["refresh_token"]
    for _ in range(3):
        body = {"refresh_token": newest, "device_id": DEVICE}
        newest = (await workspace.client.post("/v1/auth/token", json=body)).json()["refresh_token"]
    for device, wanted in (("thief", 200), (DEVICE, 400)):
        old = {"refresh_token": first, "device_id": device}
        assert (await workspace.client.post("/v1/auth/token", json=old)).status_code == 400
        body = {"refresh_token": newest, "device_id": DEVICE}
        assert (await workspace.client.post("/v1/auth/token", json=body)).status_code == wanted


@pytest.mark.asvs("6.8.1", "8.4.1")
async def test_the_same_user_of_two_sites_is_two_customers(
    workspace: Workspace, site: Site
) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    ada = await identified(site)
    other = await identified(await site_of(elsewhere), by=Person(ada.client, ada.token, ""))
    assert other.id != ada.id
    assert (await ada.get("/v1/sessions")).status_code == 200
