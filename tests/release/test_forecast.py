"""Forecast a rollback, and compare each forecast with what the old release's statements do on the new schema."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from alembic import op

from app.extensions import Base
from app.release import operations as steps
from app.release.forecast import forecast
from app.release.live import LiveRelease, live_release, prepare, record_live
from tests.release import old_release
from tests.release.migrating import Database

Steps = Callable[[], object]


def sql(statements: str) -> Steps:
    return lambda: op.execute(statements)


def both(*parts: Steps) -> Steps:
    def run() -> None:
        for part in parts:
            part()

    return run


def computed() -> None:
    steps.add_computed_column_online("notes", sa.Column("size", sa.Integer(), nullable=False), "length(title)")


def synced() -> None:
    pin = sa.Column("pin", sa.Text(), nullable=False)
    steps.add_synced_column_online("notes", "pinned", pin, "CASE WHEN pinned THEN 'y' ELSE 'n' END", "pin = 'y'")


FILLED = (
    "ALTER TABLE notes ADD size int; UPDATE notes SET size = 1; ALTER TABLE notes ALTER size SET NOT NULL;"
    " CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NEW; END $$;"
    " CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION fill()"
)

# The old release runs on the result. Contract steps too: what they take, it does not use.
CAN_RUN: dict[str, Steps] = {
    "nothing": lambda: None,
    "a column that may be empty": lambda: steps.add_column_online("notes", sa.Column("colour", sa.String(9))),
    "a new column that is unique": both(
        lambda: steps.add_column_online("notes", sa.Column("slug", sa.String(20))),
        lambda: steps.add_unique_online("notes", "uq_slug", ["slug"]),
    ),
    "a new unique key of the new code": sql(
        "ALTER TABLE notes ADD token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE"
    ),
    "a required column that a trigger fills": sql(FILLED.format("NEW.size := length(NEW.title)")),
    "a rule for a new column": both(
        lambda: steps.add_column_online("notes", sa.Column("size", sa.Integer(), server_default="0", nullable=False)),
        lambda: steps.add_check_online("notes", "ck_size", "size >= 0"),
    ),
    "a rule for an old and a new column": both(
        lambda: steps.add_column_online("notes", sa.Column("most", sa.BigInteger())),
        lambda: steps.add_check_online("notes", "ck_most", "views < most"),
    ),
    "a table behind a view of its old name": lambda: steps.rename_with_view("notes", "pages"),
    "a renamed table and a renamed rule": both(
        lambda: steps.rename_with_view("people", "members"),
        sql("ALTER TABLE members RENAME CONSTRAINT role TO member_role"),
    ),
    "a text without a limit, in a rule": lambda: steps.widen_text_online("notes", "title", "TEXT"),
    "a larger whole number": sql("ALTER TABLE people ALTER age TYPE bigint"),
    "a unique index that an old one implies": sql("CREATE UNIQUE INDEX ON notes (id, person_id)"),
    "a table": sql("CREATE TABLE pictures (note_id bigint REFERENCES notes (id) ON DELETE CASCADE)"),
    "a rule less": lambda: steps.drop_constraint_online("notes", "title"),
    "a column less that it does not use": lambda: steps.drop_column_contract("notes", "legacy"),
    "a table less that it does not use": lambda: steps.drop_table_contract("leftovers"),
    "a retired column with a default": lambda: steps.retire_column_online("notes", "pinned"),
    "a type that changed by a dual write": lambda: steps.change_type_online("people", "age", "BIGINT"),
    "a type that changed, and no shadow any more": both(
        lambda: steps.change_type_online("people", "age", "BIGINT"),
        lambda: steps.drop_shadow_contract("people", "age"),
    ),
    "a text in a rule, by a dual write": lambda: steps.change_type_online("people", "role", "TEXT"),
    "a required computed column": computed,
    "a column that takes the place of an old one": synced,
    "a CHECK with more texts": lambda: steps.add_check_online(
        "people", "role", "role IN ('reader', 'editor', 'owner')", replace=True
    ),
    "NOT NULL where it never writes NULL": both(
        sql("ALTER TABLE notes ALTER title DROP NOT NULL"), lambda: steps.set_not_null_online("notes", "title")
    ),
}

CANNOT_RUN: dict[str, Steps] = {
    "a column less": lambda: steps.drop_column_contract("notes", "body"),
    "a table less": lambda: steps.drop_table_contract("notes"),
    "the view of the old name less": both(
        lambda: steps.rename_with_view("notes", "pages"), lambda: steps.drop_compat_view("notes")
    ),
    "a view of the old name that takes no changes": sql(
        "ALTER TABLE notes RENAME TO pages; CREATE VIEW notes AS SELECT * FROM pages LIMIT 9"
    ),
    "a column that a view of the old name does not show": sql(
        "ALTER TABLE notes RENAME TO pages; ALTER TABLE pages ADD size int NOT NULL DEFAULT 1;"
        " ALTER TABLE pages ALTER size DROP DEFAULT; CREATE VIEW notes AS"
        " SELECT id, person_id, title, body, pinned, views, price, details, tags FROM pages"
    ),
    "a required column without a default": sql(
        "ALTER TABLE notes ADD colour text NOT NULL DEFAULT ''; ALTER TABLE notes ALTER colour DROP DEFAULT"
    ),
    "a required column beside a trigger for another": sql(FILLED.format("NEW.body := NEW.title")),
    "a required column that no trigger computes any more": both(
        computed, lambda: steps.stop_dual_write_contract("notes", "size")
    ),
    "a column whose place was taken": both(
        synced,
        lambda: steps.stop_dual_write_contract("notes", "pin"),
        lambda: steps.drop_column_contract("notes", "pinned"),
    ),
    "a CHECK with fewer texts": lambda: steps.add_check_online("people", "role", "role IN ('reader')", replace=True),
    "NOT NULL where it writes NULL": both(
        sql("UPDATE notes SET body = ''"), lambda: steps.set_not_null_online("notes", "body")
    ),
    "NULL where it expects none": lambda: steps.drop_not_null_online("notes", "title"),
    "a default less": lambda: steps.set_default_online("notes", "pinned", None),
    "a shorter text": sql("ALTER TABLE people ALTER name TYPE varchar(20)"),
    "another type": sql(
        "ALTER TABLE notes ALTER pinned DROP DEFAULT, ALTER pinned TYPE text, ALTER pinned SET DEFAULT ''"
    ),
    "a column that the database computes": sql(
        "ALTER TABLE notes DROP body, ADD body text GENERATED ALWAYS AS (title) STORED"
    ),
    "a rule for an old column": lambda: steps.add_check_online("notes", "ck_body", "length(body) < 100"),
    "another rule of the same name": both(
        lambda: steps.drop_constraint_online("notes", "title"),
        lambda: steps.add_check_online("notes", "title", "length(title) < 20"),
    ),
    "a rule for an old and a new column that minds NULL": both(
        lambda: steps.add_column_online("notes", sa.Column("most", sa.BigInteger())),
        lambda: steps.add_check_online("notes", "ck_most", "views < 9 OR most IS NOT NULL"),
    ),
    "no two alike": lambda: steps.add_unique_online("notes", "uq_title", ["person_id", "title"]),
    "no two alike among some": sql("CREATE UNIQUE INDEX ON notes (title) WHERE pinned"),
    "a new column that is unique, with a constant default": both(
        lambda: steps.add_column_online("people", sa.Column("slug", sa.String(20))),
        sql("UPDATE people SET slug = id::text"),
        lambda: steps.set_default_online("people", "slug", "''"),
        lambda: steps.add_unique_online("people", "uq_slug", ["slug"]),
    ),
    "a foreign key on an old column": both(
        sql("UPDATE notes SET views = person_id"),
        lambda: steps.add_foreign_key_online("fk_views", "notes", "people", ["views"], ["id"]),
    ),
}

PAIRS = [
    *((name, change, True) for name, change in CAN_RUN.items()),
    *((name, change, False) for name, change in CANNOT_RUN.items()),
]


@pytest.fixture
def release(database: Database) -> LiveRelease:
    """Return the old release, which has been live."""
    with database.engine.begin() as connection:
        old_release.create(connection)
    with database.engine.connect() as connection:
        prepare(connection)
        record_live(connection, old_release.MODELS, "0001")
        found = live_release(connection)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        pytest.param(*pair, id=name, marks=pytest.mark.minutes if number % 4 else ())
        for number, (name, *pair) in enumerate(PAIRS)
    ],
)
def test_it_says_of_each_change_what_comes_true(
    database: Database, release: LiveRelease, change: Steps, runs: bool
) -> None:
    database.migrate(change)
    with database.engine.connect() as connection:
        foreseen = forecast(connection, release)
    problem = old_release.still_works(database.engine)
    assert (problem is None) == runs, problem
    assert (foreseen == []) == runs, (foreseen, problem)


def test_a_reason_names_the_column_and_what_became_of_it(database: Database, release: LiveRelease) -> None:
    database.migrate(both(CANNOT_RUN["a column less"], CANNOT_RUN["a default less"], CANNOT_RUN["no two alike"]))
    with database.engine.connect() as connection:
        assert forecast(connection, release) == [
            "there is no column notes.body",
            "notes.pinned has no default any more, on which the code relies",
            "notes has a rule that the code does not know: UNIQUE (person_id, title)",
        ]


def test_the_code_of_today_can_run_on_the_schema_of_today(in_use: Database) -> None:
    """The models and the catalog name each type alike."""
    with in_use.engine.connect() as connection:
        record_live(connection, Base.metadata, "head")
        release = live_release(connection)
        assert release is not None
        assert len(release.mapping) == len(Base.metadata.tables)
        assert forecast(connection, release) == []


def test_tables_of_other_schemas_and_quoted_names_are_found(database: Database) -> None:
    models = sa.MetaData()
    sa.Table("Odd name", models, sa.Column("Odd column", sa.Integer), schema="audit")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE SCHEMA audit")
        models.create_all(connection)
        connection.commit()
        prepare(connection)
        record_live(connection, models, "0001")
        release = live_release(connection)
        assert release is not None
        assert forecast(connection, release) == []
        connection.exec_driver_sql('ALTER TABLE audit."Odd name" DROP "Odd column"')
        assert forecast(connection, release) == ["there is no column audit.Odd name.Odd column"]
