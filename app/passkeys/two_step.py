"""Optional two-step sign-in: a passkey after the password, or a recovery code in its place."""

from sqlalchemy import func, select

from app.accounts import events, second_step
from app.accounts.events import Client
from app.accounts.models import EventKind
from app.accounts.second_step import Pending
from app.accounts.service import lock_user
from app.extensions import db
from app.passkeys import recovery_codes
from app.passkeys.models import Passkey
from app.passkeys.service import NoPasskey


class WrongRecoveryCode(Exception):
    """There is no such code, or it was used. The second step can be tried again."""


class NotTurnedOn(Exception):
    """Without the second step there is nothing that a recovery code would stand in for."""


def turn_on(user_id: int, client: Client) -> list[str]:
    """Have sign-in ask for a passkey after the password. Returns new recovery codes, which nobody can read again.

    Raises: NoPasskey, AccountGone. Nothing was changed.
    """
    codes = recovery_codes.draw()
    hashes = recovery_codes.hashes(codes)
    user = lock_user(user_id)
    if not db.session.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)):
        db.session.rollback()
        raise NoPasskey
    user.passkey_after_password = True
    recovery_codes.replace(user_id, hashes)
    events.record(user_id, EventKind.SECOND_STEP_ON, client)
    db.session.commit()
    return codes


def turn_off(user_id: int, client: Client) -> None:
    """The password is enough again, and the recovery codes are void. Raises: AccountGone."""
    lock_user(user_id).passkey_after_password = False
    recovery_codes.replace(user_id, [])
    events.record(user_id, EventKind.SECOND_STEP_OFF, client)
    db.session.commit()


def new_codes(user_id: int, client: Client) -> list[str]:
    """New recovery codes; earlier ones no longer work. Raises: NotTurnedOn, AccountGone. Nothing was changed."""
    codes = recovery_codes.draw()
    hashes = recovery_codes.hashes(codes)
    if not lock_user(user_id).passkey_after_password:
        db.session.rollback()
        raise NotTurnedOn
    recovery_codes.replace(user_id, hashes)
    events.record(user_id, EventKind.RECOVERY_CODES_MADE, client)
    db.session.commit()
    return codes


def sign_in_with_code(token: str, code: str, client: Client) -> Pending:
    """Take the second step with a recovery code; both are used up, or neither.

    Args:
        token: of second_step.py, from the browser's cookie.

    Raises:
        SecondStepExpired, WrongRecoveryCode: nothing was changed.
    """
    code_id = recovery_codes.find(second_step.read(token).user.id, code)
    if code_id is None:
        raise WrongRecoveryCode
    pending = second_step.use(token)
    if not recovery_codes.use(code_id):
        db.session.rollback()
        raise WrongRecoveryCode
    events.record(pending.user.id, EventKind.RECOVERY_CODE_USED, client)
    db.session.commit()
    return pending


def sign_in_with_passkey(token: str) -> Pending:
    """Take the second step after a passkey of the same account has answered. Raises: SecondStepExpired."""
    pending = second_step.use(token)
    db.session.commit()
    return pending
