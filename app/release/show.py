"""What the commands print for people: lines of text from what they print for programs."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

Found = dict[str, Any]

COLOURS = {"error": "red", "warning": "yellow", "behind": "yellow", "at_head": "green"}


def status(found: Found) -> Iterator[str]:
    yield f"state              {click.style(found['state'], fg=COLOURS.get(found['state'], 'red'), bold=True)}"
    yield f"code head          {found['code_head']}"
    yield f"database revision  {found['database_revision'] or 'none: no migration has run'}"
    for label, steps in (("pending", found["pending"]),):
        for number, step in enumerate(steps):
            yield f"{'' if number else label:<17}  {step['revision']}  {step['phase']:<8}  {step['title']}"
    if found["ahead_by"]:
        yield f"ahead by           {', '.join(found['ahead_by'])}"
    yield f"migration          {found['migrator'] or 'none is running'}"
    yield f"queue              {_queue(found['queue'])}"
    if found["next"]:
        yield f"next               {found['next']}"


def _queue(queue: Found | None) -> str:
    if queue is None:
        return "none: the migration that creates it has not run"
    if not queue["waiting"]:
        return "no job waits"
    return f"jobs waiting: {queue['waiting']}, the first for {queue['oldest']} s"


def plan(found: Found) -> Iterator[str]:
    if not found["revisions"]:
        yield f"Nothing pending: the database is at {found['database_revision']}."
    for revision in found["revisions"]:
        phase = revision["phase"] or "contract, since it names no phase"
        yield click.style(f"{revision['revision']}  {revision['title']}  ({phase})", bold=True)
        for transaction, steps in groupby(revision["steps"], key=lambda step: step["transaction"]):
            yield "  in one transaction:" if transaction is not None else "  each by itself:"
            for step in steps:
                yield from _step(step)
        if revision["unreadable"]:
            yield click.style(f"  The rest cannot be shown without running it: {revision['unreadable']}", fg="yellow")
        yield ""
    if found["refused"]:
        yield click.style(f"In one run this is refused: {found['refused']}", fg="red")
    elif found["revisions"]:
        yield "Apply it with: flask db upgrade"


def _step(step: Found) -> Iterator[str]:
    for line in step["sql"].splitlines():
        yield f"    {line}"
    for lock in step["locks"]:
        colour = "red" if lock["lock"] == "ACCESS EXCLUSIVE" else None
        table = lock["table"] or "a table that cannot be told from the text"
        yield f"      → {click.style(lock['lock'], fg=colour)} on {table} ({_size(lock)})"


def _size(lock: Found) -> str:
    if lock["size"] in ("new", "unknown"):
        return str(lock["size"])
    rows = "rows never counted" if lock["rows"] is None else f"about {lock['rows']:,} rows"
    return f"{lock['size']}, {rows}"


def lint(found: Found) -> Iterator[str]:
    for finding in found["findings"]:
        place = f"{finding['file']}:{finding['line']}" if finding["line"] else finding["file"]
        colour, label = ("yellow", "excused") if finding["excused"] else ("red", "unsafe")
        yield f"{place}: {click.style(label, fg=colour, bold=True)}: {finding['rule']}"
        if finding["statement"]:
            yield f"    {finding['statement']}"
        yield f"  {finding['what']}"
        yield f"  Excused: {finding['excused']}" if finding["excused"] else f"  {finding['instead']}"
        yield ""
    unsafe = sum(not finding["excused"] for finding in found["findings"])
    yield f"{unsafe} unsafe, {len(found['findings']) - unsafe} excused." if found["findings"] else "Nothing unsafe."


def doctor(found: Found) -> Iterator[str]:
    for finding in found["findings"]:
        severity = click.style(finding["severity"], fg=COLOURS[finding["severity"]], bold=True)
        yield f"{severity}: {finding['rule']}: {finding['what']}"
        yield f"  next: {finding['next']}"
    if not found["findings"]:
        yield click.style("Nothing is wrong.", fg="green")
