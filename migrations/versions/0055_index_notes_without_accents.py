"""Index the notes that have accents or full-width letters without them, for the search.

Beside ix_notes_terms, so that the release before keeps the index that it reads, and so that a note without such letters
pays for one look at its text. normalize() gives the same in every version of PostgreSQL of the letters that it knows
(https://www.unicode.org/policies/stability_policy.html), and notes are stored in NFC.
"""

import sqlalchemy as sa
from alembic import op

from online_migrations.operations import create_index_online, drop_index_online

revision = "0055"
down_revision = "0054"
phase = "expand"

FULL_WIDTH = "".join(chr(0xFEE0 + code) for code in range(0x21, 0x7F) if chr(code).isalnum())
ASCII = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code).isalnum())
STROKES, WITHOUT = "øØłŁđĐħĦŧŦı", "oOlLdDhHtTi"


def upgrade() -> None:
    # The terms of note_terms(), of another text. It is not called: pg_restore builds the index on an empty search path.
    op.execute(rf"""
        CREATE FUNCTION note_folded_terms(owner bigint, title text, content text, tags text[]) RETURNS bigint[]
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000
        AS $$
        DECLARE
          note text := title || ' ' || left(content, 2000);
          folded text;
          letters text[];
        BEGIN
          IF note !~ '[\u00c0-\u024f\u0370-\u04ff\u1e00-\u1fff\uff10-\uff5a]' THEN
            RETURN NULL;
          END IF;
          folded := normalize(translate(note, '{FULL_WIDTH}{STROKES}', '{ASCII}{WITHOUT}'), NFD);
          folded := normalize(regexp_replace(folded, '[\u0300-\u036f]', '', 'g'), NFC);
          IF folded = note THEN
            RETURN NULL;
          END IF;
          letters := string_to_array(translate(lower(folded), E'\n\t', '  '), NULL);
          RETURN (
            SELECT array_agg(hashtext(a)::bigint)
                || array_agg(hashtext(a || b)::bigint) FILTER (WHERE b <> ' ')
                || array_agg(hashtext(a || b || c)::bigint)
                     FILTER (WHERE b <> ' ' AND c <> ' ' AND greatest(ascii(a), ascii(b), ascii(c)) < 4352)
            FROM ROWS FROM (unnest(letters), unnest(letters[2:]), unnest(letters[3:])) AS starts (a, b, c)
            WHERE a <> ' '
          )
          || (SELECT array_agg(hashtext('# ' || tag)::bigint) FROM unnest(tags) AS tag)
          || (1::bigint << 32) + owner;
        END $$
    """)  # noqa: S608 - of constants
    create_index_online(
        "ix_notes_folded",
        "notes",
        [sa.text("note_folded_terms(user_id, title, content, tags)")],
        postgresql_using="gin",
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.execute("ALTER INDEX ix_notes_folded ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    drop_index_online("ix_notes_folded")
    op.execute("DROP FUNCTION note_folded_terms(bigint, text, text, text[])")
