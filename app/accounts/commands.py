"""`flask mail check` asks the mail server; `flask mail bounced` reads a bounce that it or a webhook hands over."""

import sys

import click
from flask.cli import AppGroup

from app.accounts.letters import MAX_SIZE, NothingNoted, note_bounce, read_report
from app.mail import message, smtp

mail_commands = AppGroup("mail", help="See whether the mail server lets us in, and handle its bounces.")


@mail_commands.command("check")
def check() -> None:
    """Sign in at the server of SMTP_URL, name MAIL_FROM, and send nothing. Exits with 1 when it refuses either."""
    if not message.reaches_mailboxes():
        raise click.ClickException("SMTP_URL is not set: no mail is sent.")
    try:
        smtp.say_hello()
    except smtp.MailUnavailable as error:
        raise click.ClickException(f"{error}.") from None
    click.echo("The mail server lets us in, and takes the sender.")


@mail_commands.command("bounced")
def bounced() -> None:
    """Read a bounce (RFC 3464) from standard input, and mark the account whose mail bounced.

    Exits with 0 whatever it was, so that a mail server does not send it back; with 1 when it is too large.
    """
    raw = sys.stdin.buffer.read(MAX_SIZE + 1)
    if len(raw) > MAX_SIZE:
        raise click.ClickException(f"This is larger than {MAX_SIZE} bytes. Nothing was noted.")
    try:
        note_bounce(read_report(raw))
    except NothingNoted as reason:
        click.echo(f"Nothing was noted: {reason}.")
    else:
        click.echo("Noted: mail to this account does not arrive.")
