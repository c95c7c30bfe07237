"""Lines for people: each function turns the document of one `flask release` command into them."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import click

LIBRARY = __name__.rpartition(".")[0]
Document = dict[str, Any]


def show_log() -> None:
    """Print our log lines and Alembic's to stderr, unless the project decides about its log.

    Python by itself shows warnings alone: a release that waits for a lock for minutes would say nothing.
    """
    if logging.getLogger().handlers:
        return
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(logging.Formatter("%(levelname)s [%(name)s] %(message)s"))
    for name in (LIBRARY, "alembic"):
        logger = logging.getLogger(name)
        if all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(to_stderr)
            logger.setLevel(logging.INFO)
            logger.propagate = False  # the application's logger, which Flask sets up, would print it once more


def show(document: Document, as_json: bool, text: Callable[[Document], Iterator[str]]) -> None:
    """Print a document as JSON, or as the lines for people that `text` makes of it."""
    lines = [json.dumps(document, ensure_ascii=False, indent=2)] if as_json else text(document)
    for line in lines:
        click.echo(line)


def status(document: Document) -> Iterator[str]:
    live = document["live"]
    yield f"state              {document['state']}"
    yield f"code head          {document['code_head']}"
    yield f"database revision  {document['database_revision'] or 'none: no migration has run'}"
    for number, step in enumerate(document["pending"]):
        yield f"{'' if number else 'pending':<17}  {step['revision']}  {step['phase']:<8}  {step['title']}"
    if document["ahead_by"]:
        yield f"ahead by           {', '.join(document['ahead_by'])}"
    serves = f"{live['code_head']}, which began to serve {live['since']}" if live else None
    yield f"live release       {serves or 'unknown: no release has reported in'}"
    yield f"migration          {document['migrator'] or 'none is running'}"
    if "queue" in document:
        yield f"queue              {_queue(document['queue'])}"
    if document.get("failed_jobs"):
        yield f"failed jobs        {_failed(document['failed_jobs'])}"
    for number, backfill in enumerate(document["backfills"]):
        yield f"{'' if number else 'backfills':<17}  {_backfill(backfill)}"
    if document["next"]:
        yield f"next               {document['next']}"


def _backfill(backfill: Document) -> str:
    more = (backfill["speed"], backfill["waiting_for"] and f"waits for {backfill['waiting_for']}", backfill["next"])
    return "; ".join([f"{backfill['name']}: {backfill['state']}, {backfill['progress']}", *filter(None, more)])


def _queue(queue: Document | None) -> str:
    if queue is None:
        return "none: the migration that creates it has not run"
    first = f"jobs waiting: {queue['waiting']}, the first for {queue['oldest']} s"
    return first if queue["waiting"] else "no job waits"


def _failed(jobs: Document) -> str:
    if not jobs["failed"] and not jobs["retried"]:
        return "none"
    waiting = f", and {jobs['retried']} to be tried again" if jobs["retried"] else ""
    return f"{jobs['failed']}{waiting}, the newest: {jobs['newest']}"


def history(document: Document) -> Iterator[str]:
    for entry in document["revisions"]:
        ran_as = f", ran as {entry['renumbered_from']}" if entry["renumbered_from"] else ""
        yield f"{entry['revision']}  {entry['applied_at']}  {entry['phase']:<8}  {_cost(entry['cost'])}{ran_as}"
    if not document["revisions"]:
        yield "No migration has run."


def _cost(cost: Document | None) -> str:
    if cost is None:
        return "nobody was served"
    attempts = "1 attempt" if cost["attempts"] == 1 else f"{cost['attempts']} attempts"
    return f"{attempts}, {cost['milliseconds'] / 1000:.1f} s"


def plan(document: Document) -> Iterator[str]:
    for revision in document["revisions"]:
        phase = revision["phase"] or "contract, since it names no phase"
        yield f"{revision['revision']}  {revision['title']}  ({phase})"
        yield from (f"    {line}".rstrip() for line in revision["sql"].splitlines())
        if revision["unreadable"]:
            yield f"  The rest cannot be shown without running it: {revision['unreadable']}"
        yield ""
    yield from document["notes"]
    if document["refused"]:
        yield f"flask db upgrade would be refused: {document['refused']}"
    elif document["revisions"]:
        yield "Apply it with: flask db upgrade"
    elif not document["notes"]:
        yield f"Nothing pending: the database is at {document['database_revision']}."


def rollback(document: Document) -> Iterator[str]:
    noted = f"live since {document['live_at']}" if document["live_at"] else "judged by the phases of the steps since"
    code = f"the code of {document['to']} ({noted})" if document["to"] else "the previous release"
    yield {
        "yes": f"Yes: {code} can serve on this database.",
        "no": f"No: {code} cannot serve on this database.",
        "unknown": f"Unknown whether {code} can serve on this database.",
    }[document["answer"]]
    yield from (f"  {reason}" for reason in document["reasons"])
    if document["since"]:
        yield f"Revisions that it does not have: {', '.join(document['since'])}"
    if document["answer"] == "no":
        yield "Do not roll back: fix the newer code and deploy that (roll forward)."


def lint(document: Document) -> Iterator[str]:
    for finding in document["findings"]:
        yield f"{finding['place']}: unsafe: {finding['rule']}"
        yield f"  {finding['what']}\n  {finding['instead']}\n"
    yield f"{len(document['findings'])} unsafe." if document["findings"] else "Nothing unsafe."


def doctor(document: Document) -> Iterator[str]:
    for finding in document["findings"]:
        yield f"{finding['severity']}: {finding['rule']}: {finding['what']}"
        yield f"  next: {finding['next']}"
    if not document["findings"]:
        yield "Nothing is wrong."
