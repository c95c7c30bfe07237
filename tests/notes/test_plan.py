"""How PostgreSQL runs the statement of the list: which rows it reads for a page, and by which index."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select, text

from app.accounts.models import User
from app.extensions import db
from app.keyset import Cursor
from app.notes import listing
from app.notes.cursor import START, position_of

Node = dict[str, Any]

LIST_ORDER = "ix_notes_listed"
ALL_OF_A_USER = "ix_notes_user_id_pinned_id"


def fill(user: User, count: int, deleted_at: str = "NULL", archived_at: str = "NULL") -> None:
    """Notes a minute apart, each tenth of them pinned."""
    db.session.execute(
        text(
            "INSERT INTO notes (user_id, title, content, tags, pinned, created_at, deleted_at, archived_at)"
            " SELECT :owner, 'title', repeat('반달 ', 50), '{하늘}', number % 10 = 0,"
            f" now() - make_interval(mins => number), {deleted_at}, {archived_at}"
            " FROM generate_series(1, :count) AS number"
        ),
        {"owner": user.id, "count": count},
    )
    db.session.execute(text("ANALYZE notes"))


def scans_of_notes(
    statement: Select[Any], user: User, after: Cursor, **values: object
) -> Iterator[tuple[list[str], Node]]:
    """Run the statement. Each scan of the table `notes`, with the nodes of the plan above it, the topmost first."""
    values |= {"owner": user.id} | position_of(after).parameters
    connection = db.session.connection()
    compiled = statement.params(values).compile(connection)
    explain = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}", compiled.params)
    return walk(explain.scalar_one()[0]["Plan"], [])


def walk(node: Node, above: list[str]) -> Iterator[tuple[list[str], Node]]:
    if node.get("Relation Name") == "notes":
        yield above, node
    for child in node.get("Plans", ()):
        yield from walk(child, [*above, node["Node Type"]])


@pytest.mark.parametrize("page", [0, 1, 4, 40])  # pinned ones fill the first five pages
def test_a_page_reads_its_own_rows_alone_and_in_their_order(alice: User, bob: User, page: int) -> None:
    fill(bob, 10_000)
    fill(alice, 1_000)
    fill(alice, 500, deleted_at="now()")  # the trash, of newer and older notes
    fill(alice, 2_000, archived_at="now()")
    after = START
    for _ in range(page):
        after = listing.list_notes(alice.id, after).older or START
    [(above, scan)] = [
        (above, scan)
        for above, scan in scans_of_notes(listing._PAGE[0], alice, after)
        if scan.get("Index Name") == LIST_ORDER
    ]
    assert above[-1] == "Limit"  # the index has the order already
    assert (scan["Node Type"], scan["Scan Direction"]) == ("Index Scan", "Backward")
    assert scan["Actual Rows"] == listing.PAGE_SIZE + 1
    assert "Filter" not in scan
