"""Live connections and who somebody is: swapped tokens, a change of identity, a block."""

import asyncio

import httpx2
import pytest

from chat_service.test.builders import Person, Workspace
from chat_service.test.customers.site import Site, identified, site_of
from chat_service.test.realtime.talkers import PATIENCE, Address
from chat_service.test.sessions.calls import waiting


@pytest.fixture
async def site(workspace: Workspace) -> Site:
    """The host site of the inbox."""
    return await site_of(workspace)


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_two_customers_with_tokens_swapped_open_nothing_of_each_other(
    address: Address, site: Site, workspace: Workspace
) -> None:
    ada, eve = await identified(site, "ada"), await identified(site, "eve", device="desk")
    visitor = await workspace.customer()
    own = {person.id: await waiting(person) for person in (ada, eve, visitor)}
    pairs = [(ada, eve), (eve, ada), (ada, visitor), (visitor, eve)]
    for person, other in pairs:
        # What belongs to one, asked for with the token of the other.
        session_id, path = own[person.id], f"/v1/sessions/{own[person.id]}"
        asked = [
            await other.get(path),
            await other.get(f"{path}/messages"),
            await other.send(session_id),
            await other.get(f"{path}/events", params={"after_seq": 0}),
            await other.get(f"{path}/events", params={"after_seq": 0, "wait": 20}),
            await other.call("PUT", f"{path}/read-state", json={"read_seq": 1}),
            await other.post(f"{path}/typing", {"is_typing": True}),
            await other.post(f"{path}/close"),
        ]
        assert {answer.status_code for answer in asked} == {404}
        assert session_id not in (await other.get("/v1/sessions")).text
        async with address.socket(other) as socket:
            for answer in (await socket.follow(session_id), await socket.send(session_id)):
                assert (answer["op"], answer["problem"]["code"]) == ("error", "not_found")
        with pytest.raises(httpx2.SSEError):
            async with address.stream(other, session_id) as source:
                await anext(aiter(source))
        assert (await person.get("/v1/customers/me")).json()["customer"]["id"] == person.id


@pytest.mark.asvs("8.3.2")
async def test_a_change_of_identity_closes_the_sockets_and_streams_of_before(
    address: Address, site: Site, workspace: Workspace
) -> None:
    visitor = await workspace.customer()
    session_id = await waiting(visitor)
    for _ in range(2):  # he becomes the customer, and the next visitor turns out to be that one
        polling = asyncio.create_task(visitor.events(session_id, after_seq=1, wait=20))
        async with (
            address.socket(visitor) as socket,
            address.stream(visitor, session_id, after_seq=1) as source,
        ):
            await socket.follow(session_id)
            told = aiter(source)
            await anext(told)
            ada = await identified(site, by=visitor)
            assert await socket.closed() == 4506
            async with asyncio.timeout(PATIENCE):
                assert [event.event async for event in told] == []
        with pytest.raises(AssertionError):
            await asyncio.wait_for(polling, PATIENCE)
        async with address.socket(ada) as socket:
            assert (await socket.follow(session_id))["op"] == "subscribed"
        visitor = await workspace.customer()
        session_id = await waiting(visitor)


@pytest.mark.asvs("7.4.2", "8.3.2")
async def test_a_blocked_customer_is_cut_off_everywhere_and_told_so(
    address: Address, site: Site, workspace: Workspace
) -> None:
    boss, ada, desk = (
        await workspace.key(),
        await identified(site),
        await identified(site, device="d"),
    )
    session_id = await waiting(ada)
    async with (
        address.socket(ada) as socket,
        address.socket(desk) as other,
        address.stream(ada, session_id, after_seq=1) as source,
    ):
        told = aiter(source)
        await anext(told)
        assert (await boss.post(f"/v1/customers/{ada.id}/block")).status_code == 200
        assert [await socket.closed(), await other.closed()] == [4503, 4503]
        async with asyncio.timeout(PATIENCE):
            assert [event.event async for event in told] == []
    assert [(await person.get("/v1/sessions")).status_code for person in (ada, desk)] == [401, 401]


async def test_a_mark_noted_before_the_sessions_moved_is_the_customers(
    address: Address, site: Site, workspace: Workspace
) -> None:
    """Marks are written a moment after they were said, and then the sessions may be another's."""
    bob, ada, visitor = await workspace.agent(), await identified(site), await workspace.customer()
    session_id = await waiting(visitor)
    for _ in range(3):
        await bob.send(session_id)
    async with address.socket(visitor) as socket:
        # The second comes within a second of the first, so it waits.
        for read_seq in (2, 3):
            await socket.say(op="read", session_id=session_id, read_seq=read_seq)
            await socket.ask("unsubscribe", stream=f"session:{session_id}")  # frames go in order
        again = await identified(site, by=visitor)
    async with asyncio.timeout(PATIENCE):
        while (await read_seq_of(again, session_id)) != 3:
            await asyncio.sleep(0.1)
    states = (await bob.get(f"/v1/sessions/{session_id}")).json()["session"]["read_states"]
    customers = [one["participant"] for one in states if one["participant"]["type"] == "customer"]
    assert [one["id"] for one in customers] == [ada.id]


async def read_seq_of(person: Person, session_id: str) -> int:
    """How far a customer has read."""
    session = (await person.get(f"/v1/sessions/{session_id}")).json()["session"]
    return int(session["read_states"]["me"]["read_seq"])
