"""The accounts of agents: who sees, invites, changes and lets in whom."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from chat_service.model import Agent, CustomRole
from chat_service.schema import (
    AgentStatus,
    Availability,
    Permission,
    Role,
    RoleId,
    new_id,
    utc_now,
)
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import audited, code_of, email_of, works
from chat_service.test.builders import Json, Person, Workspace, build_workspace, unique, writing
from chat_service.test.rows import change_row, deactivate
from chat_service.test.snapshot import rows_of


async def custom_role(workspace: Workspace, *permissions: Permission) -> str:
    """A role of the workspace's own."""
    role_id = RoleId(new_id())
    async with writing(workspace.service) as db:
        db.add(
            CustomRole(
                workspace_id=workspace.id,
                id=role_id,
                name=unique(),
                permissions=sorted(permissions),
                created_at=utc_now(),
            )
        )
    return str(role_id)


async def with_role(workspace: Workspace, *permissions: Permission) -> Person:
    """An agent with a role of the workspace's own, signed in."""
    person, role_id = await workspace.agent(), await custom_role(workspace, *permissions)
    await change_row(workspace, Agent, person.id, role=Role.CUSTOM, role_id=UUID(role_id))
    return person


async def invite(who: Person, **fields: Any) -> Any:
    """Ask somebody to invite."""
    email = f"{unique()}@example.org"
    return await who.post(
        "/v1/agents", {"email": email, "display_name": "Nora", "role": "agent", **fields}
    )


async def patch(who: Person, agent: Person | str, **fields: Any) -> Any:
    """Ask somebody to change an agent."""
    agent_id = agent if isinstance(agent, str) else agent.id
    return await who.call("PATCH", f"/v1/agents/{agent_id}", json=fields)


