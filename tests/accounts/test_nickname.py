"""Changing the nickname. The validation rules are those of sign-up, which test_sign_up.py tests."""

import pytest
from sqlalchemy import select

from app.accounts.models import User
from app.extensions import db
from tests.visitor import Visitor


def nickname_of(user: User) -> tuple[str, str]:
    row = db.session.execute(select(User.nickname, User.nickname_key).where(User.id == user.id)).one()
    return row.nickname, row.nickname_key


def test_changing_the_nickname_updates_the_name_and_its_key(signed_in: Visitor, alice: User) -> None:
    assert signed_in.submit("/mypage/nickname", nickname="하늘 Alice").location == "/mypage"
    assert nickname_of(alice) == ("하늘 Alice", "하늘 alice")
    assert "하늘 Alice" in signed_in.get("/mypage").text


def test_a_user_can_change_the_case_of_the_nickname(signed_in: Visitor, alice: User) -> None:
    assert signed_in.submit("/mypage/nickname", nickname="ALICE").status_code == 302
    assert nickname_of(alice) == ("ALICE", "alice")


@pytest.mark.parametrize("nickname", ["", "x" * 81, "\u0430lice", "a\x00b", "Bob", "ｂｏｂ"])
def test_an_invalid_or_taken_nickname_is_refused_and_changes_nothing(
    signed_in: Visitor, alice: User, bob: User, nickname: str
) -> None:
    answer = signed_in.submit("/mypage/nickname", nickname=nickname)
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert nickname_of(alice) == ("alice", "alice")


def test_a_missing_nickname_is_refused(signed_in: Visitor, alice: User) -> None:
    assert signed_in.submit("/mypage/nickname").status_code == 422
    assert nickname_of(alice) == ("alice", "alice")
