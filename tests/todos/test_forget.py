"""At night what was deleted more than a day ago goes for good."""

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.accounts.models import User
from app.extensions import db
from app.todos import service, tasks
from app.todos.models import Todo


def deleted_for(user: User, interval: str) -> int:
    todo_id = service.create_todo(user.id, "old")
    service.delete_todo(user.id, todo_id)
    db.session.execute(
        text("UPDATE todos SET deleted_at = now() - CAST(:ago AS interval) WHERE id = :id"),
        {"ago": interval, "id": todo_id},
    )
    db.session.commit()
    return todo_id


def test_what_was_deleted_a_day_ago_goes_of_all_people(app: Flask, alice: User, bob: User) -> None:
    for user in (alice, bob):
        deleted_for(user, "1 day 1 second")
    kept = [deleted_for(alice, "23 hours 59 minutes"), service.create_todo(bob.id, "kept")]
    tasks.remove_forgotten(0)
    assert list(db.session.scalars(select(Todo.id).order_by(Todo.id))) == sorted(kept)


@pytest.mark.parametrize("more", [-1, 0, 1, service.BATCH + 1])
def test_more_than_one_batch_goes(app: Flask, alice: User, more: int) -> None:
    db.session.execute(
        text(
            "INSERT INTO todos (user_id, description, deleted_at)"
            " SELECT :user, 'd', now() - interval '2 days' FROM generate_series(1, :todos)"
        ),
        {"user": alice.id, "todos": service.BATCH + more},
    )
    tasks.remove_forgotten(0)
    assert db.session.scalar(select(func.count()).select_from(Todo)) == 0


def test_it_is_found_by_an_index(app: Flask) -> None:
    db.session.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(db.session.scalars(text("EXPLAIN SELECT id FROM todos WHERE deleted_at <= now() LIMIT 500")))
    assert "ix_todos_deleted_at" in plan
