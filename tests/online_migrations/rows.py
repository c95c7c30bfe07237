"""Rows in every table of the project, at any revision."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, inspect, text

from app.extensions import Base, db
from online_migrations.state.tables import TOOL_TABLES
from tests.database import KEPT_BY_REVISIONS, KEPT_BY_TRIGGERS, insert_made_up

# Each filling adds five users, and rows of theirs. So it can be done again at a later revision.
OWNERS = "SELECT * FROM users ORDER BY id DESC LIMIT 5"
NEWEST = f"WITH newest AS ({OWNERS}) "

# The statement that gives each table its rows, in the order of rows.sql.
_SCRIPT = re.sub("^--.*\n", "", Path(__file__).with_suffix(".sql").read_text(), flags=re.MULTILINE)
ROWS = {statement.split()[2]: statement for statement in _SCRIPT.strip().rstrip(";").split(";\n")}

Rows = dict[str, list[dict[str, Any]]]


def tables() -> list[str]:
    """Return the tables that code writes."""
    others = {"alembic_version", *TOOL_TABLES, *KEPT_BY_TRIGGERS, *KEPT_BY_REVISIONS}
    return sorted(set(inspect(db.engine).get_table_names()) - others)


def fill(*, besides: Collection[str] = ()) -> None:
    """Add rows to every table that there is besides these, parents first."""
    present = tables()
    for table, statement in ROWS.items():
        if table in present and table not in besides:
            db.session.execute(text(NEWEST + statement))
    if new := set(present) - ROWS.keys() - set(besides):  # of a feature that has no statement in rows.sql
        known = MetaData()
        known.reflect(db.session.connection(), only=sorted(new))
        for made_up in (table for table in known.sorted_tables if table.name in new):
            insert_made_up(made_up, OWNERS)
    db.session.commit()


def rows() -> Rows:
    """Return the rows of each table, as dicts in the order of their keys."""
    known = inspect(db.engine)
    keys = {table: ", ".join(known.get_pk_constraint(table)["constrained_columns"]) for table in tables()}
    queries = {table: text(f"SELECT * FROM {table} ORDER BY {key}") for table, key in keys.items()}
    found = {table: [dict(row) for row in db.session.execute(query).mappings()] for table, query in queries.items()}
    db.session.rollback()
    return found


def our_models() -> MetaData:
    """Return a copy of our models, for a test to change."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)._prefixes = table._prefixes
    return metadata
