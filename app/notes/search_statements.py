"""Build the statements of a search: candidates by the n-gram indexes, the recheck, and pages in bounded steps.

The index `ix_notes_terms` (GIN, of what the SQL function note_terms() gives) names the notes that have every n-gram of
the words, and the tags; `ix_notes_folded`, of note_folded_terms(), those that have them without their accents;
`ix_notes_initials`, of note_initials(), those that have every n-gram of initial consonants. They are the candidates.
LIKE, or a regular expression for letters that are written in several ways, decides which are hits (the recheck).

Of a note the first INDEXED characters are indexed and rechecked, so that a search costs what it did when no note had
more. Of the newest DEEP longer ones, as they are at each page, the whole text is searched, and the page says if there
are others.

The first pages of a search by words are sorted by relevance, which is decided among the pool: all hits if the
candidates are few, else the hits among the newest WALKED notes. A word that is in many of the NEWEST is taken to be one
of many candidates without asking the index. What is promised: within the pool the most relevant hits come first, and
equally relevant ones as in the list. A cursor says where the pool ends, so a note that is written or deleted between
two pages does not move its end, and no hit is lost or shown twice.

Beyond the pool, and for tags alone, a page is in the order of the list. The first of three parts that can finds it:
- The newest notes. A word that is in many of them has filled the page by then.
- The candidates, if they are few: all of them, sorted.
- A walk through the notes in the order of the list. There are many candidates, so it soon meets a hit.
Each ends at a fixed number of notes, so no search reads more, however many notes there are. A walk that ends before the
page is full says where, and the next page goes on there. So it is for a word that is in old notes alone, or in few
while all its n-grams are in many.

When no note has all words as they are typed, the spelling is corrected by what the newest WALKED notes have: with a
regular expression for all words that are one key away.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, case, column, exists, false, func, select, true, tuple_, union, union_all
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.expression import CTE, ColumnElement, FromClause, Label, ScalarSelect, Select, SQLColumnExpression
from sqlalchemy.types import BigInteger, Boolean, Integer, Text

from app.extensions import read
from app.notes.cursor import MOST_RELEVANT
from app.notes.models import CONTENT_LENGTH, Note
from app.notes.search import Search, near_words, parameters_of_correction
from app.notes.service import EXCERPT, NOT_DELETED, OWNER
from app.notes.texts import BLOCK_MARKER, NAME_LENGTH

NEWEST = 150  # notes
CANDIDATES = 1000
WALKED = 1000  # notes. With more than CANDIDATES of 50,000, 20 of them are hits on the average
COUNTED = 100  # hits. Of more, the page says 100+
MOST_WORDS = 100  # different ones near what was typed, those that occur most
INDEXED = 2000  # code points of a text, as the functions of the indexes have it (revision 0050)
DEEP = 50  # longer notes
LATER = 2  # times the notes of the first page are read for a later one: some were written or got longer meanwhile

IS_INDEXED: ColumnElement[bool] = bindparam("is_indexed")
KEY = (Note.pinned, Note.created_at, Note.id)
CURSOR = tuple_(bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))
_POOL_CURSOR = tuple_(bindparam("relevance"), bindparam("pinned"), bindparam("created_at"), bindparam("note_id"))
_POOL_END = tuple_(bindparam("end_pinned"), bindparam("end_created_at"), bindparam("end_id"))
_IS_FIRST: ColumnElement[bool] = bindparam("is_first")  # page
# The index has what the lower() of this database's locale gives: in C, ASCII alone is in lower case.
_KNOWS_CASES: ColumnElement[bool] = column("lower('ÉЯI') = 'éяi'", Boolean, is_literal=True)
_IS_WHOLE: ColumnElement[bool] = bindparam("is_whole")  # the pool of the first page held all hits
_LONGER = (
    select(*KEY)
    .where(Note.user_id == OWNER, NOT_DELETED, func.char_length(Note.content) > INDEXED)
    .order_by(*(column.desc() for column in KEY))
)
# The newest of them, if there are words to search for.
_BY_WORDS = _LONGER.where(func.cardinality(bindparam("anywhere").cast(ARRAY(Text))) > 0)
_REACHED: ColumnElement[int] = bindparam("deep", type_=Integer)
_DEEP = _BY_WORDS.limit(_REACHED).cte("deep")
_IN_PART = exists(_BY_WORDS.offset(DEEP).limit(1).subquery().select()).label("in_part")
_REACH = case((Note.id.in_(select(_DEEP.c.id)), CONTENT_LENGTH), else_=INDEXED)
TEXT = Note.title + "\n" + func.left(Note.content, _REACH, type_=Text)
# As texts.name_and_excerpt() has it: a note without a title is named by its first line, such as a heading.
_LINE = func.split_part(func.ltrim(EXCERPT.element, " \n\t"), "\n", 1)
_FIRST_LINE = func.left(func.regexp_replace(_LINE, BLOCK_MARKER.pattern, ""), NAME_LENGTH)
_NAME = case((Note.title == "", _FIRST_LINE), else_=Note.title)

Found = tuple[CTE, *tuple[Label[Any], ...]]


def by_list_order(shown: Select[Any], size: int) -> Found:
    """Return the hits after the cursor in the order of the list, at most `size`, and figures beside them.

    PostgreSQL does not run a part whose condition is false, and stops the others when the page is full.

    Returns: the page, and five columns.
        found: hits; COUNTED + 1 if there are more.
        is_least: there may be more hits than `found`.
        stopped_at: if a walk ended before the page was full, the sort key of its last note, as cursor.key_of() has it.
        after_hit: the cursor is a hit. It is not where a walk ended.
        in_part: there are longer notes than the newest DEEP.
    """
    newest, candidates = _hits_of_newest(), _candidates(CANDIDATES + 1)
    are_enough, are_few = _number(newest) >= size, _are_few(candidates)
    walk = _list(~are_enough & ~are_few, WALKED)
    found_by = (
        _after_cursor(newest, are_enough),
        _after_cursor(candidates, ~are_enough & are_few),
        walk,
    )
    key = union_all(*(part.subquery().select() for part in found_by)).subquery("key")
    page = _hits_among(key, shown).order_by(*_newest_first(key)).limit(size).cte("page")

    hits = _hits_among(candidates, select(Note.id)).limit(COUNTED + 1)
    of_newest = _number(newest)
    counted = case(((of_newest > COUNTED) | ~IS_INDEXED, of_newest), else_=_number(hits))
    found = select(select(counted.label("number")).cte("found").c.number).scalar_subquery()
    stopped_at = case((_number(page) < size, _key_of_last(walk)))
    return (
        page,
        found.label("found"),
        case((found > COUNTED, True), else_=~are_few).label("is_least"),
        stopped_at.label("stopped_at"),
        exists().where(Note.id == bindparam("note_id"), _is_hit()).label("after_hit"),
        _IN_PART,
    )


def by_relevance(shown: Select[Any], size: int) -> Found:
    """Return the hits of the pool after the cursor, the most relevant first, and figures beside them.

    Args and return value are those of by_list_order(), but:
        page: has the column `relevance` too.
        stopped_at: where the pool of the first page ends; NULL if it holds all hits.
        after_hit: false, since no day is named.
    """
    candidates = _candidates(case((_IS_FIRST, CANDIDATES + 1), else_=LATER * CANDIDATES))
    are_few = _IS_FIRST & ~_are_many_of_newest(size) & _are_few(candidates)
    by_index = select((_IS_WHOLE | are_few).label("is_so")).cte("by_index")
    is_by_index = select(by_index.c.is_so).scalar_subquery()

    walked = in_list_order(~is_by_index & (tuple_(*KEY) >= _POOL_END))
    walk = walked.limit(case((_IS_FIRST, WALKED), else_=LATER * WALKED)).cte("walk")
    pool = _pool(walk, candidates, is_by_index)

    order = (pool.c.relevance, pool.c.pinned, pool.c.created_at, pool.c.id)
    rest = pool.select().where(tuple_(*order) < _POOL_CURSOR)
    key = rest.order_by(*(column.desc() for column in order)).limit(size).subquery("key")
    note = shown.where(Note.id == key.c.id).limit(1).lateral("note")
    page = select(key.c.relevance, note).select_from(key.join(note, true())).cte("page")

    found = _number(select(pool.c.id).limit(COUNTED + 1))
    end = case((_IS_FIRST, _key_of_last(walk)))
    return (
        page,
        found.label("found"),
        ((found > COUNTED) | (~is_by_index & (~_IS_FIRST | end.is_not(None)))).label("is_least"),
        end.label("stopped_at"),
        false().label("after_hit"),
        _IN_PART,
    )


def texts(name: str) -> ColumnElement[Any]:
    return bindparam(name).cast(ARRAY(Text))


def matches_all(text: SQLColumnExpression[str], expressions: ColumnElement[Any]) -> ColumnElement[bool]:
    return text.op("~", is_comparison=True)(func.all(expressions))


def in_list_order(condition: ColumnElement[bool]) -> Select[bool, datetime, int]:
    """Return sort keys of the user's notes, read from the list's index alone: pinned ones first, then the newest."""
    rows = select(*KEY).where(condition, Note.user_id == OWNER, NOT_DELETED)
    return rows.order_by(*(column.desc() for column in KEY))


def _list(condition: ColumnElement[bool], limit: int) -> Select[bool, datetime, int]:
    return in_list_order(condition & (tuple_(*KEY) < CURSOR)).limit(limit)


def _is_hit() -> ColumnElement[bool]:
    """Return the recheck.

    LIKE ALL has no ESCAPE of its own; PostgreSQL's default is the backslash, by which search.pattern() escapes.
    """
    return (
        (Note.user_id == OWNER)
        & (Note.archived_at.is_(None) | bindparam("finds_archive", type_=Boolean))
        & _if_given("tags", lambda tags: Note.tags.contains(tags))
        & _if_given("patterns", lambda patterns: TEXT.like(func.all(patterns)))
        & _if_given("expressions", lambda expressions: matches_all(TEXT, expressions))
    )


def _if_given(name: str, hit: Callable[[ColumnElement[Any]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return the condition `hit` on the array of a parameter; true where that is empty: the planner leaves it out."""
    return (func.cardinality(texts(name)) == 0) | hit(texts(name))


