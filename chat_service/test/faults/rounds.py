"""One round: people write and read, something is killed in the middle, and the history is checked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final

from chat_service.test.faults.planted import KILLS, Fault, mark
from chat_service.test.faults.stage import Stage, staged
from chat_service.test.faults.stores import Store

WRITERS: Final = 20
READERS: Final = 20
AGENTS: Final = 4
CHATS: Final = 6
BEFORE: Final = (0.2, 1.5)
"""Between how many seconds after its first acknowledgement a round is interrupted."""
PAUSED: Final = (0.1, 7.0)
"""For how many seconds a process stands still. Above 5 the database ends its transaction."""
AFTER: Final = 2 * WRITERS
"""How many sends have to be acknowledged after it, before everybody may stop."""


class Kind(StrEnum):
    """What happens to whom, at any moment or at a certain one."""

    SERVER = "server"
    """SIGKILL to the service."""
    DATABASE = "database"
    """SIGKILL to PostgreSQL, under a service that goes on."""
    BOTH = "both"
    """SIGKILL to both."""
    PAUSE = "pause"
    """SIGSTOP to the service, and SIGCONT a little later."""
    KILL_MID_TRANSACTION = Fault.KILL_MID_TRANSACTION.value
    KILL_BEFORE_COMMIT = Fault.KILL_BEFORE_COMMIT.value
    KILL_AFTER_COMMIT = Fault.KILL_AFTER_COMMIT.value
    STOP_BEFORE_COMMIT = Fault.STOP_BEFORE_COMMIT.value
    ROLL_BACK = Fault.ROLL_BACK.value
    LOSE_COMMIT = Fault.LOSE_COMMIT.value

    @property
    def fault(self) -> Fault | None:
        """The fault that has to be planted in the server; without one it is the true server."""
        return Fault(self.value) if self.value in set(Fault) else None


def kinds_on(backend: str) -> list[Kind]:
    """What can happen on a database: SQLite has no process of its own."""
    alone = (Kind.DATABASE, Kind.BOTH)
    return [kind for kind in Kind if backend == "postgres" or kind not in alone]


@dataclass(frozen=True)
class Outcome:
    """What a round came to: attempts to send, those acknowledged, those that were not."""

    kind: str
    sends: int
    acks: int
    retries: int
    violations: list[str]
    remark: str = ""


@asynccontextmanager
async def rounds_on(store: Store, folder: Path, random: Random) -> AsyncIterator["Rounds"]:
    """A service to be killed again and again."""
    async with staged(store, folder, random, agents=AGENTS, chats=CHATS) as stage:
        yield Rounds(stage, random)


class Rounds:
    """Rounds on one service; each checks the history of all of them."""

    def __init__(self, stage: Stage, random: Random) -> None:
        self._stage = stage
        self._random = random
        self._planted = False

    async def play(self, kind: Kind) -> Outcome:
        """One round."""
        notes = self._stage.notes
        acks, retries = notes.acks.count, len(notes.unanswered)
        await self._let_start(planted=kind.fault is not None)
        self._stage.writers.start(WRITERS)
        self._stage.readers.start(READERS)
        await self._acknowledged(1)
        await asyncio.sleep(self._random.uniform(*BEFORE))
        await self._interrupt(kind)
        await self._acknowledged(AFTER)
        await self._stage.writers.stop()
        await self._stage.readers.stop()
        acks, retries = notes.acks.count - acks, len(notes.unanswered) - retries
        violations = await self._stage.violations()
        return Outcome(kind, acks + retries, acks, retries, violations)

    async def _let_start(self, *, planted: bool) -> None:
        """Have the right kind of server."""
        if planted != self._planted:
            self._stage.victim.stop()
            await self._stage.victim.start(planted=planted)
            self._planted = planted

    async def _acknowledged(self, count: int) -> None:
        """Wait for so many more acknowledgements, or for somebody to give up."""
        wanted = self._stage.notes.acks.count + count
        while self._stage.notes.acks.count < wanted:
            await asyncio.sleep(0.01)
            self._stage.writers.raise_if_failed()

    async def _interrupt(self, kind: Kind) -> None:
        if kind.fault is not None:
            await self._set_off(kind.fault)
        elif kind is Kind.PAUSE:
            self._stage.victim.sigstop()
            await self._go_on()
        else:
            await self._kill(server=kind is not Kind.DATABASE, database=kind is not Kind.SERVER)

    async def _set_off(self, fault: Fault) -> None:
        """Let somebody's next message set a fault off, and help up whom it has struck."""
        victim = self._stage.victim
        self._stage.writers.next_text = mark(fault, victim.pid)
        if fault in KILLS:
            await victim.ended()
            await victim.start(planted=True)
        elif fault is Fault.STOP_BEFORE_COMMIT:
            await victim.stands_still()
            await self._go_on()

    async def _go_on(self) -> None:
        await asyncio.sleep(self._random.uniform(*PAUSED))
        self._stage.victim.sigcont()

    async def _kill(self, *, server: bool, database: bool) -> None:
        """Kill one or both, in any order, and start them again."""
        steps: list[Callable[[], None]] = []
        postgres = self._stage.store.server
        if server:
            steps.append(self._stage.victim.kill)
        if database and postgres is not None:
            steps.append(postgres.kill)
        self._random.shuffle(steps)
        for step in steps:
            step()
        if database and postgres is not None:
            await asyncio.to_thread(postgres.start)
        if server:
            await self._stage.victim.start(planted=self._planted)
