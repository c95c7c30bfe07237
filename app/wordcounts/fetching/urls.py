"""Parse the URL of a page, and refuse whatever can be refused without asking a name server. Pure."""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.vetting import PORTS, AllowedServers, vet

MAX_URL_LENGTH = 2048  # characters; the limit of sitemaps.org, which browsers and servers have long agreed on
MAX_HOST_LENGTH = 253  # characters; RFC 1035 §2.3.4 allows 255 octets on the wire

AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]+)(?::(?P<port>[0-9]{0,5}))?")
HOST_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
# A resolver reads a host whose last label looks like this as IPv4: 127.1, 2130706433, 0x7f.1, 0177.0.0.1. No top-level
# domain looks like it.
NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Characters that stay as they are in a path or query. "%" is one: a URL copied from a browser is already encoded.
SAFE = "!$%&'()*+,/:;=?@[]|~"

FORBIDDEN_CATEGORIES = {"Cc", "Cs", "Zs", "Zl", "Zp"}  # Unicode: controls, surrogates, spaces and line breaks


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
        """The host if it is an IP address, None if it is a name."""
        try:
            return str(ipaddress.ip_address(self.host))
        except ValueError:
            return None


def parse_url(url: str, allowed_servers: AllowedServers = frozenset()) -> PageUrl:
    """Parse a URL as a person typed it.

    Args:
        url: may hold Korean letters in host and path, but no spaces.
        allowed_servers: exceptions from the rules, as (IP address, port).

    Raises:
        FetchFailed: URL, SCHEME, CREDENTIALS, PORT or ADDRESS.
    """
    parts = _split(url)
    if parts.scheme not in PORTS:
        raise FetchFailed(Failure.SCHEME)
    if "@" in parts.netloc:
        raise FetchFailed(Failure.CREDENTIALS)
    authority = AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise FetchFailed(Failure.URL)
    port = int(authority["port"] or PORTS[parts.scheme])
    if port not in {*PORTS.values(), *(port for _, port in allowed_servers)}:
        raise FetchFailed(Failure.PORT)
    query = f"?{quote(parts.query, SAFE)}" if parts.query else ""
    page_url = PageUrl(parts.scheme, _host(authority["host"]), port, quote(parts.path or "/", SAFE) + query)
    if len(page_url.url) > MAX_URL_LENGTH:
        raise FetchFailed(Failure.URL)
    if page_url.ip is not None:
        vet([page_url.ip], port, allowed_servers)
    return page_url


def follow_redirect(origin: PageUrl, location: str, allowed_servers: AllowedServers = frozenset()) -> PageUrl:
    """Parse the Location of a redirect, which may be relative, by the same rules as a URL that was typed.

    Raises:
        FetchFailed: as `parse_url` does.
    """
    _split(location)  # urljoin would silently drop the characters that this refuses
    return parse_url(urljoin(origin.url, location), allowed_servers)


def _split(url: str) -> SplitResult:
    """Split a URL into its parts.

    Raises:
        FetchFailed: URL, also for characters that urlsplit drops (tabs, line breaks) or that hide what is meant.
    """
    if not 0 < len(url) <= MAX_URL_LENGTH:
        raise FetchFailed(Failure.URL)
    if "\\" in url or any(unicodedata.category(character) in FORBIDDEN_CATEGORIES for character in url):
        raise FetchFailed(Failure.URL)
    try:
        return urlsplit(url)
    except ValueError as error:
        raise FetchFailed(Failure.URL) from error


def _host(typed: str) -> str:
    """Convert a host to the ASCII form in which it is looked up and sent.

    Raises:
        FetchFailed: URL or ADDRESS.
    """
    if len(typed) > MAX_HOST_LENGTH + 1:  # + 1 for a final dot. Encoding long labels as Punycode takes seconds.
        raise FetchFailed(Failure.URL)
    if typed.startswith("["):
        try:
            return str(ipaddress.IPv6Address(typed[1:-1]))
        except ValueError as error:
            raise FetchFailed(Failure.URL) from error
    try:
        # IDNA turns ①②⑦ and full-width dots into ASCII, so the checks below see what the resolver would see.
        host = typed.encode("idna").decode("ascii").lower().removesuffix(".")
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
