"""Which pages may speak to the service: its own, and those of the origins an inbox lists.

Owns the service's own origin, the address of its sockets, and the check of an `Origin`, which is
exact. A caller without one is no page: an app or a server, for which its token alone speaks.
"""

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import select

from chat_service.auth import Caller
from chat_service.config import ORIGIN, Auth, Server
from chat_service.errors import BadRequest, Misdirected
from chat_service.events.transaction import looking
from chat_service.model import Inbox
from chat_service.schema import InboxId, WorkspaceId

SOCKETS: Final = "/v1/realtime"
_PORT: Final = re.compile(r":\d*$")
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class Origins:
    """The origins of one installation; those of inboxes are read once in `auth.recheck_seconds`."""

    def __init__(self, config: Auth, public_url: str, hosts: Collection[str] = ()) -> None:
        """`hosts` are the names the service goes by, without ports; without any, every name will do."""
        self.public_url = public_url
        """What links begin with, for they go by nothing that a request says; or empty."""
        self._hosts = frozenset(hosts)
        self._seconds = config.recheck_seconds
        self._lock = asyncio.Lock()
        self._listed: Mapping[tuple[WorkspaceId, InboxId | None], frozenset[str]] = {}
        self._all: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    def own(self, scheme: str, host: str) -> str:
        """The origin of the service's own pages, in a browser's spelling.

        It is `server.public_url`, else what the request was sent to: its scheme (http, https, ws,
        wss) and its header `Host`. Raises BadRequest where that is none (RFC 9112, 3.2).
        """
        found = self.public_url or f"{_SCHEMES[scheme]}://{host.lower()}"
        found = found.removesuffix(":443" if found.startswith("https:") else ":80")
        if not ORIGIN.fullmatch(found):
            raise BadRequest("The header Host is missing or malformed")
        return found

    def are_secure(self, scheme: str) -> bool:
        """Whether browsers reach the service over TLS, by what is configured or by this request."""
        return self.public_url.startswith("https:") or scheme in ("https", "wss")

    async def listed(self, origin: str) -> bool:
        """Whether any inbox of the installation lists a page."""
        await self._refresh()
        return origin in self._all

    def check_host(self, host: str) -> None:
        """Refuse what was sent to another service, by its header `Host`; raises Misdirected."""
        if self._hosts and _PORT.sub("", host.lower()).removesuffix(".") not in self._hosts:
            raise Misdirected()

    async def allowed(self, origin: str | None, *, own: str) -> bool:
        """Whether a page may open a socket, before anybody has said who calls."""
        return origin is None or origin == own or await self.listed(origin)

    async def allowed_for(self, caller: Caller, origin: str | None, *, own: str) -> bool:
        """Whether a page is one for this caller: the service's own, or a customer's of his inbox."""
        if origin is None or origin == own or not caller.is_customer:
            return origin is None or origin == own
        await self._refresh()
        return origin in self._listed.get((caller.workspace_id, caller.inbox_id), ())

    async def _refresh(self) -> None:
        """Read what the inboxes of all workspaces list: one query for any number of pages."""
        if not self._is_fresh():
            async with self._lock:
                if not self._is_fresh():
                    await self._read()

    async def _read(self) -> None:
        began = asyncio.get_running_loop().time()
        query = select(Inbox.workspace_id, Inbox.id, Inbox.allowed_origins)
        async with looking() as db:
            rows = (await db.execute(query)).all()
        self._listed = {(row.workspace_id, row.id): frozenset(row[2]) for row in rows}
        self._all = frozenset().union(*self._listed.values())
        self._read_at = began

    def _is_fresh(self) -> bool:
        return asyncio.get_running_loop().time() - self._read_at < self._seconds


def hosts_of(server: Server) -> set[str]:
    """The names a service goes by; none where every name will do."""
    hosts = set(server.hosts)
    if hosts and server.public_url:
        hosts.add(_PORT.sub("", server.public_url.partition("://")[2]))
    return hosts


def websocket_url(own: str) -> str:
    """Where sockets are opened, at the service's own origin."""
    return f"ws{own.removeprefix('http')}{SOCKETS}"
