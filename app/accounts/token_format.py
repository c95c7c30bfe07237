"""What a personal access token looks like: `sc_`, 32 random letters, 11 that sign them, and a checksum of 6.

The prefix and the checksum are for those who search published code for lost secrets: what has both is a token of ours,
without asking us. The signature is for the server: by it a request may have a long body before the database is asked.
"""

import binascii
import hmac
import re
import secrets
import string
from collections.abc import Iterable

PREFIX = "sc_"
LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, SIGNATURE, CHECKSUM = 32, 11, 6  # letters of 62: 190 bits, 65 and 32
SECRET = RANDOM + SIGNATURE
TOKEN = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET + CHECKSUM}}}")


def new_token(key: str) -> str:
    """Draw a token. `key` is the secret key of the application."""
    drawn = "".join(secrets.choice(LETTERS) for _ in range(RANDOM))
    secret = drawn + _signature(key, drawn)
    return f"{PREFIX}{secret}{_checksum(secret)}"


def is_well_formed(token: str) -> bool:
    """Whether it looks like a token of ours, by its prefix, length and checksum. Anybody can make such a one."""
    return TOKEN.fullmatch(token) is not None and _checksum(token[len(PREFIX) : -CHECKSUM]) == token[-CHECKSUM:]


def is_signed(token: str, keys: Iterable[str]) -> bool:
    """Whether it was made here, with one of these keys. It may have ended since."""
    if not is_well_formed(token):
        return False
    drawn, signature = token[len(PREFIX) :][:RANDOM], token[len(PREFIX) :][RANDOM:SECRET]
    return any(hmac.compare_digest(_signature(key, drawn), signature) for key in keys)


def bearer_token(authorization: str) -> str:
    """The token in a header Authorization (RFC 6750); empty: there is none."""
    scheme, _space, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _signature(key: str, drawn: str) -> str:
    digest = hmac.digest(key.encode(), f"access token {drawn}".encode(), "sha256")
    return _in_base_62(int.from_bytes(digest), SIGNATURE)


def _checksum(secret: str) -> str:
    """CRC-32 in base 62, as GitHub's tokens have it."""
    return _in_base_62(binascii.crc32(secret.encode()), CHECKSUM)


def _in_base_62(number: int, length: int) -> str:
    letters = ""
    for _ in range(length):
        number, digit = divmod(number, len(LETTERS))
        letters = LETTERS[digit] + letters
    return letters
