"""Which moves a session may make. Pure: states in, state out.

The moves of queues and timers (wait, snooze, resume, transfer) join this table with the routes that
make them.
"""

from enum import StrEnum
from typing import Final

from chat_service.errors import InvalidMove
from chat_service.schema import Status


class Action(StrEnum):
    """What may be done to a session."""

    CLAIM = "claim"
    ASSIGN = "assign"
    CLOSE = "close"
    REOPEN = "reopen"
    REQUEUE = "requeue"
    CUSTOMER_WRITES = "customer_writes"


_ALLOWED: Final = {
    Action.CLAIM: {Status.QUEUED},
    Action.ASSIGN: {Status.QUEUED, Status.OPEN, Status.PENDING, Status.SNOOZED},
    Action.CLOSE: set(Status),
    Action.REOPEN: {Status.CLOSED, Status.QUEUED, Status.OPEN},
    Action.REQUEUE: {Status.QUEUED, Status.OPEN, Status.PENDING, Status.SNOOZED},
    Action.CUSTOMER_WRITES: set(Status),
}


def after(status: Status, action: Action, *, assigned: bool) -> Status:
    """Where a move leads, `assigned` telling whether somebody holds the session after it.

    A repeat of a done move leads to where the session is. Raises InvalidMove, which names the
    present status.
    """
    if status not in _ALLOWED[action]:
        raise InvalidMove(f"A session that is {status} cannot {action}", session_status=status)
    if action in (Action.CLAIM, Action.ASSIGN):
        return Status.OPEN
    if action is Action.CLOSE:
        return Status.CLOSED
    if action is Action.REQUEUE:
        return Status.QUEUED
    if status in (Status.QUEUED, Status.OPEN):
        return status
    return Status.OPEN if assigned else Status.QUEUED
