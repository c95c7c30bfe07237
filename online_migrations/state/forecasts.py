"""Forecast: can the code of a release run on the schema as it is, before it is started?

It needs its tables and columns, of types that it can read and write; nothing required that it does not know; and no
rule that did not exist when it was live, but a CHECK that is wider than one of then. Not seen: triggers, row security,
foreign keys of new tables, values that only newer code knows, and SQL that code sends past its models.
"""

import re
from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from online_migrations.compatible_types import is_compatible
from online_migrations.guard.proofs import takes_all
from online_migrations.state import live
from online_migrations.state.live import LiveRelease, MappedColumn, MappedTables, Relation, Rule, StoredColumn

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
