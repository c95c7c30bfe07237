"""Sharing by a secret link: who has the link reads the note, until its owner ends it or the note is deleted."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts import service as accounts
from app.accounts import sessions
from app.accounts.events import Client
from app.accounts.models import User
from app.extensions import db
from app.notes import service
from app.notes.models import NoteShare
from app.notes.service import archive_note
from app.notes.sharing import PAGE_SIZE, TOKEN, get_shared_note, list_shared, share_note, stop_sharing
from app.rejection import RowNotFound
from tests.accounts.conftest import won
from tests.conftest import PASSWORD, browser_of
from tests.notes.lists import create
from tests.notes.test_put_away import age
from tests.portability.exports import document_of, export, files_of
from tests.visitor import Visitor
from tests.waiting import somebody_waits, wait_until
from tests.web.test_form_tokens import main_of

CONTENT = """- [ ] open #달
- [x] done

# Heading

[link](https://a.example) https://b.example/c
<script>alert(1)</script>"""


@pytest.fixture
def note_id(alice: User) -> int:
    return service.create_note(alice.id, "Books <3", CONTENT)


@pytest.fixture
def path(alice: User, note_id: int) -> str:
    """Return the path of the page behind the link of the note."""
    return f"/s/{share_note(alice.id, note_id)}"


def opens(token: str) -> bool:
    try:
        get_shared_note(token)
    except RowNotFound:
        return False
    return True


def number_of_links() -> int:
    return int(db.session.scalar(select(func.count()).select_from(NoteShare)) or 0)


def test_the_link_opens_the_note_as_it_is_now_and_once_it_is_ended_never_again(alice: User, note_id: int) -> None:
    token = share_note(alice.id, note_id)
    assert TOKEN.fullmatch(token)  # 22 characters of 6 bits
    note = get_shared_note(token)
    assert set(note._fields) == {"title", "content", "updated_at"}
    assert (note.title, note.content) == ("Books <3", CONTENT)
    service.update_note(alice.id, note_id, "Books", "four", version=1)
    assert get_shared_note(token).content == "four"
    stop_sharing(alice.id, note_id)
    assert not opens(token)
    again = share_note(alice.id, note_id)
    assert (opens(token), opens(again)) == (False, True)


def test_it_stays_open_in_the_archive_is_ended_in_the_trash_but_not_begun_and_goes_with_the_note(
    alice: User, note_id: int
) -> None:
    token = share_note(alice.id, note_id)
    archive_note(alice.id, note_id, archived=True)
    assert opens(token)
    assert [note.id for note in list_shared(alice.id)[0]] == [note_id]
    service.delete_note(alice.id, note_id)
    stop_sharing(alice.id, note_id)
    with pytest.raises(RowNotFound):
        share_note(alice.id, note_id)
    assert number_of_links() == 0
    service.restore_note(alice.id, note_id)
    assert not opens(token)
    token = share_note(alice.id, note_id)
    service.delete_note(alice.id, note_id)
    service.delete_note_for_good(alice.id, note_id)
    assert (opens(token), number_of_links()) == (False, 0)


def test_what_is_almost_the_token_opens_nothing_and_what_is_none_is_asked_of_nobody(
    alice: User, note_id: int, statements: list[str]
) -> None:
    token = share_note(alice.id, note_id)
    assert not opens(token.swapcase())
    statements.clear()
    for none in ("", token[:-1], f"{token}x", f"{token}\n", token[:-1] + "\x00", token[:-1] + "é"):
        assert not opens(none), none
    assert statements == []


def test_the_list_has_what_is_shared_the_last_first_with_what_is_in_the_trash(alice: User) -> None:
    names = ("first", "second", "deleted", "ended", "gone", "private")
    ids = {name: service.create_note(alice.id, name, "") for name in names}
    for name in ("gone", "ended", "first", "second", "deleted"):
        share_note(alice.id, ids[name])
    stop_sharing(alice.id, ids["ended"])
    service.delete_note(alice.id, ids["deleted"])
    service.delete_note(alice.id, ids["gone"])
    age(ids["gone"], days=31)
    shared = [(note.title, note.deleted_at is not None) for note in list_shared(alice.id)[0]]
    assert shared == [("deleted", True), ("second", False), ("first", False)]


def test_many_clicks_at_once_get_one_link_and_what_is_deleted_for_good_meanwhile_is_not_found(migrated: Flask) -> None:
    user_id, tokens = accounts.sign_up("alice@example.com", "alice", PASSWORD).id, set[str]()
    note_id = service.create_note(user_id, "Books", "three")
    won(migrated, lambda _: tokens.add(share_note(user_id, note_id)), range(20))
    assert len(tokens) == number_of_links() == 1

    def share() -> None:
        with migrated.app_context():
            share_note(user_id, note_id)

    db.session.remove()
    with db.engine.connect() as deleting, ThreadPoolExecutor(1) as threads:
        deleting.execute(text("DELETE FROM notes"))
        shared = threads.submit(share)
        wait_until(somebody_waits, "the sharing waits for the deletion")
        deleting.commit()
        assert isinstance(shared.exception(), RowNotFound)
    assert number_of_links() == 0


def test_sharing_changes_nothing_of_the_note(alice: User, note_id: int) -> None:
    row = text("SELECT ctid, notes FROM notes")
    before = db.session.execute(row).all()
    share_note(alice.id, note_id)
    stop_sharing(alice.id, note_id)
    assert db.session.execute(row).all() == before


def test_the_owner_shares_and_sees_the_link_with_its_day_and_ends_it(
    signed_in: Visitor, client: Visitor, note_id: int
) -> None:
    assert signed_in.submit(f"/notes/{note_id}/share", shared="2").status_code == 422
    page = signed_in.get(f"/notes/{note_id}").text
    assert f'formaction="/notes/{note_id}/share" name="shared" value="1">Share by link' in page
    assert 'id="sharing"' not in page
    assert signed_in.submit(f"/notes/{note_id}/share", shared="1").location == f"/notes/{note_id}#sharing"
    page = signed_in.get(f"/notes/{note_id}").text
    assert "Share by link" not in page
    assert f"Shared since {datetime.now(UTC):%b %-d}" in page
    assert 'data-copy="link"' in page
    assert "js/copy." in page
    [link] = re.findall(r'value="http://localhost(/s/[\w-]{22})" readonly', page)
    assert client.get(link).status_code == 200
    assert signed_in.submit(f"/notes/{note_id}/share", shared="0").location == f"/notes/{note_id}"
    page = signed_in.get(f"/notes/{note_id}").text
    assert "Sharing has ended. The link no longer works." in page
    assert link not in page
    assert "js/copy." not in page
    assert client.get(link).status_code == 404


def test_everybody_sees_the_same_page_which_says_nothing_of_the_account_and_has_neither_forms_nor_scripts(
    client: Visitor, signed_in: Visitor, alice: User, note_id: int, path: str
) -> None:
    page = client.get(path).text
    assert signed_in.get(path).text == page
    assert '<meta name="robots" content="noindex, nofollow">' in page
    assert "<title>Books &lt;3 · " in page
    assert "<h1><bdi>Books &lt;3</bdi></h1>" in page
    assert ">Last edited just now<" in page  # whoever has not said where they are is told of no other zone
    for secret in (alice.nickname, alice.email, f"/notes/{note_id}", '"/notes', "?tag=", path):
        assert secret not in page
    links = set(re.findall(r'<a [^>]*href="([^"]+)"', page))
    assert links == {"#main", "/", "https://a.example", "https://b.example/c"}
    assert not re.search("<(script|form|button|textarea)", page)
    assert page.count('<input type="checkbox" disabled>') == page.count('<input type="checkbox" disabled checked>') == 1
    assert page.count("<input") == 2
    assert "#달" in page
    assert "&lt;script&gt;" in page


def test_it_sets_no_cookie_is_kept_by_nobody_and_does_not_look_who_reads(
    app: Flask, client: Visitor, alice: User, path: str
) -> None:
    """Also of a session that was not used for hours, whose next page extends it."""
    browser = browser_of(app, alice)
    token, _id = sessions.start_session(alice, Client("127.0.0.1", "test"), remember=True)
    with browser.session_transaction() as cookie:
        cookie["token"], cookie.permanent = token, True
    db.session.execute(text("UPDATE user_sessions SET last_seen_at = now() - interval '2 hours'"))
    db.session.commit()
    for reader in (client, browser):
        answer = reader.get(path, headers={"Accept-Language": "ko"})
        assert '<html lang="ko">' in answer.text
        assert "Set-Cookie" not in answer.headers
        assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
        assert answer.headers.getlist("Cache-Control") == ["no-store"]
        assert "X-Reader" not in answer.headers  # so the service worker keeps nothing of it


def test_what_is_not_shared_is_404_like_what_never_was(client: Visitor, alice: User, note_id: int, path: str) -> None:
    service.delete_note(alice.id, note_id)
    for language in ("en", "ko"):
        answers = [client.get(link, headers={"Accept-Language": language}) for link in (path, f"/s/{'x' * 22}", "/s/1")]
        assert [answer.status_code for answer in answers] == [404] * 3, language
        assert len({main_of(answer.text) for answer in answers}) == 1, language
        assert ("It may not be shared anymore" in main_of(answers[0].text)) == (language == "en"), language
        assert "Books" not in answers[0].text, language


def test_moving_it_to_the_trash_and_undoing_that_say_what_becomes_of_the_link(
    signed_in: Visitor, client: Visitor, note_id: int, path: str
) -> None:
    signed_in.submit(f"/notes/{note_id}/delete")
    assert "Its link doesn&#39;t work while it&#39;s there." in signed_in.get("/notes").text
    assert client.get(path).status_code == 404
    assert "Share" not in main_of(signed_in.get(f"/notes/{note_id}").text)
    signed_in.submit(f"/notes/{note_id}/restore")
    assert "restored. Its link works again." in signed_in.get("/notes").text
    assert client.get(path).status_code == 200
    signed_in.submit(f"/notes/{note_id}/share", shared="0")
    for action in ("delete", "restore"):
        signed_in.submit(f"/notes/{note_id}/{action}")
        assert "ts link" not in signed_in.get("/notes").text.replace("Sharing has ended. The link", "")


def test_an_export_says_since_when_a_note_is_shared_and_not_the_link(
    signed_in: Visitor, alice: User, note_id: int
) -> None:
    assert [note["shared_at"] for note in document_of(export(signed_in))["notes"]] == [None]
    token = share_note(alice.id, note_id)
    exported = export(signed_in)
    assert all(note["shared_at"].endswith("Z") for note in document_of(exported)["notes"])
    assert not [name for name, text in files_of(exported).items() if token in text]


def test_the_list_leads_to_each_note_and_back_says_what_is_in_the_trash_and_has_pages(
    app: Flask, signed_in: Visitor, alice: User, bob: User, note_id: int, path: str
) -> None:
    assert '<a href="/notes/shared">' in signed_in.get(f"/notes/{note_id}").text
    assert 'href="/notes/shared"' in signed_in.get("/mypage").text
    page = signed_in.get("/notes/shared").text
    assert f'<a href="/notes/{note_id}?next=/notes/shared"><bdi>Books &lt;3</bdi></a>' in page
    assert '<a class="back" href="/notes/shared">' in signed_in.get(f"/notes/{note_id}?next=/notes/shared").text
    assert path not in page
    assert "In the trash" not in page
    service.delete_note(alice.id, note_id)
    assert "In the trash, so its link doesn't work now" in signed_in.get("/notes/shared").text
    assert "You aren't sharing any notes." in browser_of(app, bob).get("/notes/shared").text
    for each in create(alice, PAGE_SIZE):
        share_note(alice.id, each)
    page = signed_in.get("/notes/shared").text
    [older] = re.findall(r'href="(/notes/shared\?before=[^"]+)" rel="next"', page)
    assert page.count("<article") == PAGE_SIZE
    assert signed_in.get(older).text.count("<article") == 1
