"""What is said of sessions beside their logs: read marks, presence, typing.

Joins the parts that know of each, and gives them their time. The state of a session is whole and its
last value counts; typing is said at most once. Neither is in the log.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import uniform
from typing import Any, Final, Protocol, cast
from uuid import UUID

import structlog

from chat_service.auth import Caller
from chat_service.config import Realtime
from chat_service.errors import Forbidden, ServiceError
from chat_service.events.broker import Ephemeral
from chat_service.events.feed import JITTER, OUTAGE_SECONDS, Row
from chat_service.events.transaction import looking, reading
from chat_service.realtime import signs
from chat_service.realtime.board import Board
from chat_service.realtime.company import Company
from chat_service.realtime.hub import Hub
from chat_service.realtime.presence import ANNOUNCE_SECONDS, Who
from chat_service.realtime.receipts import Receipts
from chat_service.realtime.signs import EPHEMERAL, Signs
from chat_service.realtime.slots import Told, told
from chat_service.realtime.standing import Roster, availability
from chat_service.schema import (
    Actor,
    AuthorType,
    Clock,
    SessionId,
    TokenKind,
    Visibility,
    WorkspaceId,
)
from chat_service.server.background import spawn
from chat_service.sessions import queries as sessions
from chat_service.sessions import watermarks
from chat_service.sessions.marks import Place
from chat_service.sessions.read_states import PutReadState
from chat_service.transport import Json

MARKS: Final = "marks"

log = structlog.get_logger(__name__)


class Authored(Protocol):
    """A row of the log, as far as it tells whose doing it was."""

    @property
    def actor_type(self) -> AuthorType: ...
    @property
    def actor_id(self) -> UUID | None: ...


class States:
    """The state of the sessions that this process tells of."""

    def __init__(self, hub: Hub, settings: Realtime, clock: Clock, *, alone: bool) -> None:
        """`alone`: no other process writes to the database, so there is nothing to check."""
        self._hub = hub
        self._settings = settings
        self._alone = alone
        self._signs = Signs(hub, clock, settings.typing_seconds)
        self._company = Company(
            hub,
            clock,
            self._customer_changed,
            self._roster_changed,
            grace=settings.presence_seconds,
        )
        self._board = Board(hub, self._company)
        self._receipts = Receipts(clock, self.moved)
        self._wakeup = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        hub.watch(self)
        hub.feeds.observe(self)

    async def start(self) -> None:
        """Begin to write, to tell and to forget."""
        parts = (
            self._board.run,
            self._receipts.run,
            self._company.agents.run,
            self._keep_time,
            self._check,
        )
        self._tasks = [spawn(part) for part in parts]

    async def stop(self) -> None:
        """Write what waits, and let the agents of this process be seen a little longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._receipts.flush()
            await self._company.agents.leave()
        except ServiceError as error:
            log.warning("presence_not_written", exc_info=error)

    def moved(self, place: Place) -> None:
        """Marks of a session have been written here."""
        self._board.stale(place)
        workspace_id, session_id = place
        self._hub.publish(
            Ephemeral(
                workspace=workspace_id,
                session=session_id,
                visibility=Visibility.INTERNAL,
                frame={"op": MARKS},
            )
        )

    def agent_changed(self, workspace_id: WorkspaceId) -> None:
        """An agent says something else of himself."""
        self._company.agents.stale(workspace_id)
        self._company.roster_written(workspace_id)

    async def read(self, caller: Caller, session_id: SessionId, said: PutReadState) -> None:
        """A caller tells how far he has read; it is written soon.

        Raises NotFound, ReadSeqAhead, and Forbidden for a program, which does not read.
        """
        if caller.kind is TokenKind.KEY:
            raise Forbidden("Only customers and agents have read marks")
        async with reading() as db:
            session = await sessions.access(db, caller, session_id)
            mark = await watermarks.mark_of(
                db,
                caller,
                session,
                read_seq=said.read_seq,
                delivered_seq=said.delivered_seq,
            )
        self._receipts.note(mark)

    async def type(
        self,
        caller: Caller,
        session_id: SessionId,
        visibility: Visibility,
        *,
        is_typing: bool,
        follows: bool = False,
    ) -> None:
        """A caller types or has stopped. Who follows the session already is known to see it.

        Raises NotFound, or Forbidden for who may not write it.
        """
        signs.check_right(caller, visibility)
        if not follows:
            async with looking() as db:
                await sessions.access(db, caller, session_id)
        place = (caller.workspace_id, session_id)
        self._signs.set(place, caller.actor, visibility, is_typing=is_typing)
        self._wakeup.set()

    async def of(self, caller: Caller, session_id: SessionId) -> Json:
        """The state of a session for who listens already; raises NotFound for who may not see it.

        Many who ask at about the same time are answered by one read.
        """
        state, now = await self._board.read(caller, session_id)
        if not caller.is_customer and not self._alone:
            for customer in now.customers:
                if not self._company.is_online(customer):
                    self._company.ask(customer)
        return {**state, "typing": self._signs.at((caller.workspace_id, session_id), caller)}

    def entered(self, caller: Caller) -> None:
        """A connection is there."""
        self._company.entered(caller)

    def left(self, caller: Caller) -> None:
        """A connection has ended."""
        self._company.left(caller, now=asyncio.get_running_loop().time())
        self._wakeup.set()

    def unheard(self, workspace_id: WorkspaceId, session_id: SessionId) -> None:
        """Nobody here listens to this session any more."""
        self._board.unheard((workspace_id, session_id))

    def heard(self, message: Ephemeral) -> None:
        """Another process told something; what another version says is let be."""
        try:
            self._hear(message)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("unknown_ephemeral", exc_info=error)

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row]) -> None:
        """What happened in a session may have moved marks, or who takes part; a sender stops typing."""
        for row in rows:
            if row.session_id is None:
                continue
            place = (workspace_id, SessionId(row.session_id))
            self._board.stale(place)
            if row.type == "message.created":
                by = cast(Authored, row)
                self._signs.sent(place, Actor(by.actor_type, by.actor_id))

    def rewound(self, workspace_id: WorkspaceId) -> None:
        """The log was set back, and the marks with it."""
        self._board.stale_all(place for place in self._hub.listened() if place[0] == workspace_id)

    def _hear(self, message: Ephemeral) -> None:
        op = message.frame["op"]
        if op == EPHEMERAL:
            self._signs.heard(message)
            self._wakeup.set()
        elif op != MARKS:
            now = asyncio.get_running_loop().time()
            self._company.heard(message, self._board.customers(), now=now)
        elif message.session is not None:
            self._board.stale((message.workspace, message.session))

    def _customer_changed(self, customer: Who) -> None:
        self._board.stale_all(self._board.sessions_of(customer))

    def _roster_changed(self, workspace_id: WorkspaceId, before: Roster, after: Roster) -> None:
        """Tell it to the sessions in which it can be seen, and to all colleagues."""
        self._board.roster_changed(workspace_id, before, after)
        changed = [agent for agent in {*before, *after} if before.get(agent) != after.get(agent)]
        frames = [_availability(agent, after) for agent in changed]
        for peer in self._hub.staff(workspace_id):
            for frame in frames:
                peer.tell(frame)

    async def _keep_time(self) -> None:
        """End what has lived long enough."""
        while True:
            dues = (self._signs.typists.next_due(), self._company.attendance.next_due())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(
                    min((due for due in dues if due is not None), default=None)
                ):
                    await self._wakeup.wait()
            self._wakeup.clear()
            now = asyncio.get_running_loop().time()
            self._signs.expire(now=now)
            self._company.expire(now=now)

    async def _check(self) -> None:
        """Find what no other process told, as the heads of the log are checked."""
        announced_at = asyncio.get_running_loop().time()
        while True:
            seconds = self._settings.head_check_seconds
            if self._hub.feeds.outage:
                seconds = min(seconds, OUTAGE_SECONDS)
            await asyncio.sleep(seconds * uniform(1 - JITTER, 1 + JITTER))
            try:
                await self._check_once()
            except Exception as error:
                log.warning("state_check_failed", exc_info=error)
            now = asyncio.get_running_loop().time()
            if not self._alone and now - announced_at >= ANNOUNCE_SECONDS:
                self._company.announce()
                announced_at = now

    async def _check_once(self) -> None:
        self._company.agents.check()
        if not self._alone:
            self._company.keep(self._board.customers())
            await self._board.check()
        self._wakeup.set()


def _availability(agent_id: Any, roster: Roster) -> Told:
    present = roster.get(agent_id)
    value = {
        "agent": {"type": AuthorType.AGENT, "id": str(agent_id)},
        "availability": availability(roster, agent_id),
        "accepting_chats": bool(present and present.accepting_chats),
    }
    frame = {"op": "state", "session_id": None, "availability": value}
    return told(frame, None, kind="availability", actor=str(agent_id))
