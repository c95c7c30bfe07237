"""Fetch a web page that a user named. The one door; the modules inside are imported by nobody else.

A server that fetches any URL can be made to read what only it can reach: its own ports, its neighbours, the metadata
service of its cloud. That attack is SSRF (server-side request forgery). What is done against it:

- Private addresses: `vetting.VettedAddress` cannot be created for an address outside of the public internet, and
  `connecting.connect` takes nothing else. So an address that was not vetted cannot be connected to.
- DNS rebinding: a name is resolved once a hop. The connection goes to the address that was vetted, and nothing resolves
  the name a second time. If one of several addresses is bad, the host is refused.
- Redirects: each hop is parsed, resolved and vetted like a URL that was typed. There are at most five.
- IPv4 inside IPv6 (mapped, NAT64, 6to4, Teredo) is refused; so are other spellings of IPv4 (127.1, 0x7f.1, 2130706433).
- Ports 80 and 443 only, http and https only, no user name or password in the URL.
- Frames and refreshes of a page are hops like redirects. A visit makes at most twelve requests, all within its limits.
- No proxy or password of ours is sent, and no cookie but those that the same host has set within the visit. TLS
  certificates are verified for the name in the URL.
- Slow servers, endless answers and compressed bombs: one deadline for everything, one limit in bytes, and decompression
  in small pieces.
"""

import http.client
import ssl
from collections import defaultdict
from contextlib import closing
from http.cookiejar import CookieJar
from typing import NamedTuple
from urllib.parse import quote
from urllib.request import Request

import urllib3.exceptions
from urllib3.response import HTTPResponse

from app.deadline import Deadline
from app.wordcounts.analysis import charset
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.connecting import connect, resolve
from app.wordcounts.fetching.vetting import MAX_URL_LENGTH, SAFE, AllowedServers, PageUrl, follow_redirect, parse_url

__all__ = ["DEADLINE_SECONDS", "MAX_BYTES", "MAX_URL_LENGTH", "AllowedServers", "FetchedPage", "Visit", "parse_url"]

DEADLINE_SECONDS = 15.0  # of a visit, over all redirects and frames; Heroku kills a dyno 30 s after SIGTERM
MAX_REDIRECTS = 5  # in a row
MAX_REQUESTS = 12  # of a visit

MAX_BYTES = 2 * 1024 * 1024  # of a page with its frames, both on the wire and decompressed
MAX_COOKIE_BYTES = 16 * 1024  # of a visit
CHUNK = 16 * 1024  # bytes read at once; also the most that a compressed bomb unpacks to before its size is checked

HEADERS = {
    "User-Agent": "Semicircle-WordCount/1.0 (one page, asked for by a reader)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9",
    "Accept-Language": "ko,en;q=0.8",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}

