"""Ask pages and upload while the database or the bucket is away, restarts, hangs, takes no changes or is full."""
