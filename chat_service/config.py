"""The configuration, loaded by Typed-Settings from TOML files and the environment.

Owns where settings come from and what is said of wrong ones. The settings themselves stand in
`settings`; only `app`, `asgi` and `cli` see the whole of them.
"""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import attrs
import typed_settings
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from typed_settings.converters import get_default_cattrs_converter, register_strlist_hook
from typed_settings.exceptions import (
    ConfigFileLoadError,
    InvalidOptionsError,
    InvalidSettingsError,
    TsError,
)
from typed_settings.loaders import EnvLoader, FileLoader, Loader, TomlFormat
from typed_settings.processors import UrlProcessor
from typed_settings.types import OptionList, SettingsClass, SettingsDict

from chat_service.settings import (
    CONTACT,
    HOST,
    LOCAL_URL,
    NATS_URL,
    ORIGIN,
    SECURE_URL,
    SENDER,
    UNIX,
    Auth,
    BrokerSettings,
    Config,
    Database,
    EmailSettings,
    Limits,
    Log,
    Oidc,
    Rates,
    Realtime,
    Security,
    Server,
)

__all__ = [
    "Auth",
    "BrokerSettings",
    "Config",
    "ConfigError",
    "Database",
    "LOCAL_URL",
    "EmailSettings",
    "Limits",
    "Log",
    "NATS_URL",
    "ORIGIN",
    "Oidc",
    "Rates",
    "Realtime",
    "SECURE_URL",
    "Security",
    "Server",
    "UNIX",
    "load_config",
]

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
    converter = get_default_cattrs_converter(resolve_paths=False)
    # Addresses have colons of their own.
    register_strlist_hook(converter, fn=_words)
    return typed_settings.load_settings(
        Config,
        loaders,
        processors=[UrlProcessor({"file://": _read_secret})],
        converter=converter,
    )


def _words(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


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
    if config.realtime.pong_seconds > config.realtime.heartbeat_seconds:
        lines.append("realtime.pong_seconds: must not be more than realtime.heartbeat_seconds")
    if config.server.public_url and not ORIGIN.fullmatch(config.server.public_url):
        lines.append("server.public_url: must be like https://chat.example.org, without a path")
    if config.security.contact and not CONTACT.fullmatch(config.security.contact):
        lines.append("security.contact: must begin with mailto:, https:// or tel:")
    secrets = {
        "auth.secret_key": config.auth.secret_key,
        "auth.platform_token": config.auth.platform_token,
        "server.metrics_token": config.server.metrics_token,
    }
    for name, text in secrets.items():
        if text is not None and len(text.get_secret_value()) < 32:
            lines.append(f"{name}: must have at least 32 characters")
    lines += _wrong_names(config.server)
    lines += _wrong_url(config.database.url) + _wrong_broker(config)
    lines += _wrong_oidc(config) if config.oidc.issuer else []
    return lines + _wrong_email(config)


def _wrong_names(server: Server) -> list[str]:
    lines = [
        f"server.hosts: must be names like chat.example.org, not {name!r}"
        for name in server.hosts
        if not HOST.fullmatch(name)
    ]
    for network in set(server.trusted_proxies) - {UNIX}:
        try:
            ip_network(network)
        except ValueError as error:
            lines.append(f"server.trusted_proxies: {error}")
    return lines


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


def _wrong_email(config: Config) -> list[str]:
    """Letters hold links to the service, which must not be made from what a request says."""
    email = config.email
    if not email.host:
        return []
    lines = []
    if not config.server.public_url:
        lines.append("email.host: needs server.public_url, which links in letters begin with")
    if not SENDER.fullmatch(email.sender):
        lines.append("email.sender: must be an address like chat@example.org")
    if bool(email.user) != (email.password is not None):
        lines.append("email.user: goes together with email.password")
    return lines


def _wrong_broker(config: Config) -> list[str]:
    url = config.broker.url
    if url == "postgres://" and config.database.url.startswith("sqlite"):
        return ["broker.url: postgres:// is the service's own database, which is SQLite here"]
    if url in ("", "memory://", "postgres://"):
        return []
    nats = NATS_URL.fullmatch(url)
    if nats and all(int(port) < 65536 for port in re.findall(r":(\d+)(?=,|$)", nats["hosts"])):
        return []
    if url.startswith("nats://"):
        return ["broker.url: must be nats://[user:password@]host[:port][,host[:port]...]"]
    return ["broker.url: must be memory://, postgres:// or begin with nats://"]


def _wrong_oidc(config: Config) -> list[str]:
    oidc, lines = config.oidc, []
    local = config.environment != "production" and LOCAL_URL.fullmatch(oidc.issuer)
    if len(oidc.issuer) > 255 or not (local or SECURE_URL.fullmatch(oidc.issuer)):
        lines.append("oidc.issuer: must be like https://id.example.org, without a query")
    if not oidc.client_id:
        lines.append("oidc.client_id: is needed with oidc.issuer")
    if oidc.client_secret is None or not oidc.client_secret.get_secret_value():
        lines.append("oidc.client_secret: is needed with oidc.issuer")
    if not 1 <= len(oidc.name) <= 64:
        lines.append("oidc.name: must have 1 to 64 characters")
    if "openid" not in oidc.scopes.split():
        lines.append("oidc.scopes: must name openid")
    if not config.server.public_url:
        lines.append("server.public_url: is needed with oidc.issuer, since people come back to it")
    return lines
