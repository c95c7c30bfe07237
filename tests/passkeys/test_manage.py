"""Adding, renaming and removing passkeys; of concurrent requests with one of them, or with a code, one wins.

An answer is for this site and this browser's challenge alone.
"""

import json

import pytest
from flask import Flask
from sqlalchemy import func, insert, select, update
from webauthn.helpers import base64url_to_bytes

from app.accounts import service as accounts
from app.accounts import tokens
from app.accounts.models import AccountEvent, User
from app.accounts.tokens import SecondStepExpired
from app.extensions import db
from app.limits import rate_limits
from app.passkeys import ceremonies, service, two_step
from app.passkeys.models import Passkey, RecoveryCode
from app.passkeys.service import ChallengeExpired, PasskeyCopied, PasskeyRefused, TooManyPasskeys
from app.passkeys.two_step import WrongRecoveryCode
from app.rejection import RowNotFound
from tests.accounts.conftest import AT_ONCE, use_up, won
from tests.conftest import CLIENT, PASSWORD
from tests.database import commit, row_counts, same_row_counts
from tests.passkeys.conftest import (
    BACKUP_ELIGIBLE,
    FLAGS,
    PARTY,
    UNTRUE,
    USER_PRESENT,
    Authenticator,
    Options,
    add_passkey,
    ask,
    encoded,
)
from tests.visitor import Visitor

PAGE = "/mypage/passkeys"
MALFORMED = [
    "", "[]", "\x00", "\ud800", "[" * 10_000, '{"id": 1}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"é","attestationObject":"é"}}',
    '{"id":"YQ","rawId":"YQ","type":"public-key","response":{"clientDataJSON":"W10","attestationObject":"n_8"},'
    '"authenticatorAttachment":"elsewhere"}',
    "x" * 16_001,
]  # fmt: skip


def add_rows(user: User, count: int) -> None:
    """Store as many passkeys of a user at once. No device has them."""
    row = {"user_id": user.id, "name": "one of many", "public_key": b"", "user_handle": b"x", "sign_count": 0}
    row |= {"transports": [], "backed_up": False}
    commit(insert(Passkey), [{**row, "credential_id": bytes([number])} for number in range(count)])


def only() -> Passkey:
    return db.session.scalars(select(Passkey)).one()


def test_a_passkey_is_added_and_listed_and_the_browser_is_told_nothing_of_the_account(
    signed_in: Visitor, alice: User
) -> None:
    options, device = ask(signed_in, PAGE), Authenticator()
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert (options["attestation"], options["rp"]["id"], options["excludeCredentials"]) == ("none", "localhost", [])
    assert len(options["user"]["id"]) == len(encoded(bytes(service.HANDLE_LENGTH)))
    assert signed_in.submit(PAGE, name=" 내 전화기 ", credential=device.register(options)).location == PAGE
    [passkey] = db.session.scalars(select(Passkey))
    assert (passkey.user_id, passkey.name, passkey.transports) == (alice.id, "내 전화기", ["internal"])
    assert "내 전화기" in signed_in.get(PAGE).text


def test_all_passkeys_of_an_account_have_one_user_handle_and_exclude_each_other(
    signed_in: Visitor, passkey: Authenticator
) -> None:
    options = ask(signed_in, PAGE)
    assert options["user"]["id"] == encoded(passkey.user_handle)
    assert [known["id"] for known in options["excludeCredentials"]] == [encoded(passkey.credential_id)]


def test_an_untrue_answer_is_refused_and_stores_nothing(signed_in: Visitor) -> None:
    with same_row_counts():
        for wrong in [*UNTRUE, {"flags": (FLAGS & ~USER_PRESENT) | BACKUP_ELIGIBLE}]:
            answer = signed_in.submit(
                PAGE, name="phone", credential=Authenticator().register(ask(signed_in, PAGE), **wrong)
            )
            assert answer.status_code == 422, wrong


def test_a_malformed_answer_is_refused_and_stores_nothing(signed_in: Visitor) -> None:
    before = row_counts()["passkeys"]
    for malformed in MALFORMED:
        ask(signed_in, PAGE)
        answer = signed_in.submit(PAGE, name="phone", credential=malformed.encode("utf-8", "surrogatepass"))
        assert answer.status_code == 422, malformed[:100]
    assert row_counts()["passkeys"] == before


