"""Count from the rows what the figures have to be, by SQL that shares nothing with the triggers."""

from typing import Any

from sqlalchemy import text

from app.extensions import Base, db

Counts = dict[str, list[tuple[Any, ...]]]

# By the row as JSON: before revision 0039 a note has no such column, and none is archived.
LISTED = "deleted_at IS NULL AND to_jsonb(notes) ->> 'archived_at' IS NULL"
# None, where word counts were taken out.
RESULTS_DONE, RESULTS = (
    f"(SELECT count(*) FROM results WHERE user_id = users.id{condition})" if "results" in Base.metadata.tables else "0"
    for condition in (" AND deleted_at IS NULL AND status = 'done'", "")
)
COUNTED = {
    "figures": f"""
        SELECT users.id,
          (SELECT count(*) FROM notes WHERE user_id = users.id AND {LISTED}),
          (SELECT count(*) FROM notes WHERE user_id = users.id),
          (SELECT count(*) FROM todos WHERE user_id = users.id AND deleted_at IS NULL),
          (SELECT count(*) FROM todos WHERE user_id = users.id AND deleted_at IS NULL AND completed),
          (SELECT count(*) FROM todos WHERE user_id = users.id),
          {RESULTS_DONE}, {RESULTS},
          (SELECT count(*) FROM notes WHERE user_id = users.id AND deleted_at IS NULL AND NOT ({LISTED}))
        FROM users ORDER BY id""",
    "tags": f"""
        SELECT user_id, tag, count(DISTINCT id) FROM notes CROSS JOIN unnest(tags) tag
        WHERE {LISTED} GROUP BY user_id, tag ORDER BY user_id, tag COLLATE "C" """,
    "note_tags": f"""
        SELECT DISTINCT user_id, tag COLLATE "C", pinned, created_at, id FROM notes CROSS JOIN unnest(tags) tag
        WHERE {LISTED} ORDER BY 1, 2, 3, 4, 5""",
}
KEPT = {
    "figures": """
        SELECT users.id, coalesce(notes, 0), coalesce(notes_stored, 0), coalesce(todos, 0), coalesce(todos_done, 0),
          coalesce(todos_stored, 0), coalesce(results_done, 0), coalesce(results_stored, 0),
          coalesce((to_jsonb(figures) ->> 'notes_archived')::int, 0)
        FROM users LEFT JOIN figures ON user_id = users.id ORDER BY users.id""",
    "tags": "SELECT user_id, tag, used FROM tag_counts ORDER BY 1, 2",
    "note_tags": "SELECT * FROM note_tags ORDER BY 1, 2, 3, 4, 5",
}


def counted() -> Counts:
    return _rows(COUNTED)


def kept() -> Counts:
    return _rows(KEPT)


def _rows(queries: dict[str, str]) -> Counts:
    return {name: [tuple(row) for row in db.session.execute(text(query))] for name, query in queries.items()}
