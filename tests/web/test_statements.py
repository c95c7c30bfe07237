"""A GET costs two SQL statements, the session with its user and the page's rows, and each reads a bounded number.

A search that finds nothing asks for what is one key away from it, and searches for that. The rows are those that
PostgreSQL says it read (EXPLAIN ANALYZE), for a reader who has thousands of everything.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from app.accounts.models import User
from app.extensions import db
from app.notes import listing
from app.notes.figures import TAGS_SHOWN, TRASH_COUNTED, list_tags
from tests.conftest import browser_of
from tests.notes.lists import older_of
from tests.samples import samples
from tests.visitor import Visitor

# By the number of statements.
PATHS = {
    0: ["/healthz"],
    1: [
        *("/", "/mypage/edit", "/mypage/import", "/sign-in", "/sign-in/confirm?next=/mypage"),
        "/s/{shared}",  # nobody looks who reads it
    ],
    2: [
        *("/notes", "/notes?q=note", "/notes?q=nothing-like-it", "/notes?tag=tag", "/notes?day={today}"),
        *("/notes/select", "/notes/select?tag=tag&all=1", "/notes/tags", "/notes/archive", "/notes/trash"),
        *("/notes/shared", "/notes/{note}", "/notes/{note}/edit", "/notes/{deleted}", "/notes/{archived}"),
        *("/todos?show=today", "/todos?show=done", "/todos/{todo}"),
        *("/mypage", "/mypage/devices", "/mypage/events", "/mypage/passkeys"),
    ],
    3: [
        *("/notes?before=0-1700000000000000-9", "/notes?q=%23tag&before=0-1700000000000000-9"),  # no rows, so the
        *("/notes?q=nowhere", "/notes?day=2020-02-29"),  # figures are asked for alone
        *("/todos", "/todos?show=open", "/todos?sort=due&edit={todo}"),  # and what was done last
    ],
    4: ["/notes?q=ntoe"],
}
COSTS = {path: count for count, paths in PATHS.items() for path in paths}
COSTS |= {path: 2 for each in samples() for path in each.pages}

ROWS = 600  # the page of all tags reads TAGS_SHOWN of them, and any page some more
MANY = 5_000

# What reads more, and what bounds it.
EXEMPT = {
    "/notes?q=note": "relevance is decided among the newest 1,000 notes",
    "/notes?q=ntoe": "so it is for the corrected word, which is looked for in the newest 1,000 notes",
    "/notes?q=nowhere": "its correction is looked for there too",
    "/todos?sort=due&edit={todo}": "no index has the order by due date: at most the quota of 20,000 todos is sorted",
    "/mypage": "the heat map counts the notes of its 26 weeks, from an index alone",
}
NOTES = """
    INSERT INTO notes (user_id, title, content, tags, pinned, created_at, deleted_at, archived_at)
    SELECT users.id, 'note ' || n, 'text', ARRAY['tag', 'tag' || n % 700, 'x' || n % 3], n % 10 = 0,
      now() - n * interval '1 hour', CASE WHEN n > :many THEN now() END, CASE WHEN n < 0 THEN now() END
    FROM users, generate_series(-1000, :many + 1000) n WHERE n <> 0 ORDER BY users.id, n"""
TODOS = """
    INSERT INTO todos (user_id, description, position, completed, due_on)
    SELECT users.id, 'todo', n, n % 5 = 0, current_date + n % 50
    FROM users, generate_series(1, :many) n ORDER BY users.id, n"""
SHARES = """
    INSERT INTO note_shares (note_id, user_id, token, created_at)
    SELECT id, user_id, lpad(id::text, 22, '0'), created_at FROM notes WHERE id % 2 = 0"""
# So many that reading everybody's rows by their ids is never the cheaper plan.
OTHERS = """
    INSERT INTO users (email, nickname, nickname_key, password_hash)
    SELECT n || '@example.net', 'other' || n, 'other' || n, '' FROM generate_series(1, 20) n"""
OF_FEATURES = [each.table for each in samples()]
TABLES = ", ".join(("notes", "note_shares", "todos", "figures", "tag_counts", "note_tags", *OF_FEATURES))


@pytest.fixture
def ids(alice: User, bob: User) -> dict[str, Any]:
    """Return one of each of alice's, who has many; so has bob. The tables are theirs alone.

    So they are for the planner, too, which counts the pages of what other tests rolled back. Each one's rows lie
    together, in the order of the ids: of a table without order it expects somebody's rows to be anywhere.
    """
    db.session.execute(text(f"TRUNCATE {', '.join(('notes', 'todos', *OF_FEATURES))} CASCADE"))
    for many in (NOTES, SHARES, TODOS, OTHERS, *(each.many for each in samples())):
        db.session.execute(text(many), {"many": MANY})
    queries = {
        "note": "SELECT max(id) FROM notes WHERE user_id = :id AND deleted_at IS NULL",
        "archived": "SELECT max(id) FROM notes WHERE user_id = :id AND archived_at IS NOT NULL",
        "deleted": "SELECT max(id) FROM notes WHERE user_id = :id AND deleted_at IS NOT NULL",
        "shared": "SELECT max(token) FROM note_shares JOIN notes ON notes.id = note_id WHERE deleted_at IS NULL",
        "todo": "SELECT max(id) FROM todos WHERE user_id = :id",
        "today": "SELECT (max(created_at) AT TIME ZONE 'UTC')::date FROM notes",
    }
    found = {name: db.session.scalar(text(query), {"id": alice.id}) for name, query in queries.items()}
    for each in samples():
        found |= each.own(alice)
    db.session.execute(text(f"ANALYZE {TABLES}"))
    return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_read(node: dict[str, Any]) -> float:
    """Count the rows of a table or an index, with those that a condition sorted out."""
    if "Relation Name" not in node and node["Node Type"] != "Bitmap Index Scan":
        return 0
    looked_at = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return float(sum(node.get(name, 0) for name in looked_at) * node["Actual Loops"])


@pytest.fixture
def read(app: Flask, ids: dict[str, Any]) -> Iterator[list[tuple[float, str]]]:
    """Run each SELECT once more, and yield how many rows each has read, with its plan."""
    found: list[tuple[float, str]] = []

    def explain(connection: Any, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            with connection.connection.cursor() as cursor:  # of the driver, which sends no event
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
                [[[explained]]] = cursor.fetchall()
            found.append((sum(map(rows_read, nodes(explained["Plan"]))), f"{explained}: {statement}"))

    connection = db.session.connection()
    event.listen(connection, "before_cursor_execute", explain)
    yield found
    event.remove(connection, "before_cursor_execute", explain)


def test_each_page_costs_a_fixed_number_of_statements_that_read_a_bounded_number_of_rows_and_its_figures_are_right(
    app: Flask, alice: User, ids: dict[str, Any], read: list[tuple[float, str]], statements: list[str]
) -> None:
    browser = browser_of(app, alice)
    older = older_of(browser.get("/notes").text)
    for path, count in {**COSTS, older: 2}.items():
        statements.clear()
        read.clear()
        assert browser.get(path.format_map(ids)).status_code == 200 or path in ("/", "/sign-in"), path
        assert len(statements) == count, (path, statements)
        most = max(read, default=(0, ""))
        # What is exempt would be refused: so the rows are really counted, and no exemption outlives its reason.
        assert (most[0] > ROWS) == (path in EXEMPT), (path, most)
    page = listing.list_notes(alice.id)
    assert (page.total, page.found, page.in_trash, page.in_archive) == (MANY, MANY, TRASH_COUNTED, 1000)
    assert (page.tags[0], len(list_tags(alice.id))) == (("tag", MANY), TAGS_SHOWN)


def test_a_list_of_todos_of_which_none_is_done_costs_two_statements(signed_in: Visitor, statements: list[str]) -> None:
    signed_in.get("/todos")
    assert len(statements) == 2


def test_a_public_page_for_an_anonymous_visitor_costs_no_statement(app: Flask, statements: list[str]) -> None:
    assert app.test_client().get("/sign-in").status_code == 200
    assert statements == []
