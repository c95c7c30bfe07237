"""Templates: rules checked by reading the files, and constants that are right for every reader of a language."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask, render_template, render_template_string
from jinja2 import DictLoader
from markupsafe import Markup

from app import create_app
from app.web.static import hashed_url
from app.web.templates import constant
from config import TestingConfig
from tests.databases import Environment

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


def test_the_pattern_finds_a_url_that_is_built_by_hand() -> None:
    for html in (
        '<a href="/notes?tag={{ tag }}">',
        """<a href="{{ '/notes/' ~ note.id }}">""",
        '<form action="{{ home }}/{{ todo.id }}">',
        '{% set action = home ~ "/" ~ todo.id %}',
    ):
        assert HAND_BUILT.search(html), html


def test_only_partials_are_included_or_imported() -> None:
    view_renders_it_too = "notes/new_note.html"
    for path in PAGES:
        for statement, used in USED_TEMPLATE.findall(path.read_text()):
            assert (TEMPLATES / used).exists(), used
            if used.endswith(".html") and used != view_renders_it_too:
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


FOLDED = {
    "sentence.html": '{{ _("Notes") }} {{ _("Notes found: %(count)s", count=count) }}',
    "markup.html": '{{ _("It\'s <b>ours</b>") }}',
    "sentence.txt": '{{ _("Notes found: %(count)s", count=count) }}',
    "parent.html": '<html lang="{{ reader_locale() }}">{% block content %}{% endblock %}',
    "child.html": '{% extends "parent.html" %}{% block content %}{% include "sentence.html" %}{% endblock %}',
    "url.html": '{{ url_for("notes.index", q="a&b") }} {{ url_for("notes.show", note_id=note_id) }}',
    "pattern.html": '{{ url_pattern("notes.pin", "note_id") % note_id }}',
    "value.html": (
        "{{ value }} {% macro m(v) %}{{ v }}{% endmacro %}{{ m(value) }} {% set s %}{{ value }}{% endset %}{{ s }}"
    ),
    "drawing.html": '{{ drawing() }} {{ _("Notes") }}',
    "value.txt": "{{ value }}",
    "percent.html": '{{ _("100 %% of %(count)s", count=count) }}',
}


@pytest.fixture
def site(server_environment: Environment) -> Flask:
    """Return an application that has compiled no template yet."""
    app = create_app(TestingConfig(server_environment))
    app.jinja_loader = DictLoader(FOLDED)
    return app


def rendered(app: Flask, page: str, language: str = "en", **context: object) -> str:
    with app.test_request_context(headers={"Accept-Language": language}):
        return render_template(page, **context)


def test_each_reader_gets_the_own_language_whoever_came_first(site: Flask) -> None:
    for language, words in (("ko", "메모"), ("en", "Notes"), ("ko", "메모")):
        shown = rendered(site, "child.html", language, count=3)
        assert shown.startswith(f'<html lang="{language}">{words} ')


def test_a_value_in_a_sentence_is_escaped_in_html_and_not_in_text(site: Flask) -> None:
    assert rendered(site, "sentence.html", count="<b>") == "Notes Notes found: &lt;b&gt;"
    assert rendered(site, "sentence.txt", count="<b>") == "Notes found: <b>"
    assert rendered(site, "markup.html") == "It's <b>ours</b>"  # translators write it, as templates


def test_a_value_is_that_of_this_page_and_not_of_the_page_that_was_compiled(site: Flask) -> None:
    for note_id in (17, 18):
        assert rendered(site, "url.html", note_id=note_id) == f"/notes?q=a%26b /notes/{note_id}"
        assert rendered(site, "pattern.html", note_id=note_id) == f"/notes/{note_id}/pin"


class Html:
    def __html__(self) -> str:
        return "<i>"


def test_a_value_is_escaped_unless_it_is_html_already(site: Flask) -> None:
    escaped = "&lt;a href=&#39;x&#39;&gt;&amp;&#34;&lt;/a&gt;"
    for value, shown in (("<a href='x'>&\"</a>", escaped), (Markup("<b>"), "<b>"), (Html(), "<i>"), (17, "17")):
        assert rendered(site, "value.html", value=value) == f"{shown} {shown} {shown}"
    assert rendered(site, "value.txt", value="<b>") == "<b>"


def test_in_development_a_page_shows_what_a_constant_is_now(site: Flask) -> None:
    site.jinja_env.auto_reload = True
    site.jinja_env.__dict__.pop("overlays", None)
    values = iter(("before", "after"))
    site.jinja_env.globals["drawing"] = constant(lambda: next(values))
    assert rendered(site, "drawing.html", "ko") == "before 메모"
    assert rendered(site, "drawing.html", "en") == "after Notes"


def test_a_constant_is_asked_for_once_a_language(site: Flask) -> None:
    values = iter(("first", "second"))
    site.jinja_env.globals["drawing"] = constant(lambda: next(values))
    assert [rendered(site, "drawing.html", language) for language in ("ko", "en", "ko", "en")] == [
        "first 메모",
        "second Notes",
        "first 메모",
        "second Notes",
    ]


def test_a_percent_sign_is_doubled_as_gettext_wants_it(site: Flask) -> None:
    assert rendered(site, "percent.html", count=3) == "100 % of 3"


@pytest.mark.parametrize("forged", [{"SCRIPT_NAME": "/evil"}, {"HTTP_HOST": "evil.example"}])
def test_no_request_decides_where_the_links_of_later_pages_lead(site: Flask, forged: dict[str, str]) -> None:
    """The first request compiles the template, so what it claims must not be in it."""
    with site.test_request_context(environ_overrides=forged):
        assert render_template("url.html", note_id=1) == "/notes?q=a%26b /notes/1"
    assert rendered(site, "url.html", note_id=1) == "/notes?q=a%26b /notes/1"
