"""Logical replication: tables whose UPDATE and DELETE fail, since they are published and have no replica identity.

A subscriber finds the row that changed by it: the primary key, unless REPLICA IDENTITY says otherwise. Inserts go on,
so nothing is seen before the first change. Source: PostgreSQL manual, "Publication".
"""

# The tables whose changes a publication sends, one row each.
PUBLISHED = (
    "SELECT schemaname, tablename FROM pg_publication_tables JOIN pg_publication USING (pubname)"
    " WHERE pubupdate OR pubdelete"
)

# Of a relation `c` in a schema `c.ns`, beside a query `published` of the above.
REFUSES_CHANGES = """c.relkind = 'r' AND (c.ns, c.relname) IN (SELECT * FROM published)
      AND NOT (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END))"""
