"""Form recovery: text typed in a lost session is shown again after sign-in, and stored when it is sent again."""

import json
import re
from html import unescape

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.accounts.models import User
from app.notes import listing
from app.notes import service as notes
from app.web.form_recovery import MAX_FIELDS
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.visitor import Visitor, token_of

HERE = {"Origin": "http://localhost"}
TEXT = 'half a thought & "more" <b>\n둘째 줄'


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def hidden_fields(page: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', main_of(page))
    return {name: unescape(value) for name, value in fields}


def action_of(page: str) -> str:
    match = re.search(r'<form [^>]*action="([^"]+)"', main_of(page))
    assert match
    return unescape(match[1])


def post_without_session(client: Visitor, path: str, **fields: str) -> TestResponse:
    """Post a form as a browser whose session has ended: it follows the 307 with the same form."""
    answer = client.post(path, data={"csrf_token": "of the ended session", **fields}, headers=HERE)
    assert answer.status_code == 307
    return client.post(answer.location, data={"csrf_token": "of the ended session", **fields}, headers=HERE)


def sign_in(client: Visitor, page: str, password: str = PASSWORD) -> TestResponse:
    fields = {**hidden_fields(page), "csrf_token": token_of(page), "email": "alice@example.com", "password": password}
    return client.post(action_of(page), data=fields)


def send_again(client: Visitor, page: str) -> TestResponse:
    return client.post(action_of(page), data={**hidden_fields(page), "csrf_token": token_of(main_of(page))})


def test_a_new_note_is_recovered_after_sign_in_and_stored_when_sent_again(client: Visitor, alice: User) -> None:
    before = row_counts()
    page = post_without_session(client, "/notes", title="제목", content=TEXT).text
    assert row_counts() == before
    refused = sign_in(client, page, "not the password")
    assert refused.status_code == 422
    offered = sign_in(client, refused.text).text
    assert listing.list_notes(alice.id).notes == []
    assert send_again(client, offered).location == "/notes#new-note"
    [listed] = listing.list_notes(alice.id).notes
    note = notes.get_note(alice.id, listed.id)
    assert (note.title, note.content) == ("제목", TEXT)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/notes/{note}", {"title": "new title", "content": TEXT, "version": "1"}),
        ("/todos?show=open", {"description": "a new todo"}),
        ("/mypage/nickname", {"nickname": "another name"}),
    ],
)
def test_every_form_with_text_is_recovered(client: Visitor, alice: User, path: str, fields: dict[str, str]) -> None:
    path = path.format(note=notes.create_note(alice.id, "title", "text"))
    offered = sign_in(client, post_without_session(client, path, **fields).text).text
    assert action_of(offered) == path
    assert {name: value for name, value in hidden_fields(offered).items() if name != "csrf_token"} == fields
    assert send_again(client, offered).status_code == 302


def test_a_form_with_the_csrf_token_of_an_ended_session_is_recovered(app: Flask, alice: User) -> None:
    """After signing out and in again in another window, the page still holds the old session's CSRF token."""
    browser = browser_of(app, alice)
    answer = browser.post("/notes", data={"csrf_token": "of before", "content": TEXT}, headers=HERE)
    assert answer.status_code == 400
    assert listing.list_notes(alice.id).notes == []
    assert send_again(browser, answer.text).status_code == 302
    assert len(listing.list_notes(alice.id).notes) == 1


def test_a_cross_site_form_is_not_recovered(app: Flask, client: Visitor, alice: User) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Referer": "https://evil.example/"}, {}):
        fields = {"content": "spam", "csrf_token": "x"}
        assert client.post("/notes", data=fields, headers=headers).status_code == 302
        answer = client.post("/sign-in/again?next=/notes", data=fields, headers=headers)
        assert answer.location == "/sign-in?next=/notes"
        assert "spam" not in browser_of(app, alice).post("/notes", data=fields, headers=headers).text


def test_passwords_are_not_recovered(client: Visitor, alice: User) -> None:
    fields = {"current_password": PASSWORD, "new_password": "another good sentence"}
    assert client.post("/mypage/password", data=fields, headers=HERE).location == "/sign-in"
    page = client.post("/sign-in/again?next=/mypage/password", data=fields, headers=HERE)
    assert page.status_code == 302
    assert client.post("/mypage/delete", data={"password": PASSWORD}, headers=HERE).location == "/sign-in"


def test_a_form_without_text_is_not_recovered(client: Visitor) -> None:
    for path in ("/notes/1/pin", "/nothing"):
        assert client.post(path, data={"pinned": "1", "title": "x"}, headers=HERE).status_code in (302, 404)


def test_a_form_of_as_many_fields_as_may_be_is_recovered(client: Visitor, alice: User) -> None:
    for more, expected in ((MAX_FIELDS - 1, (200, True)), (MAX_FIELDS, (302, False))):
        kept = json.dumps([["content", "typed"], *[["content", "x"]] * more])
        answer = client.submit("/sign-in?next=/notes", email="alice@example.com", password=PASSWORD, kept=kept)
        assert (answer.status_code, "typed" in answer.text) == expected


NOT_KEPT = [
    "", "{", "[]", "17", "null", '"text"', "[[1]]", '[["content", "\\ud800"]]', '{"content": "x"}', "[" * 10_000,
    json.dumps([["title", " "]]), json.dumps([["other", "x"]]),
]  # fmt: skip
KEPT = json.dumps([["content", "x"]])


def test_recovery_data_that_is_none_or_for_no_text_form_is_ignored(client: Visitor, alice: User) -> None:
    of_no_text = [(path, KEPT) for path in ("/nothing", "/healthz", "/notes/1/pin")]
    for target, kept in [*(("/notes", kept) for kept in NOT_KEPT), *of_no_text]:
        fields = {"email": "alice@example.com", "password": PASSWORD, "kept": kept}
        assert client.submit(f"/sign-in?next={target}", **fields).location == target, kept[:20]


def test_recovery_refuses_an_open_redirect(client: Visitor, alice: User) -> None:
    fields = {"email": "alice@example.com", "password": PASSWORD, "kept": KEPT}
    assert action_of(client.submit("/sign-in?next=//evil.example/notes", **fields).text) == "/notes"