def _hits_among(keys: FromClause, shown: Select[*tuple[Any, ...]]) -> Select[Any]:
    """Return the hits among `keys` one by one: LATERAL keeps PostgreSQL from reading all notes for a hash join."""
    note = shown.where(Note.id == keys.c.id, _is_hit()).limit(1).lateral("note")
    return select(note).select_from(keys.join(note, true()))


def _newest_first(keys: FromClause) -> tuple[ColumnElement[Any], ...]:
    return keys.c.pinned.desc(), keys.c.created_at.desc(), keys.c.id.desc()


def _after_cursor(rows: CTE, condition: ColumnElement[bool]) -> Select[Any]:
    key = (rows.c.pinned, rows.c.created_at, rows.c.id)
    return select(*key).where(condition, tuple_(*key) < CURSOR).order_by(*_newest_first(rows))


def _hits_of_newest() -> CTE:
    newest = _list(true(), NEWEST).subquery("newest")
    hits = _hits_among(newest, select(*KEY))
    return hits.order_by(*_newest_first(newest)).limit(COUNTED + 1).cte("hits_of_newest")


def _are_many_of_newest(size: int) -> ColumnElement[bool]:
    newest = in_list_order(true()).limit(NEWEST).subquery("newest")
    return _number(_hits_among(newest, select(Note.id)).limit(size)) >= size


