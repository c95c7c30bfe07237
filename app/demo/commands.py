"""`flask seed`: make the demo account, and say how to sign in to it."""

import secrets

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError, ProgrammingError

from app.accounts.password_policy import MAX_LENGTH, MIN_LENGTH, weakness
from app.accounts.service import EmailTaken, NicknameTaken
from app.database.errors import NOT_MIGRATED, sqlstate
from app.demo import service
from app.photos import service as photos
from app.rejection import Busy
from app.storage import StorageUnavailable

GENERATED = 15  # random bytes of a password that is made here; 120 bits, 20 characters


@click.command("seed")
@click.option("--in-production", is_flag=True, help="Also where APP_SETTINGS names config.ProductionConfig.")
@with_appcontext
def seed(in_production: bool) -> None:
    """Make a demo account with a year of notes, todos and the like.

    Its password is SEED_PASSWORD, or a new one that is printed this once. Where the account exists, nothing is changed.
    """
    if not (current_app.config["DEMO_ACCOUNT"] or in_production):
        raise click.ClickException(
            "This is production, where a demo account is one more way in for strangers."
            " To make it all the same: flask seed --in-production"
        )
    given = current_app.config["SEED_PASSWORD"]
    password = _checked(given) if given else secrets.token_urlsafe(GENERATED)
    if _create(password):
        click.echo(f"The demo account is ready. Email: {service.EMAIL}")
        click.echo("Password: that of SEED_PASSWORD" if given else f"Password, shown this once: {password}")
    else:
        click.echo(f"The demo account {service.EMAIL} exists already. Nothing was changed.")


def _checked(password: str) -> str:
    """Hold the password of the environment to the rules of everybody's: the site may be a public one."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH or weakness(password, (service.EMAIL, service.NICKNAME)):
        raise click.ClickException(
            f"SEED_PASSWORD is shorter than {MIN_LENGTH} characters, longer than {MAX_LENGTH}, or easy to guess;"
            " choose another one, or leave it out and one is made. Nothing was changed."
        )
    return password


def _create(password: str) -> bool:
    """Make the account; False: it is there already."""
    try:
        user = service.create(password, current_app.extensions["portables"])
    except EmailTaken:
        return False
    except NicknameTaken:
        raise click.ClickException(
            f"Another account is named {service.NICKNAME}, so the demo account cannot be. Nothing was changed."
        ) from None
    except OperationalError as error:
        raise click.ClickException(
            "The database does not answer. In development, `make dev` in another terminal starts one."
        ) from error
    except ProgrammingError as error:
        if sqlstate(error) not in NOT_MIGRATED:
            raise
        raise click.ClickException("The database has not this schema yet; run flask db upgrade first.") from error
    try:
        photos.put_photo(user.id, (service.TEXTS / "portrait.webp").read_bytes())
    except (StorageUnavailable, Busy):
        click.echo("The bucket does not answer, so the account has no photo.", err=True)
    return True
