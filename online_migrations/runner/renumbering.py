"""Renumbered and edited revisions: what ran here, compared with the files of this code by content hash.

Two branches that each add revision 0015 are merged by giving one of them the next number. On a database that ran that
one as 0015, the ledger's row moves to the new number, the version goes back, and the upgrade runs what is missing.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, text

from online_migrations.errors import ReleaseError
from online_migrations.revisions import content_hashes
from online_migrations.state import ledger

_VERSION = text("UPDATE alembic_version SET version_num = :parent")
_MOVE = text(
    "UPDATE schema_ledger SET revision = :to, renumbered_from = :was WHERE revision = :was AND content_hash = :hash"
)

log = logging.getLogger(__name__)


class Renumbered(NamedTuple):
    was: str
    now: str
    hash: str

    def __str__(self) -> str:
        return f"what ran here as {self.was} is {self.now} in this code; its row in the ledger moves"


def put_right(connection: Connection, code: ScriptDirectory, applied: list[str]) -> None:
    """Follow a renumbering that find() finds. Commits."""
    found = find(connection, code, applied)
    if found is None:
        return
    moved, parent = found
    for one in moved:
        log.warning("%s", one)
    for one in moved:  # the highest first, so the new number is free
        connection.execute(_MOVE, {"was": one.was, "to": one.now, "hash": one.hash})
    connection.execute(_VERSION, {"parent": parent})
    connection.commit()


def find(connection: Connection, code: ScriptDirectory, applied: list[str]) -> tuple[list[Renumbered], str] | None:
    """Return what has another number now, and the revision from which the upgrade goes on; None: nothing has.

    Refuse a file that was edited after it had run here. `applied` is what alembic_version holds.
    """
    ran = ledger.read_contents(connection)
    scripts = list(code.iterate_revisions(tuple(applied), "base")) if applied else []
    kept = [script for script in scripts if script.revision in ran]
    changed = [script for script in kept if ran[script.revision] not in content_hashes(script.path)]
    if not changed:
        return None
    numbers = {hash_: script.revision for script in code.walk_revisions() for hash_ in content_hashes(script.path)}
    hashes = {script.revision: ran[script.revision] for script in changed}
    if len(applied) > 1 or not numbers.keys() >= set(hashes.values()):
        raise ReleaseError(_edited(changed[-1]))
    return [Renumbered(was, numbers[hash_], hash_) for was, hash_ in hashes.items()], str(changed[-1].down_revision)


def without_what_ran(steps: Iterable[MigrationStep], ran: Mapping[str, str]) -> Iterator[Any]:
    """Yield Alembic's steps; one whose content (`ran`: its hash) ran under another number only moves the version."""
    for step in steps:
        upgrade = step.revision if isinstance(step, RevisionStep) and step.is_upgrade else None
        if upgrade and ran.get(upgrade.revision) in content_hashes(upgrade.path):
            log.info("%s ran here under another number", upgrade.revision)
            step.migration_fn = lambda **_: None
        yield step


def _edited(script: Script) -> str:
    return (
        f"{script.revision} is another one in this code than the {script.revision} that ran on this database: its file"
        " was edited since, or it took the number of a revision that is lost. Nothing was changed. Put the file back as"
        f" it was, which this shows: git log -p -- {script.path} — and write what it lacks as a new revision, with:"
        " flask db migrate"
    )
