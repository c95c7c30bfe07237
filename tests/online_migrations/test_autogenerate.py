"""`flask db migrate` turns a changed model into online operations and a phase, or refuses it with a sentence."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import api
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import quoted_name

from online_migrations import operations as ops
from online_migrations.autogenerate import in_order, rewrite_directives
from online_migrations.autogenerate.compare import Call, Change
from online_migrations.autogenerate.tables import drop_retired
from online_migrations.errors import UnsafeOperation
from online_migrations.runner import ALEMBIC_OPTIONS
from tests.databases import Environment, empty_database
from tests.online_migrations import shop
from tests.online_migrations.changes import ByHand, Case, ModelChange, add, both, plain, replace, without
from tests.online_migrations.changes.columns import COLUMN_CASES, Shout, feelings
from tests.online_migrations.changes.others import Unsaid
from tests.online_migrations.changes.rules import RULE_CASES, TABLE_CASES, WITHOUT_EXCLUDE, exclude, gone
from tests.online_migrations.migrating import Database, connected

Type = sa.types.TypeEngine[Any]
CASES = [*COLUMN_CASES, *RULE_CASES, *TABLE_CASES]

# The differences are found on each server by test_model_changes.py; this is what is written of them.
pytestmark = pytest.mark.newest_server


def migration(database: Database, metadata: MetaData) -> Change:
    """Return what is written for the difference between the database and these models."""
    with database.engine.connect() as connection:
        compared = ("autogenerate_plugins", "compare_type", "compare_server_default", "include_object")
        options = {key: ALEMBIC_OPTIONS[key] for key in compared}
        written_as = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}
        context = MigrationContext.configure(connection, opts={**options, **written_as, "target_metadata": metadata})
        directives = api.produce_migrations(context, metadata).upgrade_ops
        assert directives is not None
        autogen = api.AutogenContext(context, metadata)
        return drop_retired(autogen) if directives.is_empty() else rewrite_directives(directives, autogen)


def sources(calls: list[MigrateOperation]) -> list[str]:
    return [call.source if isinstance(call, Call) else type(call).__name__ for call in calls]


def changed(*changes: ModelChange | ByHand) -> MetaData:
    metadata = shop.models()
    for change in changes:
        assert not isinstance(change, ByHand)
        change(metadata)
    return metadata


@pytest.fixture(scope="module")
def untouched(server_environment: Environment) -> Iterator[Database]:
    """Hold the shop's tables for tests that only compare models with them."""
    with empty_database(server_environment) as environment, connected(environment) as database:
        shop.models().create_all(database.engine)
        yield database


@pytest.fixture
def own(database: Database) -> Database:
    shop.models().create_all(database.engine)
    return database


