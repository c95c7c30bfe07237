"""What a violated constraint says about an account."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.accounts.service import AccountGone
from app.database_errors import violated_constraint
from app.extensions import db


@contextmanager
def owner_required() -> Iterator[None]:
    """Around an INSERT of a user's row: a missing user becomes AccountGone.

    Any other violated constraint is a mistake of ours. It has to surface, and must not sign anybody out.

    Raises:
        AccountGone, IntegrityError: the transaction is rolled back.
    """
    try:
        yield
    except IntegrityError as error:
        db.session.rollback()
        if owner_is_gone(error):
            raise AccountGone from error
        raise


def owner_is_gone(error: IntegrityError) -> bool:
    """Whether the foreign key from `user_id` to users was violated."""
    constraint = violated_constraint(error) or ""
    return constraint.startswith("fk_") and constraint.endswith("_user_id_users")  # see NAMING_CONVENTION
