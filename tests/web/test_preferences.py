"""Preferences of language, theme and shortcuts, and every sentence in Korean. The account's language comes first."""

import re
import tomllib
from pathlib import Path

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.todos import service as todos
from tests.conftest import browser_of
from tests.database import same_row_counts
from tests.visitor import Visitor

KOREAN = {"Accept-Language": "ko"}
ENGLISH = {"Accept-Language": "en"}


def language_of(page: str) -> str:
    return page.partition('<html lang="')[2][:2]


def test_an_anonymous_visitor_can_choose_a_language_for_the_browser(client: Visitor) -> None:
    with same_row_counts():
        assert client.submit("/preferences", language="ko", next="/sign-up?x=1").location == "/sign-up?x=1"
        assert language_of(client.get("/sign-up", headers=ENGLISH).text) == "ko"


def test_the_forms_of_a_page_lead_back_to_it_with_its_query(signed_in: Visitor, alice: User) -> None:
    signed_in.submit(f"/todos/{todos.create_todo(alice.id, 'x')}/delete")  # which leaves a message
    page = signed_in.get("/todos?show=open&sort=due").text
    assert '<input type="hidden" name="next" value="/todos?show=open&amp;sort=due">' in page
    assert 'href="/todos?show=open&amp;sort=due" data-close' in page


def test_the_language_of_the_account_applies_on_every_device_of_it_alone(app: Flask, alice: User, bob: User) -> None:
    assert browser_of(app, alice).submit("/preferences", language="ko").status_code == 302
    other = browser_of(app, alice)
    other.set_cookie("language", "en")
    assert language_of(other.get("/notes", headers=ENGLISH).text) == "ko"
    assert language_of(browser_of(app, bob).get("/notes", headers=ENGLISH).text) == "en"


def test_an_error_page_uses_the_chosen_language(app: Flask, alice: User) -> None:
    accounts.change_language(alice.id, "ko")
    browser = browser_of(app, alice)
    assert language_of(browser.get("/notes/999", headers=ENGLISH).text) == "ko"
    browser.submit("/preferences", language="ko")
    assert language_of(browser.get("/nothing", headers=ENGLISH).text) == "ko"


def test_the_theme_is_set_on_the_html_element(client: Visitor) -> None:
    assert "data-theme" not in client.get("/").text
    assert client.submit("/preferences", theme="dark", next="//evil.example").location == "/"
    assert '<html lang="en" data-theme="dark">' in client.get("/").text
    assert 'data-theme="dark"' in client.get("/nothing").text
    client.submit("/preferences", theme="auto")
    assert "data-theme" not in client.get("/").text


def test_the_list_of_shortcuts_has_a_switch_and_leads_back_and_to_no_other_site(signed_in: Visitor) -> None:
    for letters, switch in (("on", "off"), ("off", "on")):
        signed_in.submit("/preferences", shortcuts=letters)
        assert f'data-letters="{letters}"' in signed_in.get("/notes").text
        part = signed_in.get("/preferences/shortcuts?next=/todos?show%3Dopen").text
        assert f'<button name="shortcuts" value="{switch}">' in part
        assert '<input type="hidden" name="next" value="/todos?show=open">' in part
    assert 'name="next" value="/"' in signed_in.get("/preferences/shortcuts?next=//evil.example").text


def test_an_unknown_preference_is_refused(app: Flask, alice: User) -> None:
    browser = browser_of(app, alice)
    refused: list[dict[str, str]] = [{}, {"language": "fr"}, {"theme": "pink"}, {"theme": "dark", "language": "de"}]
    for fields in [*refused, {"shortcuts": "1"}, {"other": "x"}]:
        answer = browser.submit("/preferences", **fields)
        assert answer.status_code == 422, fields
        assert "theme=" not in str(answer.headers.getlist("Set-Cookie")), fields
    assert db.session.query(User.language).scalar() is None


def test_an_invalid_preference_cookie_is_ignored(client: Visitor) -> None:
    for name, value in (("language", "fr"), ("theme", "pink"), ("time_zone", "../etc/passwd")):
        client.set_cookie(name, value)
        assert '<html lang="ko">' in client.get("/sign-in", headers=KOREAN).text, name


ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "app/translations/ko/LC_MESSAGES"
MAPPINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]

with (CATALOG / "messages.po").open("rb") as file:
    WRITTEN = {message.id: message.string for message in read_po(file) if message.id}
with (CATALOG / "messages.mo").open("rb") as file:
    COMPILED = {message.id: message.string for message in read_mo(file) if message.id}


def messages_in_the_code() -> set[str]:
    method_map = [(mapping["pattern"], mapping["method"]) for mapping in MAPPINGS]
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
    within = str(ROOT / "app")
    found = extract_from_dir(
        str(ROOT), method_map, keywords=keywords, directory_filter=lambda folder: folder.startswith(within)
    )
    return {message for _, _, message, _, _ in found if isinstance(message, str)}


def test_every_message_is_translated_and_no_translation_is_unused() -> None:
    assert messages_in_the_code() == {sentence for sentence, korean in WRITTEN.items() if korean}


def test_the_compiled_catalog_matches_its_source() -> None:
    assert COMPILED == WRITTEN


def test_a_translation_has_the_placeholders_of_its_message() -> None:
    for sentence, korean in WRITTEN.items():
        blanks = re.findall(r"%\(\w+\)\w", str(sentence))
        assert sorted(blanks) == sorted(re.findall(r"%\(\w+\)\w", str(korean))), sentence


def test_a_korean_browser_gets_korean_and_one_of_another_language_english(client: Visitor) -> None:
    page = client.get("/sign-in", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}).text
    assert '<html lang="ko">' in page
    assert "이 기기에서 로그인 유지" in page
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "fr"}).text
