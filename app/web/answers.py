"""Answers to a form: a redirect for the browser that sent it itself, and the same as JSON for a script that did."""

from typing import Any

from flask import jsonify, redirect
from flask_wtf import FlaskForm
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.wrappers import Response

from app.web.errors import SENTENCES, error_response, wants_json


def go_to(location: str, **data: Any) -> Response:
    """Args:
    data: what a script is told besides the location.
    """
    return jsonify(location=location, **data) if wants_json() else redirect(location)


def refusal(form: FlaskForm) -> Response:
    """For a script: the first error of a form as problem+json."""
    first = next(error for errors in form.errors.values() for error in errors)
    return error_response(UnprocessableEntity(), SENTENCES[422][0], first)
