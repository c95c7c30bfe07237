"""Run the tests of an earlier release, as they stood then, on the schema of today: all that it did still works.

    .venv/bin/python tests/online_migrations/previous_release.py [REF]

REF is a commit, a tag or a branch; when it is not given, the commit before the newest revision was added. Its code and
its tests come from a worktree of their own; where they migrate a database, the migrations of today are run instead.
Those that ask no database are left out, since today's schema is nothing to them. Of a parametrized test its first case
runs, since the cases differ in their values and not in their statements; and none that takes minutes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
# Not photos: they are decoded for long, and their one column is written by an import too.
SUITES = ("accounts", "notes", "mypage", "portability", "todos")
NO_DATABASE_MIGRATED = 4


def main(arguments: list[str]) -> int:
    ref = git("rev-parse", "--verify", f"{arguments[0]}^{{commit}}" if arguments else f"{newest_step()}^")
    print(f"Today's schema under the release of {git('log', '-1', '--format=%h %as %s', ref)}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="semicircle-before-") as folder:
        checkout = Path(folder) / "checkout"
        git("worktree", "add", "--quiet", "--detach", str(checkout), ref)
        try:
            return run_tests(checkout)
        finally:
            os.chdir(ROOT)
            git("worktree", "remove", "--force", str(checkout))


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)  # noqa: S607
    if done.returncode != 0:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def newest_step() -> str:
    """Return the commit that added the newest revision."""
    found = git("log", "-1", "--format=%H", "--diff-filter=A", "--", "migrations/versions")
    return found or sys.exit("git knows no commit that added a revision; is the clone shallow?")


def run_tests(checkout: Path) -> int:
    """Run them in this process, which has loaded nothing of today's code: `app` and `tests` are the earlier ones."""
    os.chdir(checkout)
    sys.path[0] = str(checkout)
    import flask_migrate

    migrated: list[str] = []

    def upgrade_by_today(*_: object, **__: object) -> None:
        migrated.append(upgrade(checkout))

    flask_migrate.upgrade = upgrade_by_today
    suites = [f"tests/{suite}" for suite in SUITES if (checkout / "tests" / suite).is_dir()]
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.one_of_each", "-m", "database and not minutes"]
    code = int(pytest.main([*suites, *options], plugins=[Vacuum()]))
    print(f"{', '.join(suites)} ran on the schema of {', '.join(migrated)}")  # noqa: T201
    return code or (0 if migrated else NO_DATABASE_MIGRATED)


class Vacuum:
    """A plugin of pytest: remove what a test rolled back, as autovacuum would. The planner counts a table's pages."""

    @pytest.hookimpl(trylast=True)  # once its transaction has ended
    def pytest_runtest_teardown(self, item: Any, nextitem: Any) -> None:
        app, table = item.funcargs.get("migrated_app"), item.path.parent.name
        if app is None or nextitem is None or table not in {"notes", "todos"}:
            return
        from app.extensions import db

        with app.app_context():
            engine = db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"VACUUM {table}")


def upgrade(checkout: Path) -> str:
    """Migrate the database of the running test by today's code, and return its revision."""
    environment = {
        **os.environ,
        "APP_SETTINGS": "config.MigrationConfig",  # asks for nothing but a database
        "DATABASE_URL": database_url(),
        "MIGRATION_DATABASE_URL": database_url(),
    }
    for action in ("upgrade", "current"):
        command = [sys.executable, "-m", "flask", "db", action]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def database_url() -> str:
    from app.extensions import db

    return db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
