"""Negative controls of live delivery: a planted bug must be found by the checks of `deliveries`.

What the property test of the feed plants is found there; these show that real sockets and streams
and the checks of a history see it as well.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from chat_service.events.feed import Feeds
from chat_service.schema import utc_now
from chat_service.test.builders import message
from chat_service.test.events.simulated.planted import (
    IgnoresFence,
    NoHeadCheck,
    with_subscription,
)
from chat_service.test.faults.acks import Acks
from chat_service.test.faults.followers import Restless
from chat_service.test.faults.history import check
from chat_service.test.faults.notes import Notes
from chat_service.test.faults.talks import Way
from chat_service.test.faults.tenants import Chat, Chatter, client_of
from chat_service.test.postgres import FreshDatabase
from chat_service.test.realtime.pairs import Pair, pair_on
from chat_service.test.realtime.rewinds import Rewind
from chat_service.test.realtime.talkers import PATIENCE

LONG_ENOUGH = 3.0
"""Seconds after which what a planted bug has not delivered will not come: ten head checks."""


@dataclass
class Trial:
    """One who writes at one of two nodes, and one who follows at the other."""

    pair: Pair
    chat: Chat
    notes: Notes
    subscriber: Restless

    async def write(self, count: int) -> None:
        """Send some messages."""
        for _ in range(count):
            path = f"/v1/sessions/{self.chat.id}/messages"
            assert (await self.chat.customer.person.post(path, message())).status_code == 201

    async def wait_for(self, number: int, *, seconds: float) -> None:
        """Wait until that was told, but no longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.subscriber.ear.number < number:
                    await asyncio.sleep(0.01)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow until the end of the block, then leave."""
        task = asyncio.create_task(self.subscriber.follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def found(self) -> set[str]:
        """Which checks of deliveries have found something."""
        history = await self.notes.history(self.pair.one.service.config.database.url)
        names = {line.partition(":")[0] for line in check(history)}
        return {name for name in names if name.startswith("subscribers")}


async def tell_without_broker(trial: Trial, seconds: float) -> None:
    """The broker delivers nothing."""
    trial.pair.exchange.silent = True
    async with trial.following():
        await trial.write(1)
        await trial.wait_for(1, seconds=seconds)
        await trial.write(3)
        await trial.wait_for(4, seconds=seconds)


async def resume_after_a_restore(trial: Trial, seconds: float) -> None:
    """The database is set back, and written on beyond the place of one who was away."""
    await trial.write(2)
    before = await Rewind.note(trial.pair.one.workspace)
    await trial.write(2)
    async with trial.following():
        await trial.wait_for(4, seconds=seconds)
    await before.do()
    await trial.write(4)
    async with trial.following():
        await trial.wait_for(6, seconds=seconds)


Play = Callable[[Trial, float], Awaitable[None]]
PLAYS: list[tuple[Play, type[Feeds], str]] = [
    (tell_without_broker, NoHeadCheck, "subscribers_hear_to_the_end"),
    (
        resume_after_a_restore,
        with_subscription(IgnoresFence),
        "subscribers_are_told_the_log",
    ),
]


@asynccontextmanager
async def trial_on(url: str, folder: Path, feeds: type[Feeds]) -> AsyncIterator[Trial]:
    """Two services whose live readers are of that kind."""
    acks = Acks(folder / "acks")
    async with pair_on(url, folder, utc_now) as pair:
        for node in (pair.one, pair.other):
            node.service.hub.feeds.__class__ = feeds
        customer = await pair.one.workspace.customer()
        started = await customer.start(text=None)
        chat = Chat(started["session"]["id"], Chatter(customer, "customer"))
        notes = Notes(acks)
        place = pair.other.address.place
        async with client_of(f"http://{place}") as client:
            subscriber = Restless(
                "subscriber",
                chat,
                chat.customer,
                notes,
                ways=[Way(place, client)],
                random=Random(1),
                stays=(PATIENCE, PATIENCE),
            )
            yield Trial(pair, chat, notes, subscriber)
    acks.close()


@pytest.mark.parametrize("play", [play for play, _, _ in PLAYS])
async def test_the_service_passes(
    fresh_database: FreshDatabase, tmp_path: Path, play: Play
) -> None:
    async with trial_on(fresh_database(play.__name__), tmp_path, Feeds) as trial:
        await play(trial, PATIENCE)
        assert await trial.found() == set()
        assert len(trial.notes.resets) == (play is resume_after_a_restore)


@pytest.mark.parametrize(("play", "feeds", "found_by"), PLAYS)
async def test_finds_a_planted_bug(
    fresh_database: FreshDatabase, tmp_path: Path, play: Play, feeds: type[Feeds], found_by: str
) -> None:
    async with trial_on(fresh_database(f"{play.__name__}_bad"), tmp_path, feeds) as trial:
        await play(trial, LONG_ENOUGH)
        assert found_by in await trial.found()
