"""Tell replies of mail servers apart: about the mailbox, about the letter, about us, or for now. Pure.

One rule reads replies (smtp.py) and delivery reports (app/accounts/letters.py). A mailbox is given up only by what
speaks of the mailbox, and a letter only by what speaks of this letter. A relay that does not know us, a block list or a
broken DNS also answers 550 to RCPT TO: then the letter waits. A mailbox that is marked wrongly gets no more notices.
"""

import re
from enum import Enum

# Enhanced status codes (RFC 3463) of mailboxes: unknown, misspelt, moved, null MX (RFC 7505) or unknown, disabled. Not
# 5.1.2 and 5.4.4, a domain that the server cannot find: its DNS may be broken, and healthchecks tries again, too
# (hc/api/views.py). Not 5.4.1, Exchange Online's "Access denied": a tenant that is set up wrongly says so of everybody.
MAILBOX = {"5.1.1", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
LETTER = re.compile(r"5\.(?:2\.3|3\.4|6\.\d+)")  # too long for the mailbox or the system; the content (RFC 3463, 6531)
OTHER = ".0"  # ends a code that says "other": then the words decide

LONGEST = 4_000  # characters of a reply that are read; a delivery report could hold a megabyte
STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)")
ADDRESS = re.compile(r"[^\s@]{0,64}@\S*")  # whose name is no word of the server: <spam@relay.example>

# Most servers say one of these, with a code or without. Not "invalid recipient": OpenSMTPD says so of a letter that it
# may not relay (lka_session.c). Not "unknown address error", which IronPort puts before every reply it got.
NO_MAILBOX = re.compile(
    r"\bno (?:such|valid) (?:local )?(?:user|mailbox|recipient|person)|\bno mailbox\b"
    r"|\b(?:unknown|inactive|suspended) (?:local )?(?:user|mailbox|mbox|recipient|local.?part)"
    r"|\b(?:user|mailbox|recipient)\b[^.;]{0,40}?(?:unknown|unavailable|not found|n[o']t exist|inactive|disabled)"
    r"|\buser doesn't have an? |\binvalid mailbox|\bnot a (?:valid|known) (?:user|mailbox)"
)
# Words about us, or about now, whatever else is said. Exim tells with "Sender verify failed" that *our* user is
# unknown (acl.c), GMX says "mailbox unavailable" to who has sent too much or has no MX record, Gmail 5.2.1 of a mailbox
# that gets too much, Amazon 5.1.1 of one on a list of its own. Postfix' "relay recipient table" is where it looks for
# mailboxes.
NOT_THE_MAILBOX = re.compile(
    r"relay(?! recipient)|authenti|authori[sz]|sender|verif|spam|block|black.?list|reputation|polic|denied|prohibit"
    r"|\blimit|\brate\b|quota|\bfull\b|\bspace\b|storage|\blater\b|temporar|too many|\bspf\b|\bdkim\b|\bdmarc\b"
    r"|\bdns\b|resource record|\bdomain\b|\bhost\b|\bdatabase\b|suppress|\bmail from\b"
)
NOT_THE_LETTER = re.compile(r"polic|spam|virus|quota|\bdisk\b")
FULL = re.compile(r"\b5\.2\.[12]\b|mailbox (?:is )?full|over quota|exceeded storage")  # or asked for too often
BAD_LETTER = re.compile(r"message (?:size|length) exceeds|message (?:is )?(?:too (?:big|large)|malformed)")


class Meaning(Enum):
    MAILBOX = "there is no such mailbox, or it takes no mail"
    LETTER = "this letter will never be taken"
    LATER = "not now"
    RELAY = "the server refuses us"


def meaning(step: str, code: int, words: str) -> Meaning:
    """Return the meaning of a refusal of a command (`step`). The code is -1 of what is no reply.

    Before RCPT TO no mailbox was named but our own.
    """
    if code < 500:
        return Meaning.LATER
    if step in ("RCPT TO", "DATA"):
        if is_about_mailbox(words):
            return Meaning.MAILBOX
        if FULL.search(words.lower()):
            return Meaning.LATER
    if step in ("MAIL FROM", "RCPT TO", "DATA") and is_about_letter(words):
        return Meaning.LETTER
    return Meaning.RELAY


def is_about_mailbox(words: str) -> bool:
    """Tell if a permanent failure says that the mailbox does not exist or takes no mail."""
    told = " ".join(ADDRESS.sub("", words[:LONGEST]).lower().split())
    if NOT_THE_MAILBOX.search(told):
        return False
    codes = set(_specific(told))
    return codes <= MAILBOX if codes else NO_MAILBOX.search(told) is not None


def is_about_letter(words: str) -> bool:
    told = words.lower()
    if NOT_THE_LETTER.search(told):
        return False
    codes = _specific(told)
    return any(map(LETTER.fullmatch, codes)) if codes else BAD_LETTER.search(told) is not None


def statuses(words: str) -> list[str]:
    """Return the enhanced status codes in a reply: at the head of each line, or as qmail has it, (#5.1.1)."""
    return STATUS.findall(words)


def _specific(words: str) -> list[str]:
    return [status for status in statuses(words) if not status.endswith(OTHER)]
