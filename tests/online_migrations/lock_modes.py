"""The locks that the page of operations names: one for each kind of statement that an operation sends."""

import re

from online_migrations.sql import normalize, split_statements

# How a statement begins: its lock on the table that it names. test_sql.py asks the server for each.
LOCKS = {
    r"LOCK TABLE .* IN SHARE ROW EXCLUSIVE MODE|CREATE OR REPLACE TRIGGER|ALTER TABLE .* FOREIGN KEY": (
        "SHARE ROW EXCLUSIVE"
    ),
    r"LOCK TABLE|(CREATE|DROP) (UNIQUE )?INDEX CONCURRENTLY|ALTER TABLE \S+ VALIDATE|COMMENT ON|ANALYZE": (
        "SHARE UPDATE EXCLUSIVE"
    ),
    r"ALTER TABLE|DROP (TABLE|VIEW|TRIGGER)": "ACCESS EXCLUSIVE",
    r"UPDATE|INSERT INTO|DELETE FROM": "ROW EXCLUSIVE",
}
STRONGEST_LAST = ("ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE")


def lock_comment(line: str) -> str:
    taken = [lock for statement in split_statements(line) if (lock := lock_of(normalize(statement)))]
    return f"  -- {max(taken, key=STRONGEST_LAST.index)}" if taken else ""


def lock_of(statement: str) -> str | None:
    return next((lock for pattern, lock in LOCKS.items() if re.match(pattern, statement)), None)
