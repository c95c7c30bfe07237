"""Create the SQL function that gives the initial consonants of a note, for the search by them (초성 검색).

A term is a number for each two and each three initials of syllables that stand side by side in a word. A consonant
that stands alone, as in ㅋㅋ, is an initial too, and one such as ㄳ is two. A single initial is no term, since it is in
nearly every note. So is a pair in nearly every long one, but of 50,000 notes of 280 characters few have the same three.
The owner is a term, as in note_terms().

An index is built of what this function gives. To change what it gives, create a function of another name, and a new
index of that. A call takes about as long as one of note_terms(), and next to nothing for a text without Hangul.
"""

from alembic import op

revision = "0036"
down_revision = "0035"
phase = "expand"


def upgrade() -> None:
    op.execute(r"""
        CREATE FUNCTION note_initials(owner bigint, title text, content text) RETURNS bigint[]
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000
        AS $$
        DECLARE
          note text := title || ' ' || content;
          consonants text := 'ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ';
          clusters text[] := '{ㄳㄱㅅ,ㄵㄴㅈ,ㄶㄴㅎ,ㄺㄹㄱ,ㄻㄹㅁ,ㄼㄹㅂ,ㄽㄹㅅ,ㄾㄹㅌ,ㄿㄹㅍ,ㅀㄹㅎ,ㅄㅂㅅ}';
          cluster text;
          initials int[];
          owner_term bigint := (1::bigint << 32) + owner;
        BEGIN
          IF note !~ '[가-힣ㄱ-ㅎ]' THEN
            RETURN ARRAY[owner_term];
          END IF;
          IF note ~ '[ㄳㄵㄶㄺ-ㅀㅄ]' THEN
            FOREACH cluster IN ARRAY clusters LOOP
              note := replace(note, left(cluster, 1), right(cluster, 2));
            END LOOP;
          END IF;
          initials := ARRAY(
            SELECT CASE
              WHEN code BETWEEN 44032 AND 55203 THEN (code - 44032) / 588
              WHEN code BETWEEN 12593 AND 12622 THEN nullif(strpos(consonants, chr(code)), 0) - 1
            END
            FROM (SELECT ascii(letter) AS code FROM unnest(string_to_array(note, NULL)) AS letter) AS codes
          );
          RETURN (
            SELECT array_agg(20 * a + b)::bigint[] || array_agg(400 + 400 * a + 20 * b + c) FILTER (WHERE c IS NOT NULL)
            FROM ROWS FROM (unnest(initials), unnest(initials[2:]), unnest(initials[3:])) AS starts (a, b, c)
            WHERE a IS NOT NULL AND b IS NOT NULL
          ) || owner_term;
        END $$
    """)


def downgrade() -> None:
    op.execute("DROP FUNCTION note_initials(bigint, text, text)")
