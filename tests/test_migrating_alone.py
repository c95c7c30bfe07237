"""`flask db` needs the database and nothing else of the environment; the release phase needs all that the web needs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask.cli import FlaskGroup

from app import create_app
from tests.databases import Environment

ROOT = Path(__file__).parents[1]
FLASK = FlaskGroup(create_app=create_app, load_dotenv=False, set_debug_flag=False)
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}


def flask(*command: str, env: Mapping[str, str]) -> Result:
    """Run it with this environment only."""
    unset: dict[str, str | None] = dict.fromkeys(os.environ)
    return CliRunner().invoke(FLASK, command, env={**unset, **env})


@pytest.mark.parametrize("name", ["", "config.MigrationConfig", "config.TestingConfig", "config.ProductionConfig"])
def test_flask_db_wants_the_database_and_no_secret_and_no_bucket(name: str) -> None:
    heads = flask("db", "heads", env={**NOWHERE, "APP_SETTINGS": name})
    assert (heads.exit_code, heads.stderr) == (0, ""), heads.output
    refused = flask("db", "upgrade", env={"APP_SETTINGS": name})
    assert refused.exit_code != 0
    assert "Error: DATABASE_URL is not set" in refused.stderr


def test_development_still_finds_its_own_database_and_a_class_that_does_not_exist_is_refused() -> None:
    assert flask("db", "heads", env={"APP_SETTINGS": "config.DevelopmentConfig"}).exit_code == 0
    refused = flask("db", "heads", env={**NOWHERE, "APP_SETTINGS": "config.Production"})
    assert refused.exit_code != 0
    assert "APP_SETTINGS is not one of" in refused.stderr


def test_every_other_command_wants_what_its_class_asks_for_and_is_told_what_it_needs_first() -> None:
    for command in (("release", "status"), ("run",), ("other",)):
        refused = flask(*command, env={**NOWHERE, "APP_SETTINGS": "config.ProductionConfig"})
        assert (refused.exit_code != 0, "Error: SECRET_KEY is not set" in refused.stderr) == (True, True), command
    assert "Error: APP_SETTINGS is not set" in flask("worker", env={}).stderr
    assert "Error: DATABASE_URL is not set" in flask("db", "upgrade", env={}).stderr
    assert "Error: APP_SETTINGS is not set" in flask("--help", env={}).stderr


def run(command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it as a platform does: in a shell that has this environment only."""
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "FLASK_SKIP_DOTENV": "1"}
    return subprocess.run(
        command, shell=True, cwd=ROOT, env={**path, **env}, capture_output=True, text=True, timeout=120
    )


@pytest.mark.servers
def test_the_release_is_red_if_the_web_could_not_start_and_flask_db_is_not(environment: Environment) -> None:
    lines = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    url = {"DATABASE_URL": environment["DATABASE_URL"]}
    red = run(lines["release"], {**url, "APP_SETTINGS": "config.ProductionConfig"})
    assert red.returncode != 0
    assert red.stderr == "Error: SECRET_KEY is not set; .env.example says what it is for.\n"
    done = run("flask db upgrade", url)
    assert done.returncode == 0, done.stderr
    assert "-> 0001" in done.stdout + done.stderr, "the red release had migrated already"
