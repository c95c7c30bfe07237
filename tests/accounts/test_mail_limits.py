"""Rate limits of mails with a link: whatever strangers ask for, the owner of a mailbox holds a link that works."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.accounts import tokens
from app.accounts.models import User
from app.limits import rate_limits
from app.limits.rate_limits import Limit
from tests.accounts.conftest import LINK, Post
from tests.conftest import PASSWORD, browser_of
from tests.mail.smtp_server import text_of
from tests.queued import queued
from tests.visitor import Visitor

ALICE, CAROL, NEW = "alice@example.com", "carol@example.com", "new@example.com"
WRONG = "not the password"
Ask = Callable[[Visitor, str], int]


def forgot_password(browser: Visitor, mailbox: str) -> int:
    return browser.submit("/forgot-password", email=mailbox).status_code


def sign_up(browser: Visitor, mailbox: str) -> int:
    return browser.submit("/sign-up", email=mailbox).status_code


def change_email(browser: Visitor, mailbox: str, password: str = PASSWORD) -> int:
    return browser.submit("/mypage/email", new_email=mailbox, password_for_email=password).status_code


def guess_password(browser: Visitor, mailbox: str) -> int:
    return change_email(browser, mailbox, WRONG)


STRANGERS_DOORS = [forgot_password, sign_up, change_email, guess_password]


@pytest.fixture
def mallory(app: Flask, sign_up: Callable[[str], User]) -> Visitor:
    """A stranger's browser, signed in to an account of their own."""
    browser = browser_of(app, sign_up("mallory"))
    browser.environ_base["REMOTE_ADDR"] = "198.51.100.1"
    return browser


def until_refused(ask: Ask, browser: Visitor, mailbox: str) -> None:
    answers = [ask(browser, mailbox) for _ in range(20)]
    assert answers[-1] == 429


def links_that_work(post: Post, browser: Visitor, mailbox: str) -> set[str]:
    """What the links in the mailbox lead to, of those whose page is shown."""
    letters = [letter for address, letter in post.deliver() if address == mailbox]
    links = [link for letter in letters for link in LINK.findall(text_of(letter))]
    return {link.split("/")[1] for link in links if browser.get(link).status_code == 200}


@pytest.mark.parametrize("door", STRANGERS_DOORS)
def test_a_stranger_keeps_nobody_from_a_new_password(
    post: Post, client: Visitor, mallory: Visitor, alice: User, door: Ask
) -> None:
    until_refused(door, mallory, ALICE)
    forgot_password(client, ALICE)
    assert "new-password" in links_that_work(post, client, ALICE)


@pytest.mark.parametrize("door", STRANGERS_DOORS)
def test_a_stranger_keeps_nobody_from_an_account(post: Post, client: Visitor, mallory: Visitor, door: Ask) -> None:
    until_refused(door, mallory, CAROL)
    sign_up(client, CAROL)
    assert "sign-up" in links_that_work(post, client, CAROL)


@pytest.mark.parametrize("door", STRANGERS_DOORS)
def test_a_stranger_keeps_nobody_from_another_address(
    post: Post, mallory: Visitor, signed_in: Visitor, door: Ask
) -> None:
    until_refused(door, mallory, NEW)
    post.deliver()
    assert change_email(signed_in, NEW) == 302
    assert links_that_work(post, signed_in, NEW) == {"new-email"}


def test_an_account_with_somebody_elses_address_keeps_them_from_nothing(
    app: Flask, post: Post, client: Visitor, alice: User
) -> None:
    """It was opened where no mail was sent, so nobody has shown that the mailbox is theirs."""
    plant = browser_of(app, alice)
    until_refused(lambda browser, _mailbox: browser.submit("/mypage/confirm-email").status_code, plant, ALICE)
    post.deliver()
    assert forgot_password(client, ALICE) == 200
    assert links_that_work(post, client, ALICE) == {"new-password"}


def test_a_wrong_password_sends_no_letter_and_takes_none_of_anybody(post: Post, mallory: Visitor, alice: User) -> None:
    assert [guess_password(mallory, ALICE) for _ in range(9)] == [422] * 9
    assert queued() == []
    assert [change_email(mallory, ALICE) for _ in range(6)] == [302] * 5 + [429]


def test_one_network_asks_for_only_so_many_links_from_however_many_accounts(
    app: Flask, post: Post, sign_up: Callable[[str], User]
) -> None:
    browsers = [browser_of(app, sign_up(f"mallory{number}")) for number in range(5)]
    answers = [change_email(browser, ALICE) for browser in browsers for _ in range(5)]
    assert answers == [302] * 20 + [429] * 5


@pytest.mark.parametrize("limit", [rate_limits.RESETS_TO, rate_limits.SIGN_UPS_TO])
def test_where_a_mailbox_is_refused_its_last_link_still_works(app: Flask, limit: Limit) -> None:
    """An empty bucket has given its last token within one refill, so the letter is no older."""
    assert limit.refill < tokens.LIFETIME
