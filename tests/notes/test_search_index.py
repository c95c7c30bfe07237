"""The search by the n-gram index finds what LIKE finds, all of it, and reads no more notes than it says.

The notes are made in the database, since thousands of them are needed before a search is bounded by anything.
"""

import random
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, insert, select, text

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.notes import listing, search_statements
from app.notes.cursor import START, parse_cursor, position_of
from app.notes.models import Note
from app.notes.search import Search, parameters_of, pattern
from app.notes.texts import tags_of
from tests.visitor import Visitor

LETTERS = "가각나다aAbBcéÉßİıΣσςДдя1%_\\#'-.*+?()[{|^$🌙é\u0301ﬁ \n\t\u00a0\u3000\u200b"
MOST_ROWS = 2 * (search_statements.NEWEST + search_statements.WALKED)  # of a note its key is read, and its text

Node = dict[str, Any]


def fill(user: User, count: int, **columns: str) -> None:
    """Create notes a minute apart, number 1 the newest. The columns are expressions in SQL of their `number`."""
    values = {
        "title": "'note ' || number",
        "content": "''",
        "tags": "'{하늘}'::text[]",
        "created_at": "now() - make_interval(mins => number)",
        **columns,
    }
    if not db.session.scalar(text("SELECT EXISTS (SELECT FROM notes)")):
        db.session.execute(text("TRUNCATE notes CASCADE"))  # what other tests rolled back: its pages count in a plan
    db.session.execute(
        text(
            f"INSERT INTO notes (user_id, {', '.join(values)})"
            f" SELECT :owner, {', '.join(values.values())} FROM generate_series(1, :count) AS number"
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


def test_it_finds_what_like_finds(alice: User, bob: User) -> None:
    chance = random.Random(1)  # noqa: S311 - not a secret

    def any_text(longest: int) -> str:
        return "".join(chance.choices(LETTERS, k=chance.randint(0, longest)))

    texts = [(any_text(12), any_text(60)) for _ in range(120)]
    owners = [chance.choice((alice, bob)).id for _ in texts]
    rows = [
        {"user_id": owner, "title": title, "content": content, "tags": tags_of(title, content)}
        for owner, (title, content) in zip(owners, texts, strict=True)
    ]
    db.session.execute(insert(Note), rows)
    db.session.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small, but the index is meant
    hits = 0
    for _ in range(70):
        search = Search.parse(" ".join(any_text(chance.choice((1, 2, 3, 4))) for _ in range(chance.choice((1, 1, 2)))))
        found: list[int] = []
        after: Cursor | None = START
        while after:
            notes, after = listing.list_rows(alice.id, after, search)
            found += [note.id for note in notes]
        likes = [(Note.title + "\n" + Note.content).ilike(pattern(word), escape="\\") for word in search.words]
        of_plain_sql = select(Note.id).where(Note.user_id == alice.id, *likes, Note.tags.contains(list(search.tags)))
        assert sorted(found) == sorted(db.session.scalars(of_plain_sql)), search
        hits += len(found)
    assert hits > 400


def test_it_reads_few_of_many_notes(alice: User, bob: User) -> None:
    content = "'반달 half ' || CASE number % 500 WHEN 0 THEN '모서리 rare' ELSE '' END"
    fill(bob, 300, content=content)
    fill(alice, 2000, content=content)
    every, some, none = range(1, 2001), range(500, 2001, 500), range(0)
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
        "ㅃ": none,
        "ㅁㅅㄹ": some,
        "ㅃㅃ": none,
        "모ㅅㄹ": some,
        "ㅁㅅㄹ 달": some,
    }.items():
        page = listing.list_notes(alice.id, search=Search.parse(query))
        assert [note.title for note in page.notes] == [f"note {number}" for number in numbers[:20]]
        values = {"owner": alice.id} | position_of(START).parameters | parameters_of(Search.parse(query))
        assert sum(rows_of(listing._RELEVANT, values)) <= MOST_ROWS, query


def rows_of(statement: Select[Any], values: dict[str, Any]) -> Iterator[int]:
    """Yield, for each scan of the notes, the rows that it gave or threw away."""
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


def test_a_walk_that_found_nothing_yet_says_so_and_the_next_pages_find_all(alice: User, signed_in: Visitor) -> None:
    fill(alice, 2300, content="CASE WHEN number > 1200 THEN '옛날' ELSE '' END")
    db.session.commit()
    pages = list(pages_of(alice, "옛날"))
    assert len(pages[0].notes) == 0
    assert [note.title for page in pages for note in page.notes] == [f"note {number}" for number in range(1201, 2301)]
    page = signed_in.get("/notes?q=옛날").text
    assert "None of the notes searched so far match “옛날”." in page
    [older] = re.findall(r'href="(/notes\?before=[^"]+)" rel="next">Search older notes', page)
    page = signed_in.get(older.replace("&amp;", "&")).text
    assert "note 1201" in page


def test_it_counts_a_hundred_hits(alice: User, signed_in: Visitor) -> None:
    for more, shown in ((100, "100"), (1, "100+")):
        fill(alice, more, content="'반달'")
        db.session.commit()
        page = signed_in.get("/notes?q=반달").text
        assert f"Notes found: {shown}<" in page
        assert f"20 of {shown}<" in page


def test_a_day_keeps_its_heading_after_a_walk_that_ended_within_it(alice: User, signed_in: Visitor) -> None:
    """The list above ends with a note of another day."""
    fill(
        alice,
        2300,
        tags="CASE WHEN number = 1 OR number > 1200 THEN '{하늘,옛날}' ELSE '{하늘}' END::text[]",
        created_at="CASE number WHEN 1 THEN now() ELSE '2026-01-02 12:00Z'::timestamptz - number * interval '1 s' END",
    )
    db.session.commit()
    page = listing.list_notes(alice.id, search=Search.parse("#옛날 #하늘"))
    assert len(page.notes) < listing.PAGE_SIZE
    older = signed_in.get(f"/notes?q=%23옛날+%23하늘&before={page.older}").text
    assert "<h2>" in older
