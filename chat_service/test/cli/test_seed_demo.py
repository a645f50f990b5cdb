"""`chat-service seed-demo`: the first workspace, once, and its credentials for the owner's eyes."""

import sqlite3
import stat
from contextlib import closing

import pytest

from chat_service.cli.demo import Demo
from chat_service.test.cli.programs import Shell, client_of

pytestmark = pytest.mark.timeout(120)


def workspaces(shell: Shell) -> int:
    """How many there are."""
    with closing(sqlite3.connect(shell.folder / "var" / "chat.db")) as db:
        return int(db.execute("SELECT count(*) FROM workspaces").fetchone()[0])


@pytest.mark.asvs("13.3.2")
def test_later_runs_change_nothing(shell: Shell) -> None:
    path = shell.folder / "var" / "demo.txt"
    assert shell.run("seed-demo").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    again = shell.run("seed-demo")
    assert (again.code, again.out, again.err) == (0, "", "")
    assert sorted(each.name for each in path.parent.iterdir()) == ["chat.db", "demo.txt"]
    assert (path.read_text(), workspaces(shell)) == (before, 1)


async def test_the_credentials_work(seeded: Shell) -> None:
    demo = Demo.read(seeded.folder / "var" / "demo.txt")
    assert demo is not None
    async with client_of(seeded) as client:
        who = {"email": demo.email, "password": demo.password}
        signed_in = await client.post("/v1/auth/sign-in", json=who)
        assert signed_in.json()["agent"]["role"] == "owner"
        begun = await client.post(f"/v1/inboxes/{demo.inbox_key}/customers", json={})
        assert begun.status_code == 201
        start = {"client_session_id": "first", "customer_id": demo.customer_id}
        key = {"Authorization": f"Bearer {demo.api_key}"}
        assert (await client.post("/v1/sessions", json=start, headers=key)).status_code == 201


def test_a_dash_prints_the_credentials_and_leaves_no_file(shell: Shell) -> None:
    printed = shell.run("seed-demo", "--credentials", "-")
    names = [line.partition(": ")[0] for line in printed.out.splitlines()]
    assert names == ["email", "password", "api_key", "inbox_key", "customer_id"]
    assert shell.run("seed-demo", "--credentials", "-").out == ""
    assert [each.name for each in (shell.folder / "var").iterdir()] == ["chat.db"]


@pytest.mark.asvs("13.3.2")
def test_a_file_that_others_could_read_is_replaced(shell: Shell) -> None:
    path = shell.folder / "demo.txt"
    path.write_text("old")
    path.chmod(0o644)
    assert shell.run("seed-demo", "--credentials", "demo.txt").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "api_key: sk_" in path.read_text()


def test_nothing_is_made_where_the_credentials_have_no_place(shell: Shell) -> None:
    (shell.folder / "taken").write_text("a file, not a folder")
    assert shell.run("seed-demo", "--credentials", "taken/demo.txt").code == 1
    assert workspaces(shell) == 0


def test_refuses_an_old_schema_and_says_the_command(bare_shell: Shell) -> None:
    refused = bare_shell.run("seed-demo")
    assert refused.code == 4
    assert refused.err == "the database has another schema; run: chat-service migrate\n"
    assert not (bare_shell.folder / "var" / "demo.txt").exists()
