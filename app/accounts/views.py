"""The landing page, sign-up, sign-in and sign-out."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import service, session
from app.accounts.forms import SignInForm, SignUpForm
from app.extensions import csrf
from app.web import kept
from app.web.access import local_path, public

bp = Blueprint("accounts", __name__)

Answer = str | Response | tuple[str, int]


@bp.get("/")
@public
def landing() -> Answer:
    if current_user.is_authenticated:
        return redirect(url_for("notes.index"))
    return render_template("accounts/landing.html")


@bp.route("/sign-up", methods=["GET", "POST"])
@public
def sign_up() -> Answer:
    form = SignUpForm()
    if not form.is_submitted():
        return render_template("accounts/sign_up.html", form=form)
    if form.validate():
        try:
            user = service.sign_up(form.email.data, form.nickname.data, form.password.data)
        except service.EmailTaken:
            form.email.errors = [_("This address has an account already; please sign in.")]
        except service.NicknameTaken:
            form.nickname.errors = [_("This nickname is taken; please choose another one.")]
        else:
            session.begin(user, remember=False)
            return redirect(url_for("notes.index"))
    return render_template("accounts/sign_up.html", form=form), 422


@bp.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    form = SignInForm()
    if not form.is_submitted():
        return sign_in_page(form)
    target = local_path(request.args.get("next"), default=url_for("notes.index"))
    carried = kept.carried_form(target)
    if form.validate():
        try:
            user = service.authenticate(form.email.data, form.password.data)
            session.begin(user, remember=form.remember.data)
        except service.WrongCredentials:
            form.password.errors = [_("E-mail address and password do not belong together.")]
        else:
            return kept.offer(carried) if carried else redirect(target)
    return sign_in_page(form, carried), 422


@bp.post("/sign-in/again")
@public
def sign_in_again() -> Answer:
    """The sign-in page of a form that came without a session; it carries what was typed. Nothing is changed."""
    target = local_path(request.args.get("next"), default=url_for("notes.index"))
    form = kept.posted_form(target)
    if form is None:
        return redirect(url_for("accounts.sign_in", next=target))
    return sign_in_page(SignInForm(formdata=None), form)


csrf.exempt(sign_in_again)  # the token is of the session that was lost


def sign_in_page(form: SignInForm, carried: kept.KeptForm | None = None) -> str:
    return render_template("accounts/sign_in.html", form=form, kept=carried)


@bp.post("/sign-out")
def sign_out() -> Answer:
    service.end_session(current_user.session_id)
    session.end()
    flash(_("You are signed out. See you soon."))
    return redirect(url_for("accounts.sign_in"))
