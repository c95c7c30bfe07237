"""What a violated constraint says about an account."""

from psycopg2.errorcodes import FOREIGN_KEY_VIOLATION
from psycopg2.extensions import Diagnostics
from sqlalchemy.exc import IntegrityError


def owner_is_gone(error: IntegrityError) -> bool:
    """Whether a row was refused because its user no longer exists: the foreign key from `user_id` to users.

    Any other violated constraint is a mistake of ours, which has to surface and must not sign anybody out.
    """
    diagnostics: Diagnostics | None = getattr(error.orig, "diag", None)
    return (
        diagnostics is not None
        and diagnostics.sqlstate == FOREIGN_KEY_VIOLATION
        and diagnostics.constraint_name == f"fk_{diagnostics.table_name}_user_id_users"  # see NAMING_CONVENTION
    )
