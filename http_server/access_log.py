"""The access log: one line a request."""

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

REQUEST_ID = "X-Request-ID"  # a header of the response, app/web/headers.py


class AccessLog(Logger):
    """gunicorn's own, but it gathers only what `access_log_format` has.

    gunicorn gathers each header and each variable of WSGI, which is a sixth of what it needs for a request.
    """

    def atoms(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> Any:
        return {
            "m": environ.get("REQUEST_METHOD"),
            "U": environ.get("PATH_INFO"),
            "s": resp.status.partition(" ")[0] if resp.status else None,
            "B": resp.sent,
            "M": request_time // timedelta(milliseconds=1),
            "{x-request-id}o": next((value for name, value in resp.headers if name == REQUEST_ID), "-"),
        }
