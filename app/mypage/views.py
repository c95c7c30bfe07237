"""My page, the page that edits it, and preferences in cookies of the browser: language, colours, keyboard shortcuts.

The edit page shows the forms of accounts and photos, and their posts come back to it. A signed-in reader chooses the
language for the account, so on every device.
"""

from datetime import UTC, datetime

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app import time_zones
from app.accounts import browser_session, changes, service
from app.accounts.browser_session import counted_password, this_client
from app.accounts.forms import NICKNAME_TAKEN, DeletionForm, EmailForm, NicknameForm, PasswordForm, SettingsForm
from app.accounts.service import NicknameTaken, WrongPassword
from app.follower.follower import from_follower
from app.limits import rate_limits
from app.limits.rate_limits import RateLimited
from app.mail import message
from app.mypage.overview import overview
from app.photos import service as photos
from app.photos.containers import PhotoRejected, Reason
from app.photos.decoding import UPLOAD_LIMIT
from app.photos.forms import SENTENCES, PhotoForm
from app.web.access import local_path, public
from app.web.answers import Answer, go_to, refusal, refused
from app.web.errors import wants_json
from app.web.fields import rejection_sentence
from app.web.form_recovery import recovers
from app.web.headers import keep
from app.web.locale import browser_locale, reader, reader_locale, today
from app.web.proxy import client_network
from app.web.request_size import accepts_upload

bp = Blueprint("mypage", __name__, url_prefix="/mypage")
preferences = Blueprint("preferences", __name__)

CHOICES = {"language": ("ko", "en"), "theme": ("auto", "light", "dark"), "shortcuts": ("on", "off")}


@bp.get("")
@from_follower
def index() -> Answer:
    figures, by_day = (current_app.extensions[name] for name in ("figures", "by_day"))
    shown = overview(current_user.id, current_user.session_id, figures, by_day, reader().time_zone, today())
    return render_template("mypage/index.html", overview=shown)


@bp.get("/edit")
def edit() -> Answer:
    return edit_page()


@bp.post("/photo")
@accepts_upload(UPLOAD_LIMIT)
def put_photo() -> Answer:
    """Change the photo. photo.js asks for JSON and is told as data where to go, or what is wrong."""
    form = PhotoForm()
    try:
        if form.validate():
            photos.put_photo(current_user.id, form.photo.data[0].read(), form.crop)
            flash(_("Your photo was changed."))
            return go_to(url_for("mypage.index"))
    except PhotoRejected as error:
        form.photo.errors = [rejection_sentence(error, SENTENCES)]
    except RateLimited as error:
        if wants_json():
            raise
        return refused(form.photo, error, lambda: edit_page(form))
    return refusal(form) if wants_json() else (edit_page(form), 422)


@bp.post("/photo/delete")
def delete_photo() -> Answer:
    photos.remove_photo(current_user.id)
    flash(_("Your photo was removed."))
    return redirect(url_for("mypage.index"))


@bp.post("/nickname")
@recovers("nickname")
def change_nickname() -> Answer:
    form = NicknameForm()
    if not form.validate():
        return edit_page(form), 422
    try:
        service.change_nickname(current_user.id, form.nickname.data)
    except NicknameTaken as error:
        return refused(form.nickname, error, lambda: edit_page(form), {NicknameTaken: NICKNAME_TAKEN})
    flash(_("Your nickname was changed."))
    return redirect(url_for("mypage.index"))


@bp.post("/settings")
def change_settings() -> Answer:
    form = SettingsForm()
    if not form.validate():
        return edit_page(form), 422
    language = form.language.data
    service.change_settings(current_user.id, language=language or None, time_zone=form.time_zone.data or None)
    with force_locale(language or browser_locale()):
        flash(_("Your language and time zone were saved."))
    answer = redirect(url_for("mypage.index"))
    if language:
        keep(answer, "language", language)  # for this browser while it is signed out
    else:
        answer.delete_cookie("language")
    return answer


