"""Delivery status notifications (DSN, RFC 3464) in a multipart/report (RFC 6522, before that RFC 3462). Pure.

What came back is read as leniently as mail servers write, since all that counts is the tag of app/accounts/bounces.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import Message

from app.mail.message import TAG
from app.mail.replies import is_about_mailbox

MAX_SIZE = 1_000_000  # bytes

PERMANENT = re.compile(r"\s*5\.\d{1,3}\.\d{1,3}\b")


class NotAReport(Exception):
    """This is not a delivery status notification, or one that cannot be read."""


@dataclass(frozen=True)
class Report:
    """
    Args:
        is_about_mailbox: a letter was not delivered, since the mailbox does not exist or takes no mail. A server that
            does not trust us, or that could not reach another one, says nothing of the mailbox.
        tag: of the letter that came back; None when the report does not hold its headers.
    """

    is_about_mailbox: bool
    tag: str | None


def read_report(raw: bytes) -> Report:
    """
    Args:
        raw: a message, at most MAX_SIZE.

    Raises: NotAReport.
    """
    try:
        parts = list(message_from_bytes(raw).walk())
        status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
        if not status:
            raise NotAReport
        return Report(any(_is_refused_by_mailbox(block) for part in status for block in _blocks(part)), _tag(parts))
    except (RecursionError, ValueError, LookupError) as error:  # parts in parts in parts, or what is not text
        raise NotAReport from error


def _blocks(part: Message) -> Iterator[Message]:
    """The fields of the message, then those of each recipient."""
    payload = part.get_payload()
    return (block for block in payload if isinstance(block, Message)) if isinstance(payload, list) else iter(())


def _is_refused_by_mailbox(block: Message) -> bool:
    """Judge by the Status, and by the reply that the server got from another one (Diagnostic-Code)."""
    action, status = str(block.get("Action", "")), str(block.get("Status", ""))
    if action.strip().lower() != "failed" or PERMANENT.match(status) is None:
        return False
    return is_about_mailbox(f"{status} {block.get('Diagnostic-Code', '')}")


def _tag(parts: list[Message]) -> str | None:
    """From the headers of the letter, which come back as a message or as text. Not from those of the report itself."""
    for part in parts[1:]:
        headers = message_from_string(_text(part)) if part.get_content_type() == "text/rfc822-headers" else part
        if found := headers.get(TAG):
            return str(found).strip()
    return None


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
