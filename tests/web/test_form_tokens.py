"""Forms: by a page of the site alone (CSRF), stored once (one-time tokens), of bounded size, kept without a session."""

import json
import re
import uuid
from collections.abc import Mapping
from html import unescape
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from app import FEATURES
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.limits.quotas import Key, QuotaReached
from app.limits.rate_limits import RateLimited
from app.notes import listing
from app.notes import service as notes
from app.notes.models import Note
from app.web.form_recovery import MAX_FIELDS, recovers
from app.web.request_size import LONG_TEXT_LIMIT, MOST_FIELDS, TEXT_BODY_LIMIT
from tests.accounts.conftest import won
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts, same_row_counts
from tests.queued import queued
from tests.samples import samples
from tests.visitor import Visitor, token_of

TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
FORMS: dict[str, Mapping[str, str]] = {
    "/notes": {"title": "우유", "content": "두 병"},
    "/todos": {"description": "우유"},
    **{each.path: each.fields for each in samples()},
}
PORTABLE = {f"/{feature.portable.name}": feature.portable for feature in FEATURES if feature.portable}
AT_ONCE = 5  # threads of the pool

pages = pytest.mark.parametrize("path", list(FORMS))


def form_token(visitor: Visitor, path: str) -> str:
    found = TOKEN.search(visitor.get(path).text)
    assert found, "the form has no token"
    return found[1]


@pages
def test_the_same_form_is_stored_once(monkeypatch: pytest.MonkeyPatch, signed_in: Visitor, path: str) -> None:
    monkeypatch.setattr(PORTABLE[path].quota, "most", 1)  # also the last that there is room for
    form = {**FORMS[path], "form_token": form_token(signed_in, path)}
    first = signed_in.submit(path, **form)
    stored = row_counts(), queued()
    second = signed_in.submit(path, **form)
    assert (second.status_code, second.location) == (302, first.location)
    assert (row_counts(), queued()) == stored


def test_the_same_words_from_another_page_or_other_words_from_the_same_are_stored_too(signed_in: Visitor) -> None:
    """A page from the browser's memory has its old token. Nothing that is new on it may be lost."""
    first, second = (form_token(signed_in, "/notes") for _ in range(2))
    before = row_counts()["notes"]
    for title, token in (("typed", first), ("typed", second), ("typed again", first)):
        signed_in.submit("/notes", title=title, content="", form_token=token)
    assert row_counts()["notes"] == before + 3


@pages
def test_a_form_without_a_token_is_stored_each_time_and_with_a_wrong_one_never(signed_in: Visitor, path: str) -> None:
    table = PORTABLE[path].table.name
    before = row_counts()[table]
    for _ in range(2):
        assert signed_in.submit(path, **FORMS[path]).status_code == 302
    for token in ("x" * 15, "x" * 65, "a token of spaces", "토큰" * 10):
        assert signed_in.submit(path, **FORMS[path], form_token=token).status_code == 422, token
    assert row_counts()[table] == before + 2


@pages
def test_the_token_of_one_person_is_not_that_of_another(app: Flask, signed_in: Visitor, bob: User, path: str) -> None:
    token, table = form_token(signed_in, path), PORTABLE[path].table.name
    before = row_counts()[table]
    for visitor in (signed_in, browser_of(app, bob)):
        assert visitor.submit(path, **FORMS[path], form_token=token).status_code == 302
    assert row_counts()[table] == before + 2


def test_of_many_at_once_one_is_stored_and_each_is_told_of_it(migrated: Flask) -> None:
    alice_id = accounts.sign_up("alice@example.com", "alice", PASSWORD).id
    key, told = Key(uuid.uuid4()), set()
    won(migrated, lambda _: told.add(notes.create_note(alice_id, "우유", "", key)), range(AT_ONCE))
    assert list(db.session.scalars(select(Note.id))) == list(told)
    assert len(told) == 1


