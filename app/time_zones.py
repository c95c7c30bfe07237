"""Time zones: the names that are known, and the list that a reader chooses from.

All is read from the package tzdata, whatever the machine has. Browsers and old accounts also have names of before,
such as Asia/Calcutta or US/Eastern (IANA's links). They are resolved to their place wherever a name comes in. The
database is told no name at all, but moments: its data may be years older than ours.

The list has the places of zone.tab by region. A district, such as America/Indiana/Knox, is left out if its country has
a place with the same clock. It may still be an account's choice, and is then on top of the list.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.core import Locale, get_global

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


@cache
def names() -> frozenset[str]:
    """Return the names that may be chosen: places and UTC, without the old abbreviations and the fixed offsets."""
    return frozenset(name for _, name in _places()) | {"UTC"}


def resolved(name: str) -> str:
    """Return the place behind a link, such as Asia/Kolkata behind Asia/Calcutta; any other name as it is."""
    if name in names():
        return name
    place = _links().get(name, name)
    return "UTC" if place in ("Etc/UTC", "Etc/GMT") else place


@cache
def _places() -> list[tuple[str, str]]:
    """List each country and the name of a place in it: "KR", "Asia/Seoul"."""
    rows = [line.split("\t") for line in _lines("zone.tab") if not line.startswith("#")]
    return [(country, name) for country, _, name, *_ in rows]


@cache
def _links() -> Mapping[str, str]:
    """Map each link to its target. IANA makes links of places too, where two countries share a clock since 1970."""
    rows = [line.split() for line in _lines("tzdata.zi") if line.startswith("L ")]
    return {link: target for _, target, link in rows}


def _lines(table: str) -> list[str]:
    return (files("tzdata") / "zoneinfo" / table).read_text(encoding="utf-8").splitlines()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment in which a day begins, also where the clocks leave midnight out (PEP 495: fold=0)."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def regions(language: str, now: datetime) -> tuple[Region, ...]:
    """List each region with its zones as (IANA name, "Seoul (UTC+9)"), from west to east, by the offsets of now."""
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
    """Map each region to its zones. Cached: each zone is a file."""
    clocks: set[tuple[str, *Clock]] = set()
    by_region: dict[str, list[ZoneInfo]] = {}
    for country, name in _places():
        zone = ZoneInfo(name)
        is_district = name.count("/") == 2
        if not (is_district and (country, *clock(zone)) in clocks):
            by_region.setdefault(name.partition("/")[0], []).append(zone)
        clocks.add((country, *clock(zone)))
    return {region: tuple(zones) for region, zones in sorted(by_region.items())}


def clock(zone: ZoneInfo) -> Clock:
    """Return its offsets from UTC in January and in July."""
    year = datetime.now(UTC).year
    return datetime(year, 1, 15, tzinfo=zone).utcoffset(), datetime(year, 7, 15, tzinfo=zone).utcoffset()


@cache
def place(name: str, language: str) -> str:
    """Name the place: "서울" of "Asia/Seoul". Unicode's data know some zones by an old name only, as Asia/Calcutta."""
    if (name, language) in RENAMED:
        return RENAMED[name, language]
    known = Locale.parse(language).time_zones
    names = (name, *(old for old, new in get_global("zone_aliases").items() if new == name))
    cities = (known[each]["city"] for each in names if "city" in known.get(each, {}))
    return next(cities, name.rpartition("/")[2].replace("_", " "))


def of_no_region(chosen: str | None) -> list[str]:
    """Return the top of the list: UTC, and the account's choice if no region has it."""
    listed = {zone.key for zones in listed_zones().values() for zone in zones}
    return ["UTC", *([chosen] if chosen and chosen not in listed | {"UTC"} else [])]


def utc(offset: timedelta) -> str:
    """Write an offset as "UTC+5:30"."""
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
