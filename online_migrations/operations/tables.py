"""Tables and their columns: add and change a column, rename a table, retire and drop both."""

from collections.abc import Sequence
from typing import Any

from alembic import op
from sqlalchemy import Column, Connection, MetaData, Table, text
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from sqlalchemy.schema import CreateColumn

from online_migrations import options
from online_migrations.compatible_types import is_longer_text
from online_migrations.definitions import RETIRED_COMMENT, empty_copies, make_all, sequences_of
from online_migrations.errors import ReleaseError, UnsafeOperation, server_message
from online_migrations.guard.snapshot import Effect, on_table
from online_migrations.operations.backfill import refuse_while_filling
from online_migrations.operations.catalog import TEXTS, ask, bind, explain, refuse_other_column, tables_locked
from online_migrations.operations.steps import add_validated, online, run_or_undo, run_steps, strong, validate
from online_migrations.sessions import execute_verbatim
from online_migrations.sql import DIALECT, alter, comment_on, literal, quote, require_short, shorten_identifier
from online_migrations.state import live


def add_column_online(table: str, column: Column[Any]) -> None:
    """Add a column that is nullable or has a constant default, so that inserts of the previous release still work.

    PostgreSQL stores such a default in the catalog and rewrites no row. The column is as op.add_column takes it, but
    without constraints and indexes, which have operations of their own. Expand.

    Example:
        add_column_online("notes", sa.Column("colour", sa.String(20)))
        add_column_online("todos", sa.Column("done", sa.Boolean(), server_default=sa.false(), nullable=False))
    Downgrade: drop_column_contract("notes", "colour").
    Raises:
        UnsafeOperation: the column is required without a default, does not take the default, would rewrite the table
            (gen_random_uuid(), computed, identity), or comes with a constraint or an index.
        ReleaseError: there is one of this name with another type; or default or nullability, which no later line sets.
    """
    require_short(column.name)
    refuse_more_than_a_type(table, column, takes_default=True)
    if reason := reason_not_to_add(table, column, bind()):
        raise UnsafeOperation(reason)
    definition = _definition(table, column)
    refuse_other_column(table, column.name, definition)
    add = alter(table, f"ADD COLUMN IF NOT EXISTS {definition}")
    told = [online(comment_on(table, column.name, column.comment))] if column.comment else []
    run_steps(strong(table, add, when=~ask("has_column", table, column=column.name)), *told)


def set_default_online(table: str, column: str, default: str | None) -> None:
    """Set the default of new rows, an SQL expression; or drop it, with None. Existing rows keep what they hold.

    Expand, if the column takes the default: its type, NOT NULL, its CHECKs and keys. To drop it is contract if the
    previous release leaves the column out of its inserts.

    Example: set_default_online("notes", "colour", "'yellow'")
    Downgrade: set_default_online with the default of before.
    """
    explain(table, column, "default")
    action = "DROP DEFAULT" if default is None else f"SET DEFAULT {default}"
    code = "drops-default" if default is None else "changes-default"
    effect = on_table(code, table, column, default=default or "", column=column)
    run_steps(strong(table, alter(table, f"ALTER COLUMN {quote(column)} {action}")), effects=[effect])


def set_not_null_online(table: str, column: str) -> None:
    """Make a column NOT NULL. It must hold no NULL any more; fill it with backfill before.

    SET NOT NULL alone reads the whole table under ACCESS EXCLUSIVE; a validated CHECK spares it that. Contract, unless
    the same revision added the column with a default.

    Downgrade: drop_not_null_online.
    Raises:
        UnsafeOperation: the column holds NULL; the CHECK is dropped again.
    """
    refuse_while_filling("set_not_null_online", lambda one: one.fills(table, [column]), table, column)
    explain(table, column, "not_null")
    # A row that leaves the column out is accepted when there is a default.
    left_out = [column] if ask("has_default", table, column=column).answer() else []
    effect = on_table("requires-value", table, *left_out, subject=f"{table}.{column}", column=column)
    require_value(table, column, effect)


def require_value(table: str, column: str, *effects: Effect) -> None:
    """Require a value; without an effect it is not judged: a dual write gives the column its values."""
    check, nullable = not_null_check(table, column), ask("is_nullable", table, column=column)
    drop = alter(table, f"DROP CONSTRAINT {quote(check)}")
    dropped = strong(table, drop, when=ask("has_constraint", table, constraint=check))
    broken = f"{table}.{column} still holds NULL, so nothing was required. Fill it before, with backfill({table!r}, …)"
    run_or_undo(
        *add_validated((table,), check, f"CHECK ({quote(column)} IS NOT NULL)", nullable),
        strong(table, alter(table, f"ALTER COLUMN {quote(column)} SET NOT NULL"), when=nullable),
        dropped,
        undo=dropped,
        broken=broken,
        effects=effects,
    )


