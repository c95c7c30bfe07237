"""`flask db migrate`: what it writes for a changed model can be released and taken back, or it says what to do.

Each change is written, applied, clean under `flask db check`, and goes back to an equal `pg_dump -s`, with every row.
It is judged as on a database that the release before serves, and that release reads and writes throughout an expand. A
change without a safe way is refused with a sentence, and who follows the sentence comes to such an end as well.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path

import pytest

from app.release.errors import ReleaseError, UnsafeOperation
from tests.databases import Environment, copied_database, template
from tests.release import dumps, shop
from tests.release.changes import ByHand, Case, both, nothing, without_constraint
from tests.release.changes.columns import COLUMN_CASES
from tests.release.changes.rules import RULE_CASES, check
from tests.release.changes.tables import TABLE_CASES
from tests.release.model_project import ModelProject, model_project
from tests.release.release_before import ReleaseBefore

CASES = [*COLUMN_CASES, *RULE_CASES, *TABLE_CASES]
SAMPLE = 15  # every fifteenth change is tried by `make test`, too

pytestmark = pytest.mark.filterwarnings("ignore:Computed default on:UserWarning")


class Shop:
    """A database with the tables of the shop and their rows. A change that is taken back leaves it to the next one."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.stack = ExitStack()
        built = template(environment, "shop", lambda own: build(own, folder / "built"))
        self.environment = self.stack.enter_context(copied_database(environment, built))
        self.schema = dumps.schema_dump(self.environment)
        with model_project(self.environment, folder / "first") as project:
            self.before = ReleaseBefore(project.database.engine)
            self.rows = rows(project)
        self.is_as_it_was = False


def build(environment: Environment, folder: Path) -> None:
    with model_project(environment, folder) as project:
        shop.models().create_all(project.database.engine)
        project.database.execute(shop.ROWS)
        project.upgrade()


def rows(project: ModelProject) -> dict[str, str]:
    """A checksum of each table's rows."""
    names = [f'"{table}"' for table in shop.models().tables]
    return {
        name: project.database.scalar(f"SELECT string_agg(t::text, ',' ORDER BY t) FROM {name} t") for name in names
    }


@pytest.fixture(scope="module")
def free_shops() -> Iterator[list[Shop]]:
    found: list[Shop] = []
    yield found
    for shop_ in found:
        shop_.stack.close()


@pytest.fixture
def own_shop(server_environment: Environment, free_shops: list[Shop], tmp_path: Path) -> Iterator[Shop]:
    own = free_shops.pop() if free_shops else Shop(server_environment, tmp_path)
    own.is_as_it_was = False
    yield own
    if own.is_as_it_was:
        free_shops.append(own)
    else:
        own.stack.close()


@pytest.fixture
def project(own_shop: Shop, tmp_path: Path) -> Iterator[ModelProject]:
    with model_project(own_shop.environment, tmp_path / "migrations") as project:
        yield project


def release(project: ModelProject, change: ByHand | object, phase: str, serving: AbstractContextManager[None]) -> None:
    """Write the revision for a change of the models, apply it while the release before serves, and compare. Then the
    new release goes live, by whose models the next revision is judged.
    """
    if isinstance(change, ByHand):
        project.write(change.up, change.down, change.phase)
        project.change(change.models)
    else:
        project.change(change)  # type: ignore[arg-type]
        file = project.migrate()
        assert file is not None, "no change was noticed"
        assert f'phase = "{phase}"' in file.read_text().replace("'", '"'), file.read_text()
    with serving:
        following(project, project.upgrade)
    project.check()
    assert project.was_judged()
    project.goes_live()


def following(project: ModelProject, act: Callable[[], None]) -> None:
    """Do it. Where it would refuse what the live release may write, do as the sentence says: release the code first and
    the revision after it, or say why that release does not write it.
    """
    for _ in range(3):
        try:
            act()
            return
        except UnsafeOperation as refused:
            is_exclude = "ex_rooms_period is built" in refused.message  # which cannot be had without blocking
            if not is_exclude and "release that is live" not in refused.message:
                raise
            if is_exclude or "excused(" in refused.message:
                project.excuse(int(re.findall(r"_\w+\.py:(\d+)", refused.message)[0]))
                continue
            with project.newest_held_back():
                project.upgrade()
                project.goes_live()
    raise AssertionError("the sentences lead nowhere")


def mark(number: int, case: Case) -> object:
    return pytest.param(case, id=case.name, marks=() if number % SAMPLE == 0 else pytest.mark.minutes)


@pytest.mark.parametrize("case", [mark(number, case) for number, case in enumerate(CASES)])
def test_a_change(case: Case, project: ModelProject, own_shop: Shop) -> None:
    changes = list(case.changes)
    if case.refused:
        project.change(changes.pop(0))  # type: ignore[arg-type]
        with pytest.raises(UnsafeOperation, match=case.refused):
            project.migrate()
        project.change(nothing)
        project.check()
    project.goes_live()
    is_expand = set(case.phases) == {"expand"}
    for change, phase in zip(changes, case.phases, strict=True):
        release(
            project, change, phase, own_shop.before.serving(project.database.engine) if is_expand else nullcontext()
        )
    before = [nothing, *(change.models if isinstance(change, ByHand) else change for change in changes[:-1])]
    for number, models in reversed(list(enumerate(before, 1))):
        project.change(models)
        project.goes_live()  # again, after a rollback of the code
        following(project, partial(project.downgrade, number))
    if case.stays:
        own_shop.before.assert_works(project.database.engine)
        return
    assert comparable(dumps.schema_dump(own_shop.environment), case) == comparable(own_shop.schema, case)
    if "contract" not in case.phases:
        assert rows(project) == own_shop.rows
        own_shop.is_as_it_was = True


def test_an_upgrade_is_red_when_a_rule_has_another_definition_in_the_models(project: ModelProject) -> None:
    project.write("pass")
    project.change(both(without_constraint("ck_things_size"), check("size >= 1", "size")))
    with pytest.raises(ReleaseError, match=r"ck_things_size on things is CHECK \(\(size >= 0\)\) in the database"):
        project.upgrade()


def comparable(dump: str, case: Case) -> list[str]:
    """Without the casts in rules, of which the server prints others once it has read them."""
    lines = [re.sub(r"::character varying|::text(\[\])?|[(),]", "", line) for line in dump.splitlines()]
    return sorted(lines) if case.moves else lines


def test_there_are_enough_of_them() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 120
