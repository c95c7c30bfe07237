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
    """Fetch a page and count its words. Raises: FetchFailed, also without any text; and what `sandbox.read` raises."""
    refused: list[FetchFailed] = []
    with Deadline(DEADLINE_SECONDS) as deadline:
        visit = Visit(allowed_servers, deadline)
        first = _landed(visit, visit.fetch(url))
        parts = [first, *_frames_of([first], visit, refused)]
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


def _frames_of(path: list[Read], visit: Visit, refused: list[FetchFailed]) -> Iterator[Read]:
    """Read what the last page of a path shows in frames, and in frames of these, if it is that which is read.

    A frame that cannot be read is left out, as in a browser, unless a retry may succeed. So is one that shows a page
    of the path, which would never end.
    """
    page, document, counts = path[-1]
    sources = [source for source in document.frames if document.is_frameset or _is_of_site(page.url, source)]
    is_read = counts.total_words <= FEW_WORDS and len(path) <= MAX_DEPTH
    for source in sources[:MAX_FRAMES] if is_read else ():
        try:
            frame = _landed(visit, visit.fetch(source, page), min(sandbox.SECONDS, visit.deadline.remaining))
        except FetchFailed as error:
            if error.is_transient:
                raise
            refused.append(error)
            continue
        if frame.page.url not in [above.page.url for above in path]:
            yield frame
            yield from _frames_of([*path, frame], visit, refused)


def _is_of_site(url: str, source: str) -> bool:
    """Return True for an address of the page's own host, or of one above or below it."""
    try:
        hosts = [f".{urlsplit(address).hostname}".replace(".www.", ".") for address in (url, urljoin(url, source))]
    except ValueError:
        return False
    shorter, longer = sorted(hosts, key=len)
    return shorter == longer or ("." in shorter[1:] and longer.endswith(shorter))
