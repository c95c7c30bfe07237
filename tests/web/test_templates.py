"""Templates: rules checked by reading the files, constants right for every reader, attributes of fields,
and the language of texts."""

import importlib.util
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask import Flask, render_template, render_template_string
from jinja2 import DictLoader
from markupsafe import Markup, escape
from selectolax.lexbor import LexborHTMLParser, LexborNode
from wtforms import Form, SelectField, StringField, TextAreaField
from wtforms.validators import Length

from app import create_app
from app.accounts.models import User
from app.notes import service as notes
from app.notes.sharing import share_note
from app.todos import service as todos
from app.web.fields import html_params
from app.web.locale import LANGUAGES, lang
from app.web.static import hashed_url
from app.web.templates import constant
from config import TestingConfig
from tests.databases import Environment
from tests.visitor import Visitor

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
# A length that css/base.css has a name for. An em is a part of the text's own size; nothing is zero in every scale.
SCALED = re.compile(
    r"(?<![\w-])(font(?:-size)?|border-radius|gap|(?:row|column)-gap|(?:padding|margin)[\w-]*): *([^;{}]+)"
)
BARE_LENGTH = re.compile(r"(?<![\w.])(?!0(?:rem|px))\d*\.?\d+(?:rem|px|ch|vh)\b")
USED_TEMPLATE = re.compile(r"""\{%-? (extends|include|from|import) "([^"]+)\"""")
RENDERED_TEMPLATE = re.compile(r"""["']([\w/{}]+\.html)["']""")


def test_no_line_is_too_long_to_read() -> None:
    long = [path for path in SOURCES if any(len(line) > LONGEST_LINE for line in path.read_text().splitlines())]
    assert long == []


def test_type_space_and_corners_are_taken_from_the_scale() -> None:
    bare = [
        f"{path.name}: {name}: {value}"
        for path in (STATIC / "css").glob("*.css")
        if path.name != "base.css"
        for name, value in SCALED.findall(path.read_text())
        if BARE_LENGTH.search(value)
    ]
    assert bare == []
    assert [
        bool(BARE_LENGTH.search(value)) for value in (".35rem 0", "calc(3px + 1em)", "0 .1em var(--s1)", "0rem")
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_no_url_is_built_by_hand() -> None:
    assert [path for path in PAGES if HAND_BUILT.search(path.read_text())] == []
    assert HAND_BUILT.search("""<a href="{{ '/notes/' ~ note.id }}">""")


def test_partials_are_used_and_only_they_are_included_imported_and_not_rendered() -> None:
    rendered_too = {"notes/new_note.html"}
    uses = [use for path in PAGES for use in USED_TEMPLATE.findall(path.read_text())]
    extended, included = (
        {used for how, used in uses if (how == "extends") is is_extended} for is_extended in (True, False)
    )
    rendered = {name for path in (ROOT / "app").rglob("*.py") for name in RENDERED_TEMPLATE.findall(path.read_text())}
    pages = {page.relative_to(TEMPLATES).as_posix() for page in PAGES}
    partials = {name for name in pages if name.rpartition("/")[2].startswith("_")}
    assert "notes/index.html" in rendered
    assert {name for name in included if name.endswith(".html")} - rendered_too == partials
    assert not partials & (extended | rendered)
    assert extended <= pages


def test_every_script_of_ours_is_a_module() -> None:
    """A module has its own scope. Classic scripts share one scope per page, so their names could collide."""
    tags = [tag for path in PAGES for tag in re.findall(r"<script[^>]*>", path.read_text())]
    assert [tag for tag in tags if ('type="module"' in tag) != ("js/" in tag)] == []


def test_a_script_imports_nothing() -> None:
    """An import would name a file without the hash in its URL, and that URL is 404."""
    imports = re.compile(r"^\s*(?:import|export)\b|\bimport\(", re.MULTILINE)
    assert [path for path in SCRIPTS if imports.search(path.read_text())] == []


def test_url_pattern_builds_the_same_url_as_url_for(app: Flask) -> None:
    with app.test_request_context():
        for arguments, argument, url in (
            ("'notes.index', 'tag'", "%EB%8B%AC", "/notes?tag=%EB%8B%AC"),
            ("'notes.edit', 'note_id', next='/notes?q=100%25'", 17, "/notes/17/edit?next=/notes?q%3D100%2525"),
            ("'notes.edit', 'note_id', next=none", 17, "/notes/17/edit"),
        ):
            assert render_template_string(f"{{{{ url_pattern({arguments}) % a }}}}", a=argument) == url


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
    "counted.html": '{{ ngettext("%(count)s note found", "%(count)s notes found", number, count=count) }}',
    "numbered.html": '{{ ngettext("%(num)s note", "%(num)s notes", number) }}',
    "markup.html": '{{ _("It\'s <b>ours</b>") }}',
    "sentence.txt": '{{ _("Notes found: %(count)s", count=count) }}',
    "parent.html": '<html lang="{{ reader_locale() }}">{% block content %}{% endblock %}',
    "child.html": '{% extends "parent.html" %}{% block content %}{% include "sentence.html" %}{% endblock %}',
    "url.html": '{{ url_for("notes.index", q="a&b") }} {{ url_for("notes.show", note_id=note_id) }}',
    "pattern.html": '{{ url_pattern("notes.pin", "note_id") % note_id }}',
    "drawing.html": '{{ drawing() }} {{ _("Notes") }}',
    "variable.html": "{{ _(sentence) }}",
    "variables.html": "{{ ngettext(one, many, number, count=count) }}",
    "value.html": "{% macro own() %}{{ value }}{% endmacro %}{{ value }}|{{ own() }}",
    "percent.html": '{{ _("100 %% of %(count)s", count=count) }}',
}


