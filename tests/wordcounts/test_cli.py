"""`flask count`: a page or a file, as a table or as JSON. It needs no database and prints no control characters."""

import json
import re
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from app.wordcounts.analysis import sandbox
from config import TestingConfig
from tests.databases import Environment
from tests.wordcounts.page_server import PageServer
from tests.wordcounts.page_server import page as page_of

PAGE = "<title>Half moon</title><p>The moon is half of a moon.</p><p>반달 반달 반달 반달</p>"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(PAGE)
    return path


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer({"/moon": page_of(PAGE.encode())}) as server:
        yield server


@pytest.fixture(scope="module")
def lone_app(server: PageServer) -> Flask:
    """Create the application with no server but the one of the page."""
    environment: Environment = {
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "S3_ENDPOINT_URL": "http://127.0.0.1:1",
        **dict.fromkeys(("S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none"),
        "TEST_PAGE_SERVERS": f"127.0.0.1:{server.port}",
    }
    return create_app(TestingConfig(environment))


def run(app: Flask, *arguments: str, stdin: bytes = b"") -> Result:
    return app.test_cli_runner().invoke(args=["count", *arguments], input=stdin)


def words_of(result: Result) -> list[str]:
    return [line.split()[1] for line in result.stdout.splitlines() if line.strip()[:1].isdigit()]


def test_a_file_works(lone_app: Flask, page: Path) -> None:
    result = run(lone_app, "--file", f"{page}")
    assert result.exit_code == 0
    assert "Half moon" in result.stdout
    assert "반달" in result.stdout
    assert "the" not in words_of(result)
    assert "the" in words_of(run(lone_app, "--file", f"{page}", "--stop-words", "keep"))


def test_a_page_works(lone_app: Flask, server: PageServer) -> None:
    url = server.url("/moon")
    result = run(lone_app, url, "--json")
    assert result.exit_code == 0, result.stderr
    values = json.loads(result.stdout)
    assert (values["url"], values["title"]) == (url, "Half moon")
    assert values["words"][0] == {"word": "반달", "count": 4}


def test_a_page_that_cannot_be_counted_is_told_in_one_sentence(
    lone_app: Flask, server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = (server.url("/nothing"), "ftp://example.com", "http://127.0.0.1/", "", "\0")
    results = [run(lone_app, url) for url in urls]
    monkeypatch.setattr(sandbox, "read", partial(sandbox.read, seconds=0))
    results.append(run(lone_app, "--file", "-", stdin=b"<p>moon"))
    assert results[-1].stderr == "The page is too complex for us to read. Choose another page.\n"
    for result in results:
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)


def test_the_content_of_the_standard_input_tells_if_it_is_html(lone_app: Flask) -> None:
    result = run(lone_app, "--file", "-", "--json", stdin=PAGE.encode())
    assert json.loads(result.stdout)["title"] == "Half moon"
    result = run(lone_app, "--file", "-", "--json", "--stop-words", "keep", stdin=b"a<b 1<2 c")
    assert {word["word"] for word in json.loads(result.stdout)["words"]} == {"a", "b", "c", "1", "2"}


def test_plain_text_is_not_read_as_html(lone_app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "page.txt"
    path.write_text("<title>moon</title>")
    values = json.loads(run(lone_app, "--file", f"{path}", "--json").stdout)
    assert values["title"] is None
    assert {"word": "title", "count": 2} in values["words"]


def test_a_wrong_use_is_refused(lone_app: Flask) -> None:
    for arguments in ([], ["example.com", "--file", "-"], ["--file", "no such file"]):
        result = run(lone_app, *arguments)
        assert (result.exit_code, result.stdout, "Usage: " in result.stderr) == (2, "", True), arguments


def test_twenty_words_are_shown_and_the_others_on_request(lone_app: Flask) -> None:
    text = " ".join(f"word{number:02}" for number in range(30)).encode()
    for options, count in (([], 20), (["--all"], 30)):
        words = words_of(run(lone_app, "--file", "-", *options, stdin=text))
        assert len([word for word in words if word[-2:].isdigit()]) == count


def test_the_columns_stand_below_each_other_whatever_the_script(lone_app: Flask) -> None:
    lines = run(lone_app, "--file", "-", stdin="moon moon 반달 café 東 한글단어".encode()).stdout.splitlines()
    rows = lines[lines.index(next(line for line in lines if line.startswith("rank"))) :]
    assert len(rows) > 4
    assert len({len(row) + len(re.findall("[가-힣一-鿿]", row)) for row in rows}) == 1  # these are two columns wide


def test_a_hostile_title_does_nothing_to_the_terminal(lone_app: Flask) -> None:
    hostile = "<title>a\x1b[2J\x07\u202eb\x9b31m</title><p>moon</p>".encode()
    output = run(lone_app, "--file", "-", stdin=hostile).stdout
    assert not [character for character in output if not character.isprintable() and character != "\n"]


def test_an_empty_file_has_a_count(lone_app: Flask) -> None:
    result = run(lone_app, "--file", "-", stdin=b"\xff\xfe")
    assert (result.exit_code, "\n0 words" in f"\n{result.stdout}") == (0, True)
    assert " min to read" not in result.stdout
    assert "about 1 min to read" in run(lone_app, "--file", "-", stdin=b"a").stdout
