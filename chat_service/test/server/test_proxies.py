"""Whom a scope comes from: only as far as one trusted proxy tells of another."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.server.proxies import Proxies

NEAR, FAR, OTHER = "10.0.0.1", "10.0.0.2", "192.0.2.66"
CLIENT = "203.0.113.9"
TRUSTED = ["10.0.0.0/8", "fd00::/8"]
Headers = list[tuple[str, str]]


def scope_of(peer: str | None, headers: Headers, scheme: str = "http") -> Any:
    fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    client = None if peer is None else (peer, 40_000)
    return {"type": "http", "scheme": scheme, "client": client, "headers": fields}


def seen(
    headers: Headers,
    peer: str | None = NEAR,
    trusted: list[str] | None = None,
    scheme: str = "http",
) -> tuple[str | None, str]:
    """The address and the scheme that the application sees."""
    proxies = Proxies(TRUSTED if trusted is None else trusted)
    found = proxies.seen(scope_of(peer, headers, scheme))
    return found["client"] and found["client"][0], found["scheme"]


def of(value: str) -> Headers:
    return [("Forwarded", value)]


def older(*values: str) -> Headers:
    return [("X-Forwarded-For", value) for value in values]


STANDARD = [
    (f"for={CLIENT}", CLIENT),
    (f'for="{CLIENT}"', CLIENT),
    (f'For="{CLIENT}:47011"', CLIENT),
    ('for="[2001:db8:cafe::17]"', "2001:db8:cafe::17"),
    ('FOR="[2001:DB8:cafe::17]:4711"', "2001:db8:cafe::17"),
    ('for="[2001:db8::17]:_port"', "2001:db8::17"),
    ('for="[::ffff:203.0.113.9]"', CLIENT),
    ('for="\\2\\0\\3.0.113.9"', CLIENT),
    (f"by={NEAR};for={CLIENT};host=evil.example;proto=http", CLIENT),
    (f"for=1.2.3.4, for={CLIENT}", CLIENT),
    (f"for=1.2.3.4,for={CLIENT} , for={FAR}", CLIENT),
    (f"for={CLIENT}, for={FAR};proto=http, for={NEAR}", CLIENT),
    ('for="[fd00::1]"', "fd00::1"),
    (f"for={FAR}", FAR),
    # Nothing, or nothing that can be read, from where the trusted part ends.
    ("for=unknown", NEAR),
    ("for=_hidden", NEAR),
    (f"for={CLIENT}, for=_hidden", NEAR),
    (f"for={CLIENT}, for=_hidden, for={FAR}", FAR),
    (f"for={CLIENT}, for=unknown, for={FAR}", FAR),
    (f"for={CLIENT};", NEAR),
    (f"for={CLIENT}, ", NEAR),
    (f"for={CLIENT} garbage", NEAR),
    ("for=", NEAR),
    ("", NEAR),
    ("proto=https", NEAR),
    ("for=2001:db8::1", NEAR),
    ('for="2001:db8::1', NEAR),
    ("for=300.1.1.1", NEAR),
    # What stands before the proxy's own element may be anything.
    (f'for="half a quotation, for={CLIENT}', CLIENT),
    (f'for=";;==\\, for="{CLIENT}"', CLIENT),
    (f'for="1.2.3.4, for=5.6.7.8", for={CLIENT}', CLIENT),
    (f"\x00\xff, for={CLIENT}", CLIENT),
]


@pytest.mark.parametrize(("value", "address"), STANDARD)
@pytest.mark.asvs("4.1.3", "15.3.4")
def test_reads_forwarded_from_its_end(value: str, address: str) -> None:
    assert seen(of(value))[0] == address


OLDER = [
    ([CLIENT], CLIENT),
    ([f"1.2.3.4, {CLIENT}"], CLIENT),
    (["1.2.3.4", CLIENT], CLIENT),
    ([f"1.2.3.4, {CLIENT},{FAR}"], CLIENT),
    ([f"{CLIENT}:47011"], CLIENT),
    (["2001:db8::17"], "2001:db8::17"),
    (["[2001:db8::17]:80"], "2001:db8::17"),
    ([f"{CLIENT}, unknown"], NEAR),
    ([f"{CLIENT},"], NEAR),
    ([f"{CLIENT}, nonsense, {FAR}"], FAR),
    ([""], NEAR),
    (["fe80::1%eth0"], NEAR),
]


@pytest.mark.parametrize(("values", "address"), OLDER)
@pytest.mark.asvs("4.1.3", "15.3.4")
def test_reads_x_forwarded_for_from_its_end(values: list[str], address: str) -> None:
    assert seen(older(*values))[0] == address


FORGED = [of(f"for={CLIENT};proto=https"), older(CLIENT), [("X-Forwarded-Proto", "https")]]


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("peer", [OTHER, "2001:db8::1", "", None, "nonsense"])
@pytest.mark.asvs("4.1.3", "15.3.4")
@pytest.mark.api_top10("API8")
def test_who_is_not_trusted_changes_nothing(headers: Headers, peer: str | None) -> None:
    assert seen(headers, peer) == (peer, "http")
    assert seen(headers, peer, trusted=[]) == (peer, "http")


@pytest.mark.parametrize("peer", [NEAR, f"::ffff:{NEAR}", "fd00::7"])
def test_a_trusted_peer_is_known_in_every_spelling(peer: str) -> None:
    assert seen(older(CLIENT), peer)[0] == CLIENT


@pytest.mark.parametrize("peer", [None, ""])
def test_a_unix_socket_is_trusted_where_it_is_listed(peer: str | None) -> None:
    scope = Proxies(["unix"]).seen(scope_of(peer, older(CLIENT)))
    assert scope["client"] == (CLIENT, 0)
    assert seen(older(CLIENT), OTHER, ["unix"])[0] == OTHER


def test_forwarded_counts_where_both_say_the_same_or_it_stands_alone() -> None:
    agreed = of(f"for={CLIENT};proto=https") + older(CLIENT) + [("X-Forwarded-Proto", "http")]
    assert seen(agreed) == (CLIENT, "https")


@pytest.mark.parametrize(
    "headers",
    [
        of("for=1.2.3.4;proto=https") + older(CLIENT),
        of(f"for={CLIENT}") + older("1.2.3.4"),
        of("for=_hidden") + older(CLIENT),
    ],
)
@pytest.mark.asvs("4.1.3", "15.3.4")
def test_of_two_that_differ_one_is_forged_and_neither_counts(headers: Headers) -> None:
    assert seen(headers) == (NEAR, "http")


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        (of(f"for={CLIENT};proto=https"), "https"),
        (of(f"for={CLIENT};proto=HTTPS"), "https"),
        (of(f'for={CLIENT};proto="https", for={FAR};proto=http'), "https"),
        (of(f"for=1.2.3.4;proto=https, for={CLIENT};proto=http"), "http"),
        (of(f"for=1.2.3.4;proto=https, for={CLIENT}"), "http"),
        (of(f"for={CLIENT};proto=gopher"), "http"),
        (older(CLIENT) + [("X-Forwarded-Proto", "https")], "https"),
        (older(f"{CLIENT}, {FAR}") + [("X-Forwarded-Proto", "https, http")], "https"),
        (older(f"1.2.3.4, {CLIENT}") + [("X-Forwarded-Proto", "https, http")], "http"),
        (older(CLIENT) + [("X-Forwarded-Proto", "https, http")], "http"),
        ([("X-Forwarded-Proto", "https")], "https"),
        ([("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Scheme", "https")], "http"),
    ],
)
@pytest.mark.asvs("4.1.3")
def test_the_scheme_is_that_of_the_clients_own_request(headers: Headers, scheme: str) -> None:
    assert seen(headers)[1] == scheme


@pytest.mark.parametrize(("own", "told", "scheme"), [("ws", "https", "wss"), ("wss", "http", "ws")])
def test_sockets_have_schemes_of_their_own(own: str, told: str, scheme: str) -> None:
    assert seen([("X-Forwarded-Proto", told)], scheme=own)[1] == scheme


def test_a_chain_without_end_is_not_followed() -> None:
    assert seen(older(f"{CLIENT}," + ",".join([FAR] * 1_000)))[0] == FAR


@pytest.mark.asvs("4.1.3", "15.3.4")
@given(
    st.text(st.characters(codec="latin-1"), max_size=60) | st.text('for=";,\\ :[]1.', max_size=60)
)
def test_whatever_a_client_writes_the_proxys_own_word_counts(forged: str) -> None:
    for headers in (of(f"{forged}, for={CLIENT}"), of(forged) + of(f"for={CLIENT}")):
        assert seen(headers)[0] == CLIENT
    assert seen(older(forged, CLIENT))[0] == CLIENT
    assert seen(of(forged) + older(CLIENT))[0] in (CLIENT, NEAR)


def test_the_scope_of_the_server_is_left_as_it_is() -> None:
    scope = scope_of(NEAR, older(CLIENT))
    assert Proxies(TRUSTED).seen(scope) is not scope and scope["client"] == (NEAR, 40_000)
