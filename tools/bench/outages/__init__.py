"""What readers are answered while the database or the bucket is away, restarts, hangs, takes no changes or is full."""
