"""A contract takes what the live release does not map, and refuses nothing that this release may write."""

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData, text

from app.release import live
from app.release.errors import UnsafeOperation
from tests.release import shop
from tests.release.fingerprint import schema_fingerprint
from tests.release.model_project import ModelProject

# One spelling or two of each effect; the corpus has the others. The models of the live release let `code` be NULL.
FILL = "UPDATE things SET code = 'none' WHERE code IS NULL"
NOT_NULL = [
    'set_not_null_online("things", "code")',
    "op.execute(\"ALTER TABLE things ADD CONSTRAINT c CHECK (coalesce(code, '?') <> '?') NOT VALID\")",
    'op.execute("ALTER TABLE things ADD flag text; ALTER TABLE things ADD CHECK (flag IS NOT NULL) NOT VALID")',
]
DROPS_UNIQUE = 'drop_constraint_online("things", "uq_things_code")'
DROPS_UNIQUE_BY_SQL = 'op.execute("ALTER TABLE things DROP CONSTRAINT uq_things_code")'
UNIQUE = [
    DROPS_UNIQUE,
    DROPS_UNIQUE_BY_SQL,
    "with op.get_context().autocommit_block():\n        op.execute('DROP INDEX CONCURRENTLY ix_owners_name')",
    'op.execute("DROP INDEX ix_owners_lower")',  # of an expression
]
HIDDEN = [
    "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON things USING (owner_id = 1)",
]
DROPS_DEFAULT = 'set_default_online("things", "kind", None)'
DEFAULTS = [
    DROPS_DEFAULT,
    'set_default_online("things", "kind", "\'other\'")',  # which a CHECK refuses
]
REFUSES_BY_ITSELF = [
    "CREATE TRIGGER no BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION no()",
    "CREATE RULE no AS ON INSERT TO things DO INSTEAD NOTHING",
]


def with_unique_index(models: MetaData) -> None:
    models.tables["owners"].append_column(sa.Column("name", sa.Text))
    owners = models.tables["owners"].c
    sa.Index("ix_owners_name", owners.name, unique=True)
    sa.Index("ix_owners_lower", owners.id, sa.func.lower(owners.email), unique=True)


def refused(project: ModelProject, body: str, match: str) -> None:
    """Write a contract that is refused, after which the release of shop.models() writes: with nothing in what it may
    leave out, and by ON CONFLICT. Then take it away.
    """
    before = schema_fingerprint(project.database.engine)
    project.write(body, phase="contract")
    with pytest.raises(UnsafeOperation, match=match):
        project.upgrade()
    assert schema_fingerprint(project.database.engine) == before
    with project.database.engine.connect() as connection:
        insert = "INSERT INTO things (owner_id, name, made_at) VALUES (1, 'new', now())"
        connection.execute(text(f"{insert} ON CONFLICT (owner_id, name) DO NOTHING"))
        connection.rollback()
    project.files()[-1].unlink()
    project.number -= 1


def test_no_column_is_required_that_it_may_leave_null(project: ModelProject) -> None:
    project.database.execute(FILL)
    for body in NOT_NULL:
        refused(project, body, "may write NULL into things.(code|flag)")


def test_no_unique_goes_that_it_may_name_in_on_conflict(project: ModelProject) -> None:
    project.database.execute(
        "ALTER TABLE owners ADD name text; CREATE UNIQUE INDEX ix_owners_name ON owners (name);"
        "CREATE UNIQUE INDEX ix_owners_lower ON owners (id, lower(email))"
    )
    project.change(with_unique_index)
    project.goes_live()
    for body in UNIQUE:
        refused(project, body, "may name .* in ON CONFLICT")


def test_no_row_is_hidden_from_it(project: ModelProject) -> None:
    for sql in HIDDEN:
        refused(project, f"op.execute({sql!r})", "The release that is live still uses it")


def test_no_default_goes_to_which_it_leaves_a_column(project: ModelProject) -> None:
    for body in DEFAULTS:
        refused(project, body, "leave things.kind to its default")


def test_nothing_stands_in_its_way_that_nobody_can_judge(project: ModelProject) -> None:
    project.database.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    for sql in REFUSES_BY_ITSELF:
        refused(project, f"op.execute({sql!r})", "Nobody can tell")


@pytest.mark.parametrize(
    "sql",
    ["ALTER TABLE things ALTER id RESTART WITH 1", "SELECT setval(pg_get_serial_sequence('things', 'id'), 1, false)"],
)
def test_no_number_is_given_twice(project: ModelProject, sql: str) -> None:
    project.write(f"op.execute({sql!r})", phase="contract")
    with pytest.raises(UnsafeOperation, match=r"gives? numbers that rows have already"):
        project.upgrade()


