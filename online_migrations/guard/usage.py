"""What the live release does with each table, by the catalog of a database and by what the release has noted."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from online_migrations import options
from online_migrations.guard.effect import Effect, shown
from online_migrations.guard.snapshot import Snapshot
from online_migrations.state.mapping import MappedTables, UniqueColumns
from online_migrations.state.tables import TOOL_TABLES, VERSION_TABLE


class Usage(NamedTuple):
    """Hold what a release does with one table.

    Args:
        columns: that it reads and may write.
        nullable: those into which it may write NULL.
        left_to_default: those that its inserts may leave out.
        unique: the unique constraints and indexes that its models declare, by which ON CONFLICT finds a row.
    """

    columns: frozenset[str]
    nullable: frozenset[str]
    left_to_default: frozenset[str]
    unique: tuple[UniqueColumns, ...] = ()

    def declares(self, name: str, columns: Collection[str]) -> bool:
        """Tell whether the models declare it unique: by just these columns, or of expressions, under this name."""
        wanted = set(columns)
        return any(set(one["columns"]) == wanted if one["columns"] else one["name"] == name for one in self.unique)


def usages(mapping: MappedTables, unique: Mapping[str, list[UniqueColumns]]) -> dict[str, Usage]:
    """Return what a release uses, by its tables as the models name them: with a schema, or without one."""
    return {
        table: Usage(
            frozenset(columns),
            frozenset(name for name, column in columns.items() if not column["not_null"]),
            frozenset(name for name, column in columns.items() if column["has_default"] or column["generated"]),
            tuple(unique.get(table, ())),
        )
        for table, columns in mapping.items()
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


def with_parts(effects: Iterable[Effect], catalog: Snapshot) -> Iterator[Effect]:
    """Yield effects on tables, and the same on the parts of each: what an operation does to a whole it does to them."""
    parts: dict[str, list[str]] = {}
    for key, thing in catalog.relations():
        for whole in catalog.wholes(key):
            parts.setdefault(whole, []).append(thing.name)
    for effect in effects:
        yield effect
        yield from (
            effect._replace(table=part, subject=f"{shown(part)}, a part of {effect.subject},")
            for part in parts.get(effect.table, ())
        )


def _of_tools(catalog: Snapshot, schema: str) -> dict[str, Usage]:
    own = (*TOOL_TABLES, VERSION_TABLE)
    names = ((table, table.removeprefix(f"{schema}."), columns) for table, columns in catalog.tables().items())
    return {
        table: Usage(columns, nullable=columns, left_to_default=columns)
        for table, name, columns in names
        if name in own or options.is_of_a_tool(name)
    }
