"""What was noted of an account: for its owner, and in the log."""

import pytest
from sqlalchemy import select

from app.accounts.models import AccountEvent, User
from app.extensions import db

ALICE = "alice@example.com"
NEW = "quite another sentence"

Lines = list[str]


def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    return [record.getMessage() for record in caplog.records if record.name == "app.accounts.events"]


def events_of(user: User) -> list[tuple[str, int]]:
    """Kind and times of each, the oldest first, without the sign-in with which a test begins."""
    of_user = select(AccountEvent.kind, AccountEvent.times).where(AccountEvent.user_id == user.id)
    found = [(kind, times) for kind, times in db.session.execute(of_user.order_by(AccountEvent.id))]
    return found[1:] if found[:1] == [("sign_in", 1)] else found
