"""The list of notes and a note, as eyes and hands meet them: little on the screen, and all of it within reach."""

import re
from functools import partial

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as Tab
from sqlalchemy import insert

from app.notes.models import Note
from tests.browser.controls import button, is_settled, posts_of, text
from tests.browser.site import Reader
from tests.browser.window import NARROWEST, Window, Windows
from tests.database import commit
from tests.waiting import wait_until

TEXT = "멸치 육수 1.2리터, 감자 두 개, 애호박 반 개. 반죽은 냉장고에서 30분 쉬게 하면 훨씬 쫄깃하다.\n#요리 #저녁"
FIRST_SCREEN = """() => {
  const isSeen = element => {
    const { left, top, width, height } = element.getBoundingClientRect();
    const hit = document.elementFromPoint(left + width / 2, top + height / 2);
    return element.checkVisibility({ opacityProperty: true }) && (element.contains(hit) || hit?.contains(element));
  };
  const end = innerWidth < 1024 ? document.querySelector(".tabs").getBoundingClientRect().top : innerHeight;
  const notes = [...document.querySelectorAll(".note")].map(note => note.getBoundingClientRect());
  const controls = document.querySelectorAll("a, button, input:not([type=hidden]), textarea, select, summary");
  return { first: notes[0].top, whole: notes.filter(({ bottom }) => bottom <= end).length,
    controls: [...controls].filter(isSeen).length };
}"""


@pytest.fixture
def tab(window: Window, reader: Reader) -> Tab:
    """Open the list of six notes, "note 5" on top."""
    for number in range(6):
        reader.write(TEXT, f"note {number}")
    return window.open("/notes")


def note(tab: Tab, number: int) -> Locator:
    return tab.get_by_role("article", name=f"note {number}", exact=True)


def test_the_first_screen_holds_notes_and_few_controls(window: Window, tab: Tab) -> None:
    for size, first, whole, most in (("phone", 270, 4, 18), ("desk", 270, 5, 99)):
        window.emulate("light", size)
        window.open("/notes")
        seen = tab.evaluate(FIRST_SCREEN)
        assert seen["first"] <= first, (size, seen)
        assert seen["whole"] >= whole, (size, seen)
        assert seen["controls"] <= most, (size, seen)


def test_on_a_phone_the_views_are_folded_under_the_one_that_is_shown(window: Window, tab: Tab) -> None:
    window.emulate("light", "phone")
    window.open("/notes?tag=요리")
    beside = tab.get_by_role("complementary")
    expect(beside.locator("summary")).to_have_text("#요리 6")
    expect(beside.locator("summary")).to_be_in_viewport()
    expect(beside.get_by_role("link")).to_have_count(0)
    beside.locator("summary").click()
    expect(beside.get_by_role("link", name="#요리")).to_have_attribute("aria-current", "true")
    beside.get_by_role("link", name="All").click()
    expect(beside.locator("summary")).to_have_text("All 6")


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_the_buttons_of_a_note_are_behind_one(
    window: Window, window_without_scripts: Window, reader: Reader, scripts: bool
) -> None:
    for number in range(2):
        reader.write("text", f"note {number}")
    window = window if scripts else window_without_scripts
    window.emulate("light", "phone")
    tab = window.open("/notes")
    pins = [button(tab, f"Pin: note {number}") for number in range(2)]
    for number in range(2):  # the one closes the other
        expect(pins[number]).to_be_hidden()
        button(tab, f"More: note {number}").click()
        expect(pins[number]).to_be_in_viewport(ratio=1)
        expect(pins[1 - number]).to_be_hidden()
    for number in range(2):
        if number:
            tab.keyboard.press("Escape")
        else:
            tab.mouse.click(5, 5)
        expect(pins[1]).to_be_hidden()
        button(tab, "More: note 1").click()
    button(tab, "Move to archive: note 1").click()
    expect(tab.get_by_role("article")).to_have_count(1)


def test_what_has_been_done_is_said_and_undo_is_the_next_stop(window: Window, tab: Tab) -> None:
    said = tab.locator("#said")
    for name, sentence in (
        ("Move to trash", "Moved “note 5” to the trash."),
        ("Move to archive", "Archived “note 5”."),
    ):
        expect(said).to_be_empty()
        note(tab, 5).hover()
        button(tab, f"{name}: note 5").click()
        expect(said).to_have_text(sentence)
        tab.keyboard.press("Tab")
        expect(button(tab, "Undo")).to_be_focused()
        tab.keyboard.press("Enter")
        expect(said).to_have_text(re.compile("note 5"))
        window.open("/notes")


