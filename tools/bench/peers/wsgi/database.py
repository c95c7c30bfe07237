"""A connection for each thread."""

import os
import threading
from typing import Any

import psycopg2

local = threading.local()


def execute(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on this thread's connection."""
    if not hasattr(local, "cursor"):
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
        connection.autocommit = True
        local.cursor = connection.cursor()
    local.cursor.execute(sql, values)
    rows: list[tuple[Any, ...]] = local.cursor.fetchall() if local.cursor.description else []
    return rows
