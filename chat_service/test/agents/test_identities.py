"""An agent's accounts at a provider: linked, shown, taken away, and never the last way in."""

import asyncio
from typing import Any

import pytest

from chat_service.app import Service
from chat_service.model import Agent
from chat_service.schema import AgentStatus
from chat_service.test.agents.oidc_place import (
    FINISH,
    IDENTITIES,
    Place,
    oidc_service,
    place,
    provider,
    serving,
    settled,
    signed_in,
)
from chat_service.test.agents.provider import Program
from chat_service.test.builders import PASSWORD, Json, Person
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row, deactivate

__all__ = ["oidc_service", "place", "provider"]


async def held(place: Place, agent: Person) -> list[Json]:
    """The accounts of an agent, as he is shown them."""
    response = await place.call("GET", IDENTITIES, who=agent)
    assert response.status_code == 200, response.text
    data: list[Json] = response.json()["data"]
    return data


async def drop(
    place: Place, agent: Person, identity: Json, password: str | None = PASSWORD, **shown: Any
) -> tuple[int, str | None]:
    """Take an account away; the status and the code."""
    body = {"password": password, **shown}
    response = await place.call("DELETE", f"{IDENTITIES}/{identity['id']}", body, who=agent)
    return response.status_code, response.json()["code"] if response.is_error else None


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_an_agent_is_shown_his_accounts_and_nobody_elses(place: Place) -> None:
    bob, eve = await place.linked("bob"), await place.linked("eve")
    assert (await place.go("bobby", "link", who=bob)).status_code == 200
    first, second = await held(place, bob)
    assert [first["subject"], second["subject"]] == ["bob", "bobby"]
    assert set(first) == {"object", "id", "issuer", "subject", "created_at"}
    assert (first["object"], first["issuer"]) == ("identity", place.provider.issuer)
    assert first["id"] != second["id"] and len(first["id"]) == 32
    (hers,) = await held(place, eve)
    assert hers["subject"] == "eve"
    assert await drop(place, bob, hers) == (404, "not_found")


async def test_each_account_lets_its_agent_in(place: Place) -> None:
    bob = await place.linked("bob")
    await place.go("bobby", "link", who=bob)
    for subject in ("bob", "bobby"):
        assert signed_in(await place.go(subject), place.workspace.client).id == bob.id


async def test_linking_an_account_again_changes_nothing(place: Place) -> None:
    bob = await place.linked("bob")
    assert (await place.go("bob", "link", who=bob)).status_code == 200
    assert len(await held(place, bob)) == 1


async def test_linking_gives_no_new_token_and_tells_how_long_the_old_one_lives(
    place: Place, clock: TurningClock
) -> None:
    bob = await place.workspace.agent()
    clock.turn(hours=1)
    response = await place.go("bob", "link", who=bob)
    assert response.json()["access_token"] is None
    assert 43_200 - 3_660 < response.json()["expires_in"] <= 43_200 - 3_600
    assert "Set-Cookie" not in response.headers


@pytest.mark.asvs("6.5.6", "7.4.3")
async def test_an_account_that_is_taken_away_opens_nothing_and_other_logins_end(
    place: Place,
) -> None:
    bob = await place.linked("bob")
    again = signed_in(await place.go("bob"), place.workspace.client)
    (identity,) = await held(place, bob)
    assert await drop(place, bob, identity) == (204, None)
    assert (await place.go("bob")).status_code == 400
    assert (await again.get("/v1/sessions")).status_code == 401
    assert await held(place, bob) == []
    assert await drop(place, bob, identity) == (404, "not_found")


async def test_the_last_way_in_is_not_taken_away(place: Place) -> None:
    bob = await place.linked("bob")
    await change_row(place.workspace, Agent, bob.id, password_hash=None)
    (identity,) = await held(place, bob)
    assert await drop(place, bob, identity) == (409, "last_way_in")
    assert (await place.go("bobby", "link", who=bob)).status_code == 200
    assert await drop(place, bob, identity) == (204, None)
    (left,) = await held(place, bob)
    assert await drop(place, bob, left) == (409, "last_way_in")


@pytest.mark.asvs("15.4.2")
async def test_of_two_who_take_away_the_last_two_one_is_refused(place: Place) -> None:
    bob = await place.linked("bob")
    await place.go("bobby", "link", who=bob)
    await change_row(place.workspace, Agent, bob.id, password_hash=None)
    gone = [drop(place, bob, each) for each in await held(place, bob)]
    assert sorted(await asyncio.gather(*gone)) == [(204, None), (409, "last_way_in")]


async def test_an_account_of_a_provider_of_before_is_no_way_in(
    place: Place, service: Service, provider: Program, turning_clock: TurningClock
) -> None:
    bob = await place.linked("bob")
    await change_row(place.workspace, Agent, bob.id, password_hash=None)
    async with serving(service, turning_clock, issuer="https://new.example.org") as other:
        async with settled(other, provider) as elsewhere:
            (identity,) = await held(elsewhere, bob)
            assert await drop(elsewhere, bob, identity) == (204, None)


