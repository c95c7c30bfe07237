"""My page → Access tokens: list, make and revoke the tokens of programs that use the API."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import access_tokens
from app.accounts.browser_session import this_client
from app.accounts.forms import AccessTokenForm
from app.accounts.recent_sign_in import recent_sign_in_required

bp = Blueprint("access_tokens", __name__, url_prefix="/mypage/tokens")

PAGE = "access_tokens.index"  # the forms stand on it

Answer = str | Response | tuple[str | Response, int] | tuple[str, int, dict[str, str]]


@bp.get("")
@recent_sign_in_required(lazy_gettext("Access tokens"))
def index() -> Answer:
    return list_page(AccessTokenForm(formdata=None))


@bp.post("")
@recent_sign_in_required(lazy_gettext("Create an access token"))
def make() -> Answer:
    """The answer shows the token, and no other page ever does."""
    form = AccessTokenForm()
    if form.validate():
        scopes, days = form.scopes.data, form.days
        try:
            token = access_tokens.make_token(current_user.id, form.name.data, scopes, days, this_client())
        except access_tokens.TooManyTokens:
            form.name.errors = [_("You've reached the limit for access tokens. Revoke one first.")]
        else:
            return render_template("accounts/access_token_made.html", token=token)
    return list_page(form), 422


@bp.post("/<id:token_id>/end")
@recent_sign_in_required(lazy_gettext("Revoke an access token"))
def end(token_id: int) -> Answer:
    try:
        access_tokens.end_token(current_user.id, token_id, this_client())
    except access_tokens.TokenGone:
        abort(404)
    flash(_("Access token revoked. The program that used it can't reach your account any more."))
    return redirect(url_for(PAGE))


def list_page(form: AccessTokenForm) -> str:
    shown = access_tokens.list_tokens(current_user.id)
    return render_template("accounts/access_tokens.html", form=form, tokens=shown, most=access_tokens.MOST)
