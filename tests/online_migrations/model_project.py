"""A project that writes its revisions by `flask db migrate`, in this process, on a database of its own."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import flask_migrate
from flask import Flask
from sqlalchemy import MetaData, create_engine

import online_migrations
from online_migrations.connection import direct_engine
from online_migrations.doctor import Diagnosis, diagnose
from online_migrations.errors import UnsafeOperation
from online_migrations.options import Options
from tests.databases import Environment
from tests.online_migrations import shop
from tests.online_migrations.history import revision_text
from tests.online_migrations.migrating import Database

NAMED = re.compile(r"-x (lose=\S+)")
EVERY_COLUMN = """SELECT array_agg(format('lose=%s.%s', table_name, column_name))
    FROM information_schema.columns WHERE table_schema = 'public'"""

MIGRATIONS = Path(__file__).parents[2] / "migrations"
# Without the hooks that format a revision, since they start Python twice.
INI = "[alembic]\nfile_template = %%(rev)s_%%(slug)s\npath_separator = os\nrevision_environment = true\n"


class ModelProject:
    """Work with the project, whose database is at revision 0001 and holds the tables of shop.models()."""

    def __init__(self, app: Flask, folder: Path, database: Database) -> None:
        self.app = app
        self.folder = folder
        self.database = database
        self.number = 1

    def change(self, change: Callable[[MetaData], object]) -> None:
        """Change the models from those of the shop."""
        metadata = shop.models()
        change(metadata)
        options: Options = self.app.extensions["release"]
        self.app.extensions["release"] = options._replace(metadata=metadata)

    @property
    def metadata(self) -> MetaData:
        options: Options = self.app.extensions["release"]
        return options.metadata

    def migrate(self) -> Path | None:
        """Run `flask db migrate`; return the file, if it wrote one."""
        before = set(self.files())
        flask_migrate.migrate(str(self.folder), message="A change")
        new = set(self.files()) - before
        if not new:
            return None
        [file] = new
        self.number += 1
        assert file.name == f"{self.number:04d}_a_change.py"
        return file

    def write(self, up: str, down: str = "pass", phase: str = "expand") -> None:
        """Write a revision by hand."""
        self.number += 1
        text = revision_text(f"{self.number:04d}", f"{self.number - 1:04d}", up, f'phase = "{phase}"', down)
        (self.folder / f"versions/{self.number:04d}_by_hand.py").write_text(text)

    def files(self) -> list[Path]:
        return sorted((self.folder / "versions").glob("*.py"))

    def upgrade(self) -> None:
        flask_migrate.upgrade(str(self.folder))

    @contextmanager
    def newest_held_back(self) -> Iterator[None]:
        """Release the code of now without its newest revision, which follows after the block."""
        file = self.files()[-1]
        text = file.read_text()
        file.unlink()
        self.number -= 1
        yield
        self.number += 1
        file.write_text(text)

    def excuse(self, line: int) -> None:
        """Put the call at this line of the newest revision into a block of excused()."""
        file = self.files()[-1]
        text = file.read_text()
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Expr) and node.lineno == line]
        lines = text.splitlines()
        lines[line - 1 : calls[0].end_lineno] = [
            '    with excused("The release that is live does not do that."):',
            *(f"    {one}" for one in lines[line - 1 : calls[0].end_lineno]),
        ]
        imported = "from online_migrations.operations import excused"
        file.write_text("\n".join(lines).replace("\n\nrevision =", f"\n{imported}\n\nrevision =", 1))

    def goes_live(self) -> None:
        self.database.goes_live(self.metadata, f"{self.number:04d}")

    def was_judged(self) -> bool:
        """Return whether the newest revision ran under the guard, which notes what it cost."""
        query = "SELECT cost IS NOT NULL FROM schema_ledger WHERE revision = :number"
        return bool(self.database.scalar(query, number=f"{self.number:04d}"))

    def check(self) -> None:
        """Run `flask db check`, which ends the process when models and database differ."""
        flask_migrate.check(str(self.folder))

    def diagnosed(self) -> list[Diagnosis]:
        with self.database.migrating.connect() as connection:
            return diagnose(connection, self.metadata)

    def downgrade(self, number: int = 1) -> None:
        """Go back to a revision, by default to the tables of the shop, giving up the values that a refusal names.

        An operation names one column at a time, so with the first one all columns are given up.
        """
        lose: list[str] = []
        while True:
            try:
                flask_migrate.downgrade(str(self.folder), f"{number:04d}", x_arg=lose)
                return
            except UnsafeOperation as refused:
                named = [name for name in NAMED.findall(refused.message) if name not in lose]
                if not named:
                    raise
                lose += named if lose else [*named, *self.database.scalar(EVERY_COLUMN)]


@contextmanager
def model_project(environment: Environment, folder: Path) -> Iterator[ModelProject]:
    """Yield a project in the context of its application."""
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        shutil.copy(MIGRATIONS / name, folder)
    (folder / "alembic.ini").write_text(INI)
    (folder / "versions/0001_shop.py").write_text(revision_text("0001", None))
    app = Flask("shop", root_path=str(folder))
    flask_migrate.Migrate().init_app(app, None, directory=str(folder))
    online_migrations.init_app(app, Options(shop.models(), environment["DATABASE_URL"], "shop"))
    with app.app_context():
        engine, migrating = create_engine(environment["DATABASE_URL"]), direct_engine()
        yield ModelProject(app, folder, Database(engine, migrating))
