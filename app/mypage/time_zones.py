"""The time zones that a reader chooses from: IANA's places, by region, named by Unicode's locale data.

IANA's zone.tab has a place for every clock of every country. Any other valid name, such as the old Asia/Calcutta, may
still be an account's choice and is then shown on top of the list.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.core import Locale, get_global

from app.web.locale import time_zones

# Korean names that Unicode's data lack or still write in an old way.
RENAMED = {
    ("America/Coyhaique", "ko"): "코이아이케",
    ("America/Nuuk", "ko"): "누크",
    ("America/Vancouver", "ko"): "밴쿠버",
    ("Asia/Ho_Chi_Minh", "ko"): "호찌민",
    ("Asia/Yangon", "ko"): "양곤",
    ("Europe/Kyiv", "ko"): "키이우",
}


def regions(language: str, now: datetime) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each region with its zones as (IANA name, "Seoul (UTC+9)"), from west to east.

    Args:
        language: of the places' names, "ko" or "en".
        now: an aware datetime; offsets change with summer time.
    """
    for region, zones in listed_zones().items():
        by_offset = sorted((now.astimezone(zone).utcoffset() or timedelta(), zone.key) for zone in zones)
        yield region, [(name, f"{place(name, language)} ({utc(offset)})") for offset, name in by_offset]


@cache
def listed_zones() -> dict[str, tuple[ZoneInfo, ...]]:
    """Region: its zones. Leaves out those that are newer than this system's data. Cached: each zone is a file."""
    table = (files("pytz") / "zoneinfo" / "zone.tab").read_text()
    names = [line.split("\t")[2] for line in table.splitlines() if not line.startswith("#")]
    by_region: dict[str, list[ZoneInfo]] = {}
    for name in sorted(set(names) & time_zones()):
        by_region.setdefault(name.partition("/")[0], []).append(ZoneInfo(name))
    return {region: tuple(zones) for region, zones in by_region.items()}


@cache
def place(name: str, language: str) -> str:
    """ "서울" of "Asia/Seoul". Unicode's data know some zones by an old name only, such as Asia/Calcutta."""
    if (name, language) in RENAMED:
        return RENAMED[name, language]
    known = Locale.parse(language).time_zones
    names = (name, *(old for old, new in get_global("zone_aliases").items() if new == name))
    cities = (known[each]["city"] for each in names if "city" in known.get(each, {}))
    return next(cities, name.rpartition("/")[2].replace("_", " "))


def of_no_region(chosen: str | None) -> list[str]:
    """The top of the list: UTC, and the account's choice if no region has it."""
    listed = {zone.key for zones in listed_zones().values() for zone in zones}
    return ["UTC", *([chosen] if chosen and chosen not in listed | {"UTC"} else [])]


def utc(offset: timedelta) -> str:
    """ "UTC+5:30" """
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
