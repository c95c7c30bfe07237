"""Which type of a column takes and gives all that code of another type sends and expects."""

import pytest

from app.release.type_growth import holds_all_of

GROWN = [
    ("integer", "integer"), ("smallint", "bigint"), ("integer[]", "bigint[]"), ("real", "double precision"),
    ("character varying(50)", "character varying(80)"), ("character varying(50)", "character varying"),
    ("character varying(50)", "text"), ("text", "character varying"), ("character(3)", "character varying(3)"),
    ("numeric(8,2)", "numeric(10,2)"), ("numeric(8,2)", "numeric(12,4)"), ("numeric(8,2)", "numeric"),
    ("timestamp(3) with time zone", "timestamp with time zone"), ("bit varying(4)", "bit varying"), ("json", "jsonb"),
    ("mood", "audit.mood"),
]  # fmt: skip
OTHERS = [
    ("bigint", "integer"), ("integer", "numeric"), ("integer", "text"), ("integer", "bigint[]"), ("jsonb", "json"),
    ("double precision", "real"), ("text", "character varying(80)"), ("character varying(50)", "character varying(20)"),
    ("character varying(50)", "character varying(49)"), ("text", "character"), ("numeric(8,2)", "numeric(8,4)"),
    ("numeric(8,2)", "numeric(9,0)"), ("numeric", "numeric(8,2)"), ("date", "timestamp without time zone"),
    ("timestamp with time zone", "timestamp without time zone"), ("time(3) with time zone", "time(0) with time zone"),
    ("boolean", "text"), ("mood", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "now"), GROWN)
def test_a_type_that_has_grown_serves_old_code(before: str, now: str) -> None:
    assert holds_all_of(now, before)


@pytest.mark.parametrize(("before", "now"), OTHERS)
def test_another_type_does_not(before: str, now: str) -> None:
    assert not holds_all_of(now, before)
