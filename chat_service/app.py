"""create_app: the only place where parts are joined."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from chat_service import cors, logs, metrics, problems, routes
from chat_service.agents.oidc.provider import open_provider
from chat_service.agents.passwords import Passwords
from chat_service.auth import Authenticator
from chat_service.config import Config
from chat_service.errors import ServiceError
from chat_service.events.broker import Broker, open_broker
from chat_service.events.feed import Feeds
from chat_service.events.follow import Followers
from chat_service.events.source import Growth
from chat_service.events.transaction import Database, reading
from chat_service.limits.policies import RateLimits, Timer
from chat_service.mail import Mailer
from chat_service.messages.services import open_lanes
from chat_service.model import is_sqlite, open_engine
from chat_service.model.checks import FileLock, weakness
from chat_service.model.migrations import is_current
from chat_service.origins import Origins, hosts_of
from chat_service.quotas import Quotas
from chat_service.realtime.desk import Desk
from chat_service.realtime.hub import Hub
from chat_service.realtime.peer import Door
from chat_service.realtime.source import LogSource
from chat_service.realtime.states import States
from chat_service.realtime.upgrade import Sockets
from chat_service.reports.follower import MessageCounter
from chat_service.requests import Framework
from chat_service.schema import Clock, ProcessId, new_id, utc_now
from chat_service.server.asgi import KeepWrites
from chat_service.server.background import spawn
from chat_service.server.drain import Drain
from chat_service.server.overload import Lateness, Overload
from chat_service.server.proxies import Proxies
from chat_service.site import Site
from chat_service.tokens import Keys, load_secret_key
from chat_service.usage import Usage
from chat_service.web import Shared

BAD_CONFIGURATION: Final = 3
OLD_SCHEMA: Final = 4


class Service:
    """The service as an ASGI application. `quart` is the framework's part of it."""

    def __init__(self, config: Config, clock: Clock, broker: Broker) -> None:
        self.config, self.clock = config, clock
        self.drain = Drain()
        self.database = Database(open_engine(config.database))
        self.lanes = open_lanes(config.limits, clock)
        self.quart = Framework("chat_service")
        self.quart.config.update(
            MAX_CONTENT_LENGTH=config.server.body_bytes,
            BODY_TIMEOUT=config.server.body_seconds,
        )
        self._lock = FileLock(config.database.url) if is_sqlite(self.database.engine) else None
        feeds = Feeds(LogSource(), random=Random(), head_seconds=config.realtime.head_check_seconds)
        self.sampler = metrics.Sampler()
        self.sampler.add(metrics.DRAFTS_WAITING, lambda: self.lanes.waiting)
        self.sampler.add(metrics.CONNECTIONS_IN_USE, lambda: self.database.in_use)
        self.followers = Followers(
            [MessageCounter()], clock, ProcessId(new_id()), alone=self._lock is not None
        )
        self.usage, self.mailer = Usage(clock), Mailer(config.email)
        self.hub = Hub(feeds, broker, config.realtime)
        self._look_at_live_delivery()
        alone = self._lock is not None
        self.states = States(self.hub, config.realtime, clock, alone=alone)
        self.database.grown = self._grown
        self.lateness = Lateness()
        self.proxies = Proxies(config.server.trusted_proxies)
        self._asgi: Callable[..., Awaitable[None]] = KeepWrites(self.quart)
        self.sockets: Callable[..., Awaitable[None]] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request, or the life of the process, on this service's database."""
        if self.proxies and scope["type"] != "lifespan":
            scope = self.proxies.seen(scope)
        with self.database.bound():
            if scope["type"] == "websocket" and self.sockets is not None:
                await self.sockets(scope, receive, send)
            else:
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
        settings = self.config.database
        metrics.CONNECTIONS_ALLOWED.set(settings.pool_size)
        metrics.DATABASE.labels(self.database.engine.dialect.name, settings.profile).set(1)
        self._tasks.add(spawn(self.sampler.run))
        await self.hub.start()
        await self.states.start()
        for work in (
            self.hub.feeds.run,
            self.followers.run,
            self.lateness.run,
            self.usage.run,
            self.mailer.run,
        ):
            self._tasks.add(spawn(work))

    async def stop(self) -> None:
        """Finish what the lanes hold and let the database go."""
        await self.lanes.flush()
        await self.states.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.hub.stop()
        await self.usage.write()
        await self.database.engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def _look_at_live_delivery(self) -> None:
        hub, look = self.hub, self.sampler.add
        for door in Door:
            look(metrics.CONNECTIONS.labels(door), partial(hub.connected.__getitem__, door))
        look(metrics.FOLLOWED_SESSIONS, lambda: hub.followed)
        look(metrics.FEEDS, lambda: len(hub.feeds))
        look(metrics.FEED_LAG, lambda: hub.feeds.lag)
        look(metrics.BROKER_UP, lambda: not hub.feeds.outage)

    def _grown(self, growth: Growth) -> None:
        self.hub.grown(growth)
        self.followers.hint(growth.workspace_id, growth.pos)


def create_app(
    config: Config,
    *,
    clock: Clock = utc_now,
    timer: Timer = time.monotonic_ns,
    broker: Broker | None = None,
) -> Service:
    """The whole service for one configuration; nothing is connected before it starts.

    `timer` is what rates go by. Without a `broker` it is the one that the configuration names.
    """
    logs.configure(config.log)
    service = Service(config, clock, broker or open_broker(config.broker, config.database.url))
    keys = Keys(load_secret_key(config.auth))
    app, development = service.quart, config.environment == "development"
    authenticator = Authenticator(config.auth, keys, clock, service.usage)
    hosts = hosts_of(config.server)
    origins = Origins(config.auth, config.server.public_url, hosts)
    site, rates = Site(origins, development=development), RateLimits(config.rates, timer)
    late_seconds = config.rates.late_seconds
    app.extensions["chat_service"] = Shared(
        auth=config.auth,
        limits=config.limits,
        development=development,
        keys=keys,
        authenticator=authenticator,
        site=site,
        quotas=Quotas(rates, behind_proxies=bool(service.proxies)),
        overload=Overload(service.lanes.filled, service.lateness, late_seconds=late_seconds),
        clock=clock,
        drain=service.drain,
        mailer=service.mailer,
        passwords=Passwords(config.auth),
        lanes=service.lanes,
        hub=service.hub,
        metrics_token=config.server.metrics_token,
        security_contact=config.security.contact,
        sampler=service.sampler,
        states=service.states,
        oidc=open_provider(config.oidc, config.server.public_url, clock),
    )
    desk = Desk(
        service.hub,
        service.states,
        authenticator,
        origins,
        service.lanes,
        rates,
        auth=config.auth,
        limits=config.limits,
        settings=config.realtime,
        clock=clock,
    )
    service.sockets = Sockets(desk)
    problems.install(app, origins)
    cors.install(app)
    if hosts:
        app.before_request(site.check_host)
    routes.register(app)
    app.before_serving(service.start)
    app.after_serving(service.stop)
    service.drain.add_farewell(service.hub.drain)
    service.drain.add(service.lanes.flush)
    service.drain.add(service.mailer.flush)
    return service


def _refuse(code: int, line: str) -> None:
    print(line, file=sys.stderr)
    raise SystemExit(code)
