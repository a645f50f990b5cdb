"""create_app: the only place where parts are joined."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from chat_service import logs, problems, routes
from chat_service.agents.passwords import Passwords
from chat_service.auth import Authenticator
from chat_service.config import Config
from chat_service.errors import ServiceError
from chat_service.events.transaction import Database, reading
from chat_service.messages.services import open_lanes
from chat_service.model import is_sqlite, open_engine
from chat_service.model.checks import FileLock, weakness
from chat_service.model.migrations import is_current
from chat_service.requests import Framework
from chat_service.schema import Clock, utc_now
from chat_service.server.asgi import KeepWrites
from chat_service.server.drain import Drain
from chat_service.tokens import Keys, load_secret_key
from chat_service.web import Shared

BAD_CONFIGURATION: Final = 3
OLD_SCHEMA: Final = 4


class Service:
    """The service as an ASGI application. `quart` is the framework's part of it."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.drain = Drain()
        self.database = Database(open_engine(config.database))
        self.lanes = open_lanes(config.limits, clock)
        self.quart = Framework("chat_service")
        self.quart.config.update(
            MAX_CONTENT_LENGTH=config.server.body_bytes,
            BODY_TIMEOUT=config.server.body_seconds,
        )
        self._lock = FileLock(config.database.url) if is_sqlite(self.database.engine) else None
        self._asgi: Callable[..., Awaitable[None]] = KeepWrites(self.quart)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request, or the life of the process, on this service's database."""
        with self.database.bound():
            await self._asgi(scope, receive, send)

    async def start(self) -> None:
        """Refuse to serve a database that is used, old, or weaker than promised."""
        if self._lock is not None and not self._lock.acquire():
            _refuse(
                BAD_CONFIGURATION,
                f"another process serves {self.config.database.url}; "
                "several need PostgreSQL (database.url)",
            )
        try:
            async with reading() as db:
                current = await is_current(db)
            weak = await weakness(self.database.engine)
        except (SQLAlchemyError, OSError, ServiceError) as error:
            _refuse(1, f"cannot reach the database: {type(error.__cause__ or error).__name__}")
        if not current:
            _refuse(OLD_SCHEMA, "the database has another schema; run: chat-service migrate")
        if weak is not None and self.config.database.profile == "durable":
            _refuse(BAD_CONFIGURATION, f"the database may lose acknowledged messages: {weak}")

    async def stop(self) -> None:
        """Finish what the lanes hold and let the database go."""
        await self.lanes.flush()
        await self.database.engine.dispose()
        if self._lock is not None:
            self._lock.release()


def create_app(config: Config, *, clock: Clock = utc_now) -> Service:
    """The whole service for one configuration; nothing is connected before it starts."""
    logs.configure(config.log)
    service = Service(config, clock)
    keys = Keys(load_secret_key(config.auth))
    app = service.quart
    app.extensions["chat_service"] = Shared(
        auth=config.auth,
        limits=config.limits,
        development=config.environment == "development",
        keys=keys,
        authenticator=Authenticator(config.auth, keys, clock),
        clock=clock,
        drain=service.drain,
        passwords=Passwords(config.auth),
        lanes=service.lanes,
    )
    problems.install(app)
    routes.register(app)
    app.before_serving(service.start)
    app.after_serving(service.stop)
    service.drain.add(service.lanes.flush)
    return service


def _refuse(code: int, line: str) -> None:
    print(line, file=sys.stderr)
    raise SystemExit(code)
