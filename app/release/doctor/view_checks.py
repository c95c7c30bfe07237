"""Checks of views: a compatibility view that rename_with_view left and no release needs any more."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, text

from app.release.doctor.diagnosis import WARNING, Diagnosis

# Views of one table on the search path, and the columns of the table.
_VIEWS = text(
    "WITH found AS (SELECT r.ev_class AS view, min(t.oid::int8)::oid AS of FROM pg_rewrite r"
    "  JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
    "  JOIN pg_class t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid AND t.relkind IN ('r', 'p')"
    "  GROUP BY r.ev_class HAVING count(DISTINCT t.oid) = 1)"
    " SELECT v.oid::regclass::text AS view, v.relname::text AS old, t.relname::text AS renamed,"
    " pg_get_viewdef(v.oid) AS definition, array(SELECT quote_ident(attname) FROM pg_attribute"
    "  WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum) AS columns"
    " FROM found JOIN pg_class v ON v.oid = found.view JOIN pg_class t ON t.oid = found.of"
    " WHERE v.relkind = 'v' AND v.relnamespace::regnamespace::name = ANY (current_schemas(false)) ORDER BY 1"
)


def compatibility_views(connection: Connection) -> Iterator[Diagnosis]:
    """A view that passes a whole table on, under another name."""
    for view in connection.execute(_VIEWS):
        if _passes_all_on(view):
            what = (
                f"{view.view} is a view of {view.renamed}, for releases from before the table was renamed. If none runs"
                f' any more, drop it in a contract revision: drop_compat_view("{view.old}").'
            )
            yield Diagnosis(WARNING, "compatibility-view", what, f'flask db revision -m "Drop the view {view.old}"')


def _passes_all_on(view: Row[Any]) -> bool:
    """Whether it is SELECT * FROM table. Columns that the table was given later are not in it."""
    words = " ".join(view.definition.split())
    selected, _, rest = words.removeprefix("SELECT ").partition(" FROM ")
    columns = [column.rpartition(".")[2] for column in selected.split(", ")]
    is_from_all_rows = rest.rstrip(";").rpartition(".")[2].strip('"') == view.renamed
    # A view of the first few columns was made for something else.
    return is_from_all_rows and columns == view.columns[: len(columns)] and 2 * len(columns) > len(view.columns)
