"""The search by the n-gram index finds what LIKE finds, all of it, and reads no more notes than it says.

The notes are made in the database, since thousands of them are needed before a search is bounded by anything.
"""

import random
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, select, text

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.notes import listing, search_statements, service
from app.notes.cursor import START, parse_cursor, position_of
from app.notes.models import Note
from app.notes.search import Search, pattern
from tests.visitor import Visitor

LETTERS = "가각나다aAbBcéÉßİıΣσςДдя1%_\\#'-.*+?()[{|^$🌙é\u0301ﬁ \n\t\u00a0\u3000\u200b"
# Of a note its key is read, and perhaps its text; of the candidates twice, for the page and for the number found.
MOST_ROWS = 2 * search_statements.NEWEST + 4 * search_statements.CANDIDATES + 3 * search_statements.WALKED

Node = dict[str, Any]


def fill(user: User, count: int, content: str) -> None:
    """Create notes a minute apart, number 1 the newest. `content` is an expression in SQL of their `number`."""
    if not db.session.scalar(text("SELECT EXISTS (SELECT FROM notes)")):
        db.session.execute(text("TRUNCATE notes CASCADE"))  # what other tests rolled back: its pages count in a plan
    db.session.execute(
        text(
            "INSERT INTO notes (user_id, title, content, tags, created_at)"
            f" SELECT :owner, 'note ' || number, {content}, '{{하늘}}', now() - make_interval(mins => number)"
            " FROM generate_series(1, :count) AS number"
        ),
        {"owner": user.id, "count": count},
    )
    db.session.execute(text("ANALYZE notes"))


def pages_of(user: User, query: str) -> Iterator[listing.NotePage]:
    """Yield the pages as a reader comes to them: each is read when it is asked for."""
    search = Search.parse(query)
    page = listing.list_notes(user.id, search=search)
    yield page
    while page.older:
        page = listing.list_notes(user.id, parse_cursor(str(page.older)), search)
        yield page


def ids_by_like(user: User, search: Search) -> set[int]:
    """Run the same search in plain SQL, which looks at every note."""
    conditions: list[ColumnElement[bool]] = [
        (Note.title + "\n" + Note.content).ilike(pattern(word), escape="\\")
        if word in search.words and word.lower() != word.upper()
        else (Note.title + "\n" + Note.content).like(pattern(word), escape="\\")
        for word in search.words
    ]
    conditions += [Note.tags.contains([tag]) for tag in search.tags]
    return set(db.session.scalars(select(Note.id).where(Note.user_id == user.id, *conditions)))


def test_it_finds_what_like_finds(alice: User, bob: User) -> None:
    chance = random.Random(1)  # noqa: S311 - not a secret

    def any_text(longest: int) -> str:
        return "".join(chance.choices(LETTERS, k=chance.randint(0, longest)))

    for _ in range(150):
        service.create_note(chance.choice((alice, bob)).id, any_text(12), any_text(60))
    db.session.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small, but the index is meant
    hits = 0
    for _ in range(150):
        search = Search.parse(" ".join(any_text(chance.choice((1, 2, 3, 4))) for _ in range(chance.choice((1, 1, 2)))))
        if search:
            pages = [page for page in pages_of(alice, search.text) if not page.search.mistyped]
            found = [note.id for page in pages for note in page.notes]
            assert sorted(found) == sorted(ids_by_like(alice, search)), search
            hits += len(found)
    assert hits > 1000


