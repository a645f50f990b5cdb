"""The log of a whole workspace, for integrators: every event, once, in order, in one envelope."""

from typing import get_args

import pytest

from chat_service.events.schema import AnyEvent
from chat_service.schema import Permission, Role, Status
from chat_service.test.agents.staffing import new_role, new_team
from chat_service.test.builders import Json, Person, Workspace, build_workspace
from chat_service.test.customers.site import identified, site_of
from chat_service.test.rows import put_to_rest
from chat_service.test.sessions.calls import act, agent_ref, waiting
from chat_service.test.views.calls import of_session, page, refusal, walk

FIELDS = {
    "id",
    "type",
    "timestamp",
    "workspace_id",
    "session_id",
    "stream",
    "seq",
    "public_seq",
    "cursor",
    "actor",
    "data",
    "session",
    "schema",
}
# What `data` holds, beside `changes` where something changed.
DATA = {
    "session.created": {"session"},
    "session.updated": {"session", "changed", "changes"},
    "session.assigned": {"session", "changes"},
    "session.closed": {"session", "reason", "changes"},
    "session.reopened": {"session", "changes"},
    "session.requeued": {"session", "changes"},
    "participant.joined": {"participant"},
    "message.created": {"message"},
    "message.updated": {"message", "changed"},
    "message.deleted": {"message"},
    "agent.created": {"agent_id"},
    "customer.updated": {"customer_id", "changed"},
    "customer.merged": {"customer_id", "into"},
    "customer.blocked": {"customer_id"},
    "customer.unblocked": {"customer_id"},
    "agent.updated": {"agent_id", "changed"},
    "agent.deactivated": {"agent_id"},
    "role.updated": {"role_id", "changed"},
    "team.updated": {"team_id", "agent_ids"},
    "inbox.updated": {"inbox_id"},
    "token.revoked": {"token_id"},
}
OF_THE_WORKSPACE = {
    "session.created",
    "agent.created",
    "customer.updated",
    "customer.merged",
    "customer.blocked",
    "customer.unblocked",
    "agent.updated",
    "agent.deactivated",
    "role.updated",
    "team.updated",
    "inbox.updated",
    "token.revoked",
}
SESSION_FACTS = set(DATA) - OF_THE_WORKSPACE


@pytest.fixture
async def key(workspace: Workspace) -> Person:
    """A program that reads the log."""
    return await workspace.key()


async def everything_happens(workspace: Workspace) -> str:
    """A session in which each type of event occurs; its id."""
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    path = f"/v1/sessions/{session_id}"
    mine = f"{path}/messages/{(await customer.messages(session_id))[0]['id']}"
    words = {"content": {"type": "text", "text": "Changed"}}
    await customer.call("PATCH", mine, json=words)
    await customer.call("DELETE", mine)
    await put_to_rest(workspace, session_id, Status.PENDING)
    await customer.send(session_id)
    await act(admin, session_id, "claim")
    await admin.call("PATCH", path, json={"priority": "high", "tags": ["vip"]})
    await act(admin, session_id, "close")
    await act(admin, session_id, "reopen")
    await customers_come_and_go(workspace, admin)
    bob = await workspace.agent()
    await admin.call("PATCH", f"/v1/agents/{bob.id}", json={"display_name": "Robert"})
    await admin.post(f"/v1/agents/{bob.id}/deactivate")
    await new_role(admin)
    await new_team(admin)
    await admin.post("/v1/auth/sign-out")
    return session_id


async def customers_come_and_go(workspace: Workspace, admin: Person) -> None:
    """A visitor turns out to be somebody known, who is blocked for a while."""
    site = await site_of(workspace)
    known = await identified(site)
    await identified(site, by=await workspace.customer())
    for move in ("block", "unblock"):
        await admin.post(f"/v1/customers/{known.id}/{move}")


async def test_every_type_of_event_occurs_and_says_what_it_must(
    workspace: Workspace, key: Person
) -> None:
    await everything_happens(workspace)
    events = await walk(key, "/v1/events")
    assert {event["type"]: set(event["data"]) for event in events} == DATA
    assert set(DATA) == {kind.model_fields["type"].default for kind in get_args(AnyEvent)}


@pytest.mark.parametrize("types", ["session.exploded", "message.created,", "", "Message.Created"])
async def test_a_type_that_does_not_exist_is_refused(key: Person, types: str) -> None:
    """To leave it out in silence would look like a workspace where it never happens."""
    response = await key.get("/v1/events", params={"types": types})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameter")
    assert response.json()["errors"][0]["pointer"] == "types"


async def test_every_event_has_the_one_envelope(workspace: Workspace, key: Person) -> None:
    session_id = await everything_happens(workspace)
    for event in await walk(key, "/v1/events"):
        assert set(event) == FIELDS
        assert (event["schema"], event["workspace_id"]) == (1, str(workspace.id))
        assert event["cursor"].startswith("c1.w.")
        assert event["cursor"].endswith(event["id"].replace("-", "")[-8:])
        assert set(event["actor"]) == {"type", "id"}
        in_session = event["type"] in SESSION_FACTS
        assert event["stream"] == (f"session:{session_id}" if in_session else "workspace")
        assert (event["seq"] is not None) == in_session
        assert (event["session"] is not None) == (event["session_id"] is not None)


async def test_a_sessions_events_are_the_same_in_both_logs(
    workspace: Workspace, key: Person
) -> None:
    path = of_session(await everything_happens(workspace))
    alone = await walk(key, path)
    within = [event for event in await walk(key, "/v1/events") if event["seq"] is not None]
    assert [without_cursor(event) for event in alone] == [without_cursor(each) for each in within]
    assert [event["seq"] for event in alone] == list(range(1, len(alone) + 1))


