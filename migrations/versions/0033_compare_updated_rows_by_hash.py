"""Compare the rows of an update by EXCEPT, which hashes or sorts them.

The triggers that keep the figures first ask whether an update changed any column that a figure depends on. They asked
by a join, for which PostgreSQL takes a nested loop, since it expects to find a difference in the first rows. A backfill
makes none, so a statement of 1,000 rows compared a million pairs.
"""

from alembic import op

from app.release.operations import excused

revision = "0033"
down_revision = "0032"
phase = "expand"

WHY = "The condition is true of the same rows as before."

# Table: the columns on which its figures depend, as in revision 0025.
COLUMNS = {
    "notes": ("id", "user_id", "tags", "pinned", "created_at", "deleted_at"),
    "todos": ("id", "user_id", "completed", "deleted_at"),
    "results": ("id", "user_id", "status", "deleted_at"),
}


def by_join(columns: tuple[str, ...]) -> str:
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("new_rows", "old_rows"))
    return f"SELECT FROM new_rows JOIN old_rows USING (id) WHERE ({new}) IS DISTINCT FROM ({old})"  # noqa: S608 - of constants


def by_except(columns: tuple[str, ...]) -> str:
    names = ", ".join(columns)
    return f"SELECT {names} FROM new_rows EXCEPT SELECT {names} FROM old_rows"  # noqa: S608 - of constants


def replace_condition(table: str, there: str, wanted: str) -> str:
    """The function of an update, with another condition and the rest as it is."""
    return f"""
DO $do$
DECLARE
  there text := pg_get_functiondef('keep_figures_of_{table}_updated()'::regprocedure);
BEGIN
  IF strpos(there, '{there}') = 0 THEN
    RAISE 'keep_figures_of_{table}_updated() is not as revision 0025 made it.';
  END IF;
  EXECUTE replace(there, '{there}', '{wanted}');
END
$do$"""


def upgrade() -> None:
    for table, columns in COLUMNS.items():
        with excused(WHY):
            op.execute(replace_condition(table, by_join(columns), by_except(columns)))


def downgrade() -> None:
    for table, columns in COLUMNS.items():
        op.execute(replace_condition(table, by_except(columns), by_join(columns)))
