"""Schema state: is the database at, behind or ahead of this code's head revision, and what is there to do?

Where it is ahead, a forecast tells if the code of a release can run on the schema as it is, before it is started. It
needs its tables and columns, of types that it can read and write; nothing required that it does not know; and no
rule that did not exist when it was live, but a CHECK that is wider than one of then. Not seen: triggers, row security,
foreign keys of new tables, values that only newer code knows, and SQL that code sends past its models.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from online_migrations import options, revisions
from online_migrations.compatible_types import is_compatible
from online_migrations.connection import session_obstacle
from online_migrations.guard.proofs import takes_all
from online_migrations.locks import lock_holder
from online_migrations.state import ledger, live
from online_migrations.state.live import LiveRelease, MappedColumn, MappedTables, Relation, Rule, StoredColumn

AT_HEAD = "at_head"
BEHIND = "behind"  # this code has revisions that are pending
AHEAD = "ahead"  # a newer release migrated, and this code still runs
AHEAD_CONTRACT = "ahead_contract"  # a newer release migrated, and this code does not run
UNKNOWN = "unknown"  # no path from the database's revision to this code, neither in the files nor in the ledger

__all__ = [
    "AHEAD",
    "AHEAD_CONTRACT",
    "AT_HEAD",
    "BEHIND",
    "UNKNOWN",
    "SchemaState",
    "applied_revisions",
    "migration_in_progress",
    "read_schema_state",
    "session_obstacle",
]

_DATABASE_REVISIONS = text("SELECT version_num FROM alembic_version ORDER BY version_num")


class SchemaState(NamedTuple):
    name: str  # one of the constants above
    code_head: str  # several, with commas, when branches of the code were not merged
    database_revision: str | None  # several, with commas, in the same case; None before the first migration
    pending: list[str]  # revisions to apply, the first one first
    foreign: list[str]  # revisions that the database has and this code has not, the newest first
    obstacles: tuple[str, ...] = ()  # why this code does not run, where the forecast knows; a clause each


def read_schema_state(connection: Connection, code: ScriptDirectory | None = None) -> SchemaState:
    """Compare the database's revision to the code's. Leaves the transaction open that reading began.

    On a database that is ahead, code that noted here what it uses, when it was live, is judged by the forecast; other
    code by the phases of the steps that it does not have.

    Args:
        code: the revisions to compare with; None: those of migrations/versions.

    Raises:
        OperationalError: the database does not answer.
    """
    code = code or revisions.script_directory()
    applied = database_revisions(connection)
    head, revision = ",".join(sorted(code.get_heads())), ",".join(applied) or None
    if revisions.known_revisions(code).issuperset(applied):
        try:
            pending = [step.revision for step in revisions.pending(code, applied)]
        except RevisionError:  # rows of alembic_version that contradict each other
            return SchemaState(UNKNOWN, head, revision, [], applied)
        return SchemaState(BEHIND if pending else AT_HEAD, head, revision, pending, [])
    steps = ledger.read_steps(connection, code)
    foreign, is_known = ledger.steps_since(steps, applied, code.get_heads())
    if not is_known:  # or the two histories have diverged
        return SchemaState(UNKNOWN, head, revision, [], foreign)
    release = live.own_release(connection, options.current().metadata, head)
    obstacles = tuple(forecast(connection, release)) if release else ()
    contracts = [step for step in foreign if steps[step].phase != ledger.EXPAND]
    name = AHEAD_CONTRACT if (obstacles if release else contracts) else AHEAD
    return SchemaState(name, head, revision, [], foreign, obstacles)


def database_revisions(connection: Connection) -> list[str]:
    """Return what alembic_version holds; nothing when no migration has run."""
    try:
        with connection.begin_nested():
            return list(connection.scalars(_DATABASE_REVISIONS))
    except ProgrammingError:  # there is no such table
        return []


def applied_revisions(connection: Connection) -> dict[str, datetime]:
    """Return by revision when it ran here, as the ledger says."""
    return {row.revision: row.applied_at for row in ledger.read_history(connection)}


def migration_in_progress(connection: Connection) -> bool:
    """Return whether a session holds the migration lock of this project. Leaves the transaction open."""
    return lock_holder(connection) is not None


def ahead_and_compatible(state: SchemaState) -> str:
    """Say after a rollback that there is nothing to do: all newer steps are expand steps."""
    at = f"the database is at {state.database_revision}, ahead of this code at {state.code_head}"
    return f"nothing to do: {at}, by steps that this code runs on ({', '.join(state.foreign)})"


def two_heads(state: SchemaState, unmerged: list[str]) -> str:
    several = f"The code has more than one head ({', '.join(unmerged) or state.code_head})"
    if not unmerged:
        return f"{several}. Apply all of them with: flask db upgrade heads"
    join = "flask db merge heads -m 'Merge' — and then run: flask db upgrade"
    return f"{several}: two branches each added a revision. Join them with: {join}"


def refusal(state: SchemaState) -> str:
    """Return why a command cannot run in this schema state, and which one to type."""
    database, code = state.database_revision or "no revision", state.code_head
    foreign = ", ".join(state.foreign) or database
    obstacles = f" ({'; '.join(state.obstacles)})" if state.obstacles else ""
    return {
        BEHIND: f"The database is at {database} and the code at {code}; {len(state.pending)} pending:"
        f" {', '.join(state.pending)}. Apply them with: flask db upgrade — and then run this command again.",
        AHEAD: f"The database is at {database}, ahead of this code at {code}: a newer release added {foreign}, on which"
        " this code runs. This command needs the newer code: git pull (or deploy the newer commit), then run it again.",
        AHEAD_CONTRACT: f"The database is at {database}, ahead of this code at {code}, and {foreign} took away what"
        f" this code uses{obstacles}. Do not go back: deploy the newer commit again, fixed if need be (roll forward).",
        UNKNOWN: f"The database is at {database}, and neither this code (at {code}) nor the database's ledger knows how"
        f" {foreign} came about; nothing was changed. If it is the right database, find the revision's file with: git"
        f" log --all -S {foreign} -- migrations/versions — and bring it back. Do not stamp: that hides the difference.",
    }[state.name]


# A rule that a row with a NULL in it may break all the same.
_MINDS_NULL = re.compile(r"\bIS (?:NOT )?NULL\b|\bCOALESCE\b|NULLS NOT DISTINCT|num_n(?:on)?nulls", re.IGNORECASE)

# In the text of a rule, what changes when a column becomes text or the database is restored, and means nothing.
_CASTS = re.compile(
    r"::(?:character varying|timestamp with(?:out)? time zone|time with(?:out)? time zone|double precision|bit varying"
    r'|"[^"]+"|[\w.]+)(?:\([\d,]+\))?(?:\[\])*'
)
_BLANKS_AND_PARENTHESES = re.compile(r"[\s()]+")
_TEXTS = re.compile(r"'(?:[^']|'')*'")


def forecast(connection: Connection, release: LiveRelease) -> Iterator[str]:
    """Yield why the release's code cannot run on the database as it is, a clause each. Nothing: it can."""
    relations = live.read_relations(connection, release.mapping)
    for table, mapped in release.mapping.items():
        relation = relations.get(table)
        if relation is None:
            yield f"there is no table {table}"
            continue
        if not relation.writable and not _is_read_only(mapped):
            yield f"{table} is a view that cannot be written"
        yield from _of_mapped_columns(table, mapped, relation)
        yield from _of_required_columns(table, mapped, relation)
        if table in release.rules:  # else it was not there when the release went live
            yield from _of_new_rules(connection, table, mapped, relation, release.rules[table])