@bp.post("/password")
def change_password() -> Answer:
    form = PasswordForm()
    if not form.validate():
        return edit_page(form), 422
    try:
        with counted_password(current_user.id):
            current, new = form.current_password.data, form.new_password.data
            user = changes.change_password(current_user.id, current, new, reader_locale(), this_client())
    except (WrongPassword, RateLimited) as error:
        wrong = {WrongPassword: _("This isn't your current password.")}
        return refused(form.current_password, error, lambda: edit_page(form), wrong)
    browser_session.renew(user)
    flash(_("Your password was changed, and other devices were signed out."))
    return redirect(url_for("mypage.index"))


@bp.post("/email")
@recovers("new_email")
def change_email() -> Answer:
    if not message.is_enabled():
        abort(404)
    form = EmailForm()
    if not form.validate():
        return edit_page(form), 422
    try:
        with (
            rate_limits.spent(rate_limits.MAILS_BY_ADDRESS, client_network()),
            rate_limits.spent(rate_limits.EMAIL_CHANGES, current_user.id),
            counted_password(current_user.id),
        ):
            typed, new = form.password_for_email.data, form.new_email.data
            changes.ask_to_change_email(current_user.id, typed, new, reader_locale(), this_client())
    except (WrongPassword, RateLimited) as error:
        wrong = {WrongPassword: _("This isn't your password.")}
        return refused(form.password_for_email, error, lambda: edit_page(form), wrong)
    flash(_("We've sent a link to your new address."))
    return redirect(url_for("mypage.index"))


@bp.post("/delete")
def delete_account() -> Answer:
    form = DeletionForm()
    if not form.validate():
        return edit_page(form), 422
    try:
        with counted_password(current_user.id):
            changes.delete_account(current_user.id, form.password.data, this_client())
    except (WrongPassword, RateLimited) as error:
        wrong = {WrongPassword: _("This isn't your password.")}
        return refused(form.password, error, lambda: edit_page(form), wrong)
    browser_session.sign_out()
    flash(_("Your account and everything in it were deleted."))
    return redirect(url_for("accounts.landing"))


def edit_page(refused_form: FlaskForm | None = None) -> str:
    """Render the page with its forms. The refused one keeps the typed text and says why."""
    settings_form = SettingsForm(
        formdata=None, language=current_user.language or "", time_zone=current_user.time_zone or ""
    )
    forms = {
        "photo_form": PhotoForm(formdata=None),
        "nickname_form": NicknameForm(formdata=None, nickname=current_user.nickname),
        "password_form": PasswordForm(formdata=None),
        "email_form": EmailForm(formdata=None),
        "settings_form": settings_form,
        "deletion_form": DeletionForm(formdata=None),
    }
    forms |= {name: refused_form for name, form in forms.items() if type(form) is type(refused_form)}
    return render_template(
        "mypage/edit.html",
        **forms,
        refused=refused_form,
        heif=SENTENCES[Reason.HEIF],  # photo.js says so of a photo that neither the browser nor the server reads
        zones=time_zones.of_no_region(settings_form.time_zone.data),
        regions=time_zones.regions(reader_locale(), datetime.now(UTC)),
    )


@preferences.post("/preferences")
@public
def choose() -> Response:
    chosen = {name: request.form[name] for name in CHOICES if name in request.form}
    if not chosen or any(value not in CHOICES[name] for name, value in chosen.items()):
        abort(422)
    if "language" in chosen and current_user.is_authenticated:
        service.change_settings(current_user.id, language=chosen["language"])
    response = redirect(local_path(request.form.get("next"), default="/"))
    for name, value in chosen.items():
        keep(response, name, value)
    return response


@preferences.get("/preferences/shortcuts")
def shortcuts() -> str:
    """Render the list of keyboard shortcuts, a part for any page. Few open it, so no page carries it."""
    back = local_path(request.args.get("next"), default="/")
    on = request.cookies.get("shortcuts") != "off"
    return render_template("preferences/shortcuts.html", on=on, back=back)
