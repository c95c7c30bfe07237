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
    """Describe a form that stores a row, by its path: the operation of the API has the same one.

    Args:
        uncounted: an assignment of SQL that changes no figure.
        last_column: what is asked for of a row that is found by its key.
        add: stores a row of a user.
        limit: a number of rows an hour, by its module and name.
    """

    path: str
    fields: Mapping[str, str]
    table: str
    last_column: str
    uncounted: str
    key_bounds: Sequence[range]  # of the cursor of its list
    quota: Quota
    most: int  # of the quota, as the documentation says
    add: Callable[[int], object]
    limit: tuple[ModuleType, str] | None = None


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
    """Name what the tests of a feature bring.

    Args:
        own: stores rows of a user in every state; returns values of the variables in paths.
        done: stores a row that is finished; returns its id, which is the variable of paths `variable`.
        done_with: the same, with these words in it.
        api_queries: paths of the API with a query, of one row.
        bench: SQL that inserts some rows of every user.
        form: of a new row.
        statements: paths by the number of statements that a page costs.
        many: SQL that inserts more rows than a page may read, of each user, and more of others than of `:alice`.
        titles: of the figure on My page.
        writes: endpoints that write, whatever they are sent.
        asks_before_sign_in: endpoints that ask the database before they send a stranger to sign-in.
        pure: modules that import neither Flask nor the database.
        terms: standard terms, and the file that implements each.
        list_name: of an export.
        item: one of that list, as an import takes it.
        invalid: changes of it, by what is wrong with them.
        furnish: stores `furnished` rows of many kinds, which an export holds.
        shared: shares one, and returns the paths at which anybody reads it.
        share_all: SQL that shares every row.
        from_follower: endpoints that a follower may serve.
    """

    own: Callable[[User], Mapping[str, Any]]
    done: Callable[[User], Any]
    variable: str
    done_with: Callable[[User, str], Any]
    api_queries: Sequence[str] = ()
    bench: str = ""
    form: Form
    statements: Mapping[int, Sequence[str]] = field(default_factory=dict)
    many: str = ""
    title: str = ""
    writes: Sequence[str] = ()
    asks_before_sign_in: Sequence[str] = ()
    from_follower: Sequence[str] = ()
    purges: Sequence[Purge] = ()
    list_name: str
    item: Mapping[str, Any]
    invalid: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    furnish: Callable[[User], object]
    furnished: int
    shared: Callable[[User], Sequence[str]] = lambda _: ()
    share_all: str = "SELECT 1"
    pure: Sequence[str] = ()
    terms: Mapping[str, str] = field(default_factory=dict)


def brought(module: str = "samples") -> list[ModuleType]:
    """Import tests/NAME/MODULE.py of every feature that has one."""
    found = [name for name in NAMES if (ROOT / name / f"{module}.py").exists()]
    return [import_module(f"tests.{name}.{module}") for name in found]


@cache
def samples() -> list[Samples]:
    return [module.SAMPLES for module in brought()]


def forms() -> list[Form]:
    return [each.form for each in samples()]
