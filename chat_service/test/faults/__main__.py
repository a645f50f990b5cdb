"""`make chaos`: many rounds in which something breaks under people who write and read.

Variables: N rounds a backend (50), SEED of all that is chosen at random (printed; the moments still
depend on the machine), ONLY one kind of `rounds.Kind` or `live_rounds.LiveKind`, BACKEND one of
`stores.BACKENDS` or `nats`, SHORT=1 for live rounds as short as those of the tests. Ends with 1 if
anything was lost, doubled, out of order or wrongly shown or told in any round.
"""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic
from typing import Final

from chat_service.test.faults import haproxy
from chat_service.test.faults.live_rounds import (
    FULL,
    KINDS,
    NATS,
    SHORT,
    Extent,
    LiveKind,
    LiveRound,
    live_round_on,
)
from chat_service.test.faults.rounds import Kind, Outcome, Rounds, kinds_on, rounds_on
from chat_service.test.faults.stores import BACKENDS, Store, postgres_store, sqlite_store
from chat_service.test.nats_server import NoNats
from chat_service.test.nats_server import Server as NatsServer
from chat_service.test.nats_server import running as running_nats
from chat_service.test.postgres_server import NoPostgres, Server, running

ROUNDS: Final = 50
TOGETHER: Final = 10
"""How many rounds share a database. Each of them checks the history of all before it."""
SHOWN: Final = 20
AnyKind = Kind | LiveKind


def main() -> int:
    """Play on each backend; the exit code."""
    count = int(os.environ.get("N") or ROUNDS)
    seed = int(os.environ.get("SEED") or SystemRandom().randrange(10**9))
    only = os.environ.get("ONLY")
    backend = os.environ.get("BACKEND")
    extent = SHORT if os.environ.get("SHORT") else FULL
    print(f"chaos: SEED={seed} N={count}", flush=True)
    if only and only not in {*Kind, *LiveKind}:
        sys.exit(f"chaos: there is no kind {only}; there are {', '.join([*Kind, *LiveKind])}")
    failed = 0
    for name in [backend] if backend else (*BACKENDS, NATS):
        kinds = [kind for kind in possible(name) if only in (None, "", kind)]
        if kinds:
            failed += Series(name, kinds, Random(f"{seed} {name}"), extent).play(count)
    return 1 if failed else 0


def possible(backend: str) -> list[AnyKind]:
    """What can be done here."""
    kinds: list[AnyKind] = [] if backend == NATS else [*kinds_on(backend)]
    kinds += KINDS[backend]
    try:
        haproxy.program()
    except haproxy.NoHaproxy as error:
        print(f"chaos: {error}", flush=True)
        kinds = [kind for kind in kinds if kind is not LiveKind.ROLLING_RESTART_BEHIND_HAPROXY]
    return kinds


class Series:
    """The rounds on one backend."""

    def __init__(self, backend: str, kinds: list[AnyKind], random: Random, extent: Extent) -> None:
        self._backend = backend
        self._random = random
        self._extent = extent
        self._kinds = kinds
        self._outcomes: list[Outcome] = []
        self._failed = 0

    def play(self, count: int) -> int:
        """Play so many rounds, each kind as often as the others; how many failed."""
        with ExitStack() as stack:
            try:
                server = stack.enter_context(running()) if self._backend != "sqlite" else None
                nats = stack.enter_context(running_nats()) if self._backend == NATS else None
            except (NoPostgres, NoNats) as error:
                sys.exit(f"chaos: {error}")
            asyncio.run(self._play(self._plan(count), server, nats))
        self._sum_up()
        return self._failed

    def _plan(self, count: int) -> list[AnyKind]:
        plan: list[AnyKind] = []
        while len(plan) < count:
            plan += self._random.sample(self._kinds, len(self._kinds))
        return plan[:count]

    async def _play(
        self, plan: list[AnyKind], server: Server | None, nats: NatsServer | None
    ) -> None:
        while plan:
            with tempfile.TemporaryDirectory(prefix="chat-chaos-") as folder:
                store = await _store(Path(folder), server)
                if isinstance(plan[-1], LiveKind):
                    await self._play_live(store, Path(folder), plan.pop(), nats)
                    continue
                async with rounds_on(store, Path(folder), self._random) as rounds:
                    await self._play_together(rounds, plan)

    async def _play_live(
        self, store: Store, folder: Path, kind: AnyKind, nats: NatsServer | None
    ) -> None:
        """A live round has a database of its own."""
        assert isinstance(kind, LiveKind)
        began = monotonic()
        outcome = await _live_outcome(
            kind, live_round_on(store, folder, self._random, kind, self._extent, nats=nats)
        )
        self._note(outcome, monotonic() - began)

    async def _play_together(self, rounds: Rounds, plan: list[AnyKind]) -> None:
        """Play up to TOGETHER rounds off the plan; after one that failed nothing is certain."""
        for _ in range(TOGETHER):
            if not plan or isinstance(plan[-1], LiveKind):
                return
            began = monotonic()
            outcome = await _outcome(rounds, Kind(plan.pop()))
            self._note(outcome, monotonic() - began)
            if outcome.violations:
                return

    def _note(self, outcome: Outcome, seconds: float) -> None:
        self._outcomes.append(outcome)
        self._tell(outcome, seconds)
        self._failed += bool(outcome.violations)

    def _tell(self, outcome: Outcome, seconds: float) -> None:
        print(
            f"{self._backend:8} {len(self._outcomes):4} {outcome.kind:30} sends {outcome.sends:5}"
            f"  acks {outcome.acks:5}  retries {outcome.retries:5}"
            f"  violations {len(outcome.violations)}  {seconds:.1f} s  {outcome.remark}".rstrip(),
            flush=True,
        )
        for line in outcome.violations[:SHOWN]:
            print(f"  {line}", flush=True)

    def _sum_up(self) -> None:
        rounds = len(self._outcomes)
        acks = sum(outcome.acks for outcome in self._outcomes)
        kinds = Counter(str(outcome.kind) for outcome in self._outcomes)
        print(
            f"{self._backend}: {self._failed} of {rounds} rounds failed, {acks} acknowledged sends"
            f" ({', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))})"
        )
        if not self._failed:
            print(
                f"  with 95 % confidence a round fails less often than {1 - 0.05 ** (1 / rounds):.1%}"
            )


async def _outcome(rounds: Rounds, kind: Kind) -> Outcome:
    try:
        return await rounds.play(kind)
    except Exception as error:
        return Outcome(kind, 0, 0, 0, [f"the round broke off: {error!r}"])


async def _live_outcome(kind: LiveKind, opened: AbstractAsyncContextManager[LiveRound]) -> Outcome:
    try:
        async with opened as live_round:
            return await live_round.play()
    except Exception as error:
        return Outcome(kind, 0, 0, 0, [f"the round broke off: {error!r}"])


async def _store(folder: Path, server: Server | None) -> Store:
    return await postgres_store(server) if server else await sqlite_store(folder)


if __name__ == "__main__":
    sys.exit(main())