def test_keys_go_through_the_notes_and_act_on_the_one_that_is_reached(tab: Tab, reader: Reader) -> None:
    def name_of(number: int) -> Locator:
        return tab.get_by_role("link", name=f"note {number}", exact=True)

    for key, number in (("j", 5), ("j", 4), ("k", 5), ("k", 5), ("j", 4)):
        tab.keyboard.press(key)
        expect(name_of(number)).to_be_focused()
    tab.keyboard.press("x")
    expect(tab.get_by_role("checkbox", name="Select: note 4")).to_be_checked()
    expect(tab.locator("#said")).to_have_text("1 selected")
    tab.keyboard.press("x")
    expect(tab.locator("#choose")).to_be_hidden()
    tab.locator(":focus").evaluate(
        "(element, key) => element.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...key }))",
        {"key": "ㅓ", "code": "KeyJ"},  # a Korean keyboard
    )
    expect(name_of(3)).to_be_focused()
    tab.keyboard.press("e")
    expect(tab).to_have_url(re.compile(r"/notes/\d+/edit"))
    expect(tab.get_by_label("Title")).to_have_value("note 3")
    tab.go_back()
    for key in ("#", "e", "x"):  # no note has been reached
        tab.keyboard.press(key)
    tab.keyboard.press("j")
    tab.keyboard.press("#")
    expect(tab.locator(".message", has_text="Moved “note 5” to the trash.")).to_be_visible()
    assert len(reader.notes()) == 5
    name_of(4).click()
    expect(tab).to_have_url(re.compile(r"/notes/\d+\?"))
    expect(tab.locator("#open-shortcuts")).to_be_visible()  # the script of the keys shows it
    tab.keyboard.press("e")
    expect(tab).to_have_url(re.compile(r"/notes/\d+/edit"))


def test_a_long_press_chooses_and_a_mouse_finds_a_box(window: Window, tab: Tab) -> None:
    box = tab.get_by_role("checkbox", name="Select: note 4")
    expect(box).to_have_css("opacity", "0")
    note(tab, 4).hover()
    expect(box).to_have_css("opacity", "1")
    box.click()
    expect(tab.locator("#choose")).to_contain_text(re.compile("selected"))
    expect(tab.locator("#said")).to_have_text("1 selected")
    tab.get_by_role("link", name="Select all on this page").click()
    expect(tab.locator("#said")).to_have_text("6 selected")
    tab.get_by_role("link", name="Cancel").click()
    expect(tab.locator("#choose")).to_be_hidden()

    window.emulate("light", "phone")
    place = note(tab, 4).get_by_role("link").bounding_box()
    assert place
    touch = tab.context.new_cdp_session(tab)
    point = {"x": place["x"] + 5, "y": place["y"] + 5}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(box).to_be_checked()
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(tab.locator("#choose")).to_be_visible()
    expect(tab).to_have_url(re.compile("/notes"))
    note(tab, 3).click()  # now a tap chooses too
    expect(tab.locator("#said")).to_have_text("2 selected")


def tap(tab: Tab, place: Locator) -> None:
    """Tap there, whatever it is that gets the tap."""
    box = place.bounding_box()
    assert box
    tab.touchscreen.tap(box["x"] + 5, box["y"] + box["height"] / 2)


def test_with_a_finger_a_note_is_opened_anywhere_and_brought_back_by_its_button(
    windows: Windows, reader: Reader
) -> None:
    note_id = reader.write(TEXT, "note 0")
    window = windows.touched(reader.cookies)
    tab = window.open("/notes")
    text(tab).tap()  # the composer folds, and what was below it moves up, only after the next tap
    for part in ("p:not(.icons)", "footer"):
        tap(tab, note(tab, 0).locator(part))
        expect(tab).to_have_url(re.compile(rf"/notes/{note_id}\b"))
        tab.go_back()
    for opened, name in ((button(tab, "More: note 0"), "Move to archive: note 0"), (None, "Unarchive: note 0")):
        if opened:
            opened.tap()
        else:
            window.open("/notes/archive")
        button(tab, name).tap()
        expect(tab.get_by_role("status").filter(has_text="note 0").first).to_be_visible()
    assert reader.notes() == [TEXT]
    tab.context.close()


def test_without_scripts_several_are_chosen_in_the_list(window_without_scripts: Window, reader: Reader) -> None:
    for number in range(3):
        reader.write("text", f"note {number}")
    window_without_scripts.emulate("light", "desk")
    tab = window_without_scripts.open("/notes")
    bar = tab.locator("#choose")
    tab.get_by_role("link", name="Select notes").click()
    expect(bar).to_be_visible()
    for number in (0, 2):
        note(tab, number).click()
    bar.get_by_role("button", name="Pin", exact=True).click()
    expect(tab.locator(".message", has_text="2 notes pinned.")).to_be_visible()
    tab.get_by_role("link", name="Select notes").click()
    tab.get_by_role("link", name="Select all on this page").click()
    expect(tab.get_by_role("checkbox", checked=True)).to_have_count(3)
    tab.get_by_role("link", name="Cancel").click()
    expect(bar).to_be_hidden()


