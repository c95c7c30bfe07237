"""A template is compiled once for each language: what is folded into it is right for every reader of that language."""

import pytest
from flask import Flask, render_template
from jinja2 import DictLoader
from markupsafe import Markup

from app import create_app
from app.web.templates import constant
from config import TestingConfig
from tests.databases import Environment

PAGES = {
    "sentence.html": '{{ _("Notes") }} {{ _("Notes found: %(count)s", count=count) }}',
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
    """An application that has compiled no template yet."""
    app = create_app(TestingConfig(server_environment))
    app.jinja_loader = DictLoader(PAGES)
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


def test_a_value_is_that_of_this_page_and_not_of_the_page_that_was_compiled(site: Flask) -> None:
    for note_id in (17, 18):
        assert rendered(site, "url.html", note_id=note_id) == f"/notes?q=a%26b /notes/{note_id}"
        assert rendered(site, "pattern.html", note_id=note_id) == f"/notes/{note_id}/pin"


class Html:
    def __html__(self) -> str:
        return "<i>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<a href='x'>&\"</a>", "&lt;a href=&#39;x&#39;&gt;&amp;&#34;&lt;/a&gt;"),
        (Markup("<b>"), "<b>"),
        (Html(), "<i>"),
        (17, "17"),
        (True, "True"),
        (None, "None"),
        (["<"], "[&#39;&lt;&#39;]"),
    ],
)
def test_a_value_is_escaped_unless_it_is_html_already(site: Flask, value: object, shown: str) -> None:
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
