"""Two-step sign-in: after the password nobody is signed in before a passkey or a recovery code is shown."""

import json

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.accounts import changes, hashing, tokens
from app.accounts.models import AccountEvent, EventKind, PendingSignIn, User, UserSession
from app.extensions import db
from app.limits import rate_limits
from app.passkeys import two_step
from app.passkeys.models import RecoveryCode
from tests.accounts.conftest import use_up
from tests.conftest import CLIENT, PASSWORD
from tests.database import commit, row_counts
from tests.passkeys.authenticator import Authenticator
from tests.passkeys.conftest import add_passkey, ask
from tests.passkeys.test_sign_in import sessions
from tests.visitor import Visitor

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
    assert "Recovery codes left: 9" in half.get(PAGE).text
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


def test_a_wrong_code_signs_nobody_in_the_step_can_be_tried_again_and_the_owner_reads_of_it(
    half: Visitor, codes: list[str]
) -> None:
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


def test_without_an_answer_of_the_browser_it_is_asked_for_again_and_can_be_taken(
    half: Visitor, passkey: Authenticator
) -> None:
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


def test_a_right_password_begins_only_so_many_second_steps(
    app: Flask, client: Visitor, alice: User, codes: list[str]
) -> None:
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
