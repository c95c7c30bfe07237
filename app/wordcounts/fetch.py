"""Fetch one page that a reader asked for, from a server that nobody vouches for. Pure.

Each hop is vetted anew and the connection goes to the address that was vetted; time, size and the number of hops are
limited in all, and nothing is decompressed that was not asked for. No proxy, cookie or password of ours is ever used.
"""

import http.client
import ssl
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote

import urllib3.exceptions
from urllib3.response import HTTPResponse

from app.wordcounts import charset
from app.wordcounts.addresses import SAFE, Servers, WebAddress, follow, parse, vet
from app.wordcounts.connection import Watch, connected, resolve
from app.wordcounts.failures import Code, FetchFailed

__all__ = ["DEADLINE", "MAX_BYTES", "Code", "FetchFailed", "Page", "fetch"]

DEADLINE = 15.0  # seconds, over all hops; a dyno is killed 30 s after it is told to stop
MAX_BYTES = 2 * 1024 * 1024  # of the page, on the wire and decompressed
MAX_REDIRECTS = 5
CHUNK = 16 * 1024  # bytes read at once, and what a compressed bomb is unpacked to at most before it is measured

HEADERS = {
    "User-Agent": "Semicircle-WordCount/1.0 (one page, asked for by a reader)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9",
    "Accept-Language": "ko,en;q=0.8",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}

HTML = {"text/html", "application/xhtml+xml"}
REDIRECTS = {301, 302, 303, 307, 308}
PASSING = {408, 429}  # of the 4xx: the server was too slow, or asks for patience


@dataclass(frozen=True)
class Page:
    """A page as its server sent it, decoded."""

    url: str  # the one it was found at, after redirects
    text: str
    is_html: bool  # else plain text


def fetch(url: str, *, allowed_servers: Servers = frozenset(), deadline: float = DEADLINE) -> Page:
    """Fetch a page.

    Args:
        url: as a person typed it.
        allowed_servers: (IP address, port) that may be connected to although the rules refuse it.
        deadline: seconds within which it is over, one way or the other.

    Raises:
        FetchFailed: with a code, and whether another try may succeed.
    """
    with Watch(deadline) as watch:
        try:
            page = _through_redirects(parse(url, allowed_servers), allowed_servers, watch)
        except Exception as error:
            # Not a list: what a stranger's bytes provoke in http.client, ssl, zlib and urllib3 is promised nowhere.
            if watch.expired:
                raise FetchFailed(Code.DEADLINE, may_pass=True) from error
            if isinstance(error, FetchFailed):
                raise
            raise _failure(error) from error
        if watch.expired:  # the timer's end of a body without a length looks like the server's
            raise FetchFailed(Code.DEADLINE, may_pass=True)
        return page


def _failure(error: Exception) -> FetchFailed:
    """What an error of the libraries below comes to."""
    cause = error.__cause__ if isinstance(error, urllib3.exceptions.SSLError) else error  # which wraps ssl's
    if isinstance(error, urllib3.exceptions.DecodeError):
        return FetchFailed(Code.ENCODING)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return FetchFailed(Code.TLS)
    # Refused, reset or cut off: a server that restarts does so. What is not HTTP will not be so next time.
    cut_off = (OSError, http.client.IncompleteRead, urllib3.exceptions.ProtocolError)
    return FetchFailed(Code.NETWORK, may_pass=isinstance(cause, cut_off))


def _through_redirects(address: WebAddress, allowed_servers: Servers, watch: Watch) -> Page:
    for _ in range(1 + MAX_REDIRECTS):
        answer = _get(address, allowed_servers, watch)
        if isinstance(answer, Page):
            return answer
        address = answer
    raise FetchFailed(Code.REDIRECTS)


def _get(address: WebAddress, allowed_servers: Servers, watch: Watch) -> Page | WebAddress:
    """One hop: the page, or where it is said to be."""
    ips = [address.ip] if address.ip else resolve(address.host, address.port, watch)
    vet(ips, address.port, allowed_servers)
    with connected(address, ips, watch) as connection:
        connection.request("GET", address.target, headers=HEADERS, preload_content=False)
        with closing(connection.getresponse()) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location is not None:
                return follow(address, _header_text(location.strip()), allowed_servers)
            return _page(address.url, response)


def _header_text(value: str) -> str:
    """A header as it was meant: http.client reads Latin-1; servers send UTF-8, or octets that have to be encoded."""
    octets = value.encode("latin-1")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return quote(octets, SAFE + "#")


def _page(url: str, response: HTTPResponse) -> Page:
    """Everything that can be refused by the headers is, before the body is read."""
    _refuse_status(response.status)
    content_type = response.headers.get("Content-Type", "")
    kind = charset.media_type(content_type)
    if kind and kind != "text/plain" and kind not in HTML:
        raise FetchFailed(Code.CONTENT_TYPE)
    body = _body(response)
    if not body:
        raise FetchFailed(Code.EMPTY)
    is_html = kind in HTML or (not kind and charset.looks_like_html(body))
    if not kind and not is_html and not charset.looks_like_text(body):
        raise FetchFailed(Code.CONTENT_TYPE)
    return Page(url, charset.decode(body, content_type), is_html)


def _refuse_status(status: int) -> None:
    """Only 2xx is a page. Raises: FetchFailed."""
    if 200 <= status < 300:
        return
    if 400 <= status < 500:
        raise FetchFailed(Code.HTTP_4XX, may_pass=status in PASSING)
    if 500 <= status < 600:
        raise FetchFailed(Code.HTTP_5XX, may_pass=True)
    raise FetchFailed(Code.EMPTY)


def _body(response: HTTPResponse) -> bytes:
    """Decompressed, at most MAX_BYTES. Raises: FetchFailed, and what the libraries below raise."""
    # Compared as urllib3 compares them, which leaves alone what it does not know and unpacks several layers.
    if response.headers.get("Content-Encoding", "").lower() not in ("", "identity", "gzip"):
        raise FetchFailed(Code.ENCODING)
    if response.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise FetchFailed(Code.ENCODING)
    body = bytearray()
    while chunk := response.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BYTES or response.tell() > MAX_BYTES:
            raise FetchFailed(Code.TOO_LARGE)
    return bytes(body)
