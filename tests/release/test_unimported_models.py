"""A model module that nothing imports is told by `flask db migrate` and `check`, which would be green without it."""

from pathlib import Path

import pytest

from app.release.errors import ReleaseError
from tests.databases import Environment
from tests.release import shop
from tests.release.model_project import model_project

MODEL = 'class Shelf(Base):\n    __tablename__ = "{table}"\n'


@pytest.mark.parametrize("command", ["migrate", "check"])
def test_a_table_of_a_module_that_nothing_imports_is_told(
    environment: Environment, tmp_path: Path, command: str
) -> None:
    with model_project(environment, tmp_path) as project:
        shop.models().create_all(project.database.engine)
        project.upgrade()
        (tmp_path / "__init__.py").write_text("")
        (tmp_path / "shelves.py").write_text(MODEL.format(table="shelves"))
        with pytest.raises(ReleaseError, match=r"shelves\.py declares the table shelves, but nothing imports"):
            getattr(project, command)()
        assert [file.name for file in project.files()] == ["0001_shop.py"]


def test_one_whose_table_is_known_is_none(environment: Environment, tmp_path: Path) -> None:
    with model_project(environment, tmp_path) as project:
        shop.models().create_all(project.database.engine)
        project.upgrade()
        (tmp_path / "__init__.py").write_text("")
        (tmp_path / "again.py").write_text(MODEL.format(table="things"))
        project.check()
