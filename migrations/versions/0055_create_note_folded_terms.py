"""Create the SQL function that gives the terms of a note without its accents and full-width letters.

It gives none where there are no such letters, so most notes pay for one look at their text. Of letters that it knows,
normalize() gives the same in every version of PostgreSQL (https://www.unicode.org/policies/stability_policy.html).
"""

from alembic import op

revision = "0055"
down_revision = "0054"
phase = "expand"

FULL_WIDTH = (
    "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
    "ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ"
)
ASCII = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
STROKES = "øØłŁđĐħĦŧŦı"
WITHOUT = "oOlLdDhHtTi"


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


def downgrade() -> None:
    op.execute("DROP FUNCTION note_folded_terms(bigint, text, text, text[])")
