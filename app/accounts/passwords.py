"""Passwords: hashing them, and refusing the ones that everybody guesses. Pure: knows no request and no database."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

MIN_LENGTH = 10  # code points; OWASP ASVS 5.0 V6.2.1 asks for 8 at least and advises more
MAX_LENGTH = 128

# OWASP's floor for argon2id. The library's default takes 64 MiB a hash, and a dyno has 512 MB for all its threads.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # memory in KiB
# Two hashes at a time per process: more would only take memory, not finish sooner.
_slots = threading.BoundedSemaphore(2)

# A hash that no password has, of the same cost: checking an unknown e-mail takes as long as checking a known one.
_NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$GGLvztrqAf3RR9dleX9MAg$0yHQUIGBb5F4mDmpftfBHHNf+ROl/zndrcv/4GothXw"


def hash_password(password: str) -> str:
    with _slots:
        return _hasher.hash(password)


def matches(password: str, password_hash: str | None) -> bool:
    """Whether `password` is the one behind `password_hash`; without a hash, no, after the same work."""
    with _slots:
        try:
            _hasher.verify(password_hash or _NOBODYS_HASH, password)
        except VerifyMismatchError:
            return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    return _hasher.check_needs_rehash(password_hash)


def is_common(password: str) -> bool:
    """Whether the password is on zxcvbn's list of 30,000 (ASVS 5.0 V6.2.4), whatever its upper and lower case."""
    return password.lower() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # 2 MB of lists that only a new password has a use for

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_LENGTH)
