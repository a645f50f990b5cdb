"""Roles: the built-in ones, and a workspace's own, by which nobody gives what he does not have."""

from typing import Any

import httpx2
import pytest
from sqlalchemy import insert

from chat_service.model import CustomRole, Team, table_of
from chat_service.schema import ROLE_PERMISSIONS, Permission, Role, new_id, utc_now
from chat_service.test.agents.staffing import agent_with, new_role, regrant
from chat_service.test.agents.trail import audited, told
from chat_service.test.builders import Json, Person, Workspace, build_workspace, unique, writing
from chat_service.workspaces.bounds import AT_MOST

P = Permission


async def roles_of(person: Person) -> list[Json]:
    """All roles, as somebody sees them."""
    response = await person.get("/v1/roles")
    assert response.status_code == 200, response.text
    data: list[Json] = response.json()["data"]
    return data


async def patched(person: Person, role_id: str, **fields: Any) -> httpx2.Response:
    """The answer to a change."""
    return await person.call("PATCH", f"/v1/roles/{role_id}", json=fields)


async def removed(person: Person, role_id: str) -> httpx2.Response:
    """The answer to a removal."""
    return await person.call("DELETE", f"/v1/roles/{role_id}")


def code(response: httpx2.Response) -> tuple[int, str]:
    """How something was refused."""
    return response.status_code, response.json()["code"]


