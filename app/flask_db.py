"""`flask db` needs the database alone, so it also runs where the environment lacks what the pages need.

flask loads the application before it tells which command was asked for, unless that is one of its own (run, routes,
shell). So an application that cannot serve is loaded all the same, and its commands say what is lacking.
"""

import click
from flask.cli import AppGroup


class OnlyDb(AppGroup):
    """Offer the commands of an application that cannot serve: `flask db`, or the error that it is told; all others are
    told what it lacks.
    """

    def __init__(self, lacks: click.UsageError, db: click.Command | click.UsageError) -> None:
        super().__init__()
        self._lacks = lacks
        self._db = db

    def get_command(self, ctx: click.Context, name: str) -> click.Command:
        if name != "db":
            raise self._lacks
        if isinstance(self._db, click.UsageError):
            raise self._db
        return self._db

    def list_commands(self, ctx: click.Context) -> list[str]:
        click.echo(f"Error: {self._lacks.message}\n", err=True)
        return []


def may_be_asked_for() -> bool:
    """Tell if a `flask` command loads the application, and it is not known which."""
    command = click.get_current_context(silent=True)
    return command is not None and command.find_root().invoked_subcommand is None
