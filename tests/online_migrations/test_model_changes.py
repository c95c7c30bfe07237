"""`flask db migrate`: what it writes for a changed model can be released and taken back, or it says what to do.

Each change is written, applied, clean under `flask db check`, and goes back to an equal catalog, with every row.
It is judged as on a database that the previous release serves, and that release reads and writes throughout an expand.
A change without a safe way is refused with a sentence, as test_autogenerate.py reads; who follows it comes to such an
end as well.
After an upgrade that ends at the head, the schema has to be what the models say.
"""

import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flask_migrate
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from ruff import find_ruff_bin  # type: ignore[import-untyped]
from sqlalchemy import Connection

from online_migrations import runner
from online_migrations.errors import ReleaseError, UnsafeOperation
from online_migrations.state import ledger
from tests.online_migrations import shop
from tests.online_migrations.changes import (
    ByHand,
    Case,
    ModelChange,
    add,
    both,
    constrain,
    nothing,
    plain,
    released_together,
    replace,
    without_constraint,
)
from tests.online_migrations.changes.columns import COLUMN_CASES
from tests.online_migrations.changes.rules import RULE_CASES, TABLE_CASES, check
from tests.online_migrations.dumps import Fingerprint
from tests.online_migrations.migrating import sent_statements
from tests.online_migrations.model_project import ModelProject
from tests.online_migrations.release_before import ReleaseBefore

CASES = [*released_together(case for case in (*COLUMN_CASES, *RULE_CASES, *TABLE_CASES) if case.phases)]
QUICK = "A"  # the group that `make test` tries, too
CASTS = re.compile(r"::character varying|::text(\[\])?|[(),]")


class AsItWas(NamedTuple):
    """Hold the shop as it is before each change."""

    release: ReleaseBefore
    schema: Fingerprint
    rows: dict[str, str]


kept: list[AsItWas] = []


@pytest.fixture
def as_it_was(project: ModelProject) -> AsItWas:
    if not kept:
        release = ReleaseBefore(project.database.engine)
        kept.append(AsItWas(release, project.database.definitions(), rows(project)))
    return kept[0]


def rows(project: ModelProject) -> dict[str, str]:
    """Return each table's rows as text."""
    query = "SELECT string_agg(t::text, ',' ORDER BY t) FROM \"{}\" t"
    return {name: project.database.scalar(query.format(name)) for name in shop.models().tables}


