"""Structured logs on standard error: one line an event, with the request's id.

Never a token, a name or a message text: values of errors are left out, only their types and where
they were raised are kept.
"""

import logging
import sys
import traceback
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from chat_service.config import Log

_STEPS: Final[list[Processor]] = []
"""One list for ever: a logger that was used before goes by it, and has the present form too."""


def configure(config: Log) -> None:
    """Set the level and the form of every log line of this process."""
    renderer: Any = structlog.processors.JSONRenderer(serializer=_to_json)
    if config.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    _STEPS[:] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_errors,
        renderer,
    ]
    structlog.configure(
        processors=_STEPS,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[config.level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    if not any(isinstance(handler, Others) for handler in root.handlers):
        root.addHandler(Others(logging.WARNING))


class Others(logging.Handler):
    """What libraries log, in our form: the words they log always, never what was filled in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, by the first line of its text: the rest of it may hold values."""
        words = str(record.msg).partition("\n")[0]
        error = record.exc_info[1] if record.exc_info else None
        structlog.get_logger().log(record.levelno, words, source=record.name, exc_info=error)


def _to_json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def _describe_errors(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an error by its types and its places; its words may hold what somebody wrote."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
        if error.__cause__ is not None:
            event["cause"] = type(error.__cause__).__name__
    return event
