"""Guard: what a migration does to the catalog is judged before it is committed."""
