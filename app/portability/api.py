"""/export: everything as a ZIP."""

from flask import stream_with_context
from werkzeug.wrappers import Response

from app.accounts.browser_session import this_client
from app.api.document import caller, operation
from app.portability import service
from app.portability.views import download, portables, readme
from app.web.autocommit import in_transaction
from app.web.locale import reader


@operation("GET", "/export", "export:read", gives="application/zip", tells=["Content-Disposition"])
@in_transaction
def export() -> Response:
    """Export everything as a ZIP, with semicircle.json for programs"""
    parts = service.export(caller(), portables(), readme(), reader().time_zone, this_client())
    return download(stream_with_context(parts))
