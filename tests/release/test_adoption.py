"""An ordinary Flask-Migrate project takes a copy of the folder app/release, and changes five lines for it."""

import difflib
import re

import pytest
from sqlalchemy import inspect

from tests.databases import Environment
from tests.release.migrating import Database
from tests.release.ordinary_project import CHANGED, Shop

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


def test_a_process_serves_nothing_before_its_schema_is_there_and_is_noted_as_live_then(
    shop: Shop, database: Database
) -> None:
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