def unknown_required(connection: Connection, mapping: MappedTables) -> list[str]:
    """Return what the database requires of rows that code with this mapping cannot give, a clause each."""
    found = live.read_relations(connection, mapping).items()
    return [clause for table, there in found for clause in _of_required_columns(table, mapping[table], there)]


def _is_read_only(mapped: Mapping[str, MappedColumn]) -> bool:
    return all(column["generated"] for column in mapped.values())


def _of_mapped_columns(table: str, mapped: Mapping[str, MappedColumn], relation: Relation) -> Iterator[str]:
    for name, column in mapped.items():
        now = relation.columns.get(name)
        if now is None or now.type is None:
            yield f"there is no column {table}.{name}"
            continue
        if not is_compatible(column["type"], now.type):
            yield f"{table}.{name} is {now.type}, where the code expects {column['type']}"
        if column["not_null"] and not now.not_null:
            yield f"{table}.{name} may be NULL, which the code does not expect"
        if now.not_null and not (column["not_null"] or column["generated"]):
            yield f"{table}.{name} must not be NULL, which the code may write"
        if now.not_null and column["has_default"] and now.default is None:
            yield f"{table}.{name} has no default any more, on which the code relies"
        if now.generated and not column["generated"]:
            yield f"{table}.{name} is written by the database alone, and the code writes it"


def _of_required_columns(table: str, mapped: Mapping[str, MappedColumn], relation: Relation) -> Iterator[str]:
    for name, column in relation.columns.items() if not _is_read_only(mapped) else ():
        if name not in mapped and column.not_null and column.default is None and not column.generated:
            yield f"{table}.{name} is required, and the code does not know it"


def _of_new_rules(
    connection: Connection, table: str, mapped: Mapping[str, MappedColumn], relation: Relation, known: list[str]
) -> Iterator[str]:
    """Tell of rules besides those that the table had when the code was live, whose definitions are known."""
    were = {_meaning(definition) for definition in known}
    kept = [rule for rule in relation.rules if _meaning(rule.definition) in were]
    for rule in relation.rules:
        is_met = rule in kept or any(_implies(other, rule) for other in kept)
        if is_met or not _concerns(rule, mapped, relation.columns):
            continue
        if not any(takes_all(connection, table, before, rule.definition) for before in known):
            yield f"{table} has a rule that the code does not know: {rule.definition}"


def _implies(kept: Rule, rule: Rule) -> bool:
    """Return whether no two rows are alike in the columns of `rule`, since none are in some of them."""
    are_comparable = kept.unique and rule.unique and "WHERE" not in kept.definition
    return are_comparable and "NULLS NOT" not in rule.definition and set(kept.columns) <= set(rule.columns)


def _concerns(rule: Rule, mapped: Mapping[str, MappedColumn], columns: Mapping[str, StoredColumn]) -> bool:
    """Return whether a row of code that leaves the unknown columns to their defaults can break the rule."""
    unknown = [columns[name] for name in rule.columns if name not in mapped]
    if any(column.default is None for column in unknown) and not _MINDS_NULL.search(rule.definition):
        return False  # NULL: not compared
    if rule.unique:  # by a function that gives each row another value, such as nextval(…)
        defaults = [_TEXTS.sub("", column.default or "") for column in unknown]
        return not any(default == "identity" or "(" in default for default in defaults)
    return len(unknown) < len(rule.columns)  # a default alone keeps the rules of its own column


def _meaning(definition: str) -> str:
    return _BLANKS_AND_PARENTHESES.sub("", _CASTS.sub("", definition))