def not_null_check(table: str, column: str) -> str:
    """Return the name of the CHECK that proves that a column holds no NULL."""
    return shorten_identifier(f"ck_{table}_{column}_not_null")


def drop_not_null_online(table: str, column: str) -> None:
    """Let a column be NULL. Expand, if the previous release can read a NULL there.

    Downgrade: set_not_null_online.
    """
    explain(table, column, "not_null")
    drop = alter(table, f"ALTER COLUMN {quote(column)} DROP NOT NULL")
    run_steps(strong(table, drop, when=~ask("is_nullable", table, column=column)))


def widen_text_online(table: str, column: str, type_: str) -> None:
    """Let a text column hold longer texts, "TEXT" or "VARCHAR(n)". PostgreSQL only changes the catalog. Expand.

    Example: widen_text_online("notes", "title", "VARCHAR(200)")
    SQL: the statement also drops the CHECKs of the column and adds them NOT VALID; then VALIDATE CONSTRAINT of each.
    Downgrade: none. A shorter type may not fit what was written meanwhile, and the longer one harms no old code.
    Raises:
        UnsafeOperation: the new type is shorter, one of them is not text, or an index with an expression or a condition
            over the column would be rebuilt under ACCESS EXCLUSIVE.
    """
    connection, old = bind(), ask("type_name", table, column=column).answer()
    new = type_.lower().replace("varchar", "character varying")  # as the server calls it
    if connection is not None and (old is None or not is_longer_text(old, new)):
        raise UnsafeOperation(f"{table}.{column} cannot become {type_}: only a text may grow, to VARCHAR(n) or TEXT.")
    has_type = ask("has_type", table, column=column, type=type_)
    names = [] if has_type.answer() else ask("computed_indexes", table, column=column).listed()
    if names:
        raise UnsafeOperation(rebuilt(table, column, type_, names, bool(ask("is_related", table).answer())))
    to_validate = ask("checks_to_validate", table, column=column, type=type_)
    checks: dict[str, str] = dict(to_validate.rows(connection).all()) if connection else {}
    actions = [
        *(f"DROP CONSTRAINT {quote(name)}" for name in checks),
        f"ALTER COLUMN {quote(column)} TYPE {type_}",
        *(f"ADD CONSTRAINT {quote(name)} {definition} NOT VALID" for name, definition in checks.items()),
    ]
    widened = strong(table, alter(table, ", ".join(actions)), when=~has_type)
    run_steps(widened, *(validate(table, name) for name in checks))


def rebuilt(table: str, column: str, type_: str, indexes: Sequence[str], has_parts: bool) -> str:
    """Say what to do about indexes that a longer text would rebuild."""
    instead = f"Use change_type_online({table!r}, {column!r}, {type_!r}), which builds it beside the requests."
    if has_parts:
        instead = "Drop it in a revision before this one, and build it again in one after it: create_index_online(…)."
    return (
        f"{', '.join(indexes)} has an expression or a condition over {table}.{column}, or is one of partitions, and"
        f" would be rebuilt while no request can even read the table. {instead}"
    )


def add_enum_value_online(enum: str, value: str, *, before: str | None = None) -> None:
    """Add a value to an enum type of the database. No table is locked, and no row is read. Expand.

    Code that does not know the value fails when it reads it. So one release knows it, and a later one writes it. It
    sorts in front of `before`, or else at the end.

    Example: add_enum_value_online("mood", "fine", before="bad")
    Downgrade: none. PostgreSQL takes no value from a type, and one that nobody writes harms no code.
    """
    add = f"ALTER TYPE {quote(enum)} ADD VALUE IF NOT EXISTS {literal(value)}"
    add += f" BEFORE {literal(before)}" if before else ""
    run_steps(online(add, when=~ask("has_enum_value", enum=quote(enum), value=value)))


def retire_column_online(table: str, column: str, *, default: str | None = None) -> None:
    """Begin to drop a column, in the first of two releases: new code no longer uses it, the previous one still does.

    If it is NOT NULL without a default, rows of new code get `default`, an SQL expression that the previous release can
    read after a rollback: expand. Or NOT NULL is dropped, and that code may meet NULL: contract. A comment hides it
    from flask db check; a later flask db migrate may drop it.

    Example: retire_column_online("notes", "title", default="''")
    Downgrade: reinstate_column_online, then set_default_online("notes", "title", None), or set_not_null_online.
    """
    explain(table, column, "not_null")
    explain(table, column, "default")
    action = "DROP NOT NULL" if default is None else f"SET DEFAULT {default}"
    is_required = ask("is_required", table, column=column)
    freed = strong(table, alter(table, f"ALTER COLUMN {quote(column)} {action}"), when=is_required)
    effects = [on_table("changes-default", table, column, default=default, column=column)] if default else []
    run_steps(freed, online(comment_on(table, column, RETIRED_COMMENT)), effects=effects)


