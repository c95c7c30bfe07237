"""The features of the service: the one list to which a new one is added, and what each may bring."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

import click
from flask import Blueprint, Flask
from flask_babel import LazyString
from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, null

from app.figures import Figure
from app.portability.contract import PortableTable, Records
from app.web.templates import constant

# Packages of app/ with a `feature.py`. Their order is that of the menu, and of the parts in the file of an export.
NAMES = (
    "accounts",
    "passkeys",
    "notes",
    "todos",
    "wordcounts",
    "photos",
    "mypage",
    "portability",
)
# The scopes of every feature. `write` lists and finds nothing: its answers hold what it changed.
EVERYTHING = {"read": _("Read everything"), "write": _("Change everything")}


@dataclass(frozen=True, kw_only=True)
class MenuEntry:
    endpoint: str
    icon: str  # of static/icons.svg
    label: LazyString


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Name what a feature brings to the service."""

    blueprints: Sequence[Blueprint] = ()
    api: ModuleType | None = None  # each operation in it joins the API as the module is imported
    scopes: Mapping[str, LazyString] = field(default_factory=dict)  # of the operations: what each lets a program do
    tasks: ModuleType | None = None  # each job in it joins the queue as the module is imported
    commands: Sequence[click.Command] = ()
    portable: PortableTable | None = None  # its rows in an export
    records: Records = field(default_factory=dict)  # what of it no import brings back
    figure: Figure | None = None  # its number on My page
    by_day: ColumnElement[Any] | None = None  # for the heat map of My page, see app/notes/figures.py
    menu: MenuEntry | None = None  # of every page
    on_note: MenuEntry | None = None  # its link on the page of a note, to an endpoint with the variable note_id


def load() -> list[Feature]:
    """Import every feature, so that the models, too, are all there."""
    return [import_module(f"app.{name}.feature").FEATURE for name in NAMES]


def init_app(app: Flask, found: Sequence[Feature]) -> None:
    """Register what the features bring. Call it after everything that their views and templates use."""
    scopes = app.extensions["scopes"] = dict(EVERYTHING)
    for feature in found:
        scopes |= feature.scopes
        for blueprint in feature.blueprints:
            app.register_blueprint(blueprint)
        for command in feature.commands:
            app.cli.add_command(command)
    app.extensions["portables"] = tuple(feature.portable for feature in found if feature.portable)
    app.extensions["records"] = {name: rows for feature in found for name, rows in feature.records.items()}
    app.extensions["figures"] = tuple(feature.figure for feature in found if feature.figure)
    app.extensions["on_note"] = tuple(feature.on_note for feature in found if feature.on_note)
    app.extensions["by_day"] = next((feature.by_day for feature in found if feature.by_day is not None), null())
    shared: MutableMapping[str, Any] = app.jinja_env.globals

    @constant
    def menu() -> tuple[tuple[str, str, str], ...]:
        """Return URL, icon and name of each entry."""
        entries = [feature.menu for feature in found if feature.menu]
        return tuple((shared["url_for"](each.endpoint), shared["icon"](each.icon), str(each.label)) for each in entries)

    shared["menu"] = menu
