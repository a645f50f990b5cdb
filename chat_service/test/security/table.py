"""The authorization matrix as it is written (`matrix.toml`), read into cells."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from chat_service.test.security.people import PEOPLE

Row = dict[str, Any]
NO_TARGET: Final = "none"
EVERYBODY: Final = "everybody"
_FILE: Final[dict[str, Row]] = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text())
GROUPS: Final[dict[str, str]] = _FILE["groups"]
TABLE: Final = {address: row for address, row in _FILE.items() if address != "groups"}


@dataclass(frozen=True)
class Cell:
    """What one caller is answered at one target."""

    caller: str
    target: str
    status: int

    @property
    def refused(self) -> bool:
        """Whether nothing may come of it."""
        return self.status >= 400


def named(row: Row) -> Iterator[tuple[str, Any]]:
    """Each caller that a row names, by himself or in a group, with what he is answered."""
    for names, answer in row.items():
        if names not in ("targets", EVERYBODY):
            for name in names.split():
                for caller in GROUPS.get(name, name).split():
                    yield caller, answer


def cells_of(row: Row) -> list[Cell]:
    """The cells of a row: a single status is the answer at each target."""
    targets, answers = row.get("targets", [NO_TARGET]), dict(named(row))
    return [
        Cell(caller, target, status)
        for caller in PEOPLE
        for target, status in zip(
            targets, _each(answers.get(caller, row.get(EVERYBODY)), len(targets)), strict=True
        )
    ]


def _each(answer: Any, count: int) -> list[int]:
    return answer if isinstance(answer, list) else [answer] * count


CELLS: Final = {address: cells_of(row) for address, row in TABLE.items()}
