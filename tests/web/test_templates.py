"""The rules for templates, style sheets and scripts, checked by reading the files."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask, render_template_string

from app.web.static import hashed_url

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "app/templates"
STATIC = ROOT / "app/static"
LONGEST_LINE = 200

PAGES = sorted(TEMPLATES.rglob("*.html"))
SCRIPTS = sorted((STATIC / "js").glob("*.js"))
SOURCES = [*PAGES, *sorted(TEMPLATES.rglob("*.svg")), *SCRIPTS, *sorted((STATIC / "css").glob("*.css"))]

# A path built by hand in a URL attribute. "/" alone is the start page, which is allowed.
HAND_BUILT = re.compile(
    r"""\b(?:href|src|action|formaction|data-poll|data-list)=["'](?:/(?!["'])|\{\{[^}]*["']/|\{\{[^}]*\}\}/)|~\s*["']/"""
)
USED_TEMPLATE = re.compile(r"""\{%-? (extends|include|from|import) "([^"]+)\"""")
RENDERED_TEMPLATE = re.compile(r"""["']([\w/{}]+\.html)["']""")


def name_of(path: Path) -> str:
    return path.relative_to(TEMPLATES).as_posix()


def is_partial(name: str) -> bool:
    return name.rpartition("/")[2].startswith("_")


def test_no_line_is_too_long_to_read() -> None:
    long = [path for path in SOURCES if any(len(line) > LONGEST_LINE for line in path.read_text().splitlines())]
    assert long == []


def test_no_url_is_built_by_hand() -> None:
    assert [path for path in PAGES if HAND_BUILT.search(path.read_text())] == []


@pytest.mark.parametrize(
    "html",
    [
        '<a href="/notes?tag={{ tag }}">',
        "<form action='/todos'>",
        """<a href="{{ '/notes/' ~ note.id }}">""",
        '<form action="{{ home }}/{{ todo.id }}">',
        '{% set action = home ~ "/" ~ todo.id %}',
    ],
)
def test_the_pattern_finds_a_url_that_is_built_by_hand(html: str) -> None:
    assert HAND_BUILT.search(html)


def test_only_partials_are_included_or_imported() -> None:
    views_render_them_too = ("notes/days.html", "notes/new_note.html")
    for path in PAGES:
        for statement, used in USED_TEMPLATE.findall(path.read_text()):
            assert (TEMPLATES / used).exists(), used
            if used.endswith(".html") and used not in views_render_them_too:
                assert is_partial(used) == (statement != "extends"), f"{name_of(path)} uses {used}"


def test_python_never_renders_a_partial() -> None:
    rendered = {name for path in (ROOT / "app").rglob("*.py") for name in RENDERED_TEMPLATE.findall(path.read_text())}
    assert "notes/index.html" in rendered
    assert not [name for name in rendered if is_partial(name)]


def test_every_partial_is_used() -> None:
    used = {name for path in PAGES for _, name in USED_TEMPLATE.findall(path.read_text())}
    assert {name_of(path) for path in PAGES if is_partial(name_of(path))} <= used


def test_every_script_of_ours_is_a_module() -> None:
    """A module has its own scope. Classic scripts share one scope per page, so their names could collide."""
    tags = [tag for path in PAGES for tag in re.findall(r"<script[^>]*>", path.read_text())]
    assert [tag for tag in tags if ('type="module"' in tag) != ("js/" in tag)] == []


def test_a_script_imports_nothing() -> None:
    """An import would name a file without the hash in its URL, and that URL is 404."""
    imports = re.compile(r"^\s*(?:import|export)\b|\bimport\(", re.MULTILINE)
    assert [path for path in SCRIPTS if imports.search(path.read_text())] == []


@pytest.mark.parametrize(
    ("pattern", "argument", "url"),
    [
        ("url_pattern('notes.show', 'note_id')", 17, "/notes/17"),
        ("url_pattern('notes.index', 'tag')", "%EB%8B%AC", "/notes?tag=%EB%8B%AC"),
        ("url_pattern('notes.edit', 'note_id', next='/notes?q=100%25')", 17, "/notes/17/edit?next=/notes?q%3D100%2525"),
        ("url_pattern('notes.edit', 'note_id', next=none)", 17, "/notes/17/edit"),
    ],
)
def test_url_pattern_builds_the_same_url_as_url_for(app: Flask, pattern: str, argument: object, url: str) -> None:
    with app.test_request_context():
        assert render_template_string(f"{{{{ {pattern} % argument }}}}", argument=argument) == url


def test_style_sheets_name_files_as_they_are_served() -> None:
    """By the hash of their content, which changes with it."""
    served = {hashed_url(path) for path in STATIC.rglob("*") if path.is_file()}
    named = {
        urljoin(hashed_url(path), url)
        for path in (STATIC / "css").glob("*.css")
        for url in re.findall(r'url\("?([^")#]+)"?\)', path.read_text())
    }
    assert named
    assert named <= served
