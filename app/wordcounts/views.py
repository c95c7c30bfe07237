"""Pages of word counts: ask for one, poll it, cancel, read, download, share, count again, delete."""

import uuid
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.exceptions import NotFound, TooManyRequests
from werkzeug.wrappers import Response

from app.follower.follower import from_follower
from app.keyset import Cursor
from app.limits.quotas import QuotaReached
from app.rejection import RowNotFound
from app.web.access import public, requested_cursor, to_sign_in
from app.web.answers import Answer, retry_after
from app.web.errors import SENTENCES as ERRORS
from app.web.errors import error_response, show_error
from app.web.form_recovery import recovers
from app.web.form_tokens import idempotency_key
from app.wordcounts import report, service
from app.wordcounts.forms import AskForm, failure_sentence, quota_sentence, rate_limit_sentence
from app.wordcounts.models import DONE, FAILED, QUEUED
from app.wordcounts.readable import decoded, readable
from app.wordcounts.service import HourlyLimitReached, TooManyUnfinished

bp = Blueprint("wordcounts", __name__, url_prefix="/wordcounts")
bp.add_app_template_filter(decoded)
bp.add_app_template_filter(readable)

WORDS_SHOWN = 20  # without ?all=1
# The arguments that say how a result is shown, each with the one value that it may have. Without them stop words are
# left out, and the WORDS_SHOWN most frequent words are shown, the most frequent first. Every link and form keeps them.
VIEW = {"stop_words": "keep", "all": "1", "sort": "word"}
DOWNLOADS = {"csv": (report.as_csv, "text/csv"), "json": (report.as_json, "application/json")}


@bp.errorhandler(RowNotFound)
def result_not_found(error: RowNotFound) -> Answer:
    return show_error(NotFound()) if current_user.is_authenticated else to_sign_in()


@bp.errorhandler(HourlyLimitReached)
@bp.errorhandler(TooManyUnfinished)
def rate_limited(error: HourlyLimitReached | TooManyUnfinished) -> Response:
    return error_response(TooManyRequests(retry_after=error.seconds), ERRORS[429][0], rate_limit_sentence(error))


@bp.get("")
@from_follower
def index() -> Answer:
    return list_page(AskForm(), requested_cursor(service.KEY_BOUNDS))


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
    result = get_result(public_id, view["stop_words"])
    if not result.finished_at and request.args.get("seen") == progress_of(result):
        return "", 204  # to watch.js
    if result.status == DONE:
        shown = None if view["all"] else WORDS_SHOWN
        table = report.word_table(result.words, result.total_words, shown=shown, by_word=view["sort"] == "word")
        counted = report.Report(result, view["stop_words"] or "drop")
        return result_page("done", result, report=counted, table=table, view=view)
    if result.status == FAILED:
        return result_page("failed", result, reason=failure_sentence(result.error, result.url))
    return result_page("waiting", result, progress=progress_of(result))


@bp.get("/<uuid:public_id>.csv", endpoint="download_csv")
@bp.get("/<uuid:public_id>.json", endpoint="download_json")
@public
def download(public_id: uuid.UUID) -> Answer:
    """Send the report of a result as a file; 404 if it is not done."""
    stop_words = requested_view()["stop_words"]
    result = get_result(public_id, stop_words)
    if result.status != DONE:
        abort(404)
    counted = report.Report(result, stop_words or "drop")
    extension = request.path.rpartition(".")[2]
    write, content_type = DOWNLOADS[extension]
    response = Response(write(counted), content_type=f"{content_type}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{report.file_name(counted)}.{extension}"'
    return response


@bp.post("/<uuid:public_id>/cancel")
def cancel(public_id: uuid.UUID) -> Answer:
    try:
        service.cancel_result(current_user.id, public_id)
    except service.AlreadyFinished:
        flash(_("The count had already finished, so it wasn't canceled."))
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
    return redirect(url_for("wordcounts.show", public_id=public_id, **view, _anchor="sharing"))


@bp.post("/<uuid:public_id>/delete")
def delete(public_id: uuid.UUID) -> Answer:
    service.delete_result(current_user.id, public_id)
    flash(_("Result deleted."))
    return redirect(url_for("wordcounts.index"))


def requested_view() -> dict[str, Any]:
    """Return each argument of VIEW, None without it. Another value is 400, since no link has it."""
    view = {name: request.args.get(name) for name in VIEW}
    if not view.items() <= {*VIEW.items(), *dict.fromkeys(VIEW).items()}:
        abort(400)
    return view


def get_result(public_id: uuid.UUID, stop_words: str | None) -> service.ResultRow:
    """Read a result. A visitor who is not signed in reads a shared one alone."""
    reader_id = current_user.id if current_user.is_authenticated else None
    return service.get_result(reader_id, public_id, stop_words or "drop")


def progress_of(result: service.ResultRow) -> str:
    """Return the progress of an unfinished result: "queued", "running", or "retried" after a transient failure."""
    status: str = result.status
    return "retried" if status == QUEUED and result.error else status


def result_page(name: str, result: service.ResultRow, **values: Any) -> str:
    """Render a page of one result. Users who are signed in also get the form for the next count."""
    url = readable(result.url) if result.is_own else None
    form = AskForm(formdata=None, url=url) if current_user.is_authenticated else None
    return render_template(f"wordcounts/{name}.html", result=result, form=form, **values)


def list_page(form: AskForm, after: Cursor = service.START) -> str:
    results, older = service.list_results(current_user.id, after)
    return render_template("wordcounts/index.html", form=form, results=results, older=older)


def to_result(public_id: uuid.UUID) -> Response:
    return redirect(url_for("wordcounts.show", public_id=public_id))
