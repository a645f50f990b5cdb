"""Signing in and out over HTTP."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select

from chat_service.agents.passwords import Passwords
from chat_service.config import Auth
from chat_service.model import Agent, Token
from chat_service.schema import Role
from chat_service.test.agents.tries import sign_in
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, build_workspace, writing
from chat_service.test.rows import change_row, deactivate


def body_of(place: Workspace, agent: Person, /, **fields: Any) -> Json:
    """How an agent signs in."""
    email = agent.details["agent"]["email"]
    return {"email": email, "password": PASSWORD, "workspace": place.slug, **fields}


@pytest.mark.asvs("7.2.2", "14.3.2")
async def test_signing_in_gives_a_token_and_says_who_one_is(workspace: Workspace) -> None:
    bob = await workspace.agent(Role.SUPERVISOR, "Bob")
    response = await workspace.client.post("/v1/auth/sign-in", json=body_of(workspace, bob))
    signed_in = response.json()
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert signed_in["agent"] == {
        "object": "agent",
        "id": bob.id,
        "workspace_id": str(workspace.id),
        "email": bob.details["agent"]["email"],
        "display_name": "Bob",
        "role": "supervisor",
        "role_id": None,
        "status": "active",
    }
    assert signed_in["access_token"] != bob.token
    again = Person(workspace.client, signed_in["access_token"], bob.id)
    assert (await again.get("/v1/sessions")).status_code == 200


async def test_the_case_of_an_email_is_no_matter(workspace: Workspace) -> None:
    bob = await workspace.agent()
    body = body_of(workspace, bob, email=bob.details["agent"]["email"].upper())
    assert (await workspace.client.post("/v1/auth/sign-in", json=body)).status_code == 200


@pytest.mark.asvs("6.3.8")
@pytest.mark.api_top10("API2")
async def test_known_and_unknown_accounts_answer_alike(workspace: Workspace) -> None:
    bob, gone = await workspace.agent(), await workspace.agent()
    await deactivate(workspace, gone)
    await build_workspace(workspace.service, workspace.client)
    bodies = [
        body_of(workspace, bob, password="wrong"),
        body_of(workspace, bob, email="nobody@example.org"),
        body_of(workspace, bob, workspace="no-such-workspace"),
        body_of(workspace, gone),
        body_of(workspace, gone, password="wrong"),
        body_of(workspace, bob, workspace=None),
    ]
    answers = [await answer(workspace, body, number) for number, body in enumerate(bodies)]
    assert answers == [answers[0]] * len(answers)
    assert answers[0][1]["code"] == "invalid_grant"


@pytest.mark.asvs("6.3.8")
async def test_known_and_unknown_accounts_are_limited_alike(workspace: Workspace) -> None:
    bob = await workspace.agent()
    known = body_of(workspace, bob, password="wrong")
    unknown = body_of(workspace, bob, email="nobody@example.org")
    for number in range(10):
        first = await answer(workspace, known, 2 * number)
        assert first == await answer(workspace, unknown, 2 * number + 1)
    limited = await answer(workspace, known, 100)
    assert limited == await answer(workspace, unknown, 101)
    assert limited[0] == 429


async def answer(workspace: Workspace, body: Json, place: int) -> tuple[int, Json, list[str]]:
    """All that a try tells, but for the id of the request."""
    response = await sign_in(workspace.service, body, f"198.51.100.{place}")
    told: Mapping[str, Any] = response.json()
    shown = {name: value for name, value in told.items() if name != "request_id"}
    return response.status_code, shown, sorted(response.headers)


WRONG: list[Json] = [
    {"email": "no address"},
    {"email": 5},
    {"email": None},
    {"email": {"$ne": ""}},
    {"password": ""},
    {"password": "x" * 1025},
    {"password": None},
    {"password": ["x"]},
    {"password": "nul\0"},
    {"workspace": "nul\0"},
    {"workspace": "x" * 64},
    {"role": "owner"},
]


@pytest.mark.parametrize("fields", WRONG)
@pytest.mark.asvs("2.2.1")
async def test_refuses_wrong_fields(workspace: Workspace, fields: Json) -> None:
    body = {"email": "x@example.org", "password": "x", "workspace": workspace.slug, **fields}
    response = await workspace.client.post("/v1/auth/sign-in", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert "x" * 20 not in response.text


@pytest.mark.asvs("8.4.1")
async def test_the_same_email_in_two_workspaces_is_two_agents(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    bob, eve = await workspace.agent(), await elsewhere.agent()
    await change_row(elsewhere, Agent, eve.id, email=bob.details["agent"]["email"])
    for place, person in ((workspace, bob), (elsewhere, eve)):
        response = await place.client.post("/v1/auth/sign-in", json=body_of(place, bob))
        assert response.json()["agent"]["id"] == person.id


@pytest.mark.asvs("11.4.2")
async def test_an_outdated_password_is_stored_anew(workspace: Workspace) -> None:
    bob = await workspace.agent()
    cheaper = await Passwords(Auth(hash_memory_kib=8, hash_rounds=1)).hash(PASSWORD)
    await change_row(workspace, Agent, bob.id, password_hash=cheaper)
    for _ in range(2):
        response = await workspace.client.post("/v1/auth/sign-in", json=body_of(workspace, bob))
        assert response.status_code == 200
    assert "$m=64,t=1,p=1$" in await stored_password(workspace, bob)


async def stored_password(workspace: Workspace, agent: Person) -> str:
    """What the database knows of a password."""
    query = select(Agent.password_hash).where(
        Agent.workspace_id == workspace.id, Agent.email == agent.details["agent"]["email"]
    )
    async with writing(workspace.service) as db:
        return str((await db.scalars(query)).one())


async def test_no_secret_of_a_token_is_stored(workspace: Workspace) -> None:
    bob, key, customer = (
        await workspace.agent(),
        await workspace.key(),
        await workspace.customer(),
    )
    async with writing(workspace.service) as db:
        rows = (await db.scalars(select(Token).where(Token.workspace_id == workspace.id))).all()
    stored = [str(row.secret_hash) + str(vars(row)) for row in rows]
    secrets = [bob.token.split("_")[3], key.token.split("_")[3]]
    secrets.append(customer.details["refresh_token"].split("_")[4])
    assert len(stored) == 3
    assert not [secret for secret in secrets for row in stored if secret in row]


@pytest.mark.asvs("7.4.1")
async def test_signing_out_ends_this_token_and_no_other(workspace: Workspace) -> None:
    bob = await workspace.agent()
    response = await workspace.client.post("/v1/auth/sign-in", json=body_of(workspace, bob))
    other = Person(workspace.client, response.json()["access_token"], bob.id)
    ended = await bob.post("/v1/auth/sign-out")
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await bob.get("/v1/sessions")).status_code == 401
    assert (await bob.post("/v1/auth/sign-out")).status_code == 401
    assert (await other.get("/v1/sessions")).status_code == 200


async def test_signing_out_is_recorded(workspace: Workspace) -> None:
    bob, key = await workspace.agent(), await workspace.key()
    await bob.post("/v1/auth/sign-out")
    events = (await key.get("/v1/events", params={"types": "token.revoked"})).json()["data"]
    assert [event["actor"] for event in events] == [{"type": "agent", "id": bob.id}]
    assert events[0]["data"]["token_id"].replace("-", "") == bob.token.split("_")[2]


@pytest.mark.asvs("8.2.1")
async def test_a_key_cannot_sign_out(workspace: Workspace) -> None:
    key = await workspace.key()
    assert (await key.post("/v1/auth/sign-out")).status_code == 403
    assert (await key.get("/v1/sessions")).status_code == 200
