"""Output of the `flask release` commands: text for people, or with --json one document for programs."""

import json
import os
from typing import Any

import click

as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


def print_document(document: dict[str, Any], as_json: bool, text: Any) -> None:
    """
    Args:
        text: gives the lines for people.
    """
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    # NO_COLOR is a convention that click does not implement: https://no-color.org
    color = False if os.getenv("NO_COLOR") else None
    for line in text(document):
        click.echo(line, color=color)
