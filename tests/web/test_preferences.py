"""Language, theme, shortcuts; every sentence in Korean; one style of days, times and numbers; and the time zones."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import pytest
import time_machine
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask
from jinja2 import nodes

from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import db
from app.time_zones import clock, names, of_no_region, regions, resolved
from app.todos import service as todos
from app.web import formats, locale
from environment.values import ConfigError, require_time_zones
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
    assert 'href="/todos?show=open&amp;sort=due" data-close' in signed_in.get("/todos?show=open&sort=due").text
    page = signed_in.get("/mypage?a=1&b=2").text
    assert '<input type="hidden" name="next" value="/mypage?a=1&amp;b=2">' in page


def test_who_is_signed_in_finds_language_theme_and_sign_out_on_my_page_alone(
    client: Visitor, signed_in: Visitor
) -> None:
    for path in ("/", "/sign-in", "/sign-up", "/forgot-password", "/nothing/here"):
        page = client.get(path).text
        assert (page.count('action="/preferences"'), "/sign-out" in page) == (1, False), path
    for path in ("/notes", "/notes/trash", "/todos", "/wordcounts", "/mypage/edit", "/mypage/import", "/nothing/here"):
        page = signed_in.get(path).text
        assert (page.count('action="/preferences"'), "/sign-out" in page) == (0, False), path
    page = signed_in.get("/mypage").text
    assert (page.count('action="/preferences"'), page.count("/sign-out")) == (1, 1)


def test_the_language_of_the_account_applies_on_every_device_of_it_alone(app: Flask, alice: User, bob: User) -> None:
    assert browser_of(app, alice).submit("/preferences", language="ko").status_code == 302
    other = browser_of(app, alice)
    other.set_cookie("language", "en")
    assert language_of(other.get("/notes", headers=ENGLISH).text) == "ko"
    assert language_of(browser_of(app, bob).get("/notes", headers=ENGLISH).text) == "en"


def test_an_error_page_uses_the_chosen_language(app: Flask, alice: User) -> None:
    accounts.change_settings(alice.id, language="ko")
    browser = browser_of(app, alice)
    assert language_of(browser.get("/notes/999", headers=ENGLISH).text) == "ko"
    browser.submit("/preferences", language="ko")
    assert language_of(browser.get("/nothing", headers=ENGLISH).text) == "ko"


def test_the_theme_is_set_on_the_html_element(client: Visitor) -> None:
    assert '<html lang="en">' in client.get("/").text
    assert client.submit("/preferences", theme="dark", next="//evil.example").location == "/"
    assert '<html lang="en" data-theme="dark">' in client.get("/").text
    assert 'data-theme="dark"' in client.get("/nothing").text
    client.submit("/preferences", theme="auto")
    assert '<html lang="en">' in client.get("/").text


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


def forms(of_message: Any) -> tuple[str, ...]:
    """Return a sentence, or its singular and its plural. Korean has one form for both."""
    return (of_message,) if isinstance(of_message, str) else tuple(of_message)


def korean_of(catalog: Catalog) -> dict[str, str]:
    return {form: forms(message.string)[0] for message in catalog if message.id for form in forms(message.id)}


with (CATALOG / "messages.po").open("rb") as file:
    WRITTEN = korean_of(read_po(file))
with (CATALOG / "messages.mo").open("rb") as file:
    COMPILED = korean_of(read_mo(file))


def messages_in_the_code() -> set[str]:
    method_map = [(mapping["pattern"], mapping["method"]) for mapping in MAPPINGS]
    keywords = {**DEFAULT_KEYWORDS, "lazy_gettext": None}
    within = str(ROOT / "app")
    found = extract_from_dir(
        str(ROOT), method_map, keywords=keywords, directory_filter=lambda folder: folder.startswith(within)
    )
    return {form for _, _, message, _, _ in found for form in forms(message)}


def test_every_message_is_translated_and_no_translation_is_unused() -> None:
    assert messages_in_the_code() == {sentence for sentence, korean in WRITTEN.items() if korean}


def test_the_compiled_catalog_matches_its_source() -> None:
    assert COMPILED == WRITTEN


def test_a_translation_has_the_placeholders_of_its_message() -> None:
    for sentence, korean in WRITTEN.items():
        blanks = re.findall(r"%\(\w+\)\w", sentence)
        assert sorted(blanks) == sorted(re.findall(r"%\(\w+\)\w", korean)), sentence


def test_a_korean_browser_gets_korean_and_one_of_another_language_english(client: Visitor) -> None:
    page = client.get("/sign-in", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}).text
    assert '<html lang="ko">' in page
    assert "이 기기에서 로그인 유지" in page
    assert '<html lang="en">' in client.get("/sign-in", headers={"Accept-Language": "fr"}).text


APP = Path(__file__).parents[2] / "app"
MOMENT = datetime(2026, 11, 21, 17, 4, tzinfo=UTC)
DAY = date(2026, 11, 22)
MORNING = datetime(2026, 11, 21, 5, 4, tzinfo=UTC)

STYLE = {
    ("day", DAY): ("Nov 22", "11월 22일"),
    ("day", date(2025, 3, 1)): ("Mar 1, 2025", "2025년 3월 1일"),
    ("deadline", DAY): ("Sun, Nov 22", "11월 22일(일)"),
    ("deadline", date(2025, 3, 1)): ("Sat, Mar 1, 2025", "2025년 3월 1일(토)"),
    ("month", DAY): ("November 2026", "2026년 11월"),
    ("month", datetime(2026, 11, 30, 17, tzinfo=UTC)): ("December 2026", "2026년 12월"),  # where the reader is
    ("short_month", DAY): ("Nov", "11월"),
    ("weekday", DAY): ("Sun", "일"),
    ("time_of_day", MOMENT): ("2:04 AM", "오전 2:04"),
    ("time_of_day", MOMENT + timedelta(hours=10)): ("12:04 PM", "오후 12:04"),
    ("date_and_time", MOMENT): ("Nov 22, 2:04 AM", "11월 22일 오전 2:04"),
    ("date_and_time", datetime(2025, 3, 1, 5, 0, tzinfo=UTC)): ("Mar 1, 2025, 2:00 PM", "2025년 3월 1일 오후 2:00"),
    ("timestamp", MOMENT): ("2026-11-21T17:04Z", "2026-11-21T17:04Z"),
    ("duration", 180): ("3 minutes", "3분"),
    ("duration", 3600): ("1 hour", "1시간"),
    ("duration", 20): ("20 seconds", "20초"),
}

# What would write a day or a time in a style of its own. `isoformat` is for programs: files, JSON, parameters of a URL.
WRITERS = {"strftime", "ctime", "format_date", "format_time", "format_datetime", "format_timedelta", "format_interval",
           "format_skeleton"}  # fmt: skip


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "today", lambda: DAY)


@pytest.mark.usefixtures("today")
def test_a_day_or_time_is_written_in_one_style(app: Flask) -> None:
    for number, language in enumerate(("en", "ko")):
        with app.test_request_context(headers={"Accept-Language": language, "Cookie": "time_zone=Asia/Seoul"}):
            for (name, value), shown in STYLE.items():
                written = getattr(formats, name)(value)
                assert (name, " " in written) != ("deadline", True), "it is one word for the line break"
                assert written.replace("\N{NO-BREAK SPACE}", " ") == shown[number], (name, value)


def test_each_filter_of_days_and_times_has_its_style_here(app: Flask) -> None:
    own = {name for name, function in app.jinja_env.filters.items() if function is getattr(formats, name, None)}
    assert own - {name for name, _ in STYLE} == {"ago", "day_name", "number", "percent"}


@pytest.mark.usefixtures("today")
def test_a_moment_is_in_utc_and_says_so_while_the_readers_zone_is_not_known(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert formats.date_and_time(MOMENT) == "Nov 21, 5:04 PM UTC"


def test_a_past_moment_is_relative_for_a_week_and_a_day_after_that(app: Flask) -> None:
    now = datetime.now(UTC)
    with app.test_request_context(headers={"Accept-Language": "ko"}), time_machine.travel(now, tick=False):
        shown = [formats.ago(now - past) for past in (timedelta(0), timedelta(minutes=5), timedelta(days=3))]
        assert shown == ["방금", "5분 전", "3일 전"]
        week_ago = now - timedelta(days=7)
        assert formats.ago(week_ago) == formats.day(locale.local_day(week_ago))


def test_yesterday_today_and_tomorrow_have_names(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ko"}):
        today = locale.today()
        names = [formats.day_name(today + timedelta(days)) for days in (-2, -1, 0, 1, 2)]
    assert names == [None, "어제", "오늘", "내일", None]


def test_the_time_zone_comes_from_the_cookie(app: Flask) -> None:
    for zone, shown in (("America/New_York", "12:04 AM"), ("Asia/Saigon", "12:04 PM"), ("no/where", "5:04 AM")):
        with app.test_request_context(headers={"Accept-Language": "en", "Cookie": f"time_zone={zone}"}):
            assert formats.time_of_day(MORNING) == shown, zone


def test_numbers_and_percentages_have_separators(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "ko"}):
        written = [formats.number(value) for value in (0, 999, 1000, 1234567, -1284)]
        assert written == ["0", "999", "1,000", "1,234,567", "-1,284"]
        assert [formats.percent(value) for value in (0, 63.6, 100)] == ["0%", "64%", "100%"]
        assert [formats.percent(value, 2) for value in (0.004, 7.428, 1284.5)] == ["0.00%", "7.43%", "1,284.50%"]


def own_style(code: str) -> set[str]:
    """Return what a source calls, imports or writes in an f-string to format a day or a time by itself."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) if name in WRITERS:
                found.add(name)
            case ast.FormattedValue(format_spec=ast.JoinedStr(values=[ast.Constant(value=str(spec)), *_])):
                found |= {spec} if "%" in spec and spec != "%" else set()
    return found


