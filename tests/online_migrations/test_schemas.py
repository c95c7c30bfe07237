"""Tables in a schema of their own, partitions and children: compared, migrated and kept like the others."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.operations.ops import CreateForeignKeyOp
from sqlalchemy import MetaData, Table, text
from sqlalchemy.exc import ProgrammingError

from online_migrations.autogenerate.tables import schema_of
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.operations import (
    drop_column_contract,
    drop_index_online,
    drop_table_contract,
    in_schema,
    set_default_online,
)
from online_migrations.state import live
from online_migrations.state.forecasts import forecast
from tests.online_migrations.history import findings
from tests.online_migrations.migrating import Database, printed
from tests.online_migrations.model_project import ModelProject

# Only the search path differs.
pytestmark = pytest.mark.newest_server


def events(models: MetaData, *items: Any, longest: int = 20) -> None:
    """Map audit.things. "things" is there twice: what is done to the one must not be done to the other."""
    kind = sa.Column("kind", sa.String(longest), nullable=False)
    sa.Table("things", models, sa.Column("id", sa.Integer, primary_key=True), kind, *items, schema="audit")


def begun(models: MetaData, longest: int = 20) -> None:
    events(models, sa.Column("size", sa.Integer), sa.Column("note", sa.Text), longest=longest)


def grown(models: MetaData, least: int = 2, *, has_note: bool = True) -> None:
    note = (sa.Column("note", sa.Text, nullable=False), sa.Index("ix_things_note", "note"))
    events(
        models,
        *(note if has_note else ()),
        sa.Column("size", sa.BigInteger, server_default="1"),
        sa.Column("owner_id", sa.ForeignKey("owners.id")),
        sa.CheckConstraint(f"length(kind) > {least}", name="kind"),
        sa.UniqueConstraint("kind"),
        longest=40,
    )


def release(project: ModelProject, models: Callable[[MetaData], None]) -> str:
    """Write a revision and apply it; return its text."""
    project.change(models)
    file = project.migrate()
    assert file is not None
    project.upgrade()
    project.check()
    return file.read_text()


@pytest.fixture
def audited(project: ModelProject) -> ModelProject:
    project.database.execute("CREATE SCHEMA audit")
    written = release(project, begun)
    assert re.search("schema=.audit.", written)
    project.database.execute("INSERT INTO audit.things (kind, note) VALUES ('first', ''), ('second', '')")
    return project


def elsewhere(project: ModelProject) -> set[tuple[str, ...]]:
    return {found for found in project.database.definitions() if not found[1].startswith("audit.")}


@pytest.mark.minutes
def test_its_changes_are_made_in_its_schema(audited: ModelProject) -> None:
    """Also of a rule that is another one under its name, and of a column that goes, in two releases."""
    others = elsewhere(audited)
    written = release(audited, grown)
    calls = re.findall(r"\w+_(?:online|contract)\(", written)
    assert len(re.findall(r"with in_schema\(.audit.\):", written)) == len(calls) >= 8
    assert elsewhere(audited) == others
    audited.downgrade(2)
    audited.upgrade()
    assert audited.database.scalar("SELECT to_regclass('audit.alembic_version')") is None

    written = release(audited, partial(grown, least=1))
    assert re.findall(r"with in_schema\(.audit.\):\n +add_check_online\(.*length\(kind\) > 1.*replace=True\)", written)
    assert re.search(r"phase = .expand.", written)
    rule = "FROM pg_constraint WHERE conrelid = 'audit.things'::regclass AND contype = 'c'"
    assert "> 1" in audited.database.scalar(f"SELECT pg_get_constraintdef(oid) {rule}")
    for does in ("retire_column_online", "drop_column_contract"):
        assert f"{does}('things', 'note'" in release(audited, partial(grown, least=1, has_note=False)).replace('"', "'")

    audited.database.execute(
        "ALTER TABLE audit.things DROP CONSTRAINT ck_things_kind;"
        "ALTER TABLE audit.things ADD CONSTRAINT ck_things_kind CHECK (length(kind) > 3)"
    )
    [found] = [found for found in audited.diagnosed() if "audit" in found.what]
    assert (found.rule, "ck_things_kind on audit.things is CHECK" in found.what) == ("other-check", True)
    assert audited.database.scalar("SELECT count(*) FROM audit.things") == 2
    assert audited.database.scalar("SELECT count(*) FROM public.things") == 3


def test_a_schema_that_no_model_names_is_left_alone(project: ModelProject) -> None:
    project.database.execute("CREATE SCHEMA others; CREATE TABLE others.things (id int)")
    project.check()


def test_tables_are_found_where_the_live_release_finds_them(project: ModelProject) -> None:
    """They stand in the first schema of the search path, whatever its name."""
    project.database.execute(
        "ALTER SCHEMA public RENAME TO app; DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET search_path = app', current_database()); END $$"
    )
    project.database.engine.dispose()
    project.write('op.execute("ALTER TABLE things DROP note")', phase="contract")
    with pytest.raises(UnsafeOperation, match=r"things\.note would be gone\. The live release still uses it"):
        project.upgrade()
    assert project.database.scalar("SELECT count(note) FROM things") == 3


def test_lint_makes_the_schema_that_no_revision_makes(tmp_path: Path, database: Database) -> None:
    models = MetaData()
    sa.Table("things", models, schema="audit")
    upgrade = """
