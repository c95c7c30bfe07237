"""Alembic loads this file for every `flask db` command."""

from online_migrations import run

run()
