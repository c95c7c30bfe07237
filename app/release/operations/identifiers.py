"""Names that the operations make, and identifier length: PostgreSQL truncates names at 63 bytes."""

import hashlib

from app.release.errors import UnsafeOperation

MAX_BYTES = 63  # NAMEDATALEN - 1; two long names may be cut to the same one


def shorten_identifier(name: str) -> str:
    """The name, or, when it is too long, its beginning with a hash of the whole."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"


def spare_name(name: str) -> str:
    """The name of what is to take the place of `name`, until it does."""
    return shorten_identifier(f"{name}_new")


def require_short(name: str) -> None:
    """
    Raises:
        UnsafeOperation: PostgreSQL would cut the name, maybe to one that is taken, and nobody would find it again.
    """
    length = len(name.encode())
    if length > MAX_BYTES:
        raise UnsafeOperation(
            f"The name {name} has {length} bytes, and PostgreSQL cuts names at {MAX_BYTES}; nothing was changed. Give"
            " it a shorter one."
        )


def shadow_of(name: str) -> str:
    """The name of a column's shadow, and of the twin of an index or constraint that stands on it."""
    return shorten_identifier(f"{name}_shadow")