def reinstate_column_online(table: str, column: str, *, comment: str | None = None) -> None:
    """Undo retire_column_online: put back the comment that the column had before. Expand.

    Downgrade: retire_column_online.
    """
    run_steps(online(comment_on(table, column, comment), when=ask("has_column", table, column=column)))


def drop_column_contract(table: str, column: str) -> None:
    """Drop a column in the second release, when not even the live one uses it any more. Contract.

    Downgrade: add_column_online with the column, nullable. What it held is gone.
    """
    refuse_while_filling("drop_column_contract", lambda one: one.uses(table, column), table, column)
    is_copied = bool(ask("is_computed", table, column=column).answer())
    drop, is_there = alter(table, f"DROP COLUMN IF EXISTS {quote(column)}"), ask("has_column", table, column=column)
    effects = [on_table("drops-column", table, column, is_copied=is_copied)]
    run_steps(strong(tables_locked(table, column=column), drop, when=is_there), effects=effects)


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave an updatable view of the old name, through which the previous release reads and writes.

    A view of one table passes INSERT, UPDATE and DELETE on, with RETURNING and ON CONFLICT. The old name is never
    missing, and each role may do through the view what it may do with the table. Expand.

    Run again: a view that is missing is made.
    Downgrade: rename_back_from_view("notes", "pages").
    Raises:
        ReleaseError: neither is a table, or something else has the old name.
    """
    if ask("is_another", old, renamed=quote(new)).answer():
        raise ReleaseError(
            f"There is a table {new}, and {old} is not a view of all of it that takes rows; nothing was changed. Drop"
            f" {old}, or give it a name of its own. Then run: flask db upgrade"
        )
    grant = TEXTS["grant_as_on"].format(table=literal(quote(new)), view=literal(quote(old)))
    view = f"CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}; {grant}"
    lacks_view = ask("lacks_view", old, renamed=quote(new))
    if lacks_view.answer():
        run_steps(strong(new, view, when=lacks_view))
        return
    rename = f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}; {view}"
    run_steps(strong(old, rename, when=ask("is_named", old, renamed=quote(new))))


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: drop the view and give the table its old name.

    Downgrade: rename_with_view.
    """
    back = f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}"
    run_steps(strong(new, back, when=ask("is_named", new, renamed=quote(old))))


def drop_compat_view(old: str) -> None:
    """Drop the view of rename_with_view, once no release that may run still uses the old name. Contract.

    Downgrade: op.execute("CREATE VIEW notes AS SELECT * FROM pages").
    """
    refuse_while_filling("drop_compat_view", lambda one: one.table == old, old)
    drop, is_view = f"DROP VIEW IF EXISTS {quote(old)}", ask("is_relation", old, kinds="v")
    run_steps(strong(old, drop, when=is_view), effects=[on_table("drops-table", old)])


