"""Where settings come from, which of them counts, and what is said of wrong ones."""

from pathlib import Path

import attrs
import pytest

from chat_service.config import Auth, Config
from chat_service.test.loading import ROOT, Load, complaints, load, server

__all__ = ["load"]


def test_without_anything_the_defaults_count(load: Load) -> None:
    assert load() == Config()
    assert load().environment == "production"


def test_later_sources_win(load: Load, tmp_path: Path) -> None:
    files = {
        "default.toml": server(port=1, workers=1, head_bytes=1111, body_bytes=1111),
        "test.toml": server(workers=2, head_bytes=2222, body_bytes=2222),
        "extra.toml": server(head_bytes=3333, body_bytes=3333),
        "production.toml": server(port=9999),
    }
    settings = str(tmp_path / "extra.toml")
    loaded = load(files, ENVIRONMENT="test", SETTINGS=settings, SERVER_BODY_BYTES="4444")
    assert (loaded.server.port, loaded.server.workers) == (1, 2)
    assert (loaded.server.head_bytes, loaded.server.body_bytes) == (3333, 4444)
    assert loaded.environment == "test"


def test_of_several_extra_files_the_last_wins(load: Load, tmp_path: Path) -> None:
    files = {"a.toml": server(port=1, workers=3), "b.toml": server(port=2)}
    loaded = load(files, SETTINGS=f"{tmp_path / 'a.toml'}:{tmp_path / 'b.toml'}")
    assert (loaded.server.port, loaded.server.workers) == (2, 3)


def test_words_of_the_environment_become_numbers(load: Load) -> None:
    loaded = load(SERVER_PORT="81", AUTH_RECHECK_SECONDS="0.5", LOG_LEVEL="debug")
    assert (loaded.server.port, loaded.auth.recheck_seconds, loaded.log.level) == (81, 0.5, "debug")


def test_sections_of_other_programs_are_not_ours(load: Load) -> None:
    assert load({"default.toml": "[other]\nport = 1\n"}) == Config()


def test_each_unknown_key_of_a_file_has_its_line(load: Load, tmp_path: Path) -> None:
    text = server(prot=1, hots='"x"') + "\n[chat-service.sever]\nport = 1\n"
    lines = complaints(load, {"default.toml": text})
    assert len(lines) == 3
    for line, name in zip(sorted(lines), ("server.hots", "server.prot", "sever.port"), strict=True):
        assert name in line and str(tmp_path / "default.toml") in line


def test_each_unknown_variable_has_its_line(load: Load) -> None:
    assert complaints(load, SERVER_PROT="1", PORTS="1", SERVER="x") == [
        "CHAT_SERVICE_PORTS: no such setting",
        "CHAT_SERVICE_SERVER: no such setting",
        "CHAT_SERVICE_SERVER_PROT: no such setting",
    ]


def test_what_kubernetes_tells_of_its_services_is_no_setting_of_ours(load: Load) -> None:
    links = {
        "SERVICE_HOST": "10.0.0.1",
        "SERVICE_PORT": "8080",
        "SERVICE_PORT_HTTP": "8080",
        "PORT": "tcp://10.0.0.1:8080",
        "PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "PORT_8080_TCP_PROTO": "tcp",
        "PORT_8080_TCP_PORT": "8080",
        "PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert load(**links) == Config()


def test_each_value_out_of_bounds_has_its_line(load: Load) -> None:
    assert complaints(load, {"default.toml": server(port=70000)}, LIMITS_OPEN_SESSIONS="0") == [
        "server.port: must be 0 to 65535, not 70000",
        "limits.open_sessions: must be 1 to 1000, not 0",
    ]


def test_each_value_of_a_wrong_kind_has_its_line(load: Load) -> None:
    lines = complaints(load, SERVER_PORT="x", LIMITS_OPEN_SESSIONS="y", LOG_LEVEL="loud")
    assert len(lines) == 3
    names = ("server.port", "limits.open_sessions", "log.level")
    assert all(name in line for name, line in zip(names, lines, strict=True))


def test_wrong_variables_and_wrong_values_are_told_together(load: Load) -> None:
    lines = complaints(load, SERVER_PROT="1", SERVER_PORT="70000")
    assert [line.partition(":")[0] for line in lines] == ["CHAT_SERVICE_SERVER_PROT", "server.port"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-1", "1e9"])
def test_no_time_is_without_bound(load: Load, value: str) -> None:
    assert "server.head_seconds" in complaints(load, SERVER_HEAD_SECONDS=value)[0]


def sections() -> "dict[str, tuple[attrs.Attribute[object], ...]]":
    """The options of each section."""
    defaults = attrs.asdict(Config(), recurse=False)
    found = {name: type(value) for name, value in defaults.items() if name != "environment"}
    return {name: attrs.fields(section) for name, section in found.items()}


def test_every_number_has_bounds_and_a_default_within() -> None:
    numbers = [
        option
        for options in sections().values()
        for option in options
        if option.type in (int, float)
    ]
    assert len(numbers) > 20
    for option in numbers:
        low, high = option.metadata["bounds"]
        assert low <= option.default <= high, option.name


def test_a_file_that_is_no_toml_is_named(load: Load, tmp_path: Path) -> None:
    line = complaints(load, {"default.toml": "[chat-service\n"})[0]
    assert str(tmp_path / "default.toml") in line and "line 1" in line


def test_a_file_that_is_asked_for_must_be_there(load: Load, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.toml")
    for name in (missing, f"!{missing}", str(tmp_path)):
        assert any("CHAT_SERVICE_SETTINGS" in line for line in complaints(load, SETTINGS=name))


def test_an_environment_that_is_none_is_refused(load: Load) -> None:
    assert complaints(load, ENVIRONMENT="prod") == [
        "CHAT_SERVICE_ENVIRONMENT: must be one of development, test, production"
    ]


def test_a_file_does_not_choose_the_environment(load: Load) -> None:
    files = {"default.toml": '[chat-service]\nenvironment = "development"\n'}
    assert complaints(load, files) == [
        "environment: CHAT_SERVICE_ENVIRONMENT alone chooses it, not a file"
    ]


def test_no_two_options_share_a_variable() -> None:
    names = [f"{name}_{option.name}" for name, options in sections().items() for option in options]
    assert len(set(names)) == len(names)
    assert not {"environment", "config_dir", "settings"} & set(names)


@pytest.mark.parametrize("environment", ["development", "test", "production"])
def test_the_files_of_the_project_are_right(load: Load, environment: str) -> None:
    loaded = load(CONFIG_DIR=str(ROOT / "config"), ENVIRONMENT=environment)
    assert loaded.environment == environment
    assert (loaded.server.port, loaded.database.profile) == (8080, "durable")


def test_passwords_are_cheap_in_tests_alone(load: Load) -> None:
    memory = {
        name: load(CONFIG_DIR=str(ROOT / "config"), ENVIRONMENT=name).auth.hash_memory_kib
        for name in ("development", "test", "production")
    }
    assert memory["test"] < Auth().hash_memory_kib == memory["production"] == memory["development"]
