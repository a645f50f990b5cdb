"""`chat-service migrate`: up, down, and the check that changes nothing."""

import sqlite3
from contextlib import closing

import pytest

from chat_service.test.cli.programs import Shell

pytestmark = pytest.mark.timeout(120)


def tables(shell: Shell) -> set[str]:
    """Tables of the SQLite file."""
    with closing(sqlite3.connect(shell.folder / "var" / "chat.db")) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}


def test_brings_an_empty_database_up_to_date_and_back(bare_shell: Shell) -> None:
    for _ in range(2):
        up = bare_shell.run("migrate")
        assert (up.code, up.out) == (0, "the database is up to date\n")
    assert {"chat_sessions", "chat_events"} <= tables(bare_shell)
    down = bare_shell.run("migrate", "--back-to", "base")
    assert (down.code, down.out) == (0, "the database is at base\n")
    assert tables(bare_shell) <= {"alembic_version"}


def test_check_passes_on_the_newest_schema(shell: Shell) -> None:
    checked = shell.run("migrate", "--check")
    assert (checked.code, checked.err) == (0, "")
    assert checked.out.splitlines()[-1] == "the database is up to date"


def test_check_fails_on_an_old_schema_and_changes_nothing(bare_shell: Shell) -> None:
    checked = bare_shell.run("migrate", "--check")
    assert (checked.code, checked.out) == (1, "")
    assert checked.err.startswith("migration failed: ")
    assert tables(bare_shell) <= {"alembic_version"}


def test_a_revision_that_is_none_fails_in_one_line(shell: Shell) -> None:
    failed = shell.run("migrate", "--back-to", "9999")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.startswith("migration failed: ") and "Traceback" not in failed.err


def test_a_database_that_does_not_answer_fails_in_one_line(bare_shell: Shell) -> None:
    failed = bare_shell.run("migrate", DATABASE_URL="postgresql://user:p4ss@127.0.0.1:1/chat")
    assert failed.code == 1
    assert failed.err.startswith("migration failed: ") and "Traceback" not in failed.err
    assert "p4ss" not in failed.err
