"""The service worker: what was read last can be read again without a network, by the same reader alone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from app.accounts.models import UserSession
from app.extensions import db
from app.notes.sharing import share_note
from tests.browser.controls import is_settled
from tests.browser.site import Reader
from tests.browser.window import Switch, Window, Windows
from tests.waiting import wait_until

KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const requests = await (await caches.open(name)).keys();
    found[name] = requests.map(({ url }) => url.slice(location.origin.length));
  }
  return found;
}"""
REGISTRATIONS = "async () => (await navigator.serviceWorker.getRegistrations()).length"


@pytest.fixture
def window(windows: Windows, reader: Reader) -> Iterator[Window]:
    """Yield a window of a browser of its own, whose pages may register the service worker."""
    window = windows.fresh("en", cookies=reader.cookies, worker=True)
    yield window
    window.tab.context.close()


@pytest.fixture
def note_id(reader: Reader) -> int:
    return reader.write("the half that I read", "반달")


def kept(tab: Tab) -> dict[str, list[str]]:
    """Return the URLs in each cache, from the oldest."""
    found: dict[str, list[str]] = tab.evaluate(KEPT)
    return found


def pages(tab: Tab, reader: Reader) -> list[str]:
    return [url for url in kept(tab).get(str(reader.id), []) if not url.startswith("/static/") and url != "/offline"]


def read(window: Window, reader: Reader, *paths: str) -> Tab:
    """Go to pages, wait until each of them is kept, and return the tab."""
    for path in paths:
        window.open(path)
        wait_until(lambda path=path: path in pages(window.tab, reader), f"{path} is kept")  # type: ignore[misc]
    return window.tab


@pytest.mark.smoke
def test_what_was_read_is_read_again_offline(window: Window, reader: Reader, note_id: int, offline: Switch) -> None:
    tab = window.tab
    unread = f"/notes/{reader.write('the half that I did not read')}"
    read(window, reader, "/notes", f"/notes/{note_id}", "/todos")
    expect(tab.locator("#kept")).to_be_hidden()
    offline(True)
    window.open(f"/notes/{note_id}")
    expect(tab.get_by_role("main")).to_contain_text("the half that I read")
    expect(tab.locator("#kept")).to_contain_text("You're offline. Here's what you saw last.")
    tab.get_by_role("link", name="Notes", exact=True).press("Enter")  # Playwright lets a prefetch through
    expect(tab.get_by_role("article").first).to_contain_text("the half that I did not read")
    expect(tab.locator("#kept")).to_be_visible()
    assert tab.evaluate("getComputedStyle(document.querySelector('.network')).display") == "flex", "its styles are kept"
    window.open(unread)
    expect(tab.get_by_role("heading", name="You're offline")).to_be_visible()
    expect(tab.get_by_role("main")).not_to_contain_text("the half")
    tab.get_by_role("link", name="Home").click()
    expect(tab).to_have_url(f"{window.url}/notes")
    expect(tab.get_by_role("article").first).to_contain_text("the half")

    offline(False)  # the network comes first
    reader.rewrite(note_id, "반달", "newer, from another device")
    window.open(f"/notes/{note_id}")
    expect(tab.get_by_role("main")).to_contain_text("newer, from another device")


def test_what_was_typed_on_kept_pages_is_stored_once(window: Window, reader: Reader, offline: Switch) -> None:
    tab = read(window, reader, "/todos", "/notes")
    offline(True)
    window.open("/todos")
    tab.get_by_role("textbox", name="New todo").fill("light")
    tab.keyboard.press("Enter")
    expect(tab.locator(".waiting li bdi")).to_have_text("light")
    window.open("/notes")
    expect(tab.locator("#kept")).to_be_visible()
    tab.get_by_label("Text", exact=True).fill("written in a tunnel")
    tab.keyboard.press("Control+Enter")
    expect(tab.locator("#outbox")).to_contain_text("2 changes waiting to be saved")
    expect(tab.get_by_role("main").locator(".message").locator("visible=true")).to_have_count(1)
    tab.reload()
    expect(tab.locator(".waiting li bdi")).to_have_text("written in a tunnel")
    offline(False)
    expect(tab.get_by_role("article")).to_contain_text("written in a tunnel")
    expect(tab.locator("#kept")).to_be_hidden()
    wait_until(lambda: is_settled(tab), "both are sent")
    assert (reader.notes(), reader.todos()) == (["written in a tunnel"], ["light"])
    offline(True)
    tab.reload()
    expect(tab.get_by_role("article")).to_contain_text("written in a tunnel")


