"""Who is connected: customers by what processes tell each other, agents by rows.

Owns the connections of this process, and what it tells and hears of customers. Leaves agents' rows
to `roster`, and who is told of a change to whoever asked for it.
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.agents.presence import Present
from chat_service.auth import Caller
from chat_service.events.broker import Ephemeral
from chat_service.realtime.hub import Hub
from chat_service.realtime.presence import Attendance, Elsewhere, Who
from chat_service.realtime.roster import Roster
from chat_service.realtime.standing import Roster as Agents
from chat_service.schema import Actor, AgentId, AuthorType, Clock, Visibility, WorkspaceId

HERE: Final = "here"
GONE: Final = "gone"
ASKED: Final = "asked"
ROSTER: Final = "roster"
NAMED_AT_MOST: Final = 150
"""So many customers are named in one message."""
SEEN: Final = {AuthorType.CUSTOMER, AuthorType.AGENT}
"""Whose presence is shown; a key's program is not a person."""

RosterChanged = Callable[[WorkspaceId, Agents, Agents], None]


class Company:
    """Everybody who is connected, as this process knows."""

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        customer_changed: Callable[[Who], None],
        roster_changed: RosterChanged,
        *,
        grace: float,
    ) -> None:
        """Both callables are told of what can be seen; `grace` is seconds after a connection."""
        self.attendance = Attendance(grace)
        self.agents = Roster(self, clock, grace=grace)
        self._elsewhere = Elsewhere()
        self._hub = hub
        self._customer_changed = customer_changed
        self._roster_changed = roster_changed

    async def roster(self, db: AsyncSession, workspace_id: WorkspaceId) -> Agents:
        """The connected agents of a workspace."""
        return await self.agents.of(db, workspace_id)

    def is_online(self, customer: Who) -> bool:
        """Whether a customer is connected."""
        return customer in self.attendance or customer in self._elsewhere

    def ask(self, customer: Who) -> None:
        """Ask the other processes whether they have a customer."""
        self._publish(ASKED, [customer])

    def entered(self, caller: Caller) -> None:
        """A connection is there."""
        who = _who(caller)
        if caller.actor.type in SEEN and self.attendance.enter(who):
            self._came(who)

    def left(self, caller: Caller, *, now: float) -> None:
        """A connection has ended."""
        if caller.actor.type in SEEN:
            self.attendance.leave(_who(caller), now=now)

    def expire(self, *, now: float) -> None:
        """Find who is gone, here and elsewhere."""
        for who in self.attendance.expire(now=now):
            if who[1].type is AuthorType.AGENT:
                self.agents.wake()
            else:
                self._publish(GONE, [who])
                self._customer_changed(who)
        for who in self._elsewhere.expire(now=now):
            self._customer_changed(who)

    def announce(self) -> None:
        """Tell the other processes which customers are here."""
        self._publish(HERE, self.attendance.all_of(AuthorType.CUSTOMER))

    def heard(self, message: Ephemeral, wanted: set[Who], *, now: float) -> None:
        """Another process speaks of agents or customers; of these only the `wanted` are kept.

        Raises KeyError or ValueError for what this version does not understand.
        """
        op = message.frame["op"]
        if op == ROSTER:
            self.agents.stale(message.workspace)
            return
        named = [_customer(message.workspace, each) for each in message.frame["customers"]]
        if op in (ASKED, GONE):
            self._publish(HERE, [who for who in named if who in self.attendance])
        for who in named:
            is_news = op == HERE and who in wanted and self._elsewhere.hear(who, now=now)
            if is_news or (op == GONE and self._elsewhere.gone(who)):
                self._customer_changed(who)

    def keep(self, wanted: set[Who]) -> None:
        """Forget of other processes' customers all others."""
        self._elsewhere.keep(wanted)

    def agents_here(self) -> Iterable[Who]:
        """The agents who are connected to this process."""
        return self.attendance.all_of(AuthorType.AGENT)

    def serves(self, workspace_id: WorkspaceId) -> bool:
        """Whether anybody of a workspace is connected to this process."""
        return self._hub.serves(workspace_id)

    def roster_written(self, workspace_id: WorkspaceId) -> None:
        """Let the other processes read the agents' rows again."""
        frame = {"op": ROSTER}
        self._hub.publish(
            Ephemeral(
                workspace=workspace_id, session=None, visibility=Visibility.INTERNAL, frame=frame
            )
        )

    def roster_changed(
        self,
        workspace_id: WorkspaceId,
        before: dict[AgentId, Present],
        after: dict[AgentId, Present],
    ) -> None:
        """Other agents are connected, or say something else of themselves."""
        self._roster_changed(workspace_id, before, after)

    def _came(self, who: Who) -> None:
        if who[1].type is AuthorType.AGENT:
            self.agents.wake()
        else:
            self._publish(HERE, [who])
            self._customer_changed(who)

    def _publish(self, op: str, customers: Iterable[Who]) -> None:
        """Speak of customers, to each workspace of its own."""
        for workspace_id, group in groupby(sorted(customers, key=_home), key=_home):
            ids = [str(actor.id) for _, actor in group]
            for start in range(0, len(ids), NAMED_AT_MOST):
                frame = {"op": op, "customers": ids[start : start + NAMED_AT_MOST]}
                message = Ephemeral(
                    workspace=workspace_id,
                    session=None,
                    visibility=Visibility.INTERNAL,
                    frame=frame,
                )
                self._hub.publish(message)


def _who(caller: Caller) -> Who:
    return caller.workspace_id, caller.actor


def _customer(workspace_id: WorkspaceId, text: str) -> Who:
    return workspace_id, Actor(AuthorType.CUSTOMER, UUID(text))


def _home(who: Who) -> WorkspaceId:
    return who[0]
