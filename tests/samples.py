"""Collect what features bring to the tests of the whole service, from tests/NAME/samples.py if it is there.

So a feature that is taken out takes its share of them along.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from app.accounts.models import User
from app.features import NAMES
from app.portability.contract import PortableTable

ROOT = Path(__file__).parent
TAKEN_OUT = {"wordcounts"} - set(NAMES)  # of what tests and the pages of docs/ name

# Texts that break careless layouts.
LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
LONG_KOREAN = "띄어쓰기없이적은아주긴글" * 12
RIGHT_TO_LEFT = "مرحبا بالعالم — שלום עולם 123 (abc)"
SCRIPT = "<script>alert('반달')</script> & \"quotes\" <b>not bold</b>"
EMOJI = "👩🏽‍💻🇰🇷 🌗👨‍👩‍👧‍👦 e\u0301 ﷽"
LONG_ADDRESS = "https://example.com/" + "a-path-that-never-ends-" * 20 + "?q=" + "%EB%B0%98%EB%8B%AC" * 30


@dataclass(frozen=True)
class Samples:
    """Name what the tests of a feature bring. Its list and its form are at /NAME.

    Args:
        own: stores rows of a user in every state, of which one counts on My page, with texts that are hard to show;
            returns what the names in `pages` stand for, the ids of these rows.
        fields: of the form, and of the API.
        pages: paths, the first of a single row; each costs two statements.
        many: SQL that inserts more rows of each user than a page may read.
        share_all: SQL that shares every row.
    """

    portable: PortableTable
    own: Callable[[User], Mapping[str, Any]]
    fields: Mapping[str, str]
    pages: Sequence[str]
    many: str
    share_all: str

    @property
    def path(self) -> str:
        return f"/{self.portable.name}"

    @property
    def table(self) -> str:
        return self.portable.table.name


def brought(module: str = "samples") -> list[ModuleType]:
    """Import tests/NAME/MODULE.py of every feature that has one."""
    found = [name for name in NAMES if (ROOT / name / f"{module}.py").exists()]
    return [import_module(f"tests.{name}.{module}") for name in found]


@cache
def samples() -> list[Samples]:
    return [module.SAMPLES for module in brought()]
