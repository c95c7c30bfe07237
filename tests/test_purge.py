"""The nightly purges delete the expired rows of all users in batches, and skip locked rows."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, text

from app import soft_delete
from app.accounts import service as accounts
from app.accounts import tasks as account_tasks
from app.accounts.models import User
from app.extensions import db
from app.jobs.queue import queue
from app.notes import service as notes
from app.notes.models import Note
from app.passkeys import service as passkeys
from app.todos import service as todos
from tests.conftest import PASSWORD
from tests.samples import Purge, samples

PURGES = [
    Purge(
        account_tasks.purge_expired_sessions, "accounts.remove_expired_sessions", "ix_user_sessions_expires_at",
        "user_sessions", "token_hash, user_agent, expires_at", "random()::text, ''", "now()",
    ),
    Purge(
        account_tasks.purge_old_events, None, "ix_account_events_created_at",
        "account_events", "kind, user_agent, created_at", "'sign_in', ''", "now() - interval '90 days'",
    ),
    Purge(
        account_tasks.purge_expired_tokens, None, "ix_account_tokens_expires_at",
        "account_tokens", "purpose, email, expires_at", "'reset_password', ''", "now() - interval '1 day'",
    ),
    Purge(
        account_tasks.purge_expired_tokens, None, "ix_access_tokens_expires_at",
        "access_tokens", "token_hash, name, scopes, expires_at", "random()::text, '', '{}'::text[]", "now()",
    ),
    Purge(
        account_tasks.purge_expired_tokens, None, "ix_notices_created_at",
        "notices", "kind, email, created_at", "'', ''", "now() - interval '30 days'",
    ),
    Purge(
        account_tasks.purge_pending_sign_ins, None, "ix_pending_sign_ins_expires_at",
        "pending_sign_ins", "token_hash, password_mark, remember, expires_at", "random()::text, '', true", "now()",
    ),
    Purge(
        passkeys.purge_expired_challenges, None, "ix_passkey_challenges_expires_at",
        "passkey_challenges", "challenge, purpose, expires_at", "''::bytea, ''", "now()",
    ),
    Purge(
        notes.purge_deleted_notes, "notes.remove_forgotten", "ix_notes_deleted_at",
        "notes", "title, content, deleted_at", "'', ''", "now() - interval '30 days'",
    ),
    Purge(
        todos.purge_deleted_todos, "todos.remove_forgotten", "ix_todos_deleted_at",
        "todos", "description, deleted_at", "''", "now() - interval '1 day'",
    ),
    *(purge for each in samples() for purge in each.purges),
]  # fmt: skip

NOTES = next(purge for purge in PURGES if purge.table == "notes")


def insert(purge: Purge, user: User, moment: str, count: int = 1) -> list[int]:
    """Insert rows that were deleted, or expired, at this time (SQL), and return their ids."""
    statement = (
        f"INSERT INTO {purge.table} (user_id, {purge.columns})"
        f" SELECT :user, {purge.values}, {moment} FROM generate_series(1, :count) RETURNING id"
    )
    return list(db.session.scalars(text(statement), {"user": user.id, "count": count}))


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
    purge.run(0)
    assert [deleted for _, _, deleted in statements] == [10, 10, 5, 0]
    assert ids(purge) == kept
    statement, parameters, _ = statements[0]
    insert(purge, alice, f"{purge.expired} + interval '1 hour'", count=300)  # what stays is not to be read
    connection.execute(text(f"ANALYZE {purge.table}"))
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert purge.index_name in plan


def test_a_job_with_the_old_task_name_still_runs(app: Flask, alice: User) -> None:
    renamed = {purge.old_name: purge for purge in PURGES if purge.old_name}
    assert not {task.task.name for task in queue.periodic_registry.periodic_tasks.values()} & renamed.keys()
    for old_name, purge in renamed.items():
        insert(purge, alice, purge.expired)
        queue.tasks[old_name](timestamp=0)
        assert ids(purge) == [], old_name


def test_a_purge_skips_locked_rows_until_the_next_run(migrated: Flask) -> None:
    expired = insert(NOTES, accounts.sign_up("at@example.com", "at", PASSWORD), NOTES.expired, count=3)
    db.session.commit()
    with db.engine.begin() as other:
        other.execute(select(Note.id).where(Note.id == expired[1]).with_for_update())
        NOTES.run(0)
        assert ids(NOTES) == [expired[1]]
        db.session.rollback()
    NOTES.run(0)
    assert ids(NOTES) == []
