"""/export: everything, as the ZIP of My page."""

from flask import stream_with_context
from werkzeug.wrappers import Response

from app import rate_limits
from app.accounts.browser_session import this_client
from app.api.blueprint import caller
from app.api.document import operation
from app.api.problems import busy
from app.portability import exporting
from app.portability.concurrency import Busy
from app.portability.views import download, portables, readme
from app.web.autocommit import in_transaction
from app.web.locale import reader


@operation("GET", "/export", "export:read")
@in_transaction
def export() -> Response:
    """Export everything as a ZIP, with semicircle.json for programs"""
    rate_limits.take(rate_limits.EXPORTS, caller().id)
    try:
        parts = exporting.export(caller(), portables(), readme(), reader().time_zone, this_client())
    except Busy as error:
        raise busy() from error
    return download(stream_with_context(parts))
