"""Lanes with a bug each, to be handed to a service: the checks have to find every one of them.

Each breaks one rule of `messages.services.open_lanes` and is made of the same pieces otherwise.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from chat_service.app import Service
from chat_service.config import Limits
from chat_service.errors import ServiceError
from chat_service.events import log
from chat_service.events.group_commit import Lanes
from chat_service.events.transaction import transaction
from chat_service.messages import services
from chat_service.messages.batch import Batch, Known
from chat_service.messages.drafts import Draft, Sent
from chat_service.messages.services import MessageLanes
from chat_service.schema import SessionId, utc_now

Results = Sequence[Sent | ServiceError]
Settle = Callable[[Known], None]
MOMENT: Final = 0.1
"""Seconds in which somebody else commits."""
ANSWERED: Final = 0.5
"""Seconds in which an answer gets out."""


def hand_in(service: Service, lanes: MessageLanes) -> None:
    """Let a service that has not started use other lanes."""
    extensions = service.quart.extensions
    extensions["chat_service"] = replace(extensions["chat_service"], lanes=lanes)


def acknowledges_before_the_commit(limits: Limits) -> MessageLanes:
    """Answers when all is written and not yet committed."""
    commits: set[asyncio.Task[None]] = set()

    async def write_batch(drafts: Sequence[Draft]) -> Results:
        written: asyncio.Future[Results] = asyncio.get_running_loop().create_future()

        async def commit() -> None:
            async with transaction() as db:
                written.set_result(await services.write(db, drafts, limits=limits, now=utc_now()))
                await asyncio.sleep(ANSWERED)

        commits.add(asyncio.create_task(commit()))
        return await written

    return Lanes(write_batch, limits)


def looks_for_repeats_outside(limits: Limits) -> MessageLanes:
    """Reads what is stored before it has the lock."""

    async def write_batch(drafts: Sequence[Draft]) -> Results:
        early = await _looked_up(drafts)
        return await _write(drafts, limits, lambda known: replace(known, stored=early.stored))

    return Lanes(write_batch, limits)


def numbers_without_the_lock(limits: Limits) -> MessageLanes:
    """Counts on from numbers that it read before it has the lock."""

    async def write_batch(drafts: Sequence[Draft]) -> Results:
        early = await _looked_up(drafts)
        return await _write(drafts, limits, lambda known: replace(known, sessions=early.sessions))

    return Lanes(write_batch, limits)


def numbers_from_a_sequence(limits: Limits) -> MessageLanes:
    """Takes numbers that a rollback does not give back, as those of a database sequence."""
    drawn: dict[SessionId, tuple[int, int]] = {}

    def draw(known: Known) -> Known:
        for session in known.sessions.values():
            seq, public_seq = drawn.get(session.id, (0, 0))
            session.last_seq = max(session.last_seq, seq)
            session.last_public_seq = max(session.last_public_seq, public_seq)
        return known

    def keep(known: Known) -> None:
        for session in known.sessions.values():
            drawn[session.id] = session.last_seq, session.last_public_seq

    return Lanes(lambda drafts: _write(drafts, limits, draw, keep), limits)


def fails_the_whole_batch(limits: Limits) -> MessageLanes:
    """Refuses every draft that stands beside a bad one."""

    async def write_batch(drafts: Sequence[Draft]) -> Results:
        async with transaction() as db:
            results = await services.write(db, drafts, limits=limits, now=utc_now())
            for result in results:
                if isinstance(result, ServiceError):
                    raise result
            return results

    return Lanes(write_batch, limits)


FAULTY: Final = {
    part.__name__: part
    for part in (
        acknowledges_before_the_commit,
        looks_for_repeats_outside,
        numbers_without_the_lock,
        numbers_from_a_sequence,
        fails_the_whole_batch,
    )
}


async def _looked_up(drafts: Sequence[Draft]) -> Known:
    """What is known of a batch at one moment; at the next somebody else has written."""
    async with transaction() as db:
        known = await services._read(db, drafts[0].caller.workspace_id, list(drafts))
    await asyncio.sleep(MOMENT)
    return known


async def _write(
    drafts: Sequence[Draft],
    limits: Limits,
    change: Callable[[Known], Known],
    settled: Settle = lambda known: None,
) -> Results:
    """`messages.services.write` in a transaction, on something else than what is known."""
    async with transaction() as db:
        workspace_id = drafts[0].caller.workspace_id
        known = change(await services._read(db, workspace_id, list(drafts)))
        batch = Batch(known, limits, utc_now(), lambda *fact: log.record(db, *fact))
        results = [batch.settle(draft) for draft in drafts]
        settled(known)
        await services._store(db, workspace_id, batch)
        return results
