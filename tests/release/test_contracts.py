"""A contract takes what the live release does not map, and refuses nothing that this release may write."""

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData, text

from app.release import live
from app.release.errors import UnsafeOperation
from tests.release import shop
from tests.release.model_project import ModelProject
from tests.release.sampling import named

# `code` may be NULL, by the models of the release that is live.
FILL = "UPDATE things SET code = 'none' WHERE code IS NULL"
NOT_NULL = {
    "the operation": 'set_not_null_online("things", "code")',
    "a CHECK by the operation": 'add_check_online("things", "ck_things_code", "code IS NOT NULL")',
    "a CHECK that says more": 'add_check_online("things", "ck_things_code", "code IS NOT NULL AND code <> \'\'")',
    "a CHECK that is NOT VALID": (
        'op.execute("ALTER TABLE things ADD CONSTRAINT ck_things_code CHECK (code IS NOT NULL) NOT VALID")'
    ),
    "a CHECK in other words": (
        "op.execute(\"ALTER TABLE things ADD CONSTRAINT c CHECK (coalesce(code, '?') <> '?') NOT VALID\")"
    ),
    "a column that the release does not know": (
        'op.execute("ALTER TABLE things ADD flag text; ALTER TABLE things ADD CHECK (flag IS NOT NULL) NOT VALID")'
    ),
}
UNIQUE = {
    "the operation": 'drop_constraint_online("things", "uq_things_code")',
    "SQL": 'op.execute("ALTER TABLE things DROP CONSTRAINT uq_things_code")',
    "with others in its place": 'op.execute("ALTER TABLE things DROP CONSTRAINT uq_things_code,'
    " ADD CONSTRAINT ck_things_code CHECK (code <> '') NOT VALID\")",
    "a unique index": 'drop_index_online("ix_owners_name")',
    "a unique index, by SQL": 'op.execute("DROP INDEX ix_owners_name")',
    "a unique index, in an autocommit block": (
        "with op.get_context().autocommit_block():\n        op.execute('DROP INDEX CONCURRENTLY ix_owners_name')"
    ),
    "of an expression": 'op.execute("DROP INDEX ix_owners_lower")',
    "a primary key": 'op.execute("ALTER TABLE parts DROP CONSTRAINT pk_parts")',
}
HIDDEN = {
    "ENABLE": "ALTER TABLE things ENABLE ROW LEVEL SECURITY",
    "FORCE": "ALTER TABLE things FORCE ROW LEVEL SECURITY",
    "a policy": "CREATE POLICY mine ON things USING (owner_id = 1)",
}
DEFAULTS = {
    "dropped": 'set_default_online("things", "kind", None)',
    "dropped by SQL": 'op.execute("ALTER TABLE things ALTER kind DROP DEFAULT")',
    "one that a CHECK refuses": 'set_default_online("things", "kind", "\'other\'")',
    "one that a CHECK refuses, by SQL": "op.execute(\"ALTER TABLE things ALTER kind SET DEFAULT 'other'\")",
}
REFUSES_BY_ITSELF = {
    "a trigger": "CREATE TRIGGER no BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION no()",
    "a rule": "CREATE RULE no AS ON INSERT TO things DO INSTEAD NOTHING",
}
SEQUENCES = {
    "RESTART": "ALTER TABLE things ALTER id RESTART WITH 1",
    "setval": "SELECT setval(pg_get_serial_sequence('things', 'id'), 1, false)",
}


def with_unique_index(models: MetaData) -> None:
    models.tables["owners"].append_column(sa.Column("name", sa.Text))
    owners = models.tables["owners"].c
    sa.Index("ix_owners_name", owners.name, unique=True)
    sa.Index("ix_owners_lower", owners.id, sa.func.lower(owners.email), unique=True)


def insert(project: ModelProject) -> None:
    """What the release of shop.models() writes: with nothing in what it may leave out, and by ON CONFLICT."""
    project.database.execute(
        "INSERT INTO things (owner_id, name, made_at) VALUES (1, 'new', now()) ON CONFLICT (owner_id, name) DO NOTHING"
    )


def refused(project: ModelProject, body: str, match: str) -> None:
    before = project.database.scalar(DEFINITIONS)
    project.write(body, phase="contract")
    with pytest.raises(UnsafeOperation, match=match):
        project.upgrade()
    assert project.database.scalar(DEFINITIONS) == before
    insert(project)


DEFINITIONS = """
SELECT string_agg(said, E'\\n' ORDER BY said) FROM (
    SELECT conrelid::regclass || ' ' || conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid <> 0
    UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid
        WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT attrelid::regclass || attname || attnotnull || atthasdef FROM pg_attribute
        JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT relname || relrowsecurity || relforcerowsecurity FROM pg_class
) found (said)
"""