@pytest.mark.parametrize(
    ("path", "row"), [("/notes", "article h3"), ("/todos", "#todos .list bdi")], ids=["notes", "todos"]
)
def test_offline_a_search_looks_through_the_list_that_is_there(
    window: Window, reader: Reader, offline: Switch, path: str, row: str
) -> None:
    for name in ("감자튀김", "Café au lait", "milk and bread"):
        reader.write("", name)
        reader.add(name)
    tab = read(window, reader, path)
    rows, field = tab.locator(row).locator("visible=true"), tab.get_by_role("searchbox")
    said = tab.get_by_role("alert").get_by_text("only what's on this page")
    offline(True)
    for typed, found in (
        ("감자", ["감자튀김"]),
        ("BREAD milk", ["milk and bread"]),
        ("cafe\u0301", ["Café au lait"]),
        ("달", []),
        ("ㄱㅈ", []),
    ):
        field.fill(typed)
        expect(rows).to_have_text(found)
        expect(said).to_be_visible()
        expect(tab).to_have_url(re.compile(rf"{path}\?q="))
        if path == "/notes":
            expect(tab.locator(".day").locator("visible=true")).to_have_count(len(found))
    field.fill("milk")
    expect(rows).to_have_text(["milk and bread"])
    tab.reload()  # and what is sent by Enter
    expect(field).to_have_value("milk")
    expect(rows).to_have_text(["milk and bread"])
    expect(said).to_be_visible()
    field.fill("")
    expect(rows).to_have_count(3)
    field.fill("ㄱㅈ")
    expect(rows).to_have_count(0)
    offline(False)  # the search is made up for
    expect(rows).to_have_text(["감자튀김"])
    expect(tab.locator("#found")).not_to_be_empty()
    expect(said).to_be_hidden()
    expect(tab.locator("#kept")).to_be_hidden()


def test_offline_a_filter_that_cannot_be_shown_says_so_until_the_network_is_back(
    window: Window, reader: Reader, offline: Switch
) -> None:
    reader.add("milk")
    tab = read(window, reader, "/todos")
    offline(True)
    tab.get_by_role("link", name="Today", exact=True).click()
    expect(tab.get_by_role("alert")).to_contain_text("only what's on this page")
    expect(tab.locator("#todos .list bdi")).to_have_text("milk")
    offline(False)
    expect(tab.get_by_role("alert")).to_be_hidden()


NOT_KEPT = ("/notes/trash", "/notes/{note}/edit", "/mypage", "/notes/tags", "/wordcounts")


def test_offline_what_was_not_read_leaves_the_navigation_and_its_way_back(
    window: Window, reader: Reader, note_id: int, offline: Switch
) -> None:
    tab = read(window, reader, "/notes", "/todos")
    main, tabs = tab.get_by_role("main"), tab.get_by_role("navigation", name="Main").get_by_role("link")
    names = tabs.all_inner_texts()
    offline(True)
    for path in NOT_KEPT:
        window.open(path.format(note=note_id))
        expect(main.get_by_role("heading", name="You're offline")).to_be_visible()
        expect(main.locator(".half")).to_be_visible()
        expect(main.locator(".primary")).to_have_count(1)
        expect(tabs).to_have_text(names)
    tabs.get_by_text("Todos").click()
    expect(tab.get_by_role("textbox", name="New todo")).to_be_visible()


def test_a_form_posted_offline_changes_nothing(window: Window, reader: Reader, note_id: int, offline: Switch) -> None:
    tab = read(window, reader, "/notes")
    offline(True)
    tab.get_by_role("button", name=re.compile("^(Delete|Move to)")).first.click()
    expect(tab.get_by_role("heading", name="You're offline")).to_be_visible()
    expect(tab.get_by_role("main")).to_contain_text("Nothing was changed.")
    offline(False)
    tab.go_back()
    expect(tab.get_by_role("article")).to_contain_text("반달")
    assert reader.notes() == ["the half that I read"]


@pytest.mark.smoke
def test_signing_out_leaves_nothing_behind(window: Window, reader: Reader, offline: Switch) -> None:
    tab = read(window, reader, "/notes", "/todos", "/mypage")
    tab.get_by_role("button", name="Sign out").click()
    expect(tab).to_have_url(re.compile("/sign-in$"))
    wait_until(lambda: not kept(tab), "the pages are gone")
    wait_until(lambda: tab.evaluate(REGISTRATIONS) == 0, "the worker is gone")
    offline(True)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        window.open("/notes")


def test_another_account_sees_nothing_of_the_first(
    window: Window, reader: Reader, other: Reader, note_id: int, offline: Switch
) -> None:
    tab = read(window, reader, "/notes", f"/notes/{note_id}")
    window.use_cookies(other.cookies)
    read(window, other, "/todos", "/notes")
    assert list(kept(tab)) == [str(other.id)]
    offline(True)
    window.open(f"/notes/{note_id}")
    expect(tab.get_by_role("heading", name="You're offline")).to_be_visible()
    window.open("/notes")
    expect(tab.locator("#kept")).to_be_visible()
    expect(tab.get_by_role("article")).to_have_count(0)