def test_it_reads_few_of_many_notes(alice: User, bob: User) -> None:
    content = "repeat('반달 half ', 20) || CASE WHEN number % 1000 = 0 THEN '모서리 rare' ELSE '' END"
    fill(bob, 1000, content)
    fill(alice, 4000, content)
    every, some, none = range(1, 4001), range(1000, 4001, 1000), range(0)
    for query, numbers in {
        "달": every,
        "hal": every,
        "모서리": some,
        "RARE": some,
        "모서리 달 #하늘": some,
        "없는말": none,
        "q": none,
        "#없음 달": none,
        "ㅂㄷ": every,
        "ㄱ": none,
        "ㅁㅅㄹ": some,
        "ㅃㅃ": none,
        "모ㅅㄹ": some,
        "ㅁㅅㄹ 달": some,
    }.items():
        page = listing.list_notes(alice.id, search=Search.parse(query))
        assert [note.title for note in page.notes] == [f"note {number}" for number in numbers[:20]]
        assert sum(rows_read(alice, query)) <= MOST_ROWS, query
    asks_no_index = 2 * search_statements.NEWEST + 2 * search_statements.WALKED
    assert sum(rows_read(alice, "ㅃ")) <= asks_no_index


def test_it_finds_all_of_a_word_that_is_in_old_notes_alone(alice: User) -> None:
    fill(alice, 3700, "CASE WHEN number > 2500 THEN '옛날' ELSE '요즘' END")
    assert sum(rows_read(alice, "옛날")) <= MOST_ROWS
    pages = list(pages_of(alice, "옛날"))
    assert [len(page.notes) for page in pages[:4]] == [0, 0, 20, 20]
    titles = [note.title for page in pages for note in page.notes]
    assert titles == [f"note {number}" for number in range(2501, 3701)]


def rows_read(user: User, query: str, after: Cursor = START) -> Iterator[int]:
    """Yield, for each scan of the notes that a page of the search makes, the rows it gave or threw away."""
    position = position_of(after)
    values = {"owner": user.id} | position.parameters | search_statements.parameters_of(Search.parse(query))
    is_sorted = after == START or position.relevance is not None
    yield from rows_of(listing._RELEVANT if is_sorted else listing._SEARCH, values)


def rows_of(statement: Select[Any], values: dict[str, Any]) -> Iterator[int]:
    connection = db.session.connection()
    compiled = statement.params(values).compile(connection)
    explain = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", compiled.params)
    for node in nodes_of(explain.scalar_one()[0]["Plan"]):
        if node.get("Relation Name") == "notes":
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            yield round((node["Actual Rows"] + removed) * node["Actual Loops"])


def nodes_of(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes_of(child)


def test_a_walk_that_found_nothing_yet_says_so(alice: User, signed_in: Visitor) -> None:
    fill(alice, 2300, "CASE WHEN number > 1200 THEN '옛날' ELSE '요즘' END")
    db.session.commit()
    page = signed_in.get("/notes?q=옛날").text
    assert "None of the notes searched so far match “옛날”." in page
    older = re.search(r'href="(/notes\?before=[^"]+)" rel="next">Search older notes', page)
    assert older
    page = signed_in.get(older[1].replace("&amp;", "&")).text
    assert "note 1201" in page


def test_it_counts_a_hundred_hits(alice: User, signed_in: Visitor) -> None:
    for more, shown in ((100, "100"), (1, "100+")):
        fill(alice, more, "'반달'")
        db.session.commit()
        page = signed_in.get("/notes?q=반달").text
        assert f"Notes found: {shown}<" in page
        assert f"20 of {shown}<" in page


def test_a_day_keeps_its_heading_after_a_walk_that_ended_within_it(alice: User, signed_in: Visitor) -> None:
    """The list above ends with a note of another day."""
    fill(alice, 2300, "'반달'")
    old = "split_part(title, ' ', 2)::int > 1200 OR title = 'note 1'"
    db.session.execute(text(f"UPDATE notes SET tags = '{{하늘,옛날}}' WHERE {old}"))
    moment = "timestamptz '2026-01-02 12:00+00' - make_interval(secs => split_part(title, ' ', 2)::int)"
    db.session.execute(text(f"UPDATE notes SET created_at = {moment} WHERE title <> 'note 1'"))
    db.session.commit()
    page = listing.list_notes(alice.id, search=Search.parse("#옛날 #하늘"))
    assert len(page.notes) < listing.PAGE_SIZE
    older = signed_in.get(f"/notes?q=%23옛날+%23하늘&before={page.older}").text
    assert "<h2>" in older
