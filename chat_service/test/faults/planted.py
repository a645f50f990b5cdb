"""Serves the service with faults that certain messages set off: `python -m` this module.

A fault strikes in the transaction that stores a message with the text of a `mark`, once, or in the
next one of a follower after it. The service itself knows nothing of it: the faults hang on events of
SQLAlchemy.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.orm import Session

from chat_service.app import Service, create_app
from chat_service.config import load_config
from chat_service.server.runner import serve
from chat_service.test.builders import unique
from chat_service.test.faults.careless import careless
from chat_service.test.faults.faulty import FAULTY, hand_in
from chat_service.test.faults.victim import FAULTY_PART

NAME: Final = "chat_service.test.faults.planted:app"


class Fault(StrEnum):
    """What goes wrong, and at which moment of the transaction."""

    KILL_MID_TRANSACTION = "kill_mid_transaction"
    """SIGKILL when the messages are inserted and the log is not yet written."""
    KILL_BEFORE_COMMIT = "kill_before_commit"
    """SIGKILL when all is written, in place of the COMMIT."""
    KILL_AFTER_COMMIT = "kill_after_commit"
    """SIGKILL when the database has committed and nobody has been answered."""
    STOP_BEFORE_COMMIT = "stop_before_commit"
    """SIGSTOP with every lock held, `feed_head` among them."""
    ROLL_BACK = "roll_back"
    """The connection is lost in place of the COMMIT, which never happens."""
    LOSE_COMMIT = "lose_commit"
    """The connection is lost after the COMMIT: it happened, and the service cannot know."""


KILLS: Final = frozenset(fault for fault in Fault if fault.startswith("kill"))
MARK: Final = re.compile(r"fault:(?P<fault>\w+):(?P<whose>\w+):(?P<pid>\d+):\w+\.")
SENDER: Final = "sender"
FOLLOWER: Final = "follower"
"""Whose transaction it strikes in."""
FOLLOWED: Final = {
    Fault.KILL_MID_TRANSACTION: "INSERT INTO message_counts ",
    Fault.KILL_BEFORE_COMMIT: "UPDATE feed_readers ",
    Fault.KILL_AFTER_COMMIT: "UPDATE feed_readers ",
}
"""By what a follower's transaction is known: its effect is made, or its position stored."""
BEFORE_COMMIT: Final = (Fault.KILL_BEFORE_COMMIT, Fault.STOP_BEFORE_COMMIT, Fault.ROLL_BACK)
AFTER_COMMIT: Final = (Fault.KILL_AFTER_COMMIT, Fault.LOSE_COMMIT)


def mark(fault: Fault, pid: int, *, whose: str = SENDER) -> str:
    """A text that sets a fault off once in one process, and in no other after it."""
    return f"fault:{fault}:{whose}:{pid}:{unique()}."


def plant(service: Service) -> "Faults":
    """Hang those faults on the database of a service that strike before a commit has happened."""
    faults = Faults()
    engine = service.database.engine.sync_engine
    listen(engine, "after_cursor_execute", faults.after_statement)
    listen(engine, "commit", faults.before_commit)
    return faults


class Faults:
    """Which tasks are in a marked transaction, and what has struck."""

    def __init__(self) -> None:
        self._marked: dict[object, Fault] = {}
        self._struck: set[str] = set()
        self._waiting: Fault | None = None
        """Strikes in the next transaction of a follower."""

    def after_statement(self, _: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        """A statement was executed."""
        if statement.startswith("INSERT INTO chat_messages "):
            self._look_for_marks(repr(values))
        elif self._waiting is not None and statement.startswith(FOLLOWED[self._waiting]):
            self._marked[asyncio.current_task()] = self._waiting
        self._strike(Fault.KILL_MID_TRANSACTION)

    def _look_for_marks(self, values: str) -> None:
        for found in MARK.finditer(values):
            if int(found["pid"]) != os.getpid() or found[0] in self._struck:
                continue
            self._struck.add(found[0])
            if found["whose"] == FOLLOWER:
                self._waiting = Fault(found["fault"])
            else:
                self._marked[asyncio.current_task()] = Fault(found["fault"])

    def before_commit(self, connection: Connection) -> None:
        """Everything was executed."""
        if self._marked.get(asyncio.current_task()) is Fault.ROLL_BACK:
            connection.invalidate()
        self._strike(*BEFORE_COMMIT)

    def after_commit(self, _: Any) -> None:
        """The database has said that it is done."""
        self._strike(*AFTER_COMMIT)

    def _strike(self, *faults: Fault) -> None:
        fault = self._marked.get(asyncio.current_task())
        if fault in faults:
            del self._marked[asyncio.current_task()]
            EFFECTS[fault]()


def _send(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _lose_connection() -> None:
    raise ConnectionResetError("the connection was lost")


EFFECTS: Final[dict[Fault, Callable[[], None]]] = {
    Fault.KILL_MID_TRANSACTION: _send(signal.SIGKILL),
    Fault.KILL_BEFORE_COMMIT: _send(signal.SIGKILL),
    Fault.KILL_AFTER_COMMIT: _send(signal.SIGKILL),
    Fault.STOP_BEFORE_COMMIT: _send(signal.SIGSTOP),
    Fault.ROLL_BACK: _lose_connection,
    Fault.LOSE_COMMIT: _lose_connection,
}

if __name__ == "__main__":
    sys.exit(serve(NAME, load_config().server))


def __getattr__(name: str) -> Service:
    """The application, made when the server asks for it and by no import."""
    if name != "app":
        raise AttributeError(name)
    config = load_config()
    service = create_app(config)
    part = os.environ.get(FAULTY_PART, "")
    if part in FAULTY:
        hand_in(service, FAULTY[part](config.limits))
    elif part:
        service.followers = careless(service)
    listen(Session, "after_commit", plant(service).after_commit)
    return service
