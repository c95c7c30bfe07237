"""Theme and language can be changed on every page, without leaving it."""

import re

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.browser.window import Window
from tests.waiting import wait_until

PAPER = "getComputedStyle(document.body).backgroundColor"
HERE = "/todos?show=open"


def theme(tab: Tab) -> str | None:
    return next((each["value"] for each in tab.context.cookies() if each.get("name") == "theme"), None)


def served(tab: Tab, path: str) -> str:
    """Return the html tag as the server sends it: the theme of the first paint."""
    html = tab.request.get(path).text()
    return html[html.index("<html") :].partition(">")[0]


def choose(tab: Tab, name: str) -> None:
    tab.get_by_role("contentinfo").get_by_role("button", name=name, exact=True).click()


def test_the_colours_change_at_once_and_nothing_typed_is_lost(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/notes")
    tab.get_by_label("Text", exact=True).fill("not saved yet")
    light = tab.evaluate(PAPER)
    tab.evaluate("window.isStillHere = true")
    choose(tab, "Dark")
    expect(tab.locator("body")).not_to_have_css("background-color", light)
    expect(tab.get_by_role("contentinfo").locator("form")).to_be_focused()  # its place, but no other button
    expect(tab.get_by_label("Text", exact=True)).to_have_value("not saved yet")
    assert tab.evaluate("window.isStillHere")
    wait_until(lambda: theme(tab) == "dark", "it is remembered")

    dark = tab.evaluate(PAPER)
    assert 'data-theme="dark"' in served(tab, f"{window.url}/notes")
    tab.goto(f"{window.url}/todos")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    expect(tab.locator("body")).to_have_css("background-color", dark)

    choose(tab, "System theme")
    expect(tab.locator("body")).to_have_css("background-color", light)
    wait_until(lambda: theme(tab) != "dark", "it is forgotten")
    assert "data-theme" not in served(tab, f"{window.url}/notes")


def test_without_scripts_the_colours_change_and_the_page_stays(window_without_scripts: Window) -> None:
    tab = window_without_scripts.tab
    tab.goto(window_without_scripts.url + HERE)
    choose(tab, "Dark")
    expect(tab).to_have_url(window_without_scripts.url + HERE)
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    tab.reload()
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    choose(tab, "Light")
    expect(tab.locator("html")).to_have_attribute("data-theme", "light")


def test_what_the_reader_chose_wins_over_the_device(window: Window) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage")
    light = tab.evaluate(PAPER)
    choose(tab, "Light")
    tab.emulate_media(color_scheme="dark")
    expect(tab.locator("body")).to_have_css("background-color", light)
    wait_until(lambda: theme(tab) == "light", "it is remembered")


@pytest.mark.parametrize("path", [HERE, "/notes?q=%EB%B0%98", "/mypage/edit"])
def test_the_language_changes_and_leads_back(any_window: Window, path: str) -> None:
    tab = any_window.tab
    tab.goto(any_window.url + path)
    choose(tab, "한국어")
    expect(tab.locator("html")).to_have_attribute("lang", "ko")
    expect(tab).to_have_url(any_window.url + path)
    choose(tab, "English")
    expect(tab.locator("html")).to_have_attribute("lang", "en")
    expect(tab).to_have_url(any_window.url + path)


@pytest.mark.smoke
def test_before_signing_in_too(window: Window) -> None:
    tab = window.tab
    tab.context.clear_cookies()
    tab.goto(f"{window.url}/sign-in?next=/todos")
    choose(tab, "한국어")
    expect(tab.get_by_role("heading", level=1)).to_have_text("로그인")
    expect(tab).to_have_url(re.compile(r"/sign-in\?next=(/|%2F)todos$"))
