"""Is the process alive, and is it ready to serve?"""

from flask import Blueprint, jsonify
from werkzeug.wrappers import Response

from app.release.state import schema_state
from app.web.access import public

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def healthz() -> Response:
    """The process answers. Never asks the database: a restart would not mend that."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def readyz() -> tuple[Response, int]:
    """The database answers, with a schema not behind this code. Ahead is fine, or a release would stop the last one."""
    state = schema_state()
    return jsonify(state._asdict()), 503 if state.name == "behind" else 200
