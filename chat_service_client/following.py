"""Follow a session through any number of cuts, over whatever the way to the service lets through."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final, Protocol

import httpx2
from httpx2.websockets import (
    AsyncWebSocketSession,
    HTTPXWSException,
    WebSocketDisconnect,
    WebSocketUpgradeError,
)
from wsproto.utilities import LocalProtocolError

from chat_service_client import requests
from chat_service_client.closing import Ended, NotHere
from chat_service_client.errors import Problem, ResetByServer
from chat_service_client.position import Event, Gap, Position
from chat_service_client.requests import Json
from chat_service_client.retry import Backoff

SILENCE_SECONDS: Final = 40.0
"""Something comes at least this often while the connection lives."""
WAIT_SECONDS: Final = 20.0
SOME_FAILURES: Final = 2
"""So many in a row without an event, and another transport is tried."""
RESETS: Final = {"cursor_expired", "cursor_ahead", "cursor_mismatch"}
FRAME_BYTES: Final = 256 * 1024
"""Frames have 64 KiB, or a single event of up to twice as much."""
UNREAD_EVENTS: Final = 64

logger = logging.getLogger(__name__)


class Calls(Protocol):
    """Whoever sends requests, with a token."""

    token: str | None

    @property
    def renewable(self) -> bool: ...
    async def renew(self) -> None: ...
    def headers(self) -> dict[str, str]: ...


class Follower:
    """One session followed from a cursor."""

    def __init__(
        self,
        calls: Calls,
        http: httpx2.AsyncClient,
        session_id: str,
        *,
        after: str | None,
        silence: float,
        backoff: Backoff,
    ) -> None:
        self._calls = calls
        self._http = http
        self._silence = silence
        self._session_id = session_id
        self._position = Position(after)
        self._backoff = backoff
        self._expired = False
        """Whether the token has ended, and there is no other yet."""
        self._opened: float | None = None
        """When the connection of now was there."""
        self._path = f"/v1/sessions/{session_id}/events"

    async def events(self) -> AsyncGenerator[Event, None]:
        """Each event once and in order, until the caller has enough or the service closes."""
        transports: list[Callable[[], AsyncGenerator[Event, None]]] = [
            self._over_websocket,
            self._over_sse,
            self._over_long_poll,
        ]
        failures = 0
        while True:
            self._opened = None
            failed: Exception | None = None
            try:
                await self._renew()
                async with aclosing(self._applied(transports[0])) as events:
                    async for event in events:
                        failures = 0
                        yield event
            except NotHere:
                transports.append(transports.pop(0))
                continue
            except Ended as end:
                if end.is_normal:
                    return
                failed = end.problem()
            except (Problem, Gap, httpx2.TransportError, HTTPXWSException, TimeoutError) as error:
                failed = error
            asked = self._judge(failed)
            failures += 1
            self._backoff.held(self._lasted())
            if failures > SOME_FAILURES:
                failures = 0
                transports.append(transports.pop(0))
            await asyncio.sleep(self._backoff.next(asked))

    async def _renew(self) -> None:
        """Have another token, where the one of now has ended."""
        if self._expired:
            await self._calls.renew()
            self._expired = False

    def _judge(self, failed: Exception | None) -> float:
        """For how many seconds the service wants nobody back; what is final is raised."""
        if isinstance(failed, Gap):
            logger.error("session %s: the service left out events: %s", self._session_id, failed)
        if not isinstance(failed, Problem):
            return 0.0
        if failed.code in RESETS:
            raise ResetByServer(failed.code)
        if failed.status == 401 and self._calls.renewable and not self._expired:
            self._expired = True
        elif not failed.retryable:
            raise failed
        return failed.retry_after or 0.0

    def _open(self) -> None:
        """The connection of now is there."""
        if self._opened is None:
            self._opened = asyncio.get_running_loop().time()

    def _lasted(self) -> float:
        """For how many seconds there was a connection."""
        if self._opened is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._opened

    async def _applied(
        self, transport: Callable[[], AsyncGenerator[Event, None]]
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(transport()) as events:
            async for event in events:
                for new in self._position.apply([event]):
                    yield new

    async def _over_websocket(self) -> AsyncGenerator[Event, None]:
        """The socket lives in a task of its own, which waits where its events are not taken."""
        heard: asyncio.Queue[Event | None] = asyncio.Queue(UNREAD_EVENTS)
        reader = asyncio.create_task(self._read_socket(heard))
        try:
            while (event := await heard.get()) is not None:
                yield event
            await reader
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _read_socket(self, heard: asyncio.Queue[Event | None]) -> None:
        try:
            await self._talk(heard)
        except WebSocketUpgradeError as error:
            raise closed_door(error.response) from error
        except WebSocketDisconnect as end:
            raise Ended(end.code, end.reason or "") from end
        finally:
            self._end(heard)

    def _end(self, heard: asyncio.Queue[Event | None]) -> None:
        """Nothing more comes; what was heard and not taken is asked for again."""
        if heard.full():
            while not heard.empty():
                heard.get_nowait()
        heard.put_nowait(None)

    async def _talk(self, heard: asyncio.Queue[Event | None]) -> None:
        url = str(self._http.base_url.copy_with(path="/v1/realtime")).replace("http", "ws", 1)
        async with self._http.websocket(
            url, subprotocols=["chat.v1"], max_message_size_bytes=FRAME_BYTES
        ) as socket:
            end = await self._converse(socket, heard)
        raise end

    async def _converse(
        self, socket: AsyncWebSocketSession, heard: asyncio.Queue[Event | None]
    ) -> Exception:
        """Talk until there is an end, which is given back: the socket would wrap what is raised."""
        try:
            await _say(socket, {"op": "hello", "token": self._calls.token})
            await _say(socket, self._subscribe())
            while True:
                frame = json.loads(await socket.receive_text(self._silence))
                for event in self._heard(frame):
                    await heard.put(event)
                if frame["op"] == "ping":
                    await _say(socket, {"op": "pong", "t": frame["t"]})
        except Exception as error:
            return error

    def _subscribe(self) -> Json:
        return {
            "op": "subscribe",
            "id": 1,
            "stream": f"session:{self._session_id}",
            "after": self._position.cursor or self._beginning(),
            "on_reset": "error",
        }

    def _beginning(self) -> str:
        """The cursor before the first event, in the numbering of staff or of customers."""
        staff = (self._calls.token or "").startswith(("sk_", "at_"))
        return "c1.s.0" if staff else "c1.p.0"

    def _heard(self, frame: Json) -> list[Event]:
        """The events of a frame; raises what a frame says, be it that nothing comes after it."""
        if frame["op"] == "goodbye":
            raise Ended(frame["code"], frame["reason"], frame["after_ms"] / 1000)
        if frame["op"] == "subscribed":
            self._open()
        if frame["op"] == "events":
            return list(frame["events"])
        if frame["op"] == "unsubscribed" and frame["code"] == "too_far_behind":
            raise NotHere  # pages bring a long history faster
        if frame["op"] == "unsubscribed":
            raise ResetByServer(frame["code"])
        if frame["op"] == "error":
            problem = frame["problem"]
            raise Problem(problem["status"], problem, retry_after=problem.get("retry_after"))
        return []

    async def _over_sse(self) -> AsyncGenerator[Event, None]:
        headers = self._calls.headers()
        if self._position.cursor is not None:
            headers["Last-Event-ID"] = self._position.cursor
        timeout = httpx2.Timeout(10.0, read=self._silence)
        async with self._http.sse(self._path, headers=headers, timeout=timeout) as source:
            if not source.response.is_success:
                await source.response.aread()
                raise requests.problem_of(source.response)
            if "text/event-stream" not in source.response.headers.get("Content-Type", ""):
                raise NotHere
            self._open()
            async for told in source:
                if told.event == "reset":
                    raise ResetByServer(json.loads(told.data)["reason"])
                if told.id and told.event != "heartbeat" and '"seq"' in told.data:
                    yield json.loads(told.data)

    async def _over_long_poll(self) -> AsyncGenerator[Event, None]:
        while True:
            wait = min(WAIT_SECONDS, self._silence / 2)
            call = requests.events(self._session_id, self._position.cursor, wait)
            timeout = httpx2.Timeout(10.0, read=self._silence)
            response = await self._http.request(
                call.method,
                call.path,
                params=call.params,
                headers=self._calls.headers(),
                timeout=timeout,
            )
            page = requests.answer_of(response)
            self._open()
            for event in page["data"]:
                yield event


async def _say(socket: AsyncWebSocketSession, frame: Json) -> None:
    """Send a frame; where the far end has just closed, its code is what is received next."""
    with suppress(LocalProtocolError):
        await socket.send_json(frame)


def closed_door(response: httpx2.Response) -> Exception:
    """Why there is no socket: too many came from here, which passes, or there are none on this way."""
    if response.status_code != 429:
        return NotHere()
    document = {"code": "rate_limited", "retryable": True}
    return Problem(429, document, retry_after=requests.retry_after_of(response))
