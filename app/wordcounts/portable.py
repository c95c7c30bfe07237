"""Export word counts that are done, and import them.

They get new addresses: a link to a shared one that was passed on before leads nowhere.
"""

from functools import partial
from typing import Any

from flask_babel import ngettext
from sqlalchemy import and_

from app.portability import contract
from app.portability.contract import InvalidItem, Item, PortableTable
from app.web.formats import number
from app.wordcounts import fetching
from app.wordcounts.analysis.words import LONGEST_WORD, PHRASES_KEPT, WORDS_KEPT
from app.wordcounts.failures import FetchFailed
from app.wordcounts.models import DONE, TITLE_LENGTH, Result
from app.wordcounts.service import QUOTA

WORDS = partial(contract.counts, at_most=WORDS_KEPT, longest=LONGEST_WORD)
PHRASES = partial(contract.counts, at_most=PHRASES_KEPT, longest=3 * LONGEST_WORD + 2)


def _address(value: Any) -> Any:
    """Read an address that would be fetched: the page of a result links to it."""
    url = contract.exact_text(value, fetching.MAX_URL_LENGTH)
    try:
        fetching.parse_url(url)
    except FetchFailed as error:
        raise ValueError from error
    return url


def _complete(result: Item) -> Item:
    for name in ("result_all", "result_no_stop_words"):  # a page of it divides by the totals
        if sum(result[name].values()) > result["total_words"] or len(result[name]) > result["unique_words"]:
            raise InvalidItem("total_words")
    if result["content_words"] > result["total_words"]:
        raise InvalidItem("content_words")
    return result


WORDCOUNTS = PortableTable(
    name="wordcounts",
    came=lambda count: ngettext("%(count)s word count", "%(count)s word counts", count, count=number(count)),
    model=Result,
    longest_item=2 * 1024 * 1024,  # twice that of a page whose words are the longest that are kept
    also={"id": Result.public_id},
    absent={"status": DONE},  # exports of version 1 have none
    fields={
        "status": lambda _status: DONE,
        "url": _address,
        "final_url": _address,
        "title": partial(contract.optional, read=partial(contract.exact_text, at_most=TITLE_LENGTH)),
        "result_all": WORDS,
        "result_no_stop_words": WORDS,
        "phrases": partial(contract.read_item, readers={"2": PHRASES, "3": PHRASES}),
        **dict.fromkeys(
            ("total_words", "unique_words", "content_words", "characters", "reading_seconds"), contract.number
        ),
        "truncated": partial(contract.exactly, kind=bool),
        "shared": partial(contract.exactly, kind=bool),
        "created_at": contract.moment,
        "finished_at": contract.moment,
    },
    exported=and_(Result.status == DONE, Result.deleted_at.is_(None)),
    same=("created_at", "url"),
    complete=_complete,
    quota=QUOTA,
    batch=10,  # a result of a long page takes a megabyte as an object
)

UNFINISHED = WORDCOUNTS.rows(and_(Result.status != DONE, Result.deleted_at.is_(None))).add_columns(Result.error)
