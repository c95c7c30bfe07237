"""Times and numbers are formatted in the reader's language and time zone."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask

from app.web import formats, locale

MOMENT = datetime(2026, 11, 21, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("America/New_York", "12:04 AM"),
        ("Asia/Seoul", "2:04 PM"),
        ("Asia/Saigon", "12:04 PM"),
        ("Europe/Kiev", "7:04 AM"),
        ("no/where", "5:04 AM"),
    ],
)
def test_the_time_zone_comes_from_the_cookie(app: Flask, zone: str, shown: str) -> None:
    with app.test_request_context(headers={"Accept-Language": "en", "Cookie": f"time_zone={zone}"}):
        assert formats.time_of_day(MOMENT) == shown


def test_the_local_day_depends_on_the_readers_time_zone(app: Flask) -> None:
    late = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
    for zone, there in (("Asia/Seoul", date(2026, 11, 22)), ("America/New_York", date(2026, 11, 21))):
        with app.test_request_context(headers={"Cookie": f"time_zone={zone}"}):
            assert locale.local_day(late) == there


@pytest.mark.parametrize("language", ["en", "ko"])
def test_numbers_and_percentages_are_formatted_in_the_readers_locale(app: Flask, language: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        assert [formats.number(value) for value in (0, 999, 1000, 1234567, -1284)] == [
            "0",
            "999",
            "1,000",
            "1,234,567",
            "-1,284",
        ]
        assert [formats.percent(value) for value in (0, 63.6, 100)] == ["0%", "64%", "100%"]
        assert [formats.percent(value, 2) for value in (0.004, 7.428, 1284.5)] == ["0.00%", "7.43%", "1,284.50%"]