@pytest.mark.asvs("8.2.3")
@pytest.mark.api_top10("API3")
async def test_colleagues_see_each_other_and_managers_see_more(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent(name="Bob")
    common = {
        "object": "agent",
        "id": owner.id,
        "workspace_id": str(workspace.id),
        "email": email_of(owner),
        "display_name": "Bob",
        "role": "owner",
        "role_id": None,
        "status": "active",
    }
    assert (await bob.get(f"/v1/agents/{owner.id}")).json() == {"agent": common}
    assert (await owner.get(f"/v1/agents/{owner.id}")).json() == {
        "agent": common | {"second_factor": False}
    }
    for person, more in ((owner, 2), (bob, 1)):
        listed = (await person.get("/v1/agents")).json()["data"]
        assert [agent["id"] for agent in listed] == [owner.id, bob.id]
        assert len([agent for agent in listed if "second_factor" in agent]) == more


async def test_me_tells_what_one_may(workspace: Workspace) -> None:
    bob = await with_role(workspace, Permission.REPORTS_READ)
    me = (await bob.get("/v1/agents/me")).json()["agent"]
    assert (me["id"], me["role"], me["permissions"]) == (bob.id, "custom", ["reports:read"])
    assert me["role_id"] and me["recovery_codes_left"] == 0


@pytest.mark.asvs("15.3.1")
@pytest.mark.api_top10("API3")
async def test_no_secret_of_an_agent_is_shown(workspace: Workspace) -> None:
    owner = await workspace.agent(Role.OWNER)
    await invited(workspace)
    text = (await owner.get("/v1/agents")).text
    assert not [word for word in ("password", "totp", "secret", "hash", "argon") if word in text]


async def test_an_invitation_makes_an_agent_who_cannot_sign_in_yet(workspace: Workspace) -> None:
    owner = await workspace.agent(Role.OWNER)
    response = await invite(owner, display_name="Nora", role="supervisor")
    told = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"/v1/agents/{told['agent']['id']}"
    assert (told["agent"]["status"], told["agent"]["role"]) == ("invited", "supervisor")
    assert (told["link"]["token"][:3], told["link"]["url"]) == ("il_", None)
    assert told["link"]["token"] not in (await owner.get("/v1/agents")).text
    (entry,) = await audited(workspace, "agent.invited")
    assert (entry.actor_id, entry.target_id) == (owner.id, told["agent"]["id"])
    assert entry.has_token


@pytest.mark.asvs("2.3.4", "15.4.2")
async def test_an_email_is_taken_once_even_at_once(workspace: Workspace) -> None:
    owner, email = await workspace.agent(Role.OWNER), f"{unique()}@example.org"
    emails = [email, email.upper()] * 4
    answers = await asyncio.gather(*(invite(owner, email=each) for each in emails))
    assert Counter(each.status_code for each in answers) == {201: 1, 409: 7}
    assert {each.json()["code"] for each in answers if each.is_error} == {"email_taken"}
    elsewhere = await build_workspace(workspace.service, workspace.client)
    there = await elsewhere.agent(Role.OWNER)
    assert (await invite(there, email=email)).status_code == 201


@pytest.mark.asvs("2.3.2")
async def test_a_workspace_has_a_thousand_agents_at_most(workspace: Workspace) -> None:
    owner = await workspace.agent(Role.OWNER)
    row: Json = {
        "workspace_id": workspace.id,
        "name": "Many",
        "role": Role.AGENT,
        "status": AgentStatus.INVITED,
        "availability": Availability.ONLINE,
        "accepting_chats": True,
        "totp_confirmed": False,
        "recovery_codes": [],
        "created_at": utc_now(),
    }
    rows = [row | {"id": new_id(), "email": f"{number}@example.org"} for number in range(999)]
    async with writing(workspace.service) as db:
        await db.execute(insert(Agent), rows)
    assert code_of(await invite(owner)) == (409, "too_many")


ESCALATIONS: list[Json] = [
    {"role": "owner"},
    {"role": "admin"},
    {"role": "supervisor"},
    {"role": "viewer"},
    {"role": "custom"},
]


@pytest.mark.parametrize("fields", ESCALATIONS)
@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_nobody_gives_what_he_does_not_have(workspace: Workspace, fields: Json) -> None:
    manager = await with_role(workspace, Permission.AGENTS_MANAGE, Permission.SESSIONS_READ_ALL)
    bob = await with_role(workspace, Permission.SESSIONS_READ_ALL)
    if fields["role"] == "custom":
        more = await custom_role(workspace, Permission.SESSIONS_READ_ALL, Permission.AUDIT_READ)
        fields = {**fields, "role_id": more}
    key = await workspace.key({Permission.AGENTS_MANAGE, Permission.SESSIONS_READ_ALL})
    before = await rows_of(workspace)
    for who in (manager, key):
        for refused in (
            await invite(who, **fields),
            await patch(who, bob, **fields),
            await patch(who, manager, **fields),
        ):
            assert code_of(refused) == (403, "forbidden")
    assert await rows_of(workspace) == before


async def test_what_one_has_one_may_give(workspace: Workspace) -> None:
    manager = await with_role(workspace, Permission.AGENTS_MANAGE, Permission.AUDIT_READ)
    less = await custom_role(workspace, Permission.AUDIT_READ)
    given = await invite(manager, role="custom", role_id=less)
    assert (given.status_code, given.json()["agent"]["role_id"]) == (201, less)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AGENT, Role.OWNER])
@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_nobody_takes_over_who_may_do_more(workspace: Workspace, role: Role) -> None:
    """A link, or an account without its second factor, is as good as the account."""
    target = await workspace.agent(role)
    manager = await with_role(workspace, Permission.AGENTS_MANAGE)
    await workspace.agent(Role.OWNER)
    before = await rows_of(workspace)
    path = f"/v1/agents/{target.id}"
    for method, address in (
        ("POST", f"{path}/link"),
        ("POST", f"{path}/deactivate"),
        ("POST", f"{path}/activate"),
        ("DELETE", f"{path}/second-factor"),
        ("DELETE", f"{path}/logins"),
    ):
        assert code_of(await manager.call(method, address)) == (403, "forbidden"), address
    assert code_of(await patch(manager, target, display_name="Mine")) == (403, "forbidden")
    assert await rows_of(workspace) == before


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_only_an_owner_touches_an_owner(workspace: Workspace) -> None:
    owner, other = await workspace.agent(Role.OWNER), await workspace.agent(Role.OWNER)
    admin, key = await workspace.agent(Role.ADMIN), await workspace.key()
    for who in (admin, key):
        for refused in (
            await invite(who, role="owner"),
            await patch(who, admin, role="owner"),
            await patch(who, owner, role="agent"),
            await who.post(f"/v1/agents/{owner.id}/deactivate"),
            await who.post(f"/v1/agents/{owner.id}/link"),
        ):
            assert code_of(refused) == (403, "forbidden")
    assert (await patch(owner, admin, role="owner")).status_code == 200
    assert (await owner.post(f"/v1/agents/{other.id}/deactivate")).status_code == 200


