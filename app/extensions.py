"""The extensions, unbound: create_app() binds them. Imports nothing of ours, so that everything can import it."""

from collections.abc import Mapping
from typing import Any

from flask_babel import Babel
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import CursorResult, Executable, MetaData
from sqlalchemy.orm import DeclarativeBase

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every constraint has a name that can be told from its table and columns, so a migration can drop it by name."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


# A row that was read stays as it was read: nothing is fetched again behind a commit.
db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"expire_on_commit": False})
migrate = Migrate()
login = LoginManager()
csrf = CSRFProtect()
babel = Babel()


def read(statement: Executable, parameters: Mapping[str, Any]) -> CursorResult[Any]:
    """Run a query for rows of named columns, in the session's transaction but past the ORM (SQLAlchemy Core).

    The ORM's bookkeeping is for entities. Without one it costs as much again as the statement.
    """
    return db.session.connection().execute(statement, parameters)
