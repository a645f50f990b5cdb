"""The door of the sockets: which upgrades are accepted, before anybody has said who he is."""

from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import structlog

from chat_service.errors import NotFound, ServiceError, Unavailable, UpgradeRequired
from chat_service.headers import Kind, headers_of
from chat_service.realtime.desk import Desk
from chat_service.realtime.frames import SUBPROTOCOL
from chat_service.realtime.socket import PATH, Socket
from chat_service.refusals import problem_document
from chat_service.schema import new_id

log = structlog.get_logger(__name__)


class Sockets:
    """An ASGI application of WebSockets alone."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one upgrade, and stay for the life of the socket."""
        if (await receive())["type"] != "websocket.connect":
            return
        connection_id = new_id()
        # The server gives each socket a context of its own, as it does each request.
        structlog.contextvars.bind_contextvars(request_id=str(connection_id))
        try:
            await self._check(scope)
        except ServiceError as error:
            log.info("socket_refused", status=error.status, code=error.code)
            await _refuse(scope, send, error, connection_id, secure=self._desk.is_secure(scope))
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        socket = Socket(self._desk, connection_id, scope, receive, send)
        try:
            await socket.run()
        finally:
            log.info("socket", **socket.summary())

    async def _check(self, scope: Any) -> None:
        """Raise what the upgrade is refused with."""
        if scope["path"] != PATH:
            raise NotFound("There is no socket at this address")
        if self._desk.hub.leaving:
            raise Unavailable("The service is shutting down")
        self._desk.check_door(scope)
        await self._desk.check_origin(scope)
        if SUBPROTOCOL not in scope.get("subprotocols", ()):
            raise UpgradeRequired(f"Offer the subprotocol {SUBPROTOCOL}")


async def _refuse(
    scope: Any, send: Any, error: ServiceError, connection_id: UUID, *, secure: bool
) -> None:
    """Answer with a problem where the server can; else it is a bare 403."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1000})
        return
    instance = quote(scope["path"])
    document = problem_document(error, instance=instance, request_id=str(connection_id))
    safe = dict(headers_of(Kind.PROBLEM, secure=secure))
    headers = safe | {"Content-Type": "application/problem+json", **error.headers}
    start = {
        "type": "websocket.http.response.start",
        "status": error.status,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await send(start)
    await send({"type": "websocket.http.response.body", "body": orjson.dumps(document)})
