"""How a session ends and begins again, and what the log says of it."""

import pytest

from chat_service.schema import Permission, Role, Status
from chat_service.test.builders import Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import deactivate, put_to_rest, set_inbox
from chat_service.test.sessions.calls import (
    act,
    agent_ref,
    newest_event,
    refused,
    show,
    types,
    waiting,
)


async def test_a_closed_session_waits_for_nobody(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    before = await show(admin, session_id)
    assert before["waiting_since"] is not None
    after = await act(admin, session_id, "close")
    assert (after["status"], after["closed_reason"]) == ("closed", "resolved")
    assert after["closed_at"] is not None
    assert (after["queue"], after["waiting_since"]) == (None, None)


async def test_closing_is_recorded_with_reason_and_author(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(admin, session_id, "close", {"reason": "spam"})
    event = await newest_event(admin, session_id, "session.closed")
    assert event["actor"] == agent_ref(admin)
    assert event["data"]["reason"] == "spam"
    assert event["data"]["changes"] == {"status": ["queued", "closed"]}


async def test_a_customer_is_told_of_the_end_and_never_why(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(admin, session_id, "close", {"reason": "spam"})
    event = await newest_event(customer, session_id, "session.closed")
    assert event["data"]["changes"] == {"status": ["queued", "closed"]}
    assert "spam" not in str(event)
    assert "closed_reason" not in await show(customer, session_id)


async def test_closing_again_changes_nothing(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    first = await act(admin, session_id, "close", {"reason": "spam"})
    assert await act(admin, session_id, "close", {"reason": "resolved"}) == first
    assert (await act(customer, session_id, "close"))["status"] == "closed"
    assert await types(admin, session_id) == ["message.created", "session.closed"]


async def test_a_customer_who_leaves_the_queue_has_abandoned_it(workspace: Workspace) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await act(customer, session_id, "close")
    assert (await show(admin, session_id))["closed_reason"] == "abandoned"


async def test_a_customer_who_was_served_closes_as_resolved(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    await act(customer, session_id, "close")
    session = await show(bob, session_id)
    assert (session["closed_reason"], session["assignee"]["id"]) == ("resolved", bob.id)


async def test_a_customer_gives_no_reason(workspace: Workspace) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    problem = await refused(customer, session_id, "close", {"reason": "resolved"})
    assert (problem["status"], problem["code"]) == (403, "forbidden")
    assert (await show(customer, session_id))["status"] == "queued"


@pytest.mark.parametrize("reason", ["abandoned", "idle_timeout", "merged"])
async def test_reasons_of_the_service_cannot_be_given(workspace: Workspace, reason: str) -> None:
    admin = await workspace.agent(Role.ADMIN)
    session_id = await waiting(await workspace.customer())
    problem = await refused(admin, session_id, "close", {"reason": reason})
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "/reason")


@pytest.mark.parametrize("resting", [Status.PENDING, Status.SNOOZED])
async def test_a_resting_session_can_be_closed(workspace: Workspace, resting: Status) -> None:
    admin, customer = await workspace.agent(Role.ADMIN), await workspace.customer()
    session_id = await waiting(customer)
    await put_to_rest(workspace, session_id, resting)
    assert (await act(admin, session_id, "close"))["status"] == "closed"
    event = await newest_event(customer, session_id, "session.closed")
    assert event["data"]["changes"]["status"] == ["open", "closed"]


async def test_only_who_has_the_permission_may_close(workspace: Workspace) -> None:
    viewer = await workspace.agent(Role.VIEWER)
    key = await workspace.key(set(Permission) - {Permission.SESSIONS_CLOSE})
    session_id = await waiting(await workspace.customer())
    for nobody in (viewer, key):
        assert (await refused(nobody, session_id, "close"))["code"] == "forbidden"


async def test_a_reopened_session_is_its_holders_again(workspace: Workspace) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(bob, session_id, "claim")
    await act(bob, session_id, "close")
    session = await act(bob, session_id, "reopen")
    assert (session["status"], session["assignee"]["id"]) == ("open", bob.id)
    assert (session["closed_at"], session["closed_reason"]) == (None, None)
    event = await newest_event(customer, session_id, "session.reopened")
    assert event["data"]["changes"] == {"status": ["closed", "open"]}


async def test_a_reopened_session_of_nobody_waits_from_now_on(
    workspace: Workspace, clock: TurningClock
) -> None:
    admin = await workspace.agent(Role.ADMIN)
    session_id = await waiting(await workspace.customer())
    waited = (await show(admin, session_id))["queue"]["entered_at"]
    await act(admin, session_id, "close")
    clock.turn(hours=1)
    session = await act(admin, session_id, "reopen")
    assert session["status"] == "queued"
    assert session["queue"]["entered_at"] > waited


async def test_a_session_whose_holder_left_is_reopened_to_the_queue(workspace: Workspace) -> None:
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    session_id = await waiting(await workspace.customer())
    await act(bob, session_id, "claim")
    await act(bob, session_id, "close")
    await deactivate(workspace, bob)
    session = await act(admin, session_id, "reopen")
    assert (session["status"], session["assignee"]) == ("queued", None)
    event = await newest_event(admin, session_id, "session.reopened")
    expected = {"status": ["closed", "queued"], "assignee": [bob.id, None]}
    assert event["data"]["changes"] == expected


async def test_the_window_to_reopen_ends(workspace: Workspace, clock: TurningClock) -> None:
    await set_inbox(workspace, reopen_seconds=3600)
    admin = await workspace.agent(Role.ADMIN)
    session_id = await waiting(await workspace.customer())
    await act(admin, session_id, "close")
    clock.turn(minutes=61)
    problem = await refused(admin, session_id, "reopen")
    assert (problem["status"], problem["code"]) == (409, "reopen_window_passed")
    clock.turn(minutes=-2)
    assert (await act(admin, session_id, "reopen"))["status"] == "queued"


async def test_a_repeated_reopening_changes_nothing(
    workspace: Workspace, clock: TurningClock
) -> None:
    admin = await workspace.agent(Role.ADMIN)
    session_id = await waiting(await workspace.customer())
    await act(admin, session_id, "close")
    first = await act(admin, session_id, "reopen")
    clock.turn(days=30)
    later = await workspace.agent(Role.ADMIN)
    assert await act(later, session_id, "reopen") == first
    assert (await types(later, session_id)).count("session.reopened") == 1


@pytest.mark.parametrize("resting", [Status.PENDING, Status.SNOOZED])
async def test_refuses_to_reopen_what_rests(workspace: Workspace, resting: Status) -> None:
    admin = await workspace.agent(Role.ADMIN)
    session_id = await waiting(await workspace.customer())
    await put_to_rest(workspace, session_id, resting)
    problem = await refused(admin, session_id, "reopen")
    assert (problem["code"], problem["session_status"]) == ("invalid_move", resting)


async def test_only_staff_with_the_permission_may_reopen(workspace: Workspace) -> None:
    customer, viewer = await workspace.customer(), await workspace.agent(Role.VIEWER)
    session_id = await waiting(customer)
    await act(customer, session_id, "close")
    for nobody in (customer, viewer):
        assert (await refused(nobody, session_id, "reopen"))["code"] == "forbidden"


async def test_customers_may_not_move_a_session_but_to_its_end(workspace: Workspace) -> None:
    customer, bob = await workspace.customer(), await workspace.agent()
    session_id = await waiting(customer)
    body = {"assignee": agent_ref(bob)}
    assert (await refused(customer, session_id, "claim"))["code"] == "forbidden"
    assert (await refused(customer, session_id, "assign", body))["code"] == "forbidden"
