"""The HTTP client: request a page, follow its redirects, and turn every error into a FetchFailed."""

import http.client
import ssl
from contextlib import closing
from urllib.parse import quote

import urllib3.exceptions

from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching.connecting import connect
from app.wordcounts.fetching.deadline import Deadline
from app.wordcounts.fetching.reading import FetchedPage, read_page
from app.wordcounts.fetching.resolving import resolve
from app.wordcounts.fetching.urls import SAFE, PageUrl, follow_redirect, parse_url
from app.wordcounts.fetching.vetting import AllowedServers, vet

DEADLINE_SECONDS = 15.0  # over all redirects; Heroku kills a dyno 30 s after SIGTERM
MAX_REDIRECTS = 5

HEADERS = {
    "User-Agent": "Semicircle-WordCount/1.0 (one page, asked for by a reader)",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9",
    "Accept-Language": "ko,en;q=0.8",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}

REDIRECTS = {301, 302, 303, 307, 308}


def fetch(
    url: str, *, allowed_servers: AllowedServers = frozenset(), deadline_seconds: float = DEADLINE_SECONDS
) -> FetchedPage:
    """Fetch a page.

    Args:
        url: as a person typed it.
        allowed_servers: (IP address, port) that may be connected to although the rules refuse it. For tests.
        deadline_seconds: after which the fetch ends in any case, DNS and redirects included.

    Raises:
        FetchFailed: with the reason, and whether a retry may succeed.
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
    """One hop: resolve, vet, connect, read. Returns the page, or where it redirects to."""
    ips = [url.ip] if url.ip else resolve(url.host, url.port, deadline)
    addresses = vet(ips, url.port, allowed_servers)
    with connect(url, addresses, deadline) as connection:
        connection.request("GET", url.target, headers=HEADERS, preload_content=False)
        with closing(connection.getresponse()) as response:
            location = response.headers.get("Location")
            if response.status in REDIRECTS and location is not None:
                return follow_redirect(url, _header_text(location.strip()), allowed_servers)
            return read_page(url.url, response)


def _header_text(value: str) -> str:
    """Undo http.client's decoding as Latin-1: servers send UTF-8, or bytes of another charset, which are encoded."""
    octets = value.encode("latin-1")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return quote(octets, SAFE + "#")


def _failure_of(error: Exception) -> FetchFailed:
    """The FetchFailed that an error of urllib3, http.client, ssl or the socket stands for."""
    cause = error.__cause__ if isinstance(error, urllib3.exceptions.SSLError) else error  # urllib3 wraps ssl's error
    if isinstance(error, urllib3.exceptions.DecodeError):
        return FetchFailed(Failure.ENCODING)
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return FetchFailed(Failure.TLS)
    # A connection that is refused, reset or cut off is transient, as when a server restarts. An answer that is not HTTP
    # is not.
    cut_off = (OSError, http.client.IncompleteRead, urllib3.exceptions.ProtocolError)
    return FetchFailed(Failure.NETWORK, is_transient=isinstance(cause, cut_off))
