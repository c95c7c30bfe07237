"""Roles of a snapshot: whether they may log in, and how often."""

# Roles that this database depends on, since they own something in it or may use it; and ours. Others of the server are
# none of ours, and may come and go meanwhile.
ROLES = """
SELECT 'role', r.oid::bigint, 0, NULL, r.rolname::text, jsonb_build_object('limit', r.rolconnlimit,
    'locked', NOT r.rolcanlogin OR r.rolvaliduntil < 'infinity')
FROM pg_roles r WHERE r.rolname = current_user OR r.oid IN (SELECT refobjid FROM pg_shdepend
  WHERE refclassid = 'pg_authid'::regclass AND dbid = (
    SELECT oid FROM pg_database WHERE datname = current_database()))"""
