"""The nightly purges delete the expired rows of all users in batches, and skip locked rows."""

from collections import defaultdict
from typing import Any, NamedTuple

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from app import soft_delete
from app.accounts import service as accounts
from app.accounts.models import User
from app.extensions import Base, db
from app.jobs.queue import queue
from app.notes.models import Note
from tests.conftest import PASSWORD
from tests.database import insert_made_up
from tests.samples import TAKEN_OUT


class Purge(NamedTuple):
    """Describe a nightly purge: its task, and since when (SQL) a row is expired that it deletes."""

    task: str
    table: str
    column: str
    expired: str

    def run(self) -> None:
        queue.tasks[self.task](timestamp=0)


PURGES = [
    Purge("accounts.purge_expired_sessions", "user_sessions", "expires_at", "now()"),
    Purge("accounts.purge_old_events", "account_events", "created_at", "now() - interval '90 days'"),
    Purge("accounts.purge_expired_tokens", "account_tokens", "expires_at", "now() - interval '1 day'"),
    Purge("accounts.purge_expired_tokens", "access_tokens", "expires_at", "now()"),
    Purge("accounts.purge_expired_tokens", "notices", "created_at", "now() - interval '30 days'"),
    Purge("accounts.purge_pending_sign_ins", "pending_sign_ins", "expires_at", "now()"),
    Purge("follower.purge_old_marks", "account_writes", "written_at", "now() - interval '1 day'"),
    Purge("passkeys.purge_expired_challenges", "passkey_challenges", "expires_at", "now()"),
    Purge("notes.purge_deleted", "notes", "deleted_at", "now() - interval '30 days'"),
    Purge("todos.purge_deleted", "todos", "deleted_at", "now() - interval '1 day'"),
    Purge("wordcounts.purge_deleted", "results", "deleted_at", "now() - interval '1 hour'"),
]
PURGES = [purge for purge in PURGES if purge.task.split(".")[0] not in TAKEN_OUT]
# The values of columns that have a CHECK, or of a key that has no sequence, as SQL.
CHECKED = defaultdict(dict, account_events={"kind": "'sign_in'"}, account_tokens={"purpose": "'reset_password'"})
CHECKED["account_writes"] = {"id": "nextval('users_id_seq')"}
NOTES = next(purge for purge in PURGES if purge.table == "notes")


def insert(purge: Purge, user: User, moment: str, count: int = 1) -> list[int]:
    """Insert rows that were deleted, or expired, at this time (SQL), and return their ids."""
    owners = f"SELECT * FROM users, generate_series(1, {count}) WHERE id = {user.id}"
    return insert_made_up(Base.metadata.tables[purge.table], owners, **{purge.column: moment}, **CHECKED[purge.table])


def ids(purge: Purge) -> list[int]:
    return sorted(db.session.scalars(text(f"SELECT id FROM {purge.table}")))


@pytest.mark.parametrize("purge", PURGES, ids=lambda purge: purge.table)
def test_a_purge_deletes_the_expired_rows_of_all_users_alone_in_batches_and_uses_an_index(
    app: Flask, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch, purge: Purge
) -> None:
    for user, count in ((alice, 12), (bob, 13)):
        insert(purge, user, purge.expired, count)
    kept = insert(purge, alice, f"{purge.expired} + interval '1 second'")
    monkeypatch.setattr(soft_delete, "BATCH", 10)
    statements: list[tuple[str, Any, int]] = []

    def note(_connection: object, cursor: Any, statement: str, parameters: object, *_rest: object) -> None:
        if f"DELETE FROM {purge.table}" in statement:
            statements.append((statement, parameters, cursor.rowcount))

    connection = db.session.connection()
    event.listen(connection, "after_cursor_execute", note)
    purge.run()
    assert [deleted for _, _, deleted in statements] == [10, 10, 5, 0]
    assert ids(purge) == kept
    statement, parameters, _ = statements[0]
    insert(purge, alice, f"{purge.expired} + interval '1 hour'", count=300)  # what stays is not to be read
    connection.execute(text(f"ANALYZE {purge.table}"))
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert f"ix_{purge.table}_{purge.column}" in plan


def test_a_purge_skips_locked_rows_until_the_next_run(migrated: Flask) -> None:
    expired = insert(NOTES, accounts.sign_up("at@example.com", "at", PASSWORD), NOTES.expired, count=3)
    db.session.commit()
    with db.engine.begin() as other:
        other.execute(select(Note.id).where(Note.id == expired[1]).with_for_update())
        NOTES.run()
        assert ids(NOTES) == [expired[1]]
        db.session.rollback()
    NOTES.run()
    assert ids(NOTES) == []
