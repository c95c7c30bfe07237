"""/export: everything as a ZIP."""

from werkzeug.wrappers import Response

from app.api.document import caller, operation
from app.portability.views import zipped
from app.web.access import in_transaction


@operation("GET", "/export", "export:read", gives="application/zip", tells=["Content-Disposition"])
@in_transaction
def export() -> Response:
    """Export everything as a ZIP, with semicircle.json for programs"""
    return zipped(caller())
