"""Input validation of an import: an item is read as if a stranger had written it. Pure."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from app.web.fields import has_control_characters, normalize

Value = TypeVar("Value")

INTEGER_MAX = 2**31 - 1
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest time that a ZIP can hold
CLOCK_SKEW = timedelta(days=1)  # how far another server's clock may be ahead
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{6})?(Z|[+-][0-9]{2}:[0-9]{2})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class InvalidItem(Exception):
    """An item is not as `dump` writes it; `field` is the name of the wrong field."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class ItemValidator:
    """Validates one item of an import, field by field: a method for each kind of value.

    Args:
        item: anything that JSON can hold.
        names: the fields that the item must have; it may have no others.
        absent: those of them that exports of before did not have, and what they stand for then.

    Raises:
        InvalidItem: also by every method.
    """

    def __init__(
        self, item: object, names: Collection[str], absent: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        if not isinstance(item, dict):
            raise InvalidItem("")
        if len(item) > len(names):  # before it is copied: there may be any number of them
            raise InvalidItem("?")
        item = {**absent, **item}
        for name in item.keys() ^ set(names):
            raise InvalidItem(name if name in names else "?")
        self.item = item

    def optional(self, read: Callable[[str], Value], name: str) -> Value | None:
        return None if self.item[name] is None else read(name)

    def nested(self, name: str, names: Collection[str]) -> "ItemValidator":
        return ItemValidator(self.item[name], names)

    def text(self, name: str, at_most: int) -> str:
        """Text by the rules of the forms (app/web/fields.py); `at_most` in code points."""
        return self._bounded(normalize(self._checked(name, str)), name, at_most)

    def exact(self, name: str, at_most: int) -> str:
        """Text that is not normalized, such as an address."""
        return self._bounded(self._checked(name, str), name, at_most)

    def line(self, name: str, at_most: int) -> str:
        value = self.text(name, at_most).strip()
        self._require("\n" not in value, name)
        return value

    def flag(self, name: str) -> bool:
        return self._checked(name, bool)

    def number(self, name: str, least: int = 0, most: int = INTEGER_MAX) -> int:
        value = self._checked(name, int)
        self._require(least <= value <= most, name)
        return value

    def moment(self, name: str) -> str:
        """ISO 8601 with a zone, from 1980 until now."""
        value = self._checked(name, str)
        self._require(MOMENT.fullmatch(value) is not None, name)
        try:
            moment = datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            raise InvalidItem(name) from None
        self._require(EARLIEST <= moment <= datetime.now(UTC) + CLOCK_SKEW, name)
        return moment.isoformat()

    def day(self, name: str, earliest: date, latest: date) -> str:
        value = self._checked(name, str)
        self._require(DAY.fullmatch(value) is not None, name)
        try:
            day = date.fromisoformat(value)
        except ValueError:
            raise InvalidItem(name) from None
        self._require(earliest <= day <= latest, name)
        return day.isoformat()

    def counts(self, name: str, at_most: int, longest: int) -> dict[str, int]:
        """A dict of word to number of occurrences."""
        value = self._checked(name, dict)
        self._require(len(value) <= at_most, name)
        self._require(all(type(times) is int and 0 < times <= INTEGER_MAX for times in value.values()), name)
        self._require(all(0 < len(word) <= longest for word in value), name)
        self._require(not has_control_characters("".join(value)), name)
        return value

    def _checked(self, name: str, kind: type[Value]) -> Value:
        value = self.item[name]
        if type(value) is not kind:  # not isinstance: True would be a number
            raise InvalidItem(name)
        return value

    def _bounded(self, value: str, name: str, at_most: int) -> str:
        self._require(len(value) <= at_most and not has_control_characters(value), name)
        return value

    def _require(self, holds: bool, name: str) -> None:
        if not holds:
            raise InvalidItem(name)
