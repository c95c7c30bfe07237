"""Try what all pages share: navigation, messages, errors of forms, theme, paper, and weight.

On a slow phone, the bytes are the waiting time.
"""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import Response, expect

from tests.browser.controls import button, text
from tests.browser.pages import FULL
from tests.browser.site import Reader, Site
from tests.browser.window import NARROWEST, SCHEMES, Window, Windows
from tests.samples import samples
from tests.waiting import wait_until

MAGNIFIED = {"width": NARROWEST, "height": 256}  # CSS pixels: 1280 x 1024 at 400 % (WCAG 1.4.10)
PHONE = {"width": 390, "height": 844}
ON_ITS_SIDE = {"width": 844, "height": 390}
HOUR = 3_600_000  # milliseconds

# How much of the window stands still while the page is scrolled, in percent of its height.
COVERED = """() => {
  scrollTo(0, document.body.scrollHeight / 2);
  const { top, bottom, position } = { ...document.querySelector(".tabs").getBoundingClientRect().toJSON(),
    position: getComputedStyle(document.querySelector(".tabs")).position };
  return position === "fixed" ? Math.round(100 * (Math.min(bottom, innerHeight) - top) / innerHeight) : 0;
}"""
# Whether the last line of a field can be seen, and is not behind something that stands still.
IS_ON_TOP = """field => {
  const { left, bottom } = field.getBoundingClientRect();
  return document.elementFromPoint(left + 9, bottom - 9) === field;
}"""
MIDDLE = "element => { const { top, bottom } = element.getBoundingClientRect(); return (top + bottom) / 2 }"
PAPER = "getComputedStyle(document.body).backgroundColor"

STATIC = Path(__file__).parents[2] / "app/static"
STATIC_LIMIT = 60 * 1024  # bytes, of all files together
FIRST_PAGE_LIMIT = 20 * 1024
# A browser without a window asks for neither icon nor manifest.
NAMED = "[...document.querySelectorAll('link[rel=manifest], link[rel=icon]')].map(link => link.href)"


def resize(tab: Tab, size: dict[str, int]) -> None:
    tab.set_viewport_size({"width": size["width"], "height": size["height"]})


def test_the_navigation_covers_little_of_the_page(window: Window) -> None:
    for path in ("/mypage", "/notes"):
        tab = window.open(path)
        for size, most in ((PHONE, 10), (ON_ITS_SIDE, 0), (MAGNIFIED, 0)):
            resize(tab, size)
            assert tab.evaluate(COVERED) <= most, path
            expect(tab.get_by_role("navigation", name="Main").get_by_role("link", name="Todos")).to_be_visible()


def test_on_a_magnified_page_text_is_seen_and_a_wide_table_scrolls_by_itself(window: Window, reader: Reader) -> None:
    columns = 20
    table = "\n".join("|".join(cells) for cells in (["column"] * columns, ["-"] * columns, ["word"] * columns))
    resize(window.tab, MAGNIFIED)
    field = text(window.open("/notes"))
    field.fill("반달\n" * 300)
    field.evaluate("field => field.scrollIntoView({ block: 'end' })")
    assert field.evaluate(IS_ON_TOP)
    tab = window.open(f"/notes/{reader.write(table)}")
    expect(tab.get_by_role("cell")).to_have_count(columns)
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROWEST


def test_a_message_stays_until_it_is_closed_or_undone(window: Window, reader: Reader) -> None:
    reader.write("text", "old")
    window.tab.clock.install()
    tab = window.open("/notes")
    resize(tab, PHONE)
    message = tab.locator(".message", has_text="Moved “old” to the trash.")
    close = tab.get_by_role("link", name="Close message")
    undo = button(tab, "Undo")
    button(tab, "More: old").click()
    button(tab, "Move to trash: old").click()
    tab.clock.run_for(HOUR)
    expect(message).to_be_visible()
    middles = [element.evaluate(MIDDLE) for element in (message.locator(".words"), undo, close)]
    assert max(middles) - min(middles) < 12, "all stand in one line: half a line of CSS pixels"
    undo.click()
    expect(message).to_have_count(0)
    expect(tab.locator(".message", has_text="“old” restored.")).to_be_visible()
    expect(tab.get_by_role("article")).to_have_count(1)

    button(tab, "More: old").click()
    button(tab, "Move to trash: old").click()
    expect(message).to_be_visible()
    tab.evaluate("window.isStillHere = true")
    close.click()
    expect(message).to_have_count(0)
    expect(tab).to_have_url(re.compile("/notes$"))
    assert tab.evaluate("window.isStillHere")
    expect(tab.get_by_role("main")).to_be_focused()


