"""The time zones that a reader chooses from: IANA's places, by region, named by Unicode's locale data.

IANA's zone.tab has a place for every clock of every country. A district, such as America/Indiana/Knox, is left out if
its country has a place with the same clock. Any other valid name, also the old Asia/Calcutta, may still be an account's
choice and is then shown on top of the list.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.core import Locale, get_global

from app.web.locale import time_zones

Clock = tuple[timedelta | None, timedelta | None]
Region = tuple[str, list[tuple[str, str]]]

# Korean names that Unicode's data lack or still write in an old way.
RENAMED = {
    ("America/Coyhaique", "ko"): "코이아이케",
    ("America/Nuuk", "ko"): "누크",
    ("America/Vancouver", "ko"): "밴쿠버",
    ("Asia/Ho_Chi_Minh", "ko"): "호찌민",
    ("Asia/Yangon", "ko"): "양곤",
    ("Europe/Kyiv", "ko"): "키이우",
}


def regions(language: str, now: datetime) -> tuple[Region, ...]:
    """Each region with its zones as (IANA name, "Seoul (UTC+9)"), from west to east.

    Args:
        language: of the places' names, "ko" or "en".
        now: an aware datetime; offsets change with summer time.
    """
    return _regions(language, now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0))


@lru_cache(maxsize=2)  # both languages. Clocks change at a quarter of an hour
def _regions(language: str, now: datetime) -> tuple[Region, ...]:
    found = []
    for region, zones in listed_zones().items():
        by_offset = sorted((now.astimezone(zone).utcoffset() or timedelta(), zone.key) for zone in zones)
        found.append((region, [(name, f"{place(name, language)} ({utc(offset)})") for offset, name in by_offset]))
    return tuple(found)


@cache
def listed_zones() -> dict[str, tuple[ZoneInfo, ...]]:
    """Region: its zones. Leaves out those that are newer than this system's data. Cached: each zone is a file."""
    table = (files("pytz") / "zoneinfo" / "zone.tab").read_text()
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    clocks: set[tuple[str, *Clock]] = set()
    by_region: dict[str, list[ZoneInfo]] = {}
    for country, _, name, *_ in rows:
        if name not in time_zones():
            continue
        zone = ZoneInfo(name)
        is_district = name.count("/") == 2
        if not (is_district and (country, *clock(zone)) in clocks):
            by_region.setdefault(name.partition("/")[0], []).append(zone)
        clocks.add((country, *clock(zone)))
    return {region: tuple(zones) for region, zones in sorted(by_region.items())}


def clock(zone: ZoneInfo) -> Clock:
    """Its offsets from UTC in January and in July."""
    year = datetime.now(UTC).year
    return datetime(year, 1, 15, tzinfo=zone).utcoffset(), datetime(year, 7, 15, tzinfo=zone).utcoffset()


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
