"""Rules: which effects a revision's phase allows, what each would do to the live release, and what to write instead.

`expand` promises that the previous release runs on the result, so it takes nothing and requires nothing. `contract` may
take what the live release does not map any more, and require what that release always writes. What makes requests wait
is allowed in neither. A downgrade is judged as a contract.
"""

from collections.abc import Mapping
from typing import NamedTuple

from online_migrations import options
from online_migrations.guard.effect import Effect
from online_migrations.guard.snapshot import Snapshot
from online_migrations.state.ledger import EXPAND
from online_migrations.state.live import Usage
from online_migrations.state.tables import TOOL_TABLES, VERSION_TABLE


class Rule(NamedTuple):
    what: str  # would happen; {subject} stands for the table, column or index
    instead: str  # what to write


NOT_IN_EXPAND = "An expand step must not, since the previous release serves while it runs."
IN_USE = "The live release still uses it."
LATER = 'Do it in a revision with phase = "contract".'
EXCUSE = 'Say why it is safe, with excused("…") around the statement.'
RETIRE = (
    "First release code that does without it, with retire_column_online() or retire_table_online(); then do this in a"
    ' revision with phase = "contract".'
)
# Effects that only a contract may have, on what the live release does not map.
TAKES = {
    "drops-table": Rule("{subject} and its rows would be gone.", RETIRE),
    "drops-column": Rule("{subject} would be gone.", RETIRE),
    "renames-table": Rule(
        "The previous release knows {subject} by its old name only.",
        "Use rename_with_view(), which leaves a view of the old name; drop_compat_view() one release later.",
    ),
    "hides-table": Rule(
        "A role looks into the schema of its own name first, and would find another table there in the place of"
        " {subject}.",
        "Give the schema, or the table, another name.",
    ),
    "renames-column": Rule(
        "The previous release knows {subject} by its old name only.",
        "Name the attribute again in the model and leave the column: mapped_column('old_name').",
    ),
    "changes-type": Rule(
        "The previous release reads and writes {subject} as the type that it was.",
        "Use change_type_online(), or widen_text_online() for a text that only gets longer.",
    ),
    "revokes": Rule("{subject} would lose a privilege or its owner.", LATER),
    "hides-rows": Rule(
        "Row security of {subject} would hide its rows, and refuse new ones, but for what a policy lets through.",
        'Say which policy lets all through that code reads and writes, with excused("…") around the statement.',
    ),
    "shows-other-rows": Rule(
        "Queries of {subject} would show other rows: a table begins or ceases to be a part of it.",
        'Say why that is what the previous release expects, with excused("…") around the statement.',
    ),
    "adds-behaviour": Rule(
        "Nobody can tell from the catalog what {subject} does to rows that the previous release writes.", EXCUSE
    ),
}
# Effects that only a contract may have, whatever the live release maps: its code no longer needs what they change.
# REFUSES_LIVE makes exceptions.
CONTRACTS = {
    "drops-constraint": Rule(
        "The previous release may count on {subject}, by which rows go together.",
        'Do it in a revision with phase = "contract", one release after the code that needs it.',
    ),
    "drops-unique": Rule(
        "The previous release may count on {subject}, to find one row for a value.",
        'Do it in a revision with phase = "contract", one release after the code that needs it.',
    ),
    "drops-behaviour": Rule(
        "What the server does by itself, {subject}, would stop; the previous release counts on it.", LATER
    ),
    "drops-object": Rule("{subject} would be gone.", LATER),
    "drops-default": Rule("Inserts of the previous release leave {subject} to its default.", LATER),
    "changes-default": Rule(
        "Inserts of the previous release may leave {subject} to its default; nothing proves that this one is taken.",
        "Set one that the column's type, NOT NULL, CHECKs and keys take; or do it in a revision with"
        ' phase = "contract".',
    ),
    "requires-value": Rule(
        "The previous release may write NULL into {subject}.",
        'Use set_not_null_online() in a revision with phase = "contract", one release after the code that fills it.',
    ),
    "requires-more": Rule(
        "{subject} may refuse what the previous release writes.",
        'Do it in a revision with phase = "contract", one release after the code that writes only what it allows.',
    ),
    "narrows-check": Rule(
        "{subject} may refuse what the previous release writes: nothing proves that it takes what the old one took.",
        'Do it in a revision with phase = "contract". Or if it does take all, say so by excused("…") around the call.',
    ),
    "publishes-less": Rule(
        "Subscribers of {subject} would miss rows or changes that it sends now.",
        'Say what its subscribers do without them, with excused("…") around the statement; or use phase = "contract".',
    ),
    "changes-setting": Rule(
        "Every new session of the previous release would begin with {subject}.",
        'Set it in the code that needs it, or in a revision with phase = "contract".',
    ),
    "refuses-sessions": Rule(
        "New sessions of the previous release may be refused, by {subject}.",
        'Do it in a revision with phase = "contract", when no more of them are open.',
    ),
}
# Effects that a contract may have, unless what the live release maps says that its own writes would be refused.
REFUSES_LIVE = {
    "requires-value": Rule(
        "The live release may write NULL into {subject}: its model allows that, or does not know the column.",
        'First release code that always fills it. Then say since when, with excused("…") around the call.',
    ),
    "drops-unique": Rule(
        "The live release may name {subject} in ON CONFLICT, since its models declare it.",
        "First release code whose models do without it, and this revision after that. Or say why no statement names"
        ' it, with excused("…") around the call.',
    ),
    "drops-default": Rule(
        "Inserts of the live release leave {subject} to its default.",
        "First release code whose model has no such default, and this revision after that.",
    ),
    "changes-default": Rule(
        "Inserts of the live release leave {subject} to its default; nothing proves that this one is taken.",
        "Set one that the column's type, NOT NULL, CHECKs and keys take.",
    ),
}
# Effects that no phase may have: requests would fail or wait.
NEVER = {
    "restarts-sequence": Rule(
        "{subject} would turn around, begin again or end sooner, and give numbers that rows have already, or none.",
        "Leave the sequence as it is.",
    ),
    "sets-sequence-back": Rule(
        "{subject} gives numbers that rows have already, or nobody can tell; setval() is not undone by a rollback.",
        "Leave it out, and see where the sequence stands now with: flask release doctor.",
    ),
    "changes-function": Rule(
        "{subject} would do something else, and nobody can tell from the catalog what: live code, a trigger, an index"
        " or a default may call it.",
        f"Create one of a new name, and let new code call that. Else: {EXCUSE}",
    ),
    "overloads": Rule(
        "{subject} may be chosen in the place of one that the live release means, or make its SQL ambiguous.",
        f"Give it a name that nothing else has. Else: {EXCUSE}",
    ),
    "deletes-rows": Rule(
        "{subject} would be gone, also by ON DELETE CASCADE, and the live release may still show them.",
        'Delete in code that asks for it. Or say why nobody misses them, with excused("…") around the statement.',
    ),
    "requires-new-column": Rule(
        "{subject} is required and has no default: inserts of the live release would fail.",
        "Use add_column_online() with a constant server_default.",
    ),
    "rewrites-table": Rule(
        "All of {subject} would be rewritten, or emptied, while no request can even read it.",
        "Use add_column_online() with a constant default or none and backfill(), or change_type_online().",
    ),
    "scans-for-null": Rule(
        "Every row would be read for a NULL in {subject} under ACCESS EXCLUSIVE: all requests wait.",
        "Use set_not_null_online(), which validates a CHECK first, beside the requests.",
    ),
    "validates-under-lock": Rule(
        "Every row would be checked for {subject} under the lock of the table: requests wait.",
        "Use add_check_online() or add_foreign_key_online(): NOT VALID first, then validated in another transaction.",
    ),
    "builds-index-under-lock": Rule(
        "Nobody could write to the table until {subject} is built.", "Use create_index_online() or add_unique_online()."
    ),
    "leaves-invalid-index": Rule(
        "{subject} is INVALID: every write pays for it and no query uses it.",
        "Use create_index_online(), which drops an INVALID one and rebuilds it.",
    ),
    "writes-many-rows": Rule(
        "Its rows stay locked until the last one is written; requests that write {subject} wait for that.",
        "Use backfill(), which writes and commits a few hundred rows at a time and goes on where it was stopped: a"
        " revision inserts and updates 1,000 rows at most.",
    ),
    "writes-under-lock": Rule(
        "{subject} are written while no request can even read the table.",
        "Give the writing a revision of its own, or use backfill().",
    ),
    "locks-two-tables": Rule(
        "It holds {subject} under ACCESS EXCLUSIVE together: a request that uses them in another order deadlocks.",
        "Give each table a revision of its own.",
    ),
    "changes-lock-timeout": Rule(
        "With {subject} it may wait for a lock without an end, and every request on the table waits behind it.",
        "Leave lock_timeout as it is; a lock that is not to be had is tried again.",
    ),
    "refuses-changes": Rule(
        "UPDATE and DELETE of {subject} would fail: it is published for replication, and nothing identifies its rows.",
        "Give it a primary key or REPLICA IDENTITY FULL before, or leave it out of the publication.",
    ),
    "ends-sequence": Rule(
        "{subject} would give few numbers more, and then inserts fail. A rollback does not undo setval().",
        "Leave setval() out, and see where the sequence stands now with: flask release doctor.",
    ),
    "rolls-back": Rule(
        "{subject} takes back what the revision did before it, which is then recorded as done.", "Leave it out."
    ),
    "writes-tool-table": Rule(
        "{subject} says what ran and what is live; by what a revision writes there, others are judged.",
        "Leave it out: the release commands keep these tables.",
    ),
    "ends-transaction": Rule(
        "{subject} would end the transaction in which the revision is judged and recorded.",
        "Leave it out: each revision is one transaction.",
    ),
}


