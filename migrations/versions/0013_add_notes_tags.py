"""Add notes.tags.

The #tags of a note's text, so that they can be counted and filtered by without reading the text. The default stands for
notes that have none, and for those that the release before goes on inserting: they get theirs when they are saved next.
The notes that are there get theirs from the text, by the rule of app/notes/tags.py, written out here since a migration
stays as it was when the rule changes.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from app.release.operations import add_column_online, backfill, drop_column_contract

revision = "0013"
down_revision = "0012"
phase = "expand"

END = (
    r"\x01-\x2c\x2e\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\xbf"
    r"\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff3e\uff40\uff5b-\uff65"
)
SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
TAG = rf"(?:^|[{SPACE}(\[])#([^{END}]{{1,30}})(?![^{END}])"
FOUND = rf"regexp_matches(title || E'\n' || content, '{TAG}', 'gn') AS found (tag) WHERE tag[1] !~ '^[0-9]+$'"
TAGS = f'ARRAY(SELECT DISTINCT lower(tag[1]) COLLATE "C" AS name FROM {FOUND} ORDER BY name)'  # noqa: S608 - of constants


def upgrade() -> None:
    add_column_online("notes", sa.Column("tags", ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    backfill(
        "notes",
        f"tags = {TAGS}",
        f"tags = '{{}}' AND EXISTS (SELECT FROM {FOUND})",
    )


def downgrade() -> None:
    drop_column_contract("notes", "tags")
