"""Add idempotency keys to notes, todos and results.

A form that is sent twice is stored once: its rows carry the key of the request, and one person has each key once. Rows
of older requests, of imports and of the release before have none, and two that are NULL are not the same.
"""

import sqlalchemy as sa

from app.release.operations import add_column_online, create_index_online, drop_column_contract, drop_index_online

revision = "0034"
down_revision = "0033"
phase = "expand"

TABLES = ("notes", "todos", "results")


def upgrade() -> None:
    for table in TABLES:
        add_column_online(table, sa.Column("idempotency_key", sa.Uuid(), nullable=True))
        create_index_online(
            f"ix_{table}_user_id_idempotency_key",
            table,
            ["user_id", "idempotency_key"],
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        )


def downgrade() -> None:
    for table in TABLES:
        drop_index_online(f"ix_{table}_user_id_idempotency_key")
        drop_column_contract(table, "idempotency_key")
