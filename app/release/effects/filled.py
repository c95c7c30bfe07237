"""Columns that the server fills when a row leaves them out: by a default, or by a trigger.

A trigger that fires BEFORE INSERT or UPDATE for each row may set any column of NEW (PostgreSQL manual, "Overview of
Trigger Behavior"). One in PL/pgSQL is known not to set a column when its source does not name the column, and NEW as a
whole is only returned.
"""

# tgtype: 1 is FOR EACH ROW, 2 BEFORE, 4 INSERT, 16 UPDATE (src/include/catalog/pg_trigger.h).
FILLED_BY_TRIGGER = r"""EXISTS (SELECT FROM pg_trigger f JOIN pg_proc p ON p.oid = f.tgfoid
  JOIN pg_language l ON l.oid = p.prolang
  WHERE f.tgrelid = a.attrelid AND NOT f.tgisinternal AND f.tgenabled IN ('O', 'A')
    AND f.tgtype & 3 = 3 AND f.tgtype & 20 <> 0
    AND (l.lanname <> 'plpgsql' OR strpos(lower(p.prosrc), lower(a.attname)) > 0
      OR regexp_replace(p.prosrc, '\mRETURN\s+(NEW|OLD|NULL)\s*;|\mNEW\s*\.', '', 'gi') ~* '\m(NEW|RETURN)\M'))"""

# Of an identity as of a serial, since both take their numbers from a sequence.
DEFAULT = """CASE WHEN a.attidentity <> ''
  THEN format('nextval(%L)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid)
  WHEN a.attgenerated = '' THEN pg_get_expr(coalesce(d.adbin, t.typdefaultbin), coalesce(d.adrelid, 0)) END"""
