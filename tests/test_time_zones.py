"""IANA's time zones: their names, and their list in the reader's language."""

import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from app.time_zones import clock, names, of_no_region, regions, resolved
from environment.values import ConfigError, require_time_zones

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
