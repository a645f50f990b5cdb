"""What the lane reads it reads by index, however long the workspace's history is."""

from typing import Any

from sqlalchemy import event, text

from chat_service.app import Service
from chat_service.model import is_sqlite
from chat_service.test.builders import Workspace

NATURAL_KEY = "session_id=? AND author_slot=? AND client_message_id=?"


async def plan_of(service: Service, statement: str, parameters: Any) -> str:
    async with service.database.engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


async def test_sqlite_finds_repeats_by_the_whole_natural_key(
    service: Service, workspace: Workspace
) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM chat_messages" in statement and "client_message_id =" in statement:
            seen.append((statement, parameters))

    if not is_sqlite(service.database.engine):
        return  # PostgreSQL plans by statistics, which the tables of a test do not have
    customer = await workspace.customer()
    session_id = (await customer.start())["session"]["id"]
    engine = service.database.engine
    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        await customer.send(session_id)
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    plan = await plan_of(service, *seen[0])
    assert NATURAL_KEY in plan


async def test_postgresql_never_reads_a_table_whole_where_there_is_an_index(
    service: Service,
) -> None:
    if is_sqlite(service.database.engine):
        return
    async with service.database.engine.connect() as connection:
        assert await connection.scalar(text("SHOW enable_seqscan")) == "off"
