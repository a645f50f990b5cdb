"""The installation's key: made once, for the owner's eyes, and never half."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from typed_settings.types import Secret

from chat_service.config import Auth, ConfigError
from chat_service.tokens import load_secret_key

STARTERS = 8


@pytest.mark.asvs("13.3.1", "13.3.2")
def test_secret_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    config = Auth(secret_key_file=str(tmp_path / "var" / "secret_key"))
    first = load_secret_key(config)
    assert load_secret_key(config) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret_key"]


@pytest.mark.asvs("13.3.1")
def test_each_installation_has_its_own_key(tmp_path: Path) -> None:
    keys = {load_secret_key(Auth(secret_key_file=str(tmp_path / name))) for name in "abc"}
    assert len(keys) == 3


@pytest.mark.parametrize("attempt", range(20))
@pytest.mark.asvs("15.4.1")
def test_processes_that_start_at_once_have_one_whole_key(tmp_path: Path, attempt: int) -> None:
    config, ready = Auth(secret_key_file=str(tmp_path / "secret_key")), Barrier(STARTERS)

    def start(_: int) -> bytes:
        ready.wait()
        return load_secret_key(config)

    with ThreadPoolExecutor(STARTERS) as starters:
        keys = set(starters.map(start, range(STARTERS)))
    assert {len(key) for key in keys} == {64}
    assert len(keys) == 1


@pytest.mark.parametrize("content", ["", "\n", "x" * 31])
@pytest.mark.asvs("16.5.3")
def test_refuses_a_file_that_holds_no_whole_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "secret_key"
    path.write_text(content)
    with pytest.raises(ConfigError, match="auth.secret_key_file"):
        load_secret_key(Auth(secret_key_file=str(path)))
    assert path.read_text() == content


def test_a_file_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(ConfigError) as refused:
        load_secret_key(Auth(secret_key_file=str(tmp_path / "var" / "secret_key")))
    assert len(refused.value.lines) == 1 and "auth.secret_key_file" in refused.value.lines[0]


def test_the_setting_counts_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    config = Auth(secret_key=Secret("s" * 32), secret_key_file=str(path))
    assert load_secret_key(config) == b"s" * 32
    assert not path.exists()


def test_a_newline_at_the_end_of_the_file_is_not_part_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("k" * 32 + "\n")
    assert load_secret_key(Auth(secret_key_file=str(path))) == b"k" * 32
