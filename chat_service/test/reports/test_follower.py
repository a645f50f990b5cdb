"""Messages are counted once each, on their day and for who wrote them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from chat_service.events.schema import EVENT_TYPES
from chat_service.model import MessageCount
from chat_service.reports.follower import MessageCounter
from chat_service.schema import AuthorType
from chat_service.test.builders import Workspace, writing
from chat_service.test.events.follow.following import eventually
from chat_service.test.events.logs import snapshot, stored

Counts = dict[tuple[date, AuthorType], int]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE = timezone(timedelta(hours=-5))


async def counts(workspace: Workspace) -> Counts:
    """What is stored for a workspace."""
    query = select(MessageCount).where(MessageCount.workspace_id == workspace.id)
    async with snapshot(workspace.service) as db:
        return {(row.day, row.author_type): row.count for row in await db.scalars(query)}


async def handle(workspace: Workspace, *events: tuple[datetime, AuthorType]) -> None:
    """Tell a counter of messages."""
    rows: Sequence[Any] = [
        SimpleNamespace(workspace_id=workspace.id, created_at=at, actor_type=author)
        for at, author in events
    ]
    async with writing(workspace.service) as db:
        await MessageCounter().handle(db, rows)


async def test_messages_are_counted_by_day_and_type_of_author(workspace: Workspace) -> None:
    customer, agent, key = (
        await workspace.customer(),
        await workspace.agent(),
        await workspace.key(),
    )
    session_id = (await customer.start())["session"]["id"]
    for who, visibility in ((agent, "public"), (agent, "internal"), (key, "internal")):
        await who.send(session_id, visibility=visibility)
    await customer.send(session_id)
    written = [row for row in await stored(workspace) if row.type == "message.created"]
    days = {row.created_at.date() for row in written}
    assert len(written) == 5

    async def all_counted() -> bool:
        return sum((await counts(workspace)).values()) == 5

    await eventually(all_counted)
    found = await counts(workspace)
    assert {day for day, _ in found} == days
    by_author = {author: 0 for _, author in found}
    for (_, author), count in found.items():
        by_author[author] += count
    assert by_author == {AuthorType.CUSTOMER: 2, AuthorType.AGENT: 2, AuthorType.BOT: 1}


async def test_a_day_is_one_of_utc(workspace: Workspace) -> None:
    late = datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=UTC)
    evening = datetime(2026, 11, 22, 19, tzinfo=HERE)
    agent = AuthorType.AGENT
    await handle(workspace, (late, agent), (late + timedelta(microseconds=1), agent))
    await handle(workspace, (evening, agent))
    assert await counts(workspace) == {
        (date(2026, 11, 22), agent): 1,
        (date(2026, 11, 23), agent): 2,
    }


async def test_what_is_counted_is_added(workspace: Workspace) -> None:
    await handle(workspace, (NOON, AuthorType.BOT), (NOON, AuthorType.BOT))
    await handle(workspace, (NOON, AuthorType.BOT), (NOON, AuthorType.SYSTEM))
    assert await counts(workspace) == {
        (NOON.date(), AuthorType.BOT): 3,
        (NOON.date(), AuthorType.SYSTEM): 1,
    }


def test_it_asks_for_events_that_there_are() -> None:
    assert MessageCounter.types <= set(EVENT_TYPES)