REDIRECTS = {301, 302, 303, 307, 308}
HTML = {"text/html", charset.XHTML}
TRANSIENT_4XX = {408, 429}  # request timeout, too many requests
# IANA, "HTTP Content Coding Registry". What servers write besides, such as "none" or "UTF-8", is no coding.
GZIP = {"gzip", "x-gzip"}
CODINGS = {*GZIP, "aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "pack200-gzip", "x-compress", "zstd"}


class FetchedPage(NamedTuple):
    url: str  # after redirects
    text: str
    is_html: bool  # otherwise it is plain text
    is_xml: bool = False  # its HTML is XHTML


class Visit:
    """Fetch a page and what it consists of, as one reader's look at it, within one deadline and the limits above.

    A server gets the cookies that it has set before, as some redirect a page to itself until they come back. No other
    server gets them, and they are forgotten with the visit.
    """

    def __init__(self, allowed_servers: AllowedServers, deadline: Deadline) -> None:
        self._allowed_servers = allowed_servers
        self.deadline = deadline
        self._requests_left = MAX_REQUESTS
        self._bytes_left = MAX_BYTES
        self._cookie_bytes_left = MAX_COOKIE_BYTES
        self._cookies: dict[str, CookieJar] = defaultdict(CookieJar)  # by host

    def fetch(self, address: str, page: FetchedPage | None = None) -> FetchedPage:
        """Fetch an address as a person typed it, or as it stands on a page, which comes back if that is its own.

        It ends by the deadline in any case, DNS and redirects included. Raises: FetchFailed.
        """
        try:
            url = parse_url(page.url if page else address, self._allowed_servers)
            url = follow_redirect(url, address, self._allowed_servers) if page else url
            fetched = page if page and page.url == url.url else self._follow_redirects(url)
        except Exception as error:
            # Every exception is caught: nobody documents all that http.client, ssl, zlib and urllib3 raise on bad data.
            if self.deadline.expired:
                raise FetchFailed(Failure.DEADLINE, is_transient=True) from error
            if isinstance(error, FetchFailed):
                raise
            raise _failure_of(error) from error
        # A body without a length ends with the connection, so the deadline's shutdown looks like the end of the page.
        if self.deadline.expired:
            raise FetchFailed(Failure.DEADLINE, is_transient=True)
        return fetched

    def _follow_redirects(self, url: PageUrl) -> FetchedPage:
        for _ in range(1 + MAX_REDIRECTS):
            if not self._requests_left:
                break
            self._requests_left -= 1
            answer = self._request(url)
            if isinstance(answer, FetchedPage):
                return answer
            url = answer
        raise FetchFailed(Failure.REDIRECTS)

    def _request(self, url: PageUrl) -> FetchedPage | PageUrl:
        """Make one hop: resolve, vet, connect, read. Return the page, or where it redirects to."""
        cookies, request = self._cookies[url.host], Request(url.url)  # noqa: S310 - requested by nobody
        cookies.add_cookie_header(request)
        with connect(url, resolve(url, self._allowed_servers, self.deadline), self.deadline) as connection:
            headers = HEADERS | dict(request.header_items())
            connection.request("GET", url.target, headers=headers, preload_content=False)
            with closing(connection.getresponse()) as response:
                self._cookie_bytes_left -= len(response.headers.get("Set-Cookie", ""))
                if self._cookie_bytes_left >= 0:
                    cookies.extract_cookies(response, request)  # type: ignore[arg-type] # urllib3's has what it reads
                location = response.headers.get("Location")
                if response.status in REDIRECTS and location is not None:
                    return follow_redirect(url, _header_text(location.strip()), self._allowed_servers)
                content_type = _content_type_of_page(response)
                body = _read_body(response, self._bytes_left)
                self._bytes_left -= len(body)
                return _page(url.url, content_type, body)


def _header_text(value: str) -> str:
    """Undo http.client's decoding as Latin-1: servers send UTF-8, or bytes of another charset, which are encoded."""
    octets = value.encode("latin-1")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return quote(octets, SAFE + "#")


def _content_type_of_page(response: HTTPResponse) -> str:
    """Return the Content-Type of a page, "" without one. Raises: FetchFailed: it is no page, by its status or type."""
    status = response.status
    if 400 <= status < 500:
        raise FetchFailed(Failure.HTTP_4XX, is_transient=status in TRANSIENT_4XX)
    if 500 <= status < 600:
        raise FetchFailed(Failure.HTTP_5XX, is_transient=True)
    if not 200 <= status < 300:
        raise FetchFailed(Failure.EMPTY)
    content_type: str = response.headers.get("Content-Type", "")
    if charset.media_type(content_type) not in ("", "text/plain", *HTML):
        raise FetchFailed(Failure.CONTENT_TYPE)
    return content_type


def _page(url: str, content_type: str, body: bytes) -> FetchedPage:
    if not body:
        raise FetchFailed(Failure.EMPTY)
    media_type = charset.media_type(content_type)
    is_html = media_type in HTML or (not media_type and charset.looks_like_html(body))
    if not media_type and not is_html and not charset.looks_like_text(body):
        raise FetchFailed(Failure.CONTENT_TYPE)
    return FetchedPage(url, charset.decode(body, content_type), is_html, media_type == charset.XHTML)


def _read_body(response: HTTPResponse, most: int) -> bytes:
    """Read and decompress at most so many bytes. Only gzip is accepted, once: it is all that the request asked for.

    What servers call an encoding but is none is left as it is, if the body then reads as text.
    """
    named = [name.strip().lower() for name in response.headers.get("Content-Encoding", "").split(",")]
    codings = [name for name in named if name.partition(";")[0] in CODINGS]
    transfer = response.headers.get("Transfer-Encoding", "chunked").lower()
    if codings[1:] or not {*codings} <= GZIP or transfer != "chunked":
        raise FetchFailed(Failure.ENCODING)
    response.headers["Content-Encoding"] = "".join(codings)  # urllib3 unpacks several layers, and by names it guesses
    body = bytearray()
    while chunk := response.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > most or response.tell() > most:
            raise FetchFailed(Failure.TOO_LARGE)
    if not codings and {*named} - {"", "identity"} and not charset.looks_like_text(bytes(body)):
        raise FetchFailed(Failure.ENCODING)
    return bytes(body)


def _failure_of(error: Exception) -> FetchFailed:
    cause = error.__cause__ if isinstance(error, urllib3.exceptions.SSLError) else error  # urllib3 wraps ssl's error
    if isinstance(error, urllib3.exceptions.DecodeError):
        return FetchFailed(Failure.ENCODING)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return FetchFailed(Failure.TLS)
    # A connection that is refused, reset or cut off is transient, as when a server restarts. An answer that is not HTTP
    # is not.
    cut_off = (OSError, http.client.IncompleteRead, urllib3.exceptions.ProtocolError)
    return FetchFailed(Failure.NETWORK, is_transient=isinstance(cause, cut_off))
