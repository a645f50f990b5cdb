"""`chat-service export-audit`: all entries, once each, in a file that was not there before."""

import json
import stat

import pytest
from click.testing import CliRunner

from chat_service.cli.export_audit import command
from chat_service.test.builders import Json
from chat_service.test.cli.programs import Finished, Shell

pytestmark = pytest.mark.timeout(120)


def lines(text: str) -> list[Json]:
    """The entries of an export."""
    return [json.loads(line) for line in text.splitlines()]


def export(shell: Shell, *words: str) -> Finished:
    """Run the command, which must go well."""
    done = shell.run("export-audit", *words)
    assert (done.code, done.err) == (0, "")
    return done


def test_an_export_holds_every_entry_oldest_first_and_itself(seeded: Shell) -> None:
    seeded.run("create-inbox", "--name", "Shop")
    found = lines(export(seeded, "-", "--workspace", "demo").out)
    acts = [entry["action"] for entry in found]
    assert acts[0] == "workspace.created" and acts[-2:] == ["inbox.created", "audit.exported"]
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)
    assert len({entry["id"] for entry in found}) == len(found)
    assert found[0]["fields"] == ["name", "slug"] and found[0]["actor"]["type"] == "system"


@pytest.mark.asvs("16.4.2")
def test_a_file_is_written_once_and_for_its_owner_alone(seeded: Shell) -> None:
    path = seeded.folder / "audit.ndjson"
    assert export(seeded, str(path)).out == ""
    written = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = seeded.run("export-audit", str(path))
    assert (again.code, again.err) == (1, f"{path}: File exists\n")
    assert path.read_text() == written
    found = lines(export(seeded, "-", "--workspace", "demo").out)
    assert sum(entry["action"] == "audit.exported" for entry in found) == 2


def test_without_a_workspace_it_is_all_of_them(seeded: Shell) -> None:
    seeded.run("create-workspace", "--slug", "shop", "--name", "Shop")
    found = lines(export(seeded, "-").out)
    made = [entry for entry in found if entry["action"] == "workspace.created"]
    assert len({entry["workspace_id"] for entry in made}) == 2
    assert sum(entry["action"] == "audit.exported" for entry in found) == 3


def test_a_workspace_that_is_not_there_leaves_no_file(seeded: Shell) -> None:
    path = seeded.folder / "audit.ndjson"
    missing = seeded.run("export-audit", "--workspace", "nowhere", str(path))
    assert (missing.code, missing.err) == (1, "no such workspace\n")
    assert not path.exists()


def test_help_tells_what_the_file_is() -> None:
    shown = CliRunner().invoke(command, ["--help"])
    assert shown.exit_code == 0
    assert "FILE" in shown.output and "--workspace" in shown.output
