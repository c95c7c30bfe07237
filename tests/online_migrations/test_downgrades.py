"""Refuse a downgrade that loses what nobody has named, or does more to the live release than a contract may."""

import flask_migrate
import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData

from online_migrations.errors import ReleaseError, UnsafeOperation
from tests.online_migrations import shop
from tests.online_migrations.changes import ModelChange, nothing
from tests.online_migrations.model_project import ModelProject

# test_model_changes.py goes back from each change, on each server.
pytestmark = pytest.mark.newest_server

ADD = 'op.execute("ALTER TABLE things ADD colour text")'
DROP_COLUMN = 'op.execute("ALTER TABLE things DROP colour")'
MAKE = 'op.execute("CREATE TABLE words (id bigint PRIMARY KEY)")'
DROP_TABLE = 'drop_table_contract("words")'


def colour(models: MetaData) -> None:
    models.tables["things"].append_column(sa.Column("colour", sa.Text))


def words(models: MetaData) -> None:
    sa.Table("words", models, sa.Column("id", sa.BigInteger, primary_key=True))


def downgrade(project: ModelProject, *lose: str, to: str = "0001") -> None:
    flask_migrate.downgrade(str(project.folder), to, x_arg=[f"lose={name}" for name in lose])


def released(project: ModelProject, up: str, down: str, models: ModelChange, rows: str = "SELECT 1") -> None:
    """Release the revision, and write rows as its release does."""
    project.write(up, down)
    project.change(models)
    project.upgrade()
    project.goes_live()
    project.database.execute(rows)


def rolled_back(project: ModelProject) -> None:
    """Roll the code back, and leave the schema."""
    project.change(nothing)
    project.goes_live()


WRITE_COLOUR = "UPDATE things SET colour = 'red' WHERE id < 3"
WRITE_WORDS = "INSERT INTO words VALUES (1)"
COLOURS = "SELECT count(colour) FROM things"


def test_values_stay_until_their_column_is_named_and_an_empty_one_until_nobody_maps_it(project: ModelProject) -> None:
    """As an operation says; the other tests have SQL, which the guard sees."""
    released(project, ADD, 'drop_column_contract("things", "colour")', colour, WRITE_COLOUR)
    with pytest.raises(UnsafeOperation) as refused:
        downgrade(project)
    assert "things.colour, with values in 2 rows, which the live release still uses" in refused.value.message
    assert "run the same command with -x lose=things.colour" in refused.value.message
    rolled_back(project)
    with pytest.raises(UnsafeOperation, match=r"would throw away things\.colour, with values in 2 rows\. Nothing"):
        downgrade(project)
    for another in ("colour", "things", "things.note", "Things.colour", "other.things.colour", "*", ""):
        with pytest.raises(UnsafeOperation):
            downgrade(project, another)
    assert project.database.scalar(COLOURS) == 2
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0002"
    downgrade(project, "public.things.colour")
    assert "colour" not in columns(project)
    project.change(colour)
    project.upgrade()
    project.goes_live()
    with pytest.raises(UnsafeOperation, match="which the live release still uses"):
        downgrade(project)
    rolled_back(project)
    downgrade(project)  # without a word, since it holds nothing and nobody maps it
    assert "colour" not in columns(project)


@pytest.mark.smoke
def test_all_that_one_revision_takes_is_named_at_once(project: ModelProject) -> None:
    drop_table = 'op.execute("DROP TABLE words")'
    released(project, f"{ADD}\n{MAKE}", f"{DROP_COLUMN}\n{drop_table}", colour, WRITE_COLOUR)
    rolled_back(project)
    project.database.execute(WRITE_WORDS)
    with pytest.raises(UnsafeOperation, match=r"-x lose=(words -x lose=things.colour|things.colour -x lose=words)"):
        downgrade(project)
    with pytest.raises(UnsafeOperation, match="throw away words, with 1 row"):
        downgrade(project, "things.colour")
    assert project.database.scalar(COLOURS) == 2
    assert project.database.scalar("SELECT count(*) FROM words") == 1
    downgrade(project, "words", "things.colour")


def test_an_excuse_in_the_file_is_enough(project: ModelProject) -> None:
    excused = f'with excused("The colours are drawn anew each night."):\n        {DROP_COLUMN}'
    released(project, ADD, excused, colour, WRITE_COLOUR)
    downgrade(project)
    assert "colour" not in columns(project)


def test_each_revision_of_several_is_judged(project: ModelProject) -> None:
    released(project, MAKE, DROP_TABLE, words, WRITE_WORDS)
    with pytest.raises(UnsafeOperation, match="words, with 1 row, which the live release still uses"):
        downgrade(project)
    released(project, ADD, DROP_COLUMN, colour)
    rolled_back(project)
    with pytest.raises(UnsafeOperation, match="words, with 1 row"):
        downgrade(project)
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0002"


def test_values_stay_in_a_table_that_an_earlier_step_of_the_run_has_renamed(project: ModelProject) -> None:
    released(project, ADD, DROP_COLUMN, colour, WRITE_COLOUR)
    project.write('op.rename_table("things", "stuff")', 'op.rename_table("stuff", "things")', "contract")
    project.database.execute("UPDATE schema_releases SET mapping = mapping - 'things'")
    project.change(lambda models: models.remove(models.tables["things"]))
    project.upgrade()
    with pytest.raises(UnsafeOperation, match=r"throw away things\.colour, with values in 2 rows"):
        downgrade(project)
    assert project.database.scalar("SELECT version_num FROM alembic_version") == "0002"
    assert project.database.scalar(COLOURS) == 2


