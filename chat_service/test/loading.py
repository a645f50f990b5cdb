"""Configurations loaded as the service does, from files and variables of a test's own."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from chat_service.config import Config, ConfigError, load_config

ROOT = Path(__file__).parents[2]


class Load(Protocol):
    """Loads a configuration from files and variables."""

    def __call__(self, files: dict[str, str] | None = None, /, **variables: str) -> Config:
        """`files` by name, in the folder of the configuration; names without the prefix."""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Load in an environment of the test's own, which ends with it."""
    before = dict(os.environ)

    def run(files: dict[str, str] | None = None, /, **variables: str) -> Config:
        for name in [name for name in os.environ if name.startswith("CHAT_SERVICE_")]:
            del os.environ[name]
        os.environ["CHAT_SERVICE_CONFIG_DIR"] = str(tmp_path)
        os.environ.update({f"CHAT_SERVICE_{name}": text for name, text in variables.items()})
        for name, text in (files or {}).items():
            (tmp_path / name).write_text(text)
        return load_config()

    yield run
    os.environ.clear()
    os.environ.update(before)


def complaints(load: Load, files: dict[str, str] | None = None, /, **variables: str) -> list[str]:
    """What is said of a wrong configuration."""
    with pytest.raises(ConfigError) as refused:
        load(files, **variables)
    return refused.value.lines


def server(**values: object) -> str:
    """A file with settings of the server."""
    return "\n".join(["[chat-service.server]", *(f"{name} = {v}" for name, v in values.items())])
