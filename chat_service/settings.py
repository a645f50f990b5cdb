"""Every setting, its default and its bounds. Sizes are bytes, times are seconds.

Every part of the service is handed its own section; `config` loads them and says what is wrong.
"""

import re
from typing import Any, Final, Literal

import attrs
from typed_settings.cls_attrs import secret
from typed_settings.types import Secret

CONTACT: Final = re.compile(r"(mailto:|https://|tel:)[^\s\x00-\x1f\x7f]{1,240}")
"""Where a weakness is reported (RFC 9116, 2.5.3)."""
NATS_URL: Final = re.compile(
    r"nats://((?P<user>[^:/@,]+)(:(?P<password>[^:/@,]+))?@)?"
    r"(?P<hosts>(HOST(:\d{1,5})?)(,HOST(:\d{1,5})?)*)/?".replace(
        "HOST", r"([\w.-]+|\[[0-9a-fA-F:.]+\])"
    )
)
"""A NATS cluster: its hosts, and once before them who connects; a user alone is a token."""
SENDER: Final = re.compile(r"[^\s@<>,;:]{1,64}@[^\s@<>,;:]{1,189}")
"""An e-mail address alone, without a name."""
HOST: Final = re.compile(r"[a-z0-9._-]{1,240}|\[[0-9a-f:.]{2,45}\]")
"""The name of a host in lower case, or its address, without a port."""
UNIX: Final = "unix"
"""Among proxies: whoever comes by a Unix socket, and so without an address."""
ORIGIN: Final = re.compile(r"https?://([a-z0-9._-]{1,240}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?")
"""Scheme, host in lower case and port, without a path; as long as the database takes."""
_PATH: Final = r"(:\d{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
SECURE_URL: Final = re.compile(r"https://([A-Za-z0-9.-]{1,240}|\[[0-9A-Fa-f:.]{2,45}\])" + _PATH)
"""An address of another site, without a user, a query or a fragment."""
LOCAL_URL: Final = re.compile(r"http://127\.0\.0\.1" + _PATH)
"""The like on this machine, where TLS keeps nothing from anybody."""


def _bounded(default: Any, low: float, high: float) -> Any:
    """A number with its bounds, which `load_config` checks after everything is converted."""
    return attrs.field(default=default, metadata={"bounds": (low, high)})


def _without_password(url: str) -> str:
    """How a database URL is shown in logs and tracebacks."""
    return repr(re.sub(r"(//[^:/]*:)[^@]*(?=@)|(password=)[^&]*", r"\1\2***", url))


def _without_credentials(url: str) -> str:
    """How a broker's URL is shown: what stands there alone may be a token."""
    return repr(re.sub(r"//[^/]*@", "//***@", url))


@attrs.frozen
class Server:
    """Where the service listens, what it accepts, and how long it drains."""

    host: str = "127.0.0.1"
    """Address to listen on; "*" is every address, IPv6 and IPv4."""
    port: int = _bounded(8080, 0, 65535)
    workers: int = _bounded(1, 1, 256)
    public_url: str = ""
    """The origin browsers reach the service at; not given, it is what each request was sent to."""
    hosts: tuple[str, ...] = ()
    """Names by which the service is called, beside that of `public_url`; without any, every one."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies whose word for a client's address and scheme counts; or `UNIX`."""
    head_bytes: int = _bounded(32_768, 1_024, 1_048_576)
    head_seconds: float = _bounded(5.0, 0.1, 300)
    body_bytes: int = _bounded(100_000, 1_000, 10_000_000)
    body_seconds: float = _bounded(30.0, 0.1, 600)
    balancer_seconds: float = _bounded(3.0, 0, 60)
    """How long the service answers "not ready" before it stops accepting connections."""
    drain_window_seconds: float = _bounded(10.0, 0, 300)
    """Over how long sockets are closed at shutdown; within `drain_seconds`."""
    drain_seconds: float = _bounded(15.0, 0.1, 300)
    """How long sockets, requests in flight and lanes may take to finish at shutdown."""
    metrics_token: Secret[str] | None = secret(default=None)
    """Who shows it may read `/metrics`; without one there is no such address."""


@attrs.frozen
class Database:
    """Which database, and how durable."""

    url: str = attrs.field(default="sqlite:///var/chat.db", repr=_without_password)
    profile: Literal["durable", "fast"] = "durable"
    """`durable` refuses to start on a database that may forget a commit; `fast` may lose the last."""
    pool_size: int = _bounded(10, 2, 500)
    pool_seconds: float = _bounded(5.0, 0.1, 60)


@attrs.frozen
class BrokerSettings:
    """How the processes of the service tell each other what is new."""

    url: str = attrs.field(default="", repr=_without_credentials)
    """`memory://` tells nobody, `postgres://` is the service's own database, `nats://` a cluster.

    Empty is `postgres://` on PostgreSQL and `memory://` on SQLite, which has one process.
    """
    check_seconds: float = _bounded(10.0, 0.1, 300)
    """How often a broker must show that it still delivers."""
    answer_seconds: float = _bounded(5.0, 0.1, 60)
    """How long it may take to connect, and to show that it delivers."""
    outbox_messages: int = _bounded(4_096, 16, 100_000)


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
    platform_token: Secret[str] | None = secret(default=None)
    """Who shows it may make workspaces over the API; without one there is no such address."""
    tries_per_address: int = _bounded(5, 1, 1_000)
    tries_per_address_seconds: int = _bounded(300, 1, 86_400)
    tries_per_account: int = _bounded(10, 1, 1_000)
    tries_per_account_seconds: int = _bounded(900, 1, 86_400)
    tries_per_code: int = _bounded(10, 1, 1_000)
    """Codes of a second factor that may be tried, in `tries_per_code_seconds` for each agent."""
    tries_per_code_seconds: int = _bounded(60, 1, 86_400)
    invitation_seconds: int = _bounded(604_800, 60, 2_592_000)
    recovery_seconds: int = _bounded(1_800, 60, 86_400)
    """How long the link lives by which an agent chooses another password."""


