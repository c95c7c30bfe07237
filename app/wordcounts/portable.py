"""Export word counts that are done, and import them.

They get new addresses: a link to a shared one that was passed on before leads nowhere.
"""

from flask_babel import lazy_gettext as _
from sqlalchemy import and_, true

from app.portability.contract import InvalidItem, Item, ItemValidator, PortableTable
from app.wordcounts import fetching
from app.wordcounts.analysis.words import LONGEST_WORD, PHRASES_KEPT, WORDS_KEPT
from app.wordcounts.failures import FetchFailed
from app.wordcounts.models import DONE, TITLE_LENGTH, Result
from app.wordcounts.service import QUOTA

TOTALS = ("total_words", "unique_words", "content_words", "characters", "reading_seconds")
FIELDS = (
    *("url", "final_url", "title", "result_all", "result_no_stop_words", "phrases", *TOTALS),
    *("truncated", "shared", "created_at", "finished_at"),
)


def _row(item: object) -> Item:
    result = ItemValidator(item, FIELDS)
    phrases = ItemValidator(result.item["phrases"], ("2", "3"))
    longest = 3 * LONGEST_WORD + 2
    row: Item = {
        "url": _address(result, "url"),
        "final_url": _address(result, "final_url"),
        "title": result.optional(lambda name: result.text(name, TITLE_LENGTH, exact=True), "title"),
        "result_all": result.counts("result_all", WORDS_KEPT, LONGEST_WORD),
        "result_no_stop_words": result.counts("result_no_stop_words", WORDS_KEPT, LONGEST_WORD),
        "phrases": {length: phrases.counts(length, PHRASES_KEPT, longest) for length in ("2", "3")},
        **{name: result.number(name) for name in TOTALS},
        "truncated": result.value("truncated", bool),
        "shared": result.value("shared", bool),
        "created_at": result.moment("created_at"),
        "finished_at": result.moment("finished_at"),
        "status": DONE,
    }
    for name in ("result_all", "result_no_stop_words"):  # a page of it divides by the totals
        if sum(row[name].values()) > row["total_words"] or len(row[name]) > row["unique_words"]:
            raise InvalidItem("total_words")
    if row["content_words"] > row["total_words"]:
        raise InvalidItem("content_words")
    return row


def _address(result: ItemValidator, name: str) -> str:
    """Read an address that would be fetched: the page of a result links to it."""
    url = result.text(name, fetching.MAX_URL_LENGTH, exact=True)
    try:
        fetching.parse_url(url)
    except FetchFailed:
        raise InvalidItem(name) from None
    return url


WORDCOUNTS = PortableTable(
    name="wordcounts",
    came=_("word counts %(count)s"),
    model=Result,
    longest_item=2 * 1024 * 1024,  # twice that of a page whose words are the longest that are kept
    fields=FIELDS,
    exported=and_(Result.status == DONE, Result.deleted_at.is_(None)),
    same=("created_at", "url"),
    row_of=_row,
    compared=true(),
    quota=QUOTA,
    batch=10,  # a result of a long page takes a megabyte as an object
    sets=("status",),
)
