"""Judgement: which effects a revision's phase allows.

`expand` promises that the release before runs on the result, so it takes nothing and requires nothing. `contract` may
do both, to what the live release does not map any more. What makes requests wait is allowed in neither.
"""

from collections.abc import Mapping
from typing import NamedTuple

from app.release.effects.effect import Effect
from app.release.effects.rules import CONTRACTS, IN_USE, NEVER, NOT_IN_EXPAND, TAKES, Rule
from app.release.ledger import EXPAND


class Violation(NamedTuple):
    effect: Effect
    what: str
    instead: str


# What a release maps: table with its schema: columns.
Mapped = Mapping[str, frozenset[str]]


class Judge(NamedTuple):
    """What a revision is judged by.

    Args:
        phase: of the revision.
        live: what the live release uses; None: no release has said so.
        there: tables and columns that were there before the run.
        retired: those that carried the mark before the run.
    """

    phase: str
    live: Mapped | None
    there: Mapped
    retired: Mapped


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
    if effect.code in TAKES and _is_in_use(effect, by):
        return _violation(effect, rule, IN_USE)
    return None


def _is_left_out(effect: Effect, by: Judge) -> bool:
    """Whether the live release does not write one of the columns, or all of them, so that its rows are accepted."""
    unwritten = left_out(effect, by)
    return unwritten == set(effect.columns) != set() if effect.leaves_all_out else bool(unwritten)


def left_out(effect: Effect, by: Judge) -> set[str]:
    """The columns that the live release does not write."""
    return set(effect.columns) - written(effect, by)


def written(effect: Effect, by: Judge) -> frozenset[str]:
    """The columns that the live release may write. Of a table that it does not map all: others may write it."""
    return (by.live or {}).get(effect.table, by.there.get(effect.table, frozenset()))


def _is_in_use(effect: Effect, by: Judge) -> bool:
    """Whether the live release uses what is taken. Without its word: unless it was retired before the run."""
    wanted = set(effect.columns)
    if by.live is not None:
        columns = by.live.get(effect.table)
        return columns is not None and (not wanted or bool(columns & wanted))
    marked = by.retired.get(effect.table)
    return marked is None or (bool(marked) and not wanted <= marked)


def _violation(effect: Effect, rule: Rule, because: str = "") -> Violation:
    what = rule.what.replace("{subject}", effect.subject)
    return Violation(effect, f"{what} {because}".rstrip(), rule.instead)
