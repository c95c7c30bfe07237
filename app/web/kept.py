"""Typed text outlives a lost session: it is carried through the sign-in, and offered again to be sent.

A form that is posted without a session, or with the token of an ended one, is not obeyed. Its fields come back in a
page whose one button sends them once more, with a token of the new session. Passwords and files are not among them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flask import current_app, render_template, request
from werkzeug.exceptions import HTTPException

View = TypeVar("View", bound=Callable[..., object])

MOST_FIELDS = 20


def keeps(*names: str) -> Callable[[View], View]:
    """Mark a view that takes text worth keeping, and name the fields in which it stands."""

    def mark(view: View) -> View:
        view.kept_fields = names  # type: ignore[attr-defined]
        return view

    return mark


@dataclass(frozen=True)
class KeptForm:
    """A form as it was posted: where to, and each field's name and text."""

    action: str
    fields: Sequence[tuple[str, str]]

    @property
    def texts(self) -> list[str]:
        """What the reader typed, to be recognized."""
        return [text for name, text in self.fields if name in fields_of(self.action) and text.strip()]

    def to_json(self) -> str:
        return json.dumps(self.fields)


def posted_form(action: str | None = None) -> KeptForm | None:
    """This request's form, if its text is worth keeping, and if it was sent from a page of ours.

    Args:
        action: the path that the form is for, if that is not the one that is asked for.
    """
    if request.mimetype != "application/x-www-form-urlencoded" or not is_from_here():
        return None
    fields = [(name, text) for name, text in request.form.items(multi=True) if name != "csrf_token"]
    return worth_keeping(KeptForm(action or request.full_path.rstrip("?"), fields))


def carried_form(action: str) -> KeptForm | None:
    """The form that the sign-in page carried in its field `kept`, to be sent to `action`, a path of this site."""
    try:
        fields = [(str(name), str(text)) for name, text in json.loads(request.form.get("kept", ""))]
        "".join(text for field in fields for text in field).encode()
    except (TypeError, ValueError, RecursionError):  # also of half a character, which no page could show
        return None
    return worth_keeping(KeptForm(action, fields))


def worth_keeping(form: KeptForm) -> KeptForm | None:
    return form if form.texts and len(form.fields) <= MOST_FIELDS else None


def fields_of(path: str) -> Sequence[str]:
    """The names of the fields with text that the view behind a path takes; none for what is no path of ours."""
    adapter = current_app.create_url_adapter(request)
    try:
        endpoint, _ = adapter.match(path.partition("?")[0], method="POST") if adapter else ("", None)
    except HTTPException:
        return ()
    names: Sequence[str] = getattr(current_app.view_functions.get(endpoint), "kept_fields", ())
    return names


def is_from_here() -> bool:
    """Whether a page of ours sent this. A stranger's page could else have its own text offered to be sent."""
    return request.headers.get("Origin") == request.host_url.rstrip("/")


def offer(form: KeptForm) -> str:
    """The page that shows what was typed, with the button that sends it."""
    return render_template("kept.html", kept=form)
