"""The passkeys of an account: list, add, rename and remove them, and sign in with one. Somebody else's is not found.

A browser signs a challenge (WebAuthn, section 13.4.3). It is a row, so that the first answer can delete it: a cookie
alone could be sent twice (replay). The row's id is in the browser's signed session cookie, so it serves this one alone.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, delete, func, insert, select, update

from app.accounts import events
from app.accounts.models import EventKind, User
from app.accounts.service import lock_user, owner_required
from app.database.statements import fixed
from app.extensions import db, read
from app.passkeys.models import Challenge, Passkey, RecoveryCode
from app.rejection import RowNotFound, existing
from app.soft_delete import purged_nightly

MOST = 20  # per person; limits the size of the page, and of what a browser is sent
HANDLE_LENGTH = 32  # bytes; WebAuthn allows 64
CHALLENGE_LIFETIME = timedelta(minutes=5)
CHALLENGE_LENGTH = 32  # bytes
MAX_ANSWER = 16_000  # characters; without attestation a real one has 1,000

# Purposes. An answer that was given to confirm something must not sign in another browser, so each has its own.
REGISTER = "register"
SIGN_IN = "sign_in"
SECOND_STEP = "second_step"
CONFIRM = "confirm"


class RelyingParty(NamedTuple):
    """This site, as WebAuthn names it."""

    id: str  # a host name. A passkey works for this one alone, which is why it cannot be phished.
    origin: str  # scheme, host and port of the pages that ask for passkeys


class PasskeyRefused(Exception):
    """The answer is malformed or not true, or no account has this passkey. Its text is for the log alone."""


class PasskeyTaken(Exception):
    """An account has this passkey already."""


class TooManyPasskeys(Exception):
    """The account has MOST passkeys."""


class NoPasskey(Exception):
    """Sign-in cannot ask for a passkey after the password: there is none."""


class LastPasskey(Exception):
    """Sign-in asks for a passkey after the password, and this is the last one."""


class ChallengeExpired(Exception):
    """This browser was given no such challenge, it was answered already, or it took too long."""


class PasskeyCopied(PasskeyRefused):
    """The passkey's counter went backwards: there seems to be a copy (WebAuthn, section 6.1.1)."""


class Overview(NamedTuple):
    passkeys: Sequence[Row[*tuple[Any, ...]]]  # in the order in which they were added
    is_second_step: bool  # sign-in asks for one after the password
    codes_left: int  # recovery codes


_CODES_LEFT = (
    select(func.count())
    .select_from(RecoveryCode)
    .where(RecoveryCode.user_id == bindparam("user_id"), RecoveryCode.used_at.is_(None))
    .scalar_subquery()
)
# One row even without a passkey, so that one statement is enough for the page.
_OVERVIEW = (
    select(
        User.passkey_after_password,
        _CODES_LEFT.label("codes_left"),
        *(Passkey.id, Passkey.name, Passkey.backed_up, Passkey.created_at, Passkey.last_used_at),
    )
    .outerjoin(Passkey, Passkey.user_id == User.id)
    .where(User.id == bindparam("user_id"))
    .order_by(Passkey.id)
    .limit(fixed(MOST))
)
_KNOWN = select(Passkey.credential_id, Passkey.transports, Passkey.user_handle).where(
    Passkey.user_id == bindparam("user_id")
)


def overview(user_id: int) -> Overview:
    rows = read(_OVERVIEW, {"user_id": user_id}).all()
    shown = [row for row in rows if row.id]
    return Overview(shown, rows[0].passkey_after_password if rows else False, rows[0].codes_left if rows else 0)


def ask_to_register(party: RelyingParty, user_id: int, email: str, nickname: str) -> tuple[int, dict[str, Any]]:
    """Return the id of a new challenge, and what to ask the browser. Raises: TooManyPasskeys, AccountGone."""
    from app.passkeys import ceremonies

    known = db.session.execute(_KNOWN, {"user_id": user_id}).all()
    if len(known) >= MOST:
        raise TooManyPasskeys
    handle = known[0][-1] if known else secrets.token_bytes(HANDLE_LENGTH)
    challenge_id, value = draw_challenge(REGISTER, user_id, handle)
    return challenge_id, ceremonies.registration_options(party.id, value, handle, email, nickname, known)


def add_passkey(
    party: RelyingParty, challenge_id: int | None, user_id: int, answer: str, name: str, client: events.Client
) -> None:
    """Store the passkey that a browser has made, or none. Raises: ChallengeExpired, PasskeyRefused, PasskeyTaken,
    TooManyPasskeys, AccountGone.
    """
    from app.passkeys import ceremonies

    value, user_handle = use_challenge(challenge_id, REGISTER, user_id)
    with refusing(answer):
        made, transports = ceremonies.verify_registration(*party, value, answer)
    lock_user(user_id)  # so that no two passkeys at once are the twentieth
    count = db.session.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)) or 0
    if count >= MOST:
        db.session.rollback()
        raise TooManyPasskeys
    passkey = Passkey(
        user_id=user_id,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        user_handle=user_handle,
        sign_count=made.sign_count,
        name=name,
        transports=transports,
        backed_up=made.credential_backed_up,
    )
    db.session.add(passkey)
    # Even if it belongs to another account: the page must not reveal whose it is.
    with owner_required(uq_passkeys_credential_id=PasskeyTaken):
        db.session.flush()
    events.record(user_id, EventKind.PASSKEY_ADDED, client)
    db.session.commit()


