"""`flask count`: count the words of a page or of a file, and store nothing."""

import mimetypes
import sys
import unicodedata
from datetime import UTC, datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale

from app.wordcounts import charset, report
from app.wordcounts.fetch import FetchFailed, Page, fetch
from app.wordcounts.forms import with_scheme
from app.wordcounts.report import Report
from app.wordcounts.sentences import SENTENCES
from app.wordcounts.text import Document, document
from app.wordcounts.words import count as count_words

PATH = click.Path(exists=True, dir_okay=False, allow_dash=True)
WORDS_SHOWN = 20  # until all of them are asked for


@click.command("count")
@click.argument("url", required=False)
@click.option("--file", "path", type=PATH, help="Count a file instead; - is the standard input.")
@click.option("--json", "as_json", is_flag=True, help="As the JSON that a result can be downloaded as.")
@click.option("--stop-words", type=click.Choice(["drop", "keep"]), default="drop", show_default=True)
@click.option("--all", "wants_all", is_flag=True, help=f"More than the {WORDS_SHOWN} most frequent words.")
@with_appcontext
def count(url: str | None, path: str | None, as_json: bool, stop_words: str, wants_all: bool) -> None:
    """Count the words of a web page."""
    if url is not None and path is None:
        page = fetched(with_scheme(url))
    elif path is not None and url is None:
        page = read(path)
    else:
        raise click.UsageError("Name either a URL or a --file.")
    found = document(page.text) if page.is_html else Document("", page.text)
    counted = report.of_counts(
        count_words(found.text),
        stop_words,
        url=page.url or None,
        title=found.title or None,
        counted_at=datetime.now(UTC),
    )
    click.echo(report.as_json(counted) if as_json else table(counted, None if wants_all else WORDS_SHOWN), nl=False)


def fetched(url: str) -> Page:
    try:
        return fetch(url, allowed_servers=current_app.config["PAGE_SERVERS"])
    except FetchFailed as error:
        with force_locale("en"):  # a command has no reader whose browser names a language
            click.echo(str(SENTENCES[error.code]), err=True)
        sys.exit(1)


def read(path: str) -> Page:
    """Text when its name says so, else HTML."""
    content_type, _encoding = mimetypes.guess_type(path)
    with click.open_file(path, "rb") as file:
        return Page("", charset.decode(file.read(), content_type or ""), content_type != "text/plain")


def table(counted: Report, shown: int | None) -> str:
    """The totals, then a word a line."""
    words = counted.words[:shown]
    width = max([len("word"), *(columns(word.text) for word in words)])
    lines = [
        *(visible(text) for text in (counted.title, counted.final_url) if text),
        f"{counted.total_words:,} words, {counted.unique_words:,} different, {counted.content_percent}% not stop words",
        f"{counted.characters:,} characters without spaces, about {counted.reading_minutes} min to read",
        "",
        f"rank  {padded('word', width)}    count  density",
        *(f"{word.rank:4}  {padded(word.text, width)}  {word.count:7,}  {word.density:6.2f}%" for word in words),
    ]
    return "\n".join(lines) + "\n"


def visible(text: str) -> str:
    """Without what would do something to a terminal: a page's title is anybody's text."""
    return "".join(character if character.isprintable() else " " for character in text)


def padded(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """How wide a terminal shows it: Hangul and Han take two columns, combining marks none."""
    return sum(columns_of(character) for character in text)


def columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
