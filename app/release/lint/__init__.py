"""`flask release lint`: find unsafe migrations by reading their SQL, without a database."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData

from app.release.errors import ReleaseError
from app.release.lint import backward_compatibility, idempotency, locking, squawk, table_rewrites, unrecognized
from app.release.lint.advice import OURS, SQUAWK, Advice
from app.release.lint.revision import Columns, Revision
from app.release.revision_files import duplicate_revisions
from app.release.sql.render import Rendered, Statement, render

RULES = (
    backward_compatibility.phase_missing,
    backward_compatibility.breaks_previous_release,
    backward_compatibility.drops_what_is_mapped,
    backward_compatibility.renames_table_or_column,
    locking.whole_table_write,
    locking.unreadable_block,
    locking.keeps_invalid_index,
    locking.validate_under_lock,
    locking.set_not_null_unchecked,
    table_rewrites.table_rewrite,
    idempotency.not_rerunnable,
    unrecognized.unrecognized_statement,
    unrecognized.branches_on_offline_mode,
)
# `safety_assured` says why a step is safe. It does not replace a phase or a unique revision id.
INEXCUSABLE = ("phase-missing", "phase-unknown", "revision-twice")


class Finding(NamedTuple):
    revision: str
    file: str
    line: int | None
    rule: str
    statement: str | None
    what: str
    instead: str
    excused: str | None  # the revision's safety_assured


def lint(script_directory: ScriptDirectory, metadata: MetaData, only: Sequence[str] = ()) -> list[Finding]:
    """The findings, in the order of the revisions, one for each cause.

    Args:
        metadata: of the models: which tables and columns the code still maps, and the naming convention.
        only: revisions to look at; all when empty.

    Raises:
        ReleaseError: a revision is unknown, or squawk is not installed.
    """
    wanted = _wanted(script_directory, only)
    history = [(script, render(script, metadata)) for script in script_directory.walk_revisions()][::-1]
    mapped = {table.name: frozenset(table.columns.keys()) for table in metadata.tables.values()}
    duplicates = duplicate_revisions(script_directory)
    findings: list[Finding] = []
    for position, (script, rendered) in enumerate(history):
        if script.revision in wanted:
            if names := duplicates.get(script.revision):
                findings.append(
                    _finding(
                        script,
                        "revision-twice",
                        None,
                        OURS["revision-twice"],
                        ", ".join(names),
                    )
                )
            later = [statement for _, after in history[position + 1 :] for statement in after.statements]
            findings += _findings(script, rendered, later, mapped)
    return findings


def _wanted(script_directory: ScriptDirectory, only: Sequence[str]) -> set[str]:
    if not only:
        return {script.revision for script in script_directory.walk_revisions()}
    try:
        found = [script for name in only for script in script_directory.get_revisions(name)]
    except CommandError as error:
        raise ReleaseError(f"{error}; the revisions are listed by: flask db history") from error
    return {script.revision for script in found}


def _findings(script: Script, rendered: Rendered, later: list[Statement], mapped: Columns) -> Iterator[Finding]:
    revision = Revision(script, rendered, later, mapped)
    if rendered.unreadable:
        advice, reason = OURS["unreadable"], rendered.unreadable.reason
        yield _finding(script, "unreadable", None, advice, reason)._replace(line=rendered.unreadable.line)
    violations = [found for rule in RULES for found in rule(revision)]
    for rule, statement, subject in violations:
        yield _finding(script, rule, statement, OURS.get(rule) or SQUAWK[rule], subject)
    warned = list(squawk.warnings(revision))
    names = {(rule, statement) for rule, statement, *_ in (*violations, *warned)}
    for rule, statement, message, help_text in dict.fromkeys(warned):
        if not any((first, statement) in names for first, second in squawk.SAME_CAUSE if second == rule):
            yield _finding(script, rule, statement, SQUAWK.get(rule, Advice(message, help_text)), "")


def _finding(script: Script, rule: str, statement: Statement | None, advice: Advice, subject: str) -> Finding:
    reason = getattr(script.module, "safety_assured", None)
    is_excused = rule not in INEXCUSABLE and isinstance(reason, str) and reason.strip()
    return Finding(
        revision=script.revision,
        file="/".join(Path(script.path).parts[-3:]),
        line=statement.line if statement else None,
        rule=rule,
        statement=statement.normalized if statement else None,
        what=advice.what.replace("{subject}", subject),
        instead=advice.instead,
        excused=reason if is_excused else None,
    )
