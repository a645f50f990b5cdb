"""The table of moves, written out from the description of the states and not from the code."""

from contextlib import nullcontext
from itertools import product

import pytest

from chat_service.errors import InvalidMove
from chat_service.schema import Status
from chat_service.sessions import lifecycle
from chat_service.sessions.lifecycle import Action

# Where a move leads if somebody is assigned after it, and if nobody is. A repeat is no error.
MOVES = {
    (Status.QUEUED, Action.CLAIM): (Status.OPEN, Status.OPEN),
    (Status.QUEUED, Action.ASSIGN): (Status.OPEN, Status.OPEN),
    (Status.OPEN, Action.ASSIGN): (Status.OPEN, Status.OPEN),
    (Status.PENDING, Action.ASSIGN): (Status.OPEN, Status.OPEN),
    (Status.SNOOZED, Action.ASSIGN): (Status.OPEN, Status.OPEN),
    (Status.QUEUED, Action.CLOSE): (Status.CLOSED, Status.CLOSED),
    (Status.OPEN, Action.CLOSE): (Status.CLOSED, Status.CLOSED),
    (Status.PENDING, Action.CLOSE): (Status.CLOSED, Status.CLOSED),
    (Status.SNOOZED, Action.CLOSE): (Status.CLOSED, Status.CLOSED),
    (Status.CLOSED, Action.CLOSE): (Status.CLOSED, Status.CLOSED),
    (Status.CLOSED, Action.REOPEN): (Status.OPEN, Status.QUEUED),
    (Status.OPEN, Action.REOPEN): (Status.OPEN, Status.OPEN),
    (Status.QUEUED, Action.REOPEN): (Status.QUEUED, Status.QUEUED),
    (Status.QUEUED, Action.REQUEUE): (Status.QUEUED, Status.QUEUED),
    (Status.OPEN, Action.REQUEUE): (Status.QUEUED, Status.QUEUED),
    (Status.PENDING, Action.REQUEUE): (Status.QUEUED, Status.QUEUED),
    (Status.SNOOZED, Action.REQUEUE): (Status.QUEUED, Status.QUEUED),
    (Status.QUEUED, Action.CUSTOMER_WRITES): (Status.QUEUED, Status.QUEUED),
    (Status.OPEN, Action.CUSTOMER_WRITES): (Status.OPEN, Status.OPEN),
    (Status.PENDING, Action.CUSTOMER_WRITES): (Status.OPEN, Status.QUEUED),
    (Status.SNOOZED, Action.CUSTOMER_WRITES): (Status.OPEN, Status.QUEUED),
    (Status.CLOSED, Action.CUSTOMER_WRITES): (Status.OPEN, Status.QUEUED),
}


@pytest.mark.parametrize("assigned", [True, False])
@pytest.mark.parametrize(("status", "action"), list(product(Status, Action)))
def test_allows_only_the_moves_of_the_table(status: Status, action: Action, assigned: bool) -> None:
    expected = MOVES.get((status, action), (None, None))[0 if assigned else 1]
    with nullcontext() if expected else pytest.raises(InvalidMove):
        assert lifecycle.after(status, action, assigned=assigned) == expected


def test_a_refused_move_names_the_present_status() -> None:
    with pytest.raises(InvalidMove) as refused:
        lifecycle.after(Status.CLOSED, Action.CLAIM, assigned=True)
    assert refused.value.members == {"session_status": Status.CLOSED}
