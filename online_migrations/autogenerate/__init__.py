"""Autogenerate: `flask db migrate` writes a numbered revision in online operations, with its phase.

Models and database are compared in one way, by Alembic and the comparators of compare.py: for `flask db migrate` and
`check`, at the end of an upgrade, and by the doctor. Each directive becomes calls of operations, for upgrade and
downgrade. What has no safe way is refused with a sentence that says what to write in the model or by hand.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from alembic import context
from alembic.autogenerate import produce_migrations
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _render_cmd_body
from alembic.operations import ops
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from flask import current_app
from sqlalchemy import CheckConstraint, Connection, MetaData, Table
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import AddConstraint

from online_migrations import options
from online_migrations.autogenerate import columns, compare, tables
from online_migrations.autogenerate.compare import Call, Change, Diff, EnumValues, Found, NewSequence, Replacement
from online_migrations.autogenerate.tables import drop_retired, is_part_of_another, is_retired
from online_migrations.definitions import on_search_path
from online_migrations.errors import UnsafeOperation
from online_migrations.revisions import statements_of_upgrade
from online_migrations.sql import DIALECT, name_checks
from online_migrations.state.live import is_view
from online_migrations.state.tables import is_of_a_tool

log = logging.getLogger(__name__)

NO_REVISION_ENDS_IT = (
    "The newest revision has done all that another one would do, and PostgreSQL keeps it otherwise than the models say."
    " Write it in the model as `\\d` of the table prints it in psql; or, if somebody has changed the database by hand"
    " since, put that right by hand."
)


def target_metadata() -> MetaData:
    """Return the models' MetaData. Each CHECK in it has a name, by which it is compared."""
    metadata = options.current().metadata
    name_checks(metadata)
    return metadata


