"""Tokens: what each opens, how long, and what no forged one ever opens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import attrs
import httpx2
import pytest
from sqlalchemy.event import listen, remove

from chat_service.app import Service, create_app
from chat_service.model import Token
from chat_service.schema import Role, utc_now
from chat_service.test.builders import Person, Workspace, build_workspace
from chat_service.test.fakes import TurningClock
from chat_service.test.rows import change_row, deactivate


async def status(person: Person, token: str | None = None) -> int:
    """What a request with a token is answered."""
    headers = {"Authorization": f"Bearer {token or person.token}"}
    response = await person.client.get("/v1/sessions", headers=headers)
    return response.status_code


async def test_each_kind_of_token_opens_the_door(workspace: Workspace) -> None:
    people = [await workspace.customer(), await workspace.agent(), await workspace.key()]
    assert [await status(person) for person in people] == [200] * 3


async def test_a_token_names_its_workspace(workspace: Workspace) -> None:
    agent, key = await workspace.agent(), await workspace.key()
    assert agent.token.split("_")[:2] == ["at", workspace.id.hex]
    assert key.token.split("_")[:2] == ["sk", workspace.id.hex]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic {}", "{}", "Token {}"])
@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_refuses_what_is_no_bearer_token(workspace: Workspace, header: str) -> None:
    agent = await workspace.agent()
    headers = {"Authorization": header.format(agent.token)}
    response = await workspace.client.get("/v1/sessions", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_the_scheme_is_read_without_case(workspace: Workspace) -> None:
    agent = await workspace.agent()
    headers = {"Authorization": f"bearer {agent.token}"}
    assert (await workspace.client.get("/v1/sessions", headers=headers)).status_code == 200


@pytest.mark.asvs("14.2.1")
@pytest.mark.api_top10("API2")
async def test_a_token_in_a_cookie_or_address_opens_nothing(workspace: Workspace) -> None:
    token = (await workspace.agent()).token
    get = workspace.client.get
    cookie = {"Cookie": f"access_token={token}; Authorization=Bearer {token}"}
    assert (await get("/v1/sessions", headers=cookie)).status_code == 401
    by_address = await get("/v1/sessions", params={"access_token": token})
    assert by_address.status_code in (400, 401)


@pytest.mark.asvs("7.4.1", "9.2.1")
async def test_a_customers_token_lives_a_quarter_of_an_hour(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer = await workspace.customer()
    assert customer.details["expires_in"] == 900
    clock.turn(seconds=890)
    assert await status(customer) == 200
    clock.turn(seconds=20)
    assert await status(customer) == 401


@pytest.mark.asvs("7.3.2", "7.4.1")
async def test_an_agents_token_lives_half_a_day(workspace: Workspace, clock: TurningClock) -> None:
    agent = await workspace.agent()
    assert agent.details["expires_in"] == 43_200
    clock.turn(hours=11, minutes=59)
    assert await status(agent) == 200
    clock.turn(minutes=2)
    assert await status(agent) == 401


async def test_a_key_lives_as_long_as_it_was_made_for(
    workspace: Workspace, clock: TurningClock
) -> None:
    assert await status(await workspace.key(days=-1)) == 401
    key = await workspace.key(days=400)
    clock.turn(days=399)
    assert await status(key) == 200
    clock.turn(days=2)
    assert await status(key) == 401


@pytest.mark.asvs("7.4.1")
async def test_a_clock_that_was_turned_back_opens_nothing_that_was_revoked(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer = await workspace.customer()
    await customer.post("/v1/auth/sign-out")
    clock.turn(days=-30)
    assert await status(customer) == 401


@pytest.mark.asvs("7.4.2")
async def test_a_deactivated_agent_has_no_token(workspace: Workspace) -> None:
    agent = await workspace.agent()
    assert await status(agent) == 200
    await deactivate(workspace, agent)
    assert await status(agent) == 401


@pytest.mark.api_top10("API2")
async def test_a_revoked_key_has_ended(workspace: Workspace) -> None:
    key = await workspace.key()
    assert await status(key) == 200
    await change_row(workspace, Token, key.id, revoked_at=workspace.inbox.created_at)
    assert await status(key) == 401


@pytest.mark.parametrize("place", range(4))
@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_an_opaque_token_with_one_other_part_is_none(
    workspace: Workspace, place: int
) -> None:
    agent, other = await workspace.agent(), await workspace.key()
    parts = agent.token.split("_")
    for replacement in (other.token.split("_")[place], "0" * len(parts[place]), ""):
        forged = parts[:place] + [replacement] + parts[place + 1 :]
        if forged != parts:
            assert await status(agent, "_".join(forged)) == 401, forged


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API2")
async def test_a_token_means_nothing_in_another_workspace(workspace: Workspace) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    for person in (await workspace.agent(), await workspace.key()):
        parts = person.token.split("_")
        assert await status(person, "_".join([parts[0], elsewhere.id.hex, *parts[2:]])) == 401
    stranger = await elsewhere.agent(Role.ADMIN)
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    assert (await stranger.get(f"/v1/sessions/{session_id}")).status_code == 404


ID = UUID(int=7)
GARBAGE = [
    "sk_",
    "at____",
    "sk_1_2_3",
    "at_" + "f" * 32,
    f"at_{ID.hex}_{ID.hex}_{'0' * 48}",
    f"sk_{{{ID}}}_urn:uuid:{ID}_x",
    "null",
    "undefined",
    ".",
    "..",
    "a.b.c",
    "a.b.c.d.e",
    "....",
    "eyJhbGciOiJIUzI1NiJ9",
    "e30.e30.e30",
    "W10.W10.W10",
    "bnVsbA.bnVsbA.bnVsbA",
    "\u00e9.\u00e9.\u00e9",
    "sk_\u00e9_\u00e9_\u00e9",
    "x" * 8_000,
    "{}".join("." * 50),
]


@pytest.mark.parametrize("token", GARBAGE)
@pytest.mark.asvs("7.2.1")
@pytest.mark.api_top10("API2")
async def test_refuses_garbage(client: httpx2.AsyncClient, token: str) -> None:
    headers = {b"Authorization": f"Bearer {token}".encode("latin-1")}
    response = await client.get("/v1/sessions", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")


async def test_a_route_of_others_is_403(workspace: Workspace) -> None:
    customer, agent = await workspace.customer(), await workspace.agent()
    for person in (customer, agent):
        assert (await person.get("/v1/events")).json()["code"] == "forbidden"


@asynccontextmanager
async def another_process(
    service: Service, clock: TurningClock, **auth: Any
) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    """A second service on the same database with the same key."""
    config = attrs.evolve(service.config, auth=attrs.evolve(service.config.auth, **auth))
    other = create_app(config, clock=clock)
    app = httpx2.ASGITransport(app=other)
    async with httpx2.AsyncClient(transport=app, base_url="http://other") as client:
        yield other, client
    await other.database.engine.dispose()


def at(client: httpx2.AsyncClient, person: Person) -> Person:
    """The same person at another process."""
    return Person(client, person.token, person.id, person.details)


@pytest.mark.asvs("7.4.1")
async def test_revoked_tokens_stop_on_a_process_that_remembers_them(
    workspace: Workspace, turning_clock: TurningClock
) -> None:
    people = [await workspace.customer(), await workspace.agent()]
    async with another_process(workspace.service, turning_clock, recheck_seconds=0.2) as (_, there):
        assert [await status(at(there, person)) for person in people] == [200, 200]
        for person in people:
            await person.post("/v1/auth/sign-out")
            while await status(at(there, person)) != 401:
                await asyncio.sleep(0.02)


@pytest.mark.asvs("8.3.2")
async def test_of_many_requests_at_once_none_passes_with_a_revoked_token(
    workspace: Workspace,
) -> None:
    customer = await workspace.customer()
    assert (await customer.post("/v1/auth/sign-out")).status_code == 204
    assert set(await asyncio.gather(*(status(customer) for _ in range(20)))) == {401}


async def test_customers_tokens_cost_one_query_for_all_workspaces_in_recheck_seconds(
    workspace: Workspace, turning_clock: TurningClock
) -> None:
    elsewhere = await build_workspace(workspace.service, workspace.client)
    people = [await workspace.customer(), await elsewhere.customer()]
    async with another_process(workspace.service, turning_clock, recheck_seconds=1) as (
        other,
        there,
    ):
        with statements(other, "FROM tokens") as asked:
            for person in people * 20:
                assert await status(at(there, person)) == 200
    assert 2 <= len(asked) < 20


@contextmanager
def statements(service: Service, words: str) -> Iterator[list[str]]:
    """The statements with these words that are sent meanwhile."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if words in statement.replace("\n", " "):
            found.append(statement)

    engine = service.database.engine.sync_engine
    listen(engine, "before_cursor_execute", note)
    yield found
    remove(engine, "before_cursor_execute", note)


