"""The server's part in drafts, which js/draft.js keeps in the browser: it says which form was accepted.

A draft is dropped by this word alone. That the next page is another one proves nothing: it may be the sign-in of a
session that ended, and what was typed is not stored anywhere but in the draft then.
"""

from flask import current_app
from werkzeug.wrappers import Response

COOKIE = "accepted"  # read and removed by js/draft.js, so it is not HttpOnly; it holds nothing but the form's name
KEPT = 600  # seconds until the next page with a draft on it


def accepted(response: Response, draft: str) -> Response:
    """Let the browser drop the draft of a form, named as in its `data-draft`."""
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(COOKIE, draft, max_age=KEPT, secure=secure, httponly=False, samesite="Lax")
    return response
