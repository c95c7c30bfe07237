"""Alembic loads this file for every `flask db` command."""

from app.release import runner

runner.run()
