"""The time zones that people choose from: for every clock that is in use some places, by region.

The whole list has 500 names, most of them for clocks of the past; what is chosen elsewhere stays a valid choice.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel.core import Locale, get_global

from app.web.locale import time_zones

PLACES = {
    "Asia": "Seoul Tokyo Shanghai Hong_Kong Taipei Singapore Manila Kuala_Lumpur Jakarta Bangkok Ho_Chi_Minh "
    "Ulaanbaatar Yangon Dhaka Kathmandu Kolkata Karachi Kabul Tashkent Almaty Tehran Dubai Baku Tbilisi Riyadh Baghdad "
    "Jerusalem Beirut Yekaterinburg Omsk Novosibirsk Irkutsk Yakutsk Vladivostok Magadan Kamchatka",
    "Europe": "London Dublin Lisbon Paris Berlin Madrid Rome Amsterdam Brussels Zurich Vienna Prague Warsaw Budapest "
    "Copenhagen Stockholm Oslo Athens Helsinki Bucharest Kyiv Istanbul Moscow Samara",
    "America": "New_York Chicago Denver Phoenix Los_Angeles Anchorage Adak Toronto Winnipeg Edmonton Vancouver Halifax "
    "St_Johns Mexico_City Guatemala Panama Havana Puerto_Rico Bogota Lima Caracas La_Paz Santiago Sao_Paulo "
    "Argentina/Buenos_Aires Montevideo Miquelon Noronha Nuuk",
    "Pacific": "Auckland Chatham Fiji Guam Port_Moresby Noumea Norfolk Tongatapu Apia Kiritimati Honolulu Tahiti "
    "Marquesas Gambier Pitcairn Pago_Pago Easter Galapagos",
    "Australia": "Sydney Melbourne Brisbane Adelaide Darwin Perth Eucla Lord_Howe",
    "Africa": "Cairo Johannesburg Lagos Nairobi Casablanca Algiers Accra Addis_Ababa",
    "Atlantic": "Reykjavik Azores Cape_Verde Canary",
}

# Where Unicode's data have a name that is no longer written so.
RENAMED = {
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
        now: an aware moment, since the offset changes with summer time.
    """
    for region, zones in known_zones().items():
        by_offset = sorted((now.astimezone(zone).utcoffset() or timedelta(), zone.key) for zone in zones)
        yield region, [(name, f"{place(name, language)} ({utc(offset)})") for offset, name in by_offset]


@cache
def known_zones() -> dict[str, tuple[ZoneInfo, ...]]:
    """PLACES that this system's data know, which may be older than the name. Kept, or each would be read every time."""
    names = {region: [f"{region}/{name}" for name in places.split()] for region, places in PLACES.items()}
    return {region: tuple(ZoneInfo(name) for name in found if name in time_zones()) for region, found in names.items()}


@cache
def place(name: str, language: str) -> str:
    """ "서울" of "Asia/Seoul"; Unicode's data keep to some names of old, such as Asia/Calcutta."""
    if (name, language) in RENAMED:
        return RENAMED[name, language]
    aliases = get_global("zone_aliases")
    known = Locale.parse(language).time_zones
    names = (name, *(old for old, new in aliases.items() if new == name))
    cities = (known[each]["city"] for each in names if "city" in known.get(each, {}))
    return next(cities, name.rpartition("/")[2].replace("_", " "))


def of_no_region(chosen: str | None) -> list[str]:
    """What the list begins with: UTC, and a choice that none of the regions has."""
    listed = {zone.key for zones in known_zones().values() for zone in zones}
    return ["UTC", *([chosen] if chosen and chosen not in listed | {"UTC"} else [])]


def utc(offset: timedelta) -> str:
    """ "UTC+5:30" """
    minutes = round(offset.total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
