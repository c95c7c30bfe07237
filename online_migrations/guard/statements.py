"""Statements: what one must not be, whatever it does to the catalog.

Most statements are judged by their effects. Text is read only where there is nothing to roll back: transaction control,
and the few commands that PostgreSQL refuses in a transaction. Their grammar is fixed, so a keyword cannot be hidden.
"""

import re
from collections.abc import Iterator

from online_migrations.guard.effect import Change, Effect, is_left_null
from online_migrations.guard.snapshot import Snapshot
from online_migrations.guard.tables import has_narrower_key, index_effects
from online_migrations.sql import NAME, TABLE, normalize, split_at_commas, split_statements, unqualified_name

_ENDS_TRANSACTION = re.compile(
    r"(?:COMMIT|END|ABORT|ROLLBACK(?! (?:WORK |TRANSACTION )?TO)|BEGIN|START TRANSACTION|PREPARE TRANSACTION)\b",
    re.IGNORECASE,
)
# What cannot run in a transaction, and blocks neither reads nor writes.
_CONCURRENT = re.compile(
    rf"(?:CREATE (?P<unique>UNIQUE )?INDEX CONCURRENTLY (?:IF NOT EXISTS )?(?P<created>{NAME} )?"
    rf"ON (?:ONLY )?(?P<table>{TABLE})(?P<rest>.*)"
    rf"|DROP INDEX CONCURRENTLY (?:IF EXISTS )?(?P<dropped>{TABLE}(?: ?, ?{TABLE})*)"
    rf"|REINDEX (?:\(.*?\) ?)?(?:INDEX|TABLE|SCHEMA) CONCURRENTLY {NAME}|VACUUM(?!.*\bFULL\b))",
    re.IGNORECASE,
)
_SAVEPOINT = re.compile(
    rf"SAVEPOINT (?P<made>{NAME})$|ROLLBACK (?:WORK |TRANSACTION )?TO (?:SAVEPOINT )?(?P<rolled_back>{NAME})$",
    re.IGNORECASE,
)
_ENDS_SESSIONS = re.compile(r"\bpg_(?:terminate|cancel)_backend\b", re.IGNORECASE)
# A SELECT that calls no function and makes no table; what a view calls is seen before COMMIT, too.
_ONLY_READS_OR_WRITES = re.compile(
    r"(?:INSERT|UPDATE|DELETE|MERGE|COPY|VALUES|SHOW|EXPLAIN|SET)\b|SELECT\b(?!.*\bINTO\b)[^(]*$", re.IGNORECASE
)


def pieces(sql: str) -> list[str]:
    """Return the statements of a text, each on one line without comments and literals."""
    return [piece for piece in map(normalize, split_statements(sql)) if piece]


def runs_outside_transaction(sql: str) -> bool:
    """Tell whether PostgreSQL refuses the statement in a transaction, and it may run outside of one."""
    return bool(_CONCURRENT.match(normalize(sql)))


def savepoint(sql: str) -> re.Match[str] | None:
    """Match a statement that has made a savepoint, or rolled back to one."""
    return _SAVEPOINT.match(normalize(sql))


def effects_of_text(sql: str, catalog: Snapshot | None) -> Iterator[Effect]:
    """Yield the effects that nobody could undo after it; of the catalog, if it is sent outside of a transaction."""
    for piece in pieces(sql):
        if _ENDS_TRANSACTION.match(piece):
            yield Effect("ends-transaction", piece)
    if ends := _ENDS_SESSIONS.search(sql):
        yield Effect("ends-sessions", f"{ends[0]}()")
    match = _CONCURRENT.match(normalize(sql)) if catalog is not None else None
    if match is None or catalog is None:
        return
    if match["unique"]:
        yield from _of_unique_index(match, catalog)
    dropped = {unqualified_name(name) for name in split_at_commas(match["dropped"] or "") if name}
    for key, thing in catalog.items() if dropped else ():
        if key[0] == "index" and thing.name in dropped:
            yield from index_effects(Change(key, thing, None, catalog, catalog))


def _of_unique_index(match: re.Match[str], catalog: Snapshot) -> Iterator[Effect]:
    """Yield what the index asks of rows that leave one of its columns NULL: two of them are not the same."""
    subject = f"{match['table']}.{(match['created'] or 'a unique index').strip()}"
    keys = re.fullmatch(rf" ?(?:USING BTREE )?\((?P<names>{NAME}(?: ?, ?{NAME})*)\)", match["rest"], re.IGNORECASE)
    found = [
        key for key, thing in catalog.relations() if thing.name.rpartition(".")[2] == unqualified_name(match["table"])
    ]
    if keys is None or len(found) != 1:
        yield Effect("requires-more", subject)
        return
    names = {unqualified_name(name) for name in split_at_commas(keys["names"])}
    columns = [thing for _, thing in catalog.of(found[0], "column") if thing.name in names]
    if not has_narrower_key((thing for _, thing in catalog.of(found[0], "index")), names):
        left_null = tuple(one.name for one in columns if is_left_null(one))
        yield Effect("requires-more", subject, catalog[found[0]].name, left_null)


def invalid_index(sql: str, catalog: Snapshot) -> Iterator[Effect]:
    """Yield the index that CREATE INDEX CONCURRENTLY named, if one that is INVALID has the name afterwards."""
    match = _CONCURRENT.match(normalize(sql))
    name = unqualified_name(match["created"]) if match and match["created"] else None
    for key, thing in catalog.items():
        if key[0] == "index" and thing.name == name and not thing.facts["valid"]:
            yield Effect("leaves-invalid-index", thing.name)


def may_change_catalog(sql: str) -> bool:
    """Tell whether to look at the catalog after it. What a function does that an INSERT calls is seen before COMMIT."""
    return not all(_ONLY_READS_OR_WRITES.match(piece) for piece in pieces(sql))
