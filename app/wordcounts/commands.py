"""`flask count`: count the words of a web page or a file. Nothing is stored."""

import mimetypes
import sys
import unicodedata
from datetime import UTC, datetime
from types import SimpleNamespace

import click
from flask import current_app
from flask.cli import with_appcontext
from flask_babel import force_locale

from app.wordcounts import report
from app.wordcounts.analysis import charset, sandbox
from app.wordcounts.failures import FetchFailed
from app.wordcounts.fetching import FetchedPage
from app.wordcounts.forms import SENTENCES, trimmed, with_scheme
from app.wordcounts.reading import Read, read_page

PATH = click.Path(exists=True, dir_okay=False, allow_dash=True)

WORDS_SHOWN = 20  # without --all


@click.command("count")
@click.argument("url", required=False)
@click.option("--file", "path", type=PATH, help="Count a file instead; - reads standard input.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as a result's download has it.")
@click.option("--stop-words", type=click.Choice(["drop", "keep"]), default="drop", show_default=True)
@click.option("--all", "wants_all", is_flag=True, help=f"Show all words, not only the {WORDS_SHOWN} most frequent.")
@with_appcontext
def count(url: str | None, path: str | None, as_json: bool, stop_words: str, wants_all: bool) -> None:
    """Count the words of a web page."""
    if (url is None) == (path is None):
        raise click.UsageError("Give either a URL or --file.")
    try:
        page, document, counts = (
            read(path) if path else read_page(with_scheme(trimmed(url)), current_app.config["PAGE_SERVERS"])
        )
    except FetchFailed as error:
        with force_locale("en"):  # a command line has no Accept-Language header
            click.echo(str(SENTENCES[error.code]), err=True)
        sys.exit(1)
    result = SimpleNamespace(**counts._asdict(), title=document.title or None, finished_at=datetime.now(UTC))
    result.url = result.final_url = page.url or None
    result.words = result.result_all if stop_words == "keep" else result.result_no_stop_words
    counted = report.Report(result, stop_words)
    click.echo(report.as_json(counted) if as_json else table(counted, None if wants_all else WORDS_SHOWN), nl=False)


def read(path: str) -> Read:
    """Count a file. Its name says whether it is HTML; without one, as for standard input, its content does."""
    content_type, _encoding = mimetypes.guess_type(path)
    with click.open_file(path, "rb") as file:
        body = file.read()
    is_html = content_type != "text/plain" if content_type else charset.looks_like_html(body)
    page = FetchedPage("", charset.decode(body, content_type or ""), is_html, content_type == charset.XHTML)
    return Read(page, *sandbox.read(page.text, is_html=is_html, is_xml=page.is_xml))


def table(counted: report.Report, shown: int | None) -> str:
    """Write the totals, then one word per line, as text."""
    words, result = counted.counts[:shown], counted.result
    reading_time = f", about {counted.reading_minutes} min to read" if counted.reading_minutes else ""
    width = max([len("word"), *(columns(word) for word, _ in words)])
    lines = [
        *(visible(text) for text in (result.title, result.final_url) if text),
        f"{result.total_words:,} words, {result.unique_words:,} different, {counted.content_percent}% content words",
        f"{result.characters:,} characters without spaces{reading_time}",
        "",
        f"rank  {'word':{width}}    count  density",
        *(
            f"{rank:4}  {word}{' ' * (width - columns(word))}  {count:7,}  {counted.density(count):6.2f}%"
            for rank, (word, count) in enumerate(words, start=1)
        ),
    ]
    return "\n".join(lines) + "\n"


def visible(text: str) -> str:
    """Remove control characters: the title of a page could hold escape sequences for the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def columns(text: str) -> int:
    """Return the width of a text in terminal columns. Hangul and Han take two, combining marks none."""
    letters = (letter for letter in text if not unicodedata.combining(letter))
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in letters)
