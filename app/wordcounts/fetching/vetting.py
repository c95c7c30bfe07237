"""SSRF protection: which URLs may be requested, and which IP addresses and ports may be connected to.

Pure: nothing is resolved or connected here. Whatever a URL tells is refused without asking a name server. Of a host
the IP address decides, never the name, and only addresses of the public internet pass.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import InitVar, dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.readable import MAX_HOST_LENGTH, host_in_ascii

# IP address and port (0: any) of exceptions from the rules, for tests and development.
AllowedServers = frozenset[tuple[str, int]]
ANY_PORT = 0

PORTS = {"http": 80, "https": 443}

MAX_URL_LENGTH = 2048  # characters; the limit of sitemaps.org, which browsers and servers have long agreed on

AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?")
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# A resolver reads a host whose last label looks like this as IPv4: 127.1, 2130706433, 0x7f.1, 0177.0.0.1. No top-level
# domain looks like it.
NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Characters that stay as they are in a path or query. "%" is one: a URL copied from a browser is already encoded.
SAFE = "!$%&'()*+,/:;=?@[]|~"

FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zs", "Zl", "Zp"}  # Unicode: controls, surrogates, spaces and line breaks

# All unicast addresses of IPv6 that IANA has assigned. Loopback, IPv4-mapped, NAT64, unique local, link-local and
# multicast addresses lie outside of it.
ASSIGNED_V6 = ipaddress.IPv6Network("2000::/3")
# Python's `is_global` is not enough: it is True for NAT64, 6to4, multicast and more, and differs between releases.
# These are the IANA registries of special-purpose addresses (RFC 6890 and its updates). The rest is public.
SPECIAL_PURPOSE = (
    *("0.0.0.0/8", "127.0.0.0/8"),  # this host, loopback
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # private
    "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service
    "168.63.129.16/32",  # looks public, but is the Azure host as each of its machines sees it
    "169.254.0.0/16",  # link-local; the metadata service of most clouds
    *("192.0.0.0/24", "2001::/23"),  # IETF protocols: Teredo, ORCHID, benchmarks; Oracle's metadata service
    *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),  # documentation
    *("192.31.196.0/24", "192.175.48.0/24", "2620:4f:8000::/48"),  # AS112
    "192.52.193.0/24",  # AMT
    *("192.88.99.0/24", "2002::/16"),  # 6to4, which can hold any IPv4 address, and its relays
    "198.18.0.0/15",  # benchmarks
    "224.0.0.0/3",  # multicast, reserved, broadcast
)
NOT_PUBLIC = [ipaddress.ip_network(network) for network in SPECIAL_PURPOSE]


@dataclass(frozen=True)
class PageUrl:
    """A URL that may be requested: ASCII only, without a fragment."""

    scheme: str  # http or https
    host: str  # IDNA, lower case; an IPv6 address without brackets
    port: int
    target: str  # path and query, percent-encoded

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"

    @property
    def ip(self) -> str | None:
        """Return the host if it is an IP address, None if it is a name."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None


def parse_url(url: str, allowed_servers: AllowedServers = frozenset()) -> PageUrl:
    """Parse a URL as a person typed it, with Korean letters in host and path, but no spaces. Raises: FetchFailed."""
    parts = _split(url)
    if parts.scheme not in PORTS:
        raise FetchFailed(Failure.SCHEME)
    if "@" in parts.netloc:
        raise FetchFailed(Failure.CREDENTIALS)
    authority = AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise FetchFailed(Failure.URL)
    port = int(authority["port"] or PORTS[parts.scheme])
    ports = {*PORTS.values(), *(port for _, port in allowed_servers)}
    if port not in ports and ANY_PORT not in ports:
        raise FetchFailed(Failure.PORT)
    query = f"?{quote(parts.query, SAFE)}" if parts.query else ""
    page_url = PageUrl(parts.scheme, _host(authority["host"]), port, quote(parts.path or "/", SAFE) + query)
    if len(page_url.url) > MAX_URL_LENGTH:
        raise FetchFailed(Failure.URL)
    if page_url.ip is not None:
        vet([page_url.ip], port, allowed_servers)
    return page_url


def follow_redirect(origin: PageUrl, location: str, allowed_servers: AllowedServers = frozenset()) -> PageUrl:
    """Parse the Location of a redirect, which may be relative, by the same rules. Raises: FetchFailed."""
    _split(location)  # urljoin would silently drop the characters that this refuses
    return parse_url(urljoin(origin.url, location), allowed_servers)


def _split(url: str) -> SplitResult:
    """Split a URL. Refuse characters that urlsplit drops (tabs, line breaks) or that hide what is meant."""
    if not 0 < len(url) <= MAX_URL_LENGTH:
        raise FetchFailed(Failure.URL)
    if "\\" in url or any(unicodedata.category(character) in FORBIDDEN_CATEGORIES for character in url):
        raise FetchFailed(Failure.URL)
    try:
        return urlsplit(url)
    except ValueError as error:
        raise FetchFailed(Failure.URL) from error


def _host(typed: str) -> str:
    """Convert a host to the ASCII form in which it is looked up and sent. Raises: FetchFailed: URL or ADDRESS."""
    if typed.startswith("["):
        try:
            return str(ipaddress.IPv6Address(typed[1:-1]))
        except ValueError as error:
            raise FetchFailed(Failure.URL) from error
    try:
        host = host_in_ascii(typed).removesuffix(".")
    except UnicodeError as error:
        raise FetchFailed(Failure.URL) from error
    if len(host) > MAX_HOST_LENGTH or not HOST_NAME.fullmatch(host):
        raise FetchFailed(Failure.URL)
    if NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise FetchFailed(Failure.ADDRESS) from error
    return host


@dataclass(frozen=True)
class VettedAddress:
    """An IP address and a port that may be connected to. To create one is the check. Raises: FetchFailed."""

    ip: str
    port: int
    allowed_servers: InitVar[AllowedServers] = frozenset()

    def __post_init__(self, allowed_servers: AllowedServers) -> None:
        if {(self.ip, self.port), (self.ip, ANY_PORT)} & allowed_servers:
            return
        if self.port not in PORTS.values():
            raise FetchFailed(Failure.PORT)
        if not is_public(self.ip):
            raise FetchFailed(Failure.ADDRESS)


def vet(ips: Iterable[str], port: int, allowed_servers: AllowedServers = frozenset()) -> list[VettedAddress]:
    """Vet all addresses of a host. One bad one refuses it, whatever public ones hide it. Raises: FetchFailed."""
    return [VettedAddress(ip, port, allowed_servers) for ip in ips]


def is_public(ip: str) -> bool:
    """Return True for an address of the public internet. A string that is not an IP address is not public."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id is not None or address not in ASSIGNED_V6):
        return False
    return not any(address in network for network in NOT_PUBLIC)  # a network of the other version holds none