SITE = "https://notes.example.com"
FROM_HERE: dict[str, dict[str, str]] = {
    "a browser": {"Origin": SITE, "Referer": f"{SITE}/notes", "Sec-Fetch-Site": "same-origin"},
    "no Referer": {"Origin": SITE},
    "no Origin": {"Referer": f"{SITE}/notes"},
    "a policy of no-referrer": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "neither": {"Sec-Fetch-Site": "same-origin"},
    "Origin null, and a Referer": {"Origin": "null", "Referer": f"{SITE}/notes"},
}
FROM_ELSEWHERE: dict[str, dict[str, str]] = {
    "nothing says where from": {},
    "another host": {"Origin": "https://evil.example"},
    "a host that begins alike": {"Origin": f"{SITE}.evil.example"},
    "another scheme": {"Origin": "http://notes.example.com"},
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "a sandboxed frame in an old browser": {"Origin": "null"},
    "two origins": {"Origin": f"{SITE}, https://evil.example"},
    "a wrong Referer": {"Referer": "https://evil.example/"},
    "a wrong Referer beside a right Origin": {"Origin": SITE, "Referer": "https://evil.example/"},
    "a right Referer beside a wrong Origin": {"Origin": "https://evil.example", "Referer": f"{SITE}/notes"},
    "a Referer that begins alike": {"Referer": f"{SITE}.evil.example/notes"},
    "a Referer with our name as user": {"Referer": f"{SITE}@evil.example/"},
    "a wrong Referer beside Sec-Fetch-Site": {"Referer": "https://evil.example/", "Sec-Fetch-Site": "same-origin"},
}


@pytest.fixture
def tls_browser(app: Flask, alice: User) -> Visitor:
    return browser_of(app, alice, SITE)


def post_over_tls(browser: Visitor, headers: dict[str, str], token: str | None = None) -> int:
    data = {"csrf_token": token or token_of(browser.get("/notes", base_url=SITE).text), "content": "text"}
    return browser.post("/notes", base_url=SITE, data=data, headers=headers).status_code


def test_a_form_of_ours_is_taken_over_tls_and_only_with_its_token(tls_browser: Visitor) -> None:
    for name, headers in FROM_HERE.items():
        assert post_over_tls(tls_browser, headers) == 302, name
        assert post_over_tls(tls_browser, headers, "of another session") == 400, name


def test_a_form_of_elsewhere_is_refused_over_tls_though_its_token_is_right(tls_browser: Visitor) -> None:
    with same_row_counts():
        assert [name for name, headers in FROM_ELSEWHERE.items() if post_over_tls(tls_browser, headers) != 400] == []


@pytest.mark.parametrize("host", ["[2001:db8::1]:8443", "xn--bj0bv5f.kr", "Notes.example.com:443"])
def test_the_origin_is_that_of_the_host_as_browsers_write_it(app: Flask, tls_browser: Visitor, host: str) -> None:
    token = token_of(tls_browser.get("/notes", base_url=SITE).text)
    cookie = tls_browser.get_cookie("semicircle", "notes.example.com")
    assert cookie
    there = app.test_client(use_cookies=False)
    assert isinstance(there, Visitor)
    headers = {"Host": host, "Cookie": f"semicircle={cookie.value}"}
    origin = f"https://{host.lower().removesuffix(':443')}"
    assert post_over_tls(there, {**headers, "Origin": origin}, token) == 302
    assert post_over_tls(there, {**headers, "Origin": "https://evil.example"}, token) == 400


HERE = {"Origin": "http://localhost"}
TEXT = 'half a thought & "more" <b>\n둘째 줄'


