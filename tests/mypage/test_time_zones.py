"""The list of IANA time zones, labelled in the reader's language."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.mypage.time_zones import clock, of_no_region, regions
from app.web.locale import time_zones

WINTER, SUMMER = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)


def labels(language: str, now: datetime) -> dict[str, str]:
    return {name: label for _, places in regions(language, now) for name, label in places}


def test_every_clock_in_use_is_listed() -> None:
    shown = {clock(ZoneInfo(name)) for name in labels("en", WINTER)}
    assert {name for name in time_zones() if clock(ZoneInfo(name)) not in shown} == set()


def test_a_district_is_listed_only_for_a_clock_that_its_country_has_nowhere_else() -> None:
    names = set(labels("en", WINTER))
    assert {name for name in names if name.count("/") == 2} == {"America/Argentina/Buenos_Aires"}
    assert {
        "America/New_York",
        "America/Detroit",
        "America/Sao_Paulo",
    } <= names  # two cities of one clock are no districts


def test_every_time_zone_is_listed_once_and_is_valid() -> None:
    names = [name for _, places in regions("en", WINTER) for name, _ in places]
    assert len(names) == len(set(names)) > 390
    assert set(names) <= time_zones()
    assert all(of_no_region(name) == ["UTC"] for name in names)
    assert of_no_region("Asia/Calcutta") == ["UTC", "Asia/Calcutta"]


@pytest.mark.parametrize(
    ("name", "language", "now", "label"),
    [
        ("Asia/Seoul", "ko", WINTER, "서울 (UTC+9)"),
        ("Asia/Kolkata", "ko", WINTER, "콜카타 (UTC+5:30)"),
        ("Asia/Ho_Chi_Minh", "ko", WINTER, "호찌민 (UTC+7)"),
        ("America/New_York", "en", WINTER, "New York (UTC−5)"),
        ("America/New_York", "en", SUMMER, "New York (UTC−4)"),
        ("America/Argentina/Buenos_Aires", "en", WINTER, "Buenos Aires (UTC−3)"),
        ("America/St_Johns", "en", WINTER, "St. John’s (UTC−3:30)"),
        ("Europe/London", "en", WINTER, "London (UTC+0)"),
        ("Pacific/Chatham", "en", SUMMER, "Chatham (UTC+12:45)"),
    ],
)
def test_a_place_is_labelled_in_the_readers_language_with_its_current_offset(
    name: str, language: str, now: datetime, label: str
) -> None:
    assert labels(language, now)[name] == label


def test_time_zones_are_sorted_from_west_to_east() -> None:
    [europe] = [places for region, places in regions("en", WINTER) if region == "Europe"]
    assert (europe[0][0], europe[-1][0]) == ("Europe/Dublin", "Europe/Ulyanovsk")
