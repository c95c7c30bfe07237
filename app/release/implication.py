"""Predicate implication: whether every row that one CHECK takes, another one takes too.

PostgreSQL's planner proves it. With constraint exclusion it does not read a table whose CHECK refutes the condition of
a query. So the old CHECK is put on an empty temporary copy of the table, and the query asks for rows that the new one
refuses. NULL passes both. What the planner cannot prove counts as not so: another function, a regular expression, or a
list of more than 100 values (MAX_SAOP_ARRAY_SIZE in src/backend/optimizer/util/predtest.c).
"""

import re

from sqlalchemy import Connection

from app.release.connection import execute_verbatim
from app.release.definitions import empty_copies
from app.release.sql.dialect import quote

_CHECK = re.compile(r"CHECK (?P<condition>\(.*\))", re.DOTALL)  # not so one that is NO INHERIT or NOT ENFORCED


def takes_all(connection: Connection, table: str, old: str, new: str) -> bool:
    """Whether a row that the old constraint takes is sure to be taken by the new one.

    Args:
        old, new: definitions, such as "CHECK (size < 10)". Of other constraints it is not known.
    """
    wanted = _CHECK.fullmatch(new)
    if wanted is None or not _CHECK.fullmatch(old):
        return False
    with empty_copies(connection, table):
        execute_verbatim(connection, f"ALTER TABLE {quote(table)} ADD {old}; SET LOCAL constraint_exclusion = on")
        query = f"EXPLAIN (FORMAT JSON) SELECT FROM {quote(table)} WHERE NOT {wanted['condition']}"
        [explained] = connection.exec_driver_sql(query, execution_options={"no_parameters": True}).scalar_one()
    return bool(explained["Plan"].get("One-Time Filter") == "false")
