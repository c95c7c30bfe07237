"""Teardown of the database session: a connection that is lost when the answer is made changes nothing for the reader.

At the end of a request the session rolls back what it only read in. When the database dies right then, that fails. What
had to be saved was committed before, and a commit that failed was answered with 503. So the page stays what it is.
"""

import logging

from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.extensions import db, release_reading_connection

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Call it after the database's own: of the functions of a teardown, the last that was registered runs first."""
    app.teardown_appcontext(end_session)


def end_session(error: BaseException | None) -> None:
    for end in (db.session.remove, release_reading_connection):
        try:
            end()
        except DBAPIError as lost:
            log.warning("the connection was lost behind the answer: %s", lost)
            db.session.registry.clear()  # the pool has dropped the connection already
