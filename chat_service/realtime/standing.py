"""What holds of a session besides its log: who has read how far, who is there. Pure.

Owns what each side is shown of it, and which changes elsewhere concern a session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chat_service.agents.presence import Present
from chat_service.realtime.presence import Who
from chat_service.schema import Actor, AgentId, AuthorType, Availability
from chat_service.sessions.marks import Place
from chat_service.sessions.read_states import for_customer, for_staff
from chat_service.transport import Json

Roster = Mapping[AgentId, Present]
"""The agents of a workspace who are connected somewhere."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whom a session concerns, and which state of its marks was told of it."""

    version: int
    assignee: AgentId | None
    agents: frozenset[UUID]
    customers: frozenset[Who]


def concerned(place: Place, rows: Sequence[Any]) -> Concerned:
    """Read it from a session's `watermarks.read_marks`."""
    customers = (row.id for row in rows if row.type is AuthorType.CUSTOMER)
    return Concerned(
        version=sum(row.marks_version for row in rows),
        assignee=rows[0].assignee_id if rows else None,
        agents=frozenset(row.id for row in rows if row.type is AuthorType.AGENT),
        customers=frozenset((place[0], Actor(AuthorType.CUSTOMER, each)) for each in customers),
    )


def for_customers(rows: Sequence[Any], roster: Roster) -> Json:
    """The state of a session as its customer sees it: no id, and no number of staff."""
    return {
        "read_states": for_customer(rows).model_dump(mode="json"),
        "presence": {"agent_online": _agent_online(rows, roster)},
    }


def for_colleagues(rows: Sequence[Any], roster: Roster, *, customer_online: bool) -> Json:
    """The state of a session as staff see it."""
    agents = [
        {"type": row.type, "id": str(row.id), "availability": availability(roster, row.id)}
        for row in rows
        if row.type is AuthorType.AGENT
    ]
    return {
        "read_states": [state.model_dump(mode="json") for state in for_staff(rows)],
        "presence": {"customer_online": customer_online, "agents": agents},
    }


def availability(roster: Roster, agent_id: UUID) -> Availability:
    """What is shown of an agent; without a connection it is offline, whatever he chose."""
    present = roster.get(AgentId(agent_id))
    return present.availability if present else Availability.OFFLINE


def _agent_online(rows: Sequence[Any], roster: Roster) -> bool:
    """Whether who holds the session is there, or where nobody does, anybody."""
    assignee = rows[0].assignee_id if rows else None
    if assignee is not None:
        return availability(roster, assignee) is not Availability.OFFLINE
    return is_staffed(roster)


def is_staffed(roster: Roster) -> bool:
    """Whether any agent is there."""
    return any(each.availability is not Availability.OFFLINE for each in roster.values())


def is_concerned(it: Concerned, before: Roster, after: Roster) -> bool:
    """Whether a change of who is there can be seen in a session."""
    if it.assignee is None and is_staffed(before) != is_staffed(after):
        return True
    concerned_agents = it.agents | ({it.assignee} if it.assignee else set())
    return any(
        availability(before, agent) != availability(after, agent) for agent in concerned_agents
    )
