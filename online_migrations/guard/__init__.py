"""Effects: what a migration does to the catalog, judged before it is committed.

SQL can be spelled in many ways, the catalog cannot. So a revision is judged by the difference between two snapshots of
the system catalogs, not by its text. This holds for raw SQL, DO blocks and functions alike.
"""
