"""Recent sign-in ("sudo mode", re-authentication): some views ask for the password again (ASVS 5.0 V7.5.1, V7.5.3).

A session that was left open, or stolen, must not be enough to take everything out of an account, or to put its owner
out. A form with a field for the current password needs no guard. tests/accounts/test_recent_sign_in.py lists the views.
"""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, ParamSpec

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.exceptions import Forbidden

from app.accounts import browser_session, service
from app.accounts.forms import ConfirmForm
from app.accounts.models import User
from app.limits.rate_limits import RateLimited
from app.web.access import local_path
from app.web.answers import Answer, refused
from app.web.errors import error_response, wants_json
from app.web.form_recovery import endpoint_of
from app.web.marks import mark_of, marking

bp = Blueprint("recent_sign_in", __name__)

Arguments = ParamSpec("Arguments")
View = Callable[Arguments, Answer]


class PasskeyNotAccepted(Exception):
    """The passkey that was shown again does not confirm who is there. Its text says why, to the reader."""


class Act(NamedTuple):
    name: str
    is_download: bool


def recent_sign_in_required(name: str, *, is_download: bool = False) -> Callable[[View[Arguments]], View[Arguments]]:
    """Guard a view: without a recent sign-in nothing of the request is done before the password, and all of it after.

    A form that was posted is answered by the page that asks. It carries the form's fields and posts them to the same
    view, beside the password. A page or a download is opened after the password. A script that asks for JSON is refused
    (403): it posts its form as a page then. The page names the act, so that nobody confirms another one.
    """

    def guard(view: View[Arguments]) -> View[Arguments]:
        @wraps(view)
        def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
            if current_user.is_recent:
                return view(*args, **kwargs)
            if wants_json():
                return error_response(Forbidden(), _("Confirm it's you"), _("To continue, enter your password again."))
            if request.method != "POST":
                return redirect(url_for("recent_sign_in.confirm", next=request.full_path.rstrip("?")))
            return ask(name) or view(*args, **kwargs)

        return marking(sensitive_act=Act(name, is_download), recovered_act=name)(guarded)

    return guard


@bp.route("/sign-in/confirm", methods=["GET", "POST"])
@marking(recovered_act=lazy_gettext("Confirm it's you"))
def confirm() -> Answer:
    """Ask on the way to a page, or before a download: that begins on a page which says so, and does not hold a form."""
    target = local_path(request.args.get("next"), default=url_for("mypage.index"))
    act: Act | None = mark_of(endpoint_of(target, "GET"), "sensitive_act", None)
    is_download = act is not None and act.is_download
    if is_download and request.method == "GET" and current_user.is_recent:
        return render_template("accounts/download_begins.html", url=target)
    after = url_for("recent_sign_in.confirm", next=target) if is_download else target
    if request.method == "POST" and current_user.is_recent and not {"password", "passkey"} & request.form.keys():
        return redirect(after)  # another window has confirmed
    if refusal := ask(act.name if act else None):
        return refusal
    if is_download:
        return redirect(after)
    flash(_("Thanks for confirming. We won't ask again for 10 minutes."))
    return redirect(target)


def ask(act: str | None) -> Answer | None:
    """Return the page that asks who is there. Once it is answered return None, with a new session (ASVS 5.0 V7.2.4)."""
    form = ConfirmForm()
    answered = form.passkey if form.passkey.data else form.password
    if answered.name not in request.form:
        return confirm_page(form, act)
    try:
        if form.passkey.data:
            by_passkey: Callable[[str], User] = current_app.extensions["confirm_by_passkey"]  # the factory names it
            user = by_passkey(form.passkey.data)
        elif form.validate():
            with browser_session.counted_password(current_user.id):
                user = service.check_password(current_user.id, form.password.data)
        else:
            return confirm_page(form, act), 422
        browser_session.renew(user)
        return None
    except service.WrongPassword:
        answered.errors = [_("This isn't your password.")]
    except PasskeyNotAccepted as error:
        answered.errors = [str(error)]
    except RateLimited as error:
        return refused(answered, error, lambda: confirm_page(form, act))
    return confirm_page(form, act), 422


def confirm_page(form: ConfirmForm, act: str | None) -> str:
    """Render the page with the fields of the form that was posted, but not those of its own."""
    own = {*form.data, "csrf_token", "username"}
    carried = [(name, text) for name, text in request.form.items(multi=True) if name not in own]
    return render_template("accounts/confirm_sign_in.html", form=form, act=act, carried=carried)
