"""Error reports to Sentry, if SENTRY_DSN is set: errors that nobody foresaw, of the web and of jobs that have failed.

A report has the traceback, the request id, the route or task, and the commit. It has no personal data: no account, no
address, no header, no URL, no body, and of no variable the value. Without the variable nothing of it is imported.
"""

from typing import Any

from flask import Flask, got_request_exception

from app import tracing
from app.redaction import redact


def init_app(app: Flask) -> None:
    if not app.config["SENTRY_DSN"]:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration

    sentry_sdk.init(
        dsn=app.config["SENTRY_DSN"],
        release=app.config["COMMIT"] or "unknown",  # else it asks git
        server_name="",  # else the host's
        before_send=_redacted,
        # By default it takes what it finds in the request, in the log, and in the variables of each frame.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=lambda *_: None)],  # sends what waits, and prints nothing
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
    )
    app.extensions["sentry"] = sentry_sdk
    got_request_exception.connect(_report_request, app)


def report(app: Flask, error: BaseException) -> None:
    """Report an error. A thread of the library sends it; nobody waits, and what Sentry does not take is lost."""
    sentry: Any = app.extensions.get("sentry")
    if sentry is None:
        return
    span = tracing.current()
    with sentry.new_scope() as scope:
        if span:
            scope.set_tags({"process": span.process, "request_id": span.request_id or "-", "route": span.name or "-"})
        scope.capture_exception(error)


def _report_request(app: Flask, exception: BaseException, **_: Any) -> None:
    report(app, exception)


def _redacted(event: Any, _hint: object) -> Any:
    for error in event.get("exception", {}).get("values", ()):
        error["value"] = redact(error.get("value") or "")
    return event