def release(project: ModelProject, change: ByHand | object, phase: str, serving: AbstractContextManager[None]) -> None:
    """Write the revision for a change of the models, apply it while the previous release serves, and compare. Then the
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
    for _ in range(9):
        try:
            act()
            return
        except UnsafeOperation as refused:
            if "live release" not in refused.message:
                raise
            if "excused(" in refused.message:
                project.excuse(int(re.findall(r"_\w+\.py:(\d+)", refused.message)[0]))
                continue
            with project.newest_held_back():
                project.upgrade()
                project.goes_live()
    raise AssertionError("the sentences lead nowhere")


def mark(case: Case) -> object:
    return pytest.param(case, id=case.name, marks=() if case.group == QUICK else pytest.mark.minutes)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a folder for the revisions that were written, of which ruff must not complain.

    The hooks of the real project sort the imports and format; here what they cannot fix is looked for.
    """
    folder = tmp_path_factory.mktemp("written")
    yield folder
    command = [find_ruff_bin(), "check", "--isolated", "--quiet", "--select=E9,F,B", str(folder)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("case", [*map(mark, CASES)])
def test_a_change(case: Case, project: ModelProject, as_it_was: AsItWas, written: Path) -> None:
    engine = project.database.engine
    changes = list(case.changes)
    if case.refused:
        changes.pop(0)  # test_autogenerate.py reads the sentence
    is_expand = set(case.phases) == {"expand"}
    for change, phase in zip(changes, case.phases, strict=True):
        release(project, change, phase, as_it_was.release.serving(engine) if is_expand else nullcontext())
    for file in project.folder.glob("versions/*_a_change.py"):
        shutil.copy(file, written / f"{secrets.token_hex(8)}_{file.name}")
    before = [nothing, *(change.models if isinstance(change, ByHand) else change for change in changes[:-1])]
    for number, models in reversed(list(enumerate(before, 1))):
        project.change(models)
        project.goes_live()  # again, after a rollback of the code
        following(project, partial(project.downgrade, number))
    if case.stays:
        as_it_was.release.assert_works(engine)
        return
    assert comparable(project.database.definitions(), case) == comparable(as_it_was.schema, case)
    if "contract" not in case.phases:
        assert rows(project) == as_it_was.rows


def comparable(schema: Fingerprint, case: Case) -> set[tuple[str, ...]]:
    """Leave out the casts in rules, of which the server prints others once it has read them, and the place of a column
    that was dropped and came back.
    """
    place = r"^\d+ " if case.moves else "^$"
    return {(kind, name, re.sub(place, "", CASTS.sub("", what))) for kind, name, what in schema}


# Of each kind of difference test_doctor.py plants one.
FORGOTTEN_COLUMN = add(plain("colour", sa.Text))
FORGOTTEN: list[tuple[ModelChange, str]] = [
    (FORGOTTEN_COLUMN, r"things\.colour is in the models and not in the database"),
    (constrain(lambda: sa.ForeignKeyConstraint(["id"], ["things.id"], name="best", use_alter=True), "owners"), "best"),
    (
        both(without_constraint("ck_things_size"), check("size >= 1", "size")),
        r"ck_things_size on things is CHECK \(\(size >= 0\)\) in the database",
    ),
]
# Changes by hand, and the names in the refusal, which has three at most.
BY_HAND = [
    ("ALTER TABLE labels ADD more text NOT NULL DEFAULT ''; ALTER TABLE labels ALTER more DROP DEFAULT", ("more",)),
    (
        "ALTER TABLE labels DROP more; ALTER TABLE things DROP COLUMN note, ALTER name DROP NOT NULL;"
        " DROP INDEX ix_things_kind_made_at",
        ("things.note", "things.name", "ix_things_kind_made_at"),
    ),
]
# Objects that no model speaks of do no harm.
BESIDES = """
CREATE TYPE address AS (street text);
ALTER TABLE things ADD home address, ADD more text, ALTER note SET DEFAULT '';
CREATE TABLE by_hand (id bigint); CREATE INDEX ON by_hand ((id + 1)) INCLUDE (id);
CREATE INDEX of_note ON things (note);
COMMENT ON TABLE things IS 'another'
"""


@pytest.mark.smoke
def test_a_forgotten_migration_is_red_until_it_is_written_and_so_is_a_change_by_hand(project: ModelProject) -> None:
    project.upgrade()
    for change, reason in FORGOTTEN:
        project.change(change)
        with pytest.raises(ReleaseError, match=f"the schema is not what the models say.*{reason}"):
            project.upgrade()
    project.change(nothing)
    project.upgrade()
    for sql, named in BY_HAND:
        project.database.execute(sql)
        for _ in range(2):
            with pytest.raises(ReleaseError, match="the schema is not what the models say") as refused:
                project.upgrade()
            assert [name for name in named if name not in refused.value.message] == []


def test_what_the_newest_revision_has_done_in_vain_is_neither_written_again_nor_red_for_ever(
    project: ModelProject, caplog: pytest.LogCaptureFixture
) -> None:
    project.upgrade()
    project.change(replace(plain("note", sa.Text, server_default="x")))
    asked = """set_default_online('things', 'note', "'x'")"""
    project.write(f"{asked}\nop.execute('ALTER TABLE things ALTER note DROP DEFAULT')")
    project.upgrade()
    assert "note has another default" in caplog.text
    assert "put that right by hand" in caplog.text
    files = project.files()
    with pytest.raises(UnsafeOperation, match=r"Nothing was written\. The newest revision has done all that"):
        project.migrate()
    assert project.files() == files
    project.upgrade()  # as it was found alike, which is not asked again
    project.database.execute("ALTER TABLE things ALTER note SET DEFAULT 'y'")
    with pytest.raises(ReleaseError, match="note has another default"):
        project.upgrade()  # which has nothing to run: somebody changed it


@pytest.mark.newest_server
def test_models_are_compared_though_another_base_is_at_its_head(project: ModelProject) -> None:
    (project.folder / "versions/bill1_by_hand.py").write_text(
        'revision, down_revision, phase = "bill1", None, "expand"\n\n\ndef upgrade():\n    pass\n'
    )
    project.change(FORGOTTEN_COLUMN)
    with pytest.raises(ReleaseError, match=r"things\.colour is in the models and not in the database"):
        flask_migrate.upgrade(str(project.folder), "heads")
    project.write("pass")
    flask_migrate.upgrade(str(project.folder), "0001")  # which is no head, so nothing is compared


def test_nothing_is_compared_twice(project: ModelProject) -> None:
    """Take neither new rows, nor VACUUM, nor objects besides the models for a reason to compare again; a change is."""
    project.database.execute(BESIDES)
    project.upgrade()
    project.database.execute("INSERT INTO labels (name, colour) VALUES ('one more', 'red')")
    with project.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM FREEZE ANALYZE things"))
    with sent_statements() as sent:
        project.upgrade()
    assert not [one for one in sent if "pg_temp" in one or "TEMPORARY" in one or "pg_get_constraintdef" in one]
    project.database.execute("ALTER TABLE things DROP more")
    project.upgrade()
    project.database.execute("ALTER TABLE things DROP note")
    hooks = project.app.extensions["migrate"].configure_args
    hooks["include_object"] = lambda item, name, *_: name != "note"
    project.upgrade()
    del hooks["include_object"]
    with pytest.raises(ReleaseError, match=r"things\.note is in the models and not in the database"):
        project.upgrade()


@pytest.mark.newest_server
def test_a_ledger_of_an_older_version_is_read_and_noted_in(project: ModelProject) -> None:
    """It has a column that says when a comparison is due, and none for what was found alike."""
    project.upgrade()
    project.database.execute("ALTER TABLE schema_ledger DROP verified, ADD unverified boolean NOT NULL DEFAULT false")
    project.upgrade()
    with project.database.migrating.connect() as connection:
        heads = ScriptDirectory(str(project.folder)).get_heads()
        assert ledger.verified(connection, heads) is not None
    project.change(FORGOTTEN_COLUMN)
    with pytest.raises(ReleaseError, match=r"things\.colour"):
        project.upgrade()


@pytest.mark.newest_server
def test_a_newer_version_compares_again(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    with project.database.migrating.connect() as connection:
        now = runner.fingerprint(connection, sa.MetaData(), [])
        assert runner.fingerprint(connection, sa.MetaData(), []) == now
        monkeypatch.setattr(runner, "__file__", __file__)
        assert runner.fingerprint(connection, sa.MetaData(), []) != now


@pytest.mark.newest_server
def test_steps_that_nobody_commits_are_found(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alembic takes an open transaction for its caller's: it runs the step and leaves the commit to nobody."""
    configure = runner.configure

    def configure_in_a_transaction(connection: Connection, **options: Any) -> str:
        connection.execute(sa.text("SELECT 1"))
        return configure(connection, **options)

    monkeypatch.setattr(runner, "configure", configure_in_a_transaction)
    project.write('op.execute("CREATE TABLE more (id int)")')
    said = r"ended at \['0002'\] but the database is at \['0001'\]: nothing of it was kept"
    with pytest.raises(ReleaseError, match=said):
        project.upgrade()
    assert project.database.scalar("SELECT to_regclass('more') IS NULL")


class Decorated(sa.TypeDecorator[str]):
    impl = sa.Enum
    cache_ok = True


@pytest.mark.parametrize("kind", ["decorated", "array", "variant"])
def test_a_value_is_added_to_an_enum_wherever_the_model_has_it(project: ModelProject, kind: str) -> None:
    """Else an upgrade would be green, and the first row with the value refused."""

    def has(*values: str) -> Callable[[sa.MetaData], object]:
        enum = sa.Enum(*values, name="st")
        types: dict[str, Any] = {"decorated": Decorated(*values, name="st"), "array": sa.ARRAY(enum)}
        types["variant"] = sa.Text().with_variant(enum, "postgresql")
        return lambda models: models.tables["things"].append_column(sa.Column("state", types[kind]))

    project.database.execute("CREATE TYPE st AS ENUM ('a', 'b')")
    project.database.execute(f"ALTER TABLE things ADD state st{'[]' if kind == 'array' else ''}")
    project.change(has("a", "b"))
    assert project.migrate() is None
    project.change(has("a", "b", "c"))
    written = project.migrate()
    assert written
    assert "add_enum_value_online('st', 'c')" in written.read_text()
