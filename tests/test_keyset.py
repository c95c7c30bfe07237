"""Keyset pagination: a cursor round-trips through its text form, and any other text is refused."""

import pytest

from app.keyset import BIGINTS, IDS, Cursor, cut_page

ID_ALONE = (IDS,)
RANKED = (BIGINTS, IDS)
PINNED = (range(2), range(10**18), IDS)


def test_a_cursor_round_trips_through_text() -> None:
    for key, bounds, text in [
        ((17,), ID_ALONE, "17"),
        ((0, 17), RANKED, "0-17"),
        ((-3, 17), RANKED, "-3-17"),
        ((-(2**63), 2**63 - 1), RANKED, "-9223372036854775808-9223372036854775807"),
        ((1, 1_700_000_000_000_000, 17), PINNED, "1-1700000000000000-17"),
    ]:
        assert str(Cursor(key)) == text, (key, bounds, text)
        assert Cursor.parse(text, bounds) == Cursor(key), (key, bounds, text)
    assert Cursor.start(PINNED).key == (1, 10**18 - 1, 2**63 - 1), "a list starts at its highest key"


def test_an_invalid_cursor_is_refused() -> None:
    for text, bounds in [
        *((text, ID_ALONE) for text in ("", "0", "-1", "01", "+1", "1\n", "1.0", "1_0", "١", "1-1", f"{2**63}")),
        ("9" * 4000, ID_ALONE),
        *((text, RANKED) for text in ("1", "0-", "-0-1", "0-0", "0--1", "1-1-1", f"{2**63}-1", f"{-(2**63) - 1}-1")),
        *((text, PINNED) for text in ("2-1-1", "-1-1-1", f"0-{10**18}-1", "0-17", "0-1-1-1")),
    ]:
        with pytest.raises(ValueError, match="not a cursor"):
            Cursor.parse(text, bounds)


def test_a_next_page_exists_only_if_there_is_one_more_row() -> None:
    for rows, next_page in [(0, None), (1, None), (3, None), (4, Cursor((2,)))]:
        assert cut_page(range(rows), 3, lambda row: (row,)) == (range(rows)[:3], next_page), (rows, next_page)