def _candidates(most: Any) -> CTE:
    """Return those of the user alone, since the owner is one of the terms. The recheck looks at `user_id` too."""
    terms = func.note_terms(Note.user_id, Note.title, Note.content, Note.tags, type_=ARRAY(BigInteger))
    words = case((_KNOWS_CASES, bindparam("terms")), else_=bindparam("plain_terms"))
    wanted_terms = func.note_terms(OWNER, "", words, texts("tags"), type_=ARRAY(BigInteger))
    initials = func.note_initials(Note.user_id, Note.title, Note.content, type_=ARRAY(BigInteger))
    wanted_initials = func.note_initials(OWNER, "", bindparam("initials"), type_=ARRAY(BigInteger))
    asks_for_initials = bindparam("initials", type_=Text) != ""
    has_no_tags = func.cardinality(texts("tags")) == 0
    asks_for_initials_alone = asks_for_initials & (bindparam("terms", type_=Text) == "") & has_no_tags
    folded = func.note_folded_terms(Note.user_id, Note.title, Note.content, Note.tags, type_=ARRAY(BigInteger))
    notes = select(*KEY).where(
        asks_for_initials_alone | terms.contains(wanted_terms) | folded.contains(wanted_terms),
        ~asks_for_initials | initials.contains(wanted_initials),
        NOT_DELETED,
    )
    return union(notes.limit(most).subquery().select(), select(_DEEP)).cte("candidates")


