"""Add notes.tasks: how many tasks the text of a note has, and how many of them are done; NULL where it has none.

The list shows them. It counted them in the text, which takes a millisecond for one of 20,000 characters. A trigger
keeps them, since the release before writes texts too.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from online_migrations.operations import add_computed_column_online, drop_dual_write_contract

revision = "0053"
down_revision = "0052"
phase = "expand"

BEGINNING = r"^[ \t>]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]+"
ALL = rf"regexp_count(content, '{BEGINNING}\[[ xX]\][ \t]', 1, 'n')"
DONE = rf"regexp_count(content, '{BEGINNING}\[[xX]\][ \t]', 1, 'n')"
# Only a text that looks as if it had one pays for the regular expressions.
TASKS = rf"CASE WHEN content LIKE '%[_]%' AND {ALL} > 0 THEN ARRAY[{ALL}, {DONE}]::smallint[] END"


def upgrade() -> None:
    add_computed_column_online("notes", sa.Column("tasks", ARRAY(sa.SmallInteger())), TASKS)


def downgrade() -> None:
    drop_dual_write_contract("notes", "tasks")
