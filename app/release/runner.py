"""What `flask db …` runs: migrations/env.py hands over to run().

It opens a connection of its own, on the direct URL and with none of the web's time limits: an index may take minutes.
"""

from collections.abc import Iterable
from typing import Any

import click
from alembic import context
from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from app.extensions import Base

OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "transaction_per_migration": True,  # a failure keeps what was finished before it
    "compare_server_default": True,
}


def run() -> None:
    """Apply, revert, compare or print migrations, as the command that loaded env.py asks."""
    url = current_app.config["MIGRATION_DATABASE_URI"]
    if context.is_offline_mode():
        _migrate(url=url, literal_binds=True)
        return
    engine = create_engine(
        url, poolclass=NullPool, hide_parameters=True, connect_args={"application_name": "semicircle-migrations"}
    )
    with _connect(engine) as connection:
        _migrate(connection=connection)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0]
        raise click.ClickException(
            f"{reason}. In development, `make dev` in another terminal starts a database."
        ) from error


def _migrate(**target: Any) -> None:
    context.configure(process_revision_directives=finish_revision, **target, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def finish_revision(
    migration: MigrationContext, revision: str | Iterable[str | None], directives: list[MigrationScript]
) -> None:
    """Give a new revision the next number, so that the folder lists them in order; write none when nothing changed."""
    [script] = directives
    if getattr(context.config.cmd_opts, "autogenerate", False) and script.upgrade_ops_list[0].is_empty():
        directives.clear()
        return
    revisions = ScriptDirectory.from_config(context.config).walk_revisions()
    script.rev_id = f"{sum(1 for _ in revisions) + 1:04d}"
