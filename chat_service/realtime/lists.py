"""The agents' lists of this process: which sessions changed, read once and handed to who lists them.

One reader of a workspace's feed, whatever the number of agents: rows only note ids, and a turn a few
times a second reads those sessions in one query. What is told and how often is for `session_list`.
"""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from chat_service.events.feed import Feeds, Reset, Row
from chat_service.realtime.list_readers import Counting, Heard, Reader, Readers, marks_of
from chat_service.realtime.list_source import FAR_BEHIND, ListSource
from chat_service.realtime.rights import is_move
from chat_service.realtime.session_list import SILENT_ROWS, Journal
from chat_service.schema import Cursor, CursorKind, WorkspaceId, fence
from chat_service.sessions.reach import Reach

TURN_SECONDS: Final = 0.1
"""Between two reads of a workspace's list, however much happens in it."""
PAUSE_SECONDS: Final = 0.5
"""After a failed one."""
NOTHING_READ: Final = Cursor(CursorKind.WORKSPACE, 0, None)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a list is handed."""

    feeds: Feeds
    source: ListSource
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[Any]]


class Lists:
    """All lists that somebody here follows, by workspace."""

    def __init__(
        self,
        feeds: Feeds,
        source: ListSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        self.source = source
        self._outside = Outside(feeds, source, clock, sleep)
        self._lists: dict[WorkspaceId, WorkspaceList] = {}
        feeds.observe(self)

    def now(self) -> float:
        """The time that readers are paced by, in seconds."""
        return self._outside.clock()

    def enter(self, reader: Reader) -> "WorkspaceList":
        """Follow a view, until `leave`; gives the list of its workspace."""
        workspace_id = reader.reach.workspace_id
        found = self._lists.get(workspace_id)
        if found is None:
            found = self._lists[workspace_id] = WorkspaceList(workspace_id, self._outside)
        found.enter(reader)
        return found

    def leave(self, reader: Reader) -> None:
        """Follow it no more."""
        workspace_id = reader.reach.workspace_id
        found = self._lists.get(workspace_id)
        if found is not None and not found.leave(reader):
            self._lists.pop(workspace_id).end()

    def end(self) -> None:
        """Read for nobody any more."""
        while self._lists:
            self._lists.popitem()[1].end()

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row]) -> None:
        """Rows that the feed came to."""
        found = self._lists.get(workspace_id)
        if found is not None:
            found.hear(rows)

    def rewound(self, workspace_id: WorkspaceId) -> None:
        """The log was set back."""
        found = self._lists.get(workspace_id)
        if found is not None:
            found.lose(Reset.REWOUND)


class WorkspaceList:
    """The changed sessions of one workspace, for all who follow a view of it here."""

    def __init__(self, workspace_id: WorkspaceId, outside: Outside) -> None:
        self._workspace_id = workspace_id
        self._outside = outside
        self._hold = outside.feeds.hold(workspace_id)
        self._readers = Readers()
        self._heard = Heard()
        self._head = self._read = NOTHING_READ
        """How far the feed has come, and how far of that is read."""
        self._shown = 0
        """How far it had come when all were told so at last, whatever concerns them."""
        self._losses = 0
        self._journal = Journal()
        self._behind: dict[Reader, int] = {}
        """Whom changes concern, each behind that position."""
        self._lacking: dict[Reader, None] = {}
        self._counts = Counting()
        self._stirred = asyncio.Event()
        context = contextvars.copy_context()
        # The list works for many: what is logged of it must not go by the id of one request.
        context.run(structlog.contextvars.clear_contextvars)
        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

    def enter(self, reader: Reader) -> None:
        """Follow a view."""
        self._readers.add(reader)

    def leave(self, reader: Reader) -> bool:
        """Follow it no more; whether anybody is left."""
        self._readers.remove(reader)
        for those in (self._behind, self._lacking, self._counts.news):
            those.pop(reader, None)
        return bool(self._readers)

    def end(self) -> None:
        """Read no more."""
        self._task.cancel()
        self._hold.close()

    async def position(self) -> Cursor:
        """How far the feed has come, once it has begun: what is read after that has no gap."""
        await self._hold.open()
        pos, last = self._hold.end()
        return Cursor(CursorKind.WORKSPACE, pos, fence(last) if last else None)

    async def wait_for(self, pos: int) -> None:
        """Let the feed come nearer to a position that the log has."""
        self._outside.feeds.hint(self._workspace_id, pos)
        await self._outside.sleep(TURN_SECONDS)

    def recall(self, reader: Reader) -> None:
        """Wake a reader as soon as it may be told more."""
        self._note_behind([reader])
        self._stirred.set()

    def hear(self, rows: Sequence[Row]) -> None:
        """Note which sessions these rows changed."""
        self._head = Cursor(CursorKind.WORKSPACE, rows[-1].pos, fence(rows[-1].id))
        for row in rows:
            self._heard.note(row)
            if row.type == "session.created" or is_move(row):
                self._counts.old = True
        if len(self._heard) > FAR_BEHIND:
            self.lose(Reset.TOO_FAR_BEHIND)
        self._stirred.set()

    def lose(self, reason: Reset) -> None:
        """Have everybody begin anew."""
        self._losses += 1
        self._heard, self._journal = Heard(), Journal()
        self._head, self._read, self._shown = NOTHING_READ, NOTHING_READ, 0
        for those in (self._behind, self._lacking):
            those.clear()
        for reader in self._readers:
            reader.lose(reason)

    async def _run(self) -> None:
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            pause = TURN_SECONDS
            try:
                await self._turn()
            except Exception as error:
                log.warning("list_not_read", exc_info=error)
                pause = PAUSE_SECONDS
            if self._is_waited_for():
                self._stirred.set()
            await self._outside.sleep(pause)

    def _is_waited_for(self) -> bool:
        return bool(self._heard or self._behind or self._lacking or self._counts.waited_for)

    async def _turn(self) -> None:
        """Read what changed, hand it out, and wake who may be told."""
        await self._load()
        woken = self._hand_out()
        try:
            await self._fill()
            await self._count()
        finally:
            woken |= self._counts.due(self._outside.clock())
            for reader in woken:
                reader.wake()

    async def _load(self) -> None:
        """Read the sessions that changed, and note whom that concerns."""
        head, heard, losses = self._head, self._heard, self._losses
        self._heard = Heard()
        try:
            found = await self._outside.source.entries(self._workspace_id, heard.ids())
        except BaseException:
            if losses == self._losses:
                heard.add(self._heard)
                self._heard = heard
            raise
        if losses != self._losses:
            return
        for entry in sorted(found, key=lambda entry: heard.pos(entry.id)):
            self._journal.put(entry, heard.pos(entry.id))
            self._note_behind(self._readers.concerned(marks_of(entry) | heard.left(entry.id)))
        if head.position - self._shown >= SILENT_ROWS:
            self._note_behind(self._readers)
            self._shown = head.position
        self._read = head

    def _note_behind(self, readers: Iterable[Reader]) -> None:
        for reader in readers:
            self._behind.setdefault(reader, self._read.position)

    def _hand_out(self) -> set[Reader]:
        """Give what changed to those who may be told; the others get it with what comes later."""
        now = self._outside.clock()
        due = {reader for reader in self._behind if reader.is_due(now)}
        for reader in due:
            reader.take(self._journal.since(self._behind.pop(reader)), self._read)
            if reader.lacks:
                self._lacking[reader] = None
        self._journal.forget(min(self._behind.values(), default=self._read.position))
        return due

    async def _fill(self) -> None:
        """Read the first of each view of which somebody lacks some, once for all who do."""
        lacking: dict[tuple[Reach, int], list[Reader]] = {}
        for reader in self._lacking:
            lacking.setdefault((reader.reach, reader.lacks), []).append(reader)
        for (reach, size), readers in lacking.items():
            first = await self._outside.source.first(reach, size) if size else ()
            for reader in readers:
                reader.fill(first)
                self._lacking.pop(reader, None)

    async def _count(self) -> None:
        """Count anew where a session came, went or was moved, at most once in two seconds."""
        if not self._counts.begin(self._outside.clock()):
            return
        readers = [reader for reader in self._readers if reader.counted]
        if not readers:
            return
        reaches = {reach for reader in readers for reach in reader.counted.values()}
        try:
            found = await self._outside.source.counts(self._workspace_id, reaches)
        except BaseException:
            self._counts.old = True
            raise
        self._counts.news.update((one, None) for one in readers if one.count(found))
