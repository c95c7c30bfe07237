"""Identifier length: PostgreSQL truncates names at 63 bytes."""

import hashlib

MAX_BYTES = 63  # NAMEDATALEN - 1; two long names may be cut to the same one


def shorten_identifier(name: str) -> str:
    """The name, or, when it is too long, its beginning with a hash of the whole."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"
