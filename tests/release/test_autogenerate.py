"""What `flask db migrate` makes of a changed model: online operations and the phase, or a sentence."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql

from app.extensions import NAMING_CONVENTION
from app.release.autogenerate import dropping
from app.release.errors import UnsafeOperation
from app.release.operations import retire_column_online, retire_table_online
from app.release.rewriter import Call, Change, rewritten
from app.release.runner import OPTIONS
from tests.release.migrating import Database


def models() -> MetaData:
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    Table("owners", metadata, sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True))
    Table(
        "things",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("owner_id", sa.BigInteger),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("size", sa.Integer, index=True),
        sa.Column("code", sa.String(10), unique=True),
        sa.Column("kind", sa.String(10), server_default="note", nullable=False),
    )
    return metadata


def things(metadata: MetaData) -> Table:
    return metadata.tables["things"]


def replace(metadata: MetaData, column: sa.Column[object]) -> None:
    things(metadata).append_column(column, replace_existing=True)


def unique_of(table: Table) -> sa.Constraint:
    return next(constraint for constraint in table.constraints if isinstance(constraint, sa.UniqueConstraint))


def remove(metadata: MetaData, name: str) -> None:
    """As if the model had never had the column, nor what stands on it."""
    table = things(metadata)
    kept = [column._copy() for column in table.columns if column.name != name]
    metadata.remove(table)
    Table("things", metadata, *kept)


def migration(database: Database, metadata: MetaData) -> Change:
    """What is written for the difference between the database and these models."""
    with database.engine.connect() as connection:
        options = {key: OPTIONS[key] for key in ("autogenerate_plugins", "compare_server_default", "include_object")}
        written_as = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        context = MigrationContext.configure(connection, opts={**options, **written_as, "target_metadata": metadata})
        directives = api.produce_migrations(context, metadata).upgrade_ops
        assert directives is not None
        autogen = api.AutogenContext(context, metadata)
        return dropping(context, autogen) if directives.is_empty() else rewritten(directives, autogen)


def sources(operations: list[MigrateOperation]) -> list[str]:
    return [op.source if isinstance(op, Call) else type(op).__name__ for op in operations]


@pytest.fixture
def database(database: Database) -> Database:
    models().create_all(database.engine)
    return database


def add(column: sa.Column[object]) -> Callable[[MetaData], None]:
    return lambda metadata: things(metadata).append_column(column)


def ranked(metadata: MetaData) -> None:
    things(metadata).append_column(sa.Column("rank", sa.Integer))
    things(metadata).append_constraint(sa.CheckConstraint("rank > 0", name="ranked"))


CHANGES = {
    "nullable column": (
        add(sa.Column("colour", sa.String(20))),
        ["add_column_online('things', sa.Column('colour', sa.String(length=20), nullable=True))"],
        ["drop_column_contract('things', 'colour')"],
        "expand",
    ),
    "required column with a default": (
        add(sa.Column("done", sa.Boolean, server_default=sa.false(), nullable=False)),
        [
            "add_column_online('things', sa.Column('done', sa.Boolean(), server_default=sa.text('false'),"
            " nullable=False))"
        ],
        ["drop_column_contract('things', 'done')"],
        "expand",
    ),
    "index": (
        lambda metadata: sa.Index(None, things(metadata).c.name, things(metadata).c.id),
        ["create_index_online('ix_things_name_id', 'things', ['name', 'id'])"],
        ["drop_index_online('ix_things_name_id')"],
        "expand",
    ),
    "partial index": (
        lambda metadata: sa.Index("ix_part", things(metadata).c.name, postgresql_where=things(metadata).c.size > 5),
        ["create_index_online('ix_part', 'things', ['name'], postgresql_where=sa.text('size > 5'))"],
        ["drop_index_online('ix_part')"],
        "expand",
    ),
    "unique on columns that are there": (
        lambda metadata: things(metadata).append_constraint(sa.UniqueConstraint("name")),
        ["add_unique_online('things', 'uq_things_name', ['name'])"],
        ["drop_constraint_online('things', 'uq_things_name')"],
        "contract",
    ),
    "unique on a new column": (
        lambda metadata: things(metadata).append_column(sa.Column("slug", sa.String(9), unique=True)),
        [
            "add_column_online('things', sa.Column('slug', sa.String(length=9), nullable=True))",
            "add_unique_online('things', 'uq_things_slug', ['slug'])",
        ],
        ["drop_constraint_online('things', 'uq_things_slug')", "drop_column_contract('things', 'slug')"],
        "expand",
    ),
    "foreign key": (
        lambda metadata: things(metadata).append_constraint(
            sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], ondelete="CASCADE")
        ),
        [
            "add_foreign_key_online('fk_things_owner_id_owners', 'things', 'owners', ['owner_id'], ['id'],"
            " ondelete='CASCADE')"
        ],
        ["drop_constraint_online('things', 'fk_things_owner_id_owners')"],
        "contract",
    ),
    "check": (
        lambda metadata: things(metadata).append_constraint(sa.CheckConstraint("size > 0", name="positive")),
        ["add_check_online('things', 'ck_things_positive', 'size > 0')"],
        ["drop_constraint_online('things', 'ck_things_positive')"],
        "contract",
    ),
    "required from now on": (
        lambda metadata: replace(metadata, sa.Column("owner_id", sa.BigInteger, nullable=False)),
        ["set_not_null_online('things', 'owner_id')"],
        ["drop_not_null_online('things', 'owner_id')"],
        "contract",
    ),
    "default gone from a required column": (
        lambda metadata: replace(metadata, sa.Column("kind", sa.String(10), nullable=False)),
        ["set_default_online('things', 'kind', None)"],
        ["""set_default_online('things', 'kind', "'note'::character varying")"""],
        "contract",
    ),
    "column of a dialect's type": (
        add(sa.Column("extra", postgresql.JSONB)),
        ["add_column_online('things', sa.Column('extra', postgresql.JSONB(astext_type=sa.Text()), nullable=True))"],
        ["drop_column_contract('things', 'extra')"],
        "expand",
    ),
    "foreign key with options": (
        lambda metadata: things(metadata).append_constraint(
            sa.ForeignKeyConstraint(["owner_id"], ["owners.id"], onupdate="CASCADE", deferrable=True)
        ),
        [
            "add_foreign_key_online('fk_things_owner_id_owners', 'things', 'owners', ['owner_id'], ['id'],"
            " onupdate='CASCADE', deferrable=True)"
        ],
        ["drop_constraint_online('things', 'fk_things_owner_id_owners')"],
        "contract",
    ),
    "partial index with a percent sign": (
        lambda metadata: sa.Index("ix_part", things(metadata).c.name, postgresql_where=sa.text("name LIKE 'a%'")),
        ["""create_index_online('ix_part', 'things', ['name'], postgresql_where=sa.text("name LIKE 'a%'"))"""],
        ["drop_index_online('ix_part')"],
        "expand",
    ),
    "check on a new column": (
        ranked,
        [
            "add_column_online('things', sa.Column('rank', sa.Integer(), nullable=True))",
            "add_check_online('things', 'ck_things_ranked', 'rank > 0')",
        ],
        ["drop_constraint_online('things', 'ck_things_ranked')", "drop_column_contract('things', 'rank')"],
        "expand",
    ),
    "no longer required": (
        lambda metadata: replace(metadata, sa.Column("name", sa.String(50))),
        ["drop_not_null_online('things', 'name')"],
        ["set_not_null_online('things', 'name')"],
        "expand",
    ),
    "another default": (
        lambda metadata: replace(metadata, sa.Column("kind", sa.String(10), server_default="todo", nullable=False)),
        ["""set_default_online('things', 'kind', "'todo'")"""],
        ["""set_default_online('things', 'kind', "'note'::character varying")"""],
        "expand",
    ),
    "longer text": (
        lambda metadata: replace(metadata, sa.Column("name", sa.String(80), nullable=False)),
        ["widen_text_online('things', 'name', 'VARCHAR(80)')"],
        [],
        "expand",
    ),
    "column gone from the model": (
        lambda metadata: remove(metadata, "kind"),
        ["retire_column_online('things', 'kind')"],
        ["reinstate_column_online('things', 'kind')"],
        "expand",
    ),
    "required column gone from the model": (
        lambda metadata: remove(metadata, "name"),
        ["retire_column_online('things', 'name')"],
        ["reinstate_column_online('things', 'name')", "set_not_null_online('things', 'name')"],
        "expand",
    ),
    "column gone with its index": (
        lambda metadata: remove(metadata, "size"),
        ["retire_column_online('things', 'size')"],
        ["reinstate_column_online('things', 'size')"],
        "expand",
    ),
    "column gone with its unique constraint": (
        lambda metadata: remove(metadata, "code"),
        ["retire_column_online('things', 'code')"],
        ["reinstate_column_online('things', 'code')"],
        "expand",
    ),
    "index gone": (
        lambda metadata: things(metadata).indexes.clear(),
        ["drop_index_online('ix_things_size')"],
        ["create_index_online('ix_things_size', 'things', ['size'])"],
        "expand",
    ),
    "unique constraint gone": (
        lambda metadata: things(metadata).constraints.remove(unique_of(things(metadata))),
        ["drop_constraint_online('things', 'uq_things_code')"],
        ["add_unique_online('things', 'uq_things_code', ['code'])"],
        "contract",
    ),
    "table gone from the models": (
        lambda metadata: metadata.remove(metadata.tables["owners"]),
        ["retire_table_online('owners')"],
        ["reinstate_table_online('owners')"],
        "expand",
    ),
}


@pytest.mark.parametrize(("change", "up", "down", "phase"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_written_in_online_operations(
    database: Database,
    change: Callable[[MetaData], None],
    up: list[str],
    down: list[str],
    phase: str,
) -> None:
    metadata = models()
    change(metadata)
    written = migration(database, metadata)
    assert sources(written.up) == up
    assert sources(written.down) == down
    assert written.phase == phase


def test_a_new_table_is_plain_and_in_one_transaction(database: Database) -> None:
    metadata = models()
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.Text, index=True))
    written = migration(database, metadata)
    assert sources(written.up) == ["CreateTableOp", "CreateIndexOp"]
    assert sources(written.down) == ["DropTableOp"]
    assert written.phase == "expand"


def test_beside_online_operations_a_new_table_may_be_made_twice(database: Database) -> None:
    metadata = models()
    things(metadata).append_column(sa.Column("colour", sa.String(20)))
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True))
    written = migration(database, metadata)
    assert sources(written.up)[0] == "CreateTableOp"
    assert getattr(written.up[0], "if_not_exists", None) is True


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (sa.Column("colour", sa.String(20), nullable=False), "server_default"),
        (sa.Column("name", sa.Integer, nullable=False), "under a new name"),
        (sa.Column("name", sa.String(20), nullable=False), "under a new name"),
        (sa.Column("size", sa.BigInteger, index=True), "under a new name"),
        (sa.Column("key", sa.Uuid, server_default=sa.text("gen_random_uuid()")), "differs from row to row"),
        (sa.Column("key", sa.Integer, sa.Computed("size + 1")), "computed by the database"),
        (sa.Column("key", sa.Integer, sa.Identity()), "computed by the database"),
        (sa.Column("mood", sa.Enum("good", "bad", name="mood")), "native_enum=False"),
    ],
    ids=[
        "required without a default",
        "text to number",
        "shorter text",
        "wider number",
        "volatile default",
        "computed",
        "identity",
        "enum",
    ],
)
def test_a_change_without_a_safe_way_is_a_sentence(database: Database, column: sa.Column[object], reason: str) -> None:
    metadata = models()
    replace(metadata, column)
    with pytest.raises(UnsafeOperation, match=reason):
        migration(database, metadata)


def test_a_new_name_for_a_column_is_not_taken_for_another_column(database: Database) -> None:
    metadata = models()
    remove(metadata, "kind")
    things(metadata).append_column(sa.Column("sort", sa.String(10), server_default="note", nullable=False))
    with pytest.raises(UnsafeOperation, match=r'sort = mapped_column\("kind", …\)'):
        migration(database, metadata)


def test_a_new_name_for_a_table_is_not_taken_for_another_table(database: Database) -> None:
    metadata = models()
    metadata.tables["owners"].to_metadata(metadata, name="people")
    metadata.remove(metadata.tables["owners"])
    with pytest.raises(UnsafeOperation, match=r"rename_with_view\('owners', 'people'\)"):
        migration(database, metadata)


def test_a_table_that_goes_keeps_its_indexes_and_rules_until_it_is_dropped(database: Database) -> None:
    metadata = models()
    metadata.remove(things(metadata))
    written = migration(database, metadata)
    assert sources(written.up) == ["retire_table_online('things')"]
    assert written.phase == "expand"


def test_a_default_with_a_quote_is_compared(database: Database) -> None:
    metadata = models()
    add(sa.Column("said", sa.String(9), server_default="it's"))(metadata)
    database.execute("ALTER TABLE things ADD said varchar(9) DEFAULT 'it''s'")
    assert migration(database, metadata).up == []
    database.execute("ALTER TABLE things ALTER said SET DEFAULT 'it''d'")
    assert sources(migration(database, metadata).up) == ["""set_default_online('things', 'said', "'it''s'")"""]


def test_what_was_retired_is_dropped_when_nothing_else_changed(database: Database) -> None:
    metadata = models()
    remove(metadata, "size")
    metadata.remove(metadata.tables["owners"])
    database.migrate(lambda: retire_column_online("things", "size"))
    database.migrate(lambda: retire_table_online("owners"))
    written = migration(database, metadata)
    assert sources(written.up) == ["drop_table_contract('owners')", "drop_column_contract('things', 'size')"]
    assert sources(written.down) == ["add_column_online('things', sa.Column('size', sa.INTEGER(), nullable=True))"]
    assert written.phase == "contract"


def test_what_was_retired_stays_while_something_else_changes(database: Database) -> None:
    metadata = models()
    remove(metadata, "size")
    database.migrate(lambda: retire_column_online("things", "size"))
    things(metadata).append_column(sa.Column("colour", sa.String(20)))
    assert sources(migration(database, metadata).up) == [
        "add_column_online('things', sa.Column('colour', sa.String(length=20), nullable=True))"
    ]


def test_without_a_difference_nothing_is_written(database: Database) -> None:
    assert migration(database, models()).up == []