def main_of(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def hidden_fields(page: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', main_of(page))
    return {name: unescape(value) for name, value in fields}


def action_of(page: str) -> str:
    [action, *_] = re.findall(r'<form [^>]*action="([^"]+)"', main_of(page))
    return unescape(action)


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
    with same_row_counts():
        page = post_without_session(client, "/notes", title="제목", content=TEXT).text
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


@pytest.mark.parametrize("error", [None, RateLimited(60), QuotaReached(3)])  # None: for its CSRF token
def test_a_form_that_is_offered_again_is_sent_to_where_it_was_also_to_its_query(
    app: Flask, signed_in: Visitor, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    @recovers("description")
    def refuses() -> None:
        assert error
        raise error

    token = signed_in.csrf_token() if error else "of before"
    monkeypatch.setitem(app.view_functions, "todos.create", refuses)
    with same_row_counts():
        for path in ("/todos?show=open&sort=due", "/todos"):
            answer = signed_in.post(path, data={"csrf_token": token, "description": TEXT}, headers=HERE)
            assert (answer.status_code >= 400, action_of(answer.text)) == (True, path)
            assert hidden_fields(answer.text)["description"] == TEXT


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
    assert client.post("/sign-in/again?next=/mypage/password", data=fields, headers=HERE).status_code == 302
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


def test_a_form_that_is_too_long_is_413_and_stores_nothing_and_the_longest_note_fits(signed_in: Visitor) -> None:
    with same_row_counts():
        assert signed_in.submit("/todos", description="x" * 70_000).status_code == 413
        assert signed_in.submit("/notes", title="x", content="x" * 500_000).status_code == 413
        shown_again = signed_in.submit("/notes", title="x", content="가" * 40_000)
        assert (shown_again.status_code, "가" * 40_000 in shown_again.text) == (422, True)
        assert (
            signed_in.submit("/notes", title="x", **dict.fromkeys(map(str, range(500)), "x" * 200)).status_code == 413
        )
    assert signed_in.submit("/notes", title="😀" * 120, content="😀" * 20_000).status_code == 302


URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


def test_a_short_form_of_too_many_fields_is_413_and_stores_nothing(signed_in: Visitor) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    data = MultiDict([("csrf_token", token), ("title", "x"), *[("x", "")] * MOST_FIELDS])
    for content_type in (URLENCODED, MULTIPART):
        assert signed_in.post("/notes", data=data, content_type=content_type).status_code == 413, content_type
    assert row_counts() == before


def test_an_upload_is_no_form_of_long_texts(signed_in: Visitor) -> None:
    token, before = signed_in.csrf_token(), row_counts()
    few, many = ({f"{number}": "x" * size for number in range(26)} for size in (9_000, 400_000))
    for path, content_type, fields, status in (
        ("/mypage/import", URLENCODED, {"x": "x" * 70_000}, 415),
        ("/mypage/photo", MULTIPART, few, 413),
        ("/mypage/import", MULTIPART, many, 413),
        ("/mypage/import", MULTIPART, {f"{number}": "x" * 30 for number in range(2_001)}, 413),
    ):
        answer = signed_in.post(path, data={"csrf_token": token, **fields}, content_type=content_type)
        answer.request.environ["wsgi.input"].close()  # a long body is a temporary file that nothing else closes
        assert answer.status_code == status
    assert row_counts() == before


def test_a_file_in_a_text_field_is_422_and_stores_nothing(signed_in: Visitor, app: Flask) -> None:
    with same_row_counts():
        for path, field in (("/notes", "content"), ("/todos", "description"), ("/mypage/nickname", "nickname")):
            assert signed_in.submit(path, **{"title": "x", field: (BytesIO(b"x"), "f.txt")}).status_code == 422, path
        assert Visitor(app).submit("/sign-in", email=(BytesIO(b"x"), "f.txt")).status_code == 422


def limit_by_head(app: Flask, method: str, path: str, cookie: str = "") -> int:
    """Ask as the server does before it waits for a body."""
    limit: int = app.extensions["body_limit"]({"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_COOKIE": cookie})
    return limit


SHORT = [
    ("POST", "/todos"), ("POST", "/mypage/export"), ("POST", "/mypage/import/"), ("POST", "/MYPAGE/IMPORT"),
    ("POST", "/\xff"), ("POST", ""), ("GET", "/mypage/import"), ("BREW", "/mypage/import"),
]  # fmt: skip


def test_who_is_signed_in_may_upload_as_much_as_the_view_takes(app: Flask, signed_in: Visitor) -> None:
    cookie = f"semicircle={signed_in.session_cookie()}"
    assert limit_by_head(app, "POST", "/mypage/photo", cookie) == 6 * 2**20
    assert limit_by_head(app, "POST", "/mypage/import", cookie) == 129 * 2**20
    for path in ("/notes", "/notes/1", "/notes/preview"):
        assert limit_by_head(app, "POST", path, cookie) == LONG_TEXT_LIMIT, path
        assert limit_by_head(app, "POST", path) == TEXT_BODY_LIMIT, path
    for method, path in SHORT:
        assert limit_by_head(app, method, path, cookie) == TEXT_BODY_LIMIT, (method, path)


def test_a_stranger_may_not_upload_whatever_the_cookie_says(app: Flask, client: Visitor) -> None:
    client.csrf_token()  # a session that we signed, of nobody
    ours = f"semicircle={client.session_cookie()}"
    for cookie in ("", "semicircle", "semicircle=", "semicircle=e30.x.y", ours, ours[:-2], "\xff=;;"):
        assert limit_by_head(app, "POST", "/mypage/import", cookie) == TEXT_BODY_LIMIT, cookie


def test_a_strangers_upload_is_sent_to_sign_in_and_stores_nothing(client: Visitor) -> None:
    with same_row_counts():
        answer = client.submit("/mypage/import", archive=(BytesIO(bytes(70_000)), "semicircle.zip"))
        assert answer.location == "/sign-in"
