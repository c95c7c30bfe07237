-- The statements around a scratch database, each after a line with its name.

-- take_name: whoever makes one has its name for application_name, as long as it is used
SELECT set_config('application_name', :name, false)

-- left_behind: by a process that was killed
SELECT datname FROM pg_database d WHERE datname ~ :pattern
    AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    AND NOT EXISTS (SELECT FROM pg_stat_activity s WHERE s.application_name = d.datname OR s.datname = d.datname)

-- end_our_sessions
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :database AND usename = current_user

-- like_this: how to create a database with the encoding and the locale of the one that we are connected to. A column
-- that only some versions have is read from JSON: the name of the locale is `daticulocale` in 15 and 16, `datlocale`
-- from 17 on
SELECT format('ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype)
  || CASE datlocprovider
    WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j ->> 'datlocale', j ->> 'daticulocale'))
    WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j ->> 'datlocale')
    ELSE ' LOCALE_PROVIDER libc' END
  || coalesce(' ICU_RULES ' || quote_literal(j ->> 'daticurules'), '')
FROM pg_database d, to_jsonb(d) j WHERE datname = current_database()