def retire_table_online(table: str) -> None:
    """Begin to drop a table, in the first of two releases: mark it while the previous release still uses it. Expand.

    The mark hides the table from flask db check, and lets a later flask db migrate drop it.

    Downgrade: reinstate_table_online.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    _refuse_part("retire_table_online", table)
    run_steps(online(f"COMMENT ON TABLE {quote(table)} IS '{RETIRED_COMMENT}'"))


def reinstate_table_online(table: str, *, comment: str | None = None) -> None:
    """Undo retire_table_online: put back the comment that the table had before. Expand.

    Downgrade: retire_table_online.
    """
    told = f"COMMENT ON TABLE {quote(table)} IS {literal(comment)}"
    run_steps(online(told, when=ask("is_relation", table, kinds="rp")))


def drop_table_contract(table: str) -> None:
    """Drop a table in the second release, when not even the live one uses it any more. Contract.

    Downgrade: none that brings the rows back, so flask db migrate writes none.
    Raises:
        UnsafeOperation: the table is a part of another one that is in use.
    """
    refuse_while_filling("drop_table_contract", lambda one: one.table == table, table)
    _refuse_part("drop_table_contract", table)
    drop, is_there = f"DROP TABLE IF EXISTS {quote(table)}", ask("is_relation", table, kinds="rp")
    run_steps(strong(tables_locked(table), drop, when=is_there), effects=[on_table("drops-table", table)])


def reason_not_to_add(table: str, column: Column[Any], connection: Connection | None) -> str | None:
    """Return why the column cannot be added: rows would lack a value, or the table would be rewritten; None: it can."""
    where = f"{table}.{column.name}"
    if not column.nullable and column.server_default is None:
        return (
            f"{where} is required and has no server_default: rows that are there, and inserts of the release that is"
            " live, would lack a value. Give it a constant, with server_default=…; or begin with a nullable one, fill"
            f" it with backfill({table!r}, …), and require it in a later release with"
            f" set_not_null_online({table!r}, {column.name!r})."
        )
    if column.computed is not None and column.computed.persisted is False and column.nullable:
        return None  # it is computed when it is read
    if column.computed is None and column.identity is None:
        if column.server_default is None or connection is None:
            return None
        try:
            if not _rewrites(column, connection):
                return None
        except (DataError, IntegrityError, ProgrammingError) as error:
            return f"{where} has a default that it does not take ({server_message(error)}). Give it another one."
    return _way_round_rewrite(table, column)


def _way_round_rewrite(table: str, column: Column[Any]) -> str:
    where = f"{table}.{column.name}"
    rewrites = "PostgreSQL rewrites the whole table for it, under a lock that stops every request."
    if column.computed is not None:
        return (
            f"{where} is computed by the database. {rewrites} Let a trigger do that, in a revision by hand:"
            f" add_computed_column_online({table!r}, sa.Column({column.name!r}, …),"
            f" {str(column.computed.sqltext)!r}); and in the model write FetchedValue(), server_onupdate=FetchedValue()"
            " in place of Computed(…)."
        )
    what, then, value = "has a default that differs from row to row", "give it the default", "…"
    if column.identity is not None:
        what, value = "is numbered by the database", "nextval('…')"
        then = "number new rows by server_default=Sequence(…).next_value()"
    return (
        f"{where} {what}. {rewrites} Add it without, and nullable; then {then}, migrate, and fill other rows by"
        f' backfill({table!r}, "{column.name} = {value}", "{column.name} IS NULL") in that revision.'
    )


def _rewrites(column: Column[Any], connection: Connection) -> bool:
    """Tell if PostgreSQL rewrites an empty table for the column, as then every other; or refuses a row without it."""
    plain = Column(column.name, column.type, server_default=column.server_default, nullable=column.nullable)
    definition, file = _definition("probe", plain), text("SELECT pg_relation_filenode('pg_temp.probe'::regclass)")
    with empty_copies(connection):
        execute_verbatim(connection, "CREATE TEMPORARY TABLE probe ()")
        make_all(connection, sequences_of(plain.table))
        before = connection.scalar(file)
        execute_verbatim(connection, f"ALTER TABLE pg_temp.probe ADD COLUMN {definition}")
        is_rewritten = bool(connection.scalar(file) != before)
        execute_verbatim(connection, "INSERT INTO pg_temp.probe DEFAULT VALUES")
    return is_rewritten


def _definition(table: str, column: Column[Any]) -> str:
    Table(table, MetaData(), column)  # CreateColumn needs a column that belongs to a table
    return str(CreateColumn(column).compile(dialect=DIALECT))


def refuse_more_than_a_type(table: str, column: Column[Any], *, takes_default: bool = False) -> None:
    """Refuse constraints and indexes, which have operations of their own, and a default that no row would ever get."""
    has_default = not takes_default and column.server_default is not None
    if has_default or column.foreign_keys or column.constraints or column.unique or column.index or column.primary_key:
        raise UnsafeOperation(
            f"{table}.{column.name} comes with {'' if takes_default else 'a default, '}a constraint or an index. Add it"
            " without, then use add_foreign_key_online, add_check_online, add_unique_online or create_index_online."
        )


def _refuse_part(operation: str, table: str) -> None:
    """Refuse to take a part or a whole of a table in use, unless excused(): its rows are rows of that table too."""
    opts, connection = op.get_context().opts, bind()
    if connection is None or opts.get("excused") or opts.get("is_new") or not ask("is_related", table).answer():
        return
    release = live.live_release(connection)
    in_use = [*options.current().metadata.tables, *(release.mapping if release else ())]
    names = [".".join(map(quote, name.split("."))) for name in in_use]
    other = ask("related_to", table, tables=names).answer()
    if other is not None:
        raise UnsafeOperation(
            f"{operation}: {table} shares its rows with {other}, which is in use, as a part and a whole do; nothing was"
            ' changed. Leave it, or say why they may go, with excused("…") around the call.'
        )
