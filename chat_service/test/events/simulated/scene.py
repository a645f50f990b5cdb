"""A gateway and its readers as a test arranges them: every fault is placed, nothing is by chance."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from random import Random
from typing import Any, ParamSpec, TypeVar

from chat_service.events.feed import Feeds, Reset, Row, Side
from chat_service.events.source import Growth, moment
from chat_service.schema import Cursor, CursorKind, WorkspaceId
from chat_service.test.events.simulated.sources import WorldSource
from chat_service.test.events.simulated.virtual import play
from chat_service.test.events.simulated.world import WORKSPACE, Event, World

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


def virtually(
    test: Callable[Arguments, Coroutine[Any, Any, Answer]],
) -> Callable[Arguments, Answer]:
    """Run a test in virtual time."""

    @wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        return play(test(*args, **kwargs))

    return run


class ArrangedSource(WorldSource):
    """Answers at once, but for what a test arranges: by the name of a question.

    `fails` is how many times the next ones fail, `held` keeps answers that are found already until
    their event is set. `meanwhile` happens once, when the next answer is found and nobody has it.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.fails: Counter[str] = Counter()
        self.held: dict[str, asyncio.Event] = {}
        self.meanwhile: Callable[[], object] | None = None
        self.error: Exception = OSError("the database is not there")

    async def _answer(self, what: str, ask: Callable[[], Answer]) -> Answer:
        answer = await super()._answer(what, ask)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if what in self.held:
            await self.held[what].wait()
        if self.fails[what]:
            self.fails[what] -= 1
            raise self.error
        return answer


class Scene:
    """A world, one gateway and what it reads through."""

    def __init__(self, feeds: type[Feeds] = Feeds, *, sessions: int = 3) -> None:
        self.world = World(Random(7), sessions=sessions)
        self.source = ArrangedSource(self.world)
        self.feeds = feeds(self.source, random=Random(7))

    def reader(self, side: Side = Side.STAFF, *, session: int = 0) -> "Reader":
        """Somebody who will read a session."""
        return Reader(self, side, session)

    async def attached(self) -> "Reader":
        """A reader of all of the first session."""
        reader = self.reader()
        await reader.attach()
        return reader

    def commit(self, count: int = 1, *, session: int = 0, internal: bool = False) -> Event:
        """Write messages that no hint tells of; the last one's event."""
        session_id = self.world.sessions[session]
        return [self.world.write(session_id, internal=internal) for _ in range(count)][-1]

    def change(self, event: Event, *, session: int = 0) -> Event:
        """Change the message of an event."""
        return self.world.write(self.world.sessions[session], change=event)

    async def hint(self, pos: int | None = None) -> None:
        """Tell how far the log reaches, and let that take effect."""
        self.feeds.hint(WORKSPACE, len(self.world.log) if pos is None else pos)
        await settle()

    def grow(self, count: int = 1) -> Growth:
        """Commit in the first session as the process of the gateway does, which will tell of it."""
        began, (end, before) = moment(), self.world.head()
        self.commit(count)
        return Growth(WORKSPACE, before, self.world.rows(end + 1, count), began)

    async def offer(self, growth: Growth) -> None:
        """Tell of a commit of this process, and let that take effect."""
        self.feeds.offer(growth)
        await settle()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check the heads meanwhile."""
        task = asyncio.create_task(self.feeds.run())
        yield
        task.cancel()
        await asyncio.wait({task})


class Reader:
    """One connection with one subscription."""

    def __init__(self, scene: Scene, side: Side, session: int) -> None:
        self.side = side
        self.session_id = scene.world.sessions[session]
        self.wakes = 0
        self._source = scene.source
        self.subscription = scene.feeds.subscribe(WORKSPACE, self.session_id, side, wake=self._wake)

    async def attach(
        self, position: int = 0, fence: str | None = None, *, at_most: int | None = None
    ) -> int | Reset:
        """Begin after a cursor."""
        kind = CursorKind.STAFF if self.side is Side.STAFF else CursorKind.PUBLIC
        return await self.subscription.attach(Cursor(kind, position, fence), at_most=at_most)

    async def attach_snapshot(self) -> list[int]:
        """Begin with a snapshot; the numbers in it."""
        rows, _ = await self.subscription.attach_snapshot(
            lambda: self._source.snapshot(self.session_id, self.side)
        )
        return [row.number(self.side) for row in rows]

    async def pull(self) -> list[int] | Reset:
        """What one pull gives, by numbers."""
        given = await self.subscription.pull()
        return given if isinstance(given, Reset) else [item.number for item in given]

    async def drain(self) -> list[int]:
        """What all pulls give until there is no more."""
        numbers: list[int] = []
        while given := await self.subscription.pull():
            assert not isinstance(given, Reset), given
            numbers += [item.number for item in given]
        return numbers

    async def texts(self) -> list[str]:
        """What one pull shows, by the version of each message."""
        given = await self.subscription.pull()
        assert not isinstance(given, Reset), given
        return [item.event.decode().split()[1] for item in given]

    def _wake(self) -> None:
        self.wakes += 1


async def settle(seconds: float = 0.001) -> None:
    """Let virtual time pass, and all that follows from it."""
    await asyncio.sleep(seconds)


class Watcher:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.rewinds = 0

    def __call__(self, workspace_id: WorkspaceId, rows: Sequence[Row], /) -> None:
        self.seen += [row.pos for row in rows]

    def rewound(self, workspace_id: WorkspaceId, /) -> None:
        """Count it."""
        self.rewinds += 1
