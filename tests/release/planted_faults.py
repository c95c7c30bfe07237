"""Faults of a database for `flask release doctor` to find, each planted by SQL, and what a person does about them."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

from flask import current_app
from sqlalchemy import MetaData

from app.extensions import Base
from app.release.connection import read_only_connection
from app.release.doctor import LIMITS, diagnose
from app.release.doctor.diagnosis import Diagnosis, Limits
from tests.release.dumps import program
from tests.release.migrating import Database


class Fault(NamedTuple):
    """
    Args:
        rule: of the diagnosis.
        severity: empty for an error.
        named: what its sentence names.
        plant: SQL.
    """

    rule: str
    severity: str
    named: str
    plant: str


def read_faults() -> dict[str, list[Fault]]:
    """Read faults.txt: the faults of each group."""
    text = re.sub("^//.*\n", "", Path(__file__).with_name("faults.txt").read_text(), flags=re.MULTILINE)
    groups = [block.partition("\n") for block in re.sub(r"\n>> ", " ", text).strip().split("\n\n")]
    return {name.removeprefix("# "): [Fault(*found) for found in FAULT.findall(faults)] for name, _, faults in groups}


FAULT = re.compile(r"^- (?P<rule>[\w-]+)(?: \[(?P<severity>\w+)\])?: (?P<named>.*)\n> (?P<plant>.*)$", re.MULTILINE)
FAULTS = read_faults()


def diagnosed(metadata: MetaData = Base.metadata, limits: Limits = LIMITS) -> list[Diagnosis]:
    with read_only_connection() as connection:
        return diagnose(connection, metadata, limits)


def our_models() -> MetaData:
    """Return a copy of our models, for a test to change."""
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)._prefixes = table._prefixes
    return metadata


def require_each_found_once(faults: list[Fault], findings: list[Diagnosis]) -> None:
    for fault in faults:
        ours = [finding for finding in findings if finding.rule == fault.rule and fault.named in finding.what]
        assert len(ours) == 1, f"{fault.rule} of {fault.named} is not one of {findings}"
        assert ours[0].severity == (fault.severity or "error")
        assert ours[0].what.endswith(".")
    assert len(findings) == len(faults), findings


def require_mended(database: Database, faults: list[Fault]) -> None:
    """Plant them, see that each is found once, and type what the doctor says until it has nothing to say."""
    for fault in faults:
        database.execute(fault.plant)
    findings = diagnosed()
    require_each_found_once(faults, findings)
    for _ in range(2):  # a function that was dropped comes first, then the trigger that was dropped with it
        for finding in findings:
            follow(database, finding.next)
        findings = diagnosed()
    assert findings == []


def follow(database: Database, command: str) -> None:
    """Type a command of the doctor, in a shell that has psql and the variables of the application."""
    flask, _, shell = command.partition(" | ") if command.startswith("flask") else ("", "", command)
    given = run_flask(flask) if flask else ""
    if not shell:
        return
    environment = {
        "DATABASE_URL": url_of(database).replace("+psycopg2", ""),
        "PATH": f"{Path(program('psql')).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        shell, shell=True, executable="/bin/bash", input=given, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, "ERROR" in done.stderr) == (0, False), f"{command}: {done.stderr}"


def run_flask(command: str) -> str:
    """Run `flask release …` or `flask db …`, and return what it prints."""
    _, group, *arguments = shlex.split(command)
    ended = current_app.test_cli_runner().invoke(current_app.cli.commands[group], arguments)
    assert ended.exit_code == 0, f"{command}: {ended.output}"
    return ended.stdout


def is_superuser(database: Database) -> bool:
    return bool(database.scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))


def url_of(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)