def include_object(item: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Leave out views, tables of tools, parts of others, what was retired, and what the project leaves out."""
    if isinstance(item, CheckConstraint) and not reflected and item._create_rule is not None:
        # That of a Boolean with create_constraint is made in other databases alone.
        add = AddConstraint(item, isolate_from_table=False)  # else its table would leave it out from now on
        return bool(item._create_rule(DIALECT.ddl_compiler(DIALECT, add)))
    if not _project_includes("include_object", item, name, type_, reflected, compare_to):
        return False
    if not reflected or compare_to is not None:
        return not (type_ == "table" and is_view(item))
    if is_part_of_another(item if type_ == "table" else item.table):
        return False  # it has what the whole has
    if type_ == "table":
        return not (is_of_a_tool(str(name)) or is_retired(item))
    gone = [column.name for column in item.table.columns if is_retired(column)]
    return item.name not in gone if type_ == "column" else not columns.stands_on(item, gone)  # dropped with that


def include_name(name: str | None, type_: str, parents: Any) -> bool:
    """Look into the default schema, which is None, and those that the models name, as far as the project does."""
    is_ours = type_ != "schema" or name in model_schemas()
    return is_ours and _project_includes("include_name", name, type_, parents)


def _project_includes(hook: str, *arguments: Any) -> bool:
    """Ask the hook of Alembic that the project gave to Flask-Migrate: Migrate(app, db, include_object=…)."""
    given = getattr(current_app.extensions.get("migrate"), "configure_args", {}).get(hook)
    return given is None or bool(given(*arguments))


def looks_at(table: str) -> bool:
    """Tell if the project's hooks leave a table of the database to it, of which only the name is known."""
    schema, _, name = table.rpartition(".")
    place = {"schema_name": schema or None, "schema_qualified_table_name": table}
    item = Table(name, MetaData(), schema=schema or None)
    is_named = _project_includes("include_name", name, "table", place)
    return is_named and _project_includes("include_object", item, name, "table", True, None)


def model_schemas() -> list[str | None]:
    """Return the schemas of the models, the default one first."""
    return [None, *sorted({table.schema for table in options.current().metadata.tables.values() if table.schema})]


REWRITE: dict[type, Callable[[Any, Diff], Change]] = {
    **tables.CREATE,
    ops.CreateTableOp: tables.create_table,
    ops.DropTableOp: tables.drop_table,
    ops.CreateTableCommentOp: tables.comment_on_table,
    ops.DropTableCommentOp: tables.comment_on_table,
    ops.AddColumnOp: columns.add_column,
    ops.DropColumnOp: columns.drop_column,
    ops.AlterColumnOp: columns.alter_column,
    ops.DropIndexOp: tables.drop_index,
    ops.DropConstraintOp: tables.drop_constraint,
    Replacement: tables.replace,
    EnumValues: columns.add_values,
}

RULES = (
    ("create_index_online", "add_unique_online", "add_primary_key_online"),
    ("add_foreign_key_online", "add_check_online"),  # a foreign key refers to a unique index
)
# New things come before those that go, so that queries always have an index and rows always a rule. What stands before
# a call that is refused stays: so NOT NULL, where the live release may write NULL, and rules, which rows may break,
# come before another type, which nobody takes back.
RANKS = (
    ("reinstate_table_online", "reinstate_column_online", "add_column_online"),
    ("set_not_null_online",),
    *RULES,
    (),  # what is not named here: another type, and after it the default that is printed in it; then its NOT NULL
    ("drop_not_null_online",),
    ("drop_constraint_online",),
    ("drop_index_online",),
    ("retire_column_online", "retire_table_online"),
    ("drop_shadow_contract", "drop_column_contract", "drop_table_contract"),
)


def rewrite_directives(upgrade: ops.UpgradeOps, context: AutogenContext) -> Change:
    """Rewrite all directives of a revision."""
    found = [op for op in upgrade.ops if isinstance(op, NewSequence)]
    by_name = {(op.sequence.schema, op.sequence.name): op for op in found}  # one may serve many columns
    sequences = Change.joined([tables.create_sequence(op) for op in by_name.values()])
    placed: list[tuple[str | None, Any]] = []  # in the order in which one refers to another; None: the default schema
    for outer in (op for op in upgrade.ops if not isinstance(op, NewSequence)):
        parts = outer.ops if isinstance(outer, ops.ModifyTableOps) else [outer]
        placed += [(tables.schema_of(op), op) for op in parts]
    schemas = {schema for schema, _ in placed}
    diffs = {schema: Diff(context, schema, [op for of, op in placed if of == schema]) for schema in schemas}
    changes = []
    for schema, op in placed:
        if isinstance(op, Found) and op.advice:
            raise UnsafeOperation(op.advice)
        with on_search_path(diffs[schema].connection, schema):
            changes.append(REWRITE[type(op)](op, diffs[schema]).in_schema(schema))
    up, down, phase = Change.joined(changes)
    return Change([*sequences.up, *in_order(up)], [*in_order(down), *sequences.down], phase)


def in_order(operations: list[ops.MigrateOperation]) -> list[ops.MigrateOperation]:
    """Put online operations by their ranks; new tables before or after them.

    An online operation commits what stands before it. So a new table comes last, in the transaction that moves
    alembic_version. If a foreign key to it is added, it has to come first, and may be made twice.
    """
    ranks = {function: rank for rank, functions in enumerate(RANKS) for function in functions}
    calls = [op for op in operations if isinstance(op, Call)]
    others = RANKS.index(())
    given = [call.arguments for call in calls if call.function == "set_default_online"]
    changed = [call.arguments.split(", ")[1].strip("\"'") for call in calls if call.function not in ranks]

    def rank(call: Call) -> tuple[int, int]:
        at = ranks.get(call.function, others)
        if RANKS[at] in RULES and any(
            re.search(rf"(?<!\w){re.escape(name)}(?!\w)", call.arguments) for name in changed
        ):
            return others, at  # a rule for what is changed
        waits = any(arguments.startswith(f"{call.arguments}, ") for arguments in given)
        return (others if waits else at), 0

    calls.sort(key=rank)
    of_new_tables = [op for op in operations if isinstance(op, ops.CreateTableOp | ops.CreateIndexOp)]
    going = [op for op in operations if isinstance(op, ops.DropTableOp)]
    plain = [op for op in operations if op not in (*calls, *of_new_tables, *going)]
    keys = [call.source for call in calls if call.function == "add_foreign_key_online"]
    new = [repr(op.table_name) for op in of_new_tables if isinstance(op, ops.CreateTableOp)]
    if not any(name in key for name in new for key in keys):
        return [*plain, *calls, *of_new_tables, *going]
    for op in of_new_tables:
        op.if_not_exists = True
    return [*plain, *of_new_tables, *calls, *going]


def process_revision_directives(
    migration: MigrationContext, revision: str | Iterable[str | None], directives: list[MigrationScript]
) -> None:
    """Rewrite and number what migrate, revision and check found, or drop what was retired. A hook of Alembic."""
    [script] = directives
    if getattr(context.config.cmd_opts, "autogenerate", False):
        autogen = AutogenContext(migration, opts=migration.opts)
        [upgrade], [downgrade] = script.upgrade_ops_list, script.downgrade_ops_list
        is_same = upgrade.is_empty()
        change = drop_retired(autogen, model_schemas()) if is_same else rewrite_directives(upgrade, autogen)
        if not change.up:
            log.info("nothing to write: the schema is what the models say")
            directives.clear()
            return
        if is_same:
            log.warning("this revision drops what was retired; ship it in a release after the one that retired it")
        upgrade.ops[:], downgrade.ops[:] = change.up, change.down
        if repeats_newest(autogen, upgrade):
            raise UnsafeOperation(f"Nothing was written. {NO_REVISION_ENDS_IT}")
        script.imports = {*script.imports, *autogen.imports, *change.imports()}  # Alembic's own set is shared
        migration.opts["template_args"]["phase"] = change.phase  # read by migrations/script.py.mako
    number = 1 + sum(1 for _ in context.script.walk_revisions())  # keeps files in order
    script.rev_id = migration.opts["revision_context"].command_args["rev_id"] or f"{number:04d}"


def repeats_newest(autogen: AutogenContext, upgrade: ops.UpgradeOps) -> bool:
    """Tell if the newest revision, which has run, does all of this already."""
    asked = indent(_render_cmd_body(upgrade, autogen), "    ")
    newest = context.script.get_revisions(autogen.migration_context.get_current_heads())
    done = [statements_of_upgrade(Path(script.path).read_bytes()) for script in newest]
    return statements_of_upgrade(f"def upgrade():\n{asked}") <= set().union(*done)


def compared(
    connection: Connection, metadata: MetaData, opts: Mapping[str, Any]
) -> tuple[AutogenContext, ops.UpgradeOps]:
    """Return what is to be done until the database is as the models say. The caller rolls back temporary tables."""
    migration = MigrationContext.configure(connection, opts=dict(opts))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # SQLAlchemy 2.1 warns of a CHECK that is NOT VALID
        upgrade = produce_migrations(migration, metadata).upgrade_ops or ops.UpgradeOps()
    return AutogenContext(migration, metadata, migration.opts), upgrade


def comes_back(connection: Connection, include: Callable[..., bool]) -> bool:
    """Tell if the newest revision did all that the models still ask for, and what they map is there."""
    autogen, upgrade = compared(connection, target_metadata(), {**context.get_context().opts, "include_name": include})
    try:
        upgrade.ops[:] = rewrite_directives(upgrade, autogen).up
    except UnsafeOperation:  # which says what to do
        return False
    adds = (one for one in upgrade.ops if getattr(one, "function", "add_column_online") == "add_column_online")
    return not any(adds) and repeats_newest(autogen, upgrade)


# How models and database are compared, for which temporary tables are made, and how revisions are written.
REVISION_OPTIONS: dict[str, Any] = {
    "compare_type": False,  # the server prints both sides, which compare.py compares
    "compare_server_default": False,
    "autogenerate_plugins": ["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname", compare.__name__],
    "include_object": include_object,
    "include_name": include_name,
    "include_schemas": True,
    "render_item": columns.render_item,
    "process_revision_directives": process_revision_directives,
}


def is_written_by_hand() -> bool:
    """Number the file of `flask db revision` or `merge`, for which no database is asked; tell if this is one."""
    # revision_environment in alembic.ini makes Alembic load env.py for them.
    context.configure(dialect_name="postgresql", **REVISION_OPTIONS)
    number = context.get_context()._migrations_fn
    is_autogenerated = getattr(context.config.cmd_opts, "autogenerate", False)
    if is_autogenerated or not number or number.__qualname__.split(".")[0] not in ("revision", "merge"):
        return False
    list(number((), context.get_context()))
    return True
