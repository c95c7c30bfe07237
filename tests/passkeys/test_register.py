"""Adding a passkey: discoverable, user verified, for this site and this browser's challenge alone."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from webauthn.helpers import base64url_to_bytes

from app.accounts.models import User
from app.extensions import db
from app.passkeys import service
from app.passkeys.ceremonies import PasskeyRefused
from app.passkeys.models import Challenge, Passkey
from app.passkeys.service import ChallengeExpired
from tests.conftest import CLIENT, browser_of
from tests.database import row_counts
from tests.passkeys.authenticator import BACKUP_ELIGIBLE, FLAGS, UNTRUE, USER_PRESENT, Authenticator, encoded
from tests.passkeys.conftest import PARTY, add_passkey
from tests.visitor import Visitor

PAGE = "/mypage/passkeys"
MALFORMED = [
    "", "{", "[]", "null", "1", '"x"', "{}", "\x00", "\ud800", "[" * 10_000, "é", '{"id": 1}',
    '{"id":"a","rawId":"a","type":"public-key","response":{}}',
    '{"id":"a","rawId":"a","type":"password","response":{"clientDataJSON":"a","attestationObject":"a"}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"é","attestationObject":"é"}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"e30"}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"W10","attestationObject":"n_8"},'
    '"authenticatorAttachment":"elsewhere"}',
    "x" * 16_001,
]  # fmt: skip


def ask(browser: Visitor) -> dict[str, Any]:
    answer = browser.submit(f"{PAGE}/options")
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)
    return answer.json


def test_a_passkey_is_added_and_listed(signed_in: Visitor, alice: User) -> None:
    device = Authenticator()
    answer = signed_in.submit(PAGE, name=" 내 전화기 ", credential=device.register(ask(signed_in)))
    assert answer.location == PAGE
    [passkey] = db.session.scalars(select(Passkey))
    assert (passkey.user_id, passkey.name, passkey.transports) == (alice.id, "내 전화기", ["internal"])
    assert "내 전화기" in signed_in.get(PAGE).text


def test_the_browser_is_asked_for_a_discoverable_credential_and_told_nothing_of_the_account(
    signed_in: Visitor, alice: User
) -> None:
    options = ask(signed_in)
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert options["rp"]["id"] == "localhost"
    assert len(options["user"]["id"]) == len(encoded(bytes(service.HANDLE_LENGTH)))
    assert options["excludeCredentials"] == []


def test_all_passkeys_of_an_account_have_one_user_handle_and_exclude_each_other(
    signed_in: Visitor, alice: User, passkey: Authenticator
) -> None:
    options = ask(signed_in)
    assert options["user"]["id"] == encoded(passkey.user_handle)
    assert [known["id"] for known in options["excludeCredentials"]] == [encoded(passkey.credential_id)]


@pytest.mark.parametrize(
    "wrong",
    [
        *UNTRUE,
        {"flags": (FLAGS & ~USER_PRESENT) | BACKUP_ELIGIBLE},
    ],
    ids=str,
)
def test_an_untrue_answer_is_refused_and_stores_nothing(signed_in: Visitor, wrong: dict[str, Any]) -> None:
    before = row_counts()
    answer = signed_in.submit(PAGE, name="phone", credential=Authenticator().register(ask(signed_in), **wrong))
    assert answer.status_code == 422
    assert row_counts() == before


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda text: repr(text[:40]))
def test_a_malformed_answer_is_refused_and_stores_nothing(signed_in: Visitor, malformed: str) -> None:
    ask(signed_in)
    before = row_counts()["passkeys"]
    text = malformed.encode("utf-8", "surrogatepass")
    answer = signed_in.submit(PAGE, name="phone", credential=text)
    assert answer.status_code == 422
    assert row_counts()["passkeys"] == before


def test_every_truncation_of_an_answer_is_refused(app: Flask, alice: User) -> None:
    for cut in range(20, 1200, 60):
        challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
        answer = Authenticator().register(options)
        with pytest.raises(PasskeyRefused):
            service.add_passkey(PARTY, challenge_id, alice.id, answer[: min(cut, len(answer) - 1)], "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


@pytest.mark.parametrize("place", range(1, 72, 5))
def test_a_key_that_is_none_is_refused(app: Flask, alice: User, place: int) -> None:
    """The attestation is "none", so nothing signs the key. One that no device has would sign nobody in."""
    challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
    answer = json.loads(Authenticator().register(options))
    broken = bytearray(base64url_to_bytes(answer["response"]["attestationObject"]))
    broken[-place] ^= 1
    answer["response"]["attestationObject"] = encoded(bytes(broken))
    with pytest.raises(PasskeyRefused):
        service.add_passkey(PARTY, challenge_id, alice.id, json.dumps(answer), "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


def test_a_body_that_is_too_large_is_413(signed_in: Visitor) -> None:
    before = row_counts()
    assert signed_in.submit(PAGE, name="phone", credential="x" * 70_000).status_code == 413
    assert row_counts() == before


@pytest.mark.parametrize("name", ["", "  ", "x" * 51, "two\nlines", "\x07"])
def test_a_bad_name_is_refused_and_stores_nothing(signed_in: Visitor, name: str) -> None:
    answer = signed_in.submit(PAGE, name=name, credential=Authenticator().register(ask(signed_in)))
    assert answer.status_code == 422
    assert row_counts()["passkeys"] == 0


def test_an_answer_counts_once(signed_in: Visitor) -> None:
    device = Authenticator()
    answer = device.register(ask(signed_in))
    assert signed_in.submit(PAGE, name="phone", credential=answer).status_code == 302
    assert signed_in.submit(PAGE, name="phone", credential=answer).status_code == 422
    assert row_counts()["passkeys"] == 1


def test_an_answer_that_comes_too_late_is_refused(signed_in: Visitor) -> None:
    answer = Authenticator().register(ask(signed_in))
    db.session.execute(update(Challenge).values(expires_at=func.now()))
    db.session.commit()
    assert signed_in.submit(PAGE, name="phone", credential=answer).status_code == 422
    assert row_counts()["passkeys"] == 0


def test_the_challenge_of_another_browser_is_refused(app: Flask, signed_in: Visitor, alice: User) -> None:
    other = browser_of(app, alice)
    answer = Authenticator().register(ask(signed_in))
    assert other.submit(PAGE, name="phone", credential=answer).status_code == 422
    assert row_counts()["passkeys"] == 0


def test_the_challenge_of_another_person_is_refused(app: Flask, alice: User, bob: User) -> None:
    challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
    with pytest.raises(ChallengeExpired):
        service.add_passkey(PARTY, challenge_id, bob.id, Authenticator().register(options), "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


def test_a_passkey_that_an_account_has_already_is_refused(app: Flask, alice: User, bob: User) -> None:
    device = add_passkey(alice)
    for user in (alice, bob):
        user_id = user.id
        challenge_id, options = service.ask_to_register(PARTY, user_id, "a@example.com", "a")
        with pytest.raises(service.PasskeyTaken):
            service.add_passkey(PARTY, challenge_id, user_id, device.register(options), "phone", CLIENT)
    assert row_counts()["passkeys"] == 1


def test_the_twenty_first_passkey_is_refused(app: Flask, signed_in: Visitor, alice: User) -> None:
    options = ask(signed_in)
    for _ in range(service.MOST):
        add_passkey(alice)
    answer = signed_in.submit(PAGE, name="phone", credential=Authenticator().register(options))
    assert answer.status_code == 422
    assert signed_in.submit(f"{PAGE}/options").status_code == 409
    assert row_counts()["passkeys"] == service.MOST
