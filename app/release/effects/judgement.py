"""Judgement: which effects a revision's phase allows.

`expand` promises that the release before runs on the result, so it takes nothing and requires nothing. `contract` may
take what the live release does not map any more, and require what that release always writes. What makes requests wait
is allowed in neither. A downgrade is judged as a contract.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.release.effects.effect import Effect
from app.release.effects.rules import CONTRACTS, IN_USE, NEVER, NOT_IN_EXPAND, REFUSES_LIVE, TAKES, Rule
from app.release.effects.usage import Usage
from app.release.ledger import EXPAND


class Violation(NamedTuple):
    effect: Effect
    what: str
    instead: str


class Judge(NamedTuple):
    """What a revision is judged by.

    Args:
        phase: of the revision.
        live: table: what the live release does with it; None: no release has said so.
        there: tables that were there before the run, and their columns.
        retired: those that carried the mark before the run.
    """

    phase: str
    live: Mapping[str, Usage] | None
    there: Mapping[str, frozenset[str]]
    retired: Mapping[str, frozenset[str]]


def judge(effect: Effect, by: Judge) -> Violation | None:
    """Why the effect is not allowed; None when it is."""
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
    """Whether what the live release may write would be refused."""
    if effect.code == "requires-value":
        has_default = bool(effect.columns)
        is_left_out = effect.column not in usage.columns
        return effect.column in usage.nullable or (is_left_out and not has_default)
    if effect.code == "drops-unique":
        return usage.declares(effect.unique, effect.columns)
    return effect.column in usage.left_to_default or effect.column not in usage.columns


def _is_left_out(effect: Effect, by: Judge) -> bool:
    """Whether the live release does not write one of the columns, or all of them, so that its rows are accepted."""
    unwritten = left_out(effect, by)
    return unwritten == set(effect.columns) != set() if effect.leaves_all_out else bool(unwritten)


def left_out(effect: Effect, by: Judge) -> set[str]:
    """The columns that the live release does not write."""
    return set(effect.columns) - written(effect, by)


def written(effect: Effect, by: Judge) -> frozenset[str]:
    """The columns that the live release may write. Of a table that it does not map all: others may write it."""
    usage = (by.live or {}).get(effect.table)
    return by.there.get(effect.table, frozenset()) if usage is None else usage.columns


def is_in_use(effect: Effect, by: Judge) -> bool:
    """Whether the live release uses what is taken. Without its word: unless it was retired before the run."""
    wanted = set(effect.columns)
    if by.live is not None:
        usage = by.live.get(effect.table)
        return usage is not None and (not wanted or bool(usage.columns & wanted))
    marked = by.retired.get(effect.table)
    return marked is None or (bool(marked) and not wanted <= marked)


def _violation(effect: Effect, rule: Rule, because: str = "") -> Violation:
    what = rule.what.replace("{subject}", effect.subject)
    return Violation(effect, f"{what} {because}".rstrip(), rule.instead)