async def test_any_agent_knows_the_built_in_roles_and_the_workspaces_own(
    workspace: Workspace,
) -> None:
    boss, viewer = await workspace.agent(Role.ADMIN), await workspace.agent(Role.VIEWER)
    role_id = await new_role(boss, P.MESSAGES_WRITE, P.SESSIONS_READ_TEAM, name="Night shift")
    *built_in, own = await roles_of(viewer)
    assert {one["role"]: set(one["permissions"]) for one in built_in} == ROLE_PERMISSIONS
    assert {one["role_id"] for one in built_in} == {None}
    assert own == {
        "object": "role",
        "role": "custom",
        "role_id": role_id,
        "name": "Night shift",
        "permissions": ["sessions:read_team", "messages:write"],
    }


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_role_of_another_workspace_does_not_exist(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    boss, stranger = await workspace.agent(Role.OWNER), await elsewhere.agent(Role.OWNER)
    role_id = await new_role(boss)
    assert len(await roles_of(stranger)) == len(ROLE_PERMISSIONS)
    assert code(await patched(stranger, role_id, name="Mine")) == (404, "not_found")
    assert code(await removed(stranger, role_id)) == (404, "not_found")


@pytest.mark.asvs("8.2.1", "8.3.1", "8.3.2")
@pytest.mark.api_top10("API5")
async def test_an_agent_may_do_what_his_role_says_and_nothing_else(workspace: Workspace) -> None:
    boss, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    path = f"/v1/sessions/{session_id}"
    role_id = await new_role(boss, P.SESSIONS_READ_UNASSIGNED)
    bob = await workspace.agent(role_id=role_id)
    assert (await bob.get(path)).status_code == 200
    assert code(await bob.send(session_id)) == (403, "forbidden")
    await regrant(boss, role_id, P.SESSIONS_READ_UNASSIGNED, P.MESSAGES_WRITE)
    assert (await bob.send(session_id)).status_code == 201
    await regrant(boss, role_id, P.MESSAGES_WRITE)
    assert (await bob.get(path)).status_code == 404


@pytest.mark.asvs("16.2.1")
async def test_each_change_is_told_and_audited_and_no_change_is_not(workspace: Workspace) -> None:
    boss, key = await workspace.agent(Role.ADMIN), await workspace.key()
    role_id = await new_role(boss, P.MESSAGES_WRITE, name="One")
    await patched(boss, role_id, permissions=["messages:write", "messages:write"], name="One")
    await patched(boss, role_id, name=None, permissions=None)
    await patched(boss, role_id, name="Two", permissions=["sessions:write"])
    assert (await removed(boss, role_id)).status_code == 204
    assert code(await removed(boss, role_id)) == (404, "not_found")
    assert await told(key, "role.updated") == [
        {"role_id": role_id, "changed": ["name", "permissions"]},
        {"role_id": role_id, "changed": ["name", "permissions"]},
        {"role_id": role_id, "changed": []},
    ]
    assert await audited(workspace, "role.") == [
        ("role.created", boss.id, role_id, ["name", "permissions"]),
        ("role.updated", boss.id, role_id, ["name", "permissions"]),
        ("role.deleted", boss.id, role_id, []),
    ]


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_nobody_gives_or_takes_what_he_does_not_have(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    mate = await agent_with(workspace, boss, P.ROLES_MANAGE, P.MESSAGES_WRITE)
    strong, weak = await new_role(boss, P.AUDIT_READ), await new_role(boss, P.MESSAGES_WRITE)
    before = await roles_of(boss)
    stolen = [P.MESSAGES_WRITE, P.AUDIT_READ]
    answers = [
        await mate.post("/v1/roles", {"name": unique(), "permissions": stolen}),
        await patched(mate, weak, permissions=stolen),
        await patched(mate, strong, permissions=[P.MESSAGES_WRITE]),
        await patched(mate, strong, name="Harmless"),
        await removed(mate, strong),
    ]
    assert [code(answer) for answer in answers] == [(403, "forbidden")] * len(answers)
    assert all("audit:read" in answer.json()["detail"] for answer in answers)
    assert await roles_of(boss) == before
    await new_role(mate, P.MESSAGES_WRITE, P.ROLES_MANAGE)
    assert (await patched(mate, weak, permissions=[])).status_code == 200
    assert (await removed(mate, weak)).status_code == 204


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_nobody_widens_his_own_role(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    role_id = await new_role(boss, P.ROLES_MANAGE)
    mate = await workspace.agent(role_id=role_id)
    assert code(await patched(mate, role_id, permissions=list(P))) == (403, "forbidden")


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_only_who_manages_roles_changes_them(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    role_id = await new_role(boss)
    others = [
        await workspace.agent(Role.SUPERVISOR),
        await workspace.key(set(P) - {P.ROLES_MANAGE}),
        await agent_with(workspace, boss, *(set(P) - {P.ROLES_MANAGE})),
    ]
    for other in others:
        made = await other.post("/v1/roles", {"name": unique(), "permissions": []})
        answers = [made, await patched(other, role_id, name="Mine"), await removed(other, role_id)]
        assert [code(answer) for answer in answers] == [(403, "forbidden")] * 3
    assert code(await others[1].get("/v1/roles")) == (403, "forbidden")


@pytest.mark.parametrize("name", ["owner", "Admin", " AGENT ", "custom"])
async def test_no_role_is_called_like_a_built_in_one(workspace: Workspace, name: str) -> None:
    boss = await workspace.agent(Role.OWNER)
    made = await boss.post("/v1/roles", {"name": name, "permissions": []})
    renamed = await patched(boss, await new_role(boss), name=name)
    assert [code(made), code(renamed)] == [(409, "name_taken")] * 2


async def test_a_name_is_taken_once(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    await new_role(boss, name="Night shift")
    made = await boss.post("/v1/roles", {"name": "Night shift", "permissions": []})
    renamed = await patched(boss, await new_role(boss), name="Night shift")
    assert [code(made), code(renamed)] == [(409, "name_taken")] * 2


async def test_a_role_that_an_agent_has_stays(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    role_id = await new_role(boss)
    await workspace.agent(role_id=role_id)
    assert code(await removed(boss, role_id)) == (409, "role_in_use")
    assert role_id in {one["role_id"] for one in await roles_of(boss)}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"permissions": ["everything"]}, "/permissions/0"),
        ({"permissions": "messages:write"}, "/permissions"),
        ({"permissions": None}, "/permissions"),
        ({"permissions": ["messages:write"] * 101}, "/permissions"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 129}, "/name"),
    ],
)
@pytest.mark.asvs("2.2.1")
async def test_what_is_no_role_is_refused(workspace: Workspace, fields: Json, pointer: str) -> None:
    boss = await workspace.agent(Role.OWNER)
    response = await boss.post("/v1/roles", {"name": "One", "permissions": [], **fields})
    assert code(response) == (422, "validation_failed")
    assert [item["pointer"] for item in response.json()["errors"]] == [pointer]


@pytest.mark.asvs("2.3.2")
async def test_there_are_at_most_1_000_roles_and_teams(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    now = utc_now()
    async with writing(workspace.service) as db:
        for entity, rest in ((CustomRole, {"permissions": []}), (Team, {})):
            rows = [
                {
                    "workspace_id": workspace.id,
                    "id": new_id(),
                    "name": f"{number}",
                    "created_at": now,
                }
                | rest
                for number in range(AT_MOST)
            ]
            await db.execute(insert(table_of(entity)), rows)
    made = [
        await boss.post("/v1/roles", {"name": unique(), "permissions": []}),
        await boss.post("/v1/teams", {"name": unique()}),
    ]
    assert [code(answer) for answer in made] == [(409, "too_many")] * 2
    assert len(await roles_of(boss)) == AT_MOST + len(ROLE_PERMISSIONS)
