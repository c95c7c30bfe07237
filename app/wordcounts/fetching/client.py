"""The HTTP client: request a page, follow its redirects, read a limited body, and name every error."""

import http.client
import ssl
from contextlib import closing
from typing import NamedTuple
from urllib.parse import quote

import urllib3.exceptions
from urllib3.response import HTTPResponse

from app.deadline import Deadline
from app.wordcounts.analysis import charset
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.connecting import connect, resolve
from app.wordcounts.fetching.vetting import SAFE, AllowedServers, PageUrl, follow_redirect, parse_url

DEADLINE_SECONDS = 15.0  # over all redirects; Heroku kills a dyno 30 s after SIGTERM
MAX_REDIRECTS = 5

MAX_BYTES = 2 * 1024 * 1024  # of a page, both on the wire and decompressed
CHUNK = 16 * 1024  # bytes read at once; also the most that a compressed bomb unpacks to before its size is checked

HEADERS = {
    "User-Agent": "Semicircle-WordCount/1.0 (one page, asked for by a reader)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9",
    "Accept-Language": "ko,en;q=0.8",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}

REDIRECTS = {301, 302, 303, 307, 308}
HTML = {"text/html", "application/xhtml+xml"}
TRANSIENT_4XX = {408, 429}  # request timeout, too many requests


class FetchedPage(NamedTuple):
    url: str  # after redirects
    text: str
    is_html: bool  # otherwise it is plain text


def fetch(
    url: str, *, allowed_servers: AllowedServers = frozenset(), deadline_seconds: float = DEADLINE_SECONDS
) -> FetchedPage:
    """Fetch a page as a person typed its URL. It ends by the deadline in any case, DNS and redirects included.

    Raises: FetchFailed: with the reason, and whether a retry may succeed.
    """
    with Deadline(deadline_seconds) as deadline:
        try:
            page = _follow_redirects(parse_url(url, allowed_servers), allowed_servers, deadline)
        except Exception as error:
            # Every exception is caught: nobody documents all that http.client, ssl, zlib and urllib3 raise on bad data.
            if deadline.expired:
                raise FetchFailed(Failure.DEADLINE, is_transient=True) from error
            if isinstance(error, FetchFailed):
                raise
            raise _failure_of(error) from error
        # A body without a length ends with the connection, so the deadline's shutdown looks like the end of the page.
        if deadline.expired:
            raise FetchFailed(Failure.DEADLINE, is_transient=True)
        return page


def _follow_redirects(url: PageUrl, allowed_servers: AllowedServers, deadline: Deadline) -> FetchedPage:
    for _ in range(1 + MAX_REDIRECTS):
        answer = _request(url, allowed_servers, deadline)
        if isinstance(answer, FetchedPage):
            return answer
        url = answer
    raise FetchFailed(Failure.REDIRECTS)


def _request(url: PageUrl, allowed_servers: AllowedServers, deadline: Deadline) -> FetchedPage | PageUrl:
    """Make one hop: resolve, vet, connect, read. Return the page, or where it redirects to."""
    with connect(url, resolve(url, allowed_servers, deadline), deadline) as connection:
        connection.request("GET", url.target, headers=HEADERS, preload_content=False)
        with closing(connection.getresponse()) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location is not None:
                return follow_redirect(url, _header_text(location.strip()), allowed_servers)
            return _read_page(url.url, response)


def _header_text(value: str) -> str:
    """Undo http.client's decoding as Latin-1: servers send UTF-8, or bytes of another charset, which are encoded."""
    octets = value.encode("latin-1")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return quote(octets, SAFE + "#")


def _read_page(url: str, response: HTTPResponse) -> FetchedPage:
    """Read a response whose body has not been read yet; refuse by status and headers first.

    Raises: FetchFailed; and whatever urllib3 and http.client raise on a broken body.
    """
    _refuse_status(response.status)
    content_type = response.headers.get("Content-Type", "")
    media_type = charset.media_type(content_type)
    if media_type and media_type != "text/plain" and media_type not in HTML:
        raise FetchFailed(Failure.CONTENT_TYPE)
    body = _read_body(response)
    if not body:
        raise FetchFailed(Failure.EMPTY)
    is_html = media_type in HTML or (not media_type and charset.looks_like_html(body))
    if not media_type and not is_html and not charset.looks_like_text(body):
        raise FetchFailed(Failure.CONTENT_TYPE)
    return FetchedPage(url, charset.decode(body, content_type), is_html)


def _refuse_status(status: int) -> None:
    if 400 <= status < 500:
        raise FetchFailed(Failure.HTTP_4XX, is_transient=status in TRANSIENT_4XX)
    if 500 <= status < 600:
        raise FetchFailed(Failure.HTTP_5XX, is_transient=True)
    if not 200 <= status < 300:
        raise FetchFailed(Failure.EMPTY)


def _read_body(response: HTTPResponse) -> bytes:
    """Read and decompress at most MAX_BYTES. Only gzip is accepted, once: it is all that the request asked for."""
    # Compared as urllib3 compares them. It leaves unknown encodings as they are and unpacks several layers of gzip.
    if response.headers.get("Content-Encoding", "").lower() not in ("", "identity", "gzip"):
        raise FetchFailed(Failure.ENCODING)
    if response.headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
        raise FetchFailed(Failure.ENCODING)
    body = bytearray()
    while chunk := response.read1(CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_BYTES or response.tell() > MAX_BYTES:
            raise FetchFailed(Failure.TOO_LARGE)
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