def test_no_code_but_the_filters_formats_a_day_or_time() -> None:
    sources = [path for path in APP.rglob("*.py") if path != APP / "web/formats.py"]
    assert [path for path in sources if own_style(path.read_text())] == []
    assert [code for code in ("f'{day:%d}'", "day.strftime('')", "import format_date") if not own_style(code)] == []


def raw_days(template: str) -> Iterator[str]:
    """Yield the names of days and moments that a template writes without a filter, other than into an attribute."""
    tree = jinja2.Environment(autoescape=True).parse(template)
    for output in tree.find_all(nodes.Output):
        before = ""
        for node in output.nodes:
            name = node.attr if isinstance(node, nodes.Getattr) else node.name if isinstance(node, nodes.Name) else ""
            if (name == "day" or name.endswith(("_at", "_on", "_day"))) and not before.endswith('="'):
                yield name
            before = node.data if isinstance(node, nodes.TemplateData) else ""
    yield from (node.attr for node in tree.find_all(nodes.Getattr) if node.attr in WRITERS | {"isoformat"})


def test_no_template_writes_a_day_without_a_filter() -> None:
    assert [path for path in (APP / "templates").rglob("*.*") if list(raw_days(path.read_text()))] == []
    assert list(raw_days("{{ a.created_at }} <b>{{ day }}</b> {{ day.strftime() }}")) == [
        "created_at",
        "day",
        "strftime",
    ]