from online_migrations.operations.steps import in_schema
op.create_table("things", sa.Column("kind", sa.Text()), schema="audit", if_not_exists=True)
with in_schema("audit"):
    set_default_online("things", "kind", "1")
"""
    assert findings(tmp_path, upgrade, models=models) == []


def test_what_is_dropped_already_is_not_taken_for_one_of_another_schema(database: Database) -> None:
    """After a kill an operation runs again, and the search path would go on to the default schema."""
    database.execute("CREATE SCHEMA audit; CREATE TABLE leftovers (id int, note text)")
    database.execute("INSERT INTO leftovers VALUES (1, 'x'); CREATE INDEX ix_leftovers ON leftovers (id)")
    before = database.schema()

    def drop() -> None:
        with in_schema("audit"):
            drop_table_contract("leftovers")
            drop_index_online("ix_leftovers")

    def take_column() -> None:
        with in_schema("audit"):
            drop_column_contract("leftovers", "note")

    database.migrate(drop)
    with pytest.raises(ReleaseError, match="does not exist"):
        database.migrate(take_column)
    assert database.schema() == before
    assert database.scalar("SELECT count(*) FROM leftovers") == 1


def test_behind_a_block_that_failed_the_search_path_is_as_before(database: Database) -> None:
    paths = []

    def upgrade() -> None:
        with pytest.raises(ProgrammingError), in_schema("pg_catalog"):
            set_default_online("nothing", "of_this_name", "1")
        paths.append(op.get_bind().scalar(text("SHOW search_path")))

    before = database.scalar("SHOW search_path")
    database.migrate(upgrade)
    assert paths == [before]


def test_the_name_of_a_schema_may_be_any(database: Database) -> None:
    name = "it's Odd, $user"
    quoted = f'"{name}"'
    database.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.things (size int)")

    def upgrade() -> None:
        with in_schema(name):
            set_default_online("things", "size", "3")

    database.migrate(upgrade)
    assert database.scalar(f"INSERT INTO {quoted}.things DEFAULT VALUES RETURNING size") == 3


def test_in_sql_mode_the_schema_is_printed() -> None:
    def upgrade() -> None:
        with in_schema("audit"):
            set_default_online("users", "kind", "1")

    lines = printed(upgrade).splitlines()
    [entered] = [line for line in lines if line.startswith("SELECT set_config('search_path', 'audit, '")]
    [altered] = [line for line in lines if line.startswith("ALTER TABLE users")]
    assert lines.index(entered) < lines.index(altered) < lines.index("RESET search_path;")


def test_a_foreign_key_is_made_in_the_schema_of_one_of_its_ends_unless_they_are_two() -> None:
    def key(source: str | None, referent: str | None) -> CreateForeignKeyOp:
        schemas = {"source_schema": source, "referent_schema": referent}
        return CreateForeignKeyOp("fk", "events", "users", ["user_id"], ["id"], **schemas)

    for ends in ((None, None), ("audit", None), (None, "audit"), ("audit", "audit")):
        assert schema_of(key(*ends)) == (ends[0] or ends[1])
    with pytest.raises(UnsafeOperation, match="audit and stats"):
        schema_of(key("stats", "audit"))


# As pg_partman makes them: no revision does.
MADE_BY_SQL = {
    "a partition of a partition": (
        "CREATE TABLE logged (at date NOT NULL, what text) PARTITION BY RANGE (at);"
        "CREATE TABLE year PARTITION OF logged FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
        " PARTITION BY HASH (what);"
        "CREATE TABLE part PARTITION OF year FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    ),
    "a child with a column of its own": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE part (more int) INHERITS (logged)"
    ),
    "a child of two tables": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE dated (at date NOT NULL);"
        "CREATE TABLE part () INHERITS (dated, logged)"
    ),
}
CHILDREN = [pytest.param(made, marks=pytest.mark.minutes) for made in [*MADE_BY_SQL][1:]]
ROWS = "INSERT INTO part (at, what) SELECT '2025-05-05', 'visit' FROM generate_series(1, 2500)"


def logged(metadata: MetaData) -> None:
    """Map a table without saying anything of its parts."""
    at, what = sa.Column("at", sa.Date, nullable=False), sa.Column("what", sa.Text)
    Table("logged", metadata, at, what, info={"parts": "SQL"})
    Table("dated", metadata, sa.Column("at", sa.Date, nullable=False))


def with_parts(project: ModelProject, made: str = "a partition of a partition") -> ModelProject:
    """Make the tables by SQL, as a job of the database's own does, and let a release of their models serve."""
    project.database.execute(MADE_BY_SQL[made])
    project.database.execute(f"CREATE TABLE IF NOT EXISTS dated (at date NOT NULL); {ROWS}")
    project.change(logged)
    project.goes_live()
    return project


