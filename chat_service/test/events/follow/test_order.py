"""Writers that hold their transactions: a follower passes nothing over that commits late."""

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Final

import attrs
import pytest

from chat_service.app import Service, create_app
from chat_service.errors import DatabaseUnavailable
from chat_service.events import log
from chat_service.test.backends import count
from chat_service.test.builders import Workspace, build_workspace, writing
from chat_service.test.events.apart import client_of
from chat_service.test.events.follow.following import Diary, caught_up, facts_of, following
from chat_service.test.events.logs import fact, head_of

SIDES: Final = 20
ROUNDS: Final = 10
HELD: Final = count(1, many=2)
"""For how many seconds at most the first of two writers holds its transaction."""


@pytest.fixture
async def wide(apart: Service) -> AsyncIterator[Service]:
    """The same database, with a connection for each writer."""
    database = attrs.evolve(apart.config.database, pool_size=2 * SIDES)
    service = create_app(attrs.evolve(apart.config, database=database))
    yield service
    await service.database.engine.dispose()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_no_event_is_passed_over_that_commits_late(apart: Service, wide: Service) -> None:
    async with client_of(apart) as client:
        sides = [await build_workspace(apart, client) for _ in range(SIDES)]
    diary, random = Diary(sides[0]), Random(1)
    async with following(apart, diary):
        await asyncio.gather(*(write_in_pairs(wide, side, random) for side in sides))
        for side in sides:
            await caught_up(side, diary, (await head_of(side)).pos)
    for side in sides:
        assert diary.positions(side) == await facts_of(side)
        assert len(diary.positions(side)) == 2 * ROUNDS


async def write_in_pairs(service: Service, side: Workspace, random: Random) -> None:
    """Again and again two write at once, and the first holds its transaction for a while."""
    for _ in range(ROUNDS):
        held, numbered = random.uniform(0, HELD), random.random() < 0.5
        first = write(service, side, held=held, numbered=numbered)
        await asyncio.gather(first, write(service, side))


async def write(
    service: Service, side: Workspace, *, held: float = 0.0, numbered: bool = False
) -> None:
    """Record a fact; hold the transaction before, or when it is `numbered`, after it has its `pos`.

    Whoever waits longer than the database lets him is told, and writes again.
    """
    try:
        async with writing(service) as db:
            log.record(db, fact(side.id))
            if numbered:
                await log.append(db)
            await asyncio.sleep(held)
    except DatabaseUnavailable:
        await write(service, side)
