"""The export is all that a person may ask for (GDPR, articles 15 and 20), of that person alone, and no secret."""

import json
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from flask import Flask
from sqlalchemy import Column, func, text, update
from sqlalchemy.sql import visitors

from app.accounts import access_tokens
from app.accounts.models import User
from app.accounts.portable import PROFILE
from app.extensions import Base, db
from app.notes import service as notes
from app.notes import sharing
from app.notes.models import Note
from app.passkeys import two_step
from app.todos import service as todos
from app.todos.models import Todo
from tests.conftest import CLIENT, PASSWORD, browser_of
from tests.passkeys.conftest import add_passkey
from tests.portability.exports import PORTABLES, RECORDS, export, files_of
from tests.samples import samples

SECRETS = {
    *("users.password_hash", "user_sessions.token_hash", "access_tokens.token_hash", "note_shares.token"),
    *("passkeys.credential_id", "passkeys.public_key", "passkeys.user_handle", "passkeys.sign_count"),
}
# Columns made of others, those that a row is kept by, and those that say nothing of a person.
NOT_TOLD = {
    *("users.nickname_key", "users.email_refused_at", "users.figures_counted_at", "account_events.day"),
    *("account_events.id", "user_sessions.id", "access_tokens.id", "passkeys.id", "passkeys.transports"),
    *("notes.changed", "notes.text_version", "todos.changed"),
    *("notes.tasks", "notes.idempotency_key", "note_versions.note_id", "note_shares.id"),
    *("todos.idempotency_key", "results.id", "results.deleted_at", "results.idempotency_key"),
}
# Links and codes of minutes or days, ids of what is gone, marks and counts of the service, and the index of tags.
TABLES_NOT_TOLD = {
    *("account_tokens", "account_writes", "database_marks", "deletions", "figures", "idempotency_keys", "job_records"),
    *(
        "note_tags",
        "notices",
        "passkey_challenges",
        "pending_sign_ins",
        "rate_limits",
        "recovery_codes",
        "sign_up_links",
        "tag_counts",
    ),
    "tag_readings",
}


def test_every_column_is_in_the_export_or_named_here() -> None:
    """A new table of a person joins `portable` or `records`, or the reason why it does not."""
    told: dict[str, set[str]] = {}
    for rows in (PROFILE, *RECORDS.values(), *(each.rows(each.exported) for each in PORTABLES)):
        found = (part for shown in rows.selected_columns for part in visitors.iterate(shown))
        for column in (part for part in found if isinstance(part, Column)):
            told.setdefault(column.table.name, set()).add(column.name)
    tables = {table.name: {column.name for column in table.c} for table in Base.metadata.sorted_tables}
    assert tables.keys() - told.keys() == TABLES_NOT_TOLD
    untold = {f"{table}.{name}" for table in told for name in tables[table] - told[table] - {"user_id"}}
    expected = {name for name in SECRETS | NOT_TOLD if name.partition(".")[0] in tables}  # word counts can be taken out
    assert untold == expected


def own_everything(app: Flask, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return what an export is to say of some of it, by list."""
    name = user.nickname
    shared, forgotten = (notes.create_note(user.id, f"{name}: {words}", "one") for words in ("shared", "forgotten"))
    for note_id in (shared, forgotten):
        notes.update_note(user.id, note_id, name, "two", 1)
    sharing.share_note(user.id, shared)
    db.session.execute(update(Note).where(Note.id == forgotten).values(deleted_at=func.now() - timedelta(days=31)))
    first, second, gone, deleted = (todos.create_todo(user.id, f"{name}: {words}") for words in "abcd")
    todos.move_todo(user.id, first, up=True)
    for todo_id in (gone, deleted):
        todos.delete_todo(user.id, todo_id)
    db.session.execute(update(Todo).where(Todo.id == gone).values(deleted_at=func.now() - timedelta(days=2)))
    add_passkey(user, f"{name}: key")
    two_step.turn_on(user.id, CLIENT)
    with app.app_context():
        access_tokens.make_token(user.id, f"{name}: token", ["notes:read"], None, CLIENT)
    return {
        **{each.portable.name: [{"id": str(each.own(user)["done"]), "status": "done"}] for each in samples()},
        **{f"unfinished_{each.portable.name}": [{"status": "failed"}, {"status": "queued"}] for each in samples()},
        "notes": [{"id": shared, "version": 2, "content": "two"}],
        "note_versions": [{"note_id": shared, "version": 1, "content": "one"}],
        "todos": [{"id": second, "completed": False}, {"id": first, "deleted_at": None}],
        "deleted_todos": [{"id": deleted, "description": f"{name}: d"}],
        "passkeys": [{"name": f"{name}: key", "last_used_at": None}],
        "access_tokens": [{"name": f"{name}: token", "scopes": ["notes:read"], "expires_at": None}],
        "sessions": [{"user_agent": "test", "ip": "127.0.0.1"}],
    }


def test_it_has_all_of_a_person_joined_by_ids_in_one_form_of_time_and_nothing_of_another(
    app: Flask, alice: User, bob: User
) -> None:
    hers, _his = own_everything(app, alice), own_everything(app, bob)
    files = files_of(export(browser_of(app, alice)))
    document = json.loads(files["semicircle.json"])
    lists = {**document, **{name[8:-6]: [*map(json.loads, files[name].splitlines())] for name in RECORDS}}
    for name, rows in hers.items():
        told = [{key: row.get(key) for key in keys} for row, keys in zip(lists[name], rows, strict=True)]
        assert told == rows, name
    assert document["notes"][0]["shared_at"] >= document["notes"][0]["created_at"]
    assert document["account"].items() >= {"id": alice.id, "email": alice.email, "second_step": True}.items()
    assert [event["kind"] for event in lists["account_events"]][-2:] == ["sign_in", "exported"]
    assert [name for name in files if name.endswith(".md")] == [
        f"notes/{datetime.now(UTC).date()} alice.md",
        "todos.md",
    ]
    assert files["todos.md"] == "- [ ] alice: a\n- [ ] alice: b\n"
    everything = "\n".join(files.values())
    columns = (name.split(".") for name in SECRETS - {"passkeys.sign_count"})  # a small number, as other things have
    secrets = (db.session.scalars(text(f"SELECT {name}::text FROM {table}")) for table, name in columns)
    for other in ("bob", "+00:00", PASSWORD, "sc_", *chain.from_iterable(secrets)):
        assert other not in everything
