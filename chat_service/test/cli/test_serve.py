"""`chat-service serve`: what it refuses to start on, and what it says when it serves."""

import json
import re
import shlex
import socket

import httpx2
import pytest

from chat_service.test.cli.programs import Shell
from chat_service.test.postgres import FreshDatabase

pytestmark = pytest.mark.timeout(120)


def test_refuses_an_old_schema_and_says_the_command(bare_shell: Shell) -> None:
    refused = bare_shell.run("serve", "--port", "0", real=True)
    assert refused.code == 4
    assert "run: chat-service migrate" in refused.err


def test_refuses_to_be_the_second_process_on_a_file(shell: Shell) -> None:
    with shell.serving() as lines:
        url = lines[-1].rpartition(" ")[2]
        refused = shell.run("serve", "--port", "0")
        assert refused.code == 3
        assert "another process serves" in refused.err and "PostgreSQL" in refused.err
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
        assert httpx2.get(f"{url}/health/ready").status_code == 200
    with shell.serving() as lines:
        assert lines[-1].startswith("chat-service serves on http://localhost:")


@pytest.mark.conformance("second_worker_on_sqlite_is_refused")
def test_second_worker_on_sqlite_is_refused(shell: Shell) -> None:
    by_option = shell.run("serve", "--port", "0", "--workers", "2")
    by_setting = shell.run("serve", "--port", "0", SERVER_WORKERS="2")
    for refused in (by_option, by_setting):
        assert (refused.code, refused.out) == (3, "")
        assert refused.err == "--workers 2 needs PostgreSQL (database.url)\n"


def test_refuses_a_sqlite_file_that_may_forget(shell: Shell) -> None:
    """The VFS has no shared memory, as a network file system, so there is no WAL."""
    url = f"sqlite:///file:{shell.folder}/weak.db?vfs=unix-dotfile&uri=true"
    assert shell.run("migrate", DATABASE_URL=url).code == 0
    refused = shell.run("serve", "--port", "0", DATABASE_URL=url)
    assert refused.code == 3
    assert "may lose acknowledged messages: journal_mode is delete" in refused.err
    with shell.serving(DATABASE_URL=url, DATABASE_PROFILE="fast") as lines:
        assert "chat-service serves on" in lines[-1]


def test_refuses_a_postgresql_that_may_forget(
    bare_shell: Shell, fresh_database: FreshDatabase
) -> None:
    """The server of the tests runs without fsync."""
    url = fresh_database("weak")
    assert bare_shell.run("migrate", DATABASE_URL=url).code == 0
    refused = bare_shell.run("serve", "--port", "0", DATABASE_URL=url)
    assert refused.code == 3
    assert "may lose acknowledged messages: fsync is off" in refused.err


def test_serves_postgresql_with_several_workers(
    bare_shell: Shell, fresh_database: FreshDatabase
) -> None:
    bare_shell.settings |= {"DATABASE_URL": fresh_database("workers"), "DATABASE_PROFILE": "fast"}
    assert bare_shell.run("migrate").code == 0
    with bare_shell.serving("--workers", "2", real=True) as lines:
        url = lines[-1].rpartition(" ")[2]
        assert httpx2.get(f"{url}/health/ready").status_code == 200


def test_several_workers_refuse_an_old_schema_too(
    bare_shell: Shell, fresh_database: FreshDatabase
) -> None:
    url = fresh_database("old")
    refused = bare_shell.run("serve", "--port", "0", "--workers", "2", DATABASE_URL=url)
    assert refused.code == 4
    assert "run: chat-service migrate" in refused.err


def test_a_database_that_does_not_answer_is_told_without_its_password(bare_shell: Shell) -> None:
    url = "postgresql://user:p4ss@127.0.0.1:1/chat"
    refused = bare_shell.run("serve", "--port", "0", DATABASE_URL=url)
    assert refused.code == 1
    assert "cannot reach the database" in refused.err and "p4ss" not in refused.err


def test_a_port_that_is_taken_is_told(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = shell.run("serve", "--port", str(port))
    assert refused.code == 1
    assert refused.err.startswith(f"cannot listen on 127.0.0.1, port {port}: ")


def test_refuses_a_key_file_that_holds_no_key(shell: Shell) -> None:
    (shell.folder / "var" / "secret_key").write_text("")
    refused = shell.run("serve", "--port", "0")
    assert refused.code == 3
    assert refused.err.startswith("configuration: auth.secret_key_file: ")


def test_in_development_the_first_request_works_when_it_is_pasted(seeded: Shell) -> None:
    with seeded.serving(real=True, ENVIRONMENT="development") as lines:
        tried = next(line for line in lines if line.startswith("Try "))
        words = shlex.split(tried.removeprefix("Try"))
        url, body = words[2], words[words.index("-d") + 1]
        headers = dict(re.findall(r"-H '([^:]+): ([^']+)'", tried))
        answer = httpx2.post(url, content=body, headers=headers)
        assert answer.status_code == 201
        assert (
            answer.json()["message"]["content"]["text"]
            == json.loads(body)["initial_message"]["content"]["text"]
        )


def test_in_production_no_credential_is_shown(seeded: Shell) -> None:
    with seeded.serving() as lines:
        assert len(lines) == 1 and "sk_" not in lines[0]
