"""`flask release connections`: whether the server's connections suffice for a deploy."""

import sys
from collections.abc import Iterator
from typing import Any

import click

from app.release import options
from app.release.connection import read_only_connection
from app.release.connections import OVERLAP, scale_of, survey
from app.release.printing import as_json_option, print_document


@click.command("connections")
@click.argument("scale", nargs=-1, metavar="[NAME=COUNT]…")
@click.option("--pool", type=click.IntRange(0, 10_000), default=0, help="Sessions that a connection pooler opens.")
@as_json_option
def connections_command(scale: tuple[str, ...], pool: int, as_json: bool) -> None:
    """Compare what a deploy needs with what the server grants. Exit 1: too few.

    NAME=COUNT, such as web=2, says how many processes of the Procfile run; 1 of each when it is not said.
    """
    counts = scale_of(scale, options.current().processes)
    with read_only_connection() as connection:
        document = survey(connection, counts, pool)
    print_document(document, as_json, _as_text)
    sys.exit(0 if document["ok"] else 1)


def _as_text(document: dict[str, Any]) -> Iterator[str]:
    for process in document["processes"]:
        total = process["direct"] * process["count"]
        yield f"{process['name']:<10} {process['count']} × ({process['how']}) {'.' * 3} {total}"
        if process["pooled"]:
            yield f"{'':<10} and {process['pooled'] * process['count']} to the pooler"
    yield f"{'deploy':<10} {OVERLAP} times that, old and new side by side, + {document['release']} of the release" + (
        f" + {document['pool']} of the pooler" if document["pool"] else ""
    )
    yield f"{'needed':<10} {document['needed']}"
    for limit in document["limits"]:
        yield f"{'limit':<10} {limit['most']}: {limit['what']}; now {limit['ours']} ours, {limit['others']} others'"
    for number, session in enumerate(document["in_use"]):
        yield f"{'' if number else 'in use':<10} {session['sessions']:>3} {session['name']}"
    if document["pool_unknown"]:
        yield "The sessions of the pooler are not counted; say how many it may open: --pool NUMBER"
    for finding in document["findings"]:
        yield click.style(finding, fg="red")
    if document["ok"]:
        yield click.style("They suffice.", fg="green")