def without_cursor(event: Json) -> Json:
    """An event but for its place in the log it was read from."""
    return {name: value for name, value in event.items() if name != "cursor"}


async def test_a_customers_envelope_has_no_number_of_staff(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    event = (await customer.events(session_id))[0]
    assert set(event) == FIELDS - {"public_seq"}
    assert event["stream"] == f"session:{session_id}"
    assert event["cursor"].startswith("c1.p.1.")
    assert event["actor"] == {"type": "customer", "id": customer.id}


async def test_internal_events_have_no_public_number(workspace: Workspace, key: Person) -> None:
    await everything_happens(workspace)
    events = await walk(key, "/v1/events")
    numbered = [event["public_seq"] for event in events if event["public_seq"] is not None]
    assert numbered == list(range(1, len(numbered) + 1))
    hidden = [event["type"] for event in events if event["seq"] and event["public_seq"] is None]
    assert hidden == ["session.updated"]


async def test_a_session_is_created_before_anything_happens_in_it(
    workspace: Workspace, key: Person
) -> None:
    session_id = await waiting(await workspace.customer())
    events = [event for event in await walk(key, "/v1/events") if event["session_id"]]
    assert [event["type"] for event in events] == ["session.created", "message.created"]
    assert events[0]["data"]["session"]["id"] == session_id


@pytest.mark.parametrize("limit", [1, 3, 500])
async def test_pages_of_any_size_hold_the_whole_log_once(
    workspace: Workspace, key: Person, limit: int
) -> None:
    await everything_happens(workspace)
    events = await walk(key, "/v1/events", limit=limit)
    positions = [int(event["cursor"].split(".")[2]) for event in events]
    assert positions == list(range(1, len(events) + 1))


@pytest.mark.parametrize("limit", [1, 4, 500])
async def test_types_filter_and_the_cursor_moves_all_the_same(
    workspace: Workspace, key: Person, limit: int
) -> None:
    await everything_happens(workspace)
    wanted = "session.closed,message.deleted"
    events = await walk(key, "/v1/events", types=wanted, limit=limit)
    assert [event["type"] for event in events] == ["message.deleted", "session.closed"]
    end = (await page(key, "/v1/events", types=wanted))["next_cursor"]
    assert end == (await walk(key, "/v1/events"))[-1]["cursor"]
    assert (await page(key, "/v1/events", after=end))["data"] == []


async def test_a_page_without_a_wanted_type_is_empty_and_leads_on(
    workspace: Workspace, key: Person
) -> None:
    await everything_happens(workspace)
    found = await page(key, "/v1/events", types="token.revoked", limit=2)
    assert (found["data"], found["has_more"]) == ([], True)
    assert found["next_cursor"].startswith("c1.w.2.")


async def test_a_log_in_which_nothing_more_happened_keeps_its_cursor(
    workspace: Workspace, key: Person
) -> None:
    end = (await page(key, "/v1/events"))["next_cursor"]
    assert (await page(key, "/v1/events", after=end))["next_cursor"] == end
    await waiting(await workspace.customer())
    found = await page(key, "/v1/events", after=end)
    assert [event["type"] for event in found["data"]] == ["session.created", "message.created"]


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
async def test_the_log_is_the_workspaces_own(workspace: Workspace, key: Person) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    await everything_happens(elsewhere)
    assert [event["type"] for event in await walk(key, "/v1/events")] == ["inbox.updated"]
    stranger = await elsewhere.key()
    cursor = (await page(stranger, "/v1/events"))["next_cursor"]
    assert await refusal(key, "/v1/events", after=cursor) == (409, "cursor_ahead")
    first = (await page(stranger, "/v1/events", limit=1))["next_cursor"]
    assert await refusal(key, "/v1/events", after=first) == (409, "cursor_mismatch")


@pytest.mark.asvs("8.2.1")
@pytest.mark.api_top10("API5")
async def test_only_a_key_that_may_read_all_reads_the_log(workspace: Workspace) -> None:
    narrow = await workspace.key(set(Permission) - {Permission.SESSIONS_READ_ALL})
    people = [narrow, await workspace.agent(Role.OWNER), await workspace.customer()]
    for person in people:
        assert await refusal(person, "/v1/events") == (403, "forbidden")
    assert (await workspace.client.get("/v1/events")).status_code == 401


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"after": "c1.s.1.0123abcd"}, "cursor_invalid"),
        ({"after": "c1.p.0"}, "cursor_invalid"),
        ({"after": "1"}, "cursor_invalid"),
        ({"after_seq": 1}, "unknown_parameter"),
        ({"types": "x" * 1025}, "invalid_parameter"),
        ({"limit": -1}, "invalid_parameter"),
    ],
)
async def test_refuses_cursors_and_parameters_of_something_else(
    key: Person, params: dict[str, str], code: str
) -> None:
    assert await refusal(key, "/v1/events", **params) == (400, code)


async def test_the_actor_is_who_did_it(workspace: Workspace, key: Person) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    await act(key, session_id, "close")
    events = {event["type"]: event["actor"] for event in await walk(key, "/v1/events")}
    assert events["session.created"] == {"type": "customer", "id": customer.id}
    assert events["session.assigned"] == agent_ref(bob)
    assert events["session.closed"]["type"] == "bot"
    assert events["agent.created"] == {"type": "system", "id": None}