def _are_few(candidates: CTE) -> ColumnElement[bool]:
    """Return true if they are all candidates. A single initial is in no index, so then there may be any number."""
    return IS_INDEXED & (_number(candidates) <= CANDIDATES)


def _pool(walk: CTE, candidates: CTE, is_by_index: ColumnElement[bool]) -> CTE:
    """Return the hits of the walk or among the candidates, with the sort key of the search by relevance."""
    found_by = (candidates.select().where(is_by_index), walk.select())
    key = union_all(*(part.subquery().select() for part in found_by)).subquery("key")
    return _hits_among(key, select(_relevance().label("relevance"), *KEY)).cte("pool")


def _relevance() -> ColumnElement[int]:
    """Rank a name that is what was typed first, then words in the name, and in each what begins a word."""
    any_in_name = _NAME.op("~", is_comparison=True)(func.any(texts("anywhere")))
    rest = 1 + 2 * any_in_name.cast(Integer) + matches_all(TEXT, texts("at_beginning")).cast(Integer)
    return case(
        (_NAME.op("~", is_comparison=True)(bindparam("whole", type_=Text)), MOST_RELEVANT),
        (matches_all(_NAME, texts("at_beginning")), MOST_RELEVANT - 1),
        (matches_all(_NAME, texts("anywhere")), MOST_RELEVANT - 2),
        else_=rest,
    )


def _number(rows: CTE | Select[*tuple[Any, ...]]) -> ScalarSelect[int]:
    table = rows if isinstance(rows, CTE) else rows.subquery()
    return select(func.count()).select_from(table).scalar_subquery()


def _key_of_last(walk: Select[*tuple[Any, ...]] | CTE) -> ScalarSelect[Any]:
    """Return the sort key of the last of WALKED notes, as cursor.key_of() has it; NULL if the walk has fewer."""
    last = (walk.select().order_by(*_newest_first(walk)) if isinstance(walk, CTE) else walk).limit(1)
    row = last.offset(WALKED - 1).subquery()
    microseconds = (func.extract("epoch", row.c.created_at) * 1_000_000).cast(BigInteger)
    return select(func.json_build_array(row.c.pinned.cast(Integer), microseconds, row.c.id)).scalar_subquery()


_KEYS = in_list_order(true()).limit(WALKED).subquery("keys")
_HEAD = Note.title + "\n" + func.left(Note.content, INDEXED, type_=Text)
_NOTE = select(_HEAD.label("text"), Note.tags).where(Note.id == _KEYS.c.id).limit(1).lateral("note")
_NEWEST = select(_NOTE).select_from(_KEYS.join(_NOTE, true())).subquery("newest")
_TYPED = (
    func.jsonb_to_recordset(bindparam("typed").cast(JSONB))
    .table_valued(column("place", Integer), column("near", Text), column("others", ARRAY(Text)))
    .render_derived(name="typed", with_types=True)
)
_MATCH = func.regexp_matches(_NEWEST.c.text, _TYPED.c.near, "g", type_=ARRAY(Text))
_HAS_OTHERS = _NEWEST.c.tags.contains(texts("tags")) & matches_all(_NEWEST.c.text, _TYPED.c.others)
_FOUND = (
    select(_TYPED.c.place, func.lower(_MATCH[1]).label("word"))
    .select_from(_NEWEST.join(_TYPED, _HAS_OTHERS))
    .subquery("found")
)
_WORDS_FOUND = (
    select(*_FOUND.c, func.count().label("times")).group_by(*_FOUND.c).order_by(func.count().desc()).limit(MOST_WORDS)
)


def corrected(user_id: int, search: Search) -> Search | None:
    """Return the search with the likeliest correction of a word, of equally likely ones the one that occurs most.

    None if no note has a word that is one key away, together with the other words and tags.
    """
    parameters = parameters_of_correction(search)
    if not parameters:
        return None

    def likelihood(row: Row[Any]) -> tuple[bool, int]:
        return near_words(search.words[row.place]).get(row.word.lower(), False), row.times

    best = max(read(_WORDS_FOUND, parameters | {"owner": user_id}), key=likelihood, default=None)
    if best is None:
        return None
    words = (*search.words[: best.place], best.word.lower(), *search.words[best.place + 1 :])
    return replace(search, words=words, mistyped=search.words)
