"""Refused passkeys in the log (ASVS 5.0 V16.3.1). Whose account it was is not known, so no owner reads of them."""

import logging

log = logging.getLogger(__name__)


def passkey_refused(reason: str, address: str) -> None:
    log.warning("sign-in failed: passkey address=%s reason=%r", address, reason)


def passkey_copied(reason: str, address: str) -> None:
    """Its counter went backwards: somebody may have copied it."""
    log.error("a passkey seems to be copied: %s address=%s", reason, address)