@pytest.fixture(scope="module")
def folding(server_environment: Environment) -> Flask:
    app = create_app(TestingConfig(server_environment))
    app.jinja_loader = DictLoader(FOLDED)
    return app


@pytest.fixture
def fresh(folding: Flask) -> Flask:
    """Return an application that has compiled no template yet."""
    vars(folding.jinja_env).pop("overlays", None)
    return folding


def rendered(app: Flask, page: str, language: str = "en", **context: object) -> str:
    with app.test_request_context(headers={"Accept-Language": language}):
        return render_template(page, **context)


def test_each_reader_gets_the_own_language_whoever_came_first(fresh: Flask) -> None:
    for language, words in (("ko", "메모"), ("en", "Notes"), ("ko", "메모")):
        assert rendered(fresh, "child.html", language, count=3).startswith(f'<html lang="{language}">{words} ')


def test_a_value_in_a_sentence_is_escaped_in_html_and_not_in_text(fresh: Flask) -> None:
    assert rendered(fresh, "sentence.html", count="<b>") == "Notes Notes found: &lt;b&gt;"
    assert rendered(fresh, "sentence.txt", count="<b>") == "Notes found: <b>"
    assert rendered(fresh, "percent.html", count=3) == "100 % of 3"  # a percent sign is doubled, as gettext wants it
    assert rendered(fresh, "markup.html") == "It's <b>ours</b>"  # translators write it, as templates


FOUND = {
    "en": {0: "<b> notes found", 1: "<b> note found", 2: "<b> notes found"},
    "ko": dict.fromkeys((0, 1, 2), "찾은 메모 <b>개"),
}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_sentence_has_the_form_of_its_number(fresh: Flask, language: str) -> None:
    forms = {"one": "%(count)s note found", "many": "%(count)s notes found", "count": "<b>"}
    for number, text in FOUND[language].items():
        for page in ("counted.html", "variables.html"):
            assert rendered(fresh, page, language, number=number, **forms) == escape(text), (page, number)


def test_a_sentence_may_leave_its_number_to_be_written_as_it_is(fresh: Flask) -> None:
    for number, text in ((0, "0 notes"), (1, "1 note"), (1000, "1000 notes")):
        assert rendered(fresh, "numbered.html", number=number) == text


class Drawn:
    def __html__(self) -> str:
        return "<svg>"


class Named(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value", [*"&<>'\"", "plain", "", "<b>&amp;", Markup("<i>"), Named("<b>"), 17, True, 1.5, None, Drawn(), ["<b>"]]
)
def test_what_a_page_prints_is_escaped_once_as_markupsafe_does_it(fresh: Flask, value: object) -> None:
    assert rendered(fresh, "value.html", value=value) == f"{escape(value)}|{escape(value)}"


def test_a_value_is_that_of_this_page_and_not_of_the_page_that_was_compiled(fresh: Flask) -> None:
    for note_id in (17, 18):
        assert rendered(fresh, "url.html", note_id=note_id) == f"/notes?q=a%26b /notes/{note_id}"
        assert rendered(fresh, "pattern.html", note_id=note_id) == f"/notes/{note_id}/pin"
    for sentence, shown in (("Notes", "메모"), ("Cancel", "취소")):
        assert rendered(fresh, "variable.html", "ko", sentence=sentence) == shown


def test_in_development_a_page_shows_what_a_constant_is_now(fresh: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh.jinja_env, "auto_reload", True)
    values = iter(("before", "after"))
    fresh.jinja_env.globals["drawing"] = constant(lambda: next(values))
    assert rendered(fresh, "drawing.html", "ko") == "before 메모"
    assert rendered(fresh, "drawing.html", "en") == "after Notes"


def test_a_constant_is_asked_for_once_a_language(fresh: Flask) -> None:
    values = iter(("first", "second"))
    fresh.jinja_env.globals["drawing"] = constant(lambda: next(values))
    shown = [rendered(fresh, "drawing.html", language) for language in ("ko", "en", "ko", "en")]
    assert shown == ["first 메모", "second Notes"] * 2


