"""What `create_app` hands to the live connections, and how they learn who calls."""

import time
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cachetools import LRUCache

from chat_service.auth import Admission, Authenticator, Caller, login
from chat_service.config import Auth, Limits, Realtime
from chat_service.errors import OriginNotAllowed
from chat_service.events.transaction import looking, transaction
from chat_service.limits.addresses import network_of
from chat_service.limits.policies import Claim, Policy, RateLimits
from chat_service.messages.services import MessageLanes
from chat_service.origins import Origins
from chat_service.realtime.frames import Auth as AuthFrame
from chat_service.realtime.frames import Hello
from chat_service.realtime.frames import Limits as FrameLimits
from chat_service.realtime.frames import Welcome
from chat_service.realtime.hub import Hub
from chat_service.realtime.states import States
from chat_service.schema import Clock
from chat_service.tickets import redeem_ticket

REMEMBERED: Final = 10_000


class Desk:
    """The parts of the service that connections use."""

    def __init__(
        self,
        hub: Hub,
        states: States,
        authenticator: Authenticator,
        origins: Origins,
        lanes: MessageLanes,
        rates: RateLimits,
        *,
        auth: Auth,
        limits: Limits,
        settings: Realtime,
        clock: Clock,
    ) -> None:
        self.hub = hub
        self.states = states
        self.lanes = lanes
        self.rates = rates
        self.limits = limits
        self.settings = settings
        self.clock = clock
        self._authenticator = authenticator
        self._origins = origins
        self._recheck_seconds = auth.recheck_seconds
        self._logins: LRUCache[Any, float] = LRUCache(REMEMBERED)

    def check_door(self, scope: Any) -> None:
        """Refuse an upgrade meant for another service, or one too many of an address.

        Raises Misdirected, RateLimited.
        """
        self._origins.check_host(_header(scope, b"host") or "")
        address, _ = scope.get("client") or ("", 0)
        self.rates.take(Claim(Policy.SOCKET, (network_of(address or ""),)))

    async def check_origin(self, scope: Any) -> None:
        """Refuse a page that belongs to nobody here; raises OriginNotAllowed."""
        allowed = await self._origins.allowed(_header(scope, b"origin"), own=self._own(scope))
        if not allowed:
            raise OriginNotAllowed()

    def is_secure(self, scope: Any) -> bool:
        """Whether browsers open sockets over TLS."""
        return self._origins.are_secure(scope["scheme"])

    async def admit(
        self, frame: Hello | AuthFrame, scope: Any, *, device_id: str | None
    ) -> Admission:
        """Who holds the token or ticket of a frame, and until when; `device_id` is of the hello.

        Raises Unauthenticated, and OriginNotAllowed for a page that is not for this caller.
        """
        origin = _header(scope, b"origin")
        if frame.token is not None:
            caller, expires_at = await self._authenticator.admit(frame.token)
        else:
            async with transaction() as db:
                caller, expires_at = await redeem_ticket(
                    db,
                    str(frame.ticket),
                    device_id=device_id,
                    origin=origin,
                    now=self.clock(),
                )
        if not await self._origins.allowed_for(caller, origin, own=self._own(scope)):
            raise OriginNotAllowed()
        return caller, expires_at

    async def confirm(self, caller: Caller, token: str | None) -> Caller:
        """Who has entered the hub, with the rights he has; what changes them later is heard.

        What was remembered of the token may be older than the hub's reading of that log.
        """
        await self.hub.opened(caller.workspace_id)
        return await self.look(caller, token)

    async def check(self, caller: Caller, token: str | None) -> None:
        """Whether who was admitted still may act; remembered as for requests.

        `token` is None for who came by a ticket. Raises Unauthenticated.
        """
        if token is not None:
            await self._authenticator.admit(token)
        elif self._logins.get((caller.workspace_id, caller.token_id), 0) <= time.monotonic():
            await self.look(caller, token)

    async def look(self, caller: Caller, token: str | None) -> Caller:
        """The same by nothing that is remembered: who was admitted, as he is now."""
        if token is not None:
            return (await self._authenticator.admit(token, fresh=True))[0]
        key = caller.workspace_id, caller.token_id
        until = time.monotonic() + self._recheck_seconds  # counted from before the reading
        async with looking() as db:
            found, _ = await login(db, *key, now=self.clock())
        self._logins[key] = until
        return found

    def welcome(self, connection_id: UUID, expires_at: datetime | None) -> Welcome:
        """What a connection is told that may begin."""
        return Welcome(
            connection_id=connection_id,
            heartbeat_ms=round(self.settings.heartbeat_seconds * 1000),
            token_expires_at=expires_at,
            limits=FrameLimits(
                frame_bytes=self.settings.frame_bytes,
                frames_per_second=self.settings.frames_per_second,
                subscriptions=self.settings.subscriptions,
            ),
            server_time=self.clock(),
        )

    def _own(self, scope: Any) -> str:
        return self._origins.own(scope["scheme"], _header(scope, b"host") or "")


def _header(scope: Any, name: bytes) -> str | None:
    """A header of the upgrade, the first of its name."""
    found = (value for key, value in scope["headers"] if key == name)
    value = next(found, None)
    return None if value is None else value.decode("latin-1")
