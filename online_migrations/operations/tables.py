"""Rename a table in two releases, with a compatibility view of the old name in between."""

from online_migrations.errors import ReleaseError
from online_migrations.guard.effect import on_table
from online_migrations.operations import catalog
from online_migrations.operations.backfill_later import refuse_while_filling
from online_migrations.operations.catalog import Question
from online_migrations.operations.steps import run_steps, strong
from online_migrations.sql import literal, quote

# Only the new name is there: an attempt by hand, or one that was undone halfway, has left no view.
_LACKS_VIEW = (
    "to_regclass(:table) IS NULL"
    " AND EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:renamed) AND relkind IN ('r', 'p'))"
)
# The old name is that of something else than a table, or than a view of all of the renamed table. The bits of
# pg_relation_is_updatable() are those of INSERT, UPDATE and DELETE.
_IS_ANOTHER = (
    "EXISTS (SELECT FROM pg_class c WHERE oid = to_regclass(:table) AND relkind NOT IN ('r', 'p')"
    " AND to_regclass(:renamed) IS NOT NULL AND NOT (relkind = 'v' AND pg_relation_is_updatable(oid, false) & 28 = 28"
    " AND pg_get_viewdef(oid) NOT LIKE '%WHERE%' AND EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend d"
    " ON d.classid = CAST('pg_rewrite' AS regclass) AND d.objid = r.oid"
    " AND d.refclassid = CAST('pg_class' AS regclass) AND d.refobjid = to_regclass(:renamed)"
    " WHERE r.ev_class = c.oid)))"
)
# Of the table and of its columns, for all roles but the one that owns the view and has them as its owner.
_GRANT_AS_ON = """DO $$ DECLARE grant_ text; BEGIN FOR grant_ IN
SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, of_column, {view}::regclass,
  CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
  CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM (SELECT '' AS of_column, coalesce(relacl, acldefault('r', relowner)) AS acl FROM pg_class
    WHERE oid = {table}::regclass
  UNION ALL SELECT format(' (%I)', attname), attacl FROM pg_attribute
    WHERE attrelid = {table}::regclass AND attacl IS NOT NULL AND NOT attisdropped) access, aclexplode(acl)
WHERE grantee <> (SELECT relowner FROM pg_class WHERE oid = {view}::regclass)
LOOP EXECUTE grant_; END LOOP; END $$"""


def rename_with_view(old: str, new: str) -> None:
    """Rename a table and leave an updatable view of the old name, through which the previous release reads and writes.

    A view of one table passes INSERT, UPDATE and DELETE on, with RETURNING and ON CONFLICT. All statements are one
    transaction: the old name is never missing, and each role may do through the view what it may do with the table.
    Expand.

    Example: rename_with_view("notes", "pages")
    SQL: ALTER TABLE … RENAME TO …; CREATE VIEW … AS SELECT * FROM …; the GRANTs of the table; short.
    Run again: skipped when the table is named `new` and `old` is a view of it. A view that is missing is made.
    Downgrade: rename_back_from_view("notes", "pages").
    Raises:
        ReleaseError: neither is a table, or something else has the old name.
    """
    names = {"table": quote(old), "renamed": quote(new)}
    if Question(_IS_ANOTHER, names).answer():
        raise ReleaseError(
            f"There is a table {new}, and {old} is not a view of all of it that takes rows. Nothing was changed. Look"
            f" what {old} is; drop it, or give it a name of its own. Then run: flask db upgrade"
        )
    grant = _GRANT_AS_ON.format(table=literal(quote(new)), view=literal(quote(old)))
    view, lacks_view = f"CREATE VIEW {quote(old)} AS SELECT * FROM {quote(new)}; {grant}", Question(_LACKS_VIEW, names)
    if lacks_view.answer():
        run_steps(strong(new, view, when=lacks_view))
        return
    rename = f"ALTER TABLE {quote(old)} RENAME TO {quote(new)}"
    run_steps(strong(old, f"{rename}; {view}", when=catalog.is_named(old, new)))


def rename_back_from_view(old: str, new: str) -> None:
    """Undo rename_with_view: drop the view and give the table its old name.

    Example: rename_back_from_view("notes", "pages")
    SQL: DROP VIEW …; ALTER TABLE … RENAME TO …, short, on both.
    Run again: skipped when the table is named `old` and not `new`.
    Downgrade: rename_with_view.
    Raises:
        ReleaseError: neither is a table.
    """
    back = f"DROP VIEW {quote(old)}; ALTER TABLE {quote(new)} RENAME TO {quote(old)}"
    run_steps(strong(new, back, when=catalog.is_named(new, old)))


def drop_compat_view(old: str) -> None:
    """Drop the view of rename_with_view, once no release that may run still uses the old name. Contract.

    Example: drop_compat_view("notes")
    SQL: DROP VIEW IF EXISTS …, short.
    Downgrade: op.execute("CREATE VIEW notes AS SELECT * FROM pages").
    """
    refuse_while_filling("drop_compat_view", old=old)
    drop = f"DROP VIEW IF EXISTS {quote(old)}"
    run_steps(strong(old, drop, when=catalog.is_relation(old, "v")), effects=[on_table("drops-table", old)])
