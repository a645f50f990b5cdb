"""A try is pending until it is decided: it holds its place, and nobody is punished for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from sqlalchemy import select

from chat_service.agents import attempts
from chat_service.agents.gate import Gate, Subject
from chat_service.agents.passwords import Passwords
from chat_service.agents.proof import one_try
from chat_service.app import create_app
from chat_service.audit.acts import Act
from chat_service.errors import InvalidGrant, Overloaded, TooManyTries
from chat_service.model import SignInAttempts
from chat_service.schema import Clock
from chat_service.test.addresses import invited
from chat_service.test.agents.lives import CHOSEN, code_of, enter, join, new_address
from chat_service.test.builders import PASSWORD, Workspace, unique, writing
from chat_service.test.events.apart import client_of
from chat_service.test.fakes import TurningClock
from chat_service.web import Shared

AT_MOST: Final = 5


@dataclass
class Door:
    """A limit of its own in a workspace."""

    workspace: Workspace
    limit: Subject
    clock: Clock

    async def reserve(self) -> TooManyTries | Overloaded | None:
        """One more try, which nobody decides."""
        async with writing(self.workspace.service) as db:
            return await attempts.reserve(
                db, self.workspace.id, [self.limit], act=Act.SIGNED_IN, now=self.clock()
            )

    async def end(self, error: type[BaseException] | None) -> None:
        """One more try, which ends so."""
        with self.workspace.service.database.bound():
            async with one_try(
                self.workspace.id, [self.limit], Act.SIGNED_IN, now=self.clock()
            ) as tried:
                assert not tried.decided
                if error is not None:
                    raise error()


@pytest.fixture
def door(workspace: Workspace, clock: TurningClock) -> Door:
    """Where nobody has tried anything yet."""
    return Door(workspace, Subject(f"door:{unique()}", AT_MOST, 300), clock)


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_pending_tries_hold_their_places_and_punish_nobody(door: Door) -> None:
    assert [await door.reserve() for _ in range(AT_MOST)] == [None] * AT_MOST
    for _ in range(3):
        refusal = await door.reserve()
        assert isinstance(refusal, Overloaded)
        assert (refusal.status, refusal.headers["Retry-After"]) == (503, "1")


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_what_a_dead_process_left_counts_as_failed(door: Door, clock: TurningClock) -> None:
    for _ in range(AT_MOST):
        await door.reserve()
    clock.turn(seconds=attempts.DECIDED_SECONDS + 1)
    refusal = await door.reserve()
    assert isinstance(refusal, TooManyTries)
    assert 260 < int(refusal.headers["Retry-After"]) <= 270
    clock.turn(seconds=270)
    assert await door.reserve() is None


async def test_a_failed_try_among_pending_ones_is_told_when_it_is_one_too_many(door: Door) -> None:
    for _ in range(AT_MOST - 1):
        with pytest.raises(InvalidGrant):
            await door.end(InvalidGrant)
    await door.reserve()
    assert isinstance(await door.reserve(), Overloaded)


ENDS = [None, Overloaded, KeyError, asyncio.CancelledError]


@pytest.mark.parametrize("error", ENDS, ids=str)
async def test_an_end_that_is_no_refusal_takes_the_try_back(
    door: Door, error: type[BaseException] | None
) -> None:
    for _ in range(AT_MOST + 1):
        with pytest.raises(error) if error else nullcontext():
            await door.end(error)
    assert await door.reserve() is None


@pytest.mark.asvs("6.3.1")
@pytest.mark.api_top10("API2")
async def test_a_refusal_counts(door: Door) -> None:
    for _ in range(AT_MOST):
        with pytest.raises(InvalidGrant):
            await door.end(InvalidGrant)
    assert isinstance(await door.reserve(), TooManyTries)


async def test_where_others_stay_pending_a_right_password_is_answered_503(
    workspace: Workspace, clock: TurningClock
) -> None:
    bob, place = await workspace.agent(), new_address()
    shared: Shared = workspace.service.quart.extensions["chat_service"]
    limits = [Gate(shared.passwords, shared.keys, shared.auth).address_limit(place)]
    for _ in range(AT_MOST):
        async with writing(workspace.service) as db:
            await attempts.reserve(db, workspace.id, limits, act=Act.SIGNED_IN, now=clock())
    answer = await enter(workspace, bob, place)
    assert code_of(answer) == (503, "overloaded")
    assert (answer.headers["Retry-After"], answer.json()["retryable"]) == ("1", True)


async def counted(workspace: Workspace) -> set[str]:
    """Whom rows of the workspace count."""
    query = select(SignInAttempts.subject).where(SignInAttempts.workspace_id == workspace.id)
    async with writing(workspace.service) as db:
        return set(await db.scalars(query))


async def test_rows_that_say_nothing_any_more_go_some_with_each_that_is_made(
    door: Door, clock: TurningClock
) -> None:
    door.limit = replace(door.limit, tries=1)
    seconds, number = door.limit.seconds, attempts.SWEPT_AT_ONCE + 3
    for _ in range(number):
        await door.reserve()
        assert await door.reserve() is not None
        door.limit = replace(door.limit, name=f"door:{unique()}")
    before = await counted(door.workspace)
    assert len(before) == number, "what is pending is told to nobody"
    clock.turn(seconds=seconds - 5)
    await door.reserve()
    assert len(await counted(door.workspace)) == number + 1, "as long as they count"
    clock.turn(seconds=10)
    kept = {door.limit.name}
    for left in (3, 0):
        door.limit = replace(door.limit, name=f"door:{unique()}")
        kept.add(door.limit.name)
        await door.reserve()
        assert len(await counted(door.workspace) - kept) == left
        assert await counted(door.workspace) >= kept
    assert await door.reserve() is not None, "that row is there, and counts"


class Full(Passwords):
    """Where too many wait already."""

    async def _apart(self, *_: Any) -> Any:
        raise Overloaded()


@pytest.fixture
async def full(workspace: Workspace) -> AsyncIterator[Workspace]:
    """The workspace at another process, which has no time for passwords."""
    service = create_app(workspace.service.config, clock=workspace.service.clock)
    shared: Shared = service.quart.extensions["chat_service"]
    service.quart.extensions["chat_service"] = replace(shared, passwords=Full(shared.auth))
    async with client_of(service) as client:
        yield replace(workspace, service=service, client=client)
    await service.database.engine.dispose()


async def test_whom_there_was_no_time_for_has_tried_nothing(
    workspace: Workspace, full: Workspace
) -> None:
    bob, guest, place = await workspace.agent(), await invited(workspace), new_address()
    away = replace(bob, client=full.client)
    path, change = "/v1/agents/me/password", {"old_password": PASSWORD, "password": CHOSEN}
    for _ in range(2 * AT_MOST + 1):
        answers = [await enter(full, bob, place), await join(full, guest.link, place)]
        answers.append(await away.post(path, change))
        assert [code_of(each) for each in answers] == [(503, "overloaded")] * 3
    assert (await enter(workspace, bob, place)).status_code == 200
    assert (await join(workspace, guest.link, place)).status_code == 200
    assert (await bob.post(path, change)).status_code == 204
