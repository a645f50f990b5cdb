"""Nobody gives what he has not, or has not any more, and nobody takes over whom he was given for less."""

from collections.abc import Awaitable, Callable
from typing import Final

import httpx2
import pytest

from chat_service.schema import Permission, Role
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import code_of, join
from chat_service.test.agents.staffing import agent_with, new_role, regrant
from chat_service.test.builders import Json, Person, Workspace, unique
from chat_service.test.customers.site import keys_path
from chat_service.test.fakes import TurningClock
from chat_service.test.snapshot import rows_of
from chat_service.test.test_auth import another_process, at

pytestmark = pytest.mark.api_top10("API5")
LEAD: Final = (Permission.AGENTS_MANAGE, Permission.SESSIONS_READ_ASSIGNED)


async def link_of(manager: Person, role: Role, **rest: str) -> tuple[str, str]:
    """Somebody who is invited: his id and his link."""
    body: Json = {"email": f"{unique()}@example.org", "display_name": "Eve", "role": role, **rest}
    response = await manager.post("/v1/agents", body)
    assert response.status_code == 201, response.text
    return response.json()["agent"]["id"], response.json()["link"]["token"]


@pytest.mark.asvs("8.2.1")
async def test_a_link_ends_with_the_role_it_was_given_for(workspace: Workspace) -> None:
    """Else whoever was shown it would come in as more than he could invite."""
    boss = await workspace.agent(Role.OWNER)
    lead = await agent_with(workspace, boss, *LEAD)
    role_id = await new_role(boss, Permission.SESSIONS_READ_ASSIGNED)
    guest, link = await link_of(lead, Role.CUSTOM, role_id=role_id)
    raised = await boss.call("PATCH", f"/v1/agents/{guest}", json={"role": "admin"})
    assert raised.status_code == 200
    assert code_of(await join(workspace, link)) == (400, "invalid_grant")
    anew = (await boss.post(f"/v1/agents/{guest}/link")).json()["link"]["token"]
    assert (await join(workspace, anew)).json()["agent"]["role"] == "admin"


@pytest.mark.asvs("8.2.1")
async def test_a_link_ends_when_its_role_grows(workspace: Workspace) -> None:
    boss = await workspace.agent(Role.OWNER)
    lead = await agent_with(workspace, boss, *LEAD)
    role_id = await new_role(boss, Permission.SESSIONS_READ_ASSIGNED)
    _, link = await link_of(lead, Role.CUSTOM, role_id=role_id)
    await regrant(boss, role_id, Permission.SESSIONS_READ_ASSIGNED, Permission.ROLES_MANAGE)
    assert code_of(await join(workspace, link)) == (400, "invalid_grant")
    _, other = await link_of(boss, Role.CUSTOM, role_id=role_id)
    await regrant(boss, role_id, Permission.SESSIONS_READ_ASSIGNED)
    assert (await join(workspace, other)).status_code == 200


@pytest.mark.asvs("6.4.3", "7.5.1")
async def test_a_login_alone_changes_nothing_one_signs_in_with(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.OWNER)
    before = await rows_of(workspace)
    for method, path in (("POST", "link"), ("DELETE", "second-factor")):
        response = await admin.call(method, f"/v1/agents/{admin.id}/{path}")
        assert code_of(response) == (403, "forbidden")
    assert await rows_of(workspace) == before


Act = Callable[[Workspace, Person, str], Awaitable[httpx2.Response]]
ACTS: Final[dict[str, Act]] = {
    "a key": lambda _, who, guest: who.post("/v1/api-keys", {"name": "Door", "role": "bot"}),
    "an invitation": lambda _, who, guest: who.post(
        "/v1/agents",
        {"email": f"{unique()}@example.org", "display_name": "Eve", "role": "viewer"},
    ),
    "a link": lambda _, who, guest: who.post(f"/v1/agents/{guest}/link"),
    "a role": lambda _, who, guest: who.call(
        "PATCH", f"/v1/agents/{guest}", json={"role": "supervisor"}
    ),
    "a new role": lambda _, who, guest: who.post(
        "/v1/roles", {"name": unique(), "permissions": ["sessions:read_all"]}
    ),
    "a key of an inbox": lambda here, who, guest: who.post(keys_path(here), {"algorithm": "HS256"}),
}
"""What outlives the login of who gives it."""


async def demote(boss: Person, admin: Person) -> httpx2.Response:
    """Take the rights away, and with them the login."""
    return await boss.call("PATCH", f"/v1/agents/{admin.id}", json={"role": "viewer"})


ENDS: Final[dict[str, Callable[[Person, Person], Awaitable[httpx2.Response]]]] = {
    "deactivated": lambda boss, admin: boss.post(f"/v1/agents/{admin.id}/deactivate"),
    "of another role": demote,
    "signed out": lambda boss, admin: admin.post("/v1/auth/sign-out"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.asvs("7.4.2", "8.3.2", "15.4.2")
async def test_who_is_remembered_gives_nothing_that_lasts(
    workspace: Workspace, turning_clock: TurningClock, end: str
) -> None:
    """A process remembers a token for a moment; in it a login would become a key or a colleague."""
    boss, admin = await workspace.agent(Role.OWNER), await workspace.agent(Role.ADMIN)
    guest = (await invited(workspace, Role.VIEWER)).id
    async with another_process(workspace.service, turning_clock, recheck_seconds=600) as (_, there):
        remembered = at(there, admin)
        assert (await remembered.get("/v1/agents/me")).status_code == 200
        assert (await ENDS[end](boss, admin)).status_code < 300
        before = await rows_of(workspace)
        for name, act in ACTS.items():
            assert code_of(await act(workspace, remembered, guest)) == (
                401,
                "unauthenticated",
            ), name
        assert await rows_of(workspace) == before
    for name, act in ACTS.items():
        assert (await act(workspace, boss, guest)).status_code < 300, name
