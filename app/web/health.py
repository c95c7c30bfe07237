"""Is the process alive, and is it ready to serve?"""

import time

from flask import Blueprint, current_app, jsonify
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.wrappers import Response

from app.extensions import db
from app.release import state
from app.release.state import SchemaState, schema_state
from app.web.access import public

READY = (state.AT_HEAD, state.AHEAD)  # ahead too, or a release phase would stop the release that is live
CACHED = 5.0  # seconds: a platform asks often, and the schema changes rarely

# A database that takes longer is not one that serves.
_BRIEFLY = text("SET LOCAL statement_timeout = '500ms'")

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def healthz() -> Response:
    """The process answers. Never asks the database: a restart would not mend that."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """The database answers, with a schema on which this code runs."""
    try:
        schema = recent_state()
    except (OperationalError, PoolTimeout):
        db.session.rollback()
        return jsonify(state="no_answer"), 503
    answer = {"state": schema.name, "code_head": schema.code_head, "database_revision": schema.database_revision}
    return jsonify(answer), 200 if schema.name in READY else 503


def recent_state() -> SchemaState:
    """The state as it was at most CACHED seconds ago. A database that does not answer is asked again each time."""
    read_at, schema = current_app.extensions.get("schema_state", (float("-inf"), None))
    if schema is None or time.monotonic() - read_at > CACHED:
        db.session.execute(_BRIEFLY)
        schema = schema_state(db.session.connection())
        db.session.rollback()
        current_app.extensions["schema_state"] = (time.monotonic(), schema)
    found: SchemaState = schema
    return found
