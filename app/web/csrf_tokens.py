"""CSRF tokens of forms. Flask-WTF signs one for each page, 60 µs. Ours end with the session, so one serves them all."""

from functools import lru_cache

from flask import Flask, current_app, g, session
from flask_wtf.csrf import generate_csrf


def init_app(app: Flask) -> None:
    """Call it after CSRF protection, which offers its own function to templates."""
    app.jinja_env.globals["csrf_token"] = csrf_token


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
