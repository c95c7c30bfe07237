"""Write and edit a note: what is stored and refused, that no edit overwrites one it has not seen; drafts; its page."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask_babel import lazy_gettext as _
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app import features
from app.accounts.models import User
from app.accounts.service import AccountGone
from app.extensions import db
from app.features import Feature, MenuEntry
from app.notes import listing, service
from app.notes.note_views import compare
from tests.conftest import browser_of
from tests.database import commit, row_counts, same_row_counts
from tests.visitor import Visitor, token_of


def test_it_refuses_and_keeps_what_was_typed(signed_in: Visitor) -> None:
    before = row_counts()
    wrong = [
        ("x" * 121, "text"),
        ("title", "x" * 20_001),
        ("  ", " \n "),
        ("title", "te\x1bxt"),
        ("two\nlines", "text"),
    ]
    for title, content in wrong:
        answer = signed_in.submit("/notes", title=title, content=content)
        assert answer.status_code == 422, (title, content)
        assert 'class="error"' in answer.text, (title, content)
        assert content.strip()[:10] in answer.text, (title, content)
    fields = {"csrf_token": signed_in.csrf_token(), "title": "x" * 121}
    told = signed_in.post("/notes", data=fields, headers={"Accept": "application/json"})  # a script, as data
    assert (told.status_code, told.mimetype) == (422, "application/problem+json")
    assert "at most 120" in told.get_json(force=True)["detail"]
    assert row_counts() == before


def test_the_empty_form_holds_nothing_of_the_reader_who_saw_it_first(app: Flask, alice: User, bob: User) -> None:
    """It is compiled into the page with the first request of a process, here a refused form."""
    app.jinja_env.__dict__.pop("overlays", None)  # as if the process had just started
    first, second = browser_of(app, alice), browser_of(app, bob)
    refused = first.submit("/notes", title="alice's title" * 10, content="alice's text")
    assert refused.status_code == 422
    page = second.get("/notes").text
    assert "alice" not in page
    assert token_of(page) not in refused.text
    assert page.count('name="csrf_token"') == refused.text.count('name="csrf_token"')
    assert 'name="title" placeholder="Title" type="text" value=""' in page


def test_lengths_are_counted_in_code_points_with_line_feeds_and_composed_hangul(signed_in: Visitor) -> None:
    longest = [
        *(("제목" * 60, "가" * 20_000), ("😀" * 120, "😀" * 20_000), ("", "line\r\n" * 4000)),
        ("\u1103\u1161\u11af" * 120, ""),
    ]
    for title, content in longest:
        answer = signed_in.submit("/notes", title=title, content=content)
        assert answer.location == "/notes#new-note", (title, content)
    assert db.session.scalar(text("SELECT title FROM notes ORDER BY id DESC LIMIT 1")) == "달" * 120


def test_any_visible_text_is_stored_as_it_was_typed_and_is_no_xss(signed_in: Visitor, alice: User) -> None:
    for typed in [
        "<script>alert(1)</script>",
        "{{ 7*7 }}",
        "%s %d %(x)s",
        "\uffff",
        "one\n\n  two",
        "&lt;b&gt;",
        "\t tab",
    ]:
        assert signed_in.submit("/notes", title="t", content=typed).status_code == 302, typed
        note = listing.list_notes(alice.id).notes[0]
        assert service.get_note(alice.id, note.id).content == typed, typed
        page = signed_in.get(f"/notes/{note.id}").text
        assert "<script>" not in page, typed
        assert ">49<" not in page, typed


def test_a_note_of_a_deleted_account_is_refused(alice: User) -> None:
    db.session.delete(alice)
    db.session.commit()
    with pytest.raises(AccountGone):
        service.create_note(alice.id, "late", "")
    assert row_counts()["notes"] == 0


def test_another_violated_constraint_surfaces_and_signs_nobody_out(signed_in: Visitor, alice: User) -> None:
    db.session.execute(text("ALTER TABLE notes ADD CONSTRAINT fk_notes_title_users CHECK (title <> 'wrong') NOT VALID"))
    with same_row_counts(), pytest.raises(IntegrityError, match="fk_notes_title_users"):
        service.create_note(alice.id, "wrong", "")
    assert signed_in.get("/notes").status_code == 200


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books", "three")


def stored(user: User, note_id: int) -> tuple[str, str, int]:
    note = service.get_note(user.id, note_id)
    return note.title, note.content, note.version


def test_the_editor_holds_the_note_its_version_and_next(signed_in: Visitor, note_id: int) -> None:
    page = signed_in.get(f"/notes/{note_id}/edit", query_string={"next": "/notes?tag=a&q=b"}).text
    assert 'name="next" value="/notes?tag=a&amp;q=b"' in page
    assert 'href="/notes?tag=a&amp;q=b">Cancel' in page
    assert 'value="Books"' in page
    assert ">three</textarea>" in page.replace("\r\n", "").replace("\n", "")
    assert 'name="version" type="hidden" value="1"' in page


def test_a_stale_version_is_409_shows_what_differs_and_stores_nothing(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    service.update_note(alice.id, note_id, "Books", "same\ntheirs <b>", version=1)
    fields = {"title": "Book", "content": "same\r\nmine", "next": "/notes?q=b"}
    answer = signed_in.submit(f"/notes/{note_id}", version="1", **fields)
    assert answer.status_code == 409
    assert stored(alice, note_id) == ("Books", "same\ntheirs <b>", 2)
    for shown in (
        '<del><span class="visually-hidden">Only in the saved text: </span>theirs &lt;b&gt;</del>',
        '<ins><span class="visually-hidden">Only in your text: </span>mine</ins>',
        *("<del><bdi>Books</bdi></del>", "<ins><bdi>Book</bdi></ins>"),
        *('href="/notes?q=b">Keep the saved text', 'name="next" value="/notes?q=b"'),
        *("data-refused", f'formaction="/notes/{note_id}?both=1"'),  # the draft stays
        'name="version" value="2"',  # which saves mine over the version that it showed
    ):
        assert shown in answer.text
    signed_in.submit(f"/notes/{note_id}", version="2", **fields)
    assert stored(alice, note_id) == ("Book", "same\nmine", 3)


def test_the_lines_of_a_conflict_are_marked_that_the_other_text_has_nowhere() -> None:
    for old, new, marked in [("a\nb\nb", "b\na", [[], []]), ("a\n\n- [ ] b", "a\n- [x] b\nc", [[1, 2], [1, 2]])]:
        both = compare(old, new)
        assert [[number for number, (_, is_other) in enumerate(side) if is_other] for side in both] == marked, old


def test_an_edit_of_a_note_that_is_in_the_trash_by_now_is_a_conflict_and_stores_nothing(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    service.delete_note(alice.id, note_id)
    answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="my own text", version="1")
    assert answer.status_code == 409
    assert "my own text" in answer.text
    assert "This note is in the trash" in answer.text
    assert 'name="from_trash"' in answer.text
    note = service.get_note_or_deleted(alice.id, note_id)
    assert note.deleted_at
    assert (note.content, note.version) == ("three", 1)


def test_from_that_conflict_page_it_is_restored_with_my_text(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.delete_note(alice.id, note_id)
    fields = {"title": "Books", "content": "mine", "from_trash": "1"}
    assert signed_in.submit(f"/notes/{note_id}", version="3", **fields).status_code == 409  # another version
    assert signed_in.submit(f"/notes/{note_id}", version="1", **fields).status_code == 302
    assert stored(alice, note_id) == ("Books", "mine", 3)  # the deletion counts as well
    service.delete_note(alice.id, note_id)
    service.empty_trash(alice.id)
    assert signed_in.submit(f"/notes/{note_id}", version="2", **fields).status_code == 404


def test_both_texts_are_kept_mine_once_as_a_note_of_its_own(signed_in: Visitor, alice: User, note_id: int) -> None:
    service.update_note(alice.id, note_id, "Books", "theirs", version=1)
    fields = {"title": "Books", "content": "mine", "version": "2", "next": "/notes?q=b", "form_token": "x" * 16}
    for _clicked in range(2):
        answer = signed_in.submit(f"/notes/{note_id}?both=1", **fields)
        assert answer.location == "/notes?q=b"
    assert f"accepted=notes.{note_id};" in str(answer.headers.getlist("Set-Cookie")), "the draft of this note is done"
    assert stored(alice, note_id) == ("Books", "theirs", 2)
    new_id = max(row.id for row in listing.list_notes(alice.id).notes)
    assert stored(alice, new_id) == ("Books", "mine", 1)
    assert f'href="/notes/{new_id}">View' in signed_in.get("/notes").text
    with same_row_counts():
        assert signed_in.submit(f"/notes/{note_id}?both=1", **fields | {"content": "x" * 20_001}).status_code == 422


def test_my_text_is_kept_if_the_note_is_gone_and_nobody_elses_is_touched(
    signed_in: Visitor, alice: User, bob: User, note_id: int
) -> None:
    foreign = service.create_note(bob.id, "foreign", "theirs")
    service.delete_note(alice.id, note_id)
    service.empty_trash(alice.id)
    for gone in (note_id, foreign):
        fields = {"csrf_token": signed_in.csrf_token(), "title": "Books", "content": f"saved {gone}", "version": "1"}
        offered = signed_in.post(f"/notes/{gone}", data=fields, headers={"Sec-Fetch-Site": "same-origin"})
        assert offered.status_code == 404
        form = LexborHTMLParser(offered.text).css_first("main form")
        assert form
        inputs = [field.attributes for field in form.css("input")]
        signed_in.post(str(form.attributes["action"]), data={str(each["name"]): each["value"] for each in inputs})
    answers = [
        signed_in.submit(f"/notes/{gone}?both=1", title="Books", content=f"mine {gone}", version="1")
        for gone in (note_id, foreign, 2**63 - 1)
    ]
    assert len({(answer.status_code, answer.location) for answer in answers}) == 1, "nothing is told of another's note"
    kept = {note.text for note in listing.list_notes(alice.id).notes}
    assert kept == {f"mine {note_id}", f"mine {foreign}", f"mine {2**63 - 1}", f"saved {note_id}", f"saved {foreign}"}
    assert stored(bob, foreign) == ("foreign", "theirs", 1)


def test_an_edit_is_stored_as_the_next_version_and_returns_to_next_and_to_no_other_site(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    for version, (back, location) in enumerate([("/notes?q=b", "/notes?q=b"), ("//evil.example", "/notes")], start=1):
        commit(text("UPDATE notes SET created_at = now() - interval '2 days', updated_at = now() - interval '1 day'"))
        fields = {"title": "Books", "content": f"four {version}", "version": f"{version}", "next": back}
        assert signed_in.submit(f"/notes/{note_id}", **fields).location == location
        assert stored(alice, note_id) == ("Books", f"four {version}", version + 1)
        note = service.get_note(alice.id, note_id)
        assert note.updated_at - note.created_at == timedelta(days=2)


def test_an_edit_again_since_its_answer_was_lost_is_no_conflict(signed_in: Visitor, alice: User, note_id: int) -> None:
    for _attempt in range(2):
        answer = signed_in.submit(f"/notes/{note_id}", title="Books", content="four", version="1")
        assert (answer.status_code, stored(alice, note_id)) == (302, ("Books", "four", 2))


def test_a_version_that_no_page_sent_is_422(signed_in: Visitor, alice: User, note_id: int) -> None:
    for version in ["", "-1", "1.0", "١", str(2**31), "9" * 5000]:
        answer = signed_in.submit(f"/notes/{note_id}", title="t", content="c", version=version)
        assert answer.status_code == 422, version
        assert stored(alice, note_id) == ("Books", "three", 1), version


def test_the_forms_say_whose_draft_they_keep_and_cut_nothing(signed_in: Visitor, alice: User, note_id: int) -> None:
    for path, form in (("/notes", "new"), (f"/notes/{note_id}/edit", note_id)):
        page = signed_in.get(path).text
        assert f'data-draft="notes.{form}" data-owner="{alice.id}" data-saved' in page
        assert "maxlength" not in page
        assert "Up to 20,000 characters" in page


def test_an_accepted_form_discards_its_draft(signed_in: Visitor, note_id: int) -> None:
    cookies = signed_in.submit("/notes", title="t", content="c").headers.getlist("Set-Cookie")
    [named] = [cookie for cookie in cookies if cookie.startswith("accepted=")]
    assert named.startswith("accepted=notes.new;")
    assert "HttpOnly" not in named
    signed_in.submit(f"/notes/{note_id}", title="t", content="c", version="1")
    named_next = signed_in.get_cookie("accepted")
    assert named_next
    assert named_next.value == f"notes.{note_id}"


def test_a_refused_form_keeps_its_draft_and_what_was_typed(signed_in: Visitor, alice: User, note_id: int) -> None:
    for fields, status in [
        ({"title": "x" * 121, "version": "1"}, 422),
        ({"title": "t", "version": ""}, 422),
        ({"title": "t", "version": "0"}, 409),
    ]:
        answer = signed_in.submit(f"/notes/{note_id}", content="typed", **fields)
        assert answer.status_code == status, (fields, status)
        assert "data-refused" in answer.text, (fields, status)
        assert "typed" in answer.text, (fields, status)
        assert signed_in.get_cookie("accepted") is None, (fields, status)
        assert stored(alice, note_id) == ("Books", "three", 1), (fields, status)


def test_without_a_title_it_is_named_by_its_first_line_which_is_seen_once(signed_in: Visitor, alice: User) -> None:
    note_id = service.create_note(alice.id, "", "# the first line\n\nthe second")
    page = signed_in.get(f"/notes/{note_id}").text
    assert "<title>the first line · " in page
    assert re.findall("<h1.*?</h1>", page) == ['<h1 class="visually-hidden"><bdi>the first line</bdi></h1>']
    assert page.partition("</h1>")[2].count("the first line") == 1
    assert "Untitled" not in page


def test_a_form_without_a_session_keeps_its_draft(signed_in: Visitor, alice: User) -> None:
    signed_in.submit("/sign-out")
    assert signed_in.submit("/notes", title="t", content="c").location.startswith("/sign-in")
    assert signed_in.get_cookie("accepted") is None


def test_the_text_that_a_note_in_the_trash_has_already_is_not_saved(alice: User) -> None:
    note_id = service.create_note(alice.id, "title", "content")
    service.delete_note(alice.id, note_id)
    with pytest.raises(service.StaleVersion):
        service.update_note(alice.id, note_id, "title", "content", 1)


def test_another_feature_has_its_link_on_the_page_of_a_note_and_not_of_one_in_the_trash(
    app: Flask, signed_in: Visitor, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, other = MenuEntry(endpoint="notes.edit", icon="pin", label=_("Pictures")), Flask(__name__)
    features.init_app(other, [Feature(on_note=link), Feature()])
    monkeypatch.setitem(app.extensions, "on_note", other.extensions["on_note"])
    note_id = service.create_note(alice.id, "title", "")
    shown = signed_in.get(f"/notes/{note_id}").text
    assert re.search(rf'<a class="button" href="/notes/{note_id}/edit"><svg.*</svg>Pictures</a>', shown)
    service.delete_note(alice.id, note_id)
    assert "Pictures</a>" not in signed_in.get(f"/notes/{note_id}").text
