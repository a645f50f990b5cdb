"""Origins: how the service spells its own, and which pages may open a socket, and for whom.

Seen elsewhere: sockets that any page could open in the name of who was signed in.
"""

import asyncio
from collections.abc import Iterator

import pytest

from chat_service.auth import Caller
from chat_service.config import Auth
from chat_service.errors import BadRequest
from chat_service.inboxes import services as inboxes
from chat_service.origins import Origins, websocket_url
from chat_service.schema import utc_now
from chat_service.test.builders import ORIGIN, Person, Workspace, build_workspace, unique, writing
from chat_service.test.conformance.sqllog import watching
from chat_service.test.rows import set_inbox

OWN = "https://chat.example.org"
SPELLINGS = [
    ("http", "localhost:8080", "http://localhost:8080", "ws://localhost:8080/v1/realtime"),
    ("ws", "localhost:8080", "http://localhost:8080", "ws://localhost:8080/v1/realtime"),
    ("https", "Chat.Example.org", OWN, "wss://chat.example.org/v1/realtime"),
    ("wss", "chat.example.org:443", OWN, "wss://chat.example.org/v1/realtime"),
    ("http", "chat.example.org:80", "http://chat.example.org", "ws://chat.example.org/v1/realtime"),
    ("http", "a.example:443", "http://a.example:443", "ws://a.example:443/v1/realtime"),
    ("https", "a.example:80", "https://a.example:80", "wss://a.example:80/v1/realtime"),
    ("http", "chat_service:8080", "http://chat_service:8080", "ws://chat_service:8080/v1/realtime"),
    ("http", "[::1]:8080", "http://[::1]:8080", "ws://[::1]:8080/v1/realtime"),
    ("https", "[2001:DB8::1]", "https://[2001:db8::1]", "wss://[2001:db8::1]/v1/realtime"),
]
NO_HOSTS = ["", " ", "a b", "a/b", "a@b", "a:b", "a:", ":80", "[::1", "::1", "a,b", "x" * 241, "ä"]
OTHER_PAGES = [
    "",
    "null",
    "https://evil.example",
    "https://sub.shop.example.org",
    "https://shop.example.org.evil.example",
    "https://SHOP.example.org",
    "https://shop.example.org:443",
    "https://shop.example.org:8443",
    "https://shop.example.org/",
    "http://shop.example.org",
    "shop.example.org",
    "http://chat.example.org",
    "https://chat.example.org:443",
]


@pytest.fixture
def origins(workspace: Workspace) -> Iterator[Origins]:
    """What sockets ask, on the service's database, remembering nothing."""
    with workspace.service.database.bound():
        yield Origins(Auth(recheck_seconds=0), "")


async def caller_of(workspace: Workspace, person: Person) -> Caller:
    """Who a person is to the service."""
    shared = workspace.service.quart.extensions["chat_service"]
    caller: Caller = await shared.authenticator.authenticate(person.token)
    return caller


@pytest.mark.parametrize(("scheme", "host", "own", "sockets"), SPELLINGS)
def test_the_own_origin_is_spelt_as_browsers_do(
    scheme: str, host: str, own: str, sockets: str
) -> None:
    assert Origins(Auth(), "").own(scheme, host) == own
    assert websocket_url(own) == sockets


@pytest.mark.parametrize("host", NO_HOSTS)
def test_a_host_that_is_none_has_no_origin(host: str) -> None:
    with pytest.raises(BadRequest):
        Origins(Auth(), "").own("http", host)


@pytest.mark.parametrize("host", [*NO_HOSTS, "evil.example", "chat.example.org:8080"])
@pytest.mark.parametrize("public_url", [OWN, f"{OWN}:443"])
@pytest.mark.asvs("4.1.3")
def test_a_public_url_counts_whatever_the_request_says(public_url: str, host: str) -> None:
    assert Origins(Auth(), public_url).own("http", host) == OWN


async def test_pages_of_the_service_and_of_inboxes_may_open_sockets(origins: Origins) -> None:
    for origin in (None, OWN, ORIGIN):
        assert await origins.allowed(origin, own=OWN)


@pytest.mark.asvs("4.4.2")
async def test_other_pages_may_not(origins: Origins) -> None:
    assert [page for page in OTHER_PAGES if await origins.allowed(page, own=OWN)] == []


@pytest.mark.asvs("4.4.2", "8.3.2")
async def test_a_page_may_open_sockets_as_long_as_an_inbox_lists_it(
    workspace: Workspace, origins: Origins
) -> None:
    page = f"https://{unique()}.example"
    assert not await origins.allowed(page, own=OWN)
    await set_inbox(workspace, allowed_origins=[ORIGIN, page])
    assert await origins.allowed(page, own=OWN)
    await set_inbox(workspace, allowed_origins=[])
    assert not await origins.allowed(page, own=OWN)


@pytest.mark.asvs("4.4.2")
async def test_a_customer_is_heard_on_the_pages_of_his_own_inbox_and_of_the_service_only(
    workspace: Workspace, origins: Origins
) -> None:
    here, there, elsewhere = (f"https://{unique()}.example" for _ in range(3))
    stranger = await build_workspace(workspace.service, workspace.client)
    async with writing(workspace.service) as db:
        await inboxes.create(db, workspace.id, name="B", allowed_origins=[there], now=utc_now())
    await set_inbox(workspace, allowed_origins=[here])
    await set_inbox(stranger, allowed_origins=[elsewhere])
    customer = await caller_of(workspace, await workspace.customer())
    for page in (here, there, elsewhere):
        assert await origins.allowed(page, own=OWN)
    asked = (None, here, there, elsewhere, OWN, *OTHER_PAGES)
    heard = [page for page in asked if await origins.allowed_for(customer, page, own=OWN)]
    assert heard == [None, here, OWN]


@pytest.mark.asvs("4.4.2")
async def test_staff_are_heard_on_the_services_own_pages_only(
    workspace: Workspace, origins: Origins
) -> None:
    for person in (await workspace.agent(), await workspace.key()):
        staff = await caller_of(workspace, person)
        asked = (None, ORIGIN, OWN, *OTHER_PAGES)
        heard = [page for page in asked if await origins.allowed_for(staff, page, own=OWN)]
        assert heard == [None, OWN]


async def test_any_number_of_sockets_cost_one_query(workspace: Workspace) -> None:
    with workspace.service.database.bound():
        origins = Origins(Auth(recheck_seconds=1), "")
        with watching(workspace.service.database.engine) as sql:
            pages = [f"https://{unique()}.example" for _ in range(50)]
            asked = [origins.allowed(page, own=OWN) for page in (*pages, ORIGIN)]
            assert await asyncio.gather(*asked) == [False] * 50 + [True]
    assert len([one for one in sql.statements if "FROM inboxes" in one]) == 1


async def test_own_pages_and_apps_cost_none(workspace: Workspace, origins: Origins) -> None:
    with watching(workspace.service.database.engine) as sql:
        assert await origins.allowed(OWN, own=OWN) and await origins.allowed(None, own=OWN)
    assert sql.statements == []
