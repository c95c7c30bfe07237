"""Add what tells programs of a change: the transaction that changed a note or a todo last, when, and the version.

NULL says that the row was not changed since the triggers of revisions 0062 and 0063, so no row is written now. A
program asks for what changed since a transaction, which the indexes serve.

`notes.text_version` is the version since which a note has had its text, NULL: it has it since it is at this version.
The editor compares it, since from now on a version counts pins too. `todos.version` begins at 1.
"""

import sqlalchemy as sa

from online_migrations.operations import (
    add_column_online,
    create_index_online,
    drop_column_contract,
    drop_index_online,
)

revision = "0060"
down_revision = "0059"
phase = "expand"

TABLES = ("notes", "todos")


def upgrade() -> None:
    for table in TABLES:
        add_column_online(table, sa.Column("changed", sa.BigInteger(), nullable=True))
        add_column_online(table, sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True))
    add_column_online("notes", sa.Column("text_version", sa.Integer(), nullable=True))
    add_column_online("todos", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    for table in TABLES:
        create_index_online(
            f"ix_{table}_changed",
            table,
            ["user_id", "changed", "id"],
            postgresql_where=sa.text("changed IS NOT NULL"),
        )


def downgrade() -> None:
    for table in TABLES:
        drop_index_online(f"ix_{table}_changed")
    drop_column_contract("todos", "version")
    drop_column_contract("notes", "text_version")
    for table in TABLES:
        drop_column_contract(table, "changed_at")
        drop_column_contract(table, "changed")