def in_database(release: Mapping[str, Usage], catalog: Snapshot, schema: str) -> dict[str, Usage]:
    """Return the same by all tables through which the release reads and writes, with their schemas.

    Besides its own those are the parts of a table, which hold its rows; the table behind a view that stands in for it;
    and the tables of tools, such as the job queue's, which it uses without a model.

    Args:
        schema: in which it finds a table that it names without one.
    """
    live = {table if "." in table else f"{schema}.{table}": usage for table, usage in release.items()}
    found = {**_of_tools(catalog, schema), **live}
    for _, thing in catalog.relations():
        if thing.name in live and thing.facts["reads"]:
            behind = [catalog.get(("relation", oid, 0)) for oid in thing.facts["reads"]]
            found |= {table.name: live[thing.name] for table in behind if table and table.name not in found}
    for key, thing in catalog.relations():
        whole = next((name for name in catalog.wholes(key) if name in found), None)
        if whole is not None and thing.name not in found:
            found[thing.name] = found[whole]
    return found


def _of_tools(catalog: Snapshot, schema: str) -> dict[str, Usage]:
    own = (*TOOL_TABLES, VERSION_TABLE)
    names = ((table, table.removeprefix(f"{schema}."), columns) for table, columns in catalog.tables().items())
    return {
        table: Usage(columns, nullable=columns, left_to_default=columns)
        for table, name, columns in names
        if name in own or options.is_of_a_tool(name)
    }


