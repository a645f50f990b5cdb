"""Which sessions stand in a view: the rule on values, as SQL, and as the list shows it, are one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select

from chat_service.auth import Caller
from chat_service.events.transaction import reading
from chat_service.model import is_sqlite
from chat_service.schema import Permission, Role, Status, WorkspaceId, new_id
from chat_service.sessions.queries import SESSIONS
from chat_service.sessions.reach import VIEWS, count, first, ids_beyond, reach_of
from chat_service.test.builders import Person, Workspace, writing
from chat_service.test.messages.test_plans import plan_of
from chat_service.test.rows import put_to_rest

UNCLOSED = "queued,open,pending,snoozed"


async def caller_of(workspace: Workspace, person: Person) -> Caller:
    """Who somebody is to the service."""
    shared = workspace.service.quart.extensions["chat_service"]
    found: Caller = await shared.authenticator.authenticate(person.token)
    return found


async def fill(workspace: Workspace) -> list[Person]:
    """Sessions of every status, held by several and by nobody; who may look at them."""
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    for holder in (admin, bob, None):
        for status in Status:
            session_id = (await (await workspace.customer()).start())["session"]["id"]
            if holder is not None:
                await holder.post(f"/v1/sessions/{session_id}/claim")
            if status is Status.CLOSED:
                await admin.post(f"/v1/sessions/{session_id}/close")
            elif status is not Status.QUEUED:
                await put_to_rest(workspace, session_id, status)
    narrow = {Permission.SESSIONS_READ_UNASSIGNED}
    return [admin, bob, await workspace.key(), await workspace.key(narrow), await workspace.key([])]


async def rows_of(workspace: Workspace) -> Sequence[Row[Any]]:
    """Every session of a workspace."""
    async with reading() as db:
        query = select(SESSIONS).where(SESSIONS.c.workspace_id == workspace.id)
        return (await db.execute(query)).all()


async def test_values_and_sql_and_the_list_say_the_same_of_each_view(workspace: Workspace) -> None:
    seen = []
    for person in await fill(workspace):
        caller = await caller_of(workspace, person)
        for view in VIEWS:
            reach = reach_of(caller, view)
            by_value = {
                row.id for row in await rows_of(workspace) if reach.has(row.assignee_id, row.status)
            }
            async with reading() as db:
                by_sql = [row.id for row in await first(db, reach, limit=200)]
                beyond = await ids_beyond(db, reach, offset=2, limit=3)
                counts = await count(db, workspace.id, [UUID(person.id)])
            params = {"view": view, "status": UNCLOSED, "limit": 200}
            page = (await person.get("/v1/sessions", params=params)).json()
            assert [str(one) for one in by_sql] == [one["id"] for one in page["data"]]
            assert (by_value, list(beyond)) == (set(by_sql), by_sql[2:5])
            assert counts.of(reach) == len(by_sql)
            seen.append(len(by_sql))
    assert seen == [4, 4, 12, 4, 4, 8, 0, 4, 12, 0, 4, 4, 0, 0, 0]


async def test_counts_stop_at_1_000(workspace: Workspace) -> None:
    customer = await workspace.customer()
    await customer.start()
    (row,) = await rows_of(workspace)
    copies = [
        {**row._mapping, "id": new_id(), "client_session_id": f"copy-{number}"}
        for number in range(1_005)
    ]
    async with writing(workspace.service) as db:
        await db.execute(insert(SESSIONS), copies)
    admin = await caller_of(workspace, await workspace.agent(Role.ADMIN))
    agent = await caller_of(workspace, await workspace.agent())
    async with reading() as db:
        counts = await count(db, workspace.id, [])
    assert [counts.of(reach_of(admin, view)) for view in VIEWS] == [0, 1_000, 1_000]
    assert [counts.of(reach_of(agent, view)) for view in VIEWS] == [0, 1_000, 1_000]


async def test_other_workspaces_are_out_of_reach(workspace: Workspace) -> None:
    await (await workspace.customer()).start()
    admin = await caller_of(workspace, await workspace.agent(Role.ADMIN))
    elsewhere = replace(admin, workspace_id=WorkspaceId(new_id()))
    async with reading() as db:
        assert await first(db, reach_of(elsewhere, "all"), limit=5) == []
        assert (await count(db, elsewhere.workspace_id, [])).everybodys == 0


async def test_counts_and_the_first_are_found_among_unclosed_sessions_only(
    workspace: Workspace,
) -> None:
    """However many sessions were closed in all the years."""
    engine = workspace.service.database.engine
    if not is_sqlite(engine):
        return  # PostgreSQL plans by statistics, which the tables of a test do not have
    agent = await caller_of(workspace, await workspace.agent())
    for view in ("mine", "unassigned"):
        query = select(SESSIONS.c.id).where(reach_of(agent, view).rows()).limit(5)
        compiled = query.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
        assert "ix_chat_sessions_unclosed" in await plan_of(workspace.service, str(compiled), ())
