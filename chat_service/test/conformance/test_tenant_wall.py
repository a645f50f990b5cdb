"""The wall between tenants: every statement on their tables names the workspace."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from chat_service.test.addresses import invited
from chat_service.test.agents.lives import CHOSEN, code_at
from chat_service.test.agents.staffing import new_role, new_team
from chat_service.test.builders import PASSWORD, Json, Person, Workspace, message, unique
from chat_service.test.conformance.scene import Scene
from chat_service.test.conformance.sqllog import watching, without_tenant
from chat_service.test.conftest import PLATFORM_TOKEN
from chat_service.test.customers.site import DEVICE, Site, keys_path, site_of
from chat_service.test.sessions.calls import agent_ref


@dataclass(frozen=True)
class Lives:
    """Two more agents: one who is invited, and one who begins a second factor."""

    nora: str
    """Where the invited one is found."""
    link: str
    eve: Person
    login_id: str
    codes: tuple[str, str]
    """Two that follow each other, of the factor that was begun."""


@pytest.fixture
async def lives(workspace: Workspace) -> Lives:
    """They, as they are before the walk."""
    nora, eve = await invited(workspace), await workspace.agent()
    begun = await eve.post("/v1/agents/me/second-factor", {"password": PASSWORD})
    secret, clock = begun.json()["secret"], workspace.service.clock
    codes = (code_at(secret, clock), code_at(secret, clock, 1))
    login_id = str(UUID(eve.token.split("_")[2]))
    return Lives(f"/v1/agents/{nora.id}", nora.link, eve, login_id, codes)


Step = tuple[str, Person, str, str, Any]
"""The route, and who sends what to it."""
LIST = "/v1/sessions?view=all&status=queued,open&assignee_id=none&tag=late&priority=high"

TEAM_LIST = "/v1/sessions?view=team"
TEAM_CHANGES = "/v1/sessions/changes?view=team"


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


@pytest.fixture
async def visitor(workspace: Workspace) -> Person:
    """Somebody with a session, of whom nothing is known."""
    visitor = await workspace.customer()
    await visitor.start()
    return visitor


def arriving(scene: Scene, visitor: Person, site: Site) -> list[Step]:
    """Somebody begins, two show that they are the same person, and what is done to him."""
    customer, bob, boss, key = scene.customer, scene.bob, scene.boss, scene.key
    inbox, person = (
        f"/v1/inboxes/{site.workspace.inbox_key}/customers",
        f"/v1/customers/{visitor.id}",
    )
    keys, me, ada = keys_path(site.workspace), "/v1/customers/me", {"name": "Ada"}
    shown = [{"identity_token": site.token(), "device_id": DEVICE} for _ in range(2)]
    return [
        ("arrivals.create_customer", customer, "POST", inbox, {}),
        ("arrivals.create_customer", key, "POST", inbox, shown[0]),
        ("arrivals.create_customer", visitor, "POST", inbox, shown[1]),
        ("signing.list_inbox_keys", boss, "GET", keys, None),
        ("signing.create_inbox_key", boss, "POST", keys, {"algorithm": "HS256"}),
        ("signing.revoke_inbox_key", boss, "DELETE", f"{keys}/{UUID(site.kid)}", None),
        ("customers.get_own_customer", customer, "GET", me, None),
        ("customers.patch_own_customer", customer, "PATCH", me, ada),
        ("customers.get_customer", bob, "GET", person, None),
        ("customers.patch_customer", bob, "PATCH", person, ada),
        ("customers.block_customer", boss, "POST", f"{person}/block", {}),
        ("customers.unblock_customer", boss, "POST", f"{person}/unblock", {}),
    ]


def life_of(workspace: Workspace, boss: Person, lives: Lives) -> list[Step]:
    """What is asked about the accounts of agents, and by them."""
    nora, eve, factor = lives.nora, lives.eve, "/v1/agents/me/second-factor"
    new = {"email": f"{unique()}@example.org", "display_name": "New", "role": "agent"}
    joining: Json = {"token": lives.link, "password": CHOSEN}
    forgetting = {"email": f"{unique()}@example.org", "workspace": workspace.slug}
    changing = {"old_password": PASSWORD, "password": CHOSEN}
    removing = {"password": CHOSEN, "code": lives.codes[1]}
    return [
        ("accounts.list_agents", boss, "GET", "/v1/agents", None),
        ("accounts.get_own_agent", boss, "GET", "/v1/agents/me", None),
        ("accounts.get_agent", boss, "GET", nora, None),
        ("accounts.invite_agent", boss, "POST", "/v1/agents", new),
        ("links.use_link", eve, "POST", "/v1/auth/links", joining),
        ("accounts.patch_agent", boss, "PATCH", nora, {"role": "viewer"}),
        ("links.ask_for_recovery", eve, "POST", "/v1/auth/recovery", forgetting),
        ("accounts.create_link", boss, "POST", f"{nora}/link", {}),
        ("logins.list_logins", boss, "GET", f"{nora}/logins", None),
        ("logins.end_logins", boss, "DELETE", f"{nora}/logins", None),
        ("second_factor.remove_second_factor_of", boss, "DELETE", f"{nora}/second-factor", None),
        ("leaving.deactivate_agent", boss, "POST", f"{nora}/deactivate", {}),
        ("accounts.activate_agent", boss, "POST", f"{nora}/activate", {}),
        ("second_factor.begin_second_factor", boss, "POST", factor, {"password": PASSWORD}),
        (
            "second_factor.confirm_second_factor",
            eve,
            "POST",
            f"{factor}/confirm",
            {"code": lives.codes[0]},
        ),
        ("logins.change_password", eve, "POST", "/v1/agents/me/password", changing),
        ("second_factor.remove_second_factor", eve, "DELETE", factor, removing),
        ("logins.list_own_logins", eve, "GET", "/v1/agents/me/logins", None),
        ("logins.end_other_logins", eve, "DELETE", "/v1/agents/me/logins", None),
        ("logins.end_own_login", eve, "DELETE", f"/v1/agents/me/logins/{lives.login_id}", None),
    ]


def walk(
    workspace: Workspace, scene: Scene, visitor: Person, site: Site, lives: Lives
) -> list[Step]:
    """Every route once, in an order in which each has something to do."""
    customer, bob, boss, key, path = scene.customer, scene.bob, scene.boss, scene.key, scene.path
    email = bob.details["agent"]["email"]
    signing_in = {"email": email, "password": PASSWORD, "workspace": workspace.slug}
    refreshing = {"refresh_token": customer.details["refresh_token"]}
    starting: Json = {"client_session_id": unique(), "initial_message": message()}
    to_bob = {"assignee": agent_ref(bob)}
    edited = {"content": {"type": "text", "text": "Other words"}}
    team = f"/v1/teams/{scene.team_id}"
    reply = message(reply_to_id=scene.message_id)
    return [
        ("auth.sign_in", bob, "POST", "/v1/auth/sign-in", signing_in),
        *arriving(scene, visitor, site),
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
        *administration(workspace, scene),
        *life_of(workspace, boss, lives),
        ("tickets.create_ticket", bob, "POST", "/v1/realtime/tickets", {}),
        ("auth.sign_out", bob, "POST", "/v1/auth/sign-out", {}),
        ("auth.sign_out", customer, "POST", "/v1/auth/sign-out", {}),
    ]


def administration(workspace: Workspace, scene: Scene) -> list[Step]:
    """What an owner manages; the key of the scene is revoked."""
    boss = scene.boss
    platform = Person(boss.client, PLATFORM_TOKEN, "")
    founding = {"slug": f"w-{unique()}", "name": "Shop", "owner_email": "eve@example.org"}
    founding["owner_name"] = "Eve"
    inbox, key = f"/v1/inboxes/{workspace.inbox.id}", {"name": "Shop", "role": "bot"}
    entries = "/v1/audit-entries?action=inbox.updated&target_type=inbox&after=2020-01-01T00:00:00Z"
    revoked = f"/v1/api-keys/{UUID(scene.key.id)}"
    return [
        ("founding.create_workspace", platform, "POST", "/v1/workspaces", founding),
        ("workspaces.get_workspace", boss, "GET", "/v1/workspace", None),
        ("workspaces.patch_workspace", boss, "PATCH", "/v1/workspace", {"name": "Shop"}),
        ("inboxes.list_inboxes", boss, "GET", "/v1/inboxes", None),
        ("inboxes.create_inbox", boss, "POST", "/v1/inboxes", {"name": "Shop"}),
        ("inboxes.get_inbox", boss, "GET", inbox, None),
        ("inboxes.patch_inbox", boss, "PATCH", inbox, {"reply_claims": True, "name": "Shop"}),
        ("keys.create_api_key", boss, "POST", "/v1/api-keys", key),
        ("keys.list_api_keys", boss, "GET", "/v1/api-keys", None),
        ("keys.revoke_api_key", boss, "DELETE", revoked, None),
        ("workspaces.list_audit_entries", boss, "GET", entries, None),
    ]


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_every_statement_names_the_tenant(
    workspace: Workspace, scene: Scene, visitor: Person, site: Site, lives: Lives
) -> None:
    scene.role_id = await new_role(scene.boss)
    scene.team_id, scene.used_team_id = await new_team(scene.boss), await new_team(scene.boss)
    steps = walk(workspace, scene, visitor, site, lives)
    with watching(workspace.service.database.engine) as sql:
        for _, who, method, path, body in steps:
            response = await who.call(method, path, json=body)
            assert response.status_code < 400, f"{method} {path}: {response.text}"
    assert len(sql.statements) > len(steps)
    assert [each for each in sql.statements if without_tenant(each)] == []


async def test_every_route_is_walked(
    workspace: Workspace, scene: Scene, visitor: Person, site: Site, lives: Lives
) -> None:
    rules = workspace.service.quart.url_map.iter_rules()
    routes = {
        rule.endpoint
        for rule in rules
        if rule.rule.startswith("/v1")
        # A socket is none; sign-in by a provider is off here, and walks in test/agents/test_oidc.py.
        and rule.endpoint != "realtime.realtime" and not rule.endpoint.startswith("oidc.")
    }
    assert {route for route, *_ in walk(workspace, scene, visitor, site, lives)} == routes


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
