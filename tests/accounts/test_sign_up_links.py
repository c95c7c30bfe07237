"""The links of sign-up by mail: single use, for half an hour, whatever becomes of the account."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import hashing, sign_up_links, tokens
from app.accounts import service as accounts
from app.accounts.models import SignUpLink, User
from app.accounts.service import EmailTaken
from app.extensions import db
from tests.accounts.conftest import CAROL, CHOSEN, Post, link_for
from tests.conftest import PASSWORD
from tests.database import row_counts
from tests.queued import queued
from tests.visitor import Visitor

ALICE = "alice@example.com"
AT_ONCE = 20


def test_a_link_that_was_used_says_so_and_leads_to_sign_in(post: Post, client: Visitor) -> None:
    link = link_for(post, client)
    client.submit(link, **CHOSEN)
    before = row_counts()
    stranger = Visitor(client.application)
    for answer in (stranger.get(link), stranger.submit(link, nickname="other", password=PASSWORD)):
        assert answer.status_code == 410
        assert "already has an account" in answer.text
        assert 'href="/sign-in"' in answer.text
    assert row_counts() == before
    assert stranger.get("/notes").status_code == 302


def test_of_two_links_to_one_address_one_opens_the_account(post: Post, client: Visitor) -> None:
    first, second = link_for(post, client), link_for(post, client)
    assert client.submit(second, **CHOSEN).status_code == 302
    assert Visitor(client.application).submit(first, nickname="other", password=PASSWORD).status_code == 410


def delete_account(browser: Visitor, post: Post) -> None:
    browser.submit("/mypage/delete", password=PASSWORD)


def change_address(browser: Visitor, post: Post) -> None:
    browser.submit("/mypage/email", new_email="new@example.com", password_for_email=PASSWORD)
    browser.submit(post.link("new@example.com"))


@pytest.mark.parametrize("leave", [delete_account, change_address])
@pytest.mark.parametrize("again", ["the link that was used", "one that came earlier", "one that came later"])
def test_no_link_of_the_address_opens_a_second_account_once_the_first_has_left_it(
    post: Post, client: Visitor, leave: Callable[[Visitor, Post], None], again: str
) -> None:
    earlier, used, later = (link_for(post, client) for _ in range(3))
    client.submit(used, **CHOSEN)
    leave(client, post)
    link = {"the link that was used": used, "one that came earlier": earlier}.get(again, later)
    before = row_counts()
    stranger = Visitor(client.application)
    for answer in (stranger.get(link), stranger.submit(link, nickname="again", password=PASSWORD)):
        assert answer.status_code == 410
        assert "This link no longer works" in answer.text
    assert row_counts() == before
    assert stranger.get("/notes").status_code == 302


def test_a_job_that_runs_twice_revives_no_link_that_was_used(post: Post, client: Visitor) -> None:
    client.submit("/sign-up", email=CAROL)
    [(_task, arguments)] = queued()
    client.submit(post.link(CAROL), **CHOSEN)
    delete_account(client, post)
    with pytest.raises(tokens.TokenExpired):
        sign_up_links.draw(arguments["link_id"])


def test_who_left_an_address_may_ask_for_a_new_link_to_it(post: Post, client: Visitor) -> None:
    client.submit(link_for(post, client), **CHOSEN)
    delete_account(client, post)
    post.deliver()
    assert client.submit(link_for(post, client), **CHOSEN).location == "/notes"


def test_a_link_that_was_used_after_it_was_read_opens_nothing(
    post: Post, client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one request hashes its password, another one opens the account and deletes it."""
    link = link_for(post, client)
    before = row_counts()
    original = hashing.hash_password

    def overtaken(password: str) -> str:
        monkeypatch.setattr(hashing, "hash_password", original)
        assert client.submit(link, **CHOSEN).location == "/notes"
        delete_account(client, post)
        return original(password)

    monkeypatch.setattr(hashing, "hash_password", overtaken)
    with pytest.raises(tokens.TokenExpired):
        sign_up_links.open_account(link.rpartition("/")[2], "again", PASSWORD)
    assert row_counts() == before


def test_a_new_account_voids_the_links_of_its_address_alone(post: Post, client: Visitor) -> None:
    others = link_for(post, client, "dave@example.com")
    client.submit(link_for(post, client), **CHOSEN)
    assert Visitor(client.application).get(others).status_code == 200


@pytest.mark.parametrize("path", ["/sign-up/0", f"/sign-up/{'x' * 43}"])
def test_a_link_that_nobody_drew_is_refused(post: Post, client: Visitor, path: str) -> None:
    before = row_counts()
    assert [client.get(path).status_code, client.submit(path, **CHOSEN).status_code] == [410, 410]
    assert row_counts() == before


def test_a_link_works_for_half_an_hour_of_the_databases_clock(post: Post, client: Visitor) -> None:
    link = link_for(post, client)
    left = db.session.scalar(select(SignUpLink.expires_at - func.now()))
    assert left is not None
    assert left <= tokens.LIFETIME
    db.session.execute(update(SignUpLink).values(expires_at=func.now()))
    db.session.commit()
    assert client.submit(link, **CHOSEN).status_code == 410
    assert db.session.scalar(select(func.count()).select_from(User)) == 0


def test_expired_links_are_purged_a_day_later_and_others_stay(app: Flask) -> None:
    for email in (ALICE, CAROL):
        sign_up_links.reserve(email)
    a_day_ago = func.now() - tokens.RESERVED_FOR
    db.session.execute(update(SignUpLink).where(SignUpLink.email == ALICE).values(expires_at=a_day_ago))
    assert sign_up_links.purge_expired_links() == 1
    assert list(db.session.scalars(select(SignUpLink.email))) == [CAROL]


def test_of_twenty_at_once_exactly_one_opens_the_account(migrated: Flask) -> None:
    token, _email = sign_up_links.draw(sign_up_links.reserve(CAROL))
    together = Barrier(AT_ONCE)

    def try_it(number: int) -> int | None:
        together.wait()
        with migrated.app_context():
            try:
                sign_up_links.open_account(token, f"carol {number}", f"sentence number {number}")
            except EmailTaken:
                return None
            finally:
                db.session.remove()
        return number

    with ThreadPoolExecutor(AT_ONCE) as pool:
        [winner] = [number for number in pool.map(try_it, range(AT_ONCE)) if number is not None]
    db.session.remove()
    assert accounts.authenticate(CAROL, f"sentence number {winner}").nickname == f"carol {winner}"
