"""Upgrade a database that no revision has made, or whose version was recorded wrongly: what is there decides."""

import logging
from collections.abc import Iterator
from pathlib import Path

import flask_migrate
import pytest

from online_migrations.errors import ReleaseError
from tests.databases import Environment
from tests.online_migrations import shop
from tests.online_migrations.model_project import ModelProject, model_project


@pytest.fixture
def begun(environment: Environment, tmp_path: Path) -> Iterator[ModelProject]:
    """Yield the shop, whose database is empty and which has a queue."""
    with model_project(environment, tmp_path / "migrations") as project:
        options = project.app.extensions["release"]
        project.app.extensions["release"] = options._replace(unmapped_prefixes=("queue_",))
        yield project


@pytest.mark.parametrize(
    ("by_models", "sql", "said"),
    [
        (True, "SELECT", r"its tables are what the models say\. Record that, with: flask db stamp head"),
        (True, "ALTER TABLE owners DROP COLUMN email", r"The column owners\.email is .*flask db stamp REVISION"),
        (False, "CREATE TABLE wp_posts (id int)", r"\(wp_posts\) is the models'.*unmapped_prefixes=\('wp_posts',\)"),
    ],
    ids=["the models'", "of older models", "another program's"],
)
def test_tables_that_no_revision_made_are_left_alone(begun: ModelProject, by_models: bool, sql: str, said: str) -> None:
    if by_models:
        shop.models().create_all(begun.database.engine)
    begun.database.execute(sql)
    for command in (begun.upgrade, begun.migrate):
        with begun.database.unchanged(), pytest.raises(ReleaseError, match=said):
            command()
    [finding] = begun.diagnosed()
    assert (finding.rule, finding.next) == ("not-adopted", "flask db upgrade")


def test_tables_of_a_tool_of_other_schemas_and_those_left_out_do_not_count(begun: ModelProject) -> None:
    begun.app.extensions["migrate"].configure_args["include_object"] = lambda item, name, *_: name != "wp_posts"
    begun.database.execute("CREATE TABLE queue_jobs (id int); CREATE SCHEMA other; CREATE TABLE other.posts (id int)")
    begun.database.execute("CREATE TABLE wp_posts (id int)")
    with pytest.raises(ReleaseError, match="Everything ran"):  # for the first revision makes nothing
        begun.upgrade()


def test_a_version_before_what_ran_is_told_by_the_stamp_and_by_the_upgrade(
    project: ModelProject, caplog: pytest.LogCaptureFixture
) -> None:
    project.write('op.create_table("made", sa.Column("id", sa.Integer()))')
    project.upgrade()
    with caplog.at_level(logging.WARNING):
        flask_migrate.stamp(str(project.folder), "0001")
    assert "by the ledger 0002 ran after it" in caplog.text
    with pytest.raises(ReleaseError, match=r'"made" already exists.*flask db stamp --purge 0002'):
        project.upgrade()
    project.database.execute("DELETE FROM schema_ledger WHERE revision = '0002'")
    with pytest.raises(ReleaseError, match=r'"made" already exists.*what the models say.*flask db stamp head'):
        project.upgrade()
