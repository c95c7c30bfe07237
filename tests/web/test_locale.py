"""Dates and times in the reader's language and zone."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from app.web.locale import date_and_time


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en", "21 Nov 2026, 05:04 UTC"), ("ko", "2026. 11. 21. 오후 2:04"), ("fr", "21 Nov 2026, 05:04 UTC")],
)
def test_a_moment_is_shown_as_the_reader_tells_time(app: Flask, language: str, shown: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        assert date_and_time(datetime(2026, 11, 21, 5, 4, tzinfo=UTC)) == shown
