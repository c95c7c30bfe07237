"""Zero-downtime migrations for Flask-Migrate on PostgreSQL: expand and contract, in operations that lock briefly.

init_app() sets it up. migrations/env.py calls runner.run(), which is what `flask db …` then does.
"""

from flask import Flask

from app.release.commands import release
from app.release.options import Options

__all__ = ["Options", "init_app"]


def init_app(app: Flask, options: Options) -> None:
    """Tell the library about the project, and register `flask release`. Flask-Migrate is initialized beside it."""
    app.extensions["release"] = options
    app.cli.add_command(release)