@pytest.mark.parametrize("body", named(3, NOT_NULL))
def test_no_column_is_required_that_it_may_leave_null(project: ModelProject, body: str) -> None:
    project.database.execute(FILL)
    refused(project, body, "may write NULL into things.(code|flag)")


@pytest.mark.parametrize("body", named(3, UNIQUE))
def test_no_unique_goes_that_it_may_name_in_on_conflict(project: ModelProject, body: str) -> None:
    project.database.execute(
        "ALTER TABLE owners ADD name text; CREATE UNIQUE INDEX ix_owners_name ON owners (name);"
        "CREATE UNIQUE INDEX ix_owners_lower ON owners (id, lower(email))"
    )
    project.change(with_unique_index)
    project.goes_live()
    refused(project, body, "may name .* in ON CONFLICT")


@pytest.mark.parametrize("sql", named(3, HIDDEN))
def test_no_row_is_hidden_from_it(project: ModelProject, sql: str) -> None:
    refused(project, f"op.execute({sql!r})", "The release that is live still uses it")


@pytest.mark.parametrize("body", named(3, DEFAULTS))
def test_no_default_goes_to_which_it_leaves_a_column(project: ModelProject, body: str) -> None:
    refused(project, body, "leave things.kind to its default")


@pytest.mark.parametrize("sql", named(2, REFUSES_BY_ITSELF))
def test_nothing_stands_in_its_way_that_nobody_can_judge(project: ModelProject, sql: str) -> None:
    project.database.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    refused(project, f"op.execute({sql!r})", "Nobody can tell")


@pytest.mark.parametrize("sql", named(2, SEQUENCES))
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
WAYS_IN = {
    "a trigger that fills a column": ("DROP TRIGGER fill ON things", "leave things.kind to its default"),
    "such a trigger, off": ("ALTER TABLE things DISABLE TRIGGER fill", "leave things.kind to its default"),
    "its function": (
        "CREATE OR REPLACE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
        "Nobody can tell",
    ),
    "a policy": ("DROP POLICY all_of_them ON things", "would hide its rows"),
}


@pytest.mark.parametrize(("sql", "match"), named(4, WAYS_IN))
def test_what_lets_its_rows_in_stays(project: ModelProject, sql: str, match: str) -> None:
    project.database.execute(WAY_IN)
    refused(project, f"op.execute({sql!r})", match)


@pytest.mark.parametrize("body", ['drop_index_online("ix_again")', 'op.execute("DROP INDEX ix_again")'])
@pytest.mark.parametrize(
    "index", ["UNIQUE INDEX ix_again ON things (code)", "UNIQUE INDEX ix_again ON things (code) WHERE done"]
)
def test_an_index_goes_besides_which_another_is_as_unique(project: ModelProject, body: str, index: str) -> None:
    project.database.execute(f"CREATE {index}")
    project.write(body, phase="contract")
    project.upgrade()


def test_tables_are_found_where_the_live_release_finds_them(project: ModelProject) -> None:
    """In the first schema of the search path, whatever its name."""
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
    """It always fills `code`, and does without its uniqueness and the default of `kind`."""
    things = models.tables["things"]
    things.c.code.nullable = False
    things.c.kind.server_default = None
    for rule in [one for one in things.constraints if isinstance(one, sa.UniqueConstraint) and "code" in one.columns]:
        things.constraints.discard(rule)


@pytest.mark.parametrize(
    "body", [NOT_NULL["the operation"], NOT_NULL["a CHECK by the operation"], UNIQUE["SQL"], DEFAULTS["dropped"]]
)
def test_what_the_live_release_does_without_goes(project: ModelProject, body: str) -> None:
    project.database.execute(FILL)
    project.change(what_the_next_release_maps)
    project.goes_live()
    project.write(body, phase="contract")
    project.change(shop_without_rules)
    project.upgrade()


def shop_without_rules(models: MetaData) -> None:
    """To whose models no schema is compared."""
    for table in list(models.tables.values()):
        models.remove(table)


@pytest.mark.parametrize("body", [NOT_NULL["the operation"], UNIQUE["the operation"]])
def test_an_excuse_says_why_the_live_release_does_not_write_it(project: ModelProject, body: str) -> None:
    project.database.execute(FILL)
    project.write(f'with excused("Release 41 fills it, and names no conflict."):\n        {body}', phase="contract")
    project.change(shop_without_rules)
    project.upgrade()


def test_of_a_release_that_noted_no_unique_all_that_was_there_may_be_named(project: ModelProject) -> None:
    """An older version of this tool noted it."""
    project.database.execute("UPDATE schema_releases SET unique_columns = NULL")
    refused(project, UNIQUE["the operation"], "may name uq_things_code in ON CONFLICT")


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
