"""An ordinary Flask-Migrate project installs the library's wheel, and changes five lines for it.

It runs in an environment that holds Flask-Migrate and psycopg2 besides, and nothing of ours. It is as Flask-Migrate's
documentation begins one: no naming convention, revisions without names.
"""

import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, make_url

from tests.databases import Environment, copied_database, template
from tests.online_migrations.checkout import ROOT
from tests.online_migrations.migrating import Database, connected

LIBRARY = ROOT / "online_migrations"
ORDINARY = Path(__file__).with_name("ordinary_project")
ROWS = """
INSERT INTO users (email, name) SELECT n || '@example.com', 'Nick ' || n FROM generate_series(1, 2000) n;
INSERT INTO orders (user_id, quantity, state) SELECT id, 1, 'open' FROM users;
"""
MOST_LINES = 5
CHANGED = ("shop.py", "migrations/env.py", "migrations/script.py.mako")
INIT = "    migrate.init_app(app, db)\n"
URL = 'app.config["SQLALCHEMY_DATABASE_URI"]'
OPTIONS = f'online_migrations.Options(metadata=db.metadata, url={URL}, name="shop")'
SET_UP = f"    online_migrations.init_app(app, {OPTIONS})\n"
DEPENDS_ON = "depends_on = ${repr(depends_on)}\n"
PHASE = 'phase = ${repr(context.get("phase", "expand"))}\n'
# Each argument is what somebody types after `flask`; one that exits is the last. It takes longer to start than to run.
FLASK = """
import shlex, sys
from flask.cli import cli
for line in sys.argv[1:]:
    cli.main(shlex.split(line), prog_name="flask", standalone_mode=False)
"""

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]  # packages are installed


