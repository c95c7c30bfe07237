"""Sign-in by a passkey alone: no name is typed, and nothing but a true, new answer of this browser opens a session.

Two-step sign-in: after the password nobody is signed in before a passkey or a recovery code is shown.
"""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import changes, hashing, tokens
from app.accounts.models import AccountEvent, EventKind, PendingSignIn, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from app.passkeys import two_step
from app.passkeys.models import Challenge, Passkey, RecoveryCode
from app.passkeys.service import MAX_ANSWER
from tests.accounts.conftest import use_up
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.database import commit, row_counts
from tests.passkeys.conftest import UNTRUE, Authenticator, add_passkey, ask, encoded
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
    commit(db.delete(User).where(User.id == bob.id))
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


def test_right_passkeys_have_their_own_limit(app: Flask, client: Visitor, alice: User, passkey: Authenticator) -> None:
    use_up(app, rate_limits.SIGN_INS, alice.id)  # who knows the password alone stops no passkey
    use_up(app, rate_limits.PASSKEY_SIGN_INS, alice.id, left=1)
    assert client.submit(SIGN_IN, credential=passkey.sign(ask(client, SIGN_IN))).location == "/notes"
    stranger = Visitor(client.application)
    answer = stranger.submit(SIGN_IN, credential=passkey.sign(ask(stranger, SIGN_IN)))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert "Try again in 1 minute." in answer.text
    assert sessions() == 1


PAGE = "/mypage/passkeys"
STEP = "/sign-in/second-step"


@pytest.fixture
def half(client: Visitor, codes: list[str]) -> Visitor:
    """Return a browser that has typed Alice's password, and is to take the second step."""
    assert client.sign_in("alice@example.com", PASSWORD).location == STEP
    return client


def test_nobody_is_signed_in_before_a_passkey_completes_it(half: Visitor, passkey: Authenticator) -> None:
    assert half.get(STEP).status_code == 200
    assert half.get("/notes").status_code == 302
    assert sessions() == 0
    assert half.submit(f"{STEP}/passkey", credential=passkey.sign(ask(half, STEP))).location == "/notes"
    assert half.get("/notes").status_code == 200
    assert row_counts()["pending_sign_ins"] == 0


def test_a_recovery_code_completes_it_once(half: Visitor, codes: list[str], bob: User) -> None:
    add_passkey(bob)
    two_step.turn_on(bob.id, CLIENT)
    typed = codes[3].upper().replace("-", " ").replace("0", "O").replace("1", "l")
    assert half.submit(f"{STEP}/recovery-code", code=typed).location == "/notes"
    assert "9 recovery codes left" in half.get(PAGE).text
    half.submit("/sign-out")
    half.sign_in("alice@example.com", PASSWORD)
    assert half.submit(f"{STEP}/recovery-code", code=codes[3]).status_code == 422
    assert sessions() == 0


def test_keep_me_signed_in_next_and_the_typed_text_are_carried(client: Visitor, codes: list[str]) -> None:
    kept = json.dumps([["title", ""], ["content", "half a moon"]])
    fields = {"email": "alice@example.com", "password": PASSWORD, "remember": "y", "kept": kept}
    answer = client.submit("/sign-in?next=/notes", **fields)
    assert (answer.status_code, answer.location) == (307, f"{STEP}?next=/notes")
    page = client.submit(answer.location, **fields)
    assert page.status_code == 200
    assert "half a moon" in page.text
    answer = client.submit(f"{STEP}/recovery-code?next=/notes", code=codes[0], kept=kept)
    assert "half a moon" in answer.text
    session = db.session.scalars(select(UserSession)).one()
    assert (session.expires_at - session.created_at).days == 30


def test_a_wrong_code_signs_nobody_in_may_be_tried_again_and_is_told_the_owner(half: Visitor, codes: list[str]) -> None:
    for code in ("", "00000-00000", "x" * 41, "aaaaa-aaaaa"):
        assert half.submit(f"{STEP}/recovery-code", code=code).status_code == 422, code
    assert sessions() == 0
    assert half.submit(f"{STEP}/recovery-code", code=codes[0]).location == "/notes"
    noted = {event.kind: event.times for event in db.session.scalars(select(AccountEvent))}
    assert noted[EventKind.RECOVERY_CODE_REFUSED] == 2  # those that could be one
    assert noted[EventKind.RECOVERY_CODE_USED] == noted[EventKind.SIGN_IN] == 1


def test_somebody_elses_passkey_and_codes_complete_nothing(half: Visitor, passkey: Authenticator, bob: User) -> None:
    other = add_passkey(bob)
    foreign_codes = two_step.turn_on(bob.id, CLIENT)
    assert half.submit(f"{STEP}/passkey", credential=other.sign(ask(half, STEP))).status_code == 422
    assert half.submit(f"{STEP}/recovery-code", code=foreign_codes[0]).status_code == 422
    assert sessions() == 0


def test_without_the_password_there_is_no_second_step(client: Visitor, codes: list[str]) -> None:
    assert client.sign_in("alice@example.com", "another sentence").status_code == 422
    assert row_counts()["pending_sign_ins"] == 0
    for path in (f"{STEP}/passkey", f"{STEP}/recovery-code", STEP):
        assert client.submit(path, code=codes[0], credential="{}").location == "/sign-in", path
    assert sessions() == 0
    assert db.session.scalar(select(func.count()).select_from(RecoveryCode).where(RecoveryCode.used_at.is_(None))) == 10


def test_it_expires(half: Visitor, codes: list[str]) -> None:
    commit(update(PendingSignIn).values(expires_at=func.now()))
    assert half.submit(f"{STEP}/recovery-code", code=codes[0]).location == "/sign-in"
    assert "That took too long. Sign in again." in half.get("/sign-in").text
    assert sessions() == 0


