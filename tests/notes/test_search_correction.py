"""Where no note has the words as they are typed, the search looks for what is one key away, and says so.

First the keys that type a word, the words one key away, and the expression that finds those.
"""

import random
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select, insert, text

from app.accounts.models import User
from app.extensions import db
from app.folding import SIGNS, fold
from app.keyset import Cursor
from app.notes import listing, search, search_statements, service
from app.notes.cursor import START, parse_cursor, position_of
from app.notes.models import Note
from app.notes.search import Search, are_neighbours, keys_of, near_pattern, near_words, parameters_of
from app.notes.search_statements import WALKED
from app.notes.texts import tags_of
from app.search_words import SYLLABLES
from tests.database import nodes, rows_read
from tests.notes.lists import older_of
from tests.visitor import Visitor


def test_every_syllable_is_typed_by_its_keys() -> None:
    assert [chr(code) for code in SYLLABLES if search.typed(keys_of(chr(code))) != chr(code)] == []


def test_each_key_is_a_jamo_or_a_letter() -> None:
    for word, keys in [
        ("꺾쇠", "ㄲㅓㄲㅅㅗㅣ"),
        ("없다", "ㅇㅓㅂㅅㄷㅏ"),
        ("ㄳ", "ㄱㅅ"),
        ("한글 abc", "ㅎㅏㄴㄱㅡㄹ abc"),
        ("café", "café"),
        (unicodedata.normalize("NFD", "달"), "ㄷㅏㄹ"),
    ]:
        assert keys_of(word) == keys, (word, keys)


def test_keys_make_syllables_as_an_input_method_composes_them() -> None:
    for keys, word in [
        ("ㄱㅏㄱㅏ", "가가"),  # a consonant before a vowel begins the next syllable
        ("ㄱㅏㄱㅅㅏ", "각사"),
        ("ㄱㅏㄸㅏ", "가따"),  # no syllable ends with ㄸ
        ("ㄱㅏㄸ", "가ㄸ"),
        ("ㄱㄱㅏ", "ㄱ가"),
        ("ㅇㅗㅏㅇ", "왕"),
    ]:
        assert search.typed(keys) == word, (keys, word)


def test_it_is_a_likely_slip() -> None:
    for typed, meant in [
        ("meetng", "meeting"),  # missing
        ("meeeting", "meeting"),  # doubled
        ("meetimg", "meeting"),  # the key beside it
        ("meetign", "meeting"),  # swapped
        ("감쟈", "감자"),
        ("가맞", "감자"),  # swapped across the syllables
        ("ㄱ감자", "감자"),
        ("까치", "가치"),  # with shift
        ("mneeting", "meeting"),  # two keys at once
    ]:
        assert near_words(typed)[meant] is True, (typed, meant)


def test_any_other_key_is_less_likely_two_are_too_far_and_none_is_no_slip() -> None:
    for typed, other in [("meetqng", "meeting"), ("mebting", "meeting")]:
        assert near_words(typed)[other] is False, (typed, other)
    for typed, far in [
        ("mtng", "meeting"),
        ("감쟈", "감쟈"),
        ("meeting", "meeting"),
        ("감쟈", "고자"),
        ("감푸", "감자"),
    ]:
        assert far not in near_words(typed), (typed, far)


def test_nothing_is_near_what_is_too_short_or_long_or_no_word_and_little_is_near_the_longest() -> None:
    for typed in ["", "달", "a", "ㄱㅈ", "ㄳ", "ㅏㅏ", "2026", "a4", "#태그", "c++", "a" * 17, "가" * 9]:
        assert near_words(typed) == {}, typed
    assert 800 < len(near_words("abcdefghijklmnop")) < 900
    assert 200 < len(near_words("가나다라마바사아")) < 1000