class Shop:
    """Work with the project in a folder."""

    def __init__(self, folder: Path, environment: Environment, python: Path) -> None:
        self.folder = folder
        self._python = python
        # Python would take compiled code for current when second and size of the source are the same.
        ours = {"FLASK_APP": "shop", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        # SQLAlchemy 2.1 reads postgresql:// as psycopg 3.
        url = make_url(environment["DATABASE_URL"]).set(drivername="postgresql+psycopg2")
        self.environment = {"DATABASE_URL": url.render_as_string(hide_password=False), **ours}

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert text.count(old) == 1, old
        (self.folder / file).write_text(text.replace(old, new))

    def run(self, *arguments: str) -> str:
        """Return what Python prints, which has to end well."""
        command, environment = [str(self._python), *arguments], {**os.environ, **self.environment}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def flask(self, *lines: str) -> str:
        return self.run("-c", FLASK, *lines)

    def adopt(self) -> None:
        """Do what the library's README says under "Adopt it"."""
        self.edit("shop.py", "import os\n", "import os\nimport online_migrations\n")
        self.edit("shop.py", INIT, INIT + SET_UP)
        (self.folder / "migrations/env.py").write_text("from online_migrations import run\nrun()\n")
        self.edit("migrations/script.py.mako", DEPENDS_ON, DEPENDS_ON + PHASE)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment into which the wheel was installed, with what it needs from PyPI."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(LIBRARY, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    python = folder / "environment/bin/python"
    for command in (
        f"{sys.executable} -m venv --without-pip {folder / 'environment'}",
        f"{sys.executable} -m pip --python {python} install --quiet {source}",  # builds a wheel, and installs that
    ):
        subprocess.run(shlex.split(command), cwd=folder, check=True, timeout=300)
    return python


@pytest.fixture(scope="session")
def plain_project(server_environment: Environment, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an ordinary project, as a developer and plain Flask-Migrate write it."""
    shop = Shop(tmp_path_factory.mktemp("plain"), server_environment, python)
    shutil.copy(ORDINARY / "shop.py.txt", shop.folder / "shop.py")
    shop.flask("db init")
    shutil.copy(ORDINARY / "begin.py.txt", shop.folder / "migrations/versions/e52b90c47f18_begin.py")
    return shop.folder


@pytest.fixture
def environment(server_environment: Environment, plain_project: Path, python: Path) -> Iterator[Environment]:
    """Yield the database of that project, migrated by plain Flask-Migrate, with 2,000 users."""

    def build(environment: Environment) -> None:
        Shop(plain_project, environment, python).flask("db upgrade")
        with connected(environment) as database:
            database.execute(ROWS)

    with copied_database(server_environment, template(server_environment, "plain_shop", build)) as environment:
        yield environment


@pytest.fixture
def shop(environment: Environment, plain_project: Path, python: Path, tmp_path: Path) -> Shop:
    """Return a copy of the project, which has adopted the library."""
    shop = Shop(shutil.copytree(plain_project, tmp_path / "shop"), environment, python)
    shop.adopt()
    return shop


ASK = "from shop import create_app; print(create_app().test_client().get('/').status_code)"


def test_what_plain_flask_migrate_made_is_recognized_and_a_process_serves_once_its_schema_is_there(
    shop: Shop, plain_project: Path, database: Database
) -> None:
    """The models name no constraint, and the database did: nothing is proposed, nothing is wrong, no row is lost. The
    project has no page, so an open gate is 404.
    """
    texts = [[(folder / file).read_text().splitlines() for folder in (plain_project, shop.folder)] for file in CHANGED]
    lines = [line for before, after in texts for line in difflib.ndiff(before, after)]
    written = [line for line in lines if line.startswith("+ ") and line.strip() != "+"]
    assert len(written) <= MOST_LINES, written
    said = shop.flask("db check", "release doctor")
    assert "No new upgrade operations detected" in said
    assert "Nothing is wrong." in said
    said = shop.flask("release status", "db upgrade")
    assert re.search(r"state +at_head\n", said)
    assert "queue" not in said  # it has none
    assert "is at e52b90c47f18" in said
    assert database.scalar("SELECT count(*) FROM users") == database.scalar("SELECT count(*) FROM orders") == 2000

    shop.edit("shop.py", "    name =", "    nickname = db.Column(db.String(50))\n    name =")
    shop.flask("db migrate -m 'Add users.nickname'")
    assert "ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname" in shop.flask("release plan")
    assert shop.run("-c", ASK).startswith("503\n")
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0
    shop.flask("db upgrade")
    assert shop.run("-c", ASK).startswith("404\n")
    assert database.scalar("SELECT code_head FROM schema_releases") == "0002"


def test_a_changed_model_becomes_an_online_revision(shop: Shop, database: Database) -> None:
    """New constraints have a name, by which a downgrade drops them."""
    shop.edit("shop.py", "    name = db.Column(db.String(50))\n", "    name = db.Column(db.String(50), unique=True)\n")
    shop.edit("shop.py", '    __table_args__ = (db.CheckConstraint("quantity > 0"),)\n', "    RULES\n")
    rules = '(db.CheckConstraint("quantity > 0"), db.CheckConstraint("quantity < 100"), db.UniqueConstraint("user_id"))'
    shop.edit("shop.py", "    RULES\n", f"    __table_args__ = {rules}\n")
    shop.edit("shop.py", "    quantity =", '    payer_id = db.Column(db.ForeignKey("users.id"))\n    quantity =')
    assert "Detected added" in shop.flask("db migrate -m Grow")
    [file] = (shop.folder / "migrations/versions").glob("0002_*.py")
    written = file.read_text()
    assert "from online_migrations.operations import" in written
    assert "phase = 'contract'" in written
    assert "None" not in re.sub(r"= None\n", "\n", written.partition("def upgrade")[2])
    said = shop.flask("db upgrade", "release lint 0002")
    assert "the database is at" in said
    assert "Nothing unsafe." in said
    inspector = inspect(database.engine)
    assert {found["name"] for found in inspector.get_unique_constraints("orders")} == {"orders_user_id_key"}
    of_users = {found["name"] for found in inspector.get_unique_constraints("users")}
    assert of_users == {"users_email_key", "users_name_key"}
    checks = {"orders_quantity_check", "orders_quantity_check1", "orders_state_check"}
    assert {found["name"] for found in inspector.get_check_constraints("orders")} == checks
    keys = {"orders_user_id_fkey", "orders_payer_id_fkey"}
    assert {found["name"] for found in inspector.get_foreign_keys("orders")} == keys
    shop.flask("db downgrade")
    assert {found["name"] for found in inspect(database.engine).get_unique_constraints("orders")} == set()
    assert "Nothing is wrong." in shop.flask("db upgrade", "release doctor")
    assert database.scalar("SELECT count(*) FROM users") == database.scalar("SELECT count(*) FROM orders") == 2000
