"""Index the first 2,000 characters of a note for the search, however long it gets.

A note has had no more so far. So the functions give the same as before for each note that is stored, and the indexes
need not be built again. A term beyond is not indexed, since each would cost every edit: a search looks through the
newest long notes themselves.
"""

from alembic import op

from online_migrations.operations import excused

revision = "0050"
down_revision = "0049"
phase = "expand"

WHY = "It gives the same of the notes that are stored, which have at most 2,000 characters."

FUNCTIONS = ("note_terms(bigint, text, text, text[])", "note_initials(bigint, text, text)")
WHOLE = "|| content"
BOUNDED = "|| left(content, 2000)"


def replace_text(function: str, there: str, wanted: str) -> str:
    """Replace how the function puts the title and the text together, and nothing else."""
    return f"""
DO $do$
DECLARE
  there text := pg_get_functiondef('{function}'::regprocedure);
BEGIN
  IF strpos(there, '{there}') = 0 THEN
    RAISE '{function} is not as an earlier revision made it.';
  END IF;
  EXECUTE replace(there, '{there}', '{wanted}');
END
$do$"""


def upgrade() -> None:
    for function in FUNCTIONS:
        with excused(WHY):
            op.execute(replace_text(function, WHOLE, BOUNDED))


def downgrade() -> None:
    for function in FUNCTIONS:
        with excused(WHY):
            op.execute(replace_text(function, BOUNDED, WHOLE))
