"""SSRF protection: which IP addresses and ports may be connected to. Pure: nothing is resolved or connected here.

The IP address decides, never the name, and only addresses of the public internet pass.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import InitVar, dataclass

from app.wordcounts.failures import Failure, FetchFailed

AllowedServers = frozenset[tuple[str, int]]  # IP address and port

PORTS = {"http": 80, "https": 443}

# Python's `is_global` is not enough: it is True for NAT64, 6to4, multicast and more, and differs between releases.
# These lists are the IANA registries of special-purpose addresses (RFC 6890 and its updates). The rest is public.
NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # looks public, but is the Azure host as each of its machines sees it
        "169.254.0.0/16",  # link-local; the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols; Oracle's metadata service
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast, reserved, broadcast
    )
]
# All unicast addresses that IANA has assigned. Loopback, IPv4-mapped, NAT64, unique local, link-local and multicast
# addresses lie outside of it.
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which can hold any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]


@dataclass(frozen=True)
class VettedAddress:
    """An IP address and a port that may be connected to. Creating one is the check, so there is no unvetted one.

    Args:
        ip: IPv4 or IPv6.
        port: 80 or 443.
        allowed_servers: exceptions from the rules, as (IP address, port).

    Raises:
        FetchFailed: PORT or ADDRESS.
    """

    ip: str
    port: int
    allowed_servers: InitVar[AllowedServers] = frozenset()

    def __post_init__(self, allowed_servers: AllowedServers) -> None:
        if (self.ip, self.port) in allowed_servers:
            return
        if self.port not in PORTS.values():
            raise FetchFailed(Failure.PORT)
        if not is_public(self.ip):
            raise FetchFailed(Failure.ADDRESS)


def vet(ips: Iterable[str], port: int, allowed_servers: AllowedServers = frozenset()) -> list[VettedAddress]:
    """Vet all addresses of a host.

    One bad address refuses the host: an attacker's name server adds a public address to hide the private one.

    Raises:
        FetchFailed: PORT or ADDRESS.
    """
    return [VettedAddress(ip, port, allowed_servers) for ip in ips]


def is_public(ip: str) -> bool:
    """Tell whether this is an address of the public internet. A string that is not an IP address is not public."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    return address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6)
