"""Progress: the log lines of a release, shown also where the project has not set up logging."""

import logging

LIBRARY = __name__.rpartition(".")[0]


def show_log() -> None:
    """Print our log lines and Alembic's to stderr, unless the project decides about its log.

    Without this, Python shows warnings alone: a release that waits for a lock, or backfills for minutes, would say
    nothing.
    """
    if logging.getLogger().handlers:
        return
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(logging.Formatter("%(levelname)s [%(name)s] %(message)s"))
    for name in (LIBRARY, "alembic"):
        logger = logging.getLogger(name)
        if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(to_stderr)
            logger.setLevel(logging.INFO)
            logger.propagate = False  # the application's logger, which Flask sets up, would print it once more
