"""Export and import pages.

An import that takes longer than a router waits continues in a thread, while its page is streamed. The first bytes are
sent in time, and others follow until the end, so no router gives up. Who leaves the page does not stop the import: it
is stored as a whole, or not at all.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import IO, cast

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts.browser_session import this_client
from app.accounts.models import Account
from app.accounts.recent_sign_in import recent_sign_in_required
from app.accounts.sessions import SignedIn
from app.limits import rate_limits
from app.portability import archive, service
from app.portability.archive import ArchiveRejected
from app.portability.contract import PortableTable
from app.portability.forms import MISSING, SENTENCES, ImportForm
from app.portability.service import Progress
from app.web.access import in_transaction
from app.web.answers import Answer, refused
from app.web.fields import rejection_sentence
from app.web.formats import number
from app.web.locale import reader, today
from app.web.request_size import accepts_upload

ANSWER_SECONDS = 20.0  # of a router's 30
TELL_SECONDS = 3.0  # between two lines of the page; a router lets 55 pass
MAX_FILES = 2_000  # chosen one by one, or as a folder
NAMED = 100  # files that were not taken for one reason
PLACE = "<!-- progress -->"

bp = Blueprint("portability", __name__, url_prefix="/mypage")


def portables() -> Sequence[PortableTable]:
    """Return the features that take part; the factory names them."""
    return cast(Sequence[PortableTable], current_app.extensions["portables"])


@bp.get("/export")
@in_transaction
@recent_sign_in_required(lazy_gettext("Download everything I have here"), is_download=True)
def export() -> Answer:
    user: SignedIn = current_user._get_current_object()  # its name outlives the request, the proxy does not
    return zipped(user)


def zipped(account: Account) -> Response:
    """Answer with everything of an account, without a length, which only the end of the export tells."""
    parts: Iterable[bytes] = ()
    if request.method != "HEAD":
        records = current_app.extensions["records"]
        exported = service.export(account, portables(), records, readme(), reader().time_zone, this_client())
        parts = stream_with_context(exported)
    response = Response(parts, mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename=f"semicircle-{today()}.zip")
    return response


def readme() -> str:
    sentences = (
        _("This is everything you have in Semicircle."),
        _("notes, archive and trash: your notes as Markdown files, with the dates they were written."),
        _("todos.md: your todos as a task list."),
        _("photo.webp: your photo, if you have one."),
        _("semicircle.json: all of this and your word counts, for programs and for importing it again."),
        _("records: earlier versions of notes, deleted todos, and what we keep about your account. None is imported."),
        # Stated by the export itself: after deleting the account it would be too late to ask.
        _(
            "You can import a ZIP of up to 128 MB with a semicircle.json of up to 192 MB. That is about 2,500 notes of "
            "full length, or more short ones. Only semicircle.json and photo.webp are read, so if the ZIP is larger, "
            "remove its folders."
        ),
    )
    return "".join(f"{sentence}\r\n\r\n" for sentence in sentences)


@bp.get("/import")
def show_import() -> Answer:
    return import_page(ImportForm(formdata=None))


@bp.post("/import")
@accepts_upload(archive.UPLOAD_LIMIT, most_files=MAX_FILES)
def import_() -> Answer:
    form = ImportForm()
    if form.validate():
        try:
            rate_limits.take(rate_limits.IMPORTS, current_user.id)
            return import_upload(form)
        except ArchiveRejected as error:
            form.archive.errors = [rejection_sentence(error, SENTENCES)]
        except rate_limits.RateLimited as error:
            return refused(form.archive, error, partial(import_page, form))
    return import_page(form), 422


def import_upload(form: ImportForm) -> Response:
    """Import the upload, in a thread. Raises: ArchiveRejected, and what import_archive raises besides."""
    progress = Progress()
    work = partial(
        service.import_archive,
        current_user._get_current_object(),  # the thread has no proxy
        portables=portables(),
        progress=progress,
        replace_photo=form.replace_photo.data,
        zone=reader().time_zone,
    )
    job = start(work, form.bundle())
    try:
        job.result(ANSWER_SECONDS)
    except TimeoutError:
        return Response(stream_with_context(streamed(job, progress)), mimetype="text/html")
    if progress.left_out:
        return Response("".join(streamed(job, progress)), 200 if progress.taken else 422, mimetype="text/html")
    flash(report_of(progress))
    return redirect(url_for("mypage.index"))


def start(work: Callable[[IO[bytes]], None], upload: IO[bytes]) -> Future[None]:
    """Do the work in a thread of its own, in the context of this application.

    It is given the upload under a descriptor of its own: the request closes its files before a stream begins, and
    nobody else closes one that was packed here.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    own = os.fdopen(os.dup(upload.fileno()), "rb")
    upload.close()

    def in_context() -> None:
        with own, app.app_context():
            work(own)

    executor = ThreadPoolExecutor(1, thread_name_prefix="import")
    job = executor.submit(in_context)
    executor.shutdown(wait=False)  # it takes no other
    return job


def streamed(job: Future[None], progress: Progress) -> Iterator[str]:
    """Yield the parts of the page until the import ends, also if nobody reads it: so threads do not add up."""
    try:
        head, foot = render_template("portability/importing.html", is_over=job.done()).split(PLACE)
        yield head
        while not wait([job], TELL_SECONDS).done:
            # Not in the f-string: Python 3.11 finds no message there.
            told = _("%(count)s read so far", count=number(progress.read))
            yield f"<p>{told}</p>\n"
        yield _outcome(job, progress)
        yield foot
    finally:
        wait([job])


def _outcome(job: Future[None], progress: Progress) -> str:
    """Tell what became of it. The status is sent, so an error can only be told."""
    try:
        job.result()
        sentence, is_wrong = report_of(progress), False
    except ArchiveRejected as error:
        sentence, is_wrong = rejection_sentence(error, SENTENCES), True
    except Exception:
        current_app.logger.exception("an import failed")
        sentence, is_wrong = _("Something went wrong on our side, so nothing was imported. Try again."), True
    found = [] if is_wrong else [(words, progress.left_out.get(missing, [])) for missing, words in MISSING.items()]
    reasons = [(words, names[:NAMED], len(names)) for words, names in found if names]
    return render_template("portability/outcome.html", sentence=sentence, is_wrong=is_wrong, reasons=reasons)


def import_page(form: ImportForm) -> str:
    return render_template("portability/import.html", form=form)


def report_of(done: Progress) -> str:
    if not done.photo and not any(done.new.values()):
        if not done.taken and done.left_out:
            return str(_("Nothing was imported."))
        return str(_("You already have everything in this ZIP, so nothing new was imported."))
    counts = [each.came(done.new[each.name]) for each in portables() if each.name in done.new]
    imported = _("Imported: %(counts)s.", counts=", ".join(counts))
    photo = [_("Your photo was imported too.")] if done.photo else []
    known = done.taken - sum(done.new.values())
    skipped = ngettext(
        "%(count)s skipped, since you already have it.", "%(count)s skipped, since you already have them.",
        known, count=number(known),
    )  # fmt: skip
    return " ".join([imported, *photo, *([skipped] if known else [])])