def test_the_pattern_finds_each_of_them_at_the_beginning_of_a_word_and_nothing_else() -> None:
    for typed in ["감쟈", "감자튀긴", "meetng", "abcdefghijklmnop"]:
        near = near_words(typed)
        pattern = near_pattern(typed)
        assert len(pattern) < 3000, typed
        for word in near:
            for searched in (word, f"a ({word}) b", f"a\n{word}"):
                match = re.search(pattern, searched)
                assert match, typed
                assert match[1] in near, typed
            assert not re.search(pattern, f"가{word}"), typed

    pattern = near_pattern("teh")  # of few keys: it must be the whole word
    assert [text for text in ("in the box", "in the", "in these boxes") if not re.search(pattern, text)] == [
        "in these boxes"
    ]


def test_keys_beside_each_other_are_neighbours() -> None:
    for key, other in [("a", "s"), ("a", "q"), ("g", "b"), ("ㅏ", "ㅑ"), ("ㄱ", "ㄲ"), ("ㅗ", "ㅓ")]:
        assert are_neighbours(key, other), (key, other)
        assert are_neighbours(other, key), (key, other)
    for key, other in [("a", "l"), ("q", "z"), ("ㅏ", "ㄱ"), ("é", "e")]:
        assert not are_neighbours(key, other), (key, other)


NOTES = {"감자수제비": "멸치 육수 #요리", "Weekly meeting": "on Monday #work", "여행": "햇빛과 바다, 햇살"}


@pytest.fixture
def notes(alice: User) -> dict[str, int]:
    return {title: service.create_note(alice.id, title, content) for title, content in NOTES.items()}


def found(user: User, query: str, tag: str = "") -> tuple[str, set[str]]:
    page = listing.list_notes(user.id, search=Search.parse(query, tag))
    changed = set(page.search.words) - set(page.search.mistyped) if page.search.mistyped else set()
    return "".join(changed), {note.title for note in page.notes}


def test_one_wrong_key_finds_the_note(alice: User, notes: dict[str, int]) -> None:
    for query, correction, title in [
        ("감쟈", "감자", "감자수제비"),
        ("ㄱ감자", "감자", "감자수제비"),
        ("멸ㅊㅣ", "멸치", "감자수제비"),
        ("meetng", "meeting", "Weekly meeting"),
        ("MEETNG", "meeting", "Weekly meeting"),
        ("weekly meetign", "meeting", "Weekly meeting"),
        ("meetng #work", "meeting", "Weekly meeting"),
    ]:
        assert found(alice, query) == (correction, {title}), (query, correction, title)


def test_what_is_farther_away_is_not_found(alice: User, notes: dict[str, int]) -> None:
    for query in [
        "감쟈 meeting",  # no note has both
        "감쟈 meetng",  # two wrong keys
        "eetng",  # the beginning of a word is corrected, and no middle
        "감쟈 #work",
        "#요래",
    ]:
        assert found(alice, query) == ("", set()), query


def test_the_likeliest_correction_is_taken_and_what_is_found_as_typed_is_not_corrected(alice: User) -> None:
    for title in ("감자", "감쥬", "감쥬 둘", "hat", "hot", "hot day"):
        service.create_note(alice.id, title, "")
    assert found(alice, "감쟈") == ("감자", {"감자"})
    assert found(alice, "ht") == ("hot", {"hot", "hot day"})
    service.create_note(alice.id, "감쟈", "")  # what is found as typed is not corrected
    assert found(alice, "감쟈") == ("", {"감쟈"})


def test_it_corrects_by_nothing_of_the_trash_or_of_another_user(alice: User, bob: User, notes: dict[str, int]) -> None:
    service.delete_note(alice.id, notes["감자수제비"])
    assert found(alice, "감쟈") == ("", set())
    assert found(bob, "감쟈") == ("", set())


def test_the_words_of_the_newest_notes_are_known_and_what_they_lead_to_is_found_in_all(alice: User) -> None:
    fill(alice, WALKED + 500)
    for number, word in ((1, "감자"), (WALKED + 1, "감자"), (WALKED + 2, "모서리")):
        db.session.execute(text(f"UPDATE notes SET content = '{word}' WHERE title = 'note {number}'"))
    assert found(alice, "감쟈") == ("감자", {"note 1", f"note {WALKED + 1}"})
    assert found(alice, "모서라") == ("", set())


