"""Teams: who makes and fills them, what is told of it, and when one may go."""

import httpx2
import pytest

from chat_service.schema import Permission, Role
from chat_service.test.agents.staffing import give_to, new_team, put_in, take_out
from chat_service.test.agents.trail import audited, told
from chat_service.test.builders import Json, Person, Workspace, build_workspace, unique
from chat_service.test.sessions.calls import act, waiting

P = Permission


async def team_of(person: Person, team_id: str) -> Json:
    """A team with its members."""
    response = await person.get(f"/v1/teams/{team_id}")
    assert response.status_code == 200, response.text
    team: Json = response.json()["team"]
    return team


def code(response: httpx2.Response) -> tuple[int, str]:
    """How something was refused."""
    return response.status_code, response.json()["code"]


async def test_any_agent_knows_the_teams_and_who_is_in_them(workspace: Workspace) -> None:
    boss, viewer = await workspace.agent(Role.ADMIN), await workspace.agent(Role.VIEWER)
    bob, eve = await workspace.agent(name="Bob"), await workspace.agent(name="Eve")
    made = await boss.post("/v1/teams", {"name": "Billing"})
    team = made.json()["team"]
    assert (team["name"], team["members"]) == ("Billing", [])
    assert made.headers["Location"] == f"/v1/teams/{team['id']}"
    await put_in(boss, team["id"], [eve, bob, bob])
    members = [{"id": one.id, "display_name": name} for one, name in ((bob, "Bob"), (eve, "Eve"))]
    assert await team_of(viewer, team["id"]) == {**team, "members": members}
    assert (await viewer.get("/v1/teams")).json()["data"] == [
        {name: value for name, value in team.items() if name != "members"}
    ]
    await take_out(boss, team["id"], eve)
    await take_out(boss, team["id"], eve)
    assert (await team_of(viewer, team["id"]))["members"] == members[:1]


@pytest.mark.asvs("16.2.1")
async def test_each_change_is_told_and_audited_and_no_change_is_not(workspace: Workspace) -> None:
    boss, bob, key = (
        await workspace.agent(Role.ADMIN),
        await workspace.agent(),
        await workspace.key(),
    )
    team_id = await new_team(boss, bob, bob, boss)
    path = f"/v1/teams/{team_id}"
    for name in ("Billing", "Billing", None):
        assert (await boss.call("PATCH", path, json={"name": name})).status_code == 200
    await take_out(boss, team_id, boss)
    await take_out(boss, team_id, boss)
    assert (await boss.call("DELETE", path)).status_code == 204
    assert code(await boss.get(path)) == (404, "not_found")
    joined_or_left: list[list[str]] = [[], [bob.id], [boss.id], [], [boss.id], [bob.id]]
    assert await told(key, "team.updated") == [
        {"team_id": team_id, "agent_ids": ids} for ids in joined_or_left
    ]
    assert await audited(workspace, "team.") == [
        ("team.created", boss.id, team_id, ["name"]),
        ("team.updated", boss.id, team_id, ["members"]),
        ("team.updated", boss.id, team_id, ["members"]),
        ("team.updated", boss.id, team_id, ["name"]),
        ("team.updated", boss.id, team_id, ["members"]),
        ("team.deleted", boss.id, team_id, []),
    ]


async def test_a_name_is_taken_once(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    assert (await boss.post("/v1/teams", {"name": "Billing"})).status_code == 201
    renamed = f"/v1/teams/{await new_team(boss)}"
    answers = [
        await boss.post("/v1/teams", {"name": "Billing"}),
        await boss.call("PATCH", renamed, json={"name": "Billing"}),
    ]
    assert [code(answer) for answer in answers] == [(409, "name_taken")] * 2


@pytest.mark.parametrize("closed", [False, True])
async def test_a_team_that_a_session_names_stays(workspace: Workspace, closed: bool) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    team_id, session_id = await new_team(boss, boss), await waiting(customer)
    await give_to(boss, session_id, team_id)
    if closed:
        await act(boss, session_id, "close")
    path = f"/v1/teams/{team_id}"
    assert code(await boss.call("DELETE", path)) == (409, "team_in_use")
    assert len((await team_of(boss, team_id))["members"]) == 1
    await give_to(boss, session_id, None)
    assert (await boss.call("DELETE", path)).status_code == 204


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_only_agents_of_the_workspace_are_members(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    boss, stranger = await workspace.agent(Role.OWNER), await elsewhere.agent(Role.OWNER)
    team_id = await new_team(boss)
    for person in (stranger, await workspace.customer()):
        for method in ("PUT", "DELETE"):
            answer = await boss.call(method, f"/v1/teams/{team_id}/members/{person.id}")
            assert code(answer) == (404, "not_found")
    taken = await stranger.call("PUT", f"/v1/teams/{team_id}/members/{stranger.id}")
    assert code(taken) == (404, "not_found")
    assert (await stranger.get("/v1/teams")).json()["data"] == []


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_only_who_manages_teams_changes_them(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    path = f"/v1/teams/{await new_team(boss)}"
    key = await workspace.key(set(P) - {P.TEAMS_MANAGE})
    for other in (await workspace.agent(Role.SUPERVISOR), key):
        member = f"{path}/members/{boss.id}"
        answers = [
            await other.post("/v1/teams", {"name": unique()}),
            await other.call("PATCH", path, json={"name": "Mine"}),
            await other.call("DELETE", path),
            await other.call("PUT", member),
            await other.call("DELETE", member),
        ]
        assert [code(answer) for answer in answers] == [(403, "forbidden")] * 5
    for place in ("/v1/teams", path):
        assert code(await key.get(place)) == (403, "forbidden")
