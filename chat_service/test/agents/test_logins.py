"""Logins: seen, ended one by one or together, and when they were last used."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from chat_service.agents import logins
from chat_service.model import Token
from chat_service.schema import Role, TokenId, TokenKind, new_id
from chat_service.test.agents.lives import (
    CHOSEN,
    audited,
    code_of,
    enter,
    join,
    person_of,
    works,
)
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, build_workspace, writing
from chat_service.test.fakes import TurningClock

LOGINS = "/v1/agents/me/logins"


def login_id(person: Person) -> str:
    """The id of somebody's login."""
    return str(UUID(person.token.split("_")[2]))


async def listed(person: Person, path: str = LOGINS) -> list[Json]:
    """Logins as somebody sees them."""
    response = await person.get(path)
    assert response.status_code == 200, response.text
    data: list[Json] = response.json()["data"]
    return data


async def again(workspace: Workspace, agent: Person, address: str = "") -> Person:
    """The same agent, signed in once more."""
    return person_of(workspace, await enter(workspace, agent, address))


async def test_a_login_tells_from_where_and_with_what(workspace: Workspace) -> None:
    bob = await workspace.agent()
    phone = await again(workspace, bob, "203.0.113.7")
    mine = await listed(phone)
    assert [each["id"] for each in mine] == [login_id(phone), login_id(bob)]
    assert [each["current"] for each in mine] == [True, False]
    assert mine[0]["address"] == "203.0.113.7"
    assert mine[0]["user_agent"].startswith("python-httpx")
    assert mine[0]["expires_at"] > mine[0]["created_at"]
    assert not [each for each in mine if phone.token.split("_")[3] in str(each)]


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_one_login_is_ended_and_the_others_stay(workspace: Workspace) -> None:
    bob, eve = await workspace.agent(), await workspace.agent()
    phone = await again(workspace, bob)
    for other in (login_id(eve), login_id(await workspace.agent()), str(workspace.id)):
        assert code_of(await bob.call("DELETE", f"{LOGINS}/{other}")) == (404, "not_found")
    path = f"{LOGINS}/{login_id(phone)}"
    assert [(await bob.call("DELETE", path)).status_code for _ in range(2)] == [204, 404]
    assert [await works(each) for each in (bob, phone, eve)] == [True, False, True]
    assert len(await listed(bob)) == 1
    (entry,) = await audited(workspace, "agent.logins_ended")
    assert (entry.actor_id, entry.target_id) == (bob.id, bob.id)


async def test_all_others_are_ended_and_the_own_stays(workspace: Workspace) -> None:
    bob, eve = await workspace.agent(), await workspace.agent()
    others = [await again(workspace, bob) for _ in range(3)]
    for _ in range(2):
        assert (await bob.call("DELETE", LOGINS)).status_code == 204
    assert [await works(each) for each in (bob, eve, *others)] == [True, True, *[False] * 3]


