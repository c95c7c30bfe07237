"""Check of integer keys: a sequence behind the highest key, as after a restore or an import, makes inserts fail.

Checks of each table: its owner, privileges, row security, triggers, rules, marks.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, MetaData, Row, Table, text

from online_migrations.definitions import RETIRED_COMMENT
from online_migrations.doctor.diagnosis import ERROR, Diagnosis, psql, psql_with_strong_lock

# The tables on the search path, and those of schemas that the models name. Those of an extension belong to it.
# Who owns alembic_version is who migrates.
_TABLES = text(
    "SELECT c.oid::regclass::text AS name, c.relname::text,"
    " CASE WHEN NOT pg_table_is_visible(c.oid) THEN n.nspname::text END AS schema,"
    " quote_ident(pg_get_userbyid(c.relowner)) AS owner,"
    " quote_ident(pg_get_userbyid(migrating.role)) AS migrating_role,"
    " quote_ident(current_user) AS role, obj_description(c.oid, 'pg_class') AS comment,"
    " array(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid) AS parents,"
    " has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')"
    "  AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS may_write,"
    " c.relrowsecurity OR c.relforcerowsecurity AS row_security,"
    " (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies,"
    " array(SELECT quote_ident(rulename) FROM pg_rewrite WHERE ev_class = c.oid AND is_instead AND ev_enabled <> 'D'"
    "  ORDER BY 1) AS instead_rules,"
    " array(SELECT tgname::text FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled IN ('D', 'R') AND NOT tgisinternal"
    "  ORDER BY 1) AS disabled_triggers,"
    " array(SELECT DISTINCT conname::text FROM pg_trigger t JOIN pg_constraint f ON f.oid = t.tgconstraint"
    "  WHERE t.tgrelid = c.oid AND t.tgenabled IN ('D', 'R') AND t.tgisinternal ORDER BY 1) AS disabled_foreign_keys"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (SELECT coalesce("
    "  (SELECT relowner FROM pg_class WHERE oid = to_regclass('alembic_version')), c.relowner) AS role) migrating"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
    " ORDER BY 1"
)

Models = Mapping[str, Table]  # the name as the server prints it: the model


def read_tables(connection: Connection, schemas: list[str]) -> list[Row[Any]]:
    """One row for each table.

    Args:
        schemas: besides those on the search path.
    """
    return list(connection.execute(_TABLES, {"schemas": schemas}))


def mapped(tables: Iterable[Row[Any]], metadata: MetaData) -> Models:
    """The models of the tables that have one."""
    by_name = {(model.schema, model.name): model for model in metadata.tables.values()}
    found = {table.name: by_name.get((table.schema, table.relname)) for table in tables}
    return {name: model for name, model in found.items() if model is not None}


def tables(found: Collection[Row[Any]], models: Models) -> Iterator[Diagnosis]:
    """Run all checks of this file."""
    yield from owners(found)
    yield from triggers(found)
    yield from instead_rules(found, models)
    yield from row_security(found, models)
    yield from retired(found, models)


def owners(tables: Iterable[Row[Any]]) -> Iterator[Diagnosis]:
    """Only its owner may alter a table."""
    for table in tables:
        if table.owner != table.migrating_role:
            what = (
                f"The table {table.name} belongs to {table.owner} and not to {table.migrating_role}, who migrates: a"
                " revision that changes it fails. Only a member of both roles, or a superuser, may change that."
            )
            command = psql_with_strong_lock(f"ALTER TABLE {table.name} OWNER TO {table.migrating_role}")
            yield Diagnosis(ERROR, "other-owner", what, command)
        elif not table.may_write:
            what = f"{table.role} may not read and write {table.name}."
            command = psql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {table.role}")
            yield Diagnosis(ERROR, "missing-privilege", what, command)


def triggers(tables: Iterable[Row[Any]]) -> Iterator[Diagnosis]:
    """A foreign key is checked by triggers that PostgreSQL made for it; only a superuser may disable those."""
    for table in tables:
        names = ", ".join([*table.disabled_foreign_keys, *table.disabled_triggers])
        if table.disabled_foreign_keys:
            what = f"Nothing checks {names} on {table.name}: the triggers are disabled. Rows of now may break them."
            command = psql_with_strong_lock(f"ALTER TABLE {table.name} ENABLE TRIGGER ALL")
            yield Diagnosis(ERROR, "disabled-trigger", what, command)
        elif names:
            what = f"Triggers of {table.name} are disabled, so that what they keep right is not kept: {names}."
            command = psql_with_strong_lock(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
            yield Diagnosis(ERROR, "disabled-trigger", what, command)


def instead_rules(tables: Iterable[Row[Any]], models: Models) -> Iterator[Diagnosis]:
    """CREATE RULE … DO INSTEAD. Code that writes the table is told that it did."""
    for table in tables:
        for rule in table.instead_rules if table.name in models else ():
            what = f"The rule {rule} on {table.name} does something else INSTEAD of what is written."
            command = psql_with_strong_lock(f"DROP RULE {rule} ON {table.name}")
            yield Diagnosis(ERROR, "instead-rule", what, command)


def row_security(tables: Iterable[Row[Any]], models: Models) -> Iterator[Diagnosis]:
    """A table with row security on purpose says so in its model: __table_args__ = {"info": {"row_security": True}}."""
    for table in tables:
        model = models.get(table.name)
        if not table.row_security or model is None or (model.info.get("row_security") and table.policies):
            continue
        hidden = "hide rows from" if table.policies else "are none, so no row is shown to"
        what = f"Row security of {table.name} is on, and its policies {hidden} a role that does not own the table."
        disable = f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
        yield Diagnosis(ERROR, "row-security", what, psql_with_strong_lock(disable))


def retired_again(tables: Iterable[Row[Any]], models: Models) -> Iterator[str]:
    """Yield the tables that are marked as retired, and that a model uses: as its table, or as a part of that."""
    for table in tables:
        if table.comment == RETIRED_COMMENT and not models.keys().isdisjoint([table.name, *table.parents]):
            yield table.name


def retired(tables: Iterable[Row[Any]], models: Models) -> Iterator[Diagnosis]:
    """Find the mark of something that goes on what is used."""
    for name in retired_again(tables, models):
        what = f"The table {name} is marked as retired, and a model uses it."
        yield Diagnosis(ERROR, "retired-table", what, psql(f"COMMENT ON TABLE {name} IS NULL"))


# Keys with an index that max() reads from its end, so that no table is scanned. Names are quoted by the server.
_KEYS = text(
    'SELECT a.attrelid::regclass::text AS "table", quote_ident(a.attname) AS "column",'
    " s.seqrelid::regclass::text AS sequence, s.seqincrement AS increment"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_depend d ON d.refobjid = a.attrelid AND d.refobjsubid = a.attnum"
    "  AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')"
    " JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false) || CAST(:schemas AS name[]))"
    " AND a.attnum > 0 AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
    " AND has_column_privilege(a.attrelid, a.attnum, 'SELECT') AND has_sequence_privilege(s.seqrelid, 'SELECT')"
    " AND EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam"
    "  WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL"
    "  AND m.amname = 'btree')"
    " ORDER BY 1, 2"
)


def behind(connection: Connection, schemas: list[str]) -> Iterator[Diagnosis]:
    """Find sequences whose next number is not above the highest key.

    Args:
        schemas: besides those on the search path.
    """
    found = list(connection.execute(_KEYS, {"schemas": schemas}))
    if not found:
        return
    positions = connection.execute(text(" UNION ALL ".join(map(_position, range(len(found)), found)) + " ORDER BY 1"))
    for key, position in zip(found, positions, strict=True):
        if position.highest is not None and position.next <= position.highest:
            where = f"{key.table}.{key.column}"
            what = (
                f"The sequence {key.sequence} gives {position.next:,}, and {where} is at {position.highest:,}: inserts"
                " fail."
            )
            yield Diagnosis(ERROR, "sequence-behind", what, psql(_to_highest(key)))


def _position(number: int, key: Row[Any]) -> str:
    """Write the query for the highest key, and for what the sequence gives next."""
    highest = f"(SELECT max({key.column}) FROM {key.table}) AS highest"
    following = f"CAST(last_value AS numeric) + CASE WHEN is_called THEN {key.increment} ELSE 0 END AS next"
    return f"SELECT {number} AS number, {highest}, {following} FROM {key.sequence}"


def _to_highest(key: Row[Any]) -> str:
    sequence = key.sequence.replace("'", "''")
    return f"SELECT setval('{sequence}', max({key.column})) FROM {key.table}"
