/* A column `a` that a trigger fills when a row leaves it out. One that fires BEFORE INSERT or UPDATE for each row may set
   any column of NEW (PostgreSQL manual, "Overview of Trigger Behavior"). PostgreSQL's own set the one that their first
   argument names, such as tsvector_update_trigger. One in PL/pgSQL does not set a column if its source does not name the
   column, and NEW as a whole is only returned. The bits of tgtype: 1 is FOR EACH ROW, 2 BEFORE, 4 INSERT,
   16 UPDATE (src/include/catalog/pg_trigger.h). */
EXISTS (SELECT FROM pg_trigger f JOIN pg_proc p ON p.oid = f.tgfoid
  JOIN pg_language l ON l.oid = p.prolang
  WHERE f.tgrelid = a.attrelid AND NOT f.tgisinternal AND f.tgenabled IN ('O', 'A')
    AND f.tgtype & 3 = 3 AND f.tgtype & 20 <> 0
    AND CASE WHEN p.oid < 16384 THEN split_part(encode(f.tgargs, 'escape'), '\000', 1) = a.attname
      ELSE l.lanname <> 'plpgsql' OR strpos(lower(p.prosrc), lower(a.attname)) > 0
      OR regexp_replace(p.prosrc, '\mRETURN\s+(NEW|OLD|NULL)\s*;|\mNEW\s*\.', '', 'gi') ~* '\m(NEW|RETURN)\M' END)