async def test_the_last_owner_stays(workspace: Workspace) -> None:
    owner, gone = await workspace.agent(Role.OWNER), await workspace.agent(Role.OWNER)
    await invited(workspace, Role.OWNER)
    await deactivate(workspace, gone)
    assert code_of(await patch(owner, owner, role="admin")) == (409, "last_owner")
    path = f"/v1/agents/{owner.id}/deactivate"
    assert code_of(await owner.post(path)) == (409, "last_owner")
    assert (await patch(owner, owner, display_name="Olivia")).status_code == 200
    assert await works(owner)


@pytest.mark.asvs("15.4.2")
async def test_owners_who_remove_each_other_at_once_leave_one(workspace: Workspace) -> None:
    owners = [await workspace.agent(Role.OWNER) for _ in range(4)]
    pairs = zip(owners, [*owners[1:], owners[0]], strict=True)
    answers = await asyncio.gather(
        *(
            (
                who.post(f"/v1/agents/{other.id}/deactivate")
                if number % 2
                else patch(who, other, role="agent")
            )
            for number, (who, other) in enumerate(pairs)
        )
    )
    assert {each.status_code for each in answers} <= {200, 401, 409}
    left = [owner for owner in owners if await works(owner)]
    roles = [(await owner.get("/v1/agents/me")).json()["agent"]["role"] for owner in left]
    assert "owner" in roles


@pytest.mark.asvs("8.3.2")
async def test_another_role_signs_an_agent_out_and_a_name_does_not(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    await workspace.agent(Role.OWNER)
    renamed = await patch(admin, bob, display_name="Robert", role="agent")
    assert renamed.json()["agent"]["display_name"] == "Robert"
    assert await works(bob)
    changed = await patch(admin, bob, role="viewer")
    assert changed.json()["agent"]["role"] == "viewer"
    assert not await works(bob)
    assert (await patch(admin, bob, role="viewer")).status_code == 200
    entries = await audited(workspace, "agent.updated")
    assert [entry.fields for entry in entries] == [["display_name"], ["role"]]
    key = await workspace.key()
    events = (await key.get("/v1/events", params={"types": "agent.updated"})).json()["data"]
    assert [event["data"]["changed"] for event in events] == [["display_name"], ["role"]]


WRONG_ROLES: list[tuple[Json, str]] = [
    ({"role": "custom"}, "missing"),
    ({"role": "agent", "role_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"}, "reserved"),
    ({"role": "custom", "role_id": "0199a1c2-7c1e-7d0b-9a55-0d6c2f1b7e10"}, "unknown_role"),
]


@pytest.mark.parametrize(("fields", "code"), WRONG_ROLES)
@pytest.mark.asvs("2.2.3")
async def test_a_role_that_is_none_is_named(workspace: Workspace, fields: Json, code: str) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    for refused in (await invite(owner, **fields), await patch(owner, bob, **fields)):
        assert code_of(refused) == (422, "validation_failed")
        found = [(each["pointer"], each["code"]) for each in refused.json()["errors"]]
        assert found == [("/role_id", code)]


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_a_role_of_another_workspace_is_none(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    foreign = await custom_role(elsewhere, Permission.REPORTS_READ)
    owner = await workspace.agent(Role.OWNER)
    refused = await invite(owner, role="custom", role_id=foreign)
    assert [each["code"] for each in refused.json()["errors"]] == ["unknown_role"]


@pytest.mark.asvs("7.4.2")
async def test_an_activated_agent_signs_in_anew(workspace: Workspace) -> None:
    owner, bob = await workspace.agent(Role.OWNER), await workspace.agent()
    guest = await invited(workspace)
    for agent_id, status in ((bob.id, "active"), (guest.id, "invited")):
        path = f"/v1/agents/{agent_id}"
        for _ in range(2):
            assert (await owner.post(f"{path}/deactivate")).json()["agent"][
                "status"
            ] == "deactivated"
        for _ in range(2):
            assert (await owner.post(f"{path}/activate")).json()["agent"]["status"] == status
    assert not await works(bob)
    acts = ("agent.deactivated", "agent.activated")
    assert [entry.action for entry in await audited(workspace, *acts)] == [*acts, *acts]
