"""Schema drift: the differences between database and models, and what to do about each.

They are those of `flask db check`, one for each cause. The end of an upgrade asks for them too, and so does `plan`.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Identity, Index, MetaData, PrimaryKeyConstraint
from sqlalchemy.exc import CompileError, SAWarning
from sqlalchemy.schema import AddConstraint, CreateIndex
from sqlalchemy.types import NullType

from online_migrations.autogenerate import REVISION_OPTIONS
from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.doctor.checks import ERROR, Diagnosis, psql, psql_with_strong_lock
from online_migrations.operations.names import spare_name
from online_migrations.sql import DIALECT, quote, quoted_list

NO_VALUE = "none"
WRITE_REVISION = 'flask db migrate -m "Bring the schema to the models"'
# Said where the next command changes the database, which is wrong when it is the revision that is missing.
IF_THE_MODEL_CHANGED = "If the model is newer than the last revision, write one instead: flask db migrate."
COLLATION = re.compile(r" COLLATE (?:\w+|\"[^\"]+\")")
KINDS = {  # Alembic's word: ours
    "fk": "foreign-key",
    "foreignkey": "foreign-key",
    "primarykey": "primary-key",
    "unique": "constraint",
    "exclude": "constraint",
    "table_comment": "table-comment",
}


class Difference(NamedTuple):
    """
    Args:
        action: add (to the database), remove (from it), modify, or what is both at once: replace, rename.
        kind: table, column, index, check, primary-key, constraint, foreign-key, sequence, table-comment; of "modify"
            what of a column differs.
        table: with its schema, unless that is the default one.
        name: in the models, or of what no model has.
        columns: on which an index or a constraint stands.
        there, wanted: what the database and the models have; of "rename" the two names.
    """

    action: str
    kind: str
    table: str
    name: str
    columns: Sequence[str] = ()
    there: str = ""
    wanted: str = ""


def differences(
    connection: Connection, metadata: MetaData, options: Mapping[str, Any] = REVISION_OPTIONS
) -> list[Difference]:
    """Return what `flask db migrate` would write into a new revision, without what follows from another difference.

    Args:
        options: what is compared. Definitions are, unless it is COMPARISON_OPTIONS; they are made as temporary tables,
            which the caller rolls back.
    """
    migration = MigrationContext.configure(connection, opts=dict(options))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 warns of a CHECK that is NOT VALID
        found = compare_metadata(migration, metadata)
    changes = [change for item in found for change in (item if isinstance(item, list) else [item])]
    return _renamed(list(_replaced(_causes(list(map(_difference, changes))))))


def _difference(change: tuple[Any, ...]) -> Difference:
    """Read one of Alembic's tuples, or of our own comparators' (autogenerate/directives.py and columns.py)."""
    action, kind = change[0].split("_", 1)
    kind = KINDS.get(kind, kind)
    if action == "change":
        return Difference("replace", kind, change[1], change[2], (), str(change[3]), str(change[4]))
    if isinstance(change[1], str) and len(change) == 3:  # a sequence or an EXCLUDE, by its table and its name
        return Difference(action, kind, *change[1:3])
    if action == "modify":
        _, schema, table, column, _, old, new = change
        kind = "identity" if isinstance(new, Identity) else kind
        return Difference(action, kind, qualified(schema, table), column, (), _shown_value(old), _shown_value(new))
    if kind == "column":
        _, schema, table, column = change
        # SQLAlchemy reads no composite type, for example.
        type_ = "another type" if isinstance(column.type, NullType) else column.type.compile(dialect=DIALECT)
        return Difference(action, kind, qualified(schema, table), column.name, (), type_, type_)
    item = change[1]
    if kind in ("table", "table-comment"):
        shape = ", ".join(sorted(column.name for column in item.columns))
        return Difference(action, kind, item.fullname, item.fullname, (), shape, shape)
    columns = [column.name for column in item.columns]
    if isinstance(item, PrimaryKeyConstraint):
        name = str(item.name or f"{item.table.name}_pkey")  # as the server calls one without a name
        definition = f"PRIMARY KEY ({quoted_list(columns)})"
        return Difference(action, "primary-key", item.table.fullname, name, columns, definition, definition)
    try:
        definition = _shown_item(item)
    except (CompileError, KeyError):  # SQLAlchemy reads an index of expressions that includes columns, and writes none
        definition = f"another {kind}"
    return Difference(action, kind, item.table.fullname, str(item.name), columns, definition, definition)


def _causes(differences: list[Difference]) -> list[Difference]:
    """Leave out what follows from another: the index of a table or column that is missing is missing too.

    On a table that lacks a column, or has it with another type, definitions cannot be compared.
    """
    tables = {one.table for one in differences if one.kind == "table"}
    columns = {(one.table, one.name) for one in differences if one.kind == "column"}
    other = {one.table for one in differences if one.kind == "type" or (one.action, one.kind) == ("add", "column")}

    def follows(one: Difference) -> bool:
        return one.kind != "table" and (
            one.table in tables
            or (one.action == "replace" and one.table in other)
            or any((one.table, column) in columns for column in one.columns)
        )

    return [one for one in differences if not follows(one)]


def _replaced(differences: list[Difference]) -> Iterator[Difference]:
    """Join what Alembic calls "remove" and "add" of what is there with another definition."""
    added = {(one.kind, one.table, one.name): one for one in differences if one.action == "add"}
    removed = {(one.kind, one.table, one.name): one for one in differences if one.action == "remove"}
    for one in differences:
        key = (one.kind, one.table, one.name)
        if key not in added or key not in removed:
            yield one
        elif one.action == "remove":
            yield one._replace(action="replace", wanted=added[key].wanted)


def _renamed(differences: list[Difference]) -> list[Difference]:
    """Join one that is missing and one that no model has, if they are alike but for their names."""
    pairs = defaultdict(list)
    for one in differences:
        if one.action in ("add", "remove") and one.wanted:  # of a sequence or an EXCLUDE, only the name is known
            place = "" if one.kind == "table" else one.table
            pairs[one.kind, place, one.wanted].append(one)
    alike = [sorted(pair) for pair in pairs.values() if sorted(one.action for one in pair) == ["add", "remove"]]
    of_pairs = [one for pair in alike for one in pair]
    renamed = [added._replace(action="rename", there=removed.name, wanted=added.name) for added, removed in alike]
    return [*renamed, *(one for one in differences if one not in of_pairs)]


def qualified(schema: str | None, name: str) -> str:
    return f"{schema}.{name}" if schema else name


def quoted(name: str) -> str:
    return ".".join(map(quote, name.split(".")))


def _shown_value(value: Any) -> str:
    if isinstance(value, Identity):
        return f"GENERATED {'ALWAYS' if value.always else 'BY DEFAULT'} AS IDENTITY"
    return NO_VALUE if value is None else str(getattr(value, "arg", value))


def _shown_item(item: Any) -> str:
    """Write its definition as SQL, without its name and its table, and without what is so if nothing is said."""
    if not isinstance(item, Index) or item.table is None:
        statement = str(AddConstraint(item, isolate_from_table=False).compile(dialect=DIALECT))
        definition = statement.partition(" ADD ")[2].partition(f"CONSTRAINT {quote(str(item.name))} ")[2]
    else:
        statement = str(CreateIndex(item).compile(dialect=DIALECT))
        unique = "UNIQUE " if item.unique else ""
        definition = unique + statement.partition(f" ON {quoted(item.table.fullname)} ")[2]
    return definition.replace("NULLS DISTINCT ", "")


def diagnosis(one: Difference) -> Diagnosis:
    """Say what a difference means, with the command that removes it."""
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
        return _replacement(one)
    if one.action == "rename":
        named = f"The {one.kind.replace('-', ' ')} {one.there}" + ("" if one.kind == "table" else f" of {one.table}")
        what = f"{named} seems to be {one.wanted} of the models under another name."
        return Diagnosis(ERROR, f"renamed-{one.kind}", f"{what} {IF_THE_MODEL_CHANGED}", _rename(one))
    if one.action == "add":
        what = f"{_named(one)} is in the models and not in the database."
        if one.kind == "primary-key":
            return Diagnosis(ERROR, "missing-primary-key", f"{what} {IF_THE_MODEL_CHANGED}", _build_primary_key(one))
        return Diagnosis(ERROR, f"missing-{one.kind}", what, WRITE_REVISION)
    what = f"{_named(one)} is in the database and in no model."
    return Diagnosis(ERROR, f"extra-{one.kind}", what, WRITE_REVISION)


def _replacement(one: Difference) -> Diagnosis:
    """Say what has another definition, with the command that makes it anew without stopping the site."""
    what = f"{_named(one)} is {one.there} in the database and {one.wanted} in the models."
    is_generated = "GENERATED" in one.wanted
    if one.kind == "column" and not is_generated and COLLATION.sub("", one.there) == COLLATION.sub("", one.wanted):
        what = f"{what} It sorts and compares differently; its indexes are rebuilt."
        return Diagnosis(ERROR, "other-collation", what, _collate(one))
    if one.kind == "check":
        return Diagnosis(ERROR, "other-check", f"{what} {IF_THE_MODEL_CHANGED}", _replace_check(one))
    if one.kind == "index" and not one.columns and "USING " in one.wanted:  # as the server prints it
        return Diagnosis(ERROR, "other-index", f"{what} {IF_THE_MODEL_CHANGED}", _rebuild_index(one))
    return Diagnosis(ERROR, f"other-{one.kind}", what, WRITE_REVISION)


def _collate(one: Difference) -> str:
    wanted = one.wanted if COLLATION.search(one.wanted) else f'{one.wanted} COLLATE "default"'
    return psql_with_strong_lock(f"ALTER TABLE {quoted(one.table)} ALTER COLUMN {quote(one.name)} TYPE {wanted}")


def _replace_check(one: Difference) -> str:
    table, name = f"ALTER TABLE {quoted(one.table)}", quote(one.name)
    replace = f"{table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {one.wanted} NOT VALID"
    return psql_with_strong_lock(replace, f"{table} VALIDATE CONSTRAINT {name}")


def _rebuild_index(one: Difference) -> str:
    """Build it beside the old one, which serves until the new one is there."""
    schema, new = one.table.rpartition(".")[0], spare_name(one.name)
    unique, _, using = one.wanted.partition("USING ")
    return psql(
        f"CREATE {unique}INDEX CONCURRENTLY {quote(new)} ON {quoted(one.table)} USING {using}",
        f"DROP INDEX CONCURRENTLY {quoted(qualified(schema, one.name))}",
        f"ALTER INDEX {quoted(qualified(schema, new))} RENAME TO {quote(one.name)}",
    )


def _build_primary_key(one: Difference) -> str:
    table, new = quoted(one.table), quote(spare_name(one.name))
    return psql(
        f"CREATE UNIQUE INDEX CONCURRENTLY {new} ON {table} {one.wanted.removeprefix('PRIMARY KEY ')}",
        f"ALTER TABLE {table} ADD CONSTRAINT {quote(one.name)} PRIMARY KEY USING INDEX {new}",
    )


def _rename(one: Difference) -> str:
    if one.kind == "table":
        new = quote(one.wanted.rpartition(".")[2])
        return psql_with_strong_lock(f"ALTER TABLE {quoted(one.there)} RENAME TO {new}")
    if one.kind == "index":
        schema = one.table.rpartition(".")[0]
        old = quoted(qualified(schema, one.there))
        return psql_with_strong_lock(f"ALTER INDEX {old} RENAME TO {quote(one.wanted)}")
    kind = "COLUMN" if one.kind == "column" else "CONSTRAINT"
    rename = f"RENAME {kind} {quote(one.there)} TO {quote(one.wanted)}"
    return psql_with_strong_lock(f"ALTER TABLE {quoted(one.table)} {rename}")


def _make_identity(one: Difference) -> str:
    """Add it in one transaction, so that nobody is given an id that is taken."""
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
