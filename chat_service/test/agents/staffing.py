"""Roles and teams made through HTTP, in a word each."""

from collections.abc import Iterable

from chat_service.schema import Permission
from chat_service.test.builders import Json, Person, Workspace, unique


async def new_role(boss: Person, *permissions: Permission, name: str | None = None) -> str:
    """The id of a new role."""
    body = {"name": name or unique(), "permissions": list(permissions)}
    response = await boss.post("/v1/roles", body)
    assert response.status_code == 201, response.text
    role_id: str = response.json()["role"]["role_id"]
    return role_id


async def agent_with(workspace: Workspace, boss: Person, *permissions: Permission) -> Person:
    """An agent who may do just that."""
    return await workspace.agent(role_id=await new_role(boss, *permissions))


async def regrant(boss: Person, role_id: str, *permissions: Permission) -> None:
    """Give a role other permissions."""
    body = {"permissions": list(permissions)}
    response = await boss.call("PATCH", f"/v1/roles/{role_id}", json=body)
    assert response.status_code == 200, response.text


async def new_team(boss: Person, *members: Person) -> str:
    """The id of a new team of these."""
    response = await boss.post("/v1/teams", {"name": unique()})
    assert response.status_code == 201, response.text
    team_id: str = response.json()["team"]["id"]
    await put_in(boss, team_id, members)
    return team_id


async def put_in(boss: Person, team_id: str, members: Iterable[Person]) -> None:
    """Take agents into a team."""
    for member in members:
        response = await boss.call("PUT", f"/v1/teams/{team_id}/members/{member.id}")
        assert response.status_code == 200, response.text


async def take_out(boss: Person, team_id: str, member: Person) -> None:
    """Take an agent out of a team."""
    response = await boss.call("DELETE", f"/v1/teams/{team_id}/members/{member.id}")
    assert response.status_code == 204, response.text


async def give_to(boss: Person, session_id: str, team_id: str | None) -> Json:
    """A session after it was given to a team, or to none."""
    body = {"team_id": team_id}
    response = await boss.call("PATCH", f"/v1/sessions/{session_id}", json=body)
    assert response.status_code == 200, response.text
    session: Json = response.json()["session"]
    return session