@pytest.mark.asvs("10.5.2")
async def test_an_account_stands_for_one_agent_of_a_workspace(place: Place) -> None:
    await place.linked("bob")
    eve = await place.workspace.agent()
    response = await place.go("bob", "link", who=eve)
    assert (response.status_code, response.json()["code"]) == (409, "identity_taken")
    assert await held(place, eve) == []


@pytest.mark.asvs("15.4.2")
async def test_two_who_link_one_account_at_once_are_told_apart(place: Place) -> None:
    people = [await place.workspace.agent() for _ in range(2)]
    ways = [place.go("bob", "link", who=each) for each in people]
    assert sorted(each.status_code for each in await asyncio.gather(*ways)) == [200, 409]


@pytest.mark.asvs("2.3.2")
async def test_an_agent_has_ten_accounts_at_most(place: Place) -> None:
    bob = await place.workspace.agent()
    for number in range(10):
        assert (await place.go(f"bob-{number}", "link", who=bob)).status_code == 200
    response = await place.go("bob-10", "link", who=bob)
    assert (response.status_code, response.json()["code"]) == (409, "too_many")
    assert (await place.go("bob-9", "link", who=bob)).status_code == 200


@pytest.mark.asvs("7.4.2")
async def test_who_was_deactivated_links_nothing(place: Place) -> None:
    bob = await place.workspace.agent()
    started = await place.start("link", who=bob)
    back = place.provider.visit(started["authorization_url"], "bob")
    await deactivate(place.workspace, bob)
    assert (await place.finish(started, back, who=bob)).status_code == 401


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_only_agents_have_accounts(place: Place) -> None:
    customer, key = await place.workspace.customer(), await place.workspace.key()
    for who, status in ((None, 401), (customer, 403), (key, 403)):
        for method, path in (("GET", IDENTITIES), ("DELETE", f"{IDENTITIES}/0123")):
            assert (await place.call(method, path, who=who)).status_code == status


@pytest.mark.parametrize("name", ["x", "0" * 32, "%00", "..%2F..", "\u00e4", "x" * 2_000])
@pytest.mark.asvs("2.2.1")
async def test_an_account_that_does_not_exist_is_404(place: Place, name: str) -> None:
    bob = await place.linked("bob")
    assert await drop(place, bob, {"id": name}) == (404, "not_found")


async def test_an_invitation_is_accepted_by_an_account(place: Place) -> None:
    invited, link = await place.invite()
    eve = signed_in(await place.go("eve", "invitation", link_token=link), place.workspace.client)
    assert (eve.id, eve.details["agent"]["email"]) == (str(invited.id), invited.email)
    assert (await eve.get("/v1/sessions")).status_code == 200
    assert signed_in(await place.go("eve"), place.workspace.client).id == eve.id
    (identity,) = await held(place, eve)
    assert await drop(place, eve, identity) == (409, "last_way_in")
    key = await place.workspace.key()
    events = (await key.get("/v1/events", params={"types": "agent.updated"})).json()["data"]
    assert [each["actor"] for each in events] == [{"type": "agent", "id": eve.id}]
    assert events[0]["data"] == {"agent_id": eve.id, "changed": ["status"]}
    acts = [each.action for each in await place.audited()]
    assert acts[:3] == ["agent.identity_linked", "agent.joined", "agent.signed_in"]


@pytest.mark.asvs("2.3.3", "16.5.2")
async def test_a_fault_of_the_provider_uses_no_invitation_up(place: Place) -> None:
    invited, link = await place.invite()
    started = await place.start("invitation", link_token=link)
    back = place.provider.visit(started["authorization_url"], "eve")
    place.provider.answers["/token"] = b"HTTP/1.1 500 Fault\r\nContent-Length: 0\r\n\r\n"
    assert (await place.finish(started, back)).status_code == 503
    place.provider.behave()
    assert (await place.finish(started, back)).status_code == 200
    await change_row(place.workspace, Agent, invited.id, status=AgentStatus.DEACTIVATED)
    assert (await place.go("eve")).status_code == 400


@pytest.mark.asvs("3.5.1")
@pytest.mark.api_top10("API2")
async def test_another_page_links_nothing_by_the_cookie(place: Place) -> None:
    """A cookie is sent whichever page asks; to link needs a page of the service."""
    bob = await place.workspace.agent()
    started = await place.start("link", who=bob)
    back = place.provider.visit(started["authorization_url"], "bob")
    headers = {"Cookie": f"__Host-chat={bob.token}", "Origin": "https://evil.example"}
    body = {"flow": started["flow"], **back}
    response = await place.workspace.client.post(FINISH, json=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "origin_not_allowed")
    assert await held(place, bob) == []
