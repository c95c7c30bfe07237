"""One style of days, times and numbers: what app/web/formats.py writes, and that nothing else formats a day or time."""

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import jinja2
import pytest
import time_machine
from flask import Flask
from jinja2 import nodes

from app.web import formats, locale

APP = Path(__file__).parents[2] / "app"
MOMENT = datetime(2026, 11, 21, 17, 4, tzinfo=UTC)
DAY = date(2026, 11, 22)
MORNING = datetime(2026, 11, 21, 5, 4, tzinfo=UTC)

STYLE = {
    ("day", DAY): ("Nov 22", "11월 22일"),
    ("day", date(2025, 3, 1)): ("Mar 1, 2025", "2025년 3월 1일"),
    ("deadline", DAY): ("Sun, Nov 22", "11월 22일 (일)"),
    ("deadline", date(2025, 3, 1)): ("Sat, Mar 1, 2025", "2025년 3월 1일 (토)"),
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
