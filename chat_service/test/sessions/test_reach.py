"""Which sessions stand in a view: the rule on values, as SQL, and as the list shows it, are one."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, event, insert, select, update

from chat_service.auth import Caller
from chat_service.events.transaction import reading
from chat_service.model import is_sqlite
from chat_service.schema import Permission, Role, Status, TeamId, View, WorkspaceId, new_id
from chat_service.sessions.queries import SESSIONS
from chat_service.sessions.reach import VIEWS, count, first, ids_beyond, reach_of
from chat_service.test.agents.staffing import agent_with, new_team
from chat_service.test.builders import Person, Workspace, writing
from chat_service.test.messages.test_plans import plan_of
from chat_service.test.rows import put_to_rest
from chat_service.test.sessions.calls import act, agent_ref

UNCLOSED = "queued,open,pending,snoozed"


async def caller_of(workspace: Workspace, person: Person) -> Caller:
    """Who somebody is to the service."""
    shared = workspace.service.quart.extensions["chat_service"]
    found: Caller = await shared.authenticator.authenticate(person.token)
    return found


async def fill(workspace: Workspace) -> list[Person]:
    """Sessions of every status, held by several and by nobody; who may look at them.

    Those of every second status belong to one team, the others to another one.
    """
    admin, bob = await workspace.agent(Role.ADMIN), await workspace.agent()
    mate = await workspace.agent()
    only_team = await agent_with(workspace, admin, Permission.SESSIONS_READ_TEAM)
    blind = await agent_with(workspace, admin, Permission.SESSIONS_WRITE)
    teams = [await new_team(admin, admin, mate, only_team, blind), await new_team(admin, bob)]
    of_team: list[list[UUID]] = [[], []]
    for holder in (admin, bob, None):
        for number, status in enumerate(Status):
            session_id = (await (await workspace.customer()).start())["session"]["id"]
            of_team[number % 2].append(UUID(session_id))
            if holder is not None:
                await holder.post(f"/v1/sessions/{session_id}/claim")
            if status is Status.CLOSED:
                await admin.post(f"/v1/sessions/{session_id}/close")
            elif status is not Status.QUEUED:
                await put_to_rest(workspace, session_id, status)
    narrow = {Permission.SESSIONS_READ_UNASSIGNED}
    for those in of_team:
        session_id = (await (await workspace.customer()).start())["session"]["id"]
        await act(admin, session_id, "assign", {"assignee": agent_ref(only_team)})
        those.append(UUID(session_id))
    async with writing(workspace.service) as db:
        for team, those in zip(teams, of_team, strict=True):
            mine = (SESSIONS.c.workspace_id == workspace.id, SESSIONS.c.id.in_(those))
            await db.execute(update(SESSIONS).where(*mine).values(team_id=UUID(team)))
    keys = [await workspace.key(), await workspace.key(narrow), await workspace.key([])]
    return [admin, bob, mate, only_team, blind, *keys]


async def rows_of(workspace: Workspace) -> Sequence[Row[Any]]:
    """Every session of a workspace."""
    async with reading() as db:
        query = select(SESSIONS).where(SESSIONS.c.workspace_id == workspace.id)
        return (await db.execute(query)).all()


@pytest.mark.asvs("8.2.2")
@pytest.mark.api_top10("API1")
async def test_values_and_sql_and_the_list_say_the_same_of_each_view(workspace: Workspace) -> None:
    seen = []
    for person in await fill(workspace):
        caller = await caller_of(workspace, person)
        for view in VIEWS:
            reach = reach_of(caller, view)
            by_value = {
                row.id
                for row in await rows_of(workspace)
                if reach.has(row.assignee_id, row.team_id, row.status)
            }
            async with reading() as db:
                by_sql = [row.id for row in await first(db, reach, limit=200)]
                beyond = await ids_beyond(db, reach, offset=2, limit=3)
                counts = await count(db, workspace.id, [reach])
            params = {"view": view, "status": UNCLOSED, "limit": 200}
            page = (await person.get("/v1/sessions", params=params)).json()
            assert [str(one) for one in by_sql] == [one["id"] for one in page["data"]]
            assert (by_value, list(beyond)) == (set(by_sql), by_sql[2:5])
            assert counts.of(reach) == len(by_sql)
            seen.append(len(by_sql))
    assert [seen[each : each + len(VIEWS)] for each in range(0, len(seen), len(VIEWS))] == [
        [4, 7, 4, 14],
        [4, 7, 4, 11],
        [0, 7, 4, 9],
        [1, 7, 2, 7],
        [0, 0, 0, 0],
        [0, 0, 4, 14],
        [0, 0, 4, 4],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize("of_team", [0, 1_000])
@pytest.mark.api_top10("API4")
async def test_counts_stop_at_1_000(workspace: Workspace, of_team: int) -> None:
    customer, boss, member = (
        await workspace.customer(),
        await workspace.agent(Role.ADMIN),
        await workspace.agent(),
    )
    team_id = await new_team(boss, boss, member) if of_team else None
    await customer.start()
    (row,) = await rows_of(workspace)
    team = {} if team_id is None else {"team_id": UUID(team_id)}
    copies = [
        {**row._mapping, **team, "id": new_id(), "client_session_id": f"copy-{number}"}
        for number in range(1_005)
    ]
    async with writing(workspace.service) as db:
        await db.execute(insert(SESSIONS), copies)
    admin, agent = await caller_of(workspace, boss), await caller_of(workspace, member)
    async with reading() as db:
        for caller in (admin, agent):
            reaches = [reach_of(caller, view) for view in VIEWS]
            counts = await count(db, workspace.id, reaches)
            assert [counts.of(reach) for reach in reaches] == [0, of_team, 1_000, 1_000]


@pytest.mark.asvs("8.4.1")
@pytest.mark.api_top10("API1")
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
    teams = frozenset({TeamId(new_id()), TeamId(new_id())})
    by_team = frozenset({Permission.SESSIONS_READ_TEAM})
    member, bound = replace(agent, teams=teams), replace(agent, teams=teams, permissions=by_team)
    held, of_team = "ix_chat_sessions_unclosed ", "ix_chat_sessions_unclosed_of_team "
    wanted: list[tuple[Caller, View, set[str]]] = [
        (agent, "mine", {held}),
        (agent, "unassigned", {held}),
        (member, "team", {of_team}),
        (member, "all", {held, of_team}),
        *[(bound, view, {of_team}) for view in VIEWS],
    ]
    for caller, view, indexes in wanted:
        reach = reach_of(caller, view)
        query = select(SESSIONS.c.id).where(reach.rows()).order_by(*reach.order).limit(5)
        compiled = query.compile(engine.sync_engine, compile_kwargs={"literal_binds": True})
        plan = await plan_of(workspace.service, str(compiled), ())
        assert set(re.findall("ix_chat_sessions_\\w+ ", plan)) == indexes, (view, plan)


async def test_what_a_team_has_is_counted_by_index(workspace: Workspace) -> None:
    engine = workspace.service.database.engine
    boss = await workspace.agent(Role.ADMIN)
    await new_team(boss, boss)
    reach = reach_of(await caller_of(workspace, boss), "team")
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "team_id" in statement:
            seen.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        async with reading() as db:
            await count(db, workspace.id, [reach])
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len(seen) == 2
    if is_sqlite(engine):
        for statement, parameters in seen:
            plan = await plan_of(workspace.service, statement, parameters)
            assert "ix_chat_sessions_unclosed_of_team (workspace_id=? AND team_id=? AND" in plan
