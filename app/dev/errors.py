"""What stops `flask dev`."""

import click


class DevError(click.ClickException):
    """Something could not start or did not go on. The message is one sentence that says what to do."""


class Interrupted(Exception):
    """The developer asked for the end while something was being waited for."""
