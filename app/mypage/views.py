"""My page: see it, and change the photo, the nickname and the password, or delete the account."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response

from app.accounts import session
from app.accounts.service import NicknameTaken
from app.mypage import service
from app.mypage.forms import DeletionForm, NicknameForm, PasswordForm, PhotoForm
from app.mypage.photo import PhotoBusy, PhotoRejected
from app.web.errors import RETRY_AFTER, show_error
from app.web.limits import accepts_upload

bp = Blueprint("mypage", __name__, url_prefix="/mypage")

Answer = str | Response | tuple[str, int]


@bp.errorhandler(PhotoBusy)
def photo_busy(error: PhotoBusy) -> Response:
    return show_error(ServiceUnavailable(retry_after=RETRY_AFTER))


@bp.get("")
def index() -> Answer:
    return render_template("mypage/index.html")


@bp.get("/edit")
def edit() -> Answer:
    return edit_page()


def edit_page(**refused: Any) -> str:
    """The page with its four forms, of which the refused one keeps what was typed and says why."""
    forms = {
        "photo_form": PhotoForm(formdata=None),
        "nickname_form": NicknameForm(formdata=None, nickname=current_user.nickname),
        "password_form": PasswordForm(formdata=None),
        "deletion_form": DeletionForm(formdata=None),
    }
    return render_template("mypage/edit.html", **forms | refused)


@bp.post("/photo")
@accepts_upload
def put_photo() -> Answer:
    form = PhotoForm()
    if form.validate():
        [photo] = form.photo.data
        try:
            service.put_photo(current_user.id, photo.read())
        except PhotoRejected as error:
            form.refuse(error)
        else:
            return redirect(url_for("mypage.index"))
    return edit_page(photo_form=form), 422


@bp.post("/photo/delete")
def delete_photo() -> Answer:
    service.remove_photo(current_user.id)
    return redirect(url_for("mypage.index"))


@bp.post("/nickname")
def change_nickname() -> Answer:
    form = NicknameForm()
    if form.validate():
        try:
            service.change_nickname(current_user.id, form.nickname.data)
        except NicknameTaken:
            form.nickname.errors = [_("This nickname is taken; please choose another one.")]
        else:
            return redirect(url_for("mypage.index"))
    return edit_page(nickname_form=form), 422


@bp.post("/password")
def change_password() -> Answer:
    form = PasswordForm()
    if form.validate():
        try:
            user = service.change_password(current_user.id, form.current_password.data, form.new_password.data)
        except service.WrongPassword:
            form.current_password.errors = [_("This is not your current password.")]
        else:
            session.renew(user)
            flash(_("Your password is changed; other devices are signed out."))
            return redirect(url_for("mypage.index"))
    return edit_page(password_form=form), 422


@bp.post("/delete")
def delete_account() -> Answer:
    form = DeletionForm()
    if form.validate():
        try:
            service.delete_account(current_user.id, form.password.data)
        except service.WrongPassword:
            form.password.errors = [_("This is not your password.")]
        else:
            session.end()
            flash(_("Your account and everything in it is deleted."))
            return redirect(url_for("accounts.landing"))
    return edit_page(deletion_form=form), 422