class Violation(NamedTuple):
    effect: Effect
    what: str
    instead: str


class Judge(NamedTuple):
    """Hold what a revision is judged by; the rest by tables."""

    phase: str
    live: Mapping[str, Usage] | None  # what the live release does with them; None: no release has said so
    there: Mapping[str, frozenset[str]]  # columns of those that were there before the run
    retired: Mapping[str, frozenset[str]]  # columns that carried the mark before the run


def judge(effect: Effect, by: Judge) -> Violation | None:
    """Return why the effect is not allowed; None when it is."""
    if effect.table and effect.table not in by.there:
        return None  # the run has made the table, so no release uses it
    if effect.code in NEVER:
        return _violation(effect, NEVER[effect.code])
    rule = TAKES.get(effect.code) or CONTRACTS[effect.code]
    if by.phase == EXPAND:
        is_accepted = effect.code in ("requires-more", "requires-value") and _is_left_out(effect, by)
        return None if is_accepted else _violation(effect, rule, NOT_IN_EXPAND)
    is_nobodys = not effect.table and effect.code == "adds-behaviour"  # a function that triggers call, on any table
    if effect.code in TAKES and (is_nobodys or is_in_use(effect, by)):
        return _violation(effect, rule, IN_USE)
    usage = (by.live or {}).get(effect.table)
    if effect.code in REFUSES_LIVE and usage is not None and _refuses(effect, usage):
        return _violation(effect, REFUSES_LIVE[effect.code])
    return None


def _refuses(effect: Effect, usage: Usage) -> bool:
    """Tell whether what the live release may write would be refused."""
    if effect.code == "requires-value":
        has_default = bool(effect.columns)
        is_left_out = effect.column not in usage.columns
        return effect.column in usage.nullable or (is_left_out and not has_default)
    if effect.code == "drops-unique":
        return usage.declares(effect.unique, effect.columns)
    return effect.column in usage.left_to_default or effect.column not in usage.columns


def _is_left_out(effect: Effect, by: Judge) -> bool:
    """Tell whether the live release leaves out one of the columns, or all of them, so that its rows are accepted."""
    unwritten = set(effect.columns) - written(effect, by)
    return unwritten == set(effect.columns) != set() if effect.leaves_all_out else bool(unwritten)


def written(effect: Effect, by: Judge) -> frozenset[str]:
    """The columns that the live release may write. Of a table that it does not map all: others may write it."""
    usage = (by.live or {}).get(effect.table)
    return by.there.get(effect.table, frozenset()) if usage is None else usage.columns


def is_in_use(effect: Effect, by: Judge) -> bool:
    """Tell whether the live release uses what is taken. Without its word: unless it was retired before the run."""
    wanted = set(effect.columns)
    if by.live is not None:
        usage = by.live.get(effect.table)
        return usage is not None and (not wanted or bool(usage.columns & wanted))
    marked = by.retired.get(effect.table)
    return marked is None or (bool(marked) and not wanted <= marked)


def _violation(effect: Effect, rule: Rule, because: str = "") -> Violation:
    what = rule.what.replace("{subject}", effect.subject)
    return Violation(effect, f"{what} {because}".rstrip(), rule.instead)
