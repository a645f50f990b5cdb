"""`chat-service doctor`: what it finds of a service, and of proxies in front of one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner

from chat_service.app import Service
from chat_service.cli.doctor import HOST, UPGRADE, Finding, command, examine, origin_of
from chat_service.realtime.peer import Door
from chat_service.test.builders import Person, Workspace
from chat_service.test.proxies import PLAIN, nginx
from chat_service.test.realtime.conftest import served
from chat_service.test.realtime.list_client import until
from chat_service.test.realtime.talkers import Address

ONCE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True, scope="session")
ROOT = Path(__file__).parents[3]
ALL = ["reachable", "headers", "WebSocket", "server-sent events"]


@pytest.fixture
async def address(service: Service) -> AsyncIterator[Address]:
    """A service to be looked at."""
    async with served(service) as address:
        yield address


async def findings(url: str, token: str | None = None, *, wait: int = 2) -> dict[str, Finding]:
    """What is found there."""
    found = await asyncio.to_thread(lambda: list(examine(url, token, wait=wait)))
    return {finding.name: finding for finding in found}


def good(found: dict[str, Finding]) -> list[str]:
    """What is as it should be."""
    return [name for name, finding in found.items() if finding.good]


@ONCE
async def test_a_service_by_itself_is_well(address: Address) -> None:
    found = await findings(f"http://{address.place}")
    assert good(found) == ALL
    assert not any(finding.cure for finding in found.values())


@ONCE
async def test_tells_it_line_by_line(address: Address) -> None:
    told = await asyncio.to_thread(CliRunner().invoke, command, [f"http://{address.place}/"])
    assert told.exit_code == 0
    assert [line[:4] for line in told.output.splitlines()] == ["ok  "] * 4 + ["--  "]
    assert "long-poll: not tried without --token" in told.output


async def test_looks_no_further_where_nothing_answers() -> None:
    told = await asyncio.to_thread(CliRunner().invoke, command, ["http://127.0.0.1:9"])
    assert told.exit_code == 1
    assert told.output.startswith("BAD  reachable: ")
    assert len(told.output.splitlines()) == 2


@ONCE
async def test_nginx_with_its_defaults_lets_all_but_sockets_through(
    address: Address, workspace: Workspace, tmp_path: Path
) -> None:
    with nginx(PLAIN.format(place=address.place, more=""), tmp_path) as url:
        found = await findings(url)
        assert good(found) == ["reachable", "headers", "server-sent events"]
        assert "Upgrade: (nothing)" in found["WebSocket"].said
        assert "proxy_set_header Upgrade" in found["WebSocket"].cure
        await both_kinds_of_http_work(Address(url.removeprefix("http://")), workspace)


async def both_kinds_of_http_work(proxy: Address, workspace: Workspace) -> None:
    """A stream tells what happens as it happens, and a long-poll ends with it."""
    customer = await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    path = f"http://{proxy.place}/v1/sessions/{session_id}/events"
    headers = {"Authorization": f"Bearer {customer.token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        polled = asyncio.create_task(http.get(f"{path}?after_seq=1&wait=15"))
        async with proxy.stream(customer, session_id, after_seq=1) as stream:
            events = aiter(stream)
            assert (await anext(events)).event == "state"
            await send_when_waited_for(customer, session_id, polled)
            told = await next_logged(events)
        page = (await polled).json()
    assert told["seq"] == 2
    assert [event["id"] for event in page["data"]] == [told["id"]]


async def send_when_waited_for(
    customer: Person, session_id: str, polled: asyncio.Task[Any]
) -> None:
    """A long-poll that answers at once would be no long-poll."""
    await asyncio.sleep(0.3)
    assert not polled.done()
    assert (await customer.send(session_id, "2")).status_code == 201


async def next_logged(events: Any) -> Any:
    """The next event with a number."""
    async with asyncio.timeout(15):
        async for event in events:
            if event.id:
                return event.json()


@ONCE
async def test_nginx_with_the_lines_of_the_cure_lets_sockets_of_its_pages_through(
    address: Address, tmp_path: Path
) -> None:
    with nginx(
        PLAIN.format(place=address.place, more=UPGRADE.removeprefix("nginx: ")), tmp_path
    ) as url:
        assert good(await findings(url)) == ALL
        async with Address(url.removeprefix("http://")).socket(origin=url) as socket:
            await socket.say(op="hello", token="nobody")
            assert await socket.closed() == 4501


@ONCE
async def test_a_proxy_that_changes_the_host_is_told_that_pages_are_refused(
    address: Address, tmp_path: Path
) -> None:
    lines = UPGRADE.removeprefix("nginx: ").replace(HOST, "")
    with nginx(PLAIN.format(place=address.place, more=lines), tmp_path) as url:
        found = await findings(url)
    assert good(found) == ["reachable", "headers", "server-sent events"]
    assert found["WebSocket"].said.endswith("origin_not_allowed")
    assert HOST in found["WebSocket"].cure
    assert f"server.public_url to {url};" in found["WebSocket"].cure


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://chat.example.org", "https://chat.example.org"),
        ("HTTPS://Chat.Example.org:443/", "https://chat.example.org"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://me:secret@[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_spelt_as_browsers_do(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@ONCE
async def test_a_long_poll_is_held_by_the_service(address: Address, workspace: Workspace) -> None:
    for person in (await workspace.agent(), await workspace.key()):
        found = await findings(f"http://{address.place}", person.token)
        assert good(found) == [*ALL, "long-poll"]
        assert found["long-poll"].said == "answered 200 after 2 s"


@ONCE
async def test_a_long_poll_that_something_ends_is_no_proof(
    address: Address, workspace: Workspace
) -> None:
    agent, customer = await workspace.agent(), await workspace.customer()
    looking = asyncio.create_task(findings(f"http://{address.place}", agent.token, wait=20))
    await until(lambda: workspace.service.hub.connected[Door.POLL] == 1)
    await customer.start()
    found = (await looking)["long-poll"]
    assert found.good
    assert found.said.endswith("as something happened; try again to see it held for 20 s")


@ONCE
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("proxy_read_timeout 1s;", "answered 504 after 1 s"),
        (
            "location /v1/sessions/changes { return 444; }",
            "cut with RemoteDisconnected after 0 s",
        ),
    ],
    ids=["answers", "cuts"],
)
async def test_a_proxy_that_gives_up_a_long_poll_is_told_how_long_to_wait(
    address: Address, workspace: Workspace, tmp_path: Path, more: str, said: str
) -> None:
    agent = await workspace.agent()
    with nginx(PLAIN.format(place=address.place, more=more), tmp_path) as url:
        found = (await findings(url, agent.token, wait=3))["long-poll"]
    assert (found.good, found.said) == (False, said)
    assert "proxy_read_timeout 75s" in found.cure


@ONCE
async def test_a_token_that_is_none_is_told_so(address: Address, workspace: Workspace) -> None:
    customer = await workspace.customer()
    for token, status in (("nobody", 401), (customer.token, 200)):
        found = (await findings(f"http://{address.place}", token))["long-poll"]
        assert (found.good, found.said) == (False, f"/v1/sessions answers {status} and no cursor")
        assert "token" in found.cure


@ONCE
async def test_a_proxy_that_compresses_streams_is_told_so(address: Address, tmp_path: Path) -> None:
    more = "gzip on; gzip_types text/event-stream; gzip_proxied any;"
    with nginx(PLAIN.format(place=address.place, more=more), tmp_path) as url:
        found = await findings(url)
    assert good(found) == ["reachable", "headers"]
    assert found["server-sent events"].said.startswith("compressed")
    assert "gzip_types" in found["server-sent events"].cure


@ONCE
async def test_a_proxy_that_hands_streams_on_as_a_whole_is_told_so(address: Address) -> None:
    async with whole(address) as url:
        found = await findings(url)
    assert found["reachable"].good
    assert found["server-sent events"].said == "3 of 3 events, held back on the way"
    assert "proxy_buffering off" in found["server-sent events"].cure


@asynccontextmanager
async def whole(address: Address) -> AsyncIterator[str]:
    """A proxy that reads every answer to its end before it sends any of it."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*address.place.split(":"))
        head = await reader.readuntil(b"\r\n\r\n")
        far_writer.write(head.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Upgrade", b"Downgrade"))
        writer.write(await far_reader.read())
        for each in (far_writer, writer):
            each.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"


@ONCE
async def test_a_proxy_that_takes_headers_away_is_told_so(address: Address, tmp_path: Path) -> None:
    more = "proxy_hide_header Request-Id; proxy_hide_header X-Content-Type-Options;"
    with nginx(PLAIN.format(place=address.place, more=more), tmp_path) as url:
        found = await findings(url)
    assert found["headers"].said == "x-content-type-options: None; request-id is missing"


@ONCE
async def test_the_proxy_of_the_example_lets_everything_through(
    address: Address, tmp_path: Path
) -> None:
    servers = (ROOT / "deploy" / "nginx.conf").read_text()
    for node in ("node-1:8080", "node-2:8080"):
        assert node in servers
        servers = servers.replace(node, address.place)
    with nginx(servers, tmp_path) as url:
        assert good(await findings(url)) == ALL
