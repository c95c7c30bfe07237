"""What `flask db migrate` makes of a changed model: online operations and the phase, or a sentence."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table

from app.release.errors import UnsafeOperation
from app.release.operations import retire_column_online, retire_table_online
from app.release.retired import drop_retired
from app.release.rewriter import Call, Change, rewrite_directives
from app.release.runner import ALEMBIC_OPTIONS
from tests.release.migrating import Database
from tests.release.model_changes import CHANGES, add, models, remove, replace, things


def migration(database: Database, metadata: MetaData) -> Change:
    """What is written for the difference between the database and these models."""
    with database.engine.connect() as connection:
        options = {
            key: ALEMBIC_OPTIONS[key] for key in ("autogenerate_plugins", "compare_server_default", "include_object")
        }
        written_as = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        context = MigrationContext.configure(connection, opts={**options, **written_as, "target_metadata": metadata})
        directives = api.produce_migrations(context, metadata).upgrade_ops
        assert directives is not None
        autogen = api.AutogenContext(context, metadata)
        return drop_retired(context, autogen) if directives.is_empty() else rewrite_directives(directives, autogen)


def sources(operations: list[MigrateOperation]) -> list[str]:
    return [op.source if isinstance(op, Call) else type(op).__name__ for op in operations]


@pytest.fixture
def database(database: Database) -> Database:
    models().create_all(database.engine)
    return database


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


def test_beside_online_operations_a_new_table_comes_last_where_it_is_made_with_the_revision(database: Database) -> None:
    metadata = models()
    things(metadata).append_column(sa.Column("colour", sa.String(20)))
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True))
    written = migration(database, metadata)
    assert sources(written.up)[-1] == "CreateTableOp"
    assert not getattr(written.up[-1], "if_not_exists", None)


def test_a_new_table_that_an_online_operation_refers_to_comes_first_and_may_be_made_twice(database: Database) -> None:
    metadata = models()
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True))
    things(metadata).append_column(sa.Column("label_id", sa.ForeignKey("labels.id")))
    written = migration(database, metadata)
    assert sources(written.up)[0] == "CreateTableOp"
    assert getattr(written.up[0], "if_not_exists", None) is True


def test_a_foreign_key_that_alembic_leaves_out_of_a_new_table_is_refused(database: Database) -> None:
    metadata = models()
    key = sa.ForeignKey("owners.id", name="fk_labels_owner_id", use_alter=True)
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("owner_id", key))
    with pytest.raises(UnsafeOperation, match="labels has the foreign key fk_labels_owner_id"):
        migration(database, metadata)
    database.execute("CREATE TABLE labels (id serial PRIMARY KEY, owner_id bigint)")  # as it is without the key
    assert any("fk_labels_owner_id" in call for call in sources(migration(database, metadata).up))


def test_a_new_foreign_key_of_a_default_is_refused(database: Database) -> None:
    """Rows of the live release would refer to the row of the default, which may not be there."""
    metadata = models()
    Table("labels", metadata, sa.Column("id", sa.Integer, primary_key=True))
    things(metadata).append_column(sa.Column("label_id", sa.ForeignKey("labels.id"), server_default="1"))
    with pytest.raises(UnsafeOperation, match=r"label_id.*Begin without a default"):
        migration(database, metadata)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (sa.Column("colour", sa.String(20), nullable=False), "server_default"),
        (sa.Column("name", sa.Integer, nullable=False), "under a new name"),
        (sa.Column("name", sa.String(20), nullable=False), "under a new name"),
        (sa.Column("size", sa.Numeric, index=True), "under a new name"),
        (sa.Column("key", sa.Uuid, server_default=sa.text("gen_random_uuid()")), "differs from row to row"),
        (sa.Column("key", sa.Integer, sa.Computed("size + 1")), "computed by the database"),
        (sa.Column("key", sa.Integer, sa.Identity()), "computed by the database"),
        (sa.Column("mood", sa.Enum("good", "bad", name="mood")), "native_enum=False"),
    ],
    ids=[
        "required without a default",
        "text to number",
        "shorter text",
        "another number",
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
    assert sources(written.up) == ["drop_column_contract('things', 'size')", "drop_table_contract('owners')"]
    again, indexed = sources(written.down)[1:]
    assert again.startswith(
        "add_column_online('things', sa.Column('size', sa.INTEGER(), nullable=True, comment='retired"
    )
    assert indexed.startswith("create_index_online('ix_things_size', 'things', ['size']")
    assert sources(written.down)[0] == "CreateTableOp"
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
