"""Where settings come from, which of them counts, and what is said of wrong ones."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import attrs
import pytest

from chat_service.config import Auth, BrokerSettings, Config, ConfigError, Database, load_config

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


def test_a_secret_may_stand_in_a_file_of_its_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 40 + "\n")
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    loaded = load(
        AUTH_SECRET_KEY=f"file://{tmp_path / 'key'}", DATABASE_URL=f"file://{tmp_path / 'url'}"
    )
    assert loaded.auth.secret_key is not None
    assert loaded.auth.secret_key.get_secret_value() == "k" * 40
    assert loaded.database.url == "postgresql://u:p@h/d"


def test_a_secret_file_that_is_not_there_is_named(load: Load, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert complaints(load, AUTH_SECRET_KEY=f"file://{missing}") == [
        f"file://{missing}: No such file or directory"
    ]


def test_a_secret_has_a_length(load: Load) -> None:
    short = "s3cret-but-short"
    lines = complaints(load, AUTH_SECRET_KEY=short, SERVER_METRICS_TOKEN=short)
    assert lines == [
        "auth.secret_key: must have at least 32 characters",
        "server.metrics_token: must have at least 32 characters",
    ]


URL_COMPLAINTS = [
    ("x", "not a database URL"),
    ("mysql://h/d", "must begin with sqlite:/// or postgresql://"),
    ("sqlite://", "must name a database"),
    ("sqlite:///:memory:", "must name a database"),
    ("postgresql://user:p4ssword@host", "must name a database"),
]


@pytest.mark.parametrize(("url", "complaint"), URL_COMPLAINTS)
def test_refuses_a_database_it_cannot_use(load: Load, url: str, complaint: str) -> None:
    lines = complaints(load, DATABASE_URL=url)
    assert len(lines) == 1
    assert lines[0].startswith("database.url: ") and complaint in lines[0]
    assert "p4ssword" not in lines[0]


BROKER_COMPLAINTS = [
    ("redis://h", "must be memory://, postgres:// or begin with nats://"),
    ("postgresql://u:p4ssword@h/d", "must be memory://, postgres:// or begin with nats://"),
    ("nats", "must be memory://, postgres:// or begin with nats://"),
    ("nats://", "must be nats://[user:password@]host[:port][,host[:port]...]"),
    ("nats://h:99999", "must be nats://"),
    ("nats://u:p4ssword@a,u:p4ssword@b", "must be nats://"),
    ("nats://a, b", "must be nats://"),
    ("postgres://", "postgres:// is the service's own database, which is SQLite here"),
]


@pytest.mark.parametrize(("url", "complaint"), BROKER_COMPLAINTS)
def test_refuses_a_broker_it_cannot_use(load: Load, url: str, complaint: str) -> None:
    (line,) = complaints(load, BROKER_URL=url)
    assert line.startswith(f"broker.url: {complaint}")
    assert "p4ssword" not in line


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory://",
        "postgres://",
        "nats://a",
        "nats://a:4222,b_2.example:1,[::1]:65535,[::1]",
        "nats://t0ken@a",
        "nats://chat:p%40ss@a,b",
    ],
)
def test_takes_a_broker_it_can_use(load: Load, url: str) -> None:
    assert load(BROKER_URL=url, DATABASE_URL="postgresql://h/d").broker.url == url


@pytest.mark.parametrize("credentials", ["t0ken", "chat:t0ken"])
def test_a_broker_is_shown_without_credentials(credentials: str) -> None:
    assert repr(BrokerSettings(url=f"nats://{credentials}@a,b")).count("'nats://***@a,b'") == 1
    assert "'nats://a,b'" in repr(BrokerSettings(url="nats://a,b"))


def test_secrets_are_masked_wherever_the_configuration_is_shown(load: Load) -> None:
    key, password = "k" * 40, "p4ss:w/ord"
    url = f"postgresql://user:{password}@host/name?password={password}&ssl=require"
    loaded = load(AUTH_SECRET_KEY=key, SERVER_METRICS_TOKEN=key, DATABASE_URL=url)
    for shown in (repr(loaded), str(loaded), repr(loaded.auth), str(loaded.auth.secret_key)):
        assert key not in shown
        assert password not in shown
    assert "postgresql://user:***@host/name?password=***&ssl=require" in repr(loaded)


@pytest.mark.parametrize("url", ["sqlite:///var/chat.db", "postgresql://user@host/name"])
def test_a_url_without_password_is_shown_as_it_is(url: str) -> None:
    assert repr(url) in repr(Database(url=url))


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


@pytest.mark.parametrize(
    "url", ["", "https://chat.example.org", "http://localhost:8080", "https://[::1]:8443"]
)
def test_a_public_url_is_an_origin(load: Load, url: str) -> None:
    assert load(SERVER_PUBLIC_URL=url).server.public_url == url


@pytest.mark.parametrize(
    "url",
    [
        "chat.example.org",
        "https://chat.example.org/",
        "https://chat.example.org/console",
        "https://Chat.example.org",
        "https://me@chat.example.org",
        "wss://chat.example.org",
        "https://",
    ],
)
def test_a_public_url_that_is_none_stops_the_start(load: Load, url: str) -> None:
    assert complaints(load, SERVER_PUBLIC_URL=url) == [
        "server.public_url: must be like https://chat.example.org, without a path"
    ]


def test_a_ping_later_than_the_next_one_stops_the_start(load: Load) -> None:
    assert complaints(load, REALTIME_HEARTBEAT_SECONDS="5", REALTIME_PONG_SECONDS="6") == [
        "realtime.pong_seconds: must not be more than realtime.heartbeat_seconds"
    ]
