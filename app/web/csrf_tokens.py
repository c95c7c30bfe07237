"""CSRF protection of forms: their tokens, and whether a page of ours has sent them.

Flask-WTF signs a token for each page, 60 µs. Ours end with the session, so one serves them all.
"""

from functools import lru_cache

from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import CSRFError, generate_csrf

from app.web.proxy import own_origin


def init_app(app: Flask) -> None:
    """Call it after CSRF protection, which offers its own function to templates."""
    app.jinja_env.globals["csrf_token"] = csrf_token
    app.before_request(refuse_foreign_pages)


def csrf_token() -> str:
    """The token of this browser's session. A session without one gets it here."""
    if "csrf_token" not in session:
        g.pop("csrf_token", None)  # of a session that ended meanwhile; Flask-WTF would give it out again
        generate_csrf()  # draws it, and signs it for this page
    g.csrf_token = _signed(current_app.secret_key, session["csrf_token"])  # where the fields of forms look, too
    return str(g.csrf_token)


@lru_cache(maxsize=4096)
def _signed(_key: str | bytes | None, _of_session: str) -> str:
    """Flask-WTF takes both from the application and the session; here they are what the result is remembered by."""
    return str(generate_csrf())


def refuse_foreign_pages() -> None:
    """Refuse a form whose token is right, and which no page of ours has sent. Over http browsers may not tell.

    Raises:
        CSRFError
    """
    if g.get("csrf_valid") and request.is_secure and not is_from_here():  # Flask-WTF notes it of what it protects
        raise CSRFError("The form does not come from a page of this site.")


def is_from_here() -> bool:
    """Tell if a page of ours sent this: Origin and Referer are ours, where the browser sends them.

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
