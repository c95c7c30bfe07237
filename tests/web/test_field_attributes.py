"""The attributes of a form's fields are what WTForms itself would write."""

import importlib.util

from flask import Flask
from markupsafe import Markup
from wtforms import Form, SelectField, StringField, TextAreaField
from wtforms.validators import Length

from app.web.fields import html_params

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