@pytest.mark.asvs("7.4.5", "8.4.1")
async def test_who_manages_agents_sees_and_ends_their_logins(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    path = f"/v1/agents/{bob.id}/logins"
    assert [each["id"] for each in await listed(admin, path)] == [login_id(bob)]
    assert (await admin.call("DELETE", path)).status_code == 204
    assert (await listed(admin, path), await works(bob), await works(admin)) == ([], False, True)
    (entry,) = await audited(workspace, "agent.logins_ended")
    assert (entry.actor_id, entry.target_id) == (admin.id, bob.id)
    elsewhere = await build_workspace(workspace.service, workspace.client)
    stranger = await elsewhere.agent(Role.OWNER)
    for method in ("GET", "DELETE"):
        assert code_of(await stranger.call(method, path)) == (404, "not_found")


@pytest.mark.asvs("7.3.2", "7.4.1")
async def test_an_expired_login_is_none(workspace: Workspace, clock: TurningClock) -> None:
    bob = await workspace.agent()
    clock.turn(hours=13)
    late = await again(workspace, bob)
    assert [each["id"] for each in await listed(late)] == [login_id(late)]
    path = f"{LOGINS}/{login_id(bob)}"
    assert code_of(await late.call("DELETE", path)) == (404, "not_found")


@pytest.mark.asvs("6.2.2", "6.2.3", "7.4.3")
@pytest.mark.api_top10("API2")
async def test_a_changed_password_ends_all_other_logins_and_links(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    phone = await again(workspace, bob)
    link = (await owner.post(f"/v1/agents/{bob.id}/link")).json()["link"]["token"]
    path, change = "/v1/agents/me/password", {"old_password": "wrong", "password": CHOSEN}
    assert code_of(await bob.post(path, change)) == (400, "invalid_grant")
    assert await works(phone)
    assert (await bob.post(path, change | {"old_password": PASSWORD})).status_code == 204
    assert [await works(each) for each in (bob, phone)] == [True, False]
    assert code_of(await join(workspace, link)) == (400, "invalid_grant")
    answers = [await enter(workspace, bob, password=each) for each in (PASSWORD, CHOSEN)]
    assert [each.status_code for each in answers] == [400, 200]
    entries = await audited(workspace, "agent.password_changed")
    assert [entry.outcome for entry in entries] == ["refused", "done", "refused"]


@pytest.mark.asvs("6.3.1", "6.3.4")
@pytest.mark.api_top10("API2")
async def test_a_stolen_login_guesses_no_more_than_who_stands_at_the_door(
    workspace: Workspace,
) -> None:
    bob = await workspace.agent()
    change = {"old_password": "wrong", "password": CHOSEN}
    guesses = [("/v1/agents/me/password", change)] * 6
    guesses += [("/v1/agents/me/second-factor", {"password": "wrong"})] * 5
    answers = [(await bob.post(path, body)).status_code for path, body in guesses]
    assert answers == [400] * 10 + [429]
    assert (await enter(workspace, bob)).status_code == 200


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_strangers_at_the_door_keep_nobody_from_changing_his_password(
    workspace: Workspace,
) -> None:
    bob = await workspace.agent()
    for _ in range(10):
        assert (await enter(workspace, bob, password="wrong")).status_code == 400
    assert (await enter(workspace, bob)).status_code == 429
    begun = await bob.post("/v1/agents/me/second-factor", {"password": PASSWORD})
    assert begun.status_code == 201
    change = {"old_password": PASSWORD, "password": CHOSEN}
    assert (await bob.post("/v1/agents/me/password", change)).status_code == 204


async def signed_in_often(
    workspace: Workspace, agent: Person, number: int, **lives: float
) -> list[UUID]:
    """Logins of an agent, oldest first, that live so long from now."""
    now, ids = workspace.service.clock(), [TokenId(new_id()) for _ in range(number)]
    async with writing(workspace.service) as db:
        for token_id in ids:
            db.add(
                Token(
                    workspace_id=workspace.id,
                    id=token_id,
                    kind=TokenKind.AGENT,
                    agent_id=UUID(agent.id),
                    scopes=[],
                    secret_hash=bytes(32),
                    generation=0,
                    created_at=now,
                    expires_at=now + timedelta(**lives),
                )
            )
    return list(ids)


async def revoked(workspace: Workspace) -> list[str]:
    """The tokens whose end stands in the log of a workspace."""
    query = {"types": "token.revoked", "limit": 500}
    response = await (await workspace.key()).get("/v1/events", params=query)
    assert response.status_code == 200, response.text
    return [event["data"]["token_id"] for event in response.json()["data"]]


@pytest.mark.asvs("7.4.2")
async def test_what_lives_ends_with_its_agent_and_what_expired_is_left_as_it_is(
    workspace: Workspace,
) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    await signed_in_often(workspace, bob, 3, hours=-1)
    (phone,) = await signed_in_often(workspace, bob, 1, hours=1)
    assert (await owner.post(f"/v1/agents/{bob.id}/deactivate")).status_code == 200
    assert sorted(await revoked(workspace)) == sorted([login_id(bob), str(phone)])


@pytest.mark.asvs("2.3.2")
async def test_of_fifty_logins_the_oldest_ends_when_one_more_begins(workspace: Workspace) -> None:
    bob, eve = await workspace.agent(), await workspace.agent()
    await signed_in_often(workspace, bob, 3, hours=-1)
    oldest, *others = await signed_in_often(workspace, bob, logins.LOGINS, hours=1)
    phone = await again(workspace, bob)
    assert [await works(each) for each in (bob, eve, phone)] == [False, True, True]
    living = [each["id"] for each in await listed(phone)]
    assert living == [login_id(phone), *map(str, reversed(others))]
    assert sorted(await revoked(workspace)) == sorted([login_id(bob), str(oldest)])


async def used_at(workspace: Workspace) -> dict[UUID, Any]:
    """When each token of a workspace was last used."""
    await workspace.service.usage.write()
    query = select(Token.id, Token.last_used_at).where(Token.workspace_id == workspace.id)
    async with writing(workspace.service) as db:
        return {row.id: row.last_used_at for row in await db.execute(query)}


async def test_the_last_use_is_known_to_the_minute(
    workspace: Workspace, clock: TurningClock
) -> None:
    bob, key, customer = [
        await workspace.agent(),
        await workspace.key(),
        await workspace.customer(),
    ]
    assert set((await used_at(workspace)).values()) == {None}
    for person in (bob, key, customer):
        await person.get("/v1/sessions")
    now = clock()
    used = await used_at(workspace)
    minutes = [used[UUID(token)] for token in (bob.token.split("_")[2], key.id)]
    for minute in minutes:
        assert (minute.second, minute.microsecond) == (0, 0)
        assert timedelta() <= now - minute < timedelta(seconds=90)
    assert list(used.values()).count(None) == 1, "of the customer nothing is noted"


async def test_a_use_of_another_minute_is_written_and_one_of_the_same_is_not(
    workspace: Workspace, clock: TurningClock
) -> None:
    bob = await workspace.agent()
    token_id = UUID(bob.token.split("_")[2])
    await bob.get("/v1/sessions")
    first = (await used_at(workspace))[token_id]
    clock.turn(minutes=3)
    await bob.get("/v1/sessions")
    later = (await used_at(workspace))[token_id]
    assert later - first in (timedelta(minutes=3), timedelta(minutes=4))
    clock.turn(minutes=-3)
    await bob.get("/v1/sessions")
    assert (await used_at(workspace))[token_id] == later, "it never goes back"


@pytest.mark.asvs("16.3.1")
async def test_signing_out_is_audited(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    for person in (bob, customer):
        await person.post("/v1/auth/sign-out")
    (entry,) = await audited(workspace, "agent.signed_out")
    assert (entry.actor_id, entry.has_token) == (bob.id, True)
