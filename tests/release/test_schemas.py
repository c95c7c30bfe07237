"""Models in a schema of their own are compared and migrated like the others, by operations that find their tables."""

import json
import re
from collections.abc import Callable

import pytest
from alembic import op
from alembic.operations.ops import CreateForeignKeyOp
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.release.errors import UnsafeOperation
from app.release.operations import set_default_online
from app.release.operations.schemas import in_schema
from app.release.rewriter.schemas import grouped
from tests.databases import Environment
from tests.release.migrating import Database, printed
from tests.release.ordinary_project import Shop

pytestmark = pytest.mark.servers


@pytest.fixture
def environment(shop_environment: Environment) -> Environment:
    return shop_environment


# "users" is there twice: what is done to the one must not be done to the other.
EVENTS = """

class Event(db.Model):
    __tablename__ = "users"
    __table_args__ = {"schema": "audit"}

    id = db.Column(db.Integer, primary_key=True)
    kind = db.Column(db.String(20), nullable=False)
    size = db.Column(db.Integer)
    note = db.Column(db.Text)
"""

GROWN = """

class Event(db.Model):
    __tablename__ = "users"
    __table_args__ = (
        db.CheckConstraint("length(kind) > 2"),
        db.UniqueConstraint("kind"),
        db.Index("ix_users_note", "note"),
        {"schema": "audit"},
    )

    id = db.Column(db.Integer, primary_key=True)
    kind = db.Column(db.String(40), nullable=False, server_default="sign-in")
    size = db.Column(db.BigInteger)
    note = db.Column(db.Text, nullable=False)
    order_id = db.Column(db.ForeignKey("orders.id"))
"""


def release(shop: Shop, message: str) -> str:
    """Write a revision and apply it; return its text."""
    shop.flask("db", "migrate", "-m", message)
    shop.flask("db", "upgrade")
    return shop.newest_revision()


@pytest.fixture
def audited(shop: Shop, database: Database) -> Shop:
    database.execute("CREATE SCHEMA audit")
    shop.edit("shop.py", "\n\ndef create_app", f"{EVENTS}\n\ndef create_app")
    release(shop, "Create audit.users")
    database.execute("INSERT INTO audit.users (kind, note) VALUES ('first', ''), ('second', '')")
    return shop


def test_a_table_in_a_schema_is_made_there_and_not_proposed_again(audited: Shop, database: Database) -> None:
    assert "schema='audit'" in audited.newest_revision()
    assert "No new upgrade operations detected" in audited.flask("db", "check")
    assert "Nothing is wrong." in audited.flask("release", "doctor")
    assert database.scalar("SELECT to_regclass('audit.alembic_version')") is None


def test_its_changes_are_made_in_its_schema(audited: Shop, database: Database, schema_dump: Callable[[], str]) -> None:
    others = pieces_of(schema_dump(), "public")
    audited.edit("shop.py", EVENTS, GROWN)
    written = release(audited, "Grow audit.users")
    calls = re.findall(r"\w+_(?:online|contract)\(", written)
    assert written.count("with in_schema('audit'):") == len(calls) >= 8
    assert "from release.operations.schemas import in_schema" in written
    assert pieces_of(schema_dump(), "public") == others
    assert "Nothing unsafe." in audited.flask("release", "lint", "0003")
    audited.flask("db", "downgrade")
    audited.flask("db", "upgrade")
    assert "Nothing is wrong." in audited.flask("release", "doctor")
    assert database.scalar("SELECT count(*) FROM audit.users") == 2
    assert database.scalar("SELECT count(*) FROM public.users") == 2000


def test_a_rule_that_is_another_one_under_its_name_is_found_there(audited: Shop, database: Database) -> None:
    audited.edit("shop.py", EVENTS, GROWN)
    release(audited, "Grow audit.users")
    audited.edit("shop.py", "length(kind) > 2", "length(kind) > 1")
    written = release(audited, "Allow shorter kinds")
    assert re.findall(r"with in_schema\('audit'\):\n +add_check_online\(.*length\(kind\) > 1.*replace=True\)", written)
    assert re.search(r"phase = .expand.", written)
    assert "No new upgrade operations detected" in audited.flask("db", "check")
    rule = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'audit.users'::regclass AND contype = 'c'"
    )
    assert "> 1" in database.scalar(rule)
    database.execute("ALTER TABLE audit.users DROP CONSTRAINT users_kind_check")
    database.execute("ALTER TABLE audit.users ADD CONSTRAINT users_kind_check CHECK (length(kind) > 3)")
    with pytest.raises(AssertionError, match=r"other-check: The check users_kind_check on audit\.users is CHECK"):
        audited.flask("release", "doctor")


