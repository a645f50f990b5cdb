"""The model of the TOML files and of the environment, loaded by Typed-Settings.

Owns every setting, its default and its bounds. Every part of the service is handed its own section;
only `app`, `asgi` and `cli` see the whole. Sizes are bytes, times are seconds.
"""

import os
import re
from pathlib import Path
from typing import Any, Final, Literal

import attrs
import typed_settings
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from typed_settings.cls_attrs import secret
from typed_settings.converters import get_default_cattrs_converter
from typed_settings.exceptions import (
    ConfigFileLoadError,
    InvalidOptionsError,
    InvalidSettingsError,
    TsError,
)
from typed_settings.loaders import EnvLoader, FileLoader, Loader, TomlFormat
from typed_settings.processors import UrlProcessor
from typed_settings.types import OptionList, Secret, SettingsClass, SettingsDict

APP: Final = "chat-service"
PREFIX: Final = "CHAT_SERVICE_"
ENVIRONMENTS: Final = ("development", "test", "production")
# Variables that say where settings come from and are no settings themselves.
SOURCES: Final = {f"{PREFIX}ENVIRONMENT", f"{PREFIX}CONFIG_DIR", f"{PREFIX}SETTINGS"}


SERVICE_LINK: Final = re.compile(
    rf"{PREFIX}(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes tells every container of a Service named `chat-service`."""


class ConfigError(Exception):
    """The configuration is wrong; `lines` tells what, one line for each setting."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _bounded(default: Any, low: float, high: float) -> Any:
    """A number with its bounds, which `load_config` checks after everything is converted."""
    return attrs.field(default=default, metadata={"bounds": (low, high)})


def _without_password(url: str) -> str:
    """How a database URL is shown in logs and tracebacks."""
    return repr(re.sub(r"(//[^:/]*:)[^@]*(?=@)|(password=)[^&]*", r"\1\2***", url))


@attrs.frozen
class Server:
    """Where the service listens, what it accepts, and how long it drains."""

    host: str = "127.0.0.1"
    """Address to listen on; "*" is every address, IPv6 and IPv4."""
    port: int = _bounded(8080, 0, 65535)
    workers: int = _bounded(1, 1, 256)
    head_bytes: int = _bounded(32_768, 1_024, 1_048_576)
    head_seconds: float = _bounded(5.0, 0.1, 300)
    body_bytes: int = _bounded(100_000, 1_000, 10_000_000)
    body_seconds: float = _bounded(30.0, 0.1, 600)
    balancer_seconds: float = _bounded(3.0, 0, 60)
    """How long the service answers "not ready" before it stops accepting connections."""
    drain_seconds: float = _bounded(15.0, 0.1, 300)
    """How long requests in flight and lanes may take to finish at shutdown."""


@attrs.frozen
class Database:
    """Which database, and how durable."""

    url: str = attrs.field(default="sqlite:///var/chat.db", repr=_without_password)
    profile: Literal["durable", "fast"] = "durable"
    """`durable` refuses to start on a database that may forget a commit; `fast` may lose the last."""
    pool_size: int = _bounded(10, 2, 500)
    pool_seconds: float = _bounded(5.0, 0.1, 60)


@attrs.frozen
class Auth:
    """Tokens, passwords, and how often a password may be tried."""

    secret_key: Secret[str] | None = secret(default=None)
    """At least 32 characters; not given, it is made once and kept in `secret_key_file`."""
    secret_key_file: str = "var/secret_key"
    customer_token_seconds: int = _bounded(900, 1, 86_400)
    refresh_token_seconds: int = _bounded(2_592_000, 60, 31_536_000)
    agent_token_seconds: int = _bounded(43_200, 60, 2_592_000)
    recheck_seconds: float = _bounded(1.0, 0, 1)
    """How long a checked token is remembered, so how long a revoked one may still work."""
    hash_memory_kib: int = _bounded(19_456, 8, 1_048_576)
    hash_rounds: int = _bounded(2, 1, 100)
    tries_per_address: int = _bounded(5, 1, 1_000)
    tries_per_address_seconds: int = _bounded(300, 1, 86_400)
    tries_per_account: int = _bounded(10, 1, 1_000)
    tries_per_account_seconds: int = _bounded(900, 1, 86_400)


@attrs.frozen
class Limits:
    """Sizes, counts and windows; the table of limits stands in the guide."""

    message_bytes: int = _bounded(16_384, 1, 65_536)
    attributes_bytes: int = _bounded(4_096, 1, 65_536)
    session_messages: int = _bounded(30_000, 1, 1_000_000)
    open_sessions: int = _bounded(3, 1, 1_000)
    edit_seconds: int = _bounded(900, 0, 31_536_000)
    lane_drafts: int = _bounded(2_048, 1, 100_000)
    lane_seconds: float = _bounded(5.0, 0.1, 60)
    batch_drafts: int = _bounded(256, 1, 512)
    batch_bytes: int = _bounded(1_048_576, 1_024, 16_777_216)


@attrs.frozen
class Log:
    """What goes to standard error, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


@attrs.frozen
class Config:
    """The whole configuration; `environment` is chosen by CHAT_SERVICE_ENVIRONMENT alone."""

    server: Server = Server()
    database: Database = Database()
    auth: Auth = Auth()
    limits: Limits = Limits()
    log: Log = Log()
    environment: Literal["development", "test", "production"] = "production"


def load_config() -> Config:
    """Read files and environment; raises ConfigError with one line for each wrong setting."""
    environment = os.environ.get(f"{PREFIX}ENVIRONMENT", "production")
    if environment not in ENVIRONMENTS:
        raise ConfigError([f"{PREFIX}ENVIRONMENT: must be one of {', '.join(ENVIRONMENTS)}"])
    folder = Path(os.environ.get(f"{PREFIX}CONFIG_DIR", "config"))
    lines = _unknown_variables() + _missing_files()
    try:
        config = _load([folder / "default.toml", folder / f"{environment}.toml"])
        lines += _wrong_values(config)
        if config.environment != environment:
            lines.append(f"environment: {PREFIX}ENVIRONMENT alone chooses it, not a file")
    except InvalidSettingsError as error:
        lines += [str(inner) for inner in error.exceptions]
    except InvalidOptionsError as error:
        place, _, names = str(error).rpartition(": ")
        lines += [f"{place}: {name}" for name in names.split(", ")]
    except (TsError, ValueError, OSError) as error:
        lines.append(str(error))
    if lines:
        raise ConfigError(lines)
    return config


class _Toml(TomlFormat):
    """TOML whose errors name the file."""

    def __call__(
        self, path: Path, settings_cls: SettingsClass, options: OptionList
    ) -> SettingsDict:
        try:
            return super().__call__(path, settings_cls, options)
        except ConfigFileLoadError as error:
            raise ConfigFileLoadError(f"{path}: {error}") from error


def _load(files: list[Path]) -> Config:
    loaders: list[Loader] = [
        FileLoader({"*.toml": _Toml(APP)}, files, env_var=f"{PREFIX}SETTINGS"),
        EnvLoader(PREFIX),
    ]
    return typed_settings.load_settings(
        Config,
        loaders,
        processors=[UrlProcessor({"file://": _read_secret})],
        converter=get_default_cattrs_converter(resolve_paths=False),
    )


def _read_secret(value: str, scheme: str) -> str:
    try:
        return Path(value).read_text().strip()
    except OSError as error:
        raise ValueError(f"{scheme}{value}: {error.strerror}") from None


def _unknown_variables() -> list[str]:
    """Names in the environment that look like ours and are not: a misspelt one must not pass."""
    known = SOURCES | {
        f"{PREFIX}{section}_{option.name}".upper()
        for section in _sections()
        for option in attrs.fields(type(getattr(Config(), section)))
    }
    names = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    return [f"{name}: no such setting" for name in names if not SERVICE_LINK.fullmatch(name)]


def _missing_files() -> list[str]:
    """Files that the environment names and that are not there: to go on without is no answer."""
    names = os.environ.get(f"{PREFIX}SETTINGS", "").split(":")
    missing = [name for name in names if name and not Path(name.removeprefix("!")).is_file()]
    return [f"{PREFIX}SETTINGS: there is no file {name}" for name in missing]


def _sections() -> list[str]:
    return [field.name for field in attrs.fields(Config) if field.name != "environment"]


def _wrong_values(config: Config) -> list[str]:
    lines = []
    for section in _sections():
        values = getattr(config, section)
        for option in attrs.fields(type(values)):
            low, high = option.metadata.get("bounds", (None, None))
            value = getattr(values, option.name)
            if low is not None and not low <= value <= high:
                lines.append(f"{section}.{option.name}: must be {low} to {high}, not {value}")
    key = config.auth.secret_key
    if key is not None and len(key.get_secret_value()) < 32:
        lines.append("auth.secret_key: must have at least 32 characters")
    return lines + _wrong_url(config.database.url)


def _wrong_url(value: str) -> list[str]:
    try:
        url = make_url(value)
    except ArgumentError:
        return ["database.url: not a database URL"]
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        return ["database.url: must begin with sqlite:/// or postgresql://"]
    if not url.database or url.database == ":memory:":
        return ["database.url: must name a database (for SQLite a file)"]
    return []
