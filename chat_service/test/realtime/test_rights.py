"""Who a socket belongs to while it lives: another token for it, and rights that end meanwhile."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from chat_service.model import Token
from chat_service.schema import utc_now
from chat_service.test.builders import Json, Person, Workspace, writing
from chat_service.test.customers.calls import renew
from chat_service.test.realtime.bare import bare_socket
from chat_service.test.realtime.rewinds import Rewind
from chat_service.test.realtime.talkers import Address, Socket
from chat_service.test.rows import revoke
from chat_service.test.sessions.calls import waiting
from chat_service.test.test_tickets import ticket_of


async def renewed(socket: Socket, **by: Any) -> Json:
    """What `auth` is answered."""
    return await socket.ask("auth", **by)


@pytest.mark.asvs("7.4.1")
async def test_a_socket_goes_on_by_a_new_token_of_its_caller(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        again = await renew(customer)
        assert (await renewed(socket, token=again.token))["op"] == "ack"
        await again.send(session_id, "2")
        await socket.until_seq(session_id, 2)
        await again.post("/v1/auth/sign-out")
        assert await socket.closed() == 4506


@pytest.mark.asvs("4.4.3")
@pytest.mark.api_top10("API2")
async def test_a_socket_of_one_caller_never_becomes_anothers(
    address: Address, workspace: Workspace, other_workspace: Workspace
) -> None:
    customer = await workspace.customer()
    others = [await workspace.customer(), await workspace.agent(), await other_workspace.customer()]
    for other in others:
        async with address.socket(customer) as socket:
            answer = await renewed(socket, token=other.token)
            assert (answer["op"], answer["problem"]["code"]) == ("error", "forbidden")
            assert await socket.closed() == 4503
    keys = [await workspace.key(), await workspace.key()]
    async with address.socket(keys[0]) as socket:
        await renewed(socket, token=keys[1].token)
        assert await socket.closed() == 4503
    assert workspace.service.hub.connected.total() == 0


@pytest.mark.asvs("7.2.1")
async def test_a_token_that_is_none_ends_the_socket_that_asks_to_go_on_by_it(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    async with address.socket(customer) as socket:
        await renewed(socket, token=customer.token + "x")
        assert await socket.closed() == 4501


@pytest.mark.asvs("4.4.3")
async def test_a_console_goes_on_by_a_ticket_of_its_device(
    address: Address, workspace: Workspace
) -> None:
    agent = await workspace.agent()
    first, second, other = [
        await ticket_of(agent, device_id=device) for device in ("desk", "desk", "phone")
    ]
    async with address.socket() as socket:
        await socket.say(op="hello", ticket=first, device_id="desk")
        await socket.until("welcome")
        assert (await renewed(socket, ticket=second))["op"] == "ack"
        await renewed(socket, ticket=other)
        assert await socket.closed() == 4501


@pytest.mark.asvs("8.3.2")
async def test_nothing_of_the_log_follows_the_moment_a_right_has_ended(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    async with (
        bare_socket(workspace.service, customer) as socket,
        address.socket(customer) as witness,
    ):
        await socket.follow(session_id, "c1.p.0")
        await socket.until("live")
        await customer.send(session_id, "2")
        await socket.waiting()  # the frame with 2 is on its way, and not read
        await customer.send(session_id, "3")
        await customer.post("/v1/auth/sign-out")
        assert await witness.closed() == 4506
        said = []
        while (message := await socket.take())["type"] == "websocket.send":
            said.append(message["text"])
    assert not [text for text in said if '"3"' in text]
    assert '"code":4506' in said[-1]


@pytest.mark.asvs("8.3.2")
async def test_who_lost_his_right_in_a_log_that_was_set_back_is_found(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = await waiting(customer)
    rewind = await Rewind.note(workspace)
    everybody = update(Token).where(Token.workspace_id == workspace.id)
    async with address.socket(customer) as socket:
        await socket.follow(session_id)
        await customer.send(session_id, "lost")
        await socket.until_seq(session_id, 2)
        async with writing(workspace.service) as db:
            await db.execute(everybody.values(revoked_at=utc_now()))
        await rewind.do()
        assert await socket.closed() == 4501


async def ends_soon(workspace: Workspace, key: Person) -> None:
    """Let a key end in a second."""
    await revoke(workspace, key, expires_at=utc_now() + timedelta(seconds=1))


@pytest.mark.asvs("7.4.1")
async def test_a_token_that_ends_closes_its_socket_however_busy_that_is(
    address: Address, workspace: Workspace
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = await waiting(customer)
    await ends_soon(workspace, key)
    async with address.socket(key) as socket:
        await socket.follow(session_id)

        async def talk() -> None:
            while True:
                await customer.send(session_id)
                await asyncio.sleep(0.02)

        talking = asyncio.create_task(talk())
        assert await socket.closed() == 4001
        talking.cancel()
        await asyncio.wait([talking])


@pytest.mark.asvs("7.4.1")
async def test_a_socket_that_goes_on_by_a_token_that_ends_sooner_ends_with_that(
    address: Address, workspace: Workspace
) -> None:
    key = await workspace.key()
    async with address.socket(key) as socket:
        await socket.ask("auth", token=key.token)
        await ends_soon(workspace, key)
        assert (await renewed(socket, token=key.token))["op"] == "ack"
        assert await socket.closed() == 4001
