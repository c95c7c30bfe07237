"""`flask mail bounced`: read a delivery status notification that a mail server or a webhook hands over."""

import sys

import click
from flask.cli import with_appcontext

from app.accounts import bounces
from app.accounts.bounces import UnknownTag
from app.accounts.delivery_reports import MAX_SIZE, NotAReport, read_report


@click.group("mail")
def mail_commands() -> None:
    """What comes back from mail servers."""


@mail_commands.command("bounced")
@with_appcontext
def bounced() -> None:
    """Read one bounce (RFC 3464) from standard input, and note it on the account whose letter came back.

    Exits with 0 whatever it was, so that a mail server does not send it back; with 1 when it is too large.
    """
    raw = sys.stdin.buffer.read(MAX_SIZE + 1)
    if len(raw) > MAX_SIZE:
        raise click.ClickException(f"This is larger than {MAX_SIZE} bytes. Nothing was noted.")
    click.echo(take_in(raw))


def take_in(raw: bytes) -> str:
    """Note a bounce, and say what was done."""
    try:
        report = read_report(raw)
    except NotAReport:
        return "Nothing was noted: this is no delivery status notification."
    if not report.is_permanent:
        return "Nothing was noted: the letter was delivered, or may be yet, or was refused by a policy."
    try:
        bounces.note_bounce(report.tag or "")
    except UnknownTag:
        return "Nothing was noted: it is about no letter of ours to the address that an account has now."
    return "Noted: mail to this account does not arrive."
