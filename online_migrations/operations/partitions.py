"""Partitioned tables: each partition gets its own index or constraint beside the traffic, and then the whole has it.

PostgreSQL builds no index of a whole concurrently, and reads all partitions under one lock for a foreign key. But where
the partitions have the same already, it takes that, and reads no row.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from sqlalchemy import Connection

from online_migrations.definitions import is_any_same
from online_migrations.errors import UnsafeOperation
from online_migrations.guard.effect import Effect
from online_migrations.operations.catalog import ask, bind
from online_migrations.operations.steps import Step, in_schema, online, run_steps, strong, validate
from online_migrations.sql import alter, quote, shorten_identifier, spare_name


class Partition(NamedTuple):
    schema: str | None  # None: that of the whole
    table: str

    def found(self) -> AbstractContextManager[None]:
        return in_schema(self.schema) if self.schema else nullcontext()

    def qualified(self, name: str) -> str:
        return ".".join(map(quote, filter(None, (self.schema, name))))

    def alter(self, action: str) -> str:
        return f"ALTER TABLE {self.qualified(self.table)} {action}"


class Divided(NamedTuple):
    """Hold how the whole and its partitions get an index or a constraint: functions of a table and of a name."""

    define: Callable[[str, str], str]  # CREATE INDEX or ADD CONSTRAINT, which makes it at once
    build: Callable[[str, str], None]  # beside the traffic: an operation
    # SQL on a partition: what was built under the first name is as the whole wants it, under the second one.
    settle: Callable[[Partition, str, str], str]
    referred: tuple[str, ...] = ()  # by a foreign key, which has one name everywhere; an index needs its own

    def name_in(self, part: Partition, name: str) -> str:
        return name if self.referred else shorten_identifier(f"{part.table}_{name}")


def is_partitioned(table: str) -> bool:
    return bool(ask("is_relation", table, kinds="p").answer())


def add_to_partitioned(table: str, name: str, kind: Divided, there: str | None, effects: Sequence[Effect]) -> None:
    """Build it on each partition; then, in a short lock, give it to the whole, which takes what they have."""
    is_index = kind.define(table, name).startswith("CREATE ")
    has_it = ask("has_index", name) if is_index else ask("has_constraint", table, constraint=name)
    is_invalid = not kind.referred and ask("has_invalid_index", name).answer()
    if there is None and has_it.answer() and not is_invalid:
        run_steps(*([validate(table, name)] if kind.referred else []))
        return
    run_steps(effects=effects)  # judged before anything is built
    replaces = there is not None or is_invalid  # then the partitions get theirs under a spare name first
    spare = spare_name(name) if replaces else name
    built = _build_on_each(table, spare, kind)
    settled = [kind.settle(part, kind.name_in(part, spare), kind.name_in(part, name)) for part in built]
    drop = f"DROP INDEX {quote(name)}" if is_index else drop_constraint((table,), name).sql
    sql = [drop if replaces else "", *settled, kind.define(table, name)]
    run_steps(strong((table, *kind.referred), "; ".join(filter(None, sql)), when=None if replaces else ~has_it))


def _build_on_each(table: str, name: str, kind: Divided) -> list[Partition]:
    """Build it on each partition that lacks it, also on one that is attached meanwhile; or else on none."""
    done: list[Partition] = []
    built: list[Partition] = []
    try:
        while part := next((one for one in _partitions(table) if one not in done), None):
            done.append(part)
            with part.found():
                if not _has_same(part.table, kind.name_in(part, name), kind):
                    built.append(part)
                    kind.build(part.table, kind.name_in(part, name))
    except UnsafeOperation:
        for part in built:
            with part.found():
                own = kind.name_in(part, name)
                run_steps(drop_constraint((part.table, *kind.referred), own) if kind.referred else drop_index(own))
        raise
    return built


def _partitions(table: str) -> list[Partition]:
    connection = bind()
    return [] if connection is None else [Partition(*row) for row in ask("partitions", table).rows(connection)]


def _has_same(table: str, name: str, kind: Divided) -> bool:
    """Tell if a partition has the same under another name, and not as a part of something of the whole."""
    connection, names = bind(), {*ask("unattached", table).listed()} - {name}
    if connection is None or not names:
        return False
    return is_any_same(connection, table, names, name, kind.define(table, name), *kind.referred)


def require_partition_key(connection: Connection | None, table: str, columns: Sequence[str]) -> None:
    """Refuse columns that nothing can keep unique in all partitions together, before anything is changed."""
    keys = ask("partition_keys", table).rows(connection).scalars() if connection else ()
    if lacking := [key or "an expression" for key in keys if key not in columns]:
        raise UnsafeOperation(
            f"{table} is partitioned by {', '.join(lacking)}, and each partition has an index of its own, so PostgreSQL"
            f" cannot keep {', '.join(columns)} unique in all of them. Put the partition key into it:"
            f" {', '.join([*columns, *lacking])}."
        )


def drop_constraint(tables: tuple[str, ...], name: str) -> Step:
    sql = alter(tables[0], f"DROP CONSTRAINT IF EXISTS {quote(name)}")
    return strong(tables, sql, when=ask("has_constraint", tables[0], constraint=name))


def drop_index(name: str) -> Step:
    is_there, partitioned = ask("has_index", name), ask("partitioned_table", name).answer()
    if partitioned is not None:  # it goes with those of the partitions, for which there is only a short lock
        return strong(partitioned, f"DROP INDEX IF EXISTS {quote(name)}", when=is_there)
    return online(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}", when=is_there)
