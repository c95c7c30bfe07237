"""What the query string of a page of word counts asks for. Every value that no link of ours has is 400."""

from dataclasses import dataclass

from flask import abort, request

from app.keyset import Cursor
from app.wordcounts import service

WORDS_SHOWN = 100  # without ?all=1


@dataclass(frozen=True)
class View:
    """How a result is shown. Every link and form of its page keeps the view.

    Args:
        stop_words: "keep", or None to leave them out.
        all: "1" for all words that are stored, None for the WORDS_SHOWN most frequent.
        sort: "word", or None for the most frequent first.
    """

    stop_words: str | None
    all: str | None
    sort: str | None

    @property
    def word_list(self) -> str:
        """The word list of `service.get_result`."""
        return self.stop_words or "drop"

    @property
    def shown(self) -> int | None:
        return None if self.all else WORDS_SHOWN


def requested_view() -> View:
    return View(_one_of("stop_words", "keep"), _one_of("all", "1"), _one_of("sort", "word"))


def requested_stop_words() -> str:
    """The value of `?stop_words=`, "drop" without it."""
    return _one_of("stop_words", "keep") or "drop"


def requested_cursor() -> Cursor:
    """Where the page that `?before=` asks for starts."""
    before = request.args.get("before")
    try:
        return service.START if before is None else Cursor.parse(before, service.KEY_BOUNDS)
    except ValueError:
        abort(400)


def _one_of(name: str, value: str) -> str | None:
    """The one value that an argument may have, or None without it."""
    asked = request.args.get(name)
    if asked not in (None, value):
        abort(400)
    return asked
