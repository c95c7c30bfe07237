"""The figure of word counts on my page."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ScalarSelect, bindparam, func, select

from app.wordcounts.models import DONE, Result
from app.wordcounts.service import QUOTA

_DONE = (Result.user_id == bindparam("owner"), Result.status == DONE, Result.deleted_at.is_(None))
FIGURES: Mapping[str, ScalarSelect[Any]] = {
    "wordcounts": select(func.count()).select_from(Result).where(*_DONE).scalar_subquery(),
    "wordcounts_left": QUOTA.room_left(),
}
