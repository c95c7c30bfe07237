"""The server's part in drafts: a cookie that tells js/draft.js which form was stored.

The browser keeps a draft until this cookie names it. Another page as the answer proves nothing: it may be the sign-in
page of a lost session, when the draft is the only copy of the text.
"""

from flask import current_app
from werkzeug.wrappers import Response

COOKIE = "accepted"  # not HttpOnly: js/draft.js reads and removes it; it holds the form's name, nothing secret
LIFETIME = 600  # seconds; the next page with a draft reads it


def accepted(response: Response, draft: str) -> Response:
    """Let the browser drop the draft of a form. `draft` is the form's `data-draft`."""
    secure = bool(current_app.config.get("SESSION_COOKIE_SECURE"))
    response.set_cookie(COOKIE, draft, max_age=LIFETIME, secure=secure, httponly=False, samesite="Lax")
    return response