WAY_IN = (
    "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN NEW.kind := coalesce(NEW.kind, 'note'); RETURN NEW; END $$;"
    "ALTER TABLE things ALTER kind DROP DEFAULT;"
    "CREATE TRIGGER fill BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION fill();"
    "ALTER TABLE things ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of_them ON things USING (true)"
)
WAYS_IN = [
    ("DROP TRIGGER fill ON things", "leave things.kind to its default"),
    ("ALTER TABLE things DISABLE TRIGGER fill", "leave things.kind to its default"),
    (
        "CREATE OR REPLACE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
        "Nobody can tell",
    ),
    ("DROP POLICY all_of_them ON things", "would hide its rows"),
]


def test_what_lets_its_rows_in_stays(project: ModelProject) -> None:
    project.database.execute(WAY_IN)
    for sql, match in WAYS_IN:
        refused(project, f"op.execute({sql!r})", match)


def test_an_index_goes_besides_which_another_is_as_unique(project: ModelProject) -> None:
    project.database.execute(
        "CREATE UNIQUE INDEX ix_again ON things (code); CREATE UNIQUE INDEX ix_part ON things (code) WHERE done"
    )
    project.write('drop_index_online("ix_again")\nop.execute("DROP INDEX ix_part")', phase="contract")
    project.upgrade()


def test_tables_are_found_where_the_live_release_finds_them(project: ModelProject) -> None:
    """They stand in the first schema of the search path, whatever its name."""
    project.database.execute(
        "ALTER SCHEMA public RENAME TO app; DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET search_path = app', current_database()); END $$"
    )
    project.database.engine.dispose()
    project.write('op.execute("ALTER TABLE things DROP note")', phase="contract")
    with pytest.raises(UnsafeOperation, match=r"things\.note would be gone\. The release that is live still uses it"):
        project.upgrade()
    assert project.database.scalar("SELECT count(note) FROM things") == 3


def what_the_next_release_maps(models: MetaData) -> None:
    """Always fill `code`, and do without its uniqueness and the default of `kind`."""
    things = models.tables["things"]
    things.c.code.nullable = False
    things.c.kind.server_default = None
    for rule in [one for one in things.constraints if isinstance(one, sa.UniqueConstraint) and "code" in one.columns]:
        things.constraints.discard(rule)


def test_what_the_live_release_does_without_goes(project: ModelProject) -> None:
    project.database.execute(FILL)
    project.change(what_the_next_release_maps)
    project.goes_live()
    project.write("\n".join([NOT_NULL[0], DROPS_UNIQUE_BY_SQL, DROPS_DEFAULT]), phase="contract")
    project.change(shop_without_rules)
    project.upgrade()


def shop_without_rules(models: MetaData) -> None:
    """Leave no models, to which no schema is compared."""
    for table in list(models.tables.values()):
        models.remove(table)


def test_an_excuse_says_why_the_live_release_does_not_write_it(project: ModelProject) -> None:
    project.database.execute(FILL)
    excused = 'with excused("Release 41 fills it, and names no conflict."):'
    project.write(f"{excused}\n        {NOT_NULL[0]}\n        {DROPS_UNIQUE}", phase="contract")
    project.change(shop_without_rules)
    project.upgrade()


def test_of_a_release_that_noted_no_unique_all_that_was_there_may_be_named(project: ModelProject) -> None:
    """An older version of this tool noted it."""
    project.database.execute("UPDATE schema_releases SET unique_columns = NULL")
    refused(project, DROPS_UNIQUE, "may name uq_things_code in ON CONFLICT")


def test_a_table_of_releases_of_an_older_version_is_read_and_grows(project: ModelProject) -> None:
    project.database.execute("ALTER TABLE schema_releases DROP COLUMN unique_columns")
    with project.database.migrating.connect() as connection:
        release = live.live_release(connection)
        assert release is not None
        assert {"name": "", "columns": ["code"]} in release.unique["things"]
        live.prepare(connection)
        connection.execute(text("SELECT unique_columns FROM schema_releases"))
    project.goes_live()
    with project.database.migrating.connect() as connection:
        noted = live.live_release(connection)
    assert noted is not None
    assert {"name": "uq_things_code", "columns": ["code"]} in noted.unique["things"]


def test_a_table_that_was_renamed_is_written_through_its_view(project: ModelProject) -> None:
    project.write('rename_with_view("things", "stuff")')
    project.change(shop_without_rules)
    project.upgrade()
    project.database.execute("UPDATE stuff SET code = 'none' WHERE code IS NULL")
    project.write('set_not_null_online("stuff", "code")', phase="contract")
    with pytest.raises(UnsafeOperation, match=r"may write NULL into stuff\.code"):
        project.upgrade()
    assert shop.models().tables["things"].c.code.nullable
