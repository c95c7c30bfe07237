"""Unsafe statements that somebody may have a reason for."""

from tests.release.revision_corpus import (
    unsafe_access,
    unsafe_columns,
    unsafe_locks,
    unsafe_objects,
    unsafe_rewrites,
    unsafe_rules,
    unsafe_tables,
    unsafe_writes,
)
from tests.release.revision_corpus.cases import Unsafe

EXCUSABLE = [
    Unsafe(unsafe_columns.DROP_COLUMN, "SQL"),
    Unsafe(unsafe_columns.DROP_COLUMN, "in an autocommit_block"),
    Unsafe(unsafe_columns.DROP_COLUMN, "by our own operation"),
    Unsafe(unsafe_columns.DROP_MAPPED_COLUMN, "op"),
    Unsafe(unsafe_tables.DROP_TABLE, "op"),
    Unsafe(unsafe_tables.RENAME_TABLE, "in a DO block"),
    Unsafe(unsafe_objects.DROP_FUNCTION, "SQL"),
    Unsafe(unsafe_rules.SET_NOT_NULL, "op"),
    Unsafe(unsafe_rules.UNIQUE_COLUMNS, "op"),
    Unsafe(unsafe_rewrites.CHANGE_TYPE, "SQL"),
    Unsafe(unsafe_rewrites.VOLATILE_DEFAULT, "gen_random_uuid()"),
    Unsafe(unsafe_rewrites.BUILD_INDEX, "op"),
    Unsafe(unsafe_locks.CHECK_UNDER_LOCK, "SQL"),
    Unsafe(unsafe_writes.UPDATE_ALL, "SQL"),
    Unsafe(unsafe_writes.DELETE_ALL, "TRUNCATE"),
    Unsafe(unsafe_access.OWNER, "SQL"),
]
