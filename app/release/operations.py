"""The operations of online_migrations, for revisions that ran: their content hash covers this import."""

from online_migrations.operations import *  # noqa: F403 - the names that the library exports
