"""Schema drift: what a difference between database and models means, and what to do about it."""

from app.release.doctor.diagnosis import ERROR, IF_THE_MODEL_CHANGED, Diagnosis, psql, psql_with_strong_lock
from app.release.doctor.differences import NO_VALUE, Difference, differences, qualified, quoted
from app.release.marks import RETIRED_COMMENT
from app.release.sql.dialect import quote

__all__ = ["WRITE_REVISION", "diagnosis", "differences"]

WRITE_REVISION = 'flask db migrate -m "Bring the schema to the models"'


def diagnosis(one: Difference) -> Diagnosis:
    if one.kind == "comment" and one.there == RETIRED_COMMENT:
        what = f"The column {one.table}.{one.name} is marked as retired, and a model uses it."
        unmark = f"COMMENT ON COLUMN {quoted(one.table)}.{quote(one.name)} IS NULL"
        return Diagnosis(ERROR, "retired-column", what, psql(unmark))
    if one.kind == "identity":
        what = f"{one.table}.{one.name} is {one.there} in the database and {one.wanted} in the models: inserts fail."
        return Diagnosis(ERROR, "other-identity", what, _make_identity(one))
    if one.action == "modify":
        what = (
            f"{one.table}.{one.name} has another {one.kind}: {one.there} in the database and {one.wanted} in the models"
        )
        return Diagnosis(ERROR, f"other-{one.kind}", f"{what}.", WRITE_REVISION)
    if one.action == "replace":
        what = f"{_named(one)} is {one.there} in the database and {one.wanted} in the models."
        return Diagnosis(ERROR, f"other-{one.kind}", what, WRITE_REVISION)
    if one.action == "rename":
        named = f"The {one.kind.replace('-', ' ')} {one.there}" + ("" if one.kind == "table" else f" of {one.table}")
        what = f"{named} seems to be {one.wanted} of the models under another name."
        return Diagnosis(ERROR, f"renamed-{one.kind}", f"{what} {IF_THE_MODEL_CHANGED}", _rename(one))
    if one.action == "add":
        what = f"{_named(one)} is in the models and not in the database."
        return Diagnosis(ERROR, f"missing-{one.kind}", what, WRITE_REVISION)
    what = f"{_named(one)} is in the database and in no model."
    return Diagnosis(ERROR, f"extra-{one.kind}", what, WRITE_REVISION)


def _rename(one: Difference) -> str:
    if one.kind == "table":
        return psql_with_strong_lock(
            f"ALTER TABLE {quoted(one.there)} RENAME TO {quote(one.wanted.rpartition('.')[2])}"
        )
    if one.kind == "index":
        schema = one.table.rpartition(".")[0]
        return psql_with_strong_lock(
            f"ALTER INDEX {quoted(qualified(schema, one.there))} RENAME TO {quote(one.wanted)}"
        )
    kind = "COLUMN" if one.kind == "column" else "CONSTRAINT"
    rename = f"RENAME {kind} {quote(one.there)} TO {quote(one.wanted)}"
    return psql_with_strong_lock(f"ALTER TABLE {quoted(one.table)} {rename}")


def _make_identity(one: Difference) -> str:
    """In one transaction, so that nobody is given an id that is taken."""
    table, column = quoted(one.table), quote(one.name)
    if one.there != NO_VALUE:
        return psql_with_strong_lock(
            f"ALTER TABLE {table} ALTER {column} SET {one.wanted.removesuffix(' AS IDENTITY')}"
        )
    sequence = f"pg_get_serial_sequence('{table}', '{one.name}')"
    highest = f"greatest(max({column}), 1), max({column}) IS NOT NULL"
    add = f"ALTER TABLE {table} ALTER {column} ADD {one.wanted}"
    return psql_with_strong_lock(f"{add}; SELECT setval({sequence}, {highest}) FROM {table}")


def _named(one: Difference) -> str:
    kind = f"The {one.kind.replace('-', ' ')}"
    if one.kind in ("table", "table-comment"):
        return f"{kind} {one.table}" if one.kind == "table" else f"{kind} of {one.table}"
    return f"{kind} {one.table}.{one.name}" if one.kind == "column" else f"{kind} {one.name} on {one.table}"
