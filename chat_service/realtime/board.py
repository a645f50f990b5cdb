"""What the listeners of this process are told of their sessions beside the log.

Owns when the standing of a session is read again, for many sessions at once, and who is told. What
moved elsewhere and was not heard of is found by `check`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import structlog
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.auth import Caller
from chat_service.errors import NotFound
from chat_service.events.transaction import looking, reading
from chat_service.realtime.gathering import Gathering
from chat_service.realtime.hub import Hub
from chat_service.realtime.presence import Who
from chat_service.realtime.slots import Told, told
from chat_service.realtime.standing import (
    Concerned,
    Roster,
    concerned,
    for_colleagues,
    for_customers,
    is_concerned,
)
from chat_service.schema import SessionId, WorkspaceId
from chat_service.sessions.marks import Place
from chat_service.sessions.queries import may_see
from chat_service.sessions.watermarks import holders, read_marks, read_versions
from chat_service.transport import Json

AT_ONCE: Final = 500
"""So many sessions are read by one query."""
SPACING_SECONDS: Final = 0.25
"""Between two readings, so that a busy chat is told of at most so often."""
RETRY_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Around(Protocol):
    """Who is connected, anywhere."""

    async def roster(self, db: AsyncSession, workspace_id: WorkspaceId) -> Roster:
        """The connected agents of a workspace."""

    def is_online(self, customer: Who) -> bool:
        """Whether a customer is connected."""


class Look(NamedTuple):
    """A session as it stands: who may see it, None where there is none; marks; connected agents."""

    whose: Row[Any] | None
    rows: Sequence[Any]
    roster: Roster


class Board:
    """The sessions that are listened to here, as they were last told."""

    def __init__(self, hub: Hub, around: Around) -> None:
        self._hub = hub
        self._around = around
        self._told: dict[Place, Concerned] = {}
        self._sessions_of: dict[Who, dict[Place, None]] = {}
        self._stale: dict[Place, None] = {}
        self._wakeup = asyncio.Event()
        self._looks = Gathering(self._look)

    def stale(self, place: Place) -> None:
        """A session may stand otherwise now; whoever listens will be told."""
        if self._hub.listening(*place):
            self._stale[place] = None
            self._wakeup.set()

    def stale_all(self, places: Iterable[Place]) -> None:
        """The same of many."""
        for place in places:
            self.stale(place)

    def sessions_of(self, customer: Who) -> list[Place]:
        """The sessions of a customer that are listened to here."""
        return list(self._sessions_of.get(customer, ()))

    def customers(self) -> set[Who]:
        """The customers whose sessions are listened to here."""
        return set(self._sessions_of)

    def roster_changed(self, workspace_id: WorkspaceId, before: Roster, after: Roster) -> None:
        """Tell the sessions in which it can be seen that other agents are connected."""
        self.stale_all(
            place
            for place, known in list(self._told.items())
            if place[0] == workspace_id and is_concerned(known, before, after)
        )

    def unheard(self, place: Place) -> None:
        """Nobody listens to a session any more."""
        self._stale.pop(place, None)
        self._forget(place)

    async def read(self, caller: Caller, session_id: SessionId) -> tuple[Json, Concerned]:
        """The standing of a session for one who listens to it already.

        Raises NotFound for who may not see it.
        """
        place = (caller.workspace_id, session_id)
        whose, rows, roster = await self._looks.ask(place)
        if whose is None or not may_see(
            caller,
            workspace_id=caller.workspace_id,
            customer_id=whose.customer_id,
            assignee_id=whose.assignee_id,
            team_id=whose.team_id,
        ):
            raise NotFound()
        now = concerned(place, rows)
        # What others were told stays known, so that a check finds what they were not told.
        if place not in self._told and self._hub.listening(*place):
            self._note(place, now)
        return self._shown(now, rows, roster, is_customer=caller.is_customer), now

    async def run(self) -> None:
        """Tell what is stale, until cancelled."""
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            try:
                await self._tell(list(self._stale)[:AT_ONCE])
                await asyncio.sleep(SPACING_SECONDS)
            except Exception as error:
                log.warning("state_not_told", exc_info=error)
                await asyncio.sleep(RETRY_SECONDS)
            if self._stale:
                self._wakeup.set()

    async def check(self) -> None:
        """Find the sessions whose marks have moved without this process hearing of it."""
        places = self._hub.listened()
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            async with looking() as db:
                versions = await read_versions(db, some)
            for place, version in versions.items():
                known = self._told.get(place)
                if known is None or known.version != version:
                    self.stale(place)

    async def _tell(self, places: Sequence[Place]) -> None:
        for place in places:
            del self._stale[place]
        try:
            found = await self._look(places)
        except Exception:
            self.stale_all(places)
            raise
        for place, look in found.items():
            self._tell_one(place, look.rows, look.roster)

    async def _look(self, places: Sequence[Place]) -> dict[Place, Look]:
        """Sessions as they stand, of one moment but for who is connected."""
        async with reading() as db:
            whose = await holders(db, places)
            marks = await read_marks(db, places)
            rosters = {each: await self._around.roster(db, each) for each, _ in places}
        return {
            place: Look(whose.get(place), rows, rosters[place[0]]) for place, rows in marks.items()
        }

    def _tell_one(self, place: Place, rows: Sequence[Any], roster: Roster) -> None:
        """Each side is shown its own form, serialised once."""
        listeners = self._hub.listening(*place)
        if not listeners:
            return
        now = concerned(place, rows)
        self._note(place, now)
        forms: dict[bool, Told] = {}
        for peer in listeners:
            side = peer.caller.is_customer
            if side not in forms:
                forms[side] = _frame(place, self._shown(now, rows, roster, is_customer=side))
            peer.tell(forms[side])

    def _forget(self, place: Place) -> None:
        known = self._told.pop(place, None)
        for customer in known.customers if known else ():
            sessions = self._sessions_of[customer]
            del sessions[place]
            if not sessions:
                del self._sessions_of[customer]

    def _note(self, place: Place, now: Concerned) -> None:
        self._forget(place)
        self._told[place] = now
        for customer in now.customers:
            self._sessions_of.setdefault(customer, {})[place] = None

    def _shown(
        self, now: Concerned, rows: Sequence[Any], roster: Roster, *, is_customer: bool
    ) -> Json:
        if is_customer:
            return for_customers(rows, roster)
        is_online = any(self._around.is_online(customer) for customer in now.customers)
        return for_colleagues(rows, roster, customer_online=is_online)


def _frame(place: Place, state: Json) -> Told:
    frame = {"op": "state", "session_id": str(place[1]), **state}
    return told(frame, place[1], kind="state")
