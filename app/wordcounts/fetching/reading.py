"""Read the page out of an HTTP response: refuse by status and headers first, then read a limited body."""

from dataclasses import dataclass

from urllib3.response import HTTPResponse

from app.wordcounts.analysis import charset
from app.wordcounts.failures import Failure, FetchFailed

MAX_BYTES = 2 * 1024 * 1024  # of a page, both on the wire and decompressed
CHUNK = 16 * 1024  # bytes read at once; also the most that a compressed bomb unpacks to before its size is checked

HTML = {"text/html", "application/xhtml+xml"}
TRANSIENT_4XX = {408, 429}  # request timeout, too many requests


@dataclass(frozen=True)
class FetchedPage:
    """A page as its server sent it, decoded."""

    url: str  # after redirects
    text: str
    is_html: bool  # otherwise it is plain text


def read_page(url: str, response: HTTPResponse) -> FetchedPage:
    """Read a response whose body has not been read yet.

    Raises:
        FetchFailed: HTTP_4XX, HTTP_5XX, EMPTY, CONTENT_TYPE, ENCODING or TOO_LARGE.
        Exception: whatever urllib3 and http.client raise on a broken body.
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
    """Refuse every status but 2xx."""
    if 200 <= status < 300:
        return
    if 400 <= status < 500:
        raise FetchFailed(Failure.HTTP_4XX, is_transient=status in TRANSIENT_4XX)
    if 500 <= status < 600:
        raise FetchFailed(Failure.HTTP_5XX, is_transient=True)
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
