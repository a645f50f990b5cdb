"""One-time links: what each opens, once, and what none of them ever tells."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from chat_service.model import Agent, OneTimeLink
from chat_service.schema import AgentStatus, Role
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import (
    CHOSEN,
    ask,
    audited,
    code_of,
    enter,
    join,
    person_of,
    protect,
    told_of,
    works,
)
from chat_service.test.browsers import COOKIE, OWN, another_installation
from chat_service.test.builders import PASSWORD, Person, Workspace, build_workspace, writing
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row

GONE = (400, "invalid_grant")


async def new_link(owner: Person, agent_id: str) -> str:
    """A link that somebody makes for an agent."""
    response = await owner.post(f"/v1/agents/{agent_id}/link")
    assert response.status_code == 201, response.text
    token: str = response.json()["link"]["token"]
    return token


async def test_an_invited_agent_joins_and_is_signed_in(workspace: Workspace) -> None:
    guest = await invited(workspace)
    response = await join(workspace, guest.link, display_name="Nora Newman")
    nora = person_of(workspace, response)
    assert (nora.id, nora.details["agent"]["status"]) == (guest.id, "active")
    assert nora.details["agent"]["display_name"] == "Nora Newman"
    assert nora.details["websocket_url"] == "ws://test/v1/realtime"
    assert await works(nora)
    assert (await enter(workspace, guest.email, password=CHOSEN)).status_code == 200
    (entry,) = await audited(workspace, "agent.joined")
    assert (entry.actor_id, entry.target_id, entry.has_token) == (guest.id, guest.id, True)
    events = await (await workspace.key()).get("/v1/events", params={"types": "agent.updated"})
    (event,) = events.json()["data"]
    assert event["data"]["changed"] == ["display_name", "status"]


@pytest.mark.asvs("3.3.4", "3.5.1")
async def test_a_page_of_the_service_gets_a_cookie(workspace: Workspace) -> None:
    guest = await invited(workspace)
    body = {"token": guest.link, "password": CHOSEN, "cookie": True}
    other = await ask(workspace.service, "/v1/auth/links", body)
    assert code_of(other) == (403, "origin_not_allowed")
    given = await ask(workspace.service, "/v1/auth/links", body, headers={"Origin": OWN})
    assert (given.status_code, given.json()["access_token"]) == (200, None)
    assert given.headers["Set-Cookie"].startswith(f"{COOKIE}=at_")


@pytest.mark.asvs("6.4.1")
@pytest.mark.api_top10("API2")
async def test_a_link_works_once(workspace: Workspace) -> None:
    guest = await invited(workspace)
    assert (await join(workspace, guest.link)).status_code == 200
    assert code_of(await join(workspace, guest.link)) == GONE


@pytest.mark.asvs("6.4.1", "15.4.2")
@pytest.mark.api_top10("API2")
async def test_of_many_who_use_a_link_at_once_one_does(workspace: Workspace) -> None:
    guest = await invited(workspace)
    words = [f"password of number {number}" for number in range(20)]
    answers = await asyncio.gather(*(join(workspace, guest.link, password=each) for each in words))
    assert Counter(each.status_code for each in answers) == {200: 1, 400: 19}
    winner = [each.status_code for each in answers].index(200)
    entered = [await enter(workspace, guest.email, password=words[n]) for n in (winner, winner - 1)]
    assert [each.status_code for each in entered] == [200, 400]
    assert len(await audited(workspace, "agent.joined")) == 1


@pytest.mark.asvs("6.3.8", "6.4.1")
@pytest.mark.api_top10("API2")
async def test_all_that_opens_nothing_is_answered_alike(
    workspace: Workspace, clock: TurningClock
) -> None:
    owner = await workspace.agent(Role.OWNER)
    elsewhere = await build_workspace(workspace.service, workspace.client)
    used, old, foreign = [await invited(place) for place in (workspace, workspace, elsewhere)]
    gone, late = await invited(workspace), await invited(workspace)
    await join(workspace, used.link)
    await new_link(owner, old.id)
    await owner.post(f"/v1/agents/{gone.id}/deactivate")
    prefix, home, row, secret = late.link.split("_")
    away = foreign.link.split("_")
    tokens = [
        "x",
        "il_",
        owner.token,
        f"tk_{home}_{row}_{secret}",
        f"il_{away[1]}_{row}_{secret}",
        f"il_{home}_{away[2]}_{away[3]}",
        f"il_{home}_{row}_{secret[:-1]}{'0' if secret[-1] != '0' else '1'}",
        used.link,
        old.link,
        gone.link,
    ]
    answers = [told_of(await join(workspace, token)) for token in tokens]
    clock.turn(days=7, seconds=1)
    answers.append(told_of(await join(workspace, late.link)))
    assert answers == [answers[0]] * len(answers)
    assert (answers[0][0], answers[0][1]["code"]) == GONE
    assert (
        await join(workspace, new := await new_link(await fresh(workspace), late.id))
    ).is_success
    assert code_of(await join(workspace, new)) == GONE


async def fresh(workspace: Workspace) -> Person:
    """An owner whose login is of the present day."""
    return await workspace.agent(Role.OWNER)


async def test_a_link_of_a_week_ago_less_a_minute_still_works(
    workspace: Workspace, clock: TurningClock
) -> None:
    guest = await invited(workspace)
    clock.turn(days=7, minutes=-1)
    assert (await join(workspace, guest.link)).status_code == 200


@pytest.mark.asvs("6.4.1")
@pytest.mark.api_top10("API2")
async def test_a_recovery_lives_half_an_hour(workspace: Workspace, clock: TurningClock) -> None:
    owner, bob, eve = [await workspace.agent(role) for role in (Role.OWNER, Role.AGENT, Role.AGENT)]
    mine, hers = await new_link(owner, bob.id), await new_link(owner, eve.id)
    clock.turn(minutes=29)
    assert (await join(workspace, mine)).status_code == 200
    clock.turn(minutes=2)
    assert code_of(await join(workspace, hers)) == GONE


@pytest.mark.asvs("7.4.3")
async def test_a_recovery_ends_all_that_the_old_password_opened(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    again = person_of(workspace, await enter(workspace, bob))
    link = await new_link(owner, bob.id)
    new = person_of(workspace, await join(workspace, link))
    assert [await works(each) for each in (bob, again, new)] == [False, False, True]
    assert code_of(await enter(workspace, bob)) == GONE
    assert (await enter(workspace, bob, password=CHOSEN)).status_code == 200
    acts = ("agent.link_created", "agent.password_changed")
    assert [(each.action, each.target_id) for each in await audited(workspace, *acts)] == [
        (act, bob.id) for act in acts
    ]


async def test_a_new_link_takes_the_place_of_older_ones(workspace: Workspace) -> None:
    owner, guest = await workspace.agent(Role.OWNER), await invited(workspace)
    first, second = await new_link(owner, guest.id), await new_link(owner, guest.id)
    assert [code_of(await join(workspace, old)) for old in (guest.link, first)] == [GONE] * 2
    assert (await join(workspace, second)).status_code == 200


@pytest.mark.asvs("7.4.2")
async def test_who_is_deactivated_gets_no_link(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    link = await new_link(owner, bob.id)
    await owner.post(f"/v1/agents/{bob.id}/deactivate")
    assert code_of(await owner.post(f"/v1/agents/{bob.id}/link")) == (409, "agent_deactivated")
    await owner.post(f"/v1/agents/{bob.id}/activate")
    assert code_of(await join(workspace, link)) == GONE


@pytest.mark.asvs("2.3.1")
async def test_a_link_is_for_the_state_it_was_made_for(workspace: Workspace) -> None:
    guest = await invited(workspace)
    await change_row(workspace, Agent, guest.id, status=AgentStatus.ACTIVE)
    assert code_of(await join(workspace, guest.link)) == GONE


@pytest.mark.asvs("6.3.4", "6.4.3")
@pytest.mark.api_top10("API2")
async def test_a_second_factor_is_asked_for_and_nothing_is_used_up_without(
    workspace: Workspace,
) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    factor = await protect(workspace, bob)
    link = await new_link(owner, bob.id)
    asked = await join(workspace, link)
    assert code_of(asked) == (400, "second_factor_required")
    assert code_of(await join(workspace, link, code="000000")) == GONE
    assert await works(bob)
    assert (await enter(workspace, bob, code=factor.code())).status_code == 200
    new = person_of(workspace, await join(workspace, link, code=factor.recovery_codes[0]))
    me = (await new.get("/v1/agents/me")).json()["agent"]
    assert (me["second_factor"], me["recovery_codes_left"]) == (True, 9)
    without = await enter(workspace, bob, password=CHOSEN)
    assert code_of(without) == (400, "second_factor_required")


@pytest.mark.asvs("6.6.3", "16.3.3")
@pytest.mark.api_top10("API2")
async def test_tries_at_links_are_counted_by_address(workspace: Workspace) -> None:
    guest, place = await invited(workspace), "198.51.100.200"
    wrong = guest.link[:-4] + "0000"
    answers = [(await join(workspace, wrong, place)).status_code for _ in range(6)]
    assert answers == [400] * 5 + [429]
    assert (await join(workspace, guest.link, place)).status_code == 429
    assert (await join(workspace, guest.link)).status_code == 200
    refused = await audited(workspace, "agent.password_changed")
    assert [entry.outcome for entry in refused] == ["refused"] * 6


async def test_no_secret_of_a_link_is_stored(workspace: Workspace) -> None:
    guest = await invited(workspace)
    async with writing(workspace.service) as db:
        query = select(OneTimeLink).where(OneTimeLink.workspace_id == workspace.id)
        (row,) = (await db.scalars(query)).all()
    secret = guest.link.split("_")[3]
    assert len(secret) == 64
    assert secret not in str(vars(row)) and bytes.fromhex(secret) != row.secret_hash


HOSTS: list[dict[str, str]] = [
    {"Host": "evil.example"},
    {"X-Forwarded-Host": "evil.example"},
    {"Forwarded": "host=evil.example;proto=https"},
    {"X-Original-URL": "https://evil.example/", "X-Forwarded-Proto": "https"},
]


@pytest.mark.parametrize("headers", HOSTS, ids=lambda headers: next(iter(headers)))
@pytest.mark.asvs("4.1.3", "14.2.1")
async def test_a_link_begins_with_the_configured_address_alone(
    workspace: Workspace, headers: dict[str, str]
) -> None:
    owner, guest = await workspace.agent(Role.OWNER), await invited(workspace)
    path = f"/v1/agents/{guest.id}/link"
    told: Any = (await owner.post(path, headers=headers)).json()
    assert told["link"]["url"] is None
    public_url = "https://chat.example.org"
    async with another_installation(workspace.service, "http://test", public_url) as client:
        other = Person(client, owner.token, owner.id)
        link = (await other.post(path, headers=headers)).json()["link"]
    assert link["url"] == f"{public_url}/console/link#{link['token']}"
    assert (await enter(workspace, guest.email, password=PASSWORD)).status_code == 400