@pytest.mark.parametrize("forged", [{"SCRIPT_NAME": "/evil"}, {"HTTP_HOST": "evil.example"}])
def test_no_request_decides_where_the_links_of_later_pages_lead(fresh: Flask, forged: dict[str, str]) -> None:
    """The first request compiles the template, so what it claims must not be in it."""
    with fresh.test_request_context(environ_overrides=forged):
        assert render_template("url.html", note_id=1) == "/notes?q=a%26b /notes/1"
    assert rendered(fresh, "url.html", note_id=1) == "/notes?q=a%26b /notes/1"


ATTRIBUTES: list[dict[str, object]] = [
    {},
    {"name": "a", "id": "b", "value": "x\"<&'>"},
    {"required": True, "readonly": False, "maxlength": 50, "value": None},
    {"class_": "full", "data_count": 3, "aria_describedby": "a b", "aria-label": "c", "for_": "d"},
    {"title": Markup('<b title="x">&amp;')},
]


def test_it_writes_what_wtforms_writes() -> None:
    """The module of WTForms as it is installed is loaded once more."""
    spec = importlib.util.find_spec("wtforms.widgets.core")
    assert spec
    assert spec.loader
    pristine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pristine)
    for attributes in ATTRIBUTES:
        written = html_params(**attributes)
        assert written == pristine.html_params(**attributes)
        assert isinstance(written, Markup)


class Example(Form):
    line = StringField("Line", validators=[Length(max=9)])
    text = TextAreaField("Text")
    choice = SelectField("Choice", choices=["a", "b"])


def test_fields_labels_and_options_escape_what_was_typed(app: Flask) -> None:
    form = Example(data={"line": '"><script>', "text": "</textarea>", "choice": "b"})
    assert form.line(title='"') == (
        '<input id="line" maxlength="9" name="line" title="&#34;" type="text" value="&#34;&gt;&lt;script&gt;">'
    )
    assert form.line.label() == '<label for="line">Line</label>'
    assert form.text() == '<textarea id="text" name="text">\r\n&lt;/textarea&gt;</textarea>'
    assert '<option selected value="b">b</option>' in form.choice()


def test_an_unknown_icon_is_an_error(app: Flask) -> None:
    with app.app_context(), pytest.raises(LookupError, match=r"icons\.svg has no pear; it has archive, "):
        render_template_string("{{ icon('pear') }}")


# By their language; None: another one, or no certain one.
TEXTS = {
    "ko": "멸치 육수 1.2리터 | NHK 뉴스 | 🎉🎉🎉 생일 | - [ ] 우유 2개 12,000원 | #요리 #저녁 | 「책」을 읽는다"
    " | “인용”이다 — 그렇다… | 한국어와 日本 역사 | 한글 https://www.example.com/a/very/long/path",
    "ja": "今日は晴れです。 | コーヒー3杯 | ソウルの会議 | Python入門のための本 | カ",
    None: " | … | café | 12:30 🎉 | Meeting with 김민수 tomorrow | It means ‘사랑’ — love | 東京都庁"
    " | 中文的の很好，不是。 | Привет, 안녕 | 日本語 has ひ and カ | ภาษาไทย | See https://한국.kr/책",
}


@pytest.mark.parametrize("of_page", LANGUAGES)
def test_a_text_that_is_mostly_of_another_language_says_so(app: Flask, of_page: str) -> None:
    with app.test_request_context(headers={"Accept-Language": of_page}):
        for code, texts in TEXTS.items():
            said = f' lang="{code}"' if code not in (None, of_page) else ""
            assert {text: str(lang(text)) for text in texts.split(" | ")} == dict.fromkeys(texts.split(" | "), said)


def test_korean_texts_say_it_on_english_pages_and_nothing_of_ours_does(signed_in: Visitor, alice: User) -> None:
    kept, archived, deleted = (notes.create_note(alice.id, "감자", "햇감자 두 개") for _ in range(3))
    notes.update_note(alice.id, kept, "감자", "햇감자 세 개", 1)
    notes.archive_note(alice.id, archived, archived=True)
    notes.delete_note(alice.id, deleted)
    todos.create_todo(alice.id, "감자 사기")
    notes.create_note(alice.id, "Books", "three")
    lists = ("notes", "notes?q=감자", "notes/archive", "notes/trash", "notes/shared", f"notes/{kept}/history", "todos")
    for path in (f"s/{share_note(alice.id, kept)}", f"notes/{kept}", f"notes/{deleted}", *lists):
        said = main_of(signed_in, f"/{path}", "en").css("[lang=ko]")
        assert "감자" in "".join(node.text() for node in said), path
        assert not re.search("[A-Za-z]", "".join(node.text() for node in said)), path
        assert not main_of(signed_in, f"/{path}", "ko").css("[lang]"), path


def main_of(reader: Visitor, path: str, language: str) -> LexborNode:
    [main] = LexborHTMLParser(reader.get(path, headers={"Accept-Language": language}).text).css("main")
    return main
