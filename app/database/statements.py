"""Parts of statements that speak to the connection which sends them, and to the planner."""

from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select, tuple_
from sqlalchemy.types import BigInteger, Boolean, Integer, String

# Behind the SELECT of a statement whose plan depends on its values, such as the words of a search: it is not prepared.
# PostgreSQL would come to take a plan for any values, and that reads every row.
UNPREPARED = "/* planned for its values */"

# The first query of a request can name its session as well, which costs no statement of its own: a column that selects
# this does. The connection gives it the name.
SESSION_NAME = func.set_config(
    "application_name", bindparam("session_name", None, String), bindparam("name_is_local", True, Boolean)
).label("session_name")


def fixed(rows: int) -> ColumnElement[int]:
    """Return a LIMIT that is no parameter: of one, a plan for any values expects a tenth of the table."""
    return literal_column(str(rows), Integer)


def own_rows(model: Any, *names: str) -> Select[*tuple[Any, ...]]:
    """Return these columns of the rows of `owner`, the oldest first."""
    rows = select(*(getattr(model, name) for name in names)).where(model.user_id == bindparam("owner"))
    return rows.order_by(model.id).execution_options(yield_per=100)


def before_key(rows: Select[Any], owner: Any, key: Any) -> Select[Any]:
    """Return the owner's rows before a key, the newest first, in both columns of the index that has them.

    With `owner = …` alone in its place a plan for any values may walk the primary key, past the rows of all others.
    """
    given = bindparam("owner", type_=BigInteger)
    return rows.where(
        owner >= given, tuple_(owner, key) < tuple_(given, bindparam("before", type_=BigInteger))
    ).order_by(owner.desc(), key.desc())
