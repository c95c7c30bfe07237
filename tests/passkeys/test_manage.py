"""Renaming and removing passkeys; somebody else's is 404. Where a page was opened by a number, there are none."""

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.models import AccountEvent, EventKind, User, UserSession
from app.accounts.sessions import RECENT
from app.extensions import db
from app.limits import rate_limits
from app.passkeys import service, tasks
from app.passkeys.models import Challenge, Passkey
from tests.conftest import PASSWORD, browser_of
from tests.database import row_counts
from tests.passkeys.authenticator import Authenticator
from tests.passkeys.conftest import add_passkey
from tests.visitor import Visitor

PAGE = "/mypage/passkeys"


def only() -> Passkey:
    return db.session.scalars(select(Passkey)).one()


def test_a_passkey_is_renamed(signed_in: Visitor, passkey: Authenticator) -> None:
    page = f"{PAGE}/{only().id}"
    assert 'value="Chrome on macOS"' in signed_in.get(page).text
    assert signed_in.submit(page, name="내 노트북").location == PAGE
    assert "내 노트북" in signed_in.get(PAGE).text


@pytest.mark.parametrize("name", ["", " ", "x" * 51, "a\nb", "\x00"])
def test_a_bad_name_is_refused(signed_in: Visitor, passkey: Authenticator, name: str) -> None:
    assert signed_in.submit(f"{PAGE}/{only().id}", name=name).status_code == 422
    db.session.expire_all()
    assert only().name == "Chrome on macOS"


def test_without_a_recent_sign_in_a_passkey_is_not_renamed_and_its_page_comes_after_the_password(
    signed_in: Visitor, alice: User, passkey: Authenticator
) -> None:
    page = f"{PAGE}/{only().id}"
    db.session.execute(db.update(UserSession).values(created_at=db.func.now() - RECENT))
    db.session.commit()
    assert signed_in.get(page).location == f"/sign-in/confirm?next={page}"
    assert "Confirm it's you" in signed_in.submit(page, name="not mine").text
    db.session.expire_all()
    assert only().name == "Chrome on macOS"
    assert signed_in.submit(f"/sign-in/confirm?next={page}", password=PASSWORD).location == page
    assert signed_in.submit(page, name="mine").location == PAGE


def test_one_network_asks_for_only_so_many_challenges(signed_in: Visitor, alice: User) -> None:
    answers = [
        signed_in.submit(f"{PAGE}/options").status_code for _ in range(rate_limits.PASSKEYS_BY_ADDRESS.capacity + 1)
    ]
    assert answers == [200] * rate_limits.PASSKEYS_BY_ADDRESS.capacity + [429]
    assert row_counts()["passkey_challenges"] == rate_limits.PASSKEYS_BY_ADDRESS.capacity


def test_a_passkey_is_removed(signed_in: Visitor, passkey: Authenticator) -> None:
    assert signed_in.submit(f"{PAGE}/{only().id}/delete").location == PAGE
    assert row_counts()["passkeys"] == 0


def test_the_last_one_stays_while_sign_in_asks_for_it(signed_in: Visitor, alice: User, codes: list[str]) -> None:
    first = only().id
    assert signed_in.submit(f"{PAGE}/{first}/delete").location == PAGE
    assert "Turn off two-step sign-in first." in signed_in.get(PAGE).text
    assert row_counts()["passkeys"] == 1
    add_passkey(alice)
    signed_in.submit(f"{PAGE}/{first}/delete")
    assert only().id != first


def test_somebody_elses_passkey_is_404(app: Flask, bob: User, passkey: Authenticator) -> None:
    browser = browser_of(app, bob)
    page = f"{PAGE}/{only().id}"
    assert browser.get(page).status_code == 404
    assert browser.submit(page, name="mine now").status_code == 404
    assert browser.submit(f"{page}/delete").status_code == 404
    assert only().name == "Chrome on macOS"
    assert "Chrome on macOS" not in browser.get(PAGE).text


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "[::1]", "192.0.2.7"])
def test_at_a_number_no_passkey_is_offered(app: Flask, signed_in: Visitor, host: str) -> None:
    with app.test_request_context(base_url=f"http://{host}"):
        assert app.jinja_env.globals["has_passkeys_here"]() is False  # type: ignore[operator]
    stranger = app.test_client()
    assert "data-passkey" not in stranger.get("/sign-in", base_url=f"http://{host}").text
    assert "data-passkey" in stranger.get("/sign-in").text


@pytest.mark.parametrize(
    ("site", "host", "offered"),
    [
        ("https://notes.example.com", "notes.example.com", True),
        ("https://notes.example.com", "evil.example", False),
        ("https://notes.example.com", "example.com", False),
        ("https://192.0.2.7", "192.0.2.7", False),
    ],
)
def test_the_address_of_the_site_decides_where_passkeys_work(
    app: Flask, monkeypatch: pytest.MonkeyPatch, site: str, host: str, offered: bool
) -> None:
    monkeypatch.setitem(app.config, "SITE_URL", site)
    page = app.test_client().get("/sign-in", base_url=f"https://{host}").text
    assert ("data-passkey" in page) == offered


def test_expired_challenges_are_purged_and_others_stay(app: Flask, alice: User) -> None:
    service.draw_challenge(service.SIGN_IN)
    db.session.execute(db.update(Challenge).values(expires_at=db.func.now()))
    kept, _value = service.draw_challenge(service.CONFIRM, alice.id)
    tasks.purge_expired_challenges(0)
    assert list(db.session.scalars(select(Challenge.id))) == [kept]


def test_the_owner_reads_of_every_change(signed_in: Visitor, alice: User, codes: list[str]) -> None:
    add_passkey(alice)
    signed_in.submit(f"{PAGE}/recovery-codes")
    signed_in.submit(f"{PAGE}/second-step/off")
    [first, _second] = db.session.scalars(select(Passkey.id).order_by(Passkey.id))
    signed_in.submit(f"{PAGE}/{first}/delete")
    kinds = db.session.scalars(select(AccountEvent.kind).order_by(AccountEvent.id)).all()
    assert kinds[-6:] == [
        EventKind.PASSKEY_ADDED,
        EventKind.SECOND_STEP_ON,
        EventKind.PASSKEY_ADDED,
        EventKind.RECOVERY_CODES_MADE,
        EventKind.SECOND_STEP_OFF,
        EventKind.PASSKEY_REMOVED,
    ]
