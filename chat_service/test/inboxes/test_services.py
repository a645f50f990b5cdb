"""A new inbox: its rules, and what the log says of it."""

from chat_service.test.builders import ORIGIN, Workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.sessions.calls import act, refused, waiting


async def test_a_new_inbox_has_the_usual_rules(workspace: Workspace) -> None:
    inbox = workspace.inbox
    assert (inbox.reply_claims, inbox.assignee_only) == (True, False)
    assert inbox.allowed_origins == [ORIGIN]


async def test_a_new_inbox_reopens_sessions_for_a_day(
    workspace: Workspace, clock: TurningClock
) -> None:
    bob, customer = await workspace.agent(), await workspace.customer()
    session_id = await waiting(customer)
    await act(customer, session_id, "close")
    clock.turn(hours=11)
    await act(bob, session_id, "reopen")
    await act(bob, session_id, "close")
    clock.turn(hours=25)
    later = await workspace.agent()
    assert (await refused(later, session_id, "reopen"))["code"] == "reopen_window_passed"


async def test_a_new_inbox_is_recorded(workspace: Workspace) -> None:
    key = await workspace.key()
    events = (await key.get("/v1/events", params={"types": "inbox.updated"})).json()["data"]
    assert [event["data"] for event in events] == [{"inbox_id": str(workspace.inbox.id)}]
    assert events[0]["actor"] == {"type": "system", "id": None}
