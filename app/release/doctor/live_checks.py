"""Checks of what keeps a release from noting that it is live, or from writing at all.

A release that serves and could not note it is unknown to the next upgrade, which then judges nothing.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from app.release.doctor.diagnosis import ERROR, Diagnosis, psql
from app.release.live import RELEASES

# Another role than the owner, who migrates: the one of the web, when it may write a table on the search path.
_ROLES = text(
    "SELECT DISTINCT quote_ident(r.rolname) AS role FROM pg_class c, aclexplode(c.relacl) g"
    " JOIN pg_roles r ON r.oid = g.grantee WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid)"
    " AND g.privilege_type = 'INSERT' AND NOT (has_table_privilege(r.oid, to_regclass(:releases), 'SELECT')"
    "  AND has_table_privilege(r.oid, to_regclass(:releases), 'INSERT')"
    "  AND has_table_privilege(r.oid, to_regclass(:releases), 'UPDATE')) ORDER BY 1"
)
_READ_ONLY = text(
    "SELECT concat_ws(' IN ', 'ROLE ' || quote_ident(rolname), 'DATABASE ' || quote_ident(datname)) AS whose"
    " FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = setdatabase LEFT JOIN pg_roles r ON r.oid = setrole"
    " WHERE coalesce(datname, current_database()) = current_database()"
    " AND coalesce(rolname, current_user) = current_user AND EXISTS (SELECT FROM unnest(setconfig) setting"
    "  WHERE setting ~* '^default_transaction_read_only=(on|true|yes|1)$') ORDER BY 1"
)


def releases(connection: Connection) -> Iterator[Diagnosis]:
    """Roles that may write tables and not schema_releases."""
    for row in connection.execute(_ROLES, {"releases": RELEASES.name}):
        what = (
            f"{row.role} may write tables, and not {RELEASES.name}: a release that serves as this role cannot note that"
            " it is live, and an upgrade is not judged by what it uses."
        )
        command = psql(f"GRANT SELECT, INSERT, UPDATE ON {RELEASES.name} TO {row.role}")
        yield Diagnosis(ERROR, "release-not-noted", what, command)


def read_only_default(connection: Connection) -> Iterator[Diagnosis]:
    """A setting by which each new session of ours refuses to write. The command's own session has to write."""
    for row in connection.execute(_READ_ONLY):
        what = f"default_transaction_read_only is on for {row.whose}: new sessions of this role write nothing."
        reset = f"ALTER {row.whose} RESET default_transaction_read_only"
        yield Diagnosis(ERROR, "read-only-default", what, psql("SET default_transaction_read_only = off", reset))
