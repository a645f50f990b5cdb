"""`python -m bench`: play rows and report them."""

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from bench import servers
from bench.cast import CONTENDERS, SUBJECTS, once
from bench.limits import PlayedLimits
from bench.load import LoadError
from bench.machine import choose_cores, describe, durable_parent, pinned
from bench.report import Report
from bench.rows import ROWS, Played, Row, look, play
from bench.stage import Stage

# Hypercorn closes a connection after 1 000 requests, which a longer turn might reach.
MOST_SECONDS = 30


def main() -> None:
    """Run the benchmark; ends with 1 where figures and stored rows do not agree."""
    options = _options()
    if not hasattr(os, "sched_setaffinity"):
        sys.exit("bench: needs Linux, where processes stay on their cores")
    signal.signal(signal.SIGTERM, _terminate)
    try:
        report = _run(options.rows, options.runs, options.seconds)
    except LoadError as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    report.write()
    print("", report.table(), sep="\n")


def _run(numbers: list[int], runs: int, seconds: int) -> Report:
    began, cores = datetime.now(UTC), choose_cores()
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="bench-", dir=durable_parent())
        folder = Path(stack.enter_context(made))
        postgres = stack.enter_context(servers.postgres(folder / "postgres", core=cores.back))
        machine = describe(folder, postgres.query("SHOW server_version"))
        stage = Stage(folder, cores, postgres, stack)
        contender, subject = once(CONTENDERS, stage), once(SUBJECTS, stage)
        played: dict[int, Played | PlayedLimits] = {}
        with pinned(cores.back):
            for number in numbers:
                row = ROWS[number]
                print(f"row {number}: {row.what}", flush=True)
                if isinstance(row, Row):
                    played[number] = play(row, contender, runs=runs, seconds=seconds)
                else:
                    played[number] = look(row, subject, runs=runs, seconds=seconds)
    return Report(began, machine, runs, seconds, played)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench", description="Compare the service with its peers."
    )
    parser.add_argument(
        "--rows", type=_numbers, default=list(ROWS), help="which, such as 1,2; default: all"
    )
    parser.add_argument("--seconds", type=int, choices=range(1, MOST_SECONDS + 1), default=6)
    parser.add_argument("--runs", type=int, default=5)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    numbers = [int(word) for word in text.split(",")]
    if unknown := set(numbers) - set(ROWS):
        raise argparse.ArgumentTypeError(f"no row {min(unknown)}; there are {list(ROWS)}")
    return numbers


def _terminate(_: int, __: FrameType | None) -> None:
    """End as by Ctrl-C, which an event loop knows how to handle."""
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
