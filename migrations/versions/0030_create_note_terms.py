"""Create the SQL function that gives the terms of a note, for the index of the search.

A term is the hash of an n-gram of the text in lower case, within words: of each letter, of each two letters, and in
alphabets, where most pairs are in most notes, of each three. (Alphabets are below U+1100, the first Hangul letter.) A
tag is a term as a whole, and so is the owner, by whose term a search leaves out the notes of others.

If the owner were in every term, a search would read less. But then people share no entries of the index, and with 50
notes each it is seven times as large as the table, in place of as large.

An index is built of what this function gives. To change what it gives, create a function of another name, and a new
index of that. hashtext() gives the same in every version of PostgreSQL, since hash indexes outlive pg_upgrade.

The cost tells PostgreSQL to use the index rather than to call it for each row. A call takes up to a millisecond.
"""

from alembic import op

revision = "0030"
down_revision = "0029"
phase = "expand"


def upgrade() -> None:
    op.execute(r"""
        CREATE FUNCTION note_terms(owner bigint, title text, content text, tags text[]) RETURNS bigint[]
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000
        AS $$
        DECLARE
          letters text[] := string_to_array(translate(lower(title || ' ' || content), E'\n\t', '  '), NULL);
        BEGIN
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
    """)


def downgrade() -> None:
    op.execute("DROP FUNCTION note_terms(bigint, text, text, text[])")
