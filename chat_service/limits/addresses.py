"""Whom an address belongs to, as far as a limit can tell."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final

REMEMBERED: Final = 10_000


@lru_cache(REMEMBERED)
def network_of(address: str) -> str:
    """The IPv4 address, or the IPv6 network of 64 bits: one household, however it turns."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or IPv6Network((int(ip), 64), strict=False))
