"""Writing a note: where Enter leads, lists that go on, a composer that stays small, and a preview."""

import re

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab

from app.notes import listing, service
from tests.browser.readers import Reader
from tests.browser.site import Site
from tests.browser.window import Window


@pytest.fixture
def tab(window: Window) -> Tab:
    window.tab.goto(f"{window.url}/notes")
    return window.tab


def title(tab: Tab) -> Locator:
    return tab.get_by_label("Title", exact=True)


def text(tab: Tab) -> Locator:
    return tab.get_by_label("Text", exact=True)


def stored(site: Site, reader: Reader) -> list[str]:
    with site.app.app_context():
        return [note.text for note in listing.list_notes(reader.id).notes]


def test_enter_in_the_title_leads_to_the_text_and_saves_nothing(tab: Tab, site: Site, reader: Reader) -> None:
    title(tab).press_sequentially("반달")
    title(tab).press("Enter")
    expect(text(tab)).to_be_focused()
    assert stored(site, reader) == []


@pytest.mark.parametrize(
    ("typed", "begins"),
    [
        ("- milk", "- "),
        ("  * milk", "  * "),
        ("9. milk", "10. "),
        ("- [x] milk", "- [ ] "),
        ("> - milk", "> - "),
        ("milk", ""),
        ("-milk", ""),
        ("a - b", ""),
    ],
)
def test_a_list_goes_on_with_the_next_line(tab: Tab, typed: str, begins: str) -> None:
    text(tab).fill(typed)
    text(tab).press("End")
    text(tab).press("Enter")
    text(tab).press_sequentially("bread")
    expect(text(tab)).to_have_value(f"{typed}\n{begins}bread")


def test_enter_in_an_empty_item_ends_the_list(tab: Tab) -> None:
    text(tab).fill("- milk\n- ")
    text(tab).press("Control+End")
    text(tab).press("Enter")
    text(tab).press_sequentially("bread")
    expect(text(tab)).to_have_value("- milk\nbread")


def test_within_a_line_enter_takes_the_rest_along(tab: Tab) -> None:
    text(tab).fill("- milkbread")
    text(tab).evaluate("field => field.setSelectionRange(6, 6)")
    text(tab).press("Enter")
    expect(text(tab)).to_have_value("- milk\n- bread")


def test_while_a_syllable_is_composed_enter_is_the_input_methods(tab: Tab) -> None:
    text(tab).fill("- 우")
    text(tab).dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    expect(text(tab)).to_have_value("- 우")


def test_a_long_text_leaves_save_in_sight(window: Window, tab: Tab) -> None:
    for size in ("desk", "phone"):
        window.emulate("light", size)
        text(tab).fill("반달\n" * 300)
        expect(tab.get_by_role("button", name="Save")).to_be_in_viewport()


def test_on_a_phone_the_first_note_stands_near_the_top(window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_note(reader.id, "반달", "#달 #책")
    window.emulate("light", "phone")
    tab = window.tab
    tab.goto(f"{window.url}/notes")
    top = tab.get_by_role("article").first.evaluate("note => note.getBoundingClientRect().top")
    assert top < 844 * 0.4, top
    expect(tab.get_by_role("button", name="Save")).to_be_hidden()
    text(tab).focus()
    expect(tab.get_by_role("button", name="Save")).to_be_visible()
    tags = tab.locator("#beside").get_by_role("link", name="#달")
    assert tags.evaluate("tag => tag.getBoundingClientRect().top") < top


def test_a_tags_view_has_the_composer_with_the_tag_in_it(any_window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        service.create_note(reader.id, "반달", "#달")
        service.create_note(reader.id, "", "of no tag")
    tab = any_window.tab
    tab.goto(f"{any_window.url}/notes?tag=달")
    expect(text(tab)).to_have_value("#달 ")
    text(tab).press("Control+End")
    text(tab).press_sequentially("half")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("article")).to_have_count(2)
    expect(tab).to_have_url(re.compile(r"/notes\?tag="))
    assert "#달 half" in stored(site, reader)


def test_the_preview_opens_beside_the_editor_and_stores_nothing(any_window: Window, site: Site, reader: Reader) -> None:
    with site.app.app_context():
        note_id = service.create_note(reader.id, "반달", "as it was")
    tab = any_window.tab
    tab.goto(f"{any_window.url}/notes/{note_id}/edit")
    text(tab).fill("- [ ] **half**")
    with tab.context.expect_page() as opened:
        tab.get_by_role("button", name="Preview").click()
    expect(opened.value.locator("strong")).to_have_text("half")
    expect(opened.value).to_have_title(re.compile("Preview"))
    opened.value.close()
    expect(text(tab)).to_have_value("- [ ] **half**")
    expect(tab.locator("[aria-busy=true]")).to_have_count(0)
    assert stored(site, reader) == ["as it was"]


def test_the_composer_mentions_markdown_and_shows_how_the_text_will_look(tab: Tab, site: Site, reader: Reader) -> None:
    text(tab).fill("- [ ] **half**")
    tab.get_by_text("Markdown", exact=True).click()
    expect(tab.get_by_text("- [ ] Task")).to_be_visible()
    with tab.context.expect_page() as opened:
        tab.get_by_role("button", name="Preview").click()
    expect(opened.value.locator("strong")).to_have_text("half")
    opened.value.close()
    expect(text(tab)).to_have_value("- [ ] **half**")
    assert stored(site, reader) == []


def test_without_scripts_enter_in_the_title_saves(window_without_scripts: Window, site: Site, reader: Reader) -> None:
    tab = window_without_scripts.tab
    tab.goto(f"{window_without_scripts.url}/notes")
    title(tab).fill("반달")
    title(tab).press("Enter")
    expect(tab.get_by_role("article")).to_contain_text("반달")
    assert len(stored(site, reader)) == 1


def test_a_form_that_is_under_way_says_so(window: Window, site: Site, reader: Reader) -> None:
    tab = window.tab
    tab.goto(f"{window.url}/mypage/edit")
    tab.route("**/mypage/nickname", lambda route: None)  # the answer never comes
    save = tab.get_by_label("Nickname").locator("xpath=ancestor::form").get_by_role("button", name="Save")
    # Asked in the page itself, since Playwright waits for the next page as soon as one is under way.
    told = save.evaluate("""button => new Promise(told => {
      button.click();
      new MutationObserver(() => told(button.ariaBusy)).observe(button, { attributes: true });
    })""")
    assert told == "true"
