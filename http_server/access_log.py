"""Write the access log: one line a request. docs/logs.md says what its fields are."""

import sys
from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from http_server.refusals import ClientGone

SPAN = "semicircle.span"  # where app/web/logs.py puts what the application knows of the request


class AccessLog(Logger):
    """Gather the fields of the line, which LogfmtFormatter writes.

    gunicorn's own gathers each header and each variable of WSGI, which is a sixth of what it needs for a request, and
    its format cannot escape what a path may hold.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
        if self.access_log_enabled:
            self.access_log.info("", extra={"fields": fields(resp, environ, request_time)})


def fields(response: Any, wsgi: dict[str, Any], took: timedelta) -> dict[str, str | int | float | None]:
    """Return the fields. The path is without its query, which can hold what a person searched for.

    Without a span the request did not come to the application: it could not be read.
    """
    span = wsgi.get(SPAN)
    path = wsgi.get("PATH_INFO")
    return {
        "at": "request",
        "method": wsgi.get("REQUEST_METHOD"),
        "path": path and path.encode("latin-1", "replace").decode("utf-8", "replace"),  # WSGI has bytes as Latin-1
        "route": span and span.name,
        "status": status(response),
        "account": span and span.account,
        "bytes": response.sent,
        "ms": took // timedelta(milliseconds=1),
        "sql_count": span.statements if span else 0,
        "sql_ms": span.sql_seconds * 1000 if span else 0.0,
        "bucket_ms": span.bucket_seconds * 1000 if span else 0.0,
        "request_id": span and span.request_id,
    }


def status(response: Any) -> str | None:
    """Return the status code; 500 of an answer that an error has cut off, whatever its head has told the client.

    gunicorn writes the line while that error passes by. A client that leaves cuts its answer off itself.
    """
    code: str | None = response.status.partition(" ")[0] if response.status else None
    error = sys.exception()
    is_cut_off = error is not None and not isinstance(error, ClientGone)
    return "500" if code and code < "400" and is_cut_off else code
