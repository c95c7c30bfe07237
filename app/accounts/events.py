"""Authentication events in the log (ASVS 5.0 V16.3.1): who signed in, who tried to, and from where."""

import hashlib
import hmac
import logging

log = logging.getLogger(__name__)


def sign_in_succeeded(user_id: int, address: str) -> None:
    log.info("sign-in succeeded: account=%d address=%s", user_id, address)


def sign_in_failed(user_id: int | None, email: str, address: str, secret_key: str) -> None:
    """A wrong password, or an e-mail address that nobody has.

    Args:
        user_id: of the account with this e-mail address; None when there is none.
        email: as it was typed. The log has a keyed hash of it, by which tries for one address are told from tries for
            many; without the key nobody can look up which address it was.
        address: the client's IP address, or "None".
        secret_key: keys the hash.
    """
    if user_id is not None:
        log.warning("sign-in failed: account=%d address=%s", user_id, address)
        return
    digest = hmac.new(secret_key.encode(), b"sign-in " + email.encode(), hashlib.sha256).hexdigest()[:16]
    log.warning("sign-in failed: unknown=%s address=%s", digest, address)
