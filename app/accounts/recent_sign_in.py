"""Recent sign-in ("sudo mode", re-authentication): some views ask for the password again (ASVS 5.0 V7.5.1, V7.5.3).

A session that was left open, or stolen, must not be enough to take everything out of an account, or to put its owner
out. Signed in "recently" is within `sessions.RECENT`. A form that has a field for the current password needs no guard:
the field is the re-authentication. tests/accounts/test_recent_sign_in.py lists which view is which.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import browser_session, service
from app.accounts.forms import ConfirmForm
from app.accounts.guessing import counted_password
from app.rate_limits import RateLimited
from app.web.access import local_path
from app.web.errors import wants_json
from app.web.throttling import retry_after, wait_sentence

bp = Blueprint("recent_sign_in", __name__)

Answer = str | Response | tuple[str | Response, int] | tuple[str, int, dict[str, str]]
Arguments = ParamSpec("Arguments")
View = Callable[Arguments, Answer]


def recent_sign_in_required(page: str | None = None) -> Callable[[View[Arguments]], View[Arguments]]:
    """Guard a view: without a recent sign-in nothing of the request is obeyed, and the password is asked for.

    A script that asks for JSON is told as data where the page has to go: it could not show the page that asks.

    Args:
        page: the endpoint of the page on which the view's button or link stands. The reader comes back to it and
            presses again. None is for a view whose path is a page itself: that is shown after the password.
    """

    def guard(view: View[Arguments]) -> View[Arguments]:
        @wraps(view)
        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            if current_user.is_recent:
                return view(*args, **kwargs)
            target = url_for(page) if page else request.full_path.rstrip("?")
            asks_first = url_for("recent_sign_in.confirm", next=target)
            return (jsonify(location=asks_first), 403) if wants_json() else redirect(asks_first)

        guarded.needs_recent_sign_in = True  # type: ignore[attr-defined]
        return guarded

    return guard


@bp.route("/sign-in/confirm", methods=["GET", "POST"])
def confirm() -> Answer:
    """Ask for the password, and renew the session: a new token, and the time of this sign-in (ASVS 5.0 V7.2.4)."""
    form = ConfirmForm()
    if not form.is_submitted():
        return confirm_page(form)
    if form.validate():
        try:
            with counted_password(current_user.id):
                user = service.check_password(current_user.id, form.password.data)
        except service.WrongPassword:
            form.password.errors = [_("This isn't your password.")]
        except RateLimited as error:
            form.password.errors = [wait_sentence(error)]
            return confirm_page(form), 429, retry_after(error)
        else:
            browser_session.renew(user)
            flash(_("Thanks for confirming. We won't ask again for 10 minutes."))
            return redirect(local_path(request.args.get("next"), default=url_for("mypage.index")))
    return confirm_page(form), 422


def confirm_page(form: ConfirmForm) -> str:
    return render_template("accounts/confirm_sign_in.html", form=form)
