"""Read a page as its reader would: where it sends them, with what it shows in frames; then count its words.

Chromium's text of a page leaves out what is in its frames, and so does this, unless the page is hardly more than its
frames: a frameset, or a page that has its text in an <iframe> of the same site, as Naver's blogs do.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from app.deadline import Deadline
from app.wordcounts.analysis import sandbox
from app.wordcounts.analysis.text import Document
from app.wordcounts.analysis.words import Counts
from app.wordcounts.failures import Failure, FetchFailed
from app.wordcounts.fetching import DEADLINE_SECONDS, AllowedServers, FetchedPage, Visit

MAX_FRAMES = 4  # of a page
MAX_DEPTH = 2  # of frames in frames
FEW_WORDS = 20  # a page that has more is read for its own text


class Read(NamedTuple):
    """A page that was read, or one in a frame of it."""

    page: FetchedPage
    document: Document
    counts: Counts


def read_page(url: str, allowed_servers: AllowedServers) -> Read:
    """Fetch a page and count its words.

    Raises: FetchFailed: also SCRIPTS or FRAMES, if there is no text; and what `sandbox.read` raises.
    """
    refused: list[FetchFailed] = []
    with Deadline(DEADLINE_SECONDS) as deadline:
        visit = Visit(allowed_servers, deadline)
        parts = frames = [_landed(visit, visit.fetch(url))]
        for _ in range(MAX_DEPTH):
            frames = [frame for part in frames for frame in _frames_of(part, visit, refused)]
            parts = [*parts, *frames]
    page, document, counts = parts[0]
    if len(parts) > 1:
        _, counts = sandbox.read("\n".join(part.document.text for part in parts), is_html=False)
    if not counts.total_words and refused:
        raise refused[0]
    if not counts.total_words and (document.frames or document.has_scripts):  # a page of pictures has a count of 0
        raise FetchFailed(Failure.FRAMES if document.frames else Failure.SCRIPTS)
    return Read(page, document, counts)


def _landed(visit: Visit, page: FetchedPage, seconds: float = sandbox.SECONDS) -> Read:
    """Read a page, or the one that it refreshes to."""
    while True:
        document, counts = sandbox.read(page.text, is_html=page.is_html, is_xml=page.is_xml, seconds=seconds)
        target = visit.fetch(document.refresh, page) if document.refresh else page
        if target is page:
            return Read(page, document, counts)
        page = target


def _frames_of(read: Read, visit: Visit, refused: list[FetchFailed]) -> Iterator[Read]:
    """Read what a page shows in frames, if it is that which is read.

    A frame that cannot be read is left out, as in a browser, unless a retry may succeed.
    """
    page, document, counts = read
    sources = [source for source in document.frames if document.is_frameset or _is_of_site(page.url, source)]
    for source in sources[:MAX_FRAMES] if counts.total_words <= FEW_WORDS else ():
        try:
            frame = visit.fetch(source, page)
            if frame is not page:
                yield _landed(visit, frame, min(sandbox.SECONDS, visit.deadline.remaining))
        except FetchFailed as error:
            if error.is_transient:
                raise
            refused.append(error)


def _is_of_site(url: str, source: str) -> bool:
    """Return True for an address of the page's own host, or of one above or below it."""
    try:
        hosts = [f".{urlsplit(address).hostname}".replace(".www.", ".") for address in (url, urljoin(url, source))]
    except ValueError:
        return False
    shorter, longer = sorted(hosts, key=len)
    return shorter == longer or ("." in shorter[1:] and longer.endswith(shorter))
