"""Password hashing with argon2id. Pure: no request, no database."""

from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

# OWASP's floor for argon2id: 19 MiB, 2 passes, 1 lane. The library's default takes 64 MiB, and a dyno has 512 MB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # memory in KiB
# One thread of a process hashes for all others. glibc keeps freed memory in the arena of the thread that freed it: with
# five hashing threads a process keeps 100 MB. With a process for each core, all cores are busy anyway.
_thread = ThreadPoolExecutor(1, "hashing")

# A hash of the same cost that no password matches. It makes an unknown email take as long as a known one, so that the
# time of an answer does not tell which addresses have an account (user enumeration).
_DUMMY_HASH = "$argon2id$v=19$m=19456,t=2,p=1$GGLvztrqAf3RR9dleX9MAg$0yHQUIGBb5F4mDmpftfBHHNf+ROl/zndrcv/4GothXw"


def hash_password(password: str) -> str:
    return _thread.submit(_hasher.hash, password).result()


def matches(password: str, password_hash: str | None) -> bool:
    """Compare a password with a hash. Without a hash return False, after the same work."""
    try:
        _thread.submit(_hasher.verify, password_hash or _DUMMY_HASH, password).result()
    except VerifyMismatchError:
        return False
    return password_hash is not None


def needs_rehash(password_hash: str) -> bool:
    """Tell a hash that was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)
