"""Rules that hold for every table: the tenant wall, which is also the way onto Citus."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable

from chat_service.model import Base, ChatSession, table_of
from chat_service.model.base import UtcTime

TABLES = list(Base.metadata.tables.values())
WITHOUT_TENANT = ["process_leases", "workspaces"]
TENANTS = [table for table in TABLES if table.name not in WITHOUT_TENANT]


def names(table: Table) -> str:
    """How a case is called."""
    return table.name


def test_only_tenants_themselves_and_processes_have_no_workspace_in_their_key() -> None:
    assert len(TABLES) > 10
    assert sorted(each.name for each in TABLES if "workspace_id" not in each.c) == WITHOUT_TENANT


@pytest.mark.parametrize("table", TENANTS, ids=names)
def test_workspace_id_leads_every_primary_and_unique_key(table: Table) -> None:
    keys = [
        list(key.columns)
        for key in table.constraints
        if isinstance(key, PrimaryKeyConstraint | UniqueConstraint)
    ]
    keys += [list(index.columns) for index in table.indexes]
    assert keys
    assert {columns[0].name for columns in keys} == {"workspace_id"}


@pytest.mark.parametrize("table", TENANTS, ids=names)
def test_workspace_id_leads_every_foreign_key(table: Table) -> None:
    for key in table.constraints:
        if isinstance(key, ForeignKeyConstraint):
            referred = "id" if key.referred_table.name == "workspaces" else "workspace_id"
            assert list(key.column_keys)[0] == "workspace_id"
            assert key.elements[0].column.name == referred


@pytest.mark.parametrize("table", TENANTS, ids=names)
def test_workspace_id_is_the_first_column_and_never_null(table: Table) -> None:
    first = list(table.columns)[0]
    assert (first.name, first.nullable) == ("workspace_id", False)


@pytest.mark.parametrize("table", TABLES, ids=names)
def test_no_column_has_a_value_that_the_database_makes(table: Table) -> None:
    for column in table.columns:
        made = (column.server_default, column.server_onupdate, column.identity, column.computed)
        assert made == (None, None, None, None), column.name
        assert column.default is None, column.name
    for url in ("postgresql+asyncpg://", "sqlite+aiosqlite://"):
        dialect = make_url(url).get_dialect()()
        words = str(CreateTable(table).compile(dialect=dialect)).upper()
        for word in ("SERIAL", "SEQUENCE", "IDENTITY", "AUTOINCREMENT", " DEFAULT "):
            assert word not in words


@pytest.mark.parametrize("table", TABLES, ids=names)
def test_every_constraint_has_a_name(table: Table) -> None:
    for constraint in table.constraints:
        assert constraint.name, constraint
    assert all(index.name for index in table.indexes)


@pytest.mark.parametrize("table", TABLES, ids=names)
def test_every_choice_is_held_by_a_check(table: Table) -> None:
    choices = [column for column in table.columns if getattr(column.type, "enums", None)]
    checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
    assert len(checks) >= len(choices)


def test_counters_are_wide_enough_for_ever() -> None:
    columns: list[Column[object]] = [
        column for table in TABLES for column in table.columns if column.type.python_type is int
    ]
    assert len(columns) > 10
    assert {str(column.type) for column in columns} == {"BIGINT"}


def test_tables_of_hot_rows_leave_room_for_them() -> None:
    options = table_of(ChatSession).dialect_options["postgresql"]["with"]
    assert options["fillfactor"] == "80"


def test_a_time_without_zone_never_reaches_the_database() -> None:
    kind, dialect = UtcTime(), sqlite.dialect()
    with pytest.raises(ValueError, match="without zone"):
        kind.process_bind_param(datetime(2026, 11, 22), dialect)


def test_times_are_stored_and_read_in_utc() -> None:
    kind, dialect = UtcTime(), sqlite.dialect()
    noon = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=5)))
    stored = kind.process_bind_param(noon, dialect)
    assert stored == datetime(2026, 11, 22, 7, tzinfo=UTC) and stored.tzinfo is UTC
    assert kind.process_result_value(datetime(2026, 11, 22, 7), dialect) == stored
    assert kind.process_bind_param(None, dialect) is None
