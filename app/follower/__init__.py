"""Follower (read replica, hot standby): reads of a signed-in person's own pages that leave the primary alone.

Without FOLLOWER_DATABASE_URL nothing of this is there. docs/scaling.md says when it is worth having one.

- A view says `@from_follower` that its page may come from there (choice.py). All other reads, and whatever decides who
  somebody is or what they may do, are the primary's.
- Read-your-writes, of an account and not of a device: the row of `account_writes` names the transaction that wrote last
  for it (writes.py). A page comes from the follower only when that has replayed it. So no device and no job of the
  account has written what the page does not show.
- Each process looks at both servers once a second at most, beside the requests (standing.py), and leaves the follower
  out when it lags, was promoted, has another schema, or while a release migrates.
- What fails there is read again from the primary. A follower never costs a reader an error.
"""

from flask import Flask
from sqlalchemy import create_engine, event

from app.extensions import db
from app.follower import choice
from app.follower.follower import Follower, close_connection
from app.follower.writes import FOLLOWER
from app.sql_timing import time_statements
from app.web import autocommit


def init_app(app: Flask) -> None:
    """Call it after what finds out who is signed in, and after the database's own."""
    if not app.config["FOLLOWER_DATABASE_URI"]:
        return
    engine = create_engine(app.config["FOLLOWER_DATABASE_URI"], **app.config["FOLLOWER_ENGINE_OPTIONS"])
    event.listen(engine, "do_connect", autocommit.set_factory)
    time_statements(engine, app.config["LOG_SLOW_MS"])  # what is read here counts in the log as well
    app.extensions[FOLLOWER] = Follower(engine)
    app.before_request(choice.choose)
    app.teardown_appcontext(close_connection)
    if not event.contains(db.session, "before_commit", choice.mark_request):  # once for all applications of a process
        event.listen(db.session, "before_commit", choice.mark_request)
