"""Wire models of read marks: each participant's for staff, two sums of them for customers.

Customers see their own mark and the highest of any agent, in their own numbering and without ids.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from chat_service.schema import Actor, AuthorType
from chat_service.transport import ActorView, Request, Response, Whole, example

STAFF: Final = ("read_seq", "delivered_seq")
CUSTOMER: Final = ("read_public_seq", "delivered_public_seq")
UNREAD: Final = "Messages of others above the mark; 100 stands for all beyond, as in `99+`."


class PutReadState(Request):
    """How far the caller has read, in his own numbering. Marks never go down.

    `delivered_seq` is how far he was reached, where that is further.
    """

    model_config = example(read_seq=1)

    read_seq: Whole
    delivered_seq: Whole | None = None


class ReadMark(Response):
    """Everything up to these numbers was read, or has reached somebody's device."""

    read_seq: int
    delivered_seq: int


class ReadState(ReadMark):
    """The same of one reader, and how much he has not read."""

    unread_count: int = Field(description=UNREAD)


class ParticipantReadState(ReadState):
    """How far a participant has read."""

    participant: ActorView


class CustomerReadStates(Response):
    """How far the customer has read, and `staff` at the furthest."""

    me: ReadState
    staff: ReadMark


def own_state(rows: Sequence[Any], actor: Actor, *, is_customer: bool) -> ReadState:
    """How far one reader has read, in the numbering of his side, from `watermarks.read_marks`."""
    own = [row for row in rows if (row.type, row.id) == (actor.type, actor.id)]
    return _state(own, CUSTOMER if is_customer else STAFF)


def for_staff(rows: Sequence[Any]) -> list[ParticipantReadState]:
    """Every participant's mark."""
    return [
        ParticipantReadState.model_construct(
            participant=ActorView.of(Actor(row.type, row.id)), **dict(_state([row], STAFF))
        )
        for row in rows
    ]


def for_customer(rows: Sequence[Any]) -> CustomerReadStates:
    """The customer's mark and the highest of any agent; nothing that staff alone may know."""
    customer = [row for row in rows if row.type is AuthorType.CUSTOMER]
    staff = _state([row for row in rows if row.type is AuthorType.AGENT], CUSTOMER)
    return CustomerReadStates.model_construct(
        me=_state(customer, CUSTOMER),
        staff=ReadMark.model_construct(read_seq=staff.read_seq, delivered_seq=staff.delivered_seq),
    )


def _state(rows: Sequence[Any], columns: tuple[str, str]) -> ReadState:
    """The furthest of some rows, 0 of none."""
    read, delivered = columns
    return ReadState.model_construct(
        read_seq=max((getattr(row, read) for row in rows), default=0),
        delivered_seq=max((getattr(row, delivered) for row in rows), default=0),
        unread_count=min((row.unread_count for row in rows), default=0),
    )
