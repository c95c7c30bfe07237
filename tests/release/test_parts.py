"""Partitions and children of INHERITS: rows of a mapped table, whoever made them, and in no model of their own."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import MetaData, Table

from app.release import doctor
from app.release.errors import UnsafeOperation
from tests.release.model_project import ModelProject

# As pg_partman makes them: no revision does.
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
    "a child with a column of its own": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE part (more int) INHERITS (logged)"
    ),
    "a child of two tables": (
        "CREATE TABLE logged (at date NOT NULL, what text); CREATE TABLE dated (at date NOT NULL);"
        "CREATE TABLE part () INHERITS (dated, logged)"
    ),
}
ROWS = "INSERT INTO part (at, what) SELECT '2025-05-05', 'visit' FROM generate_series(1, 2500)"
DROPS = ['drop_table_contract("part")', 'op.execute("DROP TABLE part")']


def logged(metadata: MetaData) -> None:
    """Map a table without saying anything of its parts."""
    Table(
        "logged", metadata, sa.Column("at", sa.Date, nullable=False), sa.Column("what", sa.Text), info={"parts": "SQL"}
    )
    Table("dated", metadata, sa.Column("at", sa.Date, nullable=False))


def with_parts(project: ModelProject, made: str, rows: str = ROWS) -> ModelProject:
    """Make the tables by SQL, as a job of the database's own does, and let a release of their models serve."""
    project.database.execute(made)
    project.database.execute(f"CREATE TABLE IF NOT EXISTS dated (at date NOT NULL); {rows}")
    project.change(logged)
    project.goes_live()
    return project


@pytest.fixture(params=["a partition", "a child of two tables"])
def parted(request: pytest.FixtureRequest, project: ModelProject) -> ModelProject:
    return with_parts(project, MADE_BY_SQL[request.param])


@pytest.fixture
def partitioned(project: ModelProject) -> ModelProject:
    return with_parts(project, MADE_BY_SQL["a partition"])


def rows(project: ModelProject) -> int:
    return int(project.database.scalar("SELECT count(*) FROM logged"))


def refused(project: ModelProject, body: str, match: str, phase: str = "contract") -> None:
    """Write a revision that is refused, and take it away."""
    project.write(body, phase=phase)
    with pytest.raises(UnsafeOperation, match=match):
        project.upgrade()
    project.files()[-1].unlink()
    project.number -= 1


FOLLOWED = ("a partition of a partition", "a child with a column of its own", "a child of two tables")


@pytest.mark.parametrize("made", FOLLOWED)
def test_following_every_advice_keeps_every_row(project: ModelProject, made: str) -> None:
    with_parts(project, MADE_BY_SQL[made])
    for _ in range(2):
        project.check()
        assert project.migrate() is None
        project.upgrade()
    with project.database.migrating.connect() as connection:
        found = doctor.diagnose(connection, project.metadata)
    assert [one for one in found if "part" in one.what or "year" in one.what] == []
    assert rows(project) == 2500


def test_a_part_that_an_older_version_of_this_tool_has_marked_as_retired_is_not_dropped(
    partitioned: ModelProject,
) -> None:
    partitioned.database.execute("COMMENT ON TABLE part IS 'retired: dropped by the next contract step'")
    assert partitioned.migrate() is None
    assert rows(partitioned) == 2500


def test_a_part_of_a_table_in_use_is_neither_dropped_nor_retired(parted: ModelProject) -> None:
    for drop in DROPS:
        refused(parted, drop, "part")
    refused(
        parted, 'retire_table_online("part")', r"part shares its rows with (logged|dated), which is in use", "expand"
    )
    assert parted.database.scalar("SELECT obj_description('part'::regclass)") is None
    assert rows(parted) == 2500


def test_nor_where_no_release_has_noted_that_it_serves(partitioned: ModelProject) -> None:
    """The models of this code say it, too."""
    partitioned.database.execute("TRUNCATE schema_releases")
    for taken in ("drop_table_contract", "retire_table_online"):
        refused(partitioned, f'{taken}("part")', "which is in use")
    assert rows(partitioned) == 2500


def test_rows_do_not_leave_a_table_in_use_with_a_part_that_is_detached(parted: ModelProject) -> None:
    is_child = parted.database.scalar("SELECT relkind = 'r' FROM pg_class WHERE relname = 'logged'")
    detach = "ALTER TABLE part NO INHERIT logged" if is_child else "ALTER TABLE logged DETACH PARTITION part"
    refused(parted, f"op.execute({detach!r})", "Queries of logged would show other rows")
    assert rows(parted) == 2500


PART_IN_USE = "CREATE TABLE whole (at date NOT NULL, what text); CREATE TABLE logged () INHERITS (whole)"


def test_what_a_whole_loses_its_part_in_use_would_lose_too(project: ModelProject) -> None:
    rows = "INSERT INTO logged SELECT '2025-05-05', 'visit' FROM generate_series(1, 2500)"
    with_parts(project, PART_IN_USE, rows)
    for taken in (
        'retire_table_online("whole")',
        'drop_table_contract("whole")',
        'drop_column_contract("whole", "what")',
        'set_not_null_online("whole", "what")',
    ):
        refused(project, taken, "logged")
    assert project.database.scalar("SELECT count(what) FROM logged") == 2500


def test_an_excuse_lets_it_go(partitioned: ModelProject) -> None:
    partitioned.write(
        'with excused("The rows of 2025 were archived in March."):\n        drop_table_contract("part")',
        phase="contract",
    )
    partitioned.upgrade()
    assert rows(partitioned) == 0


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
