"""The queue's tables: migrations create what the installed procrastinate expects; release tools ignore them."""

import re

import flask_migrate
from flask import Flask
from procrastinate.schema import SchemaManager

from app.extensions import Base, db
from online_migrations.connection import read_only_connection
from online_migrations.doctor import diagnose
from tests.databases import Environment, empty_database
from tests.online_migrations.dumps import psql, schema_dump

SECTION = re.compile(r"^-- Name: (.*?); Type: .*?(?=^-- Name: |\Z)", re.MULTILINE | re.DOTALL)


def procrastinates(dump: str) -> dict[str, str]:
    """Return the SQL of each object that is the queue's, by its name."""
    return {found[1]: found[0].strip() for found in SECTION.finditer(dump) if "procrastinate" in found[1]}


def test_the_migrations_make_what_the_package_would(
    migrated_environment: Environment, server_environment: Environment
) -> None:
    with empty_database(server_environment) as other:
        psql(other, SchemaManager.get_schema())
        expected = procrastinates(schema_dump(other))
    assert len(expected) > 40
    assert procrastinates(schema_dump(migrated_environment)) == expected


def test_check_and_doctor_leave_it_alone_and_no_other_librarys_table(migrated: Flask) -> None:
    flask_migrate.check("migrations")
    with db.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE not_procrastinate_jobs (id bigint)")
    with read_only_connection() as connection:
        assert [finding.rule for finding in diagnose(connection, Base.metadata)] == ["extra-table"]
