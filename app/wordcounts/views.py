"""Pages of word counts: ask for one, poll it, cancel, read, download, share, count again, delete."""

import uuid
from dataclasses import asdict, dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from app.follower.choice import from_follower
from app.keyset import Cursor
from app.limits.quotas import QuotaReached
from app.web.access import public, to_sign_in
from app.web.errors import SENTENCES as ERRORS
from app.web.errors import error_response, show_error
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.web.throttling import retry_after
from app.wordcounts import report, service
from app.wordcounts.forms import AskForm, failure_sentence, quota_sentence, rate_limit_sentence
from app.wordcounts.models import DONE, FAILED, QUEUED
from app.wordcounts.readable import decoded, readable
from app.wordcounts.service import HourlyLimitReached, TooManyUnfinished

bp = Blueprint("wordcounts", __name__, url_prefix="/wordcounts")
bp.add_app_template_filter(decoded)
bp.add_app_template_filter(readable)

Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

WORDS_SHOWN = 100  # without ?all=1


@dataclass(frozen=True)
class View:
    """Read from the URL how a result is shown. Every link and form of its page keeps the view.

    Args:
        stop_words: "keep", or None to leave them out.
        all: "1" for all words that are stored, None for the WORDS_SHOWN most frequent.
        sort: "word", or None for the most frequent first.
    """

    stop_words: str | None
    all: str | None
    sort: str | None

    @property
    def word_list(self) -> str:
        """Return the word list of `service.get_result`."""
        return self.stop_words or "drop"

    @property
    def shown(self) -> int | None:
        return None if self.all else WORDS_SHOWN


@bp.errorhandler(service.ResultNotFound)
def result_not_found(error: service.ResultNotFound) -> Answer:
    return show_error(NotFound()) if current_user.is_authenticated else to_sign_in()


@bp.errorhandler(HourlyLimitReached)
@bp.errorhandler(TooManyUnfinished)
def rate_limited(error: HourlyLimitReached | TooManyUnfinished) -> Response:
    return error_response(TooManyRequests(retry_after=error.seconds), ERRORS[429][0], rate_limit_sentence(error))


@bp.get("")
@from_follower
def index() -> Answer:
    return list_page(AskForm(), requested_cursor())


@bp.post("")
@recovers("url")
def create() -> Answer:
    form = AskForm()
    if not form.validate():
        return list_page(form), 422
    try:
        public_id = service.ask(current_user.id, form.url.data, idempotency_key())
    except (HourlyLimitReached, TooManyUnfinished) as error:
        form.url.errors = [rate_limit_sentence(error)]
        return list_page(form), 429, retry_after(error)
    except QuotaReached as error:
        form.url.errors = [quota_sentence(error)]
        return list_page(form), 422
    return to_result(public_id)


@bp.get("/<uuid:public_id>")
@public
def show(public_id: uuid.UUID) -> Answer:
    view = requested_view()
    result = service.get_result(reader_id(), public_id, view.word_list)
    if not result.finished_at and request.args.get("seen") == progress_of(result):
        return "", 204  # to watch.js
    if result.status == DONE:
        return done_page(result, view)
    if result.status == FAILED:
        return result_page("failed", result, reason=failure_sentence(result.error, result.url))
    return waiting_page(result)


@bp.get("/<uuid:public_id>.csv")
@public
def download_csv(public_id: uuid.UUID) -> Answer:
    counted = finished(public_id)
    return download(report.as_csv(counted), counted, "csv", "text/csv")


@bp.get("/<uuid:public_id>.json")
@public
def download_json(public_id: uuid.UUID) -> Answer:
    counted = finished(public_id)
    return download(report.as_json(counted), counted, "json", "application/json")


@bp.post("/<uuid:public_id>/cancel")
def cancel(public_id: uuid.UUID) -> Answer:
    try:
        service.cancel_result(current_user.id, public_id)
    except service.AlreadyFinished:
        flash(_("The count had already finished, so it wasn't cancelled."))
    return to_result(public_id)


@bp.post("/<uuid:public_id>/again")
def again(public_id: uuid.UUID) -> Answer:
    return to_result(service.ask_again(current_user.id, public_id, idempotency_key()))


@bp.post("/<uuid:public_id>/share")
def share(public_id: uuid.UUID) -> Answer:
    if request.form.get("shared") not in ("0", "1"):
        abort(422)
    view = requested_view()
    service.share_result(current_user.id, public_id, shared=request.form["shared"] == "1")
    return redirect(url_for("wordcounts.show", public_id=public_id, **asdict(view), _anchor="sharing"))


@bp.post("/<uuid:public_id>/delete")
def delete(public_id: uuid.UUID) -> Answer:
    service.delete_result(current_user.id, public_id)
    flash(_("Result deleted."))
    return redirect(url_for("wordcounts.index"))


def requested_view() -> View:
    return View(_one_of("stop_words", "keep"), _one_of("all", "1"), _one_of("sort", "word"))


def requested_stop_words() -> str:
    """Return the value of `?stop_words=`, "drop" without it."""
    return _one_of("stop_words", "keep") or "drop"


def requested_cursor() -> Cursor:
    """Return where the page that `?before=` asks for starts."""
    before = request.args.get("before")
    try:
        return service.START if before is None else Cursor.parse(before, service.KEY_BOUNDS)
    except ValueError:
        abort(400)


def _one_of(name: str, value: str) -> str | None:
    """Return the one value that an argument may have, or None without it; any other is 400, since no link has it."""
    asked = request.args.get(name)
    if asked not in (None, value):
        abort(400)
    return asked


def reader_id() -> int | None:
    """Return the user's id, or None for a visitor who is not signed in and may only read shared results."""
    return current_user.id if current_user.is_authenticated else None


def progress_of(result: service.ResultRow) -> str:
    """Return the progress of an unfinished result: "queued", "running", or "retried" after a transient failure."""
    status: str = result.status
    return "retried" if status == QUEUED and result.error else status


def done_page(result: service.ResultRow, view: View) -> str:
    table = report.word_table(result.words, result.total_words, shown=view.shown, by_word=view.sort == "word")
    return result_page("done", result, report=report.of_result(result, view.word_list), table=table, view=asdict(view))


def waiting_page(result: service.ResultRow) -> str:
    return result_page("waiting", result, progress=progress_of(result))


def result_page(name: str, result: service.ResultRow, **values: object) -> str:
    """Render a page of one result. Users who are signed in also get the form for the next count."""
    form = (
        AskForm(formdata=None, url=readable(result.url) if result.is_own else None)
        if current_user.is_authenticated
        else None
    )
    return render_template(f"wordcounts/{name}.html", result=result, form=form, **values)


def list_page(form: AskForm, after: Cursor = service.START) -> str:
    page = service.list_results(current_user.id, after)
    return render_template("wordcounts/index.html", form=form, page=page)


def to_result(public_id: uuid.UUID) -> Response:
    return redirect(url_for("wordcounts.show", public_id=public_id))


def finished(public_id: uuid.UUID) -> report.Report:
    """Return the report of a result; 404 if it is not done."""
    stop_words = requested_stop_words()
    result = service.get_result(reader_id(), public_id, stop_words)
    if result.status != DONE:
        abort(404)
    return report.of_result(result, stop_words)


def download(content: str, counted: report.Report, extension: str, content_type: str) -> Response:
    response = Response(content, content_type=f"{content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{report.file_name(counted)}.{extension}"'
    return response
