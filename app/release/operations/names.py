"""Names that PostgreSQL keeps whole."""

import hashlib

LONGEST = 63  # bytes (NAMEDATALEN - 1); PostgreSQL cuts what is longer, and two names may become one


def shortened(name: str) -> str:
    """The name, or its beginning with a hash of the whole."""
    if len(name.encode()) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: LONGEST - 9].decode(errors='ignore')}_{digest}"
