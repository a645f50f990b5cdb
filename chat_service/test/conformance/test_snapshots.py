"""A snapshot is the log so far, and what follows begins behind it: the promises 29 and 34."""

import asyncio
from contextlib import AsyncExitStack
from random import Random

import pytest

from chat_service.realtime.following import FAR_BEHIND
from chat_service.test.backends import count, limited_to
from chat_service.test.builders import Person, Workspace
from chat_service.test.conformance.histories import Cast, Fold
from chat_service.test.realtime.talkers import Address, Socket

STEPS = 30
SNAPSHOTS = 3
SEEDS = range(count(2, many=100))


class Reader:
    """A socket on a session, and the fold of what it was told."""

    def __init__(self, socket: Socket, session_id: str, fold: Fold) -> None:
        self._socket = socket
        self._session_id = session_id
        self.fold = fold
        self._taken = 0

    async def at(self, seq: int) -> Fold:
        """The fold when that number has come."""
        events = await self._socket.until_seq(self._session_id, seq)
        for event in events[self._taken :]:
            self.fold.apply(event)
        self._taken = len(events)
        return self.fold


async def from_snapshot(socket: Socket, session_id: str) -> tuple[Reader, int]:
    """A reader that begins with a snapshot, and the number this is as of."""
    await socket.follow(session_id, snapshot={"messages": 200})
    snapshot = await socket.until("snapshot")
    return Reader(socket, session_id, Fold.of(snapshot)), snapshot["as_of_seq"]


@pytest.mark.conformance(29)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("side", ["customer", "boss"])
async def test_snapshot_as_of_seq_equals_fold_of_events(
    address: Address, workspace: Workspace, side: str, seed: int
) -> None:
    random = Random(seed)
    cast = await Cast.of(workspace, random)
    person: Person = getattr(cast, side)
    session_id = cast.session["id"]
    created = (await person.get(f"/v1/sessions/{session_id}")).json()["session"]
    moments = random.sample(range(STEPS), SNAPSHOTS)
    async with AsyncExitStack() as stack:

        async def connected() -> Socket:
            return await stack.enter_async_context(address.socket(person))

        first = await connected()
        start = "c1.p.0" if side == "customer" else "c1.s.0"
        await first.follow(session_id, after=start)
        readers = [Reader(first, session_id, Fold(created))]
        for step in range(STEPS):
            await cast.act()
            if step in moments:
                meanwhile, socket = random.choice([0, 8]), await connected()
                async with asyncio.TaskGroup() as acts:
                    acts.create_task(cast.act_often(meanwhile))
                    reader, as_of = await from_snapshot(socket, session_id)
                if not meanwhile:
                    assert (await readers[0].at(as_of)).shown() == reader.fold.shown()
                readers.append(reader)
        last, end = await from_snapshot(await connected(), session_id)
        for reader in readers:
            assert (await reader.at(end)).shown() == last.fold.shown()


@pytest.mark.conformance(34)
@limited_to("sqlite")
async def test_too_far_behind_gives_reset_and_paging_reaches_seq_1(
    address: Address, workspace: Workspace
) -> None:
    customer = await workspace.customer()
    session_id = (await customer.start("1"))["session"]["id"]
    cursor = (await customer.events(session_id))[-1]["cursor"]
    for _ in range(5):
        await asyncio.gather(*(customer.send(session_id) for _ in range(FAR_BEHIND // 5)))
    async with address.socket(customer) as socket:
        assert (await socket.follow(session_id, after=cursor))["resumed"] is True
        behind = (await customer.send(session_id)).json()["message"]["seq"]
        await socket.until_seq(session_id, behind)
    async with address.socket(customer) as socket:
        answer = await socket.ask("subscribe", stream=f"session:{session_id}", after=cursor)
        assert answer["resumed"] is False
        assert (await socket.until("reset"))["reason"] == "too_far_behind"
        snapshot = await socket.until("snapshot")
        assert snapshot["as_of_seq"] == behind
        numbers = [said["seq"] for said in snapshot["messages"]]
        while page := await customer.messages(session_id, before_seq=numbers[0], limit=200):
            numbers = [said["seq"] for said in page] + numbers
        assert numbers == list(range(1, behind + 1))
        last = (await customer.send(session_id)).json()["message"]["seq"]
        assert [each["seq"] for each in await socket.until_seq(session_id, last)] == [last]