def named(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@named([case for case in CASES if case.up])
@pytest.mark.smoke
def test_a_change_is_written_in_online_operations(untouched: Database, case: Case) -> None:
    written = migration(untouched, changed(case.changes[0]))
    assert sources(written.up) == list(case.up)
    assert written.phase == case.phases[0]


@named([case for case in CASES if case.refused])
@pytest.mark.smoke
def test_a_change_without_a_safe_way_is_refused(untouched: Database, case: Case) -> None:
    with pytest.raises(UnsafeOperation, match=case.refused):
        migration(untouched, changed(case.changes[0]))


def bins(*items: sa.Column[Any]) -> ModelChange:
    return lambda metadata: Table("bins", metadata, sa.Column("id", sa.Integer, primary_key=True), *items)


def test_a_new_table_is_plain_and_comes_last_unless_something_refers_to_it(untouched: Database) -> None:
    written = migration(untouched, changed(bins(sa.Column("name", sa.Text, index=True))))
    assert sources(written.up) == ["CreateTableOp", "CreateIndexOp"]
    assert sources(written.down) == ["DropTableOp"]
    assert written.phase == "expand"
    *_, last = migration(untouched, changed(bins(), add(plain("extra", sa.Text)))).up
    assert (sources([last]), getattr(last, "if_not_exists", None)) == (["CreateTableOp"], None)
    first, *_ = migration(untouched, changed(bins(), REFERS)).up
    assert (sources([first]), getattr(first, "if_not_exists", None)) == (["CreateTableOp"], True)


def test_an_index_that_a_type_makes_with_its_table_is_not_made_twice(untouched: Database) -> None:
    def attach(column: sa.Column[Any], table: Table) -> None:  # as GeoAlchemy2 does
        if column.name == "spot":
            sa.Index(f"idx_{table.name}_spot", column)

    sa.event.listen(sa.Column, "after_parent_attach", attach)
    try:
        written = migration(untouched, changed(bins(sa.Column("spot", sa.Text))))
        assert sources(written.up) == ["CreateTableOp"]
    finally:
        sa.event.remove(sa.Column, "after_parent_attach", attach)


def test_what_is_made_comes_before_what_goes_and_what_rows_may_refuse_before_another_type() -> None:
    order = [
        Call("add_column_online", "'things', sa.Column('colour', …)"),
        Call("set_not_null_online", "'things', 'note'"),
        Call("create_index_online", "'ix_size_of', 'things', ['size_of']"),
        Call("add_foreign_key_online", "'fk', 'things', 'owners', ['owner'], ['id']"),
        Call("change_type_online", "'things', 'size', 'BIGINT'"),
        Call("set_default_online", "'things', 'size', '0'"),
        Call("add_unique_online", "'things', 'uq', ['size']"),
        Call("add_check_online", "'things', 'ck', 'size > 0'"),
        *(Call(function, "") for function in ("drop_constraint_online", "drop_index_online", "retire_column_online")),
        Call("drop_column_contract", ""),
    ]
    type_and_default = order[4:6]  # of one column, in the order in which they are found
    assert in_order([*order[:5:-1], *type_and_default, *order[3::-1]]) == order


REFERS = add(lambda: sa.Column("bin_id", sa.ForeignKey("bins.id")))


def test_a_default_with_a_quote_is_compared(own: Database) -> None:
    metadata = changed(add(plain("said", sa.String(9), server_default="it's")))
    own.execute("ALTER TABLE things ADD said varchar(9) DEFAULT 'it''s'")
    assert migration(own, metadata).up == []
    own.execute("ALTER TABLE things ALTER said SET DEFAULT 'it''d'")
    assert sources(migration(own, metadata).up) == ["""set_default_online('things', 'said', "'it''s'")"""]


def test_what_was_retired_is_dropped_when_nothing_else_changed(own: Database) -> None:
    own.migrate(lambda: ops.retire_column_online("things", "size"))
    own.migrate(lambda: ops.retire_table_online("labels"))
    own.execute("CREATE TABLE procrastinate_more (id int)")
    own.migrate(lambda: ops.retire_table_online("procrastinate_more"))  # of a tool, which the options name
    gone_too = both(without("size"), gone("labels"))
    written = migration(own, changed(gone_too, add(plain("colour", sa.String(20)))))
    added = "add_column_online('things', sa.Column('colour', sa.String(length=20), nullable=True))"
    assert sources(written.up) == [added], "it stays while something else changes"
    written = migration(own, changed(gone_too))
    assert sources(written.up) == ["drop_column_contract('things', 'size')", "drop_table_contract('labels')"]
    assert sources(written.down)[0] == "CreateTableOp"
    again, *rules = sources(written.down)[1:]
    retired = "sa.Column('size', sa.INTEGER(), nullable=True, comment='retired"
    assert again.startswith(f"add_column_online('things', {retired}")
    assert any(rule.startswith("create_index_online('ix_things_size', 'things', ['size']") for rule in rules)
    assert written.phase == "contract"


def precise() -> sa.Column[Any]:
    return sa.Column("made_at", postgresql.TIMESTAMP(timezone=True, precision=3), nullable=False)


def new_table(*items: Any, **options: Any) -> ModelChange:
    return lambda metadata: Table("bins", metadata, *items, **options)


def unnamed_index(metadata: MetaData) -> None:
    metadata.naming_convention = {"pk": "pk_%(table_name)s"}
    sa.Index(None, metadata.tables["things"].columns["size"])


# Of a default that refers: rows of the live release would refer to a row which may not be there.
REFUSED: list[tuple[ModelChange, str]] = [
    (replace(plain("name", sa.String(20), nullable=False)), "under a new name"),
    (replace(plain("size", sa.Text, index=True)), r"INTEGER to TEXT.*add_synced_column_online"),
    (replace(precise), "made_at would change from TIMESTAMP WITH TIME ZONE to TIMESTAMP"),
    (replace(lambda: sa.Column("doubled", sa.Integer, sa.Computed("weight * 3", persisted=True)), "parts"), "new name"),
    (add(plain("extra", sa.BLOB())), "BLOB, which this server does not have"),
    (add(plain("extra", Unsaid("BOX"))), r"Unsaid\(\), which ends"),
    (feelings("good"), "would lose bad"),
    (add(plain("값" * 22, sa.Integer())), "has 66 bytes"),
    (
        new_table(
            sa.Column("at", sa.Date), sa.Column("code", sa.Text, unique=True), postgresql_partition_by="RANGE (at)"
        ),
        'lacks column "at" which is part of the partition key',
    ),
    (new_table(sa.CheckConstraint("nothing > 0", name="some")), 'column "nothing" does not exist'),
    (new_table(plain("at", sa.Date, server_default=sa.text("a b"))()), 'syntax error at or near "b"'),
    (add(plain("extra", sa.Date, server_default=sa.text("a b"))), "a default that it does not take .syntax error"),
    (new_table(sa.Column("kind", sa.ForeignKey("things.kind"))), "no unique constraint matching given keys"),
    (new_table(sa.Column("thing_id", sa.Uuid, sa.ForeignKey("things.id"))), "incompatible types: uuid and"),
    (add(lambda: sa.Column("of", sa.ForeignKey("things.kind"))), "no unique constraint matching given keys"),
    (add(lambda: sa.Column("number", sa.Integer, server_default=sa.Sequence("s").next_value())), "from row to row"),
    (new_table(schema="public"), "Leave schema= out"),
    (add(plain(quoted_name("Extra", False), sa.Integer())), "PostgreSQL keeps it as extra"),
    (unnamed_index, r"index on things \(size\) has no name"),
    (
        new_table(sa.Column("size", sa.Integer), sa.Index("ix_things_size", "size")),
        "The name ix_things_size is that of",
    ),
    (replace(plain("weight", sa.BigInteger()), "parts"), "computed column doubled stands on parts.weight"),
    (new_table(sa.Index("ix_said", sa.func.to_tsvector("simple", sa.text("kind")))), r"'simple'.*literal_column\("),
    (new_table(schema="nowhere"), "op.execute.'CREATE SCHEMA nowhere'"),
    (add(plain("extra", postgresql.JSONB, server_default=sa.cast("{}", postgresql.JSONB))), r"a default as text\(…\)"),
    (without("code", "parts"), "take it out of the key alone"),
    (both(bins(), add(lambda: sa.Column("bin_id", sa.ForeignKey("bins.id"), server_default="1"))), "without a default"),
    (
        exclude("ex_new"),
        r"op\.execute\('ALTER TABLE rooms ADD CONSTRAINT ex_new EXCLUDE USING gist \(period WITH &&\)'\)",
    ),
    (WITHOUT_EXCLUDE, r"op\.execute\('ALTER TABLE rooms DROP CONSTRAINT ex_rooms_period'\)"),
]


def test_what_the_live_release_could_not_use_or_the_revision_would_not_make_is_refused(untouched: Database) -> None:
    for change, reason in REFUSED:
        with pytest.raises(UnsafeOperation, match=reason):
            migration(untouched, changed(change))


def test_another_precision_and_collation_and_a_longer_type_of_ones_own_are_noticed(untouched: Database) -> None:
    collated = """change_type_online('things', 'code', 'VARCHAR(80) COLLATE "C"')"""
    other: list[tuple[str, Type, str]] = [
        ("price", sa.Numeric(), "change_type_online('things', 'price', 'NUMERIC')"),
        ("code", sa.String(80, "C"), collated),
        ("code", Shout(80), "widen_text_online('things', 'code', 'VARCHAR(80)')"),
    ]
    for name, kind, written in other:
        column = plain(name, kind, unique=name == "code")
        assert sources(migration(untouched, changed(replace(column))).up) == [written]


def odd(metadata: MetaData) -> None:
    defaults = ("md5(random()::text)", "clock_timestamp()::text", "'T-' || nextval('numbers')")
    texts = (sa.Column(f"text_{at}", sa.Text, server_default=sa.text(sql)) for at, sql in enumerate(defaults))
    data = sa.Column("data", sa.JSON, server_default="{}")
    Table("odd", metadata, shop.identity(), *texts, data, sa.Index("ix_odd", sa.text("(text_0 || '-' || id::text)")))


def test_what_differs_from_row_to_row_is_compared_as_it_is_printed_and_not_evaluated(database: Database) -> None:
    database.execute("CREATE SEQUENCE numbers")
    changed(odd).create_all(database.engine)
    assert migration(database, changed(odd)).up == []
    assert database.scalar("SELECT is_called FROM numbers") is False


def test_a_table_that_was_reflected_has_what_the_database_has(database: Database) -> None:
    database.execute(
        "CREATE TABLE legacy (id serial PRIMARY KEY, kind text DEFAULT '' CHECK (kind <> ' '), UNIQUE (kind))"
    )
    models = MetaData()
    Table("legacy", models, autoload_with=database.engine)
    assert migration(database, models).up == []
    database.execute("ALTER TABLE legacy ALTER id DROP DEFAULT")
    assert [one.partition("(")[0] for one in sources(migration(database, models).up)] == ["set_default_online"]


def run(database: Database, calls: list[MigrateOperation]) -> None:
    """Run what was written into the revision."""
    for call in sources(calls):
        database.migrate(partial(exec, call, {**vars(ops), "sa": sa}))


def test_a_computed_column_is_the_one_that_the_model_has(own: Database) -> None:
    words = sa.Column("words", sa.Integer, nullable=False)
    own.migrate(lambda: ops.add_computed_column_online("things", words, "length(kind)"))
    fetched = sa.FetchedValue()
    mapped = changed(add(lambda: sa.Column("words", sa.Integer, fetched, server_onupdate=fetched, nullable=False)))
    assert migration(own, mapped).up == []


def test_a_computed_column_is_dropped_before_what_it_is_computed_from(own: Database) -> None:
    for column in ("weight", "doubled"):
        own.migrate(partial(ops.retire_column_online, "parts", column))
    change = migration(own, changed(without("doubled", "parts"), without("weight", "parts")))
    assert sources(change.up) == [f"drop_column_contract('parts', '{column}')" for column in ("doubled", "weight")]
    run(own, change.up)
    assert migration(own, changed(without("doubled", "parts"), without("weight", "parts"))).up == []


def test_an_enum_with_its_rule_may_come_with_a_foreign_key(untouched: Database) -> None:
    mood = plain("mood", sa.Enum("good", "bad", native_enum=False, create_constraint=True, name="mood"))
    written = migration(untouched, changed(add(mood), add(lambda: sa.Column("other", sa.ForeignKey("things.id")))))
    added = [one.partition("(")[0] for one in sources(written.up)]
    assert added == [*["add_column_online"] * 2, "add_foreign_key_online", "add_check_online"]


def test_what_a_view_reads_keeps_its_type_and_stays(own: Database) -> None:
    own.execute("CREATE VIEW sizes AS SELECT size FROM things")
    with pytest.raises(UnsafeOperation, match=r"view sizes stands on things\.size"):
        migration(own, changed(replace(plain("size", sa.BigInteger, index=True))))
    own.migrate(lambda: ops.retire_column_online("things", "size"))
    with pytest.raises(UnsafeOperation, match=r"view sizes stands on things\.size"):
        migration(own, changed(without("size")))


def test_a_shadow_is_dropped_when_nothing_else_changed_and_gives_the_way_back_until_then(own: Database) -> None:
    own.migrate(lambda: ops.change_type_online("things", "size", "BIGINT"))
    with pytest.raises(UnsafeOperation, match=r"by hand: change_type_online\('things', 'size', 'INTEGER'\)"):
        migration(own, shop.models())
    change = migration(own, changed(replace(plain("size", sa.BigInteger, index=True))))
    assert sources(change.up) == ["drop_shadow_contract('things', 'size')"]
    assert change.phase == "contract"


def test_a_retired_column_is_dropped_after_the_dual_write_that_needs_it(own: Database) -> None:
    amount = sa.Column("amount", sa.Text)
    own.migrate(lambda: ops.add_synced_column_online("things", "size", amount, "size::text", "amount::int"))
    own.migrate(lambda: ops.retire_column_online("things", "size"))
    change = migration(own, changed(without("size"), add(plain("amount", sa.Text))))
    written = ["stop_dual_write_contract('things', 'amount')", "drop_column_contract('things', 'size')"]
    assert sources(change.up) == written
    run(own, change.up)
    assert own.scalar("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'things'::regclass AND NOT tgisinternal") == 0
