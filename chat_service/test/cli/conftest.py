"""Folders with and without a database to run commands in."""

import asyncio
import shutil
from pathlib import Path

import pytest

from chat_service.config import Database
from chat_service.model import migrations, open_engine
from chat_service.test.cli.programs import Shell


@pytest.fixture
def bare_shell(tmp_path: Path) -> Shell:
    """A folder in which nothing has been run yet."""
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "chat.db"
    engine = open_engine(Database(url=f"sqlite:///{path}"))

    async def migrate() -> None:
        await migrations.upgrade(engine)
        await engine.dispose()

    asyncio.run(migrate())
    return path


@pytest.fixture
def shell(bare_shell: Shell, migrated_file: Path) -> Shell:
    """A folder whose database is up to date."""
    (bare_shell.folder / "var").mkdir()
    shutil.copy(migrated_file, bare_shell.folder / "var" / "chat.db")
    return bare_shell


@pytest.fixture(scope="session")
def seeded_folder(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo workspace and its credentials, to copy."""
    shell = Shell(tmp_path_factory.mktemp("seeded"))
    (shell.folder / "var").mkdir()
    shutil.copy(migrated_file, shell.folder / "var" / "chat.db")
    assert shell.run("seed-demo").code == 0
    return shell.folder / "var"


@pytest.fixture
def seeded(bare_shell: Shell, seeded_folder: Path) -> Shell:
    """A folder whose database has the demo workspace."""
    shutil.copytree(seeded_folder, bare_shell.folder / "var")
    return bare_shell
