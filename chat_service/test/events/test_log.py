"""The log: numbers without a hole, and reading on from a cursor or being told why not."""

import asyncio
from uuid import UUID

import pytest
from sqlalchemy import delete, update

from chat_service.app import Service
from chat_service.errors import CursorAhead, CursorExpired, CursorInvalid, CursorMismatch
from chat_service.events import log
from chat_service.events.log import EVENTS, HEAD, Stream
from chat_service.schema import Audience, Cursor, CursorKind, Role, SessionId, WorkspaceId
from chat_service.test.builders import Workspace, build_workspace, writing
from chat_service.test.events.logs import (
    change,
    fact,
    fetch,
    head_of,
    record_facts,
    snapshot,
    stored,
)


class Broken(Exception):
    """What ends a transaction of these tests."""


def feed(workspace: Workspace) -> Stream:
    """The log of a workspace."""
    return Stream(CursorKind.WORKSPACE, workspace.id)


def part(workspace: Workspace, kind: CursorKind, session_id: str) -> Stream:
    """The log of a session, in one of its numberings."""
    return Stream(kind, workspace.id, SessionId(UUID(session_id)))


async def read(workspace: Workspace, stream: Stream, after: Cursor, limit: int = 100) -> list[int]:
    """The numbers behind a cursor."""
    async with snapshot(workspace.service) as db:
        rows = await log.read(db, stream, after, limit=limit)
    return [getattr(row, str(stream.number.key)) for row in rows]


def at(stream: Stream, position: int, fence: str | None = None) -> Cursor:
    """A cursor of a log."""
    return Cursor(stream.kind, position, fence)


@pytest.mark.conformance("pos_is_gapless_and_rises_with_both_numberings")
async def test_pos_is_gapless_and_rises_with_both_numberings(workspace: Workspace) -> None:
    boss, key = await workspace.agent(Role.ADMIN), await workspace.key()
    customers = [await workspace.customer() for _ in range(3)]
    sessions = [(await each.start())["session"]["id"] for each in customers]
    everything = []
    for customer, session_id in zip(customers, sessions, strict=True):
        everything += [customer.send(session_id) for _ in range(6)]
        everything += [key.send(session_id, visibility="internal") for _ in range(6)]
        everything += [key.send(session_id, reply_to_id=session_id) for _ in range(2)]
        everything += [boss.send(session_id), boss.post(f"/v1/sessions/{session_id}/close")]
    await asyncio.gather(*everything)
    rows = await stored(workspace)
    assert [row.pos for row in rows] == list(range(1, len(rows) + 1))
    for session_id in sessions:
        own = await stored(workspace, session_id)
        seqs = [row.seq for row in own if row.seq is not None]
        public = [row.public_seq for row in own if row.public_seq is not None]
        assert seqs == list(range(1, len(seqs) + 1))
        assert public == list(range(1, len(public) + 1))
        assert len(seqs) > len(public) > 6


async def test_events_of_a_transaction_stand_in_their_order_at_its_end(
    workspace: Workspace,
) -> None:
    before = await head_of(workspace)
    facts = [fact(workspace.id) for _ in range(3)]
    async with writing(workspace.service) as db:
        for each in facts:
            log.record(db, each)
    rows = (await stored(workspace))[before.pos :]
    assert [(row.pos, row.id) for row in rows] == [
        (before.pos + place, each.id) for place, each in enumerate(facts, 1)
    ]
    after = await head_of(workspace)
    assert (after.pos, after.last_id) == (before.pos + 3, facts[-1].id)


async def test_a_transaction_without_events_moves_no_head(workspace: Workspace) -> None:
    before = await head_of(workspace)
    async with writing(workspace.service):
        pass
    assert (await head_of(workspace)).pos == before.pos


async def test_a_rollback_gives_the_numbers_back(workspace: Workspace) -> None:
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    before = await stored(workspace)
    with pytest.raises(Broken):
        async with writing(workspace.service) as db:
            session = await fetch(db, workspace, session_id)
            log.record(db, change(session), session)
            await db.flush()
            raise Broken
    assert await stored(workspace) == before
    async with writing(workspace.service) as db:
        session = await fetch(db, workspace, session_id)
        log.record(db, change(session), session)
    last, new = (await stored(workspace))[-2:]
    assert (new.pos, new.seq, new.public_seq) == (last.pos + 1, last.seq + 1, last.public_seq + 1)


async def test_an_internal_event_takes_no_public_number(workspace: Workspace) -> None:
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    async with writing(workspace.service) as db:
        session = await fetch(db, workspace, session_id)
        active_at = session.last_activity_at
        log.record(db, change(session, Audience.INTERNAL), session)
        log.record(db, change(session), session)
    hidden, shown = (await stored(workspace, session_id))[-2:]
    assert (hidden.seq, hidden.public_seq) == (2, None)
    assert (shown.seq, shown.public_seq) == (3, 2)
    assert session.last_activity_at == shown.created_at > active_at


async def test_an_event_of_the_workspace_takes_no_number_of_a_session(
    workspace: Workspace,
) -> None:
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    created = (await stored(workspace, session_id))[0]
    assert (created.type, created.seq, created.public_seq) == ("session.created", None, None)


