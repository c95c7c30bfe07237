"""Which addresses may be connected to, and what a URL that a person typed means. Pure: no name is looked up here.

A server that fetches any URL can be made to read what only it can reach: its own ports, its neighbours, the metadata of
its cloud. So the IP address decides, never the name, and only addresses of the public internet pass.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.wordcounts.failures import Code, FetchFailed

Servers = frozenset[tuple[str, int]]  # IP address and port

PORTS = {"http": 80, "https": 443}
MAX_URL = 2048  # characters; what sitemaps allow, and browsers and servers have long agreed on
MAX_HOST = 253  # characters, RFC 1035 §2.3.4: 255 octets on the wire

# Python's is_global is no guard: it is True of NAT64, 6to4, multicast and more, which differs between releases. These
# lists are the registries of special addresses (IANA, RFC 6890 and its updates), and what lies outside is public.
NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' NAT; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # looks public, yet is Azure's host to each of its machines
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols; Oracle's metadata
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
# All that is assigned. Outside of it are loopback, IPv4 in its IPv6 forms, NAT64, unique local, link-local, multicast.
PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocols: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]

AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?")
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# The last label of what a resolver takes for an IPv4 address: 127.1, 2130706433, 0x7f.1, 0177.0.0.1. No domain ends so.
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# What stands in a path or query as it is, "%" included, since a URL copied from a browser is encoded already.
SAFE = "!$%&'()*+,/:;=?@[]|~"


@dataclass(frozen=True)
class WebAddress:
    """A URL that may be asked for, in ASCII, without a fragment."""

    scheme: str  # http or https
    host: str  # in IDNA, lower case; an IPv6 address without brackets
    port: int
    target: str  # path and query, percent-encoded

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    @property
    def ip(self) -> str | None:
        """The host, when it is an address and not a name."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None


def is_public(ip: str) -> bool:
    """Whether it is an address of the public internet; what is no address at all is not."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_V4)
    if address.scope_id is not None:
        return False
    return address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6)


def vet(ips: Iterable[str], port: int, allowed_servers: Servers = frozenset()) -> None:
    """Refuse a host if one of its addresses is bad, for whoever gave the answer means to be connected to that one.

    Args:
        ips: all addresses of the host.
        port: the one to connect to.
        allowed_servers: what is allowed although the rules refuse it.

    Raises:
        FetchFailed: PORT or ADDRESS.
    """
    for ip in ips:
        if (ip, port) in allowed_servers:
            continue
        if port not in PORTS.values():
            raise FetchFailed(Code.PORT)
        if not is_public(ip):
            raise FetchFailed(Code.ADDRESS)


def parse(url: str, allowed_servers: Servers = frozenset()) -> WebAddress:
    """Read a URL, and refuse what can be refused without asking a name server.

    Args:
        url: as a person typed it: Korean letters in the host and the path are welcome, spaces are not.
        allowed_servers: (IP address, port) that may be connected to although the rules refuse it.

    Raises:
        FetchFailed: URL, SCHEME, CREDENTIALS, PORT or ADDRESS.
    """
    parts = _split(url)
    if parts.scheme not in PORTS:
        raise FetchFailed(Code.SCHEME)
    if "@" in parts.netloc:
        raise FetchFailed(Code.CREDENTIALS)
    authority = AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise FetchFailed(Code.URL)
    port = int(authority["port"] or PORTS[parts.scheme])
    if port not in {*PORTS.values(), *(port for _, port in allowed_servers)}:
        raise FetchFailed(Code.PORT)
    query = f"?{quote(parts.query, SAFE)}" if parts.query else ""
    address = WebAddress(parts.scheme, _host(authority["host"]), port, quote(parts.path or "/", SAFE) + query)
    if len(address.url) > MAX_URL:
        raise FetchFailed(Code.URL)
    if address.ip is not None:
        vet([address.ip], port, allowed_servers)
    return address


def follow(address: WebAddress, location: str, allowed_servers: Servers = frozenset()) -> WebAddress:
    """Where a redirect leads, vetted like a URL that was typed.

    Raises:
        FetchFailed: as parse does.
    """
    _split(location)  # refuses what urljoin would drop in silence
    return parse(urljoin(address.url, location), allowed_servers)


def _split(url: str) -> SplitResult:
    """Raises: FetchFailed, also for letters that urlsplit drops (tabs and line breaks) or that hide what is meant."""
    if not 0 < len(url) <= MAX_URL:
        raise FetchFailed(Code.URL)
    if "\\" in url or any(unicodedata.category(letter) in ("Cc", "Cs", "Zs", "Zl", "Zp") for letter in url):
        raise FetchFailed(Code.URL)
    try:
        return urlsplit(url)
    except ValueError as error:
        raise FetchFailed(Code.URL) from error


def _host(typed: str) -> str:
    """In ASCII, as it is looked up and sent. Raises: FetchFailed."""
    if len(typed) > MAX_HOST + 1:  # a last dot is one more; Punycode of long labels takes seconds
        raise FetchFailed(Code.URL)
    if typed.startswith("["):
        try:
            return str(ipaddress.IPv6Address(typed[1:-1]))
        except ValueError as error:
            raise FetchFailed(Code.URL) from error
    try:
        # Once: the letters that it folds (①②⑦, full-width dots) are judged below as what they become.
        host = typed.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise FetchFailed(Code.URL) from error
    if len(host) > MAX_HOST or not NAME.fullmatch(host):
        raise FetchFailed(Code.URL)
    if NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise FetchFailed(Code.ADDRESS) from error
    return host
