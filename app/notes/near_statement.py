"""Spelling correction by what the user's notes have: asked when no note has all words of a search as they are typed.

It looks at the newest notes alone, WALKED at most, with a regular expression for all words that are one key away.
"""

import json
from typing import Any

from sqlalchemy import Integer, Row, Text, and_, bindparam, cast, column, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.extensions import read
from app.notes.models import Note
from app.notes.near_words import near_pattern, near_words
from app.notes.search import Search, anywhere, has_case
from app.notes.search_parts import TEXT, WALKED, in_list_order, texts

MOST_WORDS = 100  # different ones, those that occur most

_KEYS = in_list_order(true()).limit(WALKED).subquery("keys")
_NOTE = select(TEXT.label("text"), Note.tags).where(Note.id == _KEYS.c.id).limit(1).lateral("note")
_NEWEST = select(_NOTE).select_from(_KEYS.join(_NOTE, true())).subquery("newest")
_TYPED = (
    func.jsonb_to_recordset(cast(bindparam("typed"), JSONB))
    .table_valued(column("place", Integer), column("near", Text), column("others", ARRAY(Text)))
    .render_derived(name="typed", with_types=True)
)
_MATCH = func.regexp_matches(_NEWEST.c.text, _TYPED.c.near, "g", type_=ARRAY(Text))
_HAS_OTHERS = and_(
    _NEWEST.c.tags.contains(texts("tags")), _NEWEST.c.text.op("~", is_comparison=True)(func.all(_TYPED.c.others))
)
_FOUND = (
    select(_TYPED.c.place, func.lower(_MATCH[1]).label("word"))
    .select_from(_NEWEST.join(_TYPED, _HAS_OTHERS))
    .subquery("found")
)
_WORDS_FOUND = (
    select(*_FOUND.c, func.count().label("times")).group_by(*_FOUND.c).order_by(func.count().desc()).limit(MOST_WORDS)
)


def corrected(user_id: int, search: Search) -> Search | None:
    """The search with the likeliest correction of one of its words, the one that occurs most among equally likely ones.

    None if no note has a word that is one key away, together with the other words and tags.
    """
    parameters = parameters_of(search)
    if not parameters:
        return None

    def likelihood(row: Row[Any]) -> tuple[bool, int]:
        return near_words(search.words[row.place]).get(row.word, False), row.times

    best = max(read(_WORDS_FOUND, parameters | {"owner": user_id}), key=likelihood, default=None)
    return search.with_correction(best.place, best.word) if best else None


def parameters_of(search: Search) -> dict[str, Any]:
    """Of the statement, besides the owner. Empty if nothing is near any of the words."""
    typed = [_typed(search, place) for place, word in enumerate(search.words) if near_words(word)]
    return {"typed": json.dumps(typed), "tags": list(search.tags)} if typed else {}


def _typed(search: Search, place: int) -> dict[str, object]:
    word = search.words[place]
    others = [anywhere(other) for other in (*search.words[:place], *search.words[place + 1 :])]
    near = f"{'(?i)' if has_case(word) else ''}{near_pattern(word)}"
    return {"place": place, "near": near, "others": others}
