"""Directives that Alembic does not have, for what comparators.py finds. They become calls like Alembic's own."""

from typing import Any

from alembic.operations import ops

from app.release.sql.dialect import quote


class Replacement(ops.MigrateOperation):
    """Something has the same name in models and database, and another definition.

    Args:
        drop, create: Alembic's directives for the one of the database and the one of the models.
        there, wanted: their definitions.
        is_wider: the new one is a CHECK that takes every row that the old one takes.
    """

    def __init__(self, drop: Any, create: Any, there: str = "", wanted: str = "", is_wider: bool = False) -> None:
        self.drop = drop
        self.create = create
        self.there = there
        self.wanted = wanted
        self.is_wider = is_wider

    @property
    def table_name(self) -> str:
        return str(self.create.table_name)

    @property
    def schema(self) -> str | None:
        schema: str | None = getattr(self.create, "schema", None) or getattr(self.drop, "schema", None)
        return schema

    @property
    def name(self) -> str:
        return str(getattr(self.create, "constraint_name", None) or self.create.index_name)

    def reverse(self) -> "Replacement":
        return Replacement(self.create.reverse(), self.drop.reverse(), self.wanted, self.there)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        kind = getattr(self.create, "constraint_type", "index")
        return (f"change_{kind}", self.table_name, self.name, self.there, self.wanted)


class DropExclude(ops.MigrateOperation):
    """An EXCLUDE constraint of the database is in no model. SQLAlchemy does not reflect it."""

    def __init__(self, table_name: str, name: str, definition: str, schema: str | None = None) -> None:
        self.table_name = table_name
        self.name = name
        self.definition = definition
        self.schema = schema

    def reverse(self) -> ops.ExecuteSQLOp:
        table = f"{quote(self.schema)}.{quote(self.table_name)}" if self.schema else quote(self.table_name)
        return ops.ExecuteSQLOp(f"ALTER TABLE {table} ADD CONSTRAINT {quote(self.name)} {self.definition}")

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("remove_exclude", self.table_name, self.name)


class ChangedColumn(ops.MigrateOperation):
    """A column whose expression or collation differs: Alembic has no directive for it."""

    def __init__(self, table_name: str, column_name: str, there: str, wanted: str) -> None:
        self.table_name = table_name
        self.column_name = column_name
        self.there = there
        self.wanted = wanted

    def reverse(self) -> "ChangedColumn":
        return ChangedColumn(self.table_name, self.column_name, self.wanted, self.there)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("change_column", self.table_name, self.column_name, self.there, self.wanted)


class CreateSequence(ops.MigrateOperation):
    """A column of the models takes its values from a sequence that the database does not have."""

    def __init__(self, name: str) -> None:
        self.name = name

    def reverse(self) -> ops.ExecuteSQLOp:
        return ops.ExecuteSQLOp(f"DROP SEQUENCE IF EXISTS {self.name}")

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("add_sequence", "", self.name)
