"""`chat-service doctor URL`: from outside, what a proxy in front of the service lets through."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from chat_service.errors import OriginNotAllowed
from chat_service.realtime.frames import SUBPROTOCOL

SECONDS: Final = 10.0
PATH: Final = "/v1/realtime"
SIGN_IN: Final = 4501
WAIT_SECONDS: Final = 25
"""How long the service holds a long-poll at most."""
MARKS: Final = {True: "ok  ", False: "BAD ", None: "--  "}
BUFFERED_SECONDS: Final = 0.2
"""Events that are sent further apart than this must not arrive together."""
EXPECTED: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True)
class Finding:
    """What one check came to; `cure` says what to change where it failed. Good is None if not tried."""

    name: str
    good: bool | None
    said: str
    cure: str = ""


@click.command()
@click.argument("url")
@click.option(
    "--token",
    envvar="CHAT_TOKEN",
    show_envvar=True,
    help=f"Of an agent or an API key: try a long-poll too, which takes {WAIT_SECONDS} seconds.",
)
def command(url: str, token: str | None) -> None:
    """Check from outside which transports come through to the service at URL."""
    failed = False
    for finding in examine(url.rstrip("/"), token):
        failed = failed or finding.good is False
        print(f"{MARKS[finding.good]} {finding.name}: {finding.said}")
        if finding.cure:
            print(f"     {finding.cure}")
    sys.exit(1 if failed else 0)


def examine(url: str, token: str | None = None, *, wait: int = WAIT_SECONDS) -> Iterator[Finding]:
    """Look at a service, one finding after the other; none follows where it cannot be reached."""
    reached = _tried("reachable", lambda: _health(url))
    yield reached
    if reached.good:
        yield _tried("headers", lambda: _headers(url))
        yield _tried("WebSocket", lambda: _websocket(url))
        yield _tried("server-sent events", lambda: _stream(url))
        yield NOT_TRIED if token is None else _tried(POLL, lambda: _long_poll(url, token, wait))


def _tried(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (OSError, HTTPException, ValueError) as error:
        return Finding(name, False, f"{type(error).__name__}: {error}", "Is the address right?")


def _get(
    url: str, *, token: str | None = None, seconds: float = SECONDS, **headers: str
) -> HTTPResponse:
    """An answer of whatever status, unread; a token is for this address and no other."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, headers=given)
    if token is not None:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        found: Any = urllib.request.urlopen(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        found = error
    answer: HTTPResponse = found
    return answer


def _health(url: str) -> Finding:
    with _get(f"{url}/health") as answer:
        good = answer.status == 200 and json.loads(answer.read()) == {"status": "ok"}
        said = f"/health answers {answer.status}"
    return Finding("reachable", good, said, "" if good else "Something else answers there.")


def _headers(url: str) -> Finding:
    """What a proxy must not take away or change."""
    with _get(f"{url}/health") as answer:
        found = {name: answer.headers.get(name) for name in EXPECTED}
        changed = [f"{name}: {found[name]}" for name in EXPECTED if found[name] != EXPECTED[name]]
        if answer.headers.get("request-id") is None:
            changed.append("request-id is missing")
    if changed:
        return Finding("headers", False, "; ".join(changed), "Let the service's headers through.")
    return Finding("headers", True, "as the service sent them")


def _websocket(url: str) -> Finding:
    """Of a page of the service itself: a hello with no token must be refused by us alone."""
    name = "WebSocket"
    address = url.replace("http", "ws", 1) + PATH
    given: Any = {"subprotocols": [SUBPROTOCOL], "origin": origin_of(url)}
    try:
        with connect(address, open_timeout=SECONDS, **given) as socket:
            socket.send(json.dumps({"op": "hello", "token": "doctor"}))
            while True:
                socket.recv(timeout=SECONDS)
    except ConnectionClosed as end:
        code = end.rcvd.code if end.rcvd else None
        if code == SIGN_IN:
            return Finding(name, True, "upgraded, and frames come through both ways")
        return Finding(name, False, f"closed with {code}", "Something between cuts open sockets.")
    except InvalidStatus as refused:
        if _code_of(refused.response.body) == OriginNotAllowed.code:
            return _foreign(url)
        return _not_upgraded(url, refused.response.status_code)
    except InvalidHandshake as error:
        return Finding(name, False, f"no handshake: {error}", UPGRADE)
    except TimeoutError:
        return Finding(name, False, "upgraded, and then nothing came", "Frames are held back.")


UNHINDERED: Final = "nginx: proxy_buffering off, and no text/event-stream among gzip_types."
HOST: Final = "proxy_set_header Host $http_host;"
UPGRADE: Final = (
    "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    f'proxy_set_header Connection "upgrade"; {HOST} proxy_read_timeout 75s;'
)


def origin_of(url: str) -> str:
    """The origin of a page at an address, in a browser's spelling."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2].lower()
    scheme = parts.scheme.lower()
    return f"{scheme}://{place.removesuffix(':443' if scheme == 'https' else ':80')}"


def _code_of(body: bytes | bytearray | None) -> str | None:
    """The code of a problem; None for an answer that is none."""
    try:
        code: str | None = json.loads(body or b"")["code"]
    except (ValueError, TypeError, KeyError):
        return None
    return code


def _foreign(url: str) -> Finding:
    """The service takes its own pages for those of another site."""
    origin = origin_of(url)
    said = f"a page of {origin} is refused as one of another site: {OriginNotAllowed.code}"
    cure = f"Set server.public_url to {origin}; without TLS this is enough for nginx: {HOST}"
    return Finding("WebSocket", False, said, cure)


def _not_upgraded(url: str, status: int) -> Finding:
    """Ask the service itself which headers of the upgrade arrived."""
    with _get(url + PATH, Upgrade="websocket", Connection="Upgrade") as answer:
        arrived = json.loads(answer.read()).get("arrived") if answer.status == 426 else None
    said = f"the upgrade was answered {status}"
    if arrived is not None:
        said += "; at the service arrived " + ", ".join(
            f"{name}: {value or '(nothing)'}" for name, value in arrived.items()
        )
    return Finding("WebSocket", False, said, UPGRADE)


def _stream(url: str) -> Finding:
    """Three events that are sent apart must arrive apart, as a browser asks for them."""
    name, moments = "server-sent events", []
    with _get(url + PATH, Accept="text/event-stream", Accept_Encoding="gzip") as answer:
        if answer.headers.get_content_type() != "text/event-stream":
            return Finding(name, False, f"answered {answer.status}", "Let Accept through.")
        if answer.headers.get("content-encoding"):
            return Finding(name, False, "compressed on the way, which holds them back", UNHINDERED)
        for line in answer:
            if line.startswith(b"event:"):
                moments.append(time.monotonic())
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    if len(moments) == 3 and min(gaps) > BUFFERED_SECONDS:
        return Finding(name, True, "each event comes when it is sent")
    return Finding(name, False, f"{len(moments)} of 3 events, held back on the way", UNHINDERED)


POLL: Final = "long-poll"
NOT_TRIED: Final = Finding(
    POLL,
    None,
    f"not tried without --token; a request like any other, answered after up to {WAIT_SECONDS} s",
)
READ_TIMEOUT: Final = (
    f"A proxy must wait more than {WAIT_SECONDS} s for an answer: nginx: proxy_read_timeout 75s;"
)


def _long_poll(url: str, token: str, wait: int) -> Finding:
    """A request that the service holds must be answered by the service, and not given up before."""
    with _get(f"{url}/v1/sessions?limit=1", token=token) as answer:
        cursor = json.loads(answer.read())["feed_cursor"] if answer.status == 200 else None
    if cursor is None:  # a customer has none
        cure = "Is the token good, and of an agent or an API key that reads sessions?"
        return Finding(POLL, False, f"/v1/sessions answers {answer.status} and no cursor", cure)
    path, began = f"/v1/sessions/changes?after={quote(cursor)}&wait={wait}", time.monotonic()
    try:
        with _get(url + path, token=token, seconds=wait + SECONDS) as answer:
            answer.read()
            good, said = answer.status == 200, f"answered {answer.status}"
    except (OSError, HTTPException) as error:
        good, said = False, f"cut with {type(error).__name__}"
    held = time.monotonic() - began
    said += f" after {held:.0f} s"
    if good and held < wait - 1:
        said += f", as something happened; try again to see it held for {wait} s"
    return Finding(POLL, good, said, "" if good else READ_TIMEOUT)
