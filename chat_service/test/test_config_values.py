"""Values that are refused, and secrets: read from files, and never shown."""

from pathlib import Path

import pytest

from chat_service.config import BrokerSettings, Database
from chat_service.test.loading import Load, complaints, load, server

__all__ = ["load"]


@pytest.mark.asvs("13.3.1")
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
    lines = complaints(
        load, AUTH_SECRET_KEY=short, AUTH_PLATFORM_TOKEN=short, SERVER_METRICS_TOKEN=short
    )
    assert lines == [
        "auth.secret_key: must have at least 32 characters",
        "auth.platform_token: must have at least 32 characters",
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
@pytest.mark.asvs("16.2.5")
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
@pytest.mark.asvs("16.2.5")
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
@pytest.mark.asvs("16.2.5")
def test_a_broker_is_shown_without_credentials(credentials: str) -> None:
    assert repr(BrokerSettings(url=f"nats://{credentials}@a,b")).count("'nats://***@a,b'") == 1
    assert "'nats://a,b'" in repr(BrokerSettings(url="nats://a,b"))


@pytest.mark.asvs("16.2.5")
def test_secrets_are_masked_wherever_the_configuration_is_shown(load: Load) -> None:
    key, password = "k" * 40, "p4ss:w/ord"
    url = f"postgresql://user:{password}@host/name?password={password}&ssl=require"
    tokens = {"SERVER_METRICS_TOKEN": key, "AUTH_PLATFORM_TOKEN": key}
    loaded = load(AUTH_SECRET_KEY=key, DATABASE_URL=url, **tokens)
    for shown in (repr(loaded), str(loaded), repr(loaded.auth), str(loaded.auth.secret_key)):
        assert key not in shown
        assert password not in shown
    assert "postgresql://user:***@host/name?password=***&ssl=require" in repr(loaded)


@pytest.mark.parametrize("url", ["sqlite:///var/chat.db", "postgresql://user@host/name"])
def test_a_url_without_password_is_shown_as_it_is(url: str) -> None:
    assert repr(url) in repr(Database(url=url))


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


OIDC = {
    "SERVER_PUBLIC_URL": "https://chat.example.org",
    "OIDC_ISSUER": "https://id.example.org/realms/staff",
    "OIDC_CLIENT_ID": "chat",
    "OIDC_CLIENT_SECRET": "s3cret",
}


def test_takes_a_provider(load: Load) -> None:
    loaded = load(**OIDC)
    assert (loaded.oidc.issuer, loaded.oidc.scopes) == (OIDC["OIDC_ISSUER"], "openid email profile")
    assert "s3cret" not in repr(loaded)


@pytest.mark.parametrize("environment", ["development", "test"])
def test_takes_a_provider_on_this_machine_without_tls(load: Load, environment: str) -> None:
    issuer = "http://127.0.0.1:9000/id"
    assert load(**OIDC | {"OIDC_ISSUER": issuer, "ENVIRONMENT": environment}).oidc.issuer == issuer
    (line,) = complaints(load, **OIDC | {"OIDC_ISSUER": issuer})
    assert line.startswith("oidc.issuer: ")


OIDC_COMPLAINTS = [
    ("OIDC_ISSUER", "http://id.example.org", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "http://localhost:9000", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "https://id.example.org?a=b", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "https://id.example.org#a", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "https://me@id.example.org", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "id.example.org", "oidc.issuer: must be like"),
    ("OIDC_ISSUER", "https://id.example.org/" + "x" * 240, "oidc.issuer: must be like"),
    ("OIDC_CLIENT_ID", "", "oidc.client_id: is needed"),
    ("OIDC_CLIENT_SECRET", "", "oidc.client_secret: is needed"),
    ("OIDC_NAME", "", "oidc.name: must have 1 to 64"),
    ("OIDC_SCOPES", "email", "oidc.scopes: must name openid"),
    ("SERVER_PUBLIC_URL", "", "server.public_url: is needed with oidc.issuer"),
]


@pytest.mark.parametrize(("name", "value", "complaint"), OIDC_COMPLAINTS)
def test_refuses_a_provider_it_cannot_use(
    load: Load, name: str, value: str, complaint: str
) -> None:
    (line,) = complaints(load, **OIDC | {name: value})
    assert line.startswith(complaint)


def test_a_ping_later_than_the_next_one_stops_the_start(load: Load) -> None:
    assert complaints(load, REALTIME_HEARTBEAT_SECONDS="5", REALTIME_PONG_SECONDS="6") == [
        "realtime.pong_seconds: must not be more than realtime.heartbeat_seconds"
    ]


@pytest.mark.parametrize(
    "contact", ["mailto:help@example.org", "https://example.org/security", "tel:+44-20-7946-0958"]
)
def test_a_contact_is_a_uri_of_a_kind_one_can_follow(load: Load, contact: str) -> None:
    assert load(SECURITY_CONTACT=contact).security.contact == contact


@pytest.mark.parametrize(
    "contact", ["help@example.org", "http://example.org", "mailto:", "mailto:a@b\nExpires: 2099"]
)
def test_a_contact_that_is_none_stops_the_start(load: Load, contact: str) -> None:
    assert complaints(load, SECURITY_CONTACT=contact) == [
        "security.contact: must begin with mailto:, https:// or tel:"
    ]


EMAIL_COMPLAINTS: list[tuple[dict[str, str], str]] = [
    ({"EMAIL_HOST": "h", "EMAIL_SENDER": "a@b.c"}, "email.host: needs server.public_url"),
    ({"EMAIL_HOST": "h", "SERVER_PUBLIC_URL": "https://h"}, "email.sender: must be an address"),
    (
        {"EMAIL_HOST": "h", "SERVER_PUBLIC_URL": "https://h", "EMAIL_SENDER": "a@b.c\nBcc: x@y.z"},
        "email.sender: must be an address",
    ),
    (
        {
            "EMAIL_HOST": "h",
            "SERVER_PUBLIC_URL": "https://h",
            "EMAIL_SENDER": "a@b.c",
            "EMAIL_USER": "chat",
        },
        "email.user: goes together with email.password",
    ),
]


@pytest.mark.parametrize(("settings", "complaint"), EMAIL_COMPLAINTS)
def test_refuses_a_mail_server_whose_letters_could_not_be_written(
    load: Load, settings: dict[str, str], complaint: str
) -> None:
    (line,) = complaints(load, **settings)
    assert line.startswith(complaint)


def test_a_mail_server_may_have_a_user_and_a_password(load: Load) -> None:
    loaded = load(
        EMAIL_HOST="h",
        SERVER_PUBLIC_URL="https://h",
        EMAIL_SENDER="a@b.c",
        EMAIL_USER="chat",
        EMAIL_PASSWORD="p4ssword",
        EMAIL_TLS="tls",
    )
    assert loaded.email.password is not None and "p4ssword" not in repr(loaded)


def test_lists_come_from_files_and_with_commas_from_the_environment(load: Load) -> None:
    assert load(SERVER_HOSTS="a.example, b.example").server.hosts == ("a.example", "b.example")
    networks = "10.0.0.0/8,fd00::/8,unix"
    assert load(SERVER_TRUSTED_PROXIES=networks).server.trusted_proxies == tuple(
        networks.split(",")
    )
    assert load(SERVER_TRUSTED_PROXIES="").server.trusted_proxies == ()
    file = server(trusted_proxies='["10.0.0.1", "::1"]', hosts='["[::1]"]')
    loaded = load({"default.toml": file}).server
    assert (loaded.trusted_proxies, loaded.hosts) == (("10.0.0.1", "::1"), ("[::1]",))


@pytest.mark.parametrize("name", ["https://a.example", "a.example:80", "A.example", "*", ""])
def test_a_host_is_a_name_alone(load: Load, name: str) -> None:
    assert complaints(load, {"default.toml": server(hosts=f'["{name}"]')}) == [
        f"server.hosts: must be names like chat.example.org, not {name!r}"
    ]


@pytest.mark.parametrize("network", ["proxy", "10.0.0.1/8", "10.0.0.0/33", "*", "::1/129"])
def test_a_proxy_is_trusted_by_its_network(load: Load, network: str) -> None:
    (line,) = complaints(load, SERVER_TRUSTED_PROXIES=network)
    assert line.startswith("server.trusted_proxies: ") and network in line
