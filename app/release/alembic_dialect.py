"""How Alembic compares and writes what is PostgreSQL's: server defaults, percent signs, types of the project's own."""

from typing import Any

from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Column
from sqlalchemy.types import TypeDecorator

from app.release.rewriter.columns import default_sql


class ReleaseImpl(PostgresqlImpl):
    __dialect__ = "postgresql"  # registers this class in place of the one that it extends

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        """A text default that holds a quote is compared in Python; Alembic would send it to the server unescaped."""
        default = getattr(metadata_column.server_default, "arg", None)
        if rendered_inspector_default is None or not isinstance(default, str) or "'" not in default:
            return bool(
                super().compare_server_default(  # type: ignore[no-untyped-call]
                    inspector_column, metadata_column, rendered_metadata_default, rendered_inspector_default
                )
            )
        return rendered_inspector_default.split("::")[0] != default_sql(metadata_column.server_default)

    def render_ddl_sql_expr(self, *arguments: Any, **options: Any) -> str:
        """Alembic doubles each % for psycopg2. A revision holds the SQL as it is meant."""
        return super().render_ddl_sql_expr(*arguments, **options).replace("%%", "%")


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Alembic's render_item hook: a revision imports no code of the project, which changes while revisions do not."""
    module = type(item).__module__
    if kind != "type" or module.startswith("sqlalchemy."):
        return False
    if isinstance(item, TypeDecorator):
        return _repr_type(item.load_dialect_impl(context.dialect), context)
    context.imports.add(f"import {module}")  # a type of its own has no other name
    return False
