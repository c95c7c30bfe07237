"""Health checks: is the process alive (/healthz), and is it ready to serve (/readyz)?"""

import time

from flask import Blueprint, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Response

from app.extensions import db
from app.web.access import in_transaction, public
from online_migrations.state import AHEAD, AT_HEAD, SchemaState, read_schema_state, session_obstacle

READY = (AT_HEAD, AHEAD)  # ahead too: while a release migrates, the live one must stay ready
CACHE_SECONDS = 5.0  # platforms ask often, and the schema changes rarely

# A database that takes longer cannot serve pages either.
_BRIEFLY = text("SET LOCAL statement_timeout = '500ms'")
_READ_ONLY = text("SHOW transaction_read_only")  # "on" on a standby too, as during a failover

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def healthz() -> Response:
    """Answer that the process lives, without asking the database: a restart would not fix that one."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
@in_transaction
def readyz() -> tuple[Response, int]:
    """Answer whether the database takes changes and has a schema for this code. `commit` tells releases apart.

    `clients` is there alone where this process has found that all of them look alike, see app/web/address_watch.py.
    """
    commit = current_app.config["COMMIT"]
    try:
        schema = recent_state()
    except (OperationalError, InterfaceError, PoolTimeout):
        db.session.rollback()
        return jsonify(state="no_answer", commit=commit), 503
    if isinstance(schema, str):
        return jsonify(state=schema, commit=commit), 503
    revisions = {"code_head": schema.code_head, "database_revision": schema.database_revision}
    watch = current_app.extensions.get("address_watch")
    clients = {"clients": "alike"} if watch and watch.found else {}
    return jsonify(state=schema.name, commit=commit, **revisions, **clients), 200 if schema.name in READY else 503


def recent_state() -> SchemaState | str:
    """Return the state, at most CACHE_SECONDS old, or what is wrong with the database, which is not cached.

    That it takes no changes ("read_only"), or that it or a setting of it is none that we can work with ("unusable"):
    then the log says what to do.
    """
    found: SchemaState
    read_at, found = current_app.extensions.get("schema_state", (float("-inf"), None))
    if time.monotonic() - read_at <= CACHE_SECONDS:
        return found
    db.session.execute(_BRIEFLY)
    if session_obstacle(db.session.connection()):
        return "unusable"
    is_read_only = db.session.scalar(_READ_ONLY) == "on"
    found = read_schema_state(db.session.connection())
    db.session.rollback()
    if is_read_only:
        return "read_only"
    current_app.extensions["schema_state"] = (time.monotonic(), found)
    return found