def test_a_refused_form_says_so_first_and_leads_to_the_field(window: Window, site: Site) -> None:
    tab = window.tab
    tab.context.clear_cookies()
    window.open(f"/sign-up/{site.ids['sign_up_token']}")
    nickname, password = tab.get_by_label("Nickname"), tab.get_by_label("Password", exact=True)
    nickname.fill("half\u200b")
    password.fill("1234567890")
    tab.get_by_role("button", name="Create an account").click()
    summary = tab.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("link")).to_have_count(2)
    summary.get_by_role("link", name="Password: These are letters or keys in a row").press("Enter")
    expect(password).to_be_focused()
    expect(password).to_have_value("")
    summary.get_by_role("link", name="Nickname: Please use visible characters.").press("Enter")
    expect(nickname).to_be_focused()
    expect(nickname).to_have_value("half\u200b")
    expect(nickname).to_have_attribute("aria-invalid", "true")
    [refusal] = window.console_errors()
    assert "422" in refusal


def test_a_form_that_is_under_way_says_so(window: Window) -> None:
    tab = window.open("/mypage/edit")
    tab.route("**/mypage/nickname", lambda route: None)  # the answer never comes
    save = tab.get_by_label("Nickname").locator("xpath=ancestor::form").get_by_role("button", name="Save")
    # Asked in the page itself, since Playwright waits for the next page as soon as one is under way.
    told = save.evaluate("""button => new Promise(told => {
      button.click();
      new MutationObserver(() => told(button.ariaBusy)).observe(button, { attributes: true });
    })""")
    assert told == "true"


def theme(tab: Tab) -> str | None:
    return next((each["value"] for each in tab.context.cookies() if each.get("name") == "theme"), None)


def choose(tab: Tab, name: str) -> None:
    tab.get_by_role("contentinfo").get_by_role("button", name=name, exact=True).click()


def test_the_colours_change_at_once_and_nothing_typed_is_lost(window: Window, site: Site) -> None:
    tab = window.open(f"/sign-up/{site.ids['sign_up_token']}")
    typed = tab.get_by_label("Nickname")
    typed.fill("not sent yet")
    light = tab.evaluate(PAPER)
    tab.evaluate("window.isStillHere = true")
    choose(tab, "Dark")
    expect(tab.locator("body")).not_to_have_css("background-color", light)
    expect(tab.get_by_role("contentinfo").locator("form")).to_be_focused()  # its place, but no other button
    expect(typed).to_have_value("not sent yet")
    assert tab.evaluate("window.isStillHere")
    wait_until(lambda: theme(tab) == "dark", "it is remembered")

    dark = tab.evaluate(PAPER)
    window.open("/todos")
    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
    expect(tab.locator("body")).to_have_css("background-color", dark)

    window.open("/mypage")
    choose(tab, "System theme")
    expect(tab.locator("body")).to_have_css("background-color", light)
    wait_until(lambda: theme(tab) != "dark", "it is forgotten")

    choose(tab, "Light")
    tab.emulate_media(color_scheme="dark")
    expect(tab.locator("body")).to_have_css("background-color", light)  # the choice wins over the device
    wait_until(lambda: theme(tab) == "light", "it is remembered")


# Of the flat parts of a page: what frames them, and their paper.
FLAT = """element => {
  const { borderTopWidth, boxShadow, outlineStyle } = getComputedStyle(element);
  return [borderTopWidth, boxShadow, outlineStyle, getComputedStyle(element).backgroundColor];
}"""
PLAIN = ["0px", "none", "none"]
SUNK = "rgb(229, 236, 232)"


def test_a_second_button_is_sunk_and_has_no_border(window: Window) -> None:
    for path, name, paper in (
        ("/mypage", "Sign out", SUNK),
        ("/mypage/edit", "Change password", SUNK),
        ("/mypage/devices", re.compile("Sign out$"), SUNK),
        ("/sign-in", "Sign in", "rgb(11, 102, 80)"),
    ):
        found = window.open(path).get_by_role("button", name=name, exact=True)
        assert found.evaluate(FLAT) == [*PLAIN, paper], path


def test_main_has_no_line_around_it_when_it_has_the_focus(window: Window) -> None:
    for path in ("/notes", "/todos", "/mypage"):
        tab = window.open(path)
        tab.keyboard.press("Tab")  # from here on a focus by script is drawn
        main = tab.get_by_role("main")
        main.focus()
        expect(main).to_be_focused()
        assert main.evaluate(FLAT)[2] == "none", path


