"""Notices reach the address that the account had when it happened, however late they are sent."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update

from app.accounts import letters
from app.accounts.models import Notice, User
from app.extensions import db
from app.jobs.queue import queue
from app.mail import message
from app.mail.smtp import MailUnavailable
from tests.accounts.conftest import Post
from tests.conftest import PASSWORD
from tests.queued import queued
from tests.visitor import Visitor

OLD, NEW = "alice@example.com", "mallory@example.com"
NEW_PASSWORD = "another long enough sentence"


def ask_for_change(browser: Visitor) -> None:
    assert browser.submit("/mypage/email", new_email=NEW, password_for_email=PASSWORD).location == "/mypage"


def change_password(browser: Visitor) -> None:
    fields = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert browser.submit("/mypage/password", **fields).location == "/mypage"


def move_account() -> None:
    db.session.execute(update(User).values(email=NEW))
    db.session.commit()


@pytest.mark.parametrize("happens", [ask_for_change, change_password])
def test_a_late_notice_goes_to_the_old_address_and_not_to_the_new_one(
    post: Post, signed_in: Visitor, alice: User, happens: object
) -> None:
    assert callable(happens)
    happens(signed_in)
    move_account()  # before the worker came to it
    notice = [letter for letter in post.deliver() if "/forgot-password" in str(letter[1])]
    assert [address for address, _letter in notice] == [OLD]
    assert db.session.scalar(select(func.count()).select_from(Notice)) == 0


def test_a_notice_that_is_tried_again_goes_to_the_old_address(post: Post, signed_in: Visitor, alice: User) -> None:
    change_password(signed_in)
    [(task, arguments)] = queued()
    post.mailbox.at_data = "451 later"
    with pytest.raises(MailUnavailable):
        post.deliver()
    move_account()
    post.mailbox.at_data = "250 OK"
    with post.app.app_context():
        queue.tasks[task](**arguments)
    assert post.mailbox.recipients == [OLD]


def test_the_queue_holds_no_address(post: Post, signed_in: Visitor, alice: User) -> None:
    ask_for_change(signed_in)
    assert "@" not in str(queued())


def test_a_notice_is_sent_once_and_not_after_the_account_is_gone(post: Post, signed_in: Visitor, alice: User) -> None:
    change_password(signed_in)
    [(task, arguments)] = queued()
    assert list(post.letters()) == [OLD]
    with post.app.app_context():
        queue.tasks[task](**arguments)
    assert post.mailbox.recipients == [OLD]
    assert signed_in.submit("/mypage/password", current_password=NEW_PASSWORD, new_password=PASSWORD).status_code == 302
    db.session.execute(text("DELETE FROM users"))
    db.session.commit()
    assert post.letters() == {}


def test_a_job_of_the_release_before_still_tells_the_owner(post: Post, alice: User) -> None:
    with post.app.app_context():
        message.later("accounts.send_notice", notice="password_changed", user_id=alice.id, language="en")
        db.session.commit()
    assert list(post.letters()) == [OLD]


def test_without_mail_no_notice_is_stored(signed_in: Visitor, alice: User) -> None:
    change_password(signed_in)
    assert queued() == []
    assert db.session.scalar(select(func.count()).select_from(Notice)) == 0


def test_notices_that_could_not_be_sent_are_purged_and_others_stay(post: Post, app: Flask, alice: User) -> None:
    with app.app_context():
        for _ in range(2):
            letters.tell(alice, "password_changed", "en")
        db.session.commit()
        oldest = select(func.min(Notice.id)).scalar_subquery()
        long_ago = func.now() - letters.KEPT - timedelta(seconds=1)
        db.session.execute(update(Notice).where(Notice.id == oldest).values(created_at=long_ago))
        assert letters.purge_old_notices() == 1
        assert db.session.scalar(select(func.count()).select_from(Notice)) == 1