WINTER, SUMMER = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)


def labels(language: str, now: datetime) -> dict[str, str]:
    return {name: label for _, places in regions(language, now) for name, label in places}


def test_every_name_is_a_zone_also_where_the_machine_has_none() -> None:
    require_time_zones()  # as each start does: from now on they are looked for in the package alone
    assert {ZoneInfo.no_cache(name).key for name in names()} == names()
    assert len(names()) > 400


def test_a_machine_without_them_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    with pytest.raises(ConfigError, match=r"no usable time zone data; install it with: .* requirements\.txt$"):
        require_time_zones()


def test_a_name_of_before_is_resolved_to_its_place() -> None:
    links = {"Asia/Calcutta": "Asia/Kolkata", "US/Eastern": "America/New_York", "ROK": "Asia/Seoul", "Etc/UTC": "UTC"}
    assert {link: resolved(link) for link in links} == links
    assert not links.keys() & names()
    assert set(links.values()) <= names()


def test_a_place_stays_and_what_is_none_is_left_to_the_caller() -> None:
    assert [name for name in ("UTC", "Europe/Amsterdam") if resolved(name) != name or name not in names()] == []
    for name in ("", "../etc/passwd", "Etc/GMT+5", "asia/calcutta"):
        assert resolved(name) == name
        assert name not in names()


def test_every_clock_in_use_is_listed() -> None:
    shown = {clock(ZoneInfo(name)) for name in labels("en", WINTER)}
    assert {name for name in names() if clock(ZoneInfo(name)) not in shown} == set()


def test_a_district_is_listed_only_for_a_clock_that_its_country_has_nowhere_else() -> None:
    listed = set(labels("en", WINTER))
    assert {name for name in listed if name.count("/") == 2} == {"America/Argentina/Buenos_Aires"}
    assert {"America/New_York", "America/Detroit"} <= listed  # two cities of one clock are no districts


def test_every_time_zone_is_listed_once_and_is_valid_from_west_to_east() -> None:
    [europe] = [places for region, places in regions("en", WINTER) if region == "Europe"]
    assert (europe[0][0], europe[-1][0]) == ("Europe/Dublin", "Europe/Ulyanovsk")
    listed = [name for _, places in regions("en", WINTER) for name, _ in places]
    assert len(listed) == len(set(listed)) > 390
    assert set(listed) <= names()
    assert all(of_no_region(name) == ["UTC"] for name in listed)
    assert of_no_region("America/Indiana/Knox") == ["UTC", "America/Indiana/Knox"]


@pytest.mark.parametrize(
    ("name", "language", "now", "label"),
    [
        ("Asia/Seoul", "ko", WINTER, "서울 (UTC+9)"),
        ("Asia/Ho_Chi_Minh", "ko", WINTER, "호찌민 (UTC+7)"),
        ("America/New_York", "en", WINTER, "New York (UTC−5)"),
        ("America/New_York", "en", SUMMER, "New York (UTC−4)"),
        ("America/St_Johns", "en", WINTER, "St. John’s (UTC−3:30)"),
        ("Pacific/Chatham", "en", SUMMER, "Chatham (UTC+12:45)"),
    ],
)
def test_a_label_is_the_readers_with_the_current_offset(name: str, language: str, now: datetime, label: str) -> None:
    assert labels(language, now)[name] == label
