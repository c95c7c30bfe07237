"""An ordinary Flask-Migrate project takes a copy of the folder app/release, and changes five lines for it.

It is as Flask-Migrate's documentation begins one: no naming convention, revisions without names.
"""

import difflib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from sqlalchemy import inspect

from tests.databases import Environment, copied_database, template
from tests.release.checkout import ROOT
from tests.release.migrating import Database, connected

ORDINARY = Path(__file__).with_name("ordinary_project")
ROWS = """
INSERT INTO users (email, name) SELECT n || '@example.com', 'Nick ' || n FROM generate_series(1, 2000) n;
INSERT INTO orders (user_id, quantity, state) SELECT id, 1, 'open' FROM users;
"""


CHANGED = ("shop.py", "migrations/env.py", "migrations/script.py.mako")
INIT = "    migrate.init_app(app, db)\n"
URL = 'app.config["SQLALCHEMY_DATABASE_URI"]'
SET_UP = f'    release.init_app(app, release.Options(metadata=db.metadata, url={URL}, name="shop"))\n'
DEPENDS_ON = "depends_on = ${repr(depends_on)}\n"


class Shop:
    """Work with the project in a folder."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder = folder
        self.environment = {"DATABASE_URL": environment["DATABASE_URL"], "FLASK_APP": "shop", "PYTHONPATH": str(folder)}

    def begin(self) -> None:
        """Write its files, as a developer and plain Flask-Migrate do."""
        self.write("shop.py", (ORDINARY / "shop.py.txt").read_text())
        self.flask("db", "init")
        self.write("migrations/versions/e52b90c47f18_begin.py", (ORDINARY / "begin.py.txt").read_text())

    def write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.write_text(text)
        # Python takes the compiled code for current when second and size of the source are the same.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert text.count(old) == 1, old
        self.write(file, text.replace(old, new))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._python("-m", "flask", *arguments)

    def flask(self, *arguments: str) -> str:
        """Return what the command prints; it has to end well."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, program: str) -> str:
        """Return what a program prints that imports the project."""
        done = self._python("-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command, environment = [sys.executable, *arguments], {**os.environ, **self.environment}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def adopt(self) -> None:
        """Do what docs/schema-changes.md says under "In another project"."""
        copy = self.folder / "release"
        shutil.copytree(ROOT / "app/release", copy, ignore=shutil.ignore_patterns("__pycache__"))
        for path in copy.rglob("*.py"):
            path.write_text(path.read_text().replace("app.release", "release"))
        self.edit("shop.py", "import os\n", "import os\nimport release\n")
        self.edit("shop.py", INIT, INIT + SET_UP)
        self.write("migrations/env.py", "from release import runner\nrunner.run()\n")
        phase = 'phase = ${repr(context.get("phase", "expand"))}\n'
        self.edit("migrations/script.py.mako", DEPENDS_ON, DEPENDS_ON + phase)

    def texts(self) -> dict[str, list[str]]:
        return {file: (self.folder / file).read_text().splitlines() for file in CHANGED}

    def newest_revision(self) -> str:
        """Return the text of the file that was written last."""
        files = (self.folder / "migrations/versions").glob("*.py")
        return max(files, key=lambda file: file.stat().st_mtime_ns).read_text()


@pytest.fixture(scope="session")
def plain_project(server_environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an ordinary Flask-Migrate project, which knows nothing of app.release."""
    folder = tmp_path_factory.mktemp("plain")
    Shop(folder, server_environment).begin()
    return folder


@pytest.fixture(scope="session")
def adopted_project(
    plain_project: Path, server_environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the same with a copy of app.release, which Python has compiled."""
    folder = tmp_path_factory.mktemp("adopted")
    shutil.copytree(plain_project, folder, dirs_exist_ok=True)
    shop = Shop(folder, server_environment)
    shop.adopt()
    shop.flask("release", "--help")
    return folder


@pytest.fixture
def shop_environment(server_environment: Environment, plain_project: Path) -> Iterator[Environment]:
    """Yield the database of that project, migrated by plain Flask-Migrate, with 2,000 users."""

    def build(environment: Environment) -> None:
        Shop(plain_project, environment).flask("db", "upgrade")
        with connected(environment) as database:
            database.execute(ROWS)

    with copied_database(server_environment, template(server_environment, "plain_shop", build)) as environment:
        yield environment


@pytest.fixture
def plain_shop(shop_environment: Environment, plain_project: Path, tmp_path: Path) -> Shop:
    return Shop(shutil.copytree(plain_project, tmp_path / "shop"), shop_environment)


@pytest.fixture
def shop(shop_environment: Environment, adopted_project: Path, tmp_path: Path) -> Shop:
    return Shop(shutil.copytree(adopted_project, tmp_path / "shop"), shop_environment)


MOST_LINES = 5

pytestmark = pytest.mark.servers


@pytest.fixture
def environment(shop_environment: Environment) -> Environment:
    return shop_environment


def test_five_lines_are_written_anew(plain_shop: Shop) -> None:
    before = plain_shop.texts()
    plain_shop.adopt()
    after = plain_shop.texts()
    written = [
        line
        for file in CHANGED
        for line in difflib.ndiff(before[file], after[file])
        if line.startswith("+ ") and line.strip() != "+"
    ]
    assert len(written) <= MOST_LINES, written


def test_what_plain_flask_migrate_made_is_recognized(shop: Shop, database: Database) -> None:
    """The models name no constraint, and the database did: nothing is proposed, nothing is wrong, no row is lost."""
    assert "No new upgrade operations detected" in shop.flask("db", "check")
    assert "Nothing is wrong." in shop.flask("release", "doctor")
    status = shop.flask("release", "status")
    assert re.search(r"state +at_head\n", status)
    assert "e52b90c47f18" in status
    assert "queue" not in status  # it has none
    assert "is at e52b90c47f18" in shop.flask("db", "upgrade")
    assert database.scalar("SELECT count(*) FROM users") == database.scalar("SELECT count(*) FROM orders") == 2000


def test_a_changed_model_becomes_an_online_revision(shop: Shop, database: Database) -> None:
    """New constraints have a name, by which a downgrade drops them; the operations are imported from the copy."""
    shop.edit("shop.py", "    name = db.Column(db.String(50))\n", "    name = db.Column(db.String(50), unique=True)\n")
    shop.edit("shop.py", '    __table_args__ = (db.CheckConstraint("quantity > 0"),)\n', "    RULES\n")
    rules = '(db.CheckConstraint("quantity > 0"), db.CheckConstraint("quantity < 100"), db.UniqueConstraint("user_id"))'
    shop.edit("shop.py", "    RULES\n", f"    __table_args__ = {rules}\n")
    shop.edit("shop.py", "    quantity =", '    payer_id = db.Column(db.ForeignKey("users.id"))\n    quantity =')
    assert "Detected added" in shop.flask("db", "migrate", "-m", "Grow")
    written = shop.newest_revision()
    assert "from release.operations import" in written
    assert "phase = 'contract'" in written
    assert "None" not in re.sub(r"= None\n", "\n", written.partition("def upgrade")[2])
    assert "the database is at" in shop.flask("db", "upgrade")
    inspector = inspect(database.engine)
    assert {found["name"] for found in inspector.get_unique_constraints("orders")} == {"orders_user_id_key"}
    assert {found["name"] for found in inspector.get_unique_constraints("users")} == {
        "users_email_key",
        "users_name_key",
    }
    checks = {"orders_quantity_check", "orders_quantity_check1", "orders_state_check"}
    assert {found["name"] for found in inspector.get_check_constraints("orders")} == checks
    keys = {"orders_user_id_fkey", "orders_payer_id_fkey"}
    assert {found["name"] for found in inspector.get_foreign_keys("orders")} == keys
    shop.flask("db", "check")
    assert "Nothing unsafe." in shop.flask("release", "lint", "0002")
    shop.flask("db", "downgrade")
    assert {found["name"] for found in inspect(database.engine).get_unique_constraints("orders")} == set()
    shop.flask("db", "upgrade")
    assert "Nothing is wrong." in shop.flask("release", "doctor")
    assert database.scalar("SELECT count(*) FROM users") == database.scalar("SELECT count(*) FROM orders") == 2000


def test_a_baseline_excuses_the_past_and_nothing_else(shop: Shop) -> None:
    """Without it each old revision is judged: it says no phase, and was written without a thought of who serves."""
    assert shop.run("release", "lint").returncode == 1
    shop.edit("shop.py", 'name="shop")', 'name="shop", baseline="e52b90c47f18")')
    assert "Nothing unsafe." in shop.flask("release", "lint")
    shop.write(
        "migrations/versions/0002_forget.py",
        'from alembic import op\nrevision, down_revision, phase = "0002", "e52b90c47f18", "expand"\n\n\n'
        "def upgrade():\n    op.drop_column('users', 'name')\n",
    )
    judged = shop.run("release", "lint")
    assert judged.returncode == 1
    assert "0002_forget.py:6" in judged.stdout
    assert "begin" not in judged.stdout  # the file of before
    shop.edit("shop.py", 'baseline="e52b90c47f18"', 'baseline="nowhere"')
    failed = shop.run("release", "lint")
    assert failed.returncode == 1
    assert "nowhere" in failed.stderr


ASK = "from shop import create_app; print(create_app().test_client().get('/').status_code)"


def test_a_process_serves_once_its_schema_is_there_and_is_noted_then(shop: Shop, database: Database) -> None:
    """The project has no page, so an open gate is 404."""
    shop.flask("db", "upgrade")
    shop.edit("shop.py", "    name =", "    nickname = db.Column(db.String(50))\n    name =")
    shop.flask("db", "migrate", "-m", "Add users.nickname")
    assert "ALTER TABLE users ADD COLUMN IF NOT EXISTS nickname" in shop.flask("release", "plan")
    assert shop.python(ASK) == "503"
    assert database.scalar("SELECT count(*) FROM schema_releases") == 0
    shop.flask("db", "upgrade")
    assert shop.python(ASK) == "404"
    assert database.scalar("SELECT code_head FROM schema_releases") == "0002"
