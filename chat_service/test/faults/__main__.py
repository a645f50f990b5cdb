"""`make chaos`: many rounds in which something breaks under people who write and read.

Variables: N rounds a backend (50), SEED of all that is chosen at random (printed; the moments still
depend on the machine), ONLY one kind of `rounds.Kind`, BACKEND one of `stores.BACKENDS`. Ends with 1
if anything was lost, doubled, out of order or wrongly shown in any round.
"""

import asyncio
import os
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random, SystemRandom
from time import monotonic
from typing import Final

from chat_service.test.faults.rounds import Kind, Outcome, Rounds, kinds_on, rounds_on
from chat_service.test.faults.stores import BACKENDS, Store, postgres_store, sqlite_store
from chat_service.test.postgres_server import NoPostgres, Server, running

ROUNDS: Final = 50
TOGETHER: Final = 10
"""How many rounds share a database. Each of them checks the history of all before it."""
SHOWN: Final = 20


def main() -> int:
    """Play on each backend; the exit code."""
    count = int(os.environ.get("N") or ROUNDS)
    seed = int(os.environ.get("SEED") or SystemRandom().randrange(10**9))
    only = os.environ.get("ONLY")
    backends = [os.environ["BACKEND"]] if os.environ.get("BACKEND") else BACKENDS
    print(f"chaos: SEED={seed} N={count}", flush=True)
    failed = 0
    for backend in backends:
        kinds = [Kind(only)] if only else kinds_on(backend)
        failed += Series(backend, kinds, Random(f"{seed} {backend}")).play(count)
    return 1 if failed else 0


class Series:
    """The rounds on one backend."""

    def __init__(self, backend: str, kinds: list[Kind], random: Random) -> None:
        self._backend = backend
        self._random = random
        self._kinds = kinds
        self._outcomes: list[Outcome] = []
        self._failed = 0

    def play(self, count: int) -> int:
        """Play so many rounds, each kind as often as the others; how many failed."""
        with ExitStack() as stack:
            try:
                server = stack.enter_context(running()) if self._backend == "postgres" else None
            except NoPostgres as error:
                sys.exit(f"chaos: {error}")
            asyncio.run(self._play(self._plan(count), server))
        self._sum_up()
        return self._failed

    def _plan(self, count: int) -> list[Kind]:
        plan: list[Kind] = []
        while len(plan) < count:
            plan += self._random.sample(self._kinds, len(self._kinds))
        return plan[:count]

    async def _play(self, plan: list[Kind], server: Server | None) -> None:
        while plan:
            with tempfile.TemporaryDirectory(prefix="chat-chaos-") as folder:
                store = await _store(Path(folder), server)
                async with rounds_on(store, Path(folder), self._random) as rounds:
                    await self._play_together(rounds, plan)

    async def _play_together(self, rounds: Rounds, plan: list[Kind]) -> None:
        """Play up to TOGETHER rounds off the plan; after one that failed nothing is certain."""
        for _ in range(min(TOGETHER, len(plan))):
            began = monotonic()
            outcome = await _outcome(rounds, plan.pop())
            self._outcomes.append(outcome)
            self._tell(outcome, monotonic() - began)
            if outcome.violations:
                self._failed += 1
                return

    def _tell(self, outcome: Outcome, seconds: float) -> None:
        print(
            f"{self._backend:8} {len(self._outcomes):4} {outcome.kind:20} sends {outcome.sends:5}"
            f"  acks {outcome.acks:5}  retries {outcome.retries:5}"
            f"  violations {len(outcome.violations)}  {seconds:.1f} s",
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


async def _store(folder: Path, server: Server | None) -> Store:
    return await postgres_store(server) if server else await sqlite_store(folder)


if __name__ == "__main__":
    sys.exit(main())
