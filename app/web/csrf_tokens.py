"""CSRF over TLS: besides its token, a form needs an origin of ours. Flask-WTF makes and checks the tokens."""

from flask import Flask, g, request
from flask_wtf.csrf import CSRFError

from app.web.proxy import own_origin


def init_app(app: Flask) -> None:
    """Call it after CSRF protection, whose tokens are checked first."""
    app.before_request(refuse_foreign_pages)


def refuse_foreign_pages() -> None:
    """Refuse a form whose token is right, and which no page of ours has sent. Over http browsers may not tell.

    Raises:
        CSRFError
    """
    if g.get("csrf_valid") and request.is_secure and not is_from_here():  # Flask-WTF notes it of what it protects
        raise CSRFError("The form does not come from a page of this site.")


def is_from_here() -> bool:
    """Return whether a page of ours sent this: Origin and Referer are ours, where the browser sends them.

    Who sends no Referer (a policy of no-referrer, an extension, a proxy) often sends `Origin: null` with forms (Fetch
    standard, "append a request Origin header"), as a sandboxed frame of a foreign page does. Then Sec-Fetch-Site
    decides. Scripts of a page can set none of the three.
    """
    here = own_origin()
    origin, referer = request.headers.get("Origin"), request.headers.get("Referer")
    if origin in (None, "null") and not referer:
        return request.headers.get("Sec-Fetch-Site") == "same-origin"
    is_own_origin = origin in (None, "null", here)
    return is_own_origin and (not referer or f"{referer}/".startswith(f"{here}/"))
