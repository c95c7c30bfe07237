"""Zero-downtime migrations for Flask-Migrate on PostgreSQL: expand and contract, in operations that lock briefly.

init_app() sets it up. migrations/env.py calls run(), which is what `flask db …` then does.
"""

from typing import Any

import click
from flask import Flask

from online_migrations import boot_gate
from online_migrations.errors import ReleaseError
from online_migrations.options import Options

__all__ = ["Options", "ReleaseError", "boot_gate", "init_app", "run"]


class LazyRelease(click.Command):
    """`flask release`, imported on first use: a process that serves does not need a third of this library."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        from online_migrations.cli import release

        return release.make_context(*arguments, **options)  # whose command is `release` itself


def init_app(app: Flask, options: Options) -> None:
    """Tell the library about the project, register `flask release`, and close the boot gate (boot_gate.py).

    Flask-Migrate is initialized beside it. A project whose health checks have to pass the boot gate, or that wants it
    at another place among its before_request() functions, calls boot_gate.init_app() before this.
    """
    app.extensions["release"] = options
    app.cli.add_command(LazyRelease("release", short_help="See and check schema changes."))
    if "boot_gate" not in app.extensions:
        boot_gate.init_app(app, exempt=())


def run() -> None:
    """Run the `flask db` command that has loaded env.py. Raises: ReleaseError, with its sentence and exit code."""
    from online_migrations import runner  # a process that serves does not need it

    runner.run()
