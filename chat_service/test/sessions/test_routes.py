"""Sessions over HTTP: entity tags, conditions, bodies, and the two views."""

from typing import Any

import httpx2
import pytest

from chat_service.schema import Role
from chat_service.test.builders import Person, Workspace
from chat_service.test.sessions.calls import act, agent_ref, refused, show, waiting

CUSTOMER_FIELDS = {
    "object",
    "id",
    "workspace_id",
    "inbox_id",
    "customer_id",
    "previous_session_id",
    "status",
    "channel",
    "subject",
    "assignee",
    "queue",
    "last_seq",
    "message_count",
    "last_message",
    "version",
    "created_at",
    "updated_at",
    "closed_at",
    "last_activity_at",
    "read_states",
}
STAFF_FIELDS = CUSTOMER_FIELDS | {
    "last_public_seq",
    "team_id",
    "priority",
    "tags",
    "custom_attributes",
    "closed_reason",
    "waiting_since",
}


async def patch(
    person: Person, session_id: str, if_match: str | None = None, **fields: Any
) -> httpx2.Response:
    """A change on condition."""
    headers = {} if if_match is None else {"If-Match": if_match}
    return await person.call("PATCH", f"/v1/sessions/{session_id}", json=fields, headers=headers)


async def test_staff_and_customers_have_each_their_own_view(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    assert set(await show(admin, session_id)) == STAFF_FIELDS
    assert set(await show(customer, session_id)) == CUSTOMER_FIELDS


async def test_a_session_shows_its_beginning(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer("Ada")
    session = await show(admin, await waiting(customer, subject="Late order"))
    assert session["object"] == "session"
    assert (session["status"], session["channel"]) == ("queued", "web")
    assert (session["customer_id"], session["inbox_id"]) == (
        customer.id,
        str(workspace.inbox.id),
    )
    assert (session["subject"], session["message_count"]) == ("Late order", 1)
    assert session["waiting_since"] == session["created_at"]
    assert session["queue"] == {"entered_at": session["created_at"]}


async def test_the_last_message_is_cut_between_graphemes(workspace: Workspace) -> None:
    customer = await workspace.customer()
    family = "👨‍👩‍👧"
    session_id = await waiting(customer, text="x" * 198 + family)
    last = (await show(customer, session_id))["last_message"]
    assert (last["text"], last["author_type"]) == ("x" * 198, "customer")


@pytest.mark.conformance(71)
async def test_etag_304_and_if_match_412(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    path = f"/v1/sessions/{session_id}"
    etag = (await admin.get(path)).headers["ETag"]
    unchanged = await admin.get(path, headers={"If-None-Match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    changed = await patch(admin, session_id, etag, subject="New")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    late = await patch(admin, session_id, etag, subject="Newer")
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert late.json()["current"]["subject"] == "New"
    assert late.headers["ETag"] == changed.headers["ETag"]
    assert (await admin.get(path, headers={"If-None-Match": etag})).status_code == 200


async def a_session(workspace: Workspace) -> str:
    """A session of a new customer."""
    return await waiting(await workspace.customer())


async def test_every_change_has_a_new_etag_and_a_repeat_the_same(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    tags = []
    for action in ("claim", "claim", "close", "close", "reopen", "reopen"):
        response = await admin.post(f"/v1/sessions/{session_id}/{action}")
        tags.append(response.headers["ETag"])
    assert tags[0::2] == tags[1::2]
    assert len(set(tags)) == 3


async def test_if_match_takes_lists_and_any(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    etag = (await admin.get(f"/v1/sessions/{session_id}")).headers["ETag"]
    assert (await patch(admin, session_id, f'"other", {etag}', subject="1")).status_code == 200
    assert (await patch(admin, session_id, "*", subject="2")).status_code == 200
    assert (await patch(admin, session_id, '"other"', subject="3")).status_code == 412


async def test_an_assignment_on_condition_needs_the_present_state(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    etag = (await admin.get(f"/v1/sessions/{session_id}")).headers["ETag"]
    await patch(admin, session_id, priority="high")
    body = {"assignee": agent_ref(admin)}
    problem = await refused(admin, session_id, "assign", body, headers={"If-Match": etag})
    assert (problem["status"], problem["code"]) == (412, "precondition_failed")
    assert (problem["current"]["priority"], problem["current"]["assignee"]) == ("high", None)


async def test_a_customers_etag_moves_with_public_events_only(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    path = f"/v1/sessions/{session_id}"
    etag = (await customer.get(path)).headers["ETag"]
    await admin.send(session_id, visibility="internal")
    await patch(admin, session_id, priority="high")
    assert (await customer.get(path, headers={"If-None-Match": etag})).status_code == 304
    await act(admin, session_id, "claim")
    assert (await customer.get(path)).headers["ETag"] != etag


async def test_an_action_answers_with_the_session_and_its_etag(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    response = await admin.post(f"/v1/sessions/{session_id}/claim")
    assert response.json() == {"session": await show(admin, session_id)}
    shown = await admin.get(f"/v1/sessions/{session_id}")
    assert response.headers["ETag"] == shown.headers["ETag"]


async def test_a_move_that_is_refused_says_where_the_session_is(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    await act(admin, session_id, "close")
    problem = await refused(admin, session_id, "claim")
    assert problem["type"] == "/problems/invalid_move"
    assert problem["instance"] == f"/v1/sessions/{session_id}/claim"
    assert (problem["status"], problem["retryable"]) == (409, False)
    assert problem["session_status"] == "closed"


async def test_actions_need_no_body_and_take_no_unknown_field(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    path = f"/v1/sessions/{session_id}"
    for action in ("claim", "close", "reopen"):
        response = await admin.post(f"{path}/{action}", {"force": True})
        assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
        assert (await admin.call("POST", f"{path}/{action}")).status_code == 200


async def test_an_assignee_must_be_named_as_an_agent(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    key = await workspace.key()
    for wrong in ({}, {"assignee": admin.id}, {"assignee": {"type": "bot", "id": key.id}}):
        assert (await refused(admin, session_id, "assign", wrong))["status"] == 422


async def test_unknown_query_parameter_is_400(workspace: Workspace) -> None:
    admin, session_id = await workspace.agent(Role.ADMIN), await a_session(workspace)
    for path in (f"/v1/sessions/{session_id}", f"/v1/sessions/{session_id}/events"):
        response = await admin.get(path, params={"verbose": "1"})
        assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
    response = await admin.post(f"/v1/sessions/{session_id}/close?force=1")
    assert (response.status_code, response.json()["code"]) == (400, "unknown_parameter")
    assert (await show(admin, session_id))["status"] == "queued"


async def test_an_id_that_is_none_is_404(workspace: Workspace) -> None:
    admin = await workspace.agent(Role.ADMIN)
    for name in ("1", "GENERAL", "0199a1c2", "%00", "..%2Fagents"):
        assert (await admin.get(f"/v1/sessions/{name}")).status_code == 404