def test_the_page_says_what_it_shows_instead(signed_in: Visitor, notes: dict[str, int]) -> None:
    page = signed_in.get("/notes?q=감쟈").text
    assert "No notes match “감쟈”. Shown instead: “감자”." in page
    assert "<mark>감자</mark>수제비" in page
    assert 'value="감쟈"' in page


def test_older_notes_are_those_of_the_corrected_word(signed_in: Visitor, alice: User) -> None:
    fill(alice, 25, content="'감자 밭'")
    db.session.commit()
    page = signed_in.get(older_of(signed_in.get("/notes?q=감쟈+밭").text).replace("&amp;", "&")).text
    assert page.count("<article") == 5
    assert 'value="감자 밭"' in page


def test_a_later_page_without_hits_is_not_corrected(signed_in: Visitor, notes: dict[str, int]) -> None:
    page = signed_in.get("/notes?q=감쟈&before=0-1-1-0").text
    assert "No notes match “감쟈”." in page
    assert "Shown instead" not in page


def test_it_reads_the_newest_notes_alone(alice: User, bob: User) -> None:
    fill(bob, 100, content="'half'")
    fill(alice, 2 * WALKED, content="'반달 half'")
    db.session.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small, but the index is meant
    values = search.parameters_of_correction(Search.parse("halx 반당 #하늘"))
    assert sum(rows_of(search_statements._WORDS_FOUND, values | {"owner": alice.id})) == 2 * WALKED  # keys, then texts


def test_the_other_words_stay_as_they_were_typed(alice: User, notes: dict[str, int]) -> None:
    shown = listing.list_notes(alice.id, search=Search.parse("#요리 감쟈 감자 멸치", "요리")).search
    assert shown.words == ("감자", "감자", "멸치")
    assert shown.name == "감쟈 감자 멸치 #요리"
    assert shown.query == "#요리 감자 감자 멸치"


LETTERS = "가각나다aAbBcéÉßİıΣσςДдя1%_\\#'-.*+?()[{|^$🌙é\u0301ﬁ \n\t\u00a0\u3000\u200b"
MOST_ROWS = 2 * (search_statements.NEWEST + search_statements.WALKED)  # of a note its key is read, and its text


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
            f" SELECT :owner, {', '.join(values.values())} FROM generate_series(1, CAST(:count AS int)) AS number"
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


def spelt(text: str) -> str:
    """Return the text as one spelling of it: without accents, case and the ways to write a sign."""
    folded = "".join(fold(letter) or letter for letter in text)  # a mark that stands alone is a sign
    return folded.translate({ord(sign): alike[0] for alike in SIGNS for sign in alike}).casefold()


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
    ids = db.session.scalars(insert(Note).returning(Note.id, sort_by_parameter_order=True), rows).all()
    db.session.execute(text("SET LOCAL enable_seqscan = off"))  # the table is small, but the index is meant
    hits = 0
    for _ in range(70):
        search = Search.parse(" ".join(any_text(chance.choice((1, 2, 3, 4))) for _ in range(chance.choice((1, 1, 2)))))
        found: list[int] = []
        after: Cursor | None = START
        while after:
            notes, after = listing.list_rows(alice.id, after, search)
            found += [note.id for note in notes]
        assert sorted(found) == [
            note_id
            for note_id, (title, content), owner in zip(ids, texts, owners, strict=True)
            if owner == alice.id
            and all(spelt(word) in spelt(f"{title}\n{content}") for word in search.words)
            and {*search.tags} <= {*tags_of(title, content)}
        ], search
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
        values = {"owner": alice.id, "deep": search_statements.DEEP} | position_of(START).parameters
        values |= parameters_of(Search.parse(query))
        assert sum(rows_of(listing._RELEVANT, values)) <= MOST_ROWS, query


def rows_of(statement: Select[Any], values: dict[str, Any]) -> Iterator[int]:
    """Yield, for each scan of the notes, the rows that it gave or threw away."""
    connection = db.session.connection()
    compiled = statement.params(values).compile(connection)
    explain = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", compiled.params)
    for node in nodes(explain.scalar_one()[0]["Plan"]):
        if node.get("Relation Name") == "notes":
            yield round(rows_read(node))


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
        assert f"{shown} notes found<" in page
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
