"""Form recovery: typed text survives a lost session.

A form that is posted without a session, or with the CSRF token of an ended one, is not obeyed. Its fields are carried
through the sign-in. Then a page shows them with one button, which posts them again with a new token. Only fields that
the view names are recovered, so no password and no file is.

An act that asks for a recent sign-in is offered as well, when the session was renewed in another window.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import current_app, render_template, request
from werkzeug.exceptions import HTTPException

from app.web.form_tokens import is_from_here
from app.web.marks import View, mark_of, marking

MAX_FIELDS = 20
NEVER_KEPT = {"csrf_token", "password", "passkey", "username"}  # the last three confirm who is there


def recovers(*names: str) -> Callable[[View], View]:
    """Mark a view whose typed text is recovered, and name the fields that hold it."""
    return marking(recovered_fields=names)


@dataclass(frozen=True)
class RecoveredForm:
    """A posted form: its action, each field's name and text, and the name of the act that is guarded, if it is one."""

    action: str
    fields: Sequence[tuple[str, str]]
    act: str | None = None

    @property
    def texts(self) -> list[str]:
        """Return what the reader typed, in fields that the view behind the action recovers."""
        names: Sequence[str] = mark_of(endpoint_of(self.action, "POST"), "recovered_fields", ())
        return [text for name, text in self.fields if name in names and text.strip()]

    def to_json(self) -> str:
        return json.dumps(self.fields)


def posted_form(action: str | None = None, *, or_act: bool = False) -> RecoveredForm | None:
    """Return this request's form, to be posted to `action` or the same path, if there is text to recover.

    Only a page of ours has its text offered again: another site could have its own sent.

    Args:
        or_act: also the form of a guarded act, see app/accounts/recent_sign_in.py.
    """
    if request.mimetype != "application/x-www-form-urlencoded" or not is_from_here():
        return None
    fields = [(name, text) for name, text in request.form.items(multi=True) if name not in NEVER_KEPT]
    act = mark_of(request.endpoint, "recovered_act", None) if or_act else None
    return if_recoverable(RecoveredForm(action or request.full_path.rstrip("?"), fields, act))


def carried_form(action: str) -> RecoveredForm | None:
    """Return the form that the sign-in page carried in its field `kept`, for `action`, a path of this site."""
    try:
        fields = [(str(name), str(text)) for name, text in json.loads(request.form.get("kept", ""))]
        "".join(text for field in fields for text in field).encode()
    except (TypeError, ValueError, RecursionError):  # a lone surrogate is a ValueError too
        return None
    return if_recoverable(RecoveredForm(action, fields))


def if_recoverable(form: RecoveredForm) -> RecoveredForm | None:
    return form if len(form.fields) <= MAX_FIELDS and (form.texts or form.act) else None


def endpoint_of(path: str, method: str) -> str | None:
    """Return the endpoint that answers a path; None for a path that is not ours."""
    adapter = current_app.create_url_adapter(request)
    try:
        return adapter.match(path.partition("?")[0], method=method)[0] if adapter else None
    except HTTPException:
        return None


def offer(form: RecoveredForm, reason: str | None = None) -> str:
    """Render what was typed, with the button that posts it again. Without a `reason`, the session was lost."""
    return render_template("form_recovery.html", kept=form, reason=reason)
