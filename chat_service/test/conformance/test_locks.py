"""One order of locks, read from the SQL log of PostgreSQL; SQLite has one lock for all."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from chat_service.events import log
from chat_service.events.turns import Place, Turns
from chat_service.model import ChatSession, Customer
from chat_service.schema import Permission, ProcessId, new_id, utc_now
from chat_service.test.agents.staffing import new_role, new_team, put_in, regrant
from chat_service.test.builders import Workspace, message
from chat_service.test.conformance.acts import begin
from chat_service.test.conformance.scene import Scene
from chat_service.test.conformance.sqllog import locks, watching
from chat_service.test.customers.site import identified, site_of
from chat_service.test.events.follow.following import HURRIED, Diary
from chat_service.test.events.logs import change
from chat_service.test.sessions.calls import agent_ref

ORDER = [
    "feed_readers",
    "customers",
    "chat_sessions",
    "chat_messages",
    "agents",
    "tokens",
    "teams",
    "roles",
    "feed_head",
]
"""In which locks are taken; a message stands under the lock of its session."""


Act = Callable[[Scene], Awaitable[Any]]
EDIT = {"content": {"type": "text", "text": "Other words"}}


async def close_and_return(scene: Scene) -> None:
    """The customer comes back to an agent's closed session."""
    await scene.bob.send(scene.session_id)
    await scene.bob.post(f"{scene.path}/close")
    await scene.customer.send(scene.session_id)


async def change_a_team(scene: Scene) -> None:
    """An agent comes into a team."""
    await put_in(scene.boss, await new_team(scene.boss), [scene.bob])


async def change_a_role(scene: Scene) -> None:
    """A role is given another permission."""
    await regrant(scene.boss, await new_role(scene.boss), Permission.MESSAGES_WRITE)


async def close_and_reopen(scene: Scene) -> None:
    """An agent comes back to a closed session."""
    await scene.bob.send(scene.session_id)
    await scene.bob.post(f"{scene.path}/close")
    await scene.bob.post(f"{scene.path}/reopen")


ACTS: dict[str, tuple[Act, list[str]]] = {
    # what happens, and the locks of its last transaction
    "note": (
        lambda scene: scene.key.send(scene.session_id, visibility="internal"),
        ["chat_sessions", "feed_head"],
    ),
    "first answer": (
        lambda scene: scene.bob.send(scene.session_id),
        ["chat_sessions", "agents", "feed_head"],
    ),
    "return": (close_and_return, ["chat_sessions", "agents", "feed_head"]),
    "claim": (
        lambda scene: scene.bob.post(f"{scene.path}/claim"),
        ["chat_sessions", "agents", "feed_head"],
    ),
    "assign": (
        lambda scene: scene.boss.post(f"{scene.path}/assign", {"assignee": agent_ref(scene.bob)}),
        ["chat_sessions", "agents", "feed_head"],
    ),
    "close": (
        lambda scene: scene.customer.post(f"{scene.path}/close"),
        ["chat_sessions", "feed_head"],
    ),
    "reopen": (close_and_reopen, ["chat_sessions", "agents", "feed_head"]),
    "patch": (
        lambda scene: scene.boss.call("PATCH", scene.path, json={"tags": ["late"]}),
        ["chat_sessions", "feed_head"],
    ),
    "team": (change_a_team, ["teams", "feed_head"]),
    "role": (change_a_role, ["agents", "tokens", "roles", "feed_head"]),
    "edit": (
        lambda scene: scene.customer.call("PATCH", scene.words, json=EDIT),
        ["chat_sessions", "chat_messages", "feed_head"],
    ),
    "delete": (
        lambda scene: scene.boss.call("DELETE", scene.words),
        ["chat_sessions", "chat_messages", "feed_head"],
    ),
    "start": (
        lambda scene: begin(scene.customer, initial_message=message()),
        ["customers", "chat_sessions", "feed_head"],
    ),
    "start by an agent": (
        lambda scene: begin(scene.bob, customer_id=scene.customer.id, initial_message=message()),
        ["customers", "chat_sessions", "agents", "feed_head"],
    ),
}


@pytest.mark.conformance("locks_follow_the_one_order")
@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.parametrize(("act", "wanted"), ACTS.values(), ids=list(ACTS))
@pytest.mark.asvs("15.4.3")
async def test_locks_follow_the_one_order(
    workspace: Workspace, scene: Scene, act: Act, wanted: list[str]
) -> None:
    with watching(workspace.service.database.engine) as sql:
        await act(scene)
    last = sql.writes()[-1]
    assert locks(last) == wanted == sorted(wanted, key=ORDER.index)
    assert last[-2].startswith("UPDATE feed_head SET pos=")
    assert last[-1].startswith("INSERT INTO chat_events"), "and then the commit"


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.asvs("15.4.3")
async def test_who_turns_out_to_be_another_is_locked_before_what_is_his(
    workspace: Workspace, scene: Scene
) -> None:
    site = await site_of(workspace)
    await identified(site)
    with watching(workspace.service.database.engine) as sql:
        await identified(site, by=scene.customer)
    last = sql.writes()[-1]
    assert locks(last) == ["customers", "chat_sessions", "feed_head"]
    orders = [
        each.partition(" ORDER BY ")[2] for each in last if each.endswith("UPDATE OF customers")
    ]
    assert orders == ["customers.id FOR NO KEY UPDATE OF customers"]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.asvs("15.4.3")
async def test_rows_of_one_table_are_locked_in_the_order_of_their_ids(
    workspace: Workspace, scene: Scene
) -> None:
    with watching(workspace.service.database.engine) as sql:
        await scene.bob.send(scene.session_id)
    locking = [each for each in sql.writes()[-1] if "FOR NO KEY UPDATE" in each]
    assert [each.partition(" ORDER BY ")[2] for each in locking] == [
        "chat_sessions.id FOR NO KEY UPDATE OF chat_sessions",
        "agents.id FOR NO KEY UPDATE",
    ]


async def follow(db: AsyncSession, events: Sequence[Row[Any]]) -> None:
    """What a follower may do to a session that it is told of."""
    here = events[0].workspace_id
    customers = select(Customer).where(Customer.workspace_id == here)
    await db.execute(customers.with_for_update(key_share=True))
    sessions = select(ChatSession).where(
        ChatSession.workspace_id == here, ChatSession.id == events[0].session_id
    )
    session = (await db.scalars(sessions.with_for_update(key_share=True))).one()
    log.record(db, change(session), session)


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
async def test_a_follower_locks_its_own_row_before_all_others(
    workspace: Workspace, scene: Scene
) -> None:
    diary = Diary(workspace, follow, frozenset({"message.created"}))
    turns = Turns(utc_now, ProcessId(new_id()), alone=False, pace=HURRIED)
    place = Place(workspace.id, diary)
    with workspace.service.database.bound():
        await turns.take(place)
        with watching(workspace.service.database.engine) as sql:
            await turns.take(place)
    locked = [locks(each) for each in sql.writes()]
    assert diary.positions(workspace)
    assert ["feed_readers", "customers", "chat_sessions", "feed_head"] in locked
