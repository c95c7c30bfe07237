"""An ordinary Flask-Migrate project, as its documentation begins one: no naming convention, revisions without names."""

import os
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from tests.databases import Environment
from tests.release.checkout import ROOT

SHOP = '''\
"""A shop."""

import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
migrate = Migrate()


class User(db.Model):
    __tablename__ = "users"

    id = db.Column(db.Integer, primary_key=True)
    email = db.Column(db.String(120), unique=True, nullable=False)
    name = db.Column(db.String(50))
    active = db.Column(db.Boolean, nullable=False, server_default=db.text("true"))


class Order(db.Model):
    __tablename__ = "orders"
    __table_args__ = (db.CheckConstraint("quantity > 0"),)

    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False, index=True)
    quantity = db.Column(db.Integer, nullable=False)
    state = db.Column(db.Enum("open", "paid", native_enum=False, create_constraint=True))


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    migrate.init_app(app, db)
    return app
'''

REVISION = "e52b90c47f18"
# What plain Flask-Migrate wrote for the above, but for a rule that a person added by SQL.
REVISION_FILE = f"""\
\"\"\"Begin\"\"\"
from alembic import op
import sqlalchemy as sa

revision = {REVISION!r}
down_revision = None


def upgrade():
    op.create_table('users',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('email', sa.String(length=120), nullable=False),
    sa.Column('name', sa.String(length=50), nullable=True),
    sa.PrimaryKeyConstraint('id'),
    sa.UniqueConstraint('email')
    )
    op.create_table('orders',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.Integer(), nullable=False),
    sa.Column('quantity', sa.Integer(), nullable=False),
    sa.CheckConstraint('quantity > 0'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], ),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('orders', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_orders_user_id'), ['user_id'], unique=False)
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.add_column(sa.Column('active', sa.Boolean(), server_default=sa.text('true'), nullable=False))
    op.execute("ALTER TABLE orders ADD state VARCHAR(4) CHECK (state IN ('open', 'paid'))")


def downgrade():
    pass
"""

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
    """The project in a folder."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder = folder
        self.environment = {"DATABASE_URL": environment["DATABASE_URL"], "FLASK_APP": "shop", "PYTHONPATH": str(folder)}

    def begin(self) -> None:
        """Write its files, as a developer and plain Flask-Migrate do."""
        self.write("shop.py", SHOP)
        self.flask("db", "init")
        self.write(f"migrations/versions/{REVISION}_begin.py", REVISION_FILE)

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
