-- How to create a database with the encoding and the locale of the one that we are connected to. A column that only some
-- versions have is read from JSON: the name of the locale is `daticulocale` in 15 and 16, `datlocale` from 17 on.
SELECT format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype)
  || CASE datlocprovider
    WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale'))
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j ->> 'datlocale')
    ELSE ' LOCALE_PROVIDER libc' END
  || coalesce(' ICU_RULES ' || quote_literal(j ->> 'daticurules'), '')
FROM pg_database d, to_jsonb(d) j WHERE datname = current_database()