@pytest.mark.parametrize("parts", [5, 11], ids=["one page", "too long for one page"])
def test_back_from_a_note_leads_to_where_it_stands(window: Window, reader: Reader, parts: int) -> None:
    rows = [{"user_id": reader.id, "title": f"note {number}", "content": TEXT} for number in range(parts * 20 + 11)]
    with reader.app():
        commit(insert(Note).values(rows))
    tab = window.open("/notes")
    for number in range(parts):
        tab.get_by_role("link", name="Show older notes").click()
        expect(tab.get_by_role("article")).to_have_count(min((number + 2) * 20, len(rows)))
    opened = tab.get_by_role("link", name="note 7", exact=True)
    for back in (tab.go_back, lambda: tab.locator(".back").click()):
        opened.click()
        expect(tab.get_by_role("heading", name="note 7")).to_be_visible()
        back()
        expect(opened).to_be_in_viewport()
    opened.click()
    tab.get_by_role("link", name="Edit").click()
    tab.get_by_role("button", name="Save").click()
    tab.locator(".back").click()
    expect(opened).to_be_in_viewport()


CORNER = """row => { const { right, bottom } = row.getBoundingClientRect(); return [right - 8, bottom - 4]; }"""


def test_a_task_answers_on_its_whole_line_but_for_its_links(window: Window, reader: Reader) -> None:
    note_id = reader.write("- [ ] 우유\n- [ ] see [this](https://example.com/) now\n- [ ] " + "긴 줄 " * 60)
    for size in ("phone", "desk"):
        window.emulate("light", size)
        tab = window.open(f"/notes/{note_id}")
        tasks = tab.locator(".markdown li")
        for number in range(3):
            row = tasks.nth(number)
            wait_until(partial(is_settled, tab), "the one before is stored")
            wait_until(partial(row.evaluate, "row => row.offsetHeight >= 44"), "there is room for a finger")
            box = row.get_by_role("button")
            was = box.get_attribute("aria-pressed")
            tab.mouse.click(*row.evaluate(CORNER))
            expect(box).not_to_have_attribute("aria-pressed", was or "")
        wait_until(partial(is_settled, tab), "all are stored")
        posts = posts_of(tab)
        tab.route("https://example.com/**", lambda route: route.fulfill(body="<title>this</title>"))
        tab.get_by_role("link", name="this").click()
        expect(tab).to_have_url("https://example.com/")
        assert not posts


def test_a_click_on_nothing_draws_no_line(window: Window, tab: Tab) -> None:
    tab.mouse.click(1000, 880)
    tab.get_by_role("main").click(position={"x": 2, "y": 2})
    tab.keyboard.press("Shift")
    expect(tab.get_by_role("main")).to_have_css("outline-style", "none")


def test_no_tag_is_broken_behind_its_sign(window: Window, reader: Reader) -> None:
    note_id = reader.write(f"{'가나다라 ' * 9}#달빛아래 {'마바사 ' * 9}#책 #{'책' * 30}", "제목")
    for path in (f"/notes/{note_id}", "/notes"):
        for width in range(NARROWEST, 420, 20):
            window.set_width(width)
            tab = window.open(path)
            for tag in tab.locator(".markdown a, .note footer bdi").all():
                assert tag.evaluate(BROKEN) is False, (path, width, tag.inner_text())
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


# True if the sign and the letter behind it stand on two lines.
BROKEN = """tag => {
  const text = document.createTreeWalker(tag, NodeFilter.SHOW_TEXT).nextNode(), range = new Range();
  const top = at => { range.setStart(text, at); range.setEnd(text, at + 1); return range.getBoundingClientRect().top; };
  return Math.abs(top(0) - top(1)) > 5;
}"""


def test_a_page_is_named_by_what_it_shows(window: Window, tab: Tab) -> None:
    for path, name in (
        ("/notes", "Notes · "),
        ("/notes?tag=요리", "#요리 · Notes · "),
        ("/notes?q=note", "note · Notes · "),
        ("/notes?q=nothing", "nothing · Notes · "),
    ):
        window.open(path)
        expect(tab).to_have_title(re.compile(f"^{name}"))
    tab.get_by_role("searchbox").fill("")
    expect(tab).to_have_title(re.compile("^Notes"))
    tab.get_by_role("searchbox").fill("감자")
    expect(tab).to_have_title(re.compile("^감자 · Notes"))