def test_a_key_that_is_none_is_refused(alice: User) -> None:
    """The attestation is "none", so nothing signs the key. One that no device has would sign nobody in."""
    for place in range(1, 72, 5):
        challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
        answer = json.loads(Authenticator().register(options))
        broken = bytearray(base64url_to_bytes(answer["response"]["attestationObject"]))
        broken[-place] ^= 1
        answer["response"]["attestationObject"] = encoded(bytes(broken))
        with pytest.raises(PasskeyRefused):
            service.add_passkey(PARTY, challenge_id, alice.id, json.dumps(answer), "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


@pytest.mark.parametrize("limit", ["MAX_CREDENTIAL_ID", "MAX_PUBLIC_KEY"])
def test_a_key_or_an_id_that_is_too_long_is_refused(alice: User, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(ceremonies, limit, 8)
    challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
    with pytest.raises(PasskeyRefused):
        service.add_passkey(PARTY, challenge_id, alice.id, Authenticator().register(options), "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


def test_the_challenge_of_another_person_is_refused(alice: User, bob: User) -> None:
    challenge_id, options = service.ask_to_register(PARTY, alice.id, alice.email, alice.nickname)
    with pytest.raises(ChallengeExpired):
        service.add_passkey(PARTY, challenge_id, bob.id, Authenticator().register(options), "phone", CLIENT)
    assert row_counts()["passkeys"] == 0


def test_a_passkey_that_an_account_has_already_is_refused(alice: User, bob: User) -> None:
    device = add_passkey(alice)
    for user in (alice, bob):
        user_id = user.id
        challenge_id, options = service.ask_to_register(PARTY, user_id, "a@example.com", "a")
        with pytest.raises(service.PasskeyTaken):
            service.add_passkey(PARTY, challenge_id, user_id, device.register(options), "phone", CLIENT)
    assert row_counts()["passkeys"] == 1


def test_the_twenty_first_passkey_of_an_account_is_refused(signed_in: Visitor, alice: User, bob: User) -> None:
    add_rows(bob, service.MOST)
    own = Authenticator().register(ask(signed_in, PAGE))
    assert signed_in.submit(PAGE, name="phone", credential=own).location == PAGE
    options = ask(signed_in, PAGE)
    db.session.execute(update(Passkey).values(user_id=alice.id))
    assert signed_in.submit(PAGE, name="phone", credential=Authenticator().register(options)).status_code == 422
    assert signed_in.submit(f"{PAGE}/options").status_code == 409
    assert row_counts()["passkeys"] == service.MOST + 1


def test_a_passkey_is_renamed_and_no_other(signed_in: Visitor, passkey: Authenticator, alice: User, bob: User) -> None:
    page = f"{PAGE}/{only().id}"
    add_passkey(alice, "the other one")
    add_passkey(bob, "his")
    assert signed_in.submit(page, name="a\nb").status_code == 422
    assert 'value="Chrome on macOS"' in signed_in.get(page).text
    assert signed_in.submit(page, name="내 노트북").location == PAGE
    his = db.session.scalars(select(Passkey.id).filter_by(name="his")).one()
    with signed_in.application.app_context(), pytest.raises(RowNotFound):
        service.rename_passkey(alice.id, his, "mine")
    assert set(db.session.scalars(select(Passkey.name))) == {"내 노트북", "the other one", "his"}


def test_one_network_asks_for_only_so_many_challenges(signed_in: Visitor) -> None:
    use_up(signed_in.application, rate_limits.PASSKEYS_BY_ADDRESS, "127.0.0.1", left=1)
    assert [signed_in.submit(f"{PAGE}/options").status_code for _ in range(2)] == [200, 429]
    assert row_counts()["passkey_challenges"] == 1


def test_the_last_one_stays_while_sign_in_asks_for_it(signed_in: Visitor, alice: User, codes: list[str]) -> None:
    first = only().id
    assert signed_in.submit(f"{PAGE}/{first}/delete").location == PAGE
    assert "Turn off two-step sign-in first." in signed_in.get(PAGE).text
    assert row_counts()["passkeys"] == 1
    add_passkey(alice)
    signed_in.submit(f"{PAGE}/{first}/delete")
    assert only().id != first


def test_the_address_of_the_site_decides_where_passkeys_work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for site, url, offered in (
        ("", "http://localhost", True),
        ("", "http://127.0.0.1:5000", False),
        ("", "http://[::1]", False),
        ("https://notes.example.com", "https://notes.example.com", True),
        ("https://notes.example.com", "https://example.com", False),
        ("https://192.0.2.7", "https://192.0.2.7", False),
    ):
        monkeypatch.setitem(app.config, "SITE_URL", site)
        assert ("data-passkey" in app.test_client().get("/sign-in", base_url=url).text) == offered, (site, url)


def test_the_owner_reads_of_every_change(signed_in: Visitor, alice: User, codes: list[str]) -> None:
    add_passkey(alice)
    signed_in.submit(f"{PAGE}/recovery-codes")
    signed_in.submit(f"{PAGE}/second-step/off")
    [first, _second] = db.session.scalars(select(Passkey.id).order_by(Passkey.id))
    signed_in.submit(f"{PAGE}/{first}/delete")
    kinds = db.session.scalars(select(AccountEvent.kind).order_by(AccountEvent.id)).all()
    passkeys, codes_made = ["passkey_added", "second_step_on", "passkey_added"], "recovery_codes_made"
    assert kinds[-6:] == [*passkeys, codes_made, "second_step_off", "passkey_removed"]


Answered = tuple[int, str]


@pytest.fixture
def committed(migrated: Flask) -> User:
    return accounts.sign_up("alice@example.com", "alice", PASSWORD)


def sign_in(answered: Answered) -> None:
    service.authenticate(PARTY, answered[0], service.SIGN_IN, answered[1])


def test_one_uses_a_recovery_code_and_one_takes_the_second_step(migrated: Flask, committed: User) -> None:
    add_passkey(committed)
    code, *codes = two_step.turn_on(committed.id, CLIENT)
    pending = [tokens.start_second_step(committed, remember=False) for _ in range(AT_ONCE + 1)]
    last = pending.pop()
    losses = (WrongRecoveryCode, SecondStepExpired)
    for tries in ([(token, code) for token in pending], [(last, each) for each in codes * 2]):
        assert len(won(migrated, lambda typed: two_step.sign_in_with_code(*typed, CLIENT), tries, *losses)) == 1
    assert db.session.scalar(select(func.count()).where(RecoveryCode.used_at.is_(None))) == two_step.CODES - 2


def test_one_answers_a_challenge_and_one_copy_of_a_counting_passkey_signs_in(migrated: Flask, committed: User) -> None:
    device = add_passkey(committed)
    challenge_id, options = service.ask_to_sign_in(PARTY, service.SIGN_IN)
    answers = [(challenge_id, device.sign(options)) for _ in range(AT_ONCE)]
    assert len(won(migrated, sign_in, answers, ChallengeExpired)) == 1
    device.count = 1
    asked = [service.ask_to_sign_in(PARTY, service.SIGN_IN) for _ in range(AT_ONCE)]
    answers = [(challenge_id, device.sign(options)) for challenge_id, options in asked]
    assert len(won(migrated, sign_in, answers, PasskeyCopied)) == 1


def test_no_passkey_is_the_twenty_first(migrated: Flask, committed: User) -> None:
    add_rows(committed, service.MOST - 1)
    user_id = committed.id
    asked = [service.ask_to_register(PARTY, user_id, "alice@example.com", "alice") for _ in range(AT_ONCE)]

    def attempt(challenge: tuple[int, Options]) -> None:
        challenge_id, options = challenge
        service.add_passkey(PARTY, challenge_id, user_id, Authenticator().register(options), "phone", CLIENT)

    assert len(won(migrated, attempt, asked, TooManyPasskeys)) == 1
    assert row_counts()["passkeys"] == service.MOST
