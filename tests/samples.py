"""Collect the samples that features bring to the tests of the whole service, from tests/NAME/samples.py if it is there.

So a feature that is taken out takes its share of them along.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from app.accounts.models import User
from app.features import NAMES
from app.limits.quotas import Quota

ROOT = Path(__file__).parent
TAKEN_OUT = {"wordcounts"} - set(NAMES)  # of what the pages of docs/ name


@dataclass(frozen=True, kw_only=True)
class Form:
    """Describe a form that stores a row, by its path: the operation of the API has the same one."""

    path: str
    fields: Mapping[str, str]
    table: str
    last_column: str  # is asked for of a row that is found by its key
    uncounted: str  # an assignment of SQL that changes no figure
    key_bounds: Sequence[range]  # of the cursor of its list
    quota: Quota
    most: int  # of the quota, as the documentation says
    add: Callable[[int], object]  # stores a row of a user
    limit: tuple[ModuleType, str] | None = None  # a number of rows an hour, by its module and name


class Purge(NamedTuple):
    """Describe a nightly purge: its task, and the SQL of a row that it deletes."""

    run: Callable[[int], None]
    old_name: str | None  # None: the previous release had no such task
    index_name: str
    table: str
    columns: str
    values: str
    expired: str


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Name what the tests of a feature bring."""

    own: Callable[[User], Mapping[str, Any]]  # stores rows in every state; returns values of the variables in paths
    done: Callable[[User], Any]  # stores a row that is finished; returns its id, the variable of paths `variable`
    variable: str
    done_with: Callable[[User, str], Any]  # the same, with these words in it
    api_queries: Sequence[str] = ()  # paths of the API with a query, of one row
    bench: str = ""  # SQL that inserts some rows of every user
    form: Form  # of a new row
    statements: Mapping[int, Sequence[str]] = field(default_factory=dict)  # paths by the statements that a page costs
    many: str = ""  # SQL that inserts more rows than a page may read, of each user, and more of others than of `:alice`
    title: str = ""  # of the figure on My page
    writes: Sequence[str] = ()  # endpoints that write, whatever they are sent
    asks_before_sign_in: Sequence[str] = ()  # endpoints that ask the database before they send a stranger to sign-in
    from_follower: Sequence[str] = ()  # endpoints that a follower may serve
    purges: Sequence[Purge] = ()
    list_name: str  # of an export
    item: Mapping[str, Any]  # one of that list, as an import takes it
    invalid: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # changes of it, by what is wrong with them
    furnish: Callable[[User], object]  # stores `furnished` rows of many kinds, which an export holds
    furnished: int
    shared: Callable[[User], Sequence[str]] = lambda _: ()  # shares one; returns the paths at which anybody reads it
    share_all: str = "SELECT 1"  # SQL that shares every row
    pure: Sequence[str] = ()  # modules that import neither Flask nor the database
    terms: Mapping[str, str] = field(default_factory=dict)  # standard terms, and the file that implements each


def brought(module: str = "samples") -> list[ModuleType]:
    """Import tests/NAME/MODULE.py of every feature that has one."""
    found = [name for name in NAMES if (ROOT / name / f"{module}.py").exists()]
    return [import_module(f"tests.{name}.{module}") for name in found]


@cache
def samples() -> list[Samples]:
    return [module.SAMPLES for module in brought()]


def forms() -> list[Form]:
    return [each.form for each in samples()]