def test_a_new_password_voids_it(app: Flask, half: Visitor, alice: User, codes: list[str]) -> None:
    token = tokens.draw(tokens.reserve(alice.id, tokens.RESET_PASSWORD, alice.email))[0]
    with app.app_context():
        changes.reset_password(token, "quite another sentence", "en", CLIENT)
    with half.session_transaction() as cookie, pytest.raises(tokens.SecondStepExpired):
        tokens.take_second_step(cookie["second_step"])
    assert half.submit(f"{STEP}/recovery-code", code=codes[0]).location == "/sign-in"
    assert sessions() == 0


def test_a_step_is_taken_once_and_that_of_another_person_stays(app: Flask, alice: User, bob: User) -> None:
    mine, bobs = (tokens.start_second_step(user, remember=user is bob) for user in (alice, bob))
    assert tokens.read_second_step(mine) == tokens.take_second_step(mine) == (alice, False)
    with pytest.raises(tokens.SecondStepExpired):
        tokens.take_second_step(mine)
    assert tokens.read_second_step(bobs) == (bob, True)


def test_without_an_answer_it_is_asked_for_again_and_can_be_taken(half: Visitor, passkey: Authenticator) -> None:
    answer = passkey.sign(ask(half, STEP))
    refused = half.submit(f"{STEP}/passkey", credential="")
    assert (refused.status_code, "Your browser sent no passkey" in refused.text, sessions()) == (422, True, 0)
    assert half.submit(f"{STEP}/passkey", credential=answer).location == "/notes"


def test_a_password_set_by_mail_does_not_go_around_it(client: Visitor, alice: User, codes: list[str]) -> None:
    token = tokens.draw(tokens.reserve(alice.id, tokens.RESET_PASSWORD, alice.email))[0]
    client.submit(f"/new-password/{token}", new_password="quite another sentence")
    assert client.sign_in("alice@example.com", "quite another sentence").location == STEP
    assert client.get("/notes").status_code == 302
    assert row_counts()["passkeys"] == 1, "the passkeys stay"


def test_codes_are_rate_limited_and_right_ones_cost_nothing(half: Visitor, alice: User, codes: list[str]) -> None:
    use_up(half.application, rate_limits.RECOVERY_CODES, alice.id, left=1)
    assert half.submit(f"{STEP}/recovery-code", code=codes[0]).location == "/notes"
    half.sign_in("alice@example.com", PASSWORD)
    assert half.submit(f"{STEP}/recovery-code", code="wrong").status_code == 422
    refused = half.submit(f"{STEP}/recovery-code", code=codes[1])
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]


def test_the_codes_are_shown_once_and_stored_as_hashes(signed_in: Visitor, alice: User, passkey: Authenticator) -> None:
    parts = signed_in.submit(f"{PAGE}/second-step").text.split("<code>")[1:]
    shown = [code.partition("</code>")[0] for code in parts]
    assert len(set(shown)) == two_step.CODES
    assert not [code for code in shown if code in signed_in.get(PAGE).text]
    assert all(one.startswith("$argon2id$") for one in db.session.scalars(select(RecoveryCode.code_hash)))


def test_new_codes_void_those_of_before(signed_in: Visitor, alice: User, codes: list[str]) -> None:
    assert signed_in.submit(f"{PAGE}/recovery-codes").status_code == 200
    stored = db.session.scalars(select(RecoveryCode.code_hash))
    assert not any(hashing.matches(two_step.normalized(codes[0]), one) for one in stored)
    assert row_counts()["recovery_codes"] == two_step.CODES


def test_turned_off_the_password_is_enough_and_the_codes_are_void(
    signed_in: Visitor, client: Visitor, bob: User, codes: list[str]
) -> None:
    add_passkey(bob)
    two_step.turn_on(bob.id, CLIENT)
    assert signed_in.submit(f"{PAGE}/second-step/off").location == PAGE
    assert set(db.session.scalars(select(RecoveryCode.user_id))) == {bob.id}
    assert db.session.scalars(select(User.id).where(User.passkey_after_password)).all() == [bob.id]
    assert client.sign_in("alice@example.com", PASSWORD).location == "/notes"


def test_without_a_passkey_of_ones_own_it_cannot_be_turned_on(signed_in: Visitor, alice: User, bob: User) -> None:
    add_passkey(bob)
    assert signed_in.submit(f"{PAGE}/second-step").location == PAGE
    assert signed_in.submit(f"{PAGE}/recovery-codes").location == PAGE
    assert row_counts()["recovery_codes"] == 0
    assert not db.session.scalar(select(User.passkey_after_password))


def test_right_passwords_begin_only_so_many_steps(app: Flask, client: Visitor, alice: User, codes: list[str]) -> None:
    use_up(app, rate_limits.SIGN_INS, alice.id)
    answer = client.sign_in("alice@example.com", PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert row_counts()["pending_sign_ins"] == 0
    assert client.get(STEP).location == "/sign-in"


def test_only_so_many_sets_of_codes_are_made(app: Flask, signed_in: Visitor, alice: User, codes: list[str]) -> None:
    use_up(app, rate_limits.RECOVERY_CODE_SETS, alice.id)
    before = db.session.scalars(select(RecoveryCode.code_hash).order_by(RecoveryCode.id)).all()
    for button in ("second-step", "recovery-codes"):
        assert signed_in.submit(f"{PAGE}/{button}").status_code == 429
    assert db.session.scalars(select(RecoveryCode.code_hash).order_by(RecoveryCode.id)).all() == before
