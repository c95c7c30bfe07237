"""What the tests ask the bucket."""

from flask import Flask


def object_keys(app: Flask) -> set[str]:
    """Return the keys of all objects, for "and nothing was stored"."""
    bucket = app.extensions["bucket"]
    listing = bucket.client.get_paginator("list_objects_v2")
    pages = listing.paginate(Bucket=bucket.name, Prefix=f"{bucket.prefix}photos/")
    return {found["Key"] for page in pages for found in page.get("Contents", [])}
