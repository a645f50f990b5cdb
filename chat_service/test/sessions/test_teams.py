"""Sessions of teams: given to one, seen by its members, and nothing of it by customers."""

import httpx2
import pytest

from chat_service.schema import Permission, Role
from chat_service.test.addresses import BODIES, Stage, addresses, build_stage
from chat_service.test.agents.staffing import agent_with, give_to, new_team, put_in, take_out
from chat_service.test.builders import Person, Workspace, build_workspace, unique
from chat_service.test.sessions.calls import act, newest_event, show, waiting

P = Permission
IN_SESSION = [address for address in addresses() if "{session_id}" in address]
MISSING = "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"


async def listed(person: Person, **params: str) -> set[str]:
    """The ids of a list."""
    response = await person.get("/v1/sessions", params=params)
    assert response.status_code == 200, response.text
    return {session["id"] for session in response.json()["data"]}


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_a_session_is_given_to_a_team_and_back(workspace: Workspace) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    sales, billing, session_id = (
        await new_team(boss),
        await new_team(boss),
        await waiting(customer),
    )
    before = await show(customer, session_id)
    seen = []
    for old, new in ((None, sales), (sales, billing), (billing, billing), (billing, None)):
        assert (await give_to(boss, session_id, new))["team_id"] == new
        event = await newest_event(boss, session_id, "session.updated")
        assert (event["public_seq"], event["actor"]["id"]) == (None, boss.id)
        seen.append((event["seq"], event["data"]["changed"], event["data"]["changes"]))
        if old != new:
            assert event["data"]["changes"] == {"team_id": [old, new]}
    assert [number for number, *_ in seen] == [2, 3, 3, 4]
    assert await show(customer, session_id) == before
    assert "team" not in str([before, await customer.events(session_id)])


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_what_a_customer_sees_of_a_change_names_no_team(workspace: Workspace) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id, team_id = await waiting(customer), await new_team(boss)
    path = f"/v1/sessions/{session_id}"
    await boss.call("PATCH", path, json={"team_id": team_id, "subject": "Late"})
    event = await newest_event(customer, session_id, "session.updated")
    assert (event["data"]["changed"], event["data"]["changes"]) == (["subject"], {})
    assert team_id not in str(await customer.events(session_id))


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_staff_start_a_session_for_a_team_and_customers_do_not(workspace: Workspace) -> None:
    boss, key, customer = (
        await workspace.agent(Role.ADMIN),
        await workspace.key(),
        await workspace.customer(),
    )
    team_id = await new_team(boss)
    for staff in (boss, key):
        started = await staff.start(customer_id=customer.id, team_id=team_id)
        assert started["session"]["team_id"] == team_id
    body = {"client_session_id": unique(), "team_id": team_id}
    refused = await customer.post("/v1/sessions", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_team_that_does_not_exist_is_no_team(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    foreign = await new_team(await elsewhere.agent(Role.ADMIN))
    session_id = await waiting(customer)
    for team_id in (MISSING, foreign):
        start = {"client_session_id": unique(), "customer_id": customer.id, "team_id": team_id}
        answers = [
            await boss.call("PATCH", f"/v1/sessions/{session_id}", json={"team_id": team_id}),
            await boss.post("/v1/sessions", start),
        ]
        for answer in answers:
            assert answer.status_code == 422
            (error,) = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("/team_id", "unknown_team")
    assert (await show(boss, session_id))["team_id"] is None


async def test_a_list_is_filtered_by_team(workspace: Workspace) -> None:
    boss, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    sales, billing = await new_team(boss, boss), await new_team(boss, bob)
    ids = [await waiting(await workspace.customer()) for _ in range(3)]
    for session_id, team_id in zip(ids, (sales, billing, None), strict=True):
        await give_to(boss, session_id, team_id)
    assert await listed(boss) == await listed(bob) == set(ids)
    assert await listed(boss, team_id=sales) == await listed(boss, view="team") == {ids[0]}
    assert await listed(boss, team_id=billing) == await listed(bob, view="team") == {ids[1]}
    key = await workspace.key()
    assert (await listed(key, view="team"), await listed(key, team_id=sales)) == (set(), {ids[0]})
    for params in ({"team_id": sales}, {"view": "team"}):
        response = await (await workspace.customer()).get("/v1/sessions", params=params)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    response = await boss.get("/v1/sessions", params={"team_id": "mine"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_filter")


@pytest.fixture
async def stage(workspace: Workspace) -> Stage:
    """A session that its team's Eve holds."""
    stage = await build_stage(workspace)
    eve = await workspace.agent(name="Eve")
    await act(eve, stage.session_id, "claim")
    await give_to(stage.agent, stage.session_id, stage.team_id)
    return stage


async def asked(stage: Stage, person: Person, address: str) -> httpx2.Response:
    """What somebody is answered."""
    method, body = address.partition(" ")[0], BODIES.get(address)
    rest = {} if body is None else {"json": body(stage)}
    return await person.call(method, stage.path(address), **rest)


@pytest.mark.parametrize("address", IN_SESSION)
@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_a_teams_session_is_there_for_its_members_and_for_nobody_else(
    stage: Stage, address: str
) -> None:
    """But for who holds it, or sees all."""
    member, outsider = await stage.workspace.agent(), await stage.workspace.agent()
    bound = await agent_with(stage.workspace, stage.agent, *(set(P) - {P.SESSIONS_READ_ALL}))
    await put_in(stage.agent, stage.team_id, [member, bound])
    await new_team(stage.agent, outsider)
    # Who may see what waits is told of a claim that a colleague was faster.
    hidden = 409 if address.endswith("/claim") else 404
    assert (await asked(stage, outsider, address)).status_code == hidden
    answers = [await asked(stage, person, address) for person in (member, bound)]
    assert {answer.status_code for answer in answers} <= {200, 201, 202, 204, 403, 409}
    if address.startswith("GET"):
        assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_membership_alone_opens_nothing(stage: Stage) -> None:
    blind = await agent_with(stage.workspace, stage.agent, P.SESSIONS_WRITE, P.MESSAGES_WRITE)
    await put_in(stage.agent, stage.team_id, [blind])
    assert (await blind.get(f"/v1/sessions/{stage.session_id}")).status_code == 404
    assert await listed(blind) == await listed(blind, view="team") == set()


@pytest.mark.asvs("8.3.2")
@pytest.mark.api_top10("API1")
async def test_what_a_member_saw_is_gone_with_his_membership(stage: Stage) -> None:
    bob = await stage.workspace.agent()
    path = f"/v1/sessions/{stage.session_id}"
    await put_in(stage.agent, stage.team_id, [bob])
    assert await listed(bob) == await listed(bob, view="team") == {stage.session_id}
    assert (await bob.send(stage.session_id)).status_code == 201
    await take_out(stage.agent, stage.team_id, bob)
    assert await listed(bob) == await listed(bob, view="team") == set()
    assert (await bob.get(path)).status_code == 404
    assert (await bob.send(stage.session_id)).status_code == 404


async def test_who_gives_a_session_away_sees_it_once_more(workspace: Workspace) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    bob = await agent_with(workspace, boss, P.SESSIONS_READ_TEAM, P.SESSIONS_WRITE)
    mine, theirs = await new_team(boss, bob), await new_team(boss)
    session_id = await waiting(customer)
    await give_to(boss, session_id, mine)
    assert (await give_to(bob, session_id, theirs))["team_id"] == theirs
    assert (await bob.get(f"/v1/sessions/{session_id}")).status_code == 404


async def test_staff_resume_for_a_customer_what_their_team_has(stage: Stage) -> None:
    """And begin another one where they may not know of it."""
    start = {"mode": "resume_or_create", "customer_id": stage.customer.id}
    member, outsider = await stage.workspace.agent(), await stage.workspace.agent()
    await put_in(stage.agent, stage.team_id, [member])
    assert (await member.start(**start))["session"]["id"] == stage.session_id
    assert (await outsider.start(**start))["session"]["id"] != stage.session_id