def test_a_column_that_a_trigger_keeps_or_the_database_computes_is_a_copy_of_others(project: ModelProject) -> None:
    """Its values go with it, and remain where they came from."""
    add = 'add_computed_column_online("things", sa.Column("letters", sa.Integer()), "length(name)")'
    released(project, add, 'drop_dual_write_contract("things", "letters")', nothing)
    assert project.database.scalar("SELECT count(letters) FROM things") == 3
    downgrade(project)
    project.database.execute("ALTER TABLE things ADD twice bigint GENERATED ALWAYS AS (size * 2) STORED")
    released(project, "pass", 'op.execute("ALTER TABLE things DROP twice")', nothing)
    downgrade(project)
    assert not {"letters", "twice"} & columns(project)


def test_each_kind_of_value_is_seen(project: ModelProject) -> None:
    """Among them: a composite value with a NULL, an empty text, an untouched default."""
    project.database.execute("CREATE TYPE place AS (x text, y text)")
    add = "ALTER TABLE things ADD composite place, ADD empty text, ADD untouched text DEFAULT 'red'"
    drop = "ALTER TABLE things DROP composite, DROP empty, DROP untouched"
    rows = "UPDATE things SET composite = ROW('here', NULL), empty = '' WHERE id < 3"
    released(project, f'op.execute("{add}")', f'op.execute("{drop}")', nothing, rows)
    with pytest.raises(UnsafeOperation) as refused:
        downgrade(project)
    for column in ("composite", "empty", "untouched"):
        assert f"things.{column}, with values in" in refused.value.message
    assert {"composite", "empty", "untouched"} <= columns(project)


def test_rows_that_a_policy_hides_may_have_values(project: ModelProject) -> None:
    if project.database.is_superuser:
        pytest.skip("a superuser may do everything")
    released(project, ADD, DROP_COLUMN, colour)
    project.database.execute("ALTER TABLE things ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with pytest.raises(UnsafeOperation, match=r"things\.colour, of which we may not see all"):
        downgrade(project)
    assert "colour" in columns(project)


def test_a_column_that_gives_its_values_back_is_no_copy(project: ModelProject) -> None:
    """Values that do not fit the other column stand in this one alone."""
    given = 'sa.Column("longer", sa.Text()), forward="code", back="left(longer, 10)"'
    add = f'add_synced_column_online("things", "code", {given})'
    released(project, add, 'drop_dual_write_contract("things", "longer")', nothing)
    project.database.execute("UPDATE things SET longer = repeat('x', 101) WHERE id = 1")
    with pytest.raises(UnsafeOperation, match=r"throw away things\.longer"):
        downgrade(project)


def test_a_column_of_a_whole_is_named_once_for_all_of_its_parts_and_quoted_for_a_shell(project: ModelProject) -> None:
    project.database.execute('CREATE TABLE "Log book" (at date) PARTITION BY RANGE (at)')
    project.database.execute('CREATE TABLE part PARTITION OF "Log book" DEFAULT')
    add, drop = """op.execute('ALTER TABLE "Log book" ADD "새 칸" text')""", 'drop_column_contract("Log book", "새 칸")'
    released(project, add, drop, nothing, """INSERT INTO "Log book" VALUES ('2025-05-05', 'visit')""")
    with pytest.raises(UnsafeOperation, match=r"Log book\.새 칸, with values in 1 row\. .* -x 'lose=Log book\.새 칸'$"):
        downgrade(project)
    downgrade(project, "Log book.새 칸")


def test_rows_stay_in_a_part_of_a_table(project: ModelProject) -> None:
    make = 'with excused("It is empty."):\n        op.execute("CREATE TABLE old_things () INHERITS (things)")'
    rows = "INSERT INTO old_things (id, owner_id, name, made_at) VALUES (9, 1, 'x', now())"
    released(project, make, 'op.execute("DROP TABLE old_things")', nothing, rows)
    with pytest.raises(UnsafeOperation, match="old_things, with 1 row, which the live release still uses"):
        downgrade(project)


def test_it_is_judged_as_a_contract(project: ModelProject) -> None:
    """Refuse two dangers of a contract on the way back, too. The corpus has them all."""
    project.database.execute("UPDATE things SET code = 'none' WHERE code IS NULL")
    released(project, "pass", 'op.execute("ALTER TABLE things ALTER size TYPE bigint")', nothing)
    released(project, "pass", 'set_not_null_online("things", "code")', nothing)
    with pytest.raises(UnsafeOperation, match=r"may write NULL into things\.code"):
        downgrade(project)
    flask_migrate.stamp(str(project.folder), "0002")
    with pytest.raises(UnsafeOperation, match=r"All of things .* would be rewritten"):
        downgrade(project)


def test_a_database_that_nobody_serves_is_not_judged(project: ModelProject) -> None:
    """This tool made it from the first revision on, and no release has noted that it serves."""
    project.database.execute("TRUNCATE schema_releases")
    project.database.execute("UPDATE schema_ledger SET content_hash = 'x' WHERE content_hash IS NULL")
    project.write(ADD, DROP_COLUMN)
    project.change(colour)
    project.upgrade()
    downgrade(project)
    assert "colour" not in columns(project)


def test_an_upgrade_takes_no_such_option(project: ModelProject) -> None:
    project.write(ADD)
    with pytest.raises(ReleaseError, match="-x lose= is for flask db downgrade alone"):
        flask_migrate.upgrade(str(project.folder), x_arg=["lose=things.note"])
    assert columns(project) == set(shop.models().tables["things"].columns.keys())


def columns(project: ModelProject) -> set[str]:
    of_things = "SELECT array_agg(column_name::text) FROM information_schema.columns WHERE table_name = 'things'"
    return set(project.database.scalar(of_things))