def get_name(user_id: int, passkey_id: int) -> str:
    """Return what the owner calls a passkey. Raises: RowNotFound."""
    own = select(Passkey.name).where(Passkey.id == passkey_id, Passkey.user_id == user_id)
    return existing(db.session.scalar(own))


def rename_passkey(user_id: int, passkey_id: int, name: str) -> None:
    """Raises: RowNotFound."""
    renamed = update(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id).values(name=name)
    found = db.session.scalar(renamed.returning(Passkey.id))
    db.session.commit()
    existing(found)


def remove_passkey(user_id: int, passkey_id: int, client: events.Client) -> None:
    """Raises: RowNotFound, LastPasskey, AccountGone. Nothing was changed."""
    user = lock_user(user_id)
    ids = set(db.session.scalars(select(Passkey.id).where(Passkey.user_id == user_id)))
    if passkey_id not in ids:
        db.session.rollback()
        raise RowNotFound
    if user.passkey_after_password and len(ids) == 1:
        db.session.rollback()
        raise LastPasskey
    db.session.execute(delete(Passkey).where(Passkey.id == passkey_id))
    events.record(user_id, EventKind.PASSKEY_REMOVED, client)
    db.session.commit()


def ask_to_sign_in(party: RelyingParty, purpose: str, user_id: int | None = None) -> tuple[int, dict[str, Any]]:
    """Return the id of a new challenge, and what to ask. Without `user_id` anybody may answer. Raises: AccountGone."""
    from app.passkeys import ceremonies

    challenge_id, value = draw_challenge(purpose, user_id)
    known = db.session.execute(_KNOWN, {"user_id": user_id}).all() if user_id else []
    return challenge_id, ceremonies.authentication_options(party.id, value, known)


def authenticate(
    party: RelyingParty, challenge_id: int | None, purpose: str, answer: str, user_id: int | None = None
) -> User:
    """Return whose passkey has answered the challenge. Raises: ChallengeExpired, PasskeyRefused, PasskeyCopied."""
    from webauthn.helpers import parse_authentication_credential_json

    from app.passkeys import ceremonies

    value, _handle = use_challenge(challenge_id, purpose, user_id)
    with refusing(answer):
        credential = parse_authentication_credential_json(answer)
    passkey = db.session.scalar(select(Passkey).where(Passkey.credential_id == credential.raw_id))
    if passkey is None or user_id not in (None, passkey.user_id):
        raise PasskeyRefused("unknown")
    handle = credential.response.user_handle
    is_left_out = not handle and user_id is not None  # as a device may that was asked for this passkey
    if handle != passkey.user_handle and not is_left_out:
        raise PasskeyRefused("user handle")
    with refusing(answer):
        verified = ceremonies.verify_authentication(*party, value, credential, passkey.public_key)
    # A passkey that counts has to have counted on (WebAuthn, section 6.1.1). It is compared after the signature, by the
    # statement that stores it, so that no two answers pass together.
    count, backed_up = verified.new_sign_count, verified.credential_backed_up
    has_counted_on = Passkey.sign_count < count if count else Passkey.sign_count == 0
    counted = update(Passkey).where(Passkey.id == passkey.id, has_counted_on).returning(Passkey.id)
    if db.session.scalar(counted.values(sign_count=count, backed_up=backed_up, last_used_at=func.now())) is None:
        db.session.rollback()
        raise PasskeyCopied(f"account={passkey.user_id} passkey={passkey.id}")
    user = db.session.get_one(User, passkey.user_id)  # it cannot be deleted while its passkey is locked
    db.session.commit()
    return user


@contextmanager
def refusing(answer: str) -> Iterator[None]:
    """Refuse an answer that is too long, or that makes the library raise, whatever that is (ceremonies.py)."""
    if len(answer) > MAX_ANSWER:
        raise PasskeyRefused("too long")
    try:
        yield
    except Exception as error:
        raise PasskeyRefused(f"{type(error).__name__}: {error}"[:200]) from error


def draw_challenge(purpose: str, user_id: int | None = None, user_handle: bytes | None = None) -> tuple[int, bytes]:
    """Store a new challenge, and return its id and its bytes. Raises: AccountGone."""
    value = secrets.token_bytes(CHALLENGE_LENGTH)
    row = {"challenge": value, "purpose": purpose, "user_id": user_id, "user_handle": user_handle}
    drawn = insert(Challenge).values(row | {"expires_at": func.now() + CHALLENGE_LIFETIME})
    with owner_required():
        challenge_id = db.session.execute(drawn.returning(Challenge.id)).scalar_one()
    db.session.commit()
    return challenge_id, value


def use_challenge(challenge_id: int | None, purpose: str, user_id: int | None = None) -> tuple[bytes, bytes | None]:
    """Use a challenge up, whatever its answer is worth. Return its bytes and user handle. Raises: ChallengeExpired."""
    is_asked = (Challenge.purpose == purpose, Challenge.user_id.is_not_distinct_from(user_id))
    used = delete(Challenge).where(Challenge.id == challenge_id, *is_asked, Challenge.expires_at > func.now())
    row = db.session.execute(used.returning(Challenge.challenge, Challenge.user_handle)).one_or_none()
    db.session.commit()
    if row is None:
        raise ChallengeExpired
    return row.challenge, row.user_handle


purge_expired_challenges = purged_nightly(
    "passkeys.purge_expired_challenges", (Challenge, Challenge.expires_at <= func.now())
)
