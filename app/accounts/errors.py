"""What a violated constraint says about an account."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.errorcodes import FOREIGN_KEY_VIOLATION
from psycopg2.extensions import Diagnostics
from sqlalchemy.exc import IntegrityError

from app.accounts.service import AccountGone
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
    diagnostics: Diagnostics | None = getattr(error.orig, "diag", None)
    return (
        diagnostics is not None
        and diagnostics.sqlstate == FOREIGN_KEY_VIOLATION
        and diagnostics.constraint_name == f"fk_{diagnostics.table_name}_user_id_users"  # see NAMING_CONVENTION
    )
