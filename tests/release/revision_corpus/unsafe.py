"""Every unsafe revision of the corpus."""

from tests.release.revision_corpus import (
    unsafe_access,
    unsafe_columns,
    unsafe_locks,
    unsafe_objects,
    unsafe_rewrites,
    unsafe_rules,
    unsafe_tables,
    unsafe_transactions,
    unsafe_writes,
)
from tests.release.revision_corpus.cases import Danger, Unsafe

DANGERS: tuple[Danger, ...] = (
    *unsafe_columns.DANGERS,
    *unsafe_tables.DANGERS,
    *unsafe_objects.DANGERS,
    *unsafe_rules.DANGERS,
    *unsafe_rewrites.DANGERS,
    *unsafe_locks.DANGERS,
    *unsafe_writes.DANGERS,
    *unsafe_access.DANGERS,
    *unsafe_transactions.DANGERS,
)
UNSAFE = [Unsafe(danger, spelling) for danger in DANGERS for spelling in danger.spellings]
