"""What can stop a release, told in a sentence that says what to do."""

import click


class ReleaseError(click.ClickException):
    """The command ends here, red, with one sentence for a person."""


class RolledBack(ReleaseError):
    """Old code met a newer database, and a step between took away what it uses."""

    exit_code = 3


class UnknownRevision(ReleaseError):
    """The database is at a revision that is known to neither this code nor the ledger."""

    exit_code = 2


class StillBlocked(ReleaseError):
    """The deadline passed while another session held what the migration needs."""


class UnsafeOperation(ReleaseError):
    """A step that would stop the site or lose a row, refused before it began."""
