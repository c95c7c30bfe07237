"""The passkeys of an account: list, add, rename and remove them. Somebody else's passkey is not found."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import events
from app.accounts.events import Client
from app.accounts.models import EventKind, User
from app.accounts.service import lock_user
from app.database_errors import violated_constraint
from app.extensions import db, read
from app.passkeys import ceremonies, challenges, recovery_codes
from app.passkeys.ceremonies import RelyingParty
from app.passkeys.models import Passkey
from app.passkeys.options import Known, registration_options

MOST = 20  # per person; limits the size of the page, and of what a browser is sent
HANDLE_LENGTH = 32  # bytes; WebAuthn allows 64


class PasskeyNotFound(Exception):
    """There is no such passkey, or it belongs to somebody else."""


class PasskeyTaken(Exception):
    """An account has this passkey already."""


class TooManyPasskeys(Exception):
    """The account has MOST passkeys."""


class NoPasskey(Exception):
    """Sign-in cannot ask for a passkey after the password: there is none."""


class LastPasskey(Exception):
    """Sign-in asks for a passkey after the password, and this is the last one."""


@dataclass(frozen=True)
class Overview:
    """
    Args:
        passkeys: in the order in which they were added, with their columns for the page.
        is_second_step: whether sign-in asks for one after the password.
        codes_left: unused recovery codes.
    """

    passkeys: Sequence["Shown"]
    is_second_step: bool
    codes_left: int


@dataclass(frozen=True)
class Shown:
    id: int
    name: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


# One row even without a passkey, so that one statement is enough for the page.
_OVERVIEW = (
    select(
        User.passkey_after_password,
        recovery_codes.LEFT.label("codes_left"),
        Passkey.id,
        Passkey.name,
        Passkey.backed_up,
        Passkey.created_at,
        Passkey.last_used_at,
    )
    .outerjoin(Passkey, Passkey.user_id == User.id)
    .where(User.id == bindparam("user_id"))
    .order_by(Passkey.id)
    .limit(MOST)
)
KNOWN = select(Passkey.credential_id, Passkey.transports, Passkey.user_handle).where(
    Passkey.user_id == bindparam("user_id")
)
_OWN = (Passkey.id == bindparam("passkey_id"), Passkey.user_id == bindparam("owner"))
_NAME = select(Passkey.name).where(*_OWN)


def overview(user_id: int) -> Overview:
    rows = read(_OVERVIEW, {"user_id": user_id}).all()
    shown = [Shown(row.id, row.name, row.backed_up, row.created_at, row.last_used_at) for row in rows if row.id]
    return Overview(shown, rows[0].passkey_after_password if rows else False, rows[0].codes_left if rows else 0)


def ask_to_register(party: RelyingParty, user_id: int, email: str, nickname: str) -> tuple[int, dict[str, Any]]:
    """The id of a new challenge, and what the browser is asked. Raises: TooManyPasskeys, AccountGone."""
    known = db.session.execute(KNOWN, {"user_id": user_id}).all()
    if len(known) >= MOST:
        raise TooManyPasskeys
    handle = known[0].user_handle if known else secrets.token_bytes(HANDLE_LENGTH)
    drawn = challenges.draw(challenges.REGISTER, user_id, handle)
    devices = [Known(row.credential_id, row.transports) for row in known]
    return drawn.id, registration_options(party, drawn.value, handle, email, nickname, devices)


def add_passkey(
    party: RelyingParty, challenge_id: int | None, user_id: int, answer: str, name: str, client: Client
) -> int:
    """Store the passkey that a browser has made, and return its id.

    Raises:
        ChallengeExpired, PasskeyRefused: see there.
        PasskeyTaken, TooManyPasskeys, AccountGone: nothing was stored.
    """
    drawn = challenges.use(challenge_id, challenges.REGISTER, user_id)
    made = ceremonies.verify_registration(party, drawn.value, answer)
    lock_user(user_id)  # so that no two passkeys at once are the twentieth
    count = db.session.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)) or 0
    if count >= MOST:
        db.session.rollback()
        raise TooManyPasskeys
    passkey = Passkey(
        user_id=user_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        user_handle=drawn.user_handle,
        sign_count=made.sign_count,
        name=name,
        transports=made.transports,
        backed_up=made.backed_up,
    )
    db.session.add(passkey)
    try:
        db.session.flush()
        events.record(user_id, EventKind.PASSKEY_ADDED, client)
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        if violated_constraint(error) != "uq_passkeys_credential_id":
            raise
        raise PasskeyTaken from error  # even if it belongs to another account: the page must not reveal whose it is
    return passkey.id


def get_name(user_id: int, passkey_id: int) -> str:
    """Raises: PasskeyNotFound."""
    name = db.session.scalar(_NAME, {"owner": user_id, "passkey_id": passkey_id})
    if name is None:
        raise PasskeyNotFound
    return name


def rename_passkey(user_id: int, passkey_id: int, name: str) -> None:
    """Raises: PasskeyNotFound."""
    renamed = update(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == user_id).values(name=name)
    found = db.session.scalar(renamed.returning(Passkey.id))
    db.session.commit()
    if found is None:
        raise PasskeyNotFound


def remove_passkey(user_id: int, passkey_id: int, client: Client) -> None:
    """Raises: PasskeyNotFound, LastPasskey, AccountGone. Nothing was changed."""
    user = lock_user(user_id)
    ids = set(db.session.scalars(select(Passkey.id).where(Passkey.user_id == user_id)))
    if passkey_id not in ids:
        db.session.rollback()
        raise PasskeyNotFound
    if user.passkey_after_password and len(ids) == 1:
        db.session.rollback()
        raise LastPasskey
    db.session.execute(delete(Passkey).where(Passkey.id == passkey_id))
    events.record(user_id, EventKind.PASSKEY_REMOVED, client)
    db.session.commit()