def test_a_session_that_expired_leaves_nothing_behind(window: Window, reader: Reader, note_id: int) -> None:
    read(window, reader, "/notes", f"/notes/{note_id}")
    with reader.app():
        db.session.execute(db.delete(UserSession).where(UserSession.user_id == reader.id))
        db.session.commit()
    tab = window.open("/notes")
    expect(tab).to_have_url(re.compile("/sign-in"))
    assert kept(tab) == {}


def test_an_answer_overtaken_by_somebody_elses_is_not_kept(window: Window, reader: Reader, other: Reader) -> None:
    """Two windows: the slow page of the first reader comes after the one of the second."""
    tab = read(window, reader, "/notes")
    [worker] = tab.context.service_workers
    overtaken = """async ([mine, others]) => {
      const answered = (reader) => new Response("<p>", { headers: { "X-Reader": String(reader) } });
      let arrive;
      const event = { waitUntil() {}, preloadResponse: new Promise((resolve) => (arrive = resolve)) };
      const slow = ask(event, new Request("/notes"));
      await ask({ waitUntil() {}, preloadResponse: answered(others) }, new Request("/todos"));
      arrive(answered(mine));
      await slow;
      return caches.keys();
    }"""
    assert worker.evaluate(overtaken, [reader.id, other.id]) == [str(other.id)]


def test_secrets_errors_redirects_and_typed_searches_are_not_kept(window: Window, reader: Reader, note_id: int) -> None:
    with reader.app():
        link = f"/s/{share_note(reader.id, note_id)}"
    tab = read(window, reader, "/notes")
    for path in (link, "/notes/shared"):
        window.open(path)
        expect(tab.get_by_text("the half that I read")).to_be_visible()
    without_rows = ("/mypage/edit", "/mypage/devices", "/mypage/passkeys", "/mypage/import", "/notes/999999999", "/")
    for path in (*without_rows, f"/notes/{note_id}/history"):
        window.open(path)
    window.open("/notes").get_by_role("searchbox").press_sequentially("half")
    expect(tab).to_have_url(re.compile("q=half$"))
    expect(tab.get_by_text("1 note found").first).to_be_visible()
    read(window, reader, "/mypage")
    assert sorted(pages(tab, reader)) == ["/mypage", "/notes"]


def test_only_the_pages_that_were_read_last_are_kept(window: Window, reader: Reader) -> None:
    fill = """async (name) => {
      const cache = await caches.open(name);
      const page = await cache.match("/todos");
      for (let number = 0; number < 48; number += 1) await cache.put(`/notes?q=${number}`, page.clone());
    }"""
    read(window, reader, "/notes", "/todos")
    window.tab.evaluate(fill, str(reader.id))
    read(window, reader, "/mypage", "/notes")
    wait_until(lambda: len(pages(window.tab, reader)) == 50, "the oldest go")
    assert pages(window.tab, reader)[-1] == "/notes"
    assert {"/todos", "/notes?q=1", "/notes?q=47", "/mypage"} & set(pages(window.tab, reader)) == {
        "/notes?q=1",
        "/notes?q=47",
        "/mypage",
    }


def test_after_a_deploy_an_older_page_is_whole_and_unused_files_go(
    window: Window, reader: Reader, offline: Switch
) -> None:
    """The older page names files of the release before, which no server has any more."""
    tab = read(window, reader, "/todos", "/notes")
    before = """async (name) => {
      const cache = await caches.open(name);
      const css = (await cache.keys()).find(({ url }) => url.includes("/css/base."));
      await cache.put("/static/css/base.0.css", (await cache.match(css)).clone());
      await cache.put("/static/css/dropped.0.css", new Response(""));
      const page = await cache.match("/todos");
      const html = (await page.text()).replace(new URL(css.url).pathname, "/static/css/base.0.css");
      await cache.put("/todos", new Response(html, { headers: page.headers }));
      await cache.delete((await cache.keys()).find(({ url }) => url.includes("/icons.")));
    }"""
    tab.evaluate(before, str(reader.id))
    read(window, reader, "/mypage")
    wait_until(lambda: "/static/css/dropped.0.css" not in kept(tab)[str(reader.id)], "it is dropped")
    offline(True)
    window.open("/todos")
    expect(tab.locator("#kept")).to_be_visible()
    sheets = "[...document.styleSheets].map(({ href, cssRules }) => [new URL(href).pathname, cssRules.length > 5])"
    assert ["/static/css/base.0.css", True] in tab.evaluate(sheets)
    assert all(has_rules for _, has_rules in tab.evaluate(sheets))
