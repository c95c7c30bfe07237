"""Preferences: language, theme and keyboard shortcuts. The account's language takes precedence over the browser's."""

import pytest
from flask import Flask

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from tests.conftest import browser_of
from tests.database import row_counts
from tests.visitor import Visitor

KOREAN = {"Accept-Language": "ko"}
ENGLISH = {"Accept-Language": "en"}


def language_of(page: str) -> str:
    return page.partition('<html lang="')[2][:2]


def test_an_anonymous_visitor_can_choose_a_language_for_the_browser(client: Visitor) -> None:
    before = row_counts()
    answer = client.submit("/preferences", language="ko", next="/sign-up?x=1")
    assert answer.location == "/sign-up?x=1"
    assert language_of(client.get("/sign-up", headers=ENGLISH).text) == "ko"
    assert row_counts() == before


def test_the_language_of_the_account_applies_on_every_device(app: Flask, alice: User) -> None:
    assert browser_of(app, alice).submit("/preferences", language="ko").status_code == 302
    other = browser_of(app, alice)
    other.set_cookie("language", "en")
    assert language_of(other.get("/notes", headers=ENGLISH).text) == "ko"


def test_the_default_language_is_the_browsers(app: Flask, alice: User) -> None:
    browser = browser_of(app, alice)
    assert language_of(browser.get("/notes", headers=KOREAN).text) == "ko"
    assert language_of(browser.get("/notes", headers=ENGLISH).text) == "en"


def test_an_error_page_uses_the_chosen_language(app: Flask, alice: User) -> None:
    accounts.change_language(alice.id, "ko")
    browser = browser_of(app, alice)
    assert language_of(browser.get("/notes/999", headers=ENGLISH).text) == "ko"
    browser.submit("/preferences", language="ko")
    assert language_of(browser.get("/nothing", headers=ENGLISH).text) == "ko"


def test_the_theme_is_set_on_the_html_element(client: Visitor) -> None:
    assert "data-theme" not in client.get("/").text
    client.submit("/preferences", theme="dark")
    assert '<html lang="en" data-theme="dark">' in client.get("/").text
    assert 'data-theme="dark"' in client.get("/nothing").text
    client.submit("/preferences", theme="auto")
    assert "data-theme" not in client.get("/").text


def test_keyboard_shortcuts_can_be_switched_off(signed_in: Visitor) -> None:
    assert 'data-letters="on"' in signed_in.get("/notes").text
    signed_in.submit("/preferences", shortcuts="off")
    assert 'data-letters="off"' in signed_in.get("/notes").text


@pytest.mark.parametrize(("letters", "switch"), [("on", "off"), ("off", "on")])
def test_the_list_of_shortcuts_has_a_switch_and_leads_back(signed_in: Visitor, letters: str, switch: str) -> None:
    signed_in.set_cookie("shortcuts", letters)
    part = signed_in.get("/preferences/shortcuts?next=/todos?show%3Dopen").text
    assert f'<button name="shortcuts" value="{switch}">' in part
    assert '<input type="hidden" name="next" value="/todos?show=open">' in part


def test_the_list_of_shortcuts_leads_to_no_other_site(signed_in: Visitor) -> None:
    assert 'name="next" value="/"' in signed_in.get("/preferences/shortcuts?next=//evil.example").text


@pytest.mark.parametrize(
    "fields",
    [{}, {"language": "fr"}, {"language": ""}, {"theme": "pink"}, {"theme": "dark", "language": "de"},
     {"shortcuts": "1"}, {"other": "x"}],
)  # fmt: skip
def test_an_unknown_preference_is_refused(app: Flask, alice: User, fields: dict[str, str]) -> None:
    browser = browser_of(app, alice)
    answer = browser.submit("/preferences", **fields)
    assert answer.status_code == 422
    assert "theme=" not in str(answer.headers.getlist("Set-Cookie"))
    assert db.session.query(User.language).scalar() is None


@pytest.mark.parametrize(("name", "value"), [("language", "fr"), ("theme", "pink"), ("time_zone", "../etc/passwd")])
def test_an_invalid_preference_cookie_is_ignored(client: Visitor, name: str, value: str) -> None:
    client.set_cookie(name, value)
    page = client.get("/sign-in", headers=KOREAN)
    assert page.status_code == 200
    assert '<html lang="ko">' in page.text


def test_next_refuses_an_open_redirect(client: Visitor) -> None:
    assert client.submit("/preferences", theme="dark", next="//evil.example").location == "/"
