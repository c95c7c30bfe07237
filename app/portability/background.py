"""An import that takes longer than a router waits continues in a thread, while its page is streamed.

The first bytes are sent in time, and others follow until the end, so no router gives up. Who leaves the page does not
stop the import: it is stored as a whole, or not at all.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import IO

from flask import Flask, current_app, render_template
from flask_babel import gettext as _

from app.portability.forms import sentence_of
from app.portability.importing import Outcome, Progress
from app.portability.rejection import ArchiveRejected
from app.web.formats import number

ANSWER_SECONDS = 20.0  # of a router's 30
TELL_SECONDS = 3.0  # between two lines of the page; a router lets 55 pass
PLACE = "<!-- progress -->"


def start(work: Callable[[IO[bytes]], Outcome], upload: IO[bytes]) -> Future[Outcome]:
    """Do it in a thread of its own, in the context of this application.

    Args:
        work: is given the upload, under a descriptor of its own: the request closes its files before a stream begins.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    own = os.fdopen(os.dup(upload.fileno()), "rb")

    def in_context() -> Outcome:
        with own, app.app_context():
            return work(own)

    executor = ThreadPoolExecutor(1, thread_name_prefix="import")
    job = executor.submit(in_context)
    executor.shutdown(wait=False)  # it takes no other
    return job


def page(job: Future[Outcome], progress: Progress, report_of: Callable[[Outcome], str]) -> Iterator[str]:
    """The parts of the page. It ends when the import does, also when nobody reads it, so that threads do not add up."""
    try:
        head, foot = render_template("portability/importing.html").split(PLACE)
        yield head
        while not wait([job], TELL_SECONDS).done:
            told = _(
                "Read so far: %(count)s", count=number(progress.read)
            )  # Python 3.11 finds no message in an f-string
            yield f"<p>{told}</p>\n"
        yield _outcome(job, report_of)
        yield foot
    finally:
        wait([job])


def _outcome(job: Future[Outcome], report_of: Callable[[Outcome], str]) -> str:
    """What became of it. The status is sent, so an error can only be told."""
    try:
        sentence, is_wrong = report_of(job.result()), False
    except ArchiveRejected as error:
        sentence, is_wrong = sentence_of(error), True
    except Exception:
        current_app.logger.exception("an import failed")
        sentence, is_wrong = _("Something went wrong on our side, so nothing was imported. Try again."), True
    return render_template("portability/outcome.html", sentence=sentence, is_wrong=is_wrong)
