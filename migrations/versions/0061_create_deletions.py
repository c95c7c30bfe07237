"""Create deletions: which notes and todos were deleted for good, for programs that keep a copy; and the functions of
the triggers that follow.

It refers to figures and not to users. Who deletes a note has locked that row already, by the trigger that keeps the
figures, and a lock of the account's row could deadlock with the account's deletion. No trigger writes one of these for
an account that is being deleted.

The functions mark a row only if something changed that the API answers: a backfill of another column changes nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0061"
down_revision = "0060"
phase = "expand"

MARK = """
  NEW.changed := pg_current_xact_id()::text::bigint;
  NEW.changed_at := now();
  RETURN NEW;
END
$$"""
# The version of a note is the code's. The trigger keeps which one brought the text, whichever release writes.
OF_NOTE = f"""
CREATE FUNCTION mark_change_of_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR (NEW.title, NEW.content) IS DISTINCT FROM (OLD.title, OLD.content) THEN
    NEW.text_version := NEW.version;
  ELSIF NEW.version <> OLD.version THEN
    NEW.text_version := coalesce(OLD.text_version, OLD.version);
  ELSIF (NEW.tags, NEW.pinned, NEW.updated_at, NEW.archived_at, NEW.deleted_at)
      IS NOT DISTINCT FROM (OLD.tags, OLD.pinned, OLD.updated_at, OLD.archived_at, OLD.deleted_at) THEN
    RETURN NEW;
  END IF;{MARK}"""
OF_TODO = f"""
CREATE FUNCTION mark_change_of_todo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.description, NEW.due_on, NEW.completed, NEW.completed_at, NEW.position, NEW.deleted_at) IS NOT DISTINCT
      FROM (OLD.description, OLD.due_on, OLD.completed, OLD.completed_at, OLD.position, OLD.deleted_at) THEN
      RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
  END IF;{MARK}"""
OF_DELETED = """
CREATE FUNCTION remember_deletions() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  INSERT INTO deletions (user_id, kind, changed, row_id)
  SELECT user_id, TG_TABLE_NAME, pg_current_xact_id()::text::bigint, id FROM old_rows
  WHERE EXISTS (SELECT FROM users WHERE users.id = old_rows.user_id);
  RETURN NULL;
END
$$"""


def upgrade() -> None:
    op.create_table(
        "deletions",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "kind", "changed", "row_id", name="pk_deletions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["figures.user_id"], name="fk_deletions_user_id_figures", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_deletions_deleted_at", "deletions", ["deleted_at"])
    for function in (OF_NOTE, OF_TODO, OF_DELETED):
        op.execute(function)


def downgrade() -> None:
    for function in ("remember_deletions", "mark_change_of_todo", "mark_change_of_note"):
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_table("deletions")