async def test_one_transaction_names_one_workspace(workspace: Workspace) -> None:
    other = await build_workspace(workspace.service, workspace.client)
    heads = [(await head_of(each)).pos for each in (workspace, other)]
    with pytest.raises(RuntimeError, match="one workspace"):
        async with writing(workspace.service) as db:
            log.record(db, fact(workspace.id))
            log.record(db, fact(other.id))
    assert [(await head_of(each)).pos for each in (workspace, other)] == heads


async def test_pages_of_a_log_follow_each_other_without_a_hole(workspace: Workspace) -> None:
    await record_facts(workspace, 7)
    stream, after, seen = feed(workspace), Cursor(CursorKind.WORKSPACE, 0, None), []
    async with snapshot(workspace.service) as db:
        while rows := await log.read(db, stream, after, limit=3):
            assert len(rows) <= 3
            seen += [row.pos for row in rows]
            after = stream.cursor(rows[-1].pos, rows[-1].id)
        assert after == await log.head(db, stream)
    assert seen == list(range(1, len(seen) + 1)) and len(seen) >= 7


async def test_a_session_is_read_by_each_audience_in_its_own_numbering(
    workspace: Workspace,
) -> None:
    customer, key = await workspace.customer(), await workspace.key()
    session_id = (await customer.start())["session"]["id"]
    await key.send(session_id, "between us", visibility="internal")
    await customer.send(session_id)
    staff = part(workspace, CursorKind.STAFF, session_id)
    public = part(workspace, CursorKind.PUBLIC, session_id)
    assert await read(workspace, staff, at(staff, 0)) == [1, 2, 3]
    assert await read(workspace, public, at(public, 0)) == [1, 2]
    assert await read(workspace, public, at(public, 1)) == [2]


async def test_the_end_of_a_log_has_nothing_behind_it(workspace: Workspace) -> None:
    stream = feed(workspace)
    async with snapshot(workspace.service) as db:
        end = await log.head(db, stream)
    assert await read(workspace, stream, end) == []


async def test_an_empty_log_ends_at_nought(workspace: Workspace) -> None:
    stream = part(workspace, CursorKind.PUBLIC, str(UUID(int=0)))
    async with snapshot(workspace.service) as db:
        assert await log.head(db, stream) == Cursor(CursorKind.PUBLIC, 0, None)
    assert await read(workspace, stream, at(stream, 0)) == []


async def test_a_cursor_behind_the_end_is_ahead(workspace: Workspace) -> None:
    stream = feed(workspace)
    end = (await head_of(workspace)).pos
    with pytest.raises(CursorAhead):
        await read(workspace, stream, at(stream, end + 1, "00000000"))


async def test_a_cursor_of_another_history_is_a_mismatch(workspace: Workspace) -> None:
    await record_facts(workspace, 2)
    stream = feed(workspace)
    with pytest.raises(CursorMismatch):
        await read(workspace, stream, at(stream, 2, "00000000"))


async def test_a_bare_number_has_no_history_to_compare(workspace: Workspace) -> None:
    await record_facts(workspace, 2)
    stream = feed(workspace)
    assert (await read(workspace, stream, at(stream, 1)))[0] == 2


@pytest.mark.parametrize("position", [0, 1, 3])
async def test_a_cursor_below_the_floor_has_expired(workspace: Workspace, position: int) -> None:
    await record_facts(workspace, 5)
    await _set_floor(workspace, 4)
    stream = feed(workspace)
    with pytest.raises(CursorExpired):
        await read(workspace, stream, at(stream, position))


async def test_a_cursor_on_the_floor_reads_on(workspace: Workspace) -> None:
    await record_facts(workspace, 5)
    await _set_floor(workspace, 4)
    stream = feed(workspace)
    assert (await read(workspace, stream, at(stream, 4)))[0] == 5


@pytest.mark.parametrize("position", [0, 1])
async def test_a_cursor_whose_next_events_were_removed_has_expired(
    workspace: Workspace, position: int
) -> None:
    session_id = (await (await workspace.customer()).start())["session"]["id"]
    async with writing(workspace.service) as db:
        session = await fetch(db, workspace, session_id)
        log.record(db, change(session), session)
    here = (EVENTS.c.workspace_id == workspace.id) & (EVENTS.c.session_id == UUID(session_id))
    async with writing(workspace.service) as db:
        await db.execute(delete(EVENTS).where(here, EVENTS.c.seq == 1))
    stream = part(workspace, CursorKind.STAFF, session_id)
    with pytest.raises(CursorExpired):
        await read(workspace, stream, at(stream, position))


async def _set_floor(workspace: Workspace, floor: int) -> None:
    async with writing(workspace.service) as db:
        query = update(HEAD).where(HEAD.c.workspace_id == workspace.id).values(floor=floor)
        await db.execute(query)


@pytest.mark.parametrize(
    "text", ["", "c1", "c1.p.1.0123abcd", "c1.w.1.0123abcd", "c2.s.1.0123abcd", "c1.s.1"]
)
def test_a_log_takes_no_cursor_but_its_own(text: str) -> None:
    stream = Stream(CursorKind.STAFF, WorkspaceId(UUID(int=1)), SessionId(UUID(int=2)))
    with pytest.raises(CursorInvalid):
        stream.parse(text)


async def test_a_log_reads_the_cursor_it_gave(service: Service, workspace: Workspace) -> None:
    stream = feed(workspace)
    async with snapshot(service) as db:
        end = await log.head(db, stream)
    assert stream.parse(str(end)) == end
