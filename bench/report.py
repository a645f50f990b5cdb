"""The results of a run: a table to read and a file with every figure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bench.contenders import Figures, middle
from bench.limits import Limit, PlayedLimits
from bench.rows import Played

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Report:
    """A run: when it began, on what machine, how it was played, and the rows by number."""

    began: datetime
    machine: Mapping[str, str]
    runs: int
    seconds: int
    rows: Mapping[int, Played | PlayedLimits]

    def write(self) -> None:
        """Write `<date>.json` and `latest.md`."""
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"{self.began:%Y-%m-%dT%H%M%SZ}.json"
        file.write_text(json.dumps(self.figures(), indent=1) + "\n")
        (RESULTS / "latest.md").write_text(self.table())

    def figures(self) -> dict[str, Any]:
        """Everything that was measured."""
        return {
            "began": self.began.isoformat(),
            "machine": dict(self.machine),
            "runs": self.runs,
            "seconds": self.seconds,
            "rows": {number: _row(played) for number, played in self.rows.items()},
        }

    def table(self) -> str:
        """The results in Markdown."""
        lines = [
            f"# Results of {self.began:%Y-%m-%d %H:%M} UTC",
            "",
            f"{self.runs} runs of {self.seconds} s each, by turns. What the rows are and how to "
            "read them: [README](../README.md).",
            "",
            *(self._races() if self._raced else ()),
            *(self._limits() if self._watched else ()),
            "; ".join(f"{name} {value}" for name, value in self.machine.items()) + ".",
        ]
        return "\n".join(lines) + "\n"

    def _races(self) -> Iterator[str]:
        yield from _ratios(self._raced)
        yield ""
        yield from _raw(self._raced)
        yield ""

    def _limits(self) -> Iterator[str]:
        yield from _limits(self._watched)
        yield ""
        yield from _readings(self._watched)

    @property
    def _raced(self) -> dict[int, Played]:
        return {n: played for n, played in self.rows.items() if isinstance(played, Played)}

    @property
    def _watched(self) -> dict[int, PlayedLimits]:
        return {n: played for n, played in self.rows.items() if isinstance(played, PlayedLimits)}


def _row(played: Played | PlayedLimits) -> dict[str, Any]:
    return _raced_row(played) if isinstance(played, Played) else _watched_row(played)


def _watched_row(played: PlayedLimits) -> dict[str, Any]:
    return {
        "what": played.row.what,
        "limits": [
            {**asdict(limit), "value": played.value(limit), "values": played.values(limit)}
            for limit in played.row.limits
        ],
        "rounds": played.rounds,
    }


def _raced_row(played: Played) -> dict[str, Any]:
    return {
        "what": played.row.what,
        "service": played.row.service,
        "beside": [
            {
                "peer": peer.name,
                "goal": peer.goal,
                "ratio": played.ratio(peer),
                "ratios": played.ratios(peer),
            }
            for peer in played.row.beside
        ],
        "rounds": [
            {name: {**asdict(turn), "per_second": turn.per_second} for name, turn in turns.items()}
            for turns in played.rounds
        ],
    }


def _ratios(rows: Mapping[int, Played]) -> Iterator[str]:
    yield "| row | what | beside | ratio of each run | median | goal | |"
    yield "|---|---|---|---|---|---|---|"
    for number, played in rows.items():
        for peer in played.row.beside:
            ratio = played.ratio(peer)
            each = " ".join(f"{one:.2f}" for one in played.ratios(peer))
            met = "met" if ratio >= peer.goal else "not met"
            yield (
                f"| {number} | {played.row.what} | {peer.name} | {each} "
                f"| **{ratio:.2f}** | ≥ {peer.goal:g} | {met} |"
            )


def _raw(rows: Mapping[int, Played]) -> Iterator[str]:
    yield "| row | who | per second | p50 ms | p99 ms | CPU µs: itself | database | driver |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    for number, played in rows.items():
        for name in played.row.order:
            figures = middle([turns[name] for turns in played.rounds])
            yield f"| {number} | {name} | {_cells(figures)} |"


def _limits(rows: Mapping[int, PlayedLimits]) -> Iterator[str]:
    yield "| row | what | of whom | figure | of each run | median | goal | |"
    yield "|---|---|---|---|---|---:|---|---|"
    for number, played in rows.items():
        for limit in played.row.limits:
            each = " ".join(f"{one:.4g}" for one in played.values(limit))
            met = "met" if played.value(limit) <= limit.at_most else "not met"
            yield (
                f"| {number} | {played.row.what} | {limit.who} | {limit.figure} | {each} "
                f"| **{played.value(limit):.4g}** | {_goal(limit)} | {met} |"
            )


def _goal(limit: Limit) -> str:
    return f"≤ {limit.at_most:g}" + (f" × {limit.over}" if limit.over else "")


def _readings(rows: Mapping[int, PlayedLimits]) -> Iterator[str]:
    for number, played in rows.items():
        for who in played.row.order:
            told = ", ".join(f"{name} {one:,.4g}" for name, one in played.middle(who).items())
            yield f"* Row {number}, {who}: {told}."
    yield ""


def _cells(figures: Figures) -> str:
    times = (figures.server_us, figures.database_us, figures.driver_us)
    latencies = f"{figures.per_second:,.0f} | {figures.p50_ms:.1f} | {figures.p99_ms:.1f}"
    return " | ".join([latencies, *(f"{one:.0f}" if one else "–" for one in times)])
