"""Who a client is behind proxies: its address and scheme, by the word of those that are trusted.

Owns `Forwarded` (RFC 7239) and the older `X-Forwarded-For` and `-Proto`. What they say is read from its
end, where the proxy nearest to us wrote, and only as far as one trusted proxy tells of another: what
anybody else wrote, or what cannot be read, counts for nothing. `X-Forwarded-Host` and `host=` never count.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, NamedTuple

from chat_service.config import UNIX

Address = IPv4Address | IPv6Address

REMEMBERED: Final = 1_024
MOST_HOPS: Final = 32
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR: Final = rf'{_TOKEN}=(?:{_TOKEN}|"(?:[^"\\]|\\.)*")'
_LAST: Final = re.compile(rf"(?:^|,)[ \t]*({_PAIR}(?:[ \t]*;[ \t]*{_PAIR})*)[ \t]*$")
"""The last of the elements. What stands before it may be anything, even half a quotation."""
_PAIRS: Final = re.compile(rf'({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")')
_NODE: Final = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5}|:_[\w.-]+)?|([0-9A-Fa-f:.]+)"
)
"""An address with or without a port; IPv6 also without its brackets, as in X-Forwarded-For."""
_SECURE: Final = {"http": "https", "https": "https", "ws": "wss", "wss": "wss"}
_PLAIN: Final = {secure: plain for plain, secure in _SECURE.items() if plain != secure}


class Hop(NamedTuple):
    """What a proxy says of whom it got the request from."""

    address: Address | None
    """None where it tells none: unknown, hidden, or nothing that can be read."""
    scheme: str | None


class Proxies:
    """Those whose word counts."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """`trusted` are networks, and UNIX for whoever comes without an address."""
        self._networks = [ip_network(each) for each in trusted if each != UNIX]
        self._trusts_unix = UNIX in trusted
        self._trusts_peer = lru_cache(REMEMBERED)(self._look_at_peer)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._networks) or self._trusts_unix

    def seen(self, scope: Any) -> Any:
        """An ASGI scope as it was before it came to the proxies."""
        peer = scope.get("client")
        if not self._trusts_peer(peer[0] if peer else ""):
            return scope
        client, scheme = self._origin(scope["headers"])
        seen = dict(scope)
        if client is not None:
            seen["client"] = (str(client), 0)
        if scheme is not None:
            table, own = _SECURE if scheme == "https" else _PLAIN, scope.get("scheme", "http")
            seen["scheme"] = table.get(own, own)
        return seen

    def _origin(self, headers: Sequence[tuple[bytes, bytes]]) -> tuple[Address | None, str | None]:
        """Who sent a request, and how; None for what nobody trusted tells."""
        standard, older = _values(headers, b"forwarded"), _values(headers, b"x-forwarded-for")
        told = [self._walk(_of_forwarded(standard))] if standard else []
        if older or not told:
            schemes = _listed(_values(headers, b"x-forwarded-proto"))
            told.append(self._walk(_of_older(_listed(older), schemes)))
        if len({address for address, _ in told}) > 1:
            # A proxy writes one of the two and lets the other pass: that one may be the client's own.
            return None, None
        return told[0][0], next((scheme for _, scheme in told if scheme), None)

    def _walk(self, hops: Iterator[Hop]) -> tuple[Address | None, str | None]:
        client: Address | None = None
        scheme: str | None = None
        for hop, _ in zip(hops, range(MOST_HOPS), strict=False):
            scheme = hop.scheme or scheme
            if hop.address is None:
                break
            client = hop.address
            if not self._trusts(client):
                break
        return client, scheme

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _look_at_peer(self, host: str) -> bool:
        if not host:
            return self._trusts_unix
        address = _address(host)
        return address is not None and self._trusts(address)


def _values(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str:
    """All fields of a name as one, in their order (RFC 9110, 5.3)."""
    return ",".join([value.decode("latin-1") for key, value in headers if key == name])


def _of_forwarded(text: str) -> Iterator[Hop]:
    """The elements of `Forwarded` from the last on, up to what is none."""
    while (found := _LAST.search(text)) is not None:
        pairs = {name.lower(): _unquoted(value) for name, value in _PAIRS.findall(found[1])}
        yield Hop(_address(pairs.get("for", "")), _scheme(pairs.get("proto", "")))
        text = text[: found.start()]


def _of_older(addresses: list[str], schemes: list[str]) -> Iterator[Hop]:
    """From the last on; of schemes there may be one for each hop, or that of the nearest alone."""
    if not addresses:
        yield Hop(None, _scheme(schemes[-1]) if schemes else None)
    for place in range(-1, -len(addresses) - 1, -1):
        known = place == -1 or len(schemes) == len(addresses)
        scheme = schemes[place] if schemes and known else ""
        yield Hop(_address(addresses[place]), _scheme(scheme))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",")] if text else []


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in ("http", "https") else None


def _address(text: str) -> Address | None:
    """The address of a node; an IPv4 address written as IPv6 is the IPv4 address."""
    found = _NODE.fullmatch(text)
    if found is None:
        return None
    try:
        address = ip_address(next(group for group in found.groups() if group))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
