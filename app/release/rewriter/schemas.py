"""Rewrites of directives for tables in several schemas: each call stands in a block that puts its schema in front."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from alembic.operations import ops

from app.release.errors import UnsafeOperation
from app.release.rewriter.calls import Call, Change


def grouped(flat: list[Any]) -> Iterator[tuple[str | None, list[Any]]]:
    """The directives by schema; None is the default one."""
    groups = defaultdict(list)
    for op in flat:
        groups[_schema_of(op)].append(op)
    yield from groups.items()


def put_into(change: Change, schema: str | None) -> Change:
    """The change with its calls in the schema. Plain directives name it themselves."""
    for op in (*change.up, *change.down):
        if isinstance(op, Call):
            op.schema = schema
    return change


def _schema_of(op: Any) -> str | None:
    """
    Raises:
        UnsafeOperation: a foreign key between two schemas, of which neither is the default one.
    """
    if not isinstance(op, ops.CreateForeignKeyOp):
        return getattr(op, "schema", None)
    named: list[str] = sorted({op.kw[end] for end in ("source_schema", "referent_schema") if op.kw.get(end)})
    if len(named) > 1:
        raise UnsafeOperation(
            f"The foreign key from {op.source_table} to {op.referent_table} leads from one of the schemas"
            f" {' and '.join(named)} into the other, and an operation works in one. Leave it out of the model."
        )
    return named[0] if named else None