@pytest.mark.asvs("7.4.1")
async def test_a_family_that_ended_is_remembered_until_its_tokens_have_expired(
    workspace: Workspace, clock: TurningClock
) -> None:
    customer = await workspace.customer()
    await customer.post("/v1/auth/sign-out")
    clock.turn(seconds=timedelta(minutes=14, seconds=50).total_seconds())
    assert await status(customer) == 401


async def admitted(workspace: Workspace, token: str) -> timedelta | None:
    """How long whoever holds a token may stay."""
    authenticator = workspace.service.quart.extensions["chat_service"].authenticator
    with workspace.service.database.bound():
        caller, ends = await authenticator.admit(token)
    assert caller == await authenticator.authenticate(token)
    return ends - utc_now() if ends is not None else None


async def test_a_lasting_connection_is_told_when_its_token_ends(workspace: Workspace) -> None:
    people = [await workspace.customer(), await workspace.agent(), await workspace.key(days=2)]
    lives = [timedelta(minutes=15), timedelta(hours=12), timedelta(days=2)]
    for person, lived in zip(people, lives, strict=True):
        left = await admitted(workspace, person.token)
        assert left is not None
        assert lived - timedelta(minutes=1) < left <= lived
    endless = await workspace.key()
    await change_row(workspace, Token, UUID(endless.id), expires_at=None)
    assert await admitted(workspace, endless.token) is None