def test_the_sun_of_a_stranger_is_small_on_a_phone(windows: Windows) -> None:
    window = windows.fresh("ko")
    window.emulate("light", "phone")
    for path in ("/", "/sign-in", "/sign-up", "/forgot-password"):
        tab = window.open(path)
        sky, sun = (tab.locator(part).bounding_box() for part in (".sky", ".sky .glow"))
        assert sky
        assert sun
        assert (round(sky["height"]), round(sun["width"])) == (96, 96), path
    window.tab.context.close()


def test_the_landing_page_shows_the_product_by_day_and_by_night(windows: Windows) -> None:
    window = windows.fresh("en")
    tab = window.open("/")
    for scheme in SCHEMES:
        window.emulate(scheme, "phone")
        papers = [half.evaluate(FLAT)[3] for half in tab.locator(".shown section").all()]
        assert papers == ["rgb(241, 245, 243)", "rgb(14, 22, 20)"], scheme
    window.tab.context.close()


CONTROLS = "nav, input:not([type=checkbox]), textarea, select, button:not(.tick, [name=task]), .button"
PRINTED = {
    "/todos": ["11. milk", "책 반납", "Done"],
    "/notes": ["두 창에서 고친 메모", "Markdown", "Pinned"],
    "/notes/{markdown}": ["제목", "인용", "code"],
    "/notes/trash": ["to throw away"],
    "/s/{link}": ["제목", "인용", "code", "Last edited"],
    **{each.pages[0]: [] for each in samples()},
    "/mypage": ["Last 26 weeks", "Account history"],
}


@pytest.fixture
def paper(windows: Windows) -> Iterator[Window]:
    window = windows.of(FULL, "en")
    window.emulate("dark", "desk")
    window.tab.emulate_media(media="print")
    yield window
    window.tab.emulate_media(media="screen")


def test_the_text_of_each_page_is_printed_and_its_controls_are_not(site: Site, paper: Window) -> None:
    for path, texts in PRINTED.items():
        tab = paper.open(path.format_map(site.ids))
        for printed in texts:
            expect(tab.get_by_text(printed).locator("visible=true").first).to_be_visible()
        assert tab.locator(CONTROLS).locator("visible=true").count() == 0, path
        assert tab.evaluate(PAPER) == "rgba(0, 0, 0, 0)", path
        assert tab.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light", path
    paper.open("/todos")
    colours = [
        tab.locator(f".tick[aria-pressed={pressed}] .icon").first.evaluate("icon => getComputedStyle(icon).color")
        for pressed in ("true", "false")
    ]
    # Done todos have a tick of the colour of ink, since browsers leave out what is behind it.
    assert colours == ["rgb(18, 33, 28)", "rgba(0, 0, 0, 0)"]


def weight(content: bytes) -> int:
    return len(gzip.compress(content, compresslevel=9))


@pytest.mark.smoke
def test_all_static_files_together_are_light() -> None:
    weights = {path: weight(path.read_bytes()) for path in STATIC.rglob("*") if path.is_file()}
    listing = "\n".join(f"{size:6} {path.relative_to(STATIC)}" for path, size in weights.items())
    assert 0 < sum(weights.values()) <= STATIC_LIMIT, listing


def loaded(tab: Tab, url: str) -> dict[str, int]:
    """Return the URL of all that the page loads and names, with the weight of its body."""
    answers: list[Response] = []
    tab.on("response", lambda answer: answers.append(answer))
    tab.goto(url, wait_until="networkidle")
    bodies = {answer.url: answer.body() for answer in answers}
    for named in tab.evaluate(NAMED):
        bodies[named] = tab.request.get(named).body()
        if named.endswith(".webmanifest"):
            for icon in json.loads(bodies[named])["icons"]:
                address = urljoin(named, icon["src"])
                bodies[address] = tab.request.get(address).body()
    return {url: weight(body) for url, body in bodies.items()}


@pytest.mark.smoke
def test_a_strangers_first_page_is_light(windows: Windows) -> None:
    for path in ("/", "/sign-up", "/sign-up/{sign_up_token}", "/sign-in"):
        tab = windows.fresh("ko").tab  # with an empty cache; Korean takes more bytes
        weights = loaded(tab, windows.site.service.url + path.format_map(windows.site.ids))
        tab.context.close()
        listing = "\n".join(f"{size:6} {url}" for url, size in weights.items())
        assert any(".css" in url for url in weights), listing
        assert any("icon-512" in url for url in weights), listing
        assert sum(weights.values()) <= FIRST_PAGE_LIMIT, f"{path}: {sum(weights.values())}\n{listing}"
