"""Events of passkeys in the log (ASVS 5.0 V16.3.1). None holds a name, an e-mail address or a key."""

import logging

log = logging.getLogger(__name__)


def passkey_refused(reason: str, address: str) -> None:
    log.warning("sign-in failed: passkey address=%s reason=%r", address, reason)


def passkey_copied(reason: str, address: str) -> None:
    """Its counter went backwards: somebody may have copied it."""
    log.error("a passkey seems to be copied: %s address=%s", reason, address)


def recovery_code_refused(user_id: int, address: str) -> None:
    log.warning("sign-in failed: recovery code account=%d address=%s", user_id, address)


def recovery_code_used(user_id: int, address: str) -> None:
    log.info("a recovery code was used: account=%d address=%s", user_id, address)