def rows(project: ModelProject) -> int:
    return int(project.database.scalar("SELECT count(*) FROM logged"))


@pytest.mark.parametrize("made", ["a partition of a partition", *CHILDREN])
def test_following_every_advice_keeps_every_row(project: ModelProject, made: str) -> None:
    with_parts(project, made)
    for _ in range(2):
        project.check()
        assert project.migrate() is None
        project.upgrade()
    assert [one for one in project.diagnosed() if "part" in one.what or "year" in one.what] == []
    assert rows(project) == 2500


def test_a_part_is_kept_that_an_older_version_retired_or_whose_release_noted_nothing(project: ModelProject) -> None:
    """The models of this code say that it is in use."""
    partitioned = with_parts(project)
    partitioned.database.execute("COMMENT ON TABLE part IS 'retired: dropped by the next contract step'")
    assert partitioned.migrate() is None
    partitioned.database.execute("TRUNCATE schema_releases")
    for taken in ("drop_table_contract", "retire_table_online"):
        partitioned.write(f'{taken}("part")', phase="contract")
        with pytest.raises(UnsafeOperation, match="which is in use"):
            partitioned.upgrade()
        partitioned.files()[-1].unlink()
        partitioned.number -= 1
    assert rows(partitioned) == 2500


def test_a_part_of_what_no_model_has_goes_with_the_whole(project: ModelProject) -> None:
    project.database.execute(MADE_BY_SQL["a partition of a partition"])
    assert "retire_table_online('logged')" in migrated(project)
    project.upgrade()
    assert "drop_table_contract('logged')" in migrated(project)
    project.upgrade()
    assert project.database.scalar("SELECT to_regclass('part') IS NULL")


def migrated(project: ModelProject) -> str:
    file: Path | None = project.migrate()
    assert file is not None
    text = file.read_text().replace('"', "'")
    assert "'part'" not in text
    return text


def seen(models: MetaData, **marks: Any) -> None:
    Table("big_things", models, sa.Column("id", sa.BigInteger, primary_key=True), **marks)


def test_views_and_tables_of_others_are_left_alone(project: ModelProject) -> None:
    project.database.execute("CREATE MATERIALIZED VIEW big_things AS SELECT id FROM things; CREATE TABLE others ()")
    project.change(seen)
    with pytest.raises(UnsafeOperation, match="big_things is a view in the database"):
        project.migrate()
    project.change(partial(seen, info={"is_view": True}))
    assert "'others'" in migrated(project)
    project.files()[-1].unlink()
    hooks = project.app.extensions["migrate"].configure_args
    hooks["include_object"] = lambda item, name, *_: name != "others"
    for _ in range(2):
        project.check()
        assert project.migrate() is None
        project.upgrade()
        project.goes_live()
    with project.database.engine.connect() as connection:
        release = live.live_release(connection)
        assert release is not None
        assert [*forecast(connection, release)] == []
    if project.database.is_superuser:
        del hooks["include_object"]
        project.database.execute("ALTER EXTENSION plpgsql ADD TABLE others")
        project.check()
