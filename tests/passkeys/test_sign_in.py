"""Sign-in by a passkey alone: no name is typed, and nothing but a true, new answer of this browser opens a session."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts.models import User, UserSession
from app.extensions import db
from app.limits import rate_limits
from app.passkeys.models import Challenge, Passkey
from app.passkeys.service import MAX_ANSWER
from tests.accounts.conftest import use_up
from tests.conftest import PASSWORD, browser_of
from tests.database import commit, row_counts
from tests.passkeys.authenticator import UNTRUE, Authenticator, encoded
from tests.passkeys.conftest import add_passkey, ask
from tests.passkeys.test_manage import MALFORMED
from tests.visitor import Visitor

SIGN_IN = "/sign-in/passkey"


def sessions() -> int:
    return row_counts()["user_sessions"]


def test_a_passkey_alone_signs_in(client: Visitor, alice: User, passkey: Authenticator) -> None:
    options = ask(client, SIGN_IN)
    assert options["allowCredentials"] == [], "nobody has to say first who they are"
    assert options["userVerification"] == "required"
    assert client.submit(SIGN_IN, credential=passkey.sign(options)).location == "/notes"
    assert "alice" in client.get("/mypage").text
    assert db.session.scalars(select(Passkey)).one().last_used_at is not None


def test_it_goes_where_the_reader_was_going_keeps_what_was_typed_and_remembers(
    client: Visitor, passkey: Authenticator
) -> None:
    kept = json.dumps([["title", ""], ["content", "half a moon"]])
    answer = client.submit(
        f"{SIGN_IN}?next=/notes", credential=passkey.sign(ask(client, SIGN_IN)), kept=kept, remember="y"
    )
    assert answer.status_code == 200
    assert "half a moon" in answer.text
    session = db.session.scalars(select(UserSession)).one()
    assert (session.expires_at - session.created_at).days == 30


def test_an_untrue_answer_signs_nobody_in(client: Visitor, passkey: Authenticator) -> None:
    for wrong in [*UNTRUE, {"type": "webauthn.create"}, {"user_handle": b""}, {"user_handle": b"somebody else"}]:
        answer = client.submit(SIGN_IN, credential=passkey.sign(ask(client, SIGN_IN), **wrong))
        assert answer.status_code == 422, wrong
        assert "This passkey doesn&#39;t work here." in answer.text
    assert sessions() == 0
    assert client.get("/notes").status_code == 302


def test_a_malformed_answer_signs_nobody_in(client: Visitor, alice: User) -> None:
    for malformed in MALFORMED:
        ask(client, SIGN_IN)
        answer = client.submit(SIGN_IN, credential=malformed.encode("utf-8", "surrogatepass"))
        assert answer.status_code == 422, malformed[:100]
    assert sessions() == 0


@pytest.mark.parametrize("first", [{}, {"rp_id": "evil.example"}], ids=["replayed", "refused"])
def test_an_answer_uses_its_challenge_up_even_if_it_is_refused(
    app: Flask, client: Visitor, passkey: Authenticator, first: dict[str, Any]
) -> None:
    options = ask(client, SIGN_IN)
    with client.session_transaction() as cookie:
        before = dict(cookie)
    assert client.submit(SIGN_IN, credential=passkey.sign(options, **first)).status_code == (422 if first else 302)
    thief = Visitor(app)
    with thief.session_transaction() as cookie:
        cookie.update(before)
    assert thief.submit(SIGN_IN, credential=passkey.sign(options)).status_code == 422
    assert sessions() == (0 if first else 1)


def test_an_answer_that_comes_too_late_signs_nobody_in(client: Visitor, passkey: Authenticator) -> None:
    answer = passkey.sign(ask(client, SIGN_IN))
    commit(update(Challenge).values(expires_at=func.now()))
    refused = client.submit(SIGN_IN, credential=answer)
    assert refused.status_code == 422
    assert "That took too long" in refused.text
    assert sessions() == 0


def test_the_challenge_of_another_browser_or_purpose_signs_nobody_in(
    app: Flask, signed_in: Visitor, passkey: Authenticator
) -> None:
    for options in (ask(Visitor(app), SIGN_IN), ask(signed_in, "/sign-in/confirm/passkey")):
        ask(signed_in, SIGN_IN)
        assert signed_in.submit(SIGN_IN, credential=passkey.sign(options)).status_code == 422
    assert sessions() == 1, "that of before"


def test_a_removed_passkey_and_one_of_a_deleted_account_are_refused_like_an_unknown_one(
    client: Visitor, alice: User, bob: User
) -> None:
    removed, orphaned, unknown = add_passkey(alice), add_passkey(bob), Authenticator(user_handle=b"x" * 32)
    db.session.execute(db.delete(Passkey).where(Passkey.user_id == alice.id))
    db.session.execute(db.delete(User).where(User.id == bob.id))
    db.session.commit()
    for device in (removed, orphaned, unknown):
        refused = client.submit(SIGN_IN, credential=device.sign(ask(client, SIGN_IN)))
        assert refused.status_code == 422
        assert "This passkey doesn&#39;t work here." in refused.text
    assert sessions() == 0


def test_a_counter_that_goes_backwards_is_refused_and_logged(
    client: Visitor, passkey: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    passkey.count = 7
    client.submit(SIGN_IN, credential=passkey.sign(ask(client, SIGN_IN)))
    client.submit("/sign-out")
    for passkey.count in (0, 7):
        caplog.clear()
        refused = client.submit(SIGN_IN, credential=passkey.sign(ask(client, SIGN_IN)))
        assert (refused.status_code, "looks like a copy" in refused.text) == (422, True), passkey.count
        assert "a passkey seems to be copied" in caplog.text
    assert db.session.scalars(select(Passkey.sign_count)).one() == 7
    assert sessions() == 0


def test_the_signature_of_another_key_signs_nobody_in_and_is_no_copy(
    client: Visitor, passkey: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    commit(update(Passkey).values(sign_count=7))
    forged = Authenticator(credential_id=passkey.credential_id, user_handle=passkey.user_handle)
    assert client.submit(SIGN_IN, credential=forged.sign(ask(client, SIGN_IN))).status_code == 422
    assert sessions() == 0
    assert "copied" not in caplog.text


def test_challenges_are_rate_limited_by_address(client: Visitor, alice: User) -> None:
    use_up(client.application, rate_limits.PASSKEYS_BY_ADDRESS, "127.0.0.1", left=1)
    ask(client, SIGN_IN)
    refused = client.post(
        f"{SIGN_IN}/options", data={"csrf_token": client.csrf_token()}, headers={"Accept": "application/json"}
    )
    assert refused.status_code == 429
    assert refused.json is not None
    assert "Too many requests" in refused.json["detail"]
    assert client.sign_in("alice@example.com", PASSWORD).status_code == 302, "the password is not limited by it"


def test_somebody_elses_passkey_renews_no_session(signed_in: Visitor, passkey: Authenticator, bob: User) -> None:
    before = list(db.session.scalars(select(UserSession.token_hash)))
    for other in (add_passkey(bob), Authenticator(user_handle=b"x" * 32)):
        options = ask(signed_in, "/sign-in/confirm/passkey")
        assert [known["id"] for known in options["allowCredentials"]] == [encoded(passkey.credential_id)]
        refused = signed_in.submit("/sign-in/confirm", passkey=other.sign(options))
        assert (refused.status_code, "This passkey doesn&#39;t work here." in refused.text) == (422, True)
    assert list(db.session.scalars(select(UserSession.token_hash))) == before


def test_a_right_answer_that_is_too_long_renews_no_session(signed_in: Visitor, passkey: Authenticator) -> None:
    before = list(db.session.scalars(select(UserSession.token_hash)))
    answer = passkey.sign(ask(signed_in, "/sign-in/confirm/passkey")) + " " * MAX_ANSWER
    assert signed_in.submit("/sign-in/confirm", passkey=answer).status_code == 422
    assert list(db.session.scalars(select(UserSession.token_hash))) == before


def test_a_passkey_signs_in_over_somebody_elses_session(app: Flask, bob: User, passkey: Authenticator) -> None:
    browser = browser_of(app, bob)
    browser.submit(SIGN_IN, credential=passkey.sign(ask(browser, SIGN_IN)))
    assert "alice" in browser.get("/mypage").text
    assert sessions() == 1, "Bob's session has ended"


def test_right_passkeys_have_a_limit_of_their_own(
    app: Flask, client: Visitor, alice: User, passkey: Authenticator
) -> None:
    use_up(app, rate_limits.SIGN_INS, alice.id)  # who knows the password alone stops no passkey
    use_up(app, rate_limits.PASSKEY_SIGN_INS, alice.id, left=1)
    assert client.submit(SIGN_IN, credential=passkey.sign(ask(client, SIGN_IN))).location == "/notes"
    stranger = Visitor(client.application)
    answer = stranger.submit(SIGN_IN, credential=passkey.sign(ask(stranger, SIGN_IN)))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Try again in 1 minute." in answer.text
    assert sessions() == 1