def test_plan_tells_the_size_of_the_table_in_the_schema(audited: Shop, database: Database) -> None:
    audited.edit("shop.py", "    kind = db.Column(db.String(20)", "    kind = db.Column(db.String(40)")
    audited.flask("db", "migrate", "-m", "Widen audit.users.kind")
    [revision] = json.loads(audited.flask("release", "plan", "--json"))["revisions"]
    sizes = {
        lock["bytes"] for step in revision["steps"] for lock in step["locks"] if lock["lock"] == "ACCESS EXCLUSIVE"
    }
    assert sizes == {database.scalar("SELECT pg_total_relation_size('audit.users')")}


def test_a_column_in_it_is_retired_and_dropped_one_release_later(audited: Shop, database: Database) -> None:
    audited.edit("shop.py", EVENTS, EVENTS.replace("    note = db.Column(db.Text)\n", ""))
    assert "retire_column_online('users', 'note')" in release(audited, "Retire audit.users.note")
    dropped = release(audited, "Drop audit.users.note")
    assert "drop_column_contract('users', 'note')" in dropped
    assert "No new upgrade operations detected" in audited.flask("db", "check")
    assert database.scalar("SELECT count(*) FROM audit.users") == 2


def test_a_schema_that_no_model_names_is_left_alone(shop: Shop, database: Database) -> None:
    database.execute("CREATE SCHEMA others; CREATE TABLE others.users (id int)")
    assert "No new upgrade operations detected" in shop.flask("db", "check")


def test_behind_a_block_that_failed_the_search_path_is_as_before(database: Database) -> None:
    paths = []

    def upgrade() -> None:
        with pytest.raises(ProgrammingError), in_schema("pg_catalog"):
            set_default_online("nothing", "of_this_name", "1")
        paths.append(op.get_bind().scalar(text("SHOW search_path")))

    before = database.scalar("SHOW search_path")
    database.migrate(upgrade)
    assert paths == [before]


def test_the_name_of_a_schema_may_be_any(database: Database) -> None:
    name = "it's Odd, $user"
    quoted = f'"{name}"'
    database.execute(f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.things (size int)")

    def upgrade() -> None:
        with in_schema(name):
            set_default_online("things", "size", "3")

    database.migrate(upgrade)
    assert database.scalar(f"INSERT INTO {quoted}.things DEFAULT VALUES RETURNING size") == 3


def test_in_sql_mode_the_schema_is_printed() -> None:
    def upgrade() -> None:
        with in_schema("audit"):
            set_default_online("users", "kind", "1")

    lines = printed(upgrade).splitlines()
    [entered] = [line for line in lines if line.startswith("SELECT set_config('search_path', 'audit, '")]
    [altered] = [line for line in lines if line.startswith("ALTER TABLE users")]
    assert lines.index(entered) < lines.index(altered) < lines.index("RESET search_path;")


def test_a_foreign_key_is_made_in_the_schema_of_one_of_its_ends() -> None:
    for source, referent in ((None, None), ("audit", None), (None, "audit"), ("audit", "audit")):
        key = foreign_key(source, referent)
        assert list(grouped([key])) == [(source or referent, [key])]


def test_a_foreign_key_between_two_schemas_is_refused() -> None:
    with pytest.raises(UnsafeOperation, match="audit and stats"):
        list(grouped([foreign_key("stats", "audit")]))


def foreign_key(source: str | None, referent: str | None) -> CreateForeignKeyOp:
    return CreateForeignKeyOp(
        "fk", "events", "users", ["user_id"], ["id"], source_schema=source, referent_schema=referent
    )


def pieces_of(dump: str, schema: str) -> list[str]:
    """Return what a pg_dump -s says of the things in one schema."""
    return sorted(piece for piece in dump.split("\n--\n") if f"Schema: {schema};" in piece)
