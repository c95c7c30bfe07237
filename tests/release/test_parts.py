"""Partitions and children of INHERITS: rows of a mapped table, whoever made them, and in no model of their own."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData, Table

from app.release import doctor
from app.release.errors import UnsafeOperation
from tests.release.model_project import ModelProject
from tests.release.sampling import named

# As a job of the database's own makes them, such as pg_partman's: no revision does.
MADE_BY_SQL = {
    "a partition": (
        "CREATE TABLE logged (at date NOT NULL, what text) PARTITION BY RANGE (at);"
        "CREATE TABLE part PARTITION OF logged FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
    ),
    "a partition of a partition": (
        "CREATE TABLE logged (at date NOT NULL, what text) PARTITION BY RANGE (at);"
        "CREATE TABLE year PARTITION OF logged FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
        " PARTITION BY HASH (what);"
        "CREATE TABLE part PARTITION OF year FOR VALUES WITH (MODULUS 1, REMAINDER 0)"
    ),
    "the default partition": (
        "CREATE TABLE logged (at date NOT NULL, what text) PARTITION BY LIST (what);"
        "CREATE TABLE part PARTITION OF logged DEFAULT"
    ),
    "a child": "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE part () INHERITS (logged)",
    "a child with a column of its own": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE part (more int) INHERITS (logged)"
    ),
    "a child of two tables": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE dated (at date NOT NULL);"
        "CREATE TABLE part () INHERITS (dated, logged)"
    ),
    "a table that was attached": (
        "CREATE TABLE logged (at date NOT NULL, what text) PARTITION BY RANGE (at);"
        "CREATE TABLE part (at date NOT NULL, what text);"
        "ALTER TABLE logged ATTACH PARTITION part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
    ),
}
ROWS = "INSERT INTO part (at, what) SELECT '2025-05-05', 'visit' FROM generate_series(1, 2500)"
DROPS = {
    "the operation": 'drop_table_contract("part")',
    "SQL": 'op.execute("DROP TABLE part")',
}


def logged(metadata: MetaData) -> None:
    """A table whose model says nothing of its parts."""
    Table(
        "logged", metadata, sa.Column("at", sa.Date, nullable=False), sa.Column("what", sa.Text), info={"parts": "SQL"}
    )
    Table("dated", metadata, sa.Column("at", sa.Date, nullable=False))


@pytest.fixture(params=named(4, MADE_BY_SQL))
def parted(request: pytest.FixtureRequest, project: ModelProject) -> ModelProject:
    project.database.execute(request.param)
    project.database.execute("CREATE TABLE IF NOT EXISTS dated (at date NOT NULL)")
    project.database.execute(ROWS)
    project.change(logged)
    project.goes_live()
    return project


def rows(project: ModelProject) -> int:
    return int(project.database.scalar("SELECT count(*) FROM logged"))


def test_following_every_advice_keeps_every_row(parted: ModelProject) -> None:
    for _ in range(3):
        parted.check()
        assert parted.migrate() is None
        parted.upgrade()
    with parted.database.migrating.connect() as connection:
        found = doctor.diagnose(connection, parted.metadata)
    assert [one for one in found if "part" in one.what or "year" in one.what] == []
    assert rows(parted) == 2500


def test_a_part_that_was_marked_as_retired_is_not_dropped_and_the_doctor_takes_the_mark_away(
    parted: ModelProject,
) -> None:
    """By following the advice of an older version of this tool."""
    parted.database.execute("COMMENT ON TABLE part IS 'retired: dropped by the next contract step'")
    assert parted.migrate() is None
    assert rows(parted) == 2500


@pytest.mark.parametrize("drop", named(2, DROPS))
def test_a_part_of_a_table_in_use_is_not_dropped_by_a_contract(parted: ModelProject, drop: str) -> None:
    parted.write(drop, phase="contract")
    with pytest.raises(UnsafeOperation, match="part"):
        parted.upgrade()
    assert rows(parted) == 2500


def test_a_part_of_a_table_in_use_is_not_retired(parted: ModelProject) -> None:
    parted.write('retire_table_online("part")')
    with pytest.raises(UnsafeOperation, match=r"part shares its rows with (logged|dated), which is in use"):
        parted.upgrade()
    assert parted.database.scalar("SELECT obj_description('part'::regclass)") is None


@pytest.mark.parametrize("taken", ["drop_table_contract", "retire_table_online"])
def test_nor_where_no_release_has_noted_that_it_serves(parted: ModelProject, taken: str) -> None:
    """The models of this code say it, too."""
    parted.database.execute("TRUNCATE schema_releases")
    parted.write(f'{taken}("part")', phase="contract")
    with pytest.raises(UnsafeOperation, match="which is in use"):
        parted.upgrade()
    assert rows(parted) == 2500


@pytest.mark.parametrize("made", [MADE_BY_SQL["a partition"], MADE_BY_SQL["a child"]], ids=["partition", "child"])
def test_rows_do_not_leave_a_table_in_use_with_a_part_that_is_detached(project: ModelProject, made: str) -> None:
    project.database.execute(made)
    project.database.execute("CREATE TABLE dated (at date NOT NULL)")
    project.database.execute(ROWS)
    project.change(logged)
    project.goes_live()
    detach = "ALTER TABLE part NO INHERIT logged" if "INHERITS" in made else "ALTER TABLE logged DETACH PARTITION part"
    project.write(f"op.execute({detach!r})", phase="contract")
    with pytest.raises(UnsafeOperation, match="Queries of logged would show other rows"):
        project.upgrade()
    assert rows(project) == 2500


PART_IN_USE = "CREATE TABLE whole (at date NOT NULL, what text); CREATE TABLE logged () INHERITS (whole)"


@pytest.mark.parametrize(
    "taken",
    [
        'retire_table_online("whole")',
        'drop_table_contract("whole")',
        'drop_column_contract("whole", "what")',
        'set_not_null_online("whole", "what")',
    ],
)
def test_what_a_whole_loses_its_part_in_use_would_lose_too(project: ModelProject, taken: str) -> None:
    project.database.execute(PART_IN_USE)
    project.database.execute("CREATE TABLE dated (at date NOT NULL)")
    project.database.execute("INSERT INTO logged SELECT '2025-05-05', 'visit' FROM generate_series(1, 2500)")
    project.change(logged)
    project.goes_live()
    project.write(taken, phase="contract")
    with pytest.raises(UnsafeOperation, match="logged"):
        project.upgrade()
    assert project.database.scalar("SELECT count(what) FROM logged") == 2500


def test_an_excuse_lets_it_go(parted: ModelProject) -> None:
    parted.write(
        'with excused("The rows of 2025 were archived in March."):\n        drop_table_contract("part")',
        phase="contract",
    )
    parted.upgrade()
    assert rows(parted) == 0


def test_a_part_of_what_no_model_has_goes_with_the_whole(project: ModelProject) -> None:
    project.database.execute(MADE_BY_SQL["a partition"])
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
