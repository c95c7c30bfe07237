"""Checks of the revisions: the database's revision, the files of the code, and the ledger."""

import os
from collections.abc import Iterator
from itertools import dropwhile

from alembic.script import Script
from sqlalchemy import Connection

from online_migrations import revisions, state
from online_migrations.doctor.checks import ERROR, WARNING, Diagnosis
from online_migrations.revisions import content_hashes, script_directory
from online_migrations.state import SchemaState, database_revisions, ledger
from online_migrations.state.tables import LEDGER, exists


def check_revisions(connection: Connection, found: SchemaState) -> Iterator[Diagnosis]:
    """Check the revisions. Two files of one revision, or a version that is wrong, explain all the rest."""
    yield from list(duplicate_revision_files()) or list(other_version(connection, found)) or revision_state(found)
    if found.name in (state.AT_HEAD, state.BEHIND) and found.database_revision and exists(connection, LEDGER):
        applied = database_revisions(connection)
        history = list(script_directory().iterate_revisions(tuple(applied), "base"))[::-1]
        yield from ledger_gap(connection, applied, [script.revision for script in history])
        yield from edited_revisions(connection, history)


def duplicate_revision_files() -> Iterator[Diagnosis]:
    """Find revisions with two files, of which Alembic applies one: the steps of the other are missing."""
    for revision, names in revisions.duplicate_revisions(script_directory()).items():
        what = f"Revision {revision} has several files, {', '.join(names)}, of which only one is ever applied."
        yield Diagnosis(ERROR, "revision-twice", what, f"flask release lint {revision}")


def other_version(connection: Connection, found: SchemaState) -> Iterator[Diagnosis]:
    """Compare alembic_version with the ledger. A downgrade moves both, so one was changed by hand if they differ."""
    entries, applied = ledger.read_entries(connection), database_revisions(connection)
    newest_first = [script.revision for script in script_directory().walk_revisions()]
    if ran := [revision for revision in found.pending if revision in entries]:
        right, why = ran[-1], f"by the ledger {ran[-1]} ran after it"
    elif found.name == state.UNKNOWN and revisions.known_revisions(script_directory()).issuperset(applied):
        right, why = min(applied, key=newest_first.index), "one of it comes before the other"
    else:
        return
    what = f"alembic_version holds {found.database_revision or 'no revision'}, and {why}: somebody changed it by hand."
    yield Diagnosis(ERROR, "other-version", what, f"flask db stamp --purge {right}")


def revision_state(found: SchemaState) -> list[Diagnosis]:
    """Say where the database is, unless it is at the code's one head, as the commands do that are refused there."""
    is_on_the_way = found.name in (state.AT_HEAD, state.BEHIND)
    if is_on_the_way and (unmerged := revisions.unmerged_heads(script_directory())):
        what = state.two_heads(found, unmerged)
        return [Diagnosis(ERROR, "two-heads", what, 'flask db merge heads -m "Merge"')]
    several = " heads" if "," in found.code_head else ""
    unknown = found.foreign[-1] if found.foreign else found.database_revision
    severity, rule, command = {
        state.AT_HEAD: ("", "", ""),
        state.BEHIND: (ERROR, "behind", f"flask db upgrade{several}"),
        state.AHEAD: (WARNING, "ahead", "git pull"),
        state.AHEAD_CONTRACT: (ERROR, "ahead-contract", "git pull"),
        state.UNKNOWN: (ERROR, "unknown-revision", f"git log --all -S {unknown} -- migrations/versions"),
    }[found.name]
    return [Diagnosis(severity, rule, state.refusal(found), command)] if rule else []


def ledger_gap(connection: Connection, applied: list[str], history: list[str]) -> Iterator[Diagnosis]:
    """Find revisions of the history up to what was applied that are not in the ledger, since its first one."""
    entries = ledger.read_entries(connection)
    since_the_first = list(dropwhile(lambda revision: revision not in entries, history)) or history
    if missing := [revision for revision in since_the_first if revision not in entries]:
        what = (
            f"The ledger has lost {', '.join(missing)}, which ran here: after a rollback, older code could not tell"
            " whether it runs on this database."
        )
        yield Diagnosis(ERROR, "ledger-gap", what, f"flask db stamp --purge {' '.join(applied)}")


def edited_revisions(connection: Connection, history: list[Script]) -> Iterator[Diagnosis]:
    """Find files that do something else than the file of that number did which ran here."""
    ran = ledger.read_contents(connection)
    edited = [one for one in history if one.revision in ran and ran[one.revision] not in content_hashes(one.path)]
    all_scripts = script_directory().walk_revisions() if edited else ()
    numbers = {hash_: script.revision for script in all_scripts for hash_ in content_hashes(script.path)}
    for script in edited:
        if number := numbers.get(ran[script.revision]):
            what = f"What ran here as {script.revision} is {number} in this code."
            yield Diagnosis(ERROR, "renumbered-revision", what, "flask db upgrade")
        else:
            what = (
                f"{script.revision} in this code is not what ran here as {script.revision}: its file was edited since,"
                " or another revision had its number. Put the file back as it was; what it lacks is a new revision."
            )
            yield Diagnosis(ERROR, "edited-revision", what, f"git log -p -- {os.path.relpath(script.path)}")