@attrs.frozen
class EmailSettings:
    """The mail server that takes the service's letters; without a host none is sent."""

    host: str = ""
    port: int = _bounded(587, 1, 65535)
    user: str = ""
    password: Secret[str] | None = secret(default=None)
    sender: str = ""
    """The address letters come from."""
    tls: Literal["none", "starttls", "tls"] = "starttls"
    """`starttls` and `tls` check the server's certificate, and send nothing where it is not good."""
    seconds: float = _bounded(20.0, 0.1, 300)
    """How long the server may take for one letter."""


@attrs.frozen
class Oidc:
    """Signing agents in by the word of another site (OpenID Connect); off without an issuer."""

    issuer: str = ""
    """Exactly as the provider writes itself, like `https://id.example.org/realms/staff`."""
    client_id: str = ""
    client_secret: Secret[str] | None = secret(default=None)
    name: str = "Single sign-on"
    """The label of the button."""
    scopes: str = "openid email profile"
    answer_seconds: float = _bounded(10.0, 0.1, 10)
    """How long the provider may take for one answer."""


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
class Rates:
    """How often callers may do what, in each process; `limits.policies` says who is counted."""

    customer_sends_per_second: int = _bounded(5, 1, 100_000)
    """Of a customer in one session; in all of them three times as many a minute."""
    customer_sends_burst: int = _bounded(20, 1, 1_000_000)
    customer_sends_per_minute: int = _bounded(100, 1, 1_000_000)
    agent_sends_per_second: int = _bounded(20, 1, 100_000)
    key_sends_per_second: int = _bounded(100, 1, 100_000)
    signs_per_second: int = _bounded(20, 1, 100_000)
    """Signs of typing of one caller; read marks count apart."""
    signs_burst: int = _bounded(60, 1, 1_000_000)
    reads_per_second: int = _bounded(50, 1, 100_000)
    reads_burst: int = _bounded(200, 1, 1_000_000)
    changes_per_second: int = _bounded(20, 1, 100_000)
    """Writes of one caller that have no rate of their own."""
    changes_burst: int = _bounded(100, 1, 1_000_000)
    sessions_per_minute: int = _bounded(5, 1, 1_000_000)
    """New ones, of a customer."""
    sessions_per_day: int = _bounded(50, 1, 1_000_000)
    arrivals_per_minute: int = _bounded(30, 1, 1_000_000)
    """New customers and sessions together, of an address at an inbox."""
    identities_per_minute: int = _bounded(60, 1, 1_000_000)
    """Tokens renewed and customers identified, of an address."""
    sockets_per_second: int = _bounded(10, 1, 100_000)
    """Upgrades of an address, before anybody has said who calls."""
    sockets_burst: int = _bounded(200, 1, 1_000_000)
    factor: float = _bounded(1.0, 0.001, 1_000_000)
    """All of the above times this."""
    keys: int = _bounded(20_000, 100, 1_000_000)
    """So many callers are remembered for each of them."""
    late_seconds: float = _bounded(0.2, 0.01, 60)
    """While the event loop is later than this, new customers and sessions are refused."""


@attrs.frozen
class Realtime:
    """Sockets and streams: what they may send, and when one is given up."""

    hello_seconds: float = _bounded(10.0, 0.1, 60)
    heartbeat_seconds: float = _bounded(25.0, 0.1, 300)
    pong_seconds: float = _bounded(10.0, 0.1, 60)
    send_seconds: float = _bounded(10.0, 0.1, 60)
    """How long one frame may take to leave before its reader counts as too slow."""
    frame_bytes: int = _bounded(65_536, 1_024, 65_536)
    frames_per_second: int = _bounded(20, 1, 10_000)
    frames_burst: int = _bounded(60, 1, 100_000)
    subscriptions: int = _bounded(100, 1, 1_000)
    sockets_per_customer: int = _bounded(5, 1, 1_000)
    sockets_per_agent: int = _bounded(20, 1, 1_000)
    streams_per_principal: int = _bounded(100, 1, 100_000)
    """Server-sent events and long-polls that wait, together."""
    lag_events: int = _bounded(5_000, 100, 1_000_000)
    head_check_seconds: float = _bounded(5.0, 0.1, 60)
    """How late an event may come where the broker delivers nothing."""
    typing_seconds: float = _bounded(6.0, 0.1, 60)
    presence_seconds: float = _bounded(15.0, 0, 300)
    """How long somebody is still shown as online after the last socket, so that a reload is not seen."""


@attrs.frozen
class Security:
    """What the operator tells those who find a weakness."""

    contact: str = ""
    """`mailto:`, `https://` or `tel:`; without it there is no `/.well-known/security.txt`."""


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
    broker: BrokerSettings = BrokerSettings()
    auth: Auth = Auth()
    oidc: Oidc = Oidc()
    email: EmailSettings = EmailSettings()
    limits: Limits = Limits()
    rates: Rates = Rates()
    realtime: Realtime = Realtime()
    log: Log = Log()
    security: Security = Security()
    environment: Literal["development", "test", "production"] = "production"
