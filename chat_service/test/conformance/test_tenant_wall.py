"""The wall between tenants: every statement on their tables names the workspace."""

from typing import Any

import pytest

from chat_service.test.agents.staffing import new_role, new_team
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, message, unique
from chat_service.test.conformance.scene import Scene
from chat_service.test.conformance.sqllog import watching, without_tenant
from chat_service.test.sessions.calls import agent_ref

Step = tuple[str, Person, str, str, Any]
"""The route, and who sends what to it."""
LIST = "/v1/sessions?view=all&status=queued,open&assignee_id=none&tag=late&priority=high"

TEAM_LIST = "/v1/sessions?view=team"
TEAM_CHANGES = "/v1/sessions/changes?view=team"


def walk(workspace: Workspace, scene: Scene) -> list[Step]:
    """Every route once, in an order in which each has something to do."""
    customer, bob, boss, key, path = scene.customer, scene.bob, scene.boss, scene.key, scene.path
    email = bob.details["agent"]["email"]
    signing_in = {"email": email, "password": PASSWORD, "workspace": workspace.slug}
    refreshing = {"refresh_token": customer.details["refresh_token"]}
    starting: Json = {"client_session_id": unique(), "initial_message": message()}
    to_bob = {"assignee": agent_ref(bob)}
    edited = {"content": {"type": "text", "text": "Other words"}}
    inbox = f"/v1/inboxes/{workspace.inbox_key}/customers"
    team = f"/v1/teams/{scene.team_id}"
    reply = message(reply_to_id=scene.message_id)
    return [
        ("auth.sign_in", bob, "POST", "/v1/auth/sign-in", signing_in),
        ("customers.create_customer", customer, "POST", inbox, {}),
        ("customers.refresh_token", customer, "POST", "/v1/auth/token", refreshing),
        ("intake.start_session", customer, "POST", "/v1/sessions", starting),
        ("intake.start_session", customer, "POST", "/v1/sessions", starting),
        ("sessions.list_sessions", boss, "GET", LIST, None),
        ("sessions.list_sessions", bob, "GET", "/v1/sessions?view=mine", None),
        ("sessions.list_sessions", customer, "GET", "/v1/sessions", None),
        ("realtime.list_session_changes", bob, "GET", "/v1/sessions/changes?view=mine", None),
        ("realtime.list_session_changes", key, "GET", "/v1/sessions/changes", None),
        ("sessions.get_session", customer, "GET", path, None),
        ("sessions.patch_session", boss, "PATCH", path, {"tags": ["late"]}),
        ("sessions.claim_session", bob, "POST", f"{path}/claim", {}),
        ("sessions.assign_session", boss, "POST", f"{path}/assign", to_bob),
        ("messages.send_message", bob, "POST", f"{path}/messages", reply),
        ("messages.send_message", key, "POST", f"{path}/messages", message(visibility="internal")),
        ("messages.list_messages", customer, "GET", f"{path}/messages?around_seq=2", None),
        ("messages.get_message", customer, "GET", scene.words, None),
        ("messages.edit_message", customer, "PATCH", scene.words, edited),
        ("sessions.close_session", bob, "POST", f"{path}/close", {}),
        ("sessions.reopen_session", bob, "POST", f"{path}/reopen", {}),
        ("sessions.close_session", customer, "POST", f"{path}/close", {}),
        ("messages.send_message", customer, "POST", f"{path}/messages", message()),
        ("messages.delete_message", boss, "DELETE", scene.words, None),
        ("realtime.list_session_events", key, "GET", f"{path}/events", None),
        ("realtime.list_session_events", customer, "GET", f"{path}/events?wait=0.01", None),
        ("sessions.put_read_state", customer, "PUT", f"{path}/read-state", {"read_seq": 1}),
        ("realtime.set_typing", customer, "POST", f"{path}/typing", {"is_typing": True}),
        ("agents.get_availability", bob, "GET", "/v1/agents/me/availability", None),
        (
            "agents.patch_availability",
            bob,
            "PATCH",
            "/v1/agents/me/availability",
            {"availability": "away"},
        ),
        ("roles.list_roles", bob, "GET", "/v1/roles", None),
        ("roles.create_role", boss, "POST", "/v1/roles", {"name": unique(), "permissions": []}),
        ("roles.patch_role", boss, "PATCH", f"/v1/roles/{scene.role_id}", {"name": unique()}),
        ("roles.delete_role", boss, "DELETE", f"/v1/roles/{scene.role_id}", None),
        ("teams.list_teams", bob, "GET", "/v1/teams", None),
        ("teams.create_team", boss, "POST", "/v1/teams", {"name": unique()}),
        ("teams.put_member", boss, "PUT", f"{team}/members/{boss.id}", {}),
        ("teams.get_team", boss, "GET", team, None),
        ("sessions.patch_session", boss, "PATCH", path, {"team_id": scene.used_team_id}),
        ("sessions.list_sessions", boss, "GET", f"{TEAM_LIST}&team_id={scene.used_team_id}", None),
        ("realtime.list_session_changes", boss, "GET", TEAM_CHANGES, None),
        ("teams.patch_team", boss, "PATCH", team, {"name": unique()}),
        ("teams.delete_member", boss, "DELETE", f"{team}/members/{boss.id}", None),
        ("teams.delete_team", boss, "DELETE", team, None),
        ("events.list_events", key, "GET", "/v1/events", None),
        ("tickets.create_ticket", bob, "POST", "/v1/realtime/tickets", {}),
        ("auth.sign_out", bob, "POST", "/v1/auth/sign-out", {}),
        ("auth.sign_out", customer, "POST", "/v1/auth/sign-out", {}),
    ]


async def test_every_statement_names_the_tenant(workspace: Workspace, scene: Scene) -> None:
    scene.role_id = await new_role(scene.boss)
    scene.team_id, scene.used_team_id = await new_team(scene.boss), await new_team(scene.boss)
    steps = walk(workspace, scene)
    with watching(workspace.service.database.engine) as sql:
        for _, who, method, path, body in steps:
            response = await who.call(method, path, json=body)
            assert response.status_code < 400, f"{method} {path}: {response.text}"
    assert len(sql.statements) > len(steps)
    assert [each for each in sql.statements if without_tenant(each)] == []


async def test_every_route_is_walked(workspace: Workspace, scene: Scene) -> None:
    rules = workspace.service.quart.url_map.iter_rules()
    routes = {rule.endpoint for rule in rules if rule.rule.startswith("/v1")} - {
        "realtime.realtime"
    }
    assert {route for route, *_ in walk(workspace, scene)} == routes


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT agents.id FROM agents WHERE agents.id = ?",
        "SELECT a.id FROM agents AS a WHERE a.id = ? AND b.workspace_id = ?",
        "SELECT agents.id FROM agents JOIN tokens ON tokens.id = agents.id"
        " WHERE agents.workspace_id = ?",
        "SELECT agents.id FROM agents JOIN tokens ON tokens.workspace_id = agents.workspace_id",
        "SELECT agents.id FROM tokens, agents WHERE tokens.workspace_id = ?",
        "UPDATE feed_head SET pos=? WHERE feed_head.pos = ?",
        "DELETE FROM participants WHERE participants.id = ?",
        "INSERT INTO chat_events (pos, seq) VALUES (?, ?)",
    ],
)
def test_a_statement_without_tenant_is_found(sql: str) -> None:
    assert without_tenant(sql)
