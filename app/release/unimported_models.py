"""Models in a module that nothing imports: SQLAlchemy does not know them, so nobody would compare their tables."""

import re
import sys
from pathlib import Path

from flask import current_app
from sqlalchemy import MetaData

from app.release.errors import ReleaseError

_TABLE_NAME = re.compile(r"^\s+__tablename__(?:\s*:[^=\n]+)?\s*=\s*[\"'](\w+)[\"']", re.MULTILINE)


def require_all_imported(metadata: MetaData) -> None:
    """
    Raises:
        ReleaseError: a module of the application's package declares a table, and the models do not have it.
    """
    known = {table.name for table in metadata.tables.values()}
    imported = {file for module in list(sys.modules.values()) if (file := _file_of(module))}
    for path in _modules(Path(current_app.root_path)):
        for name in _TABLE_NAME.findall(path.read_text(encoding="utf-8")):
            if name not in known and not _is_among(path, imported):
                raise ReleaseError(
                    f"{path} declares the table {name}, but nothing imports that module, so its models were not"
                    " compared. Import it where the application is made, then run this command again."
                )


def _modules(package: Path) -> list[Path]:
    """None where the application is a module alone: beside it may stand anything."""
    return sorted(package.rglob("*.py")) if (package / "__init__.py").exists() else []


def _is_among(path: Path, files: set[str]) -> bool:
    """Links are followed when nothing has the very name: over all modules that takes 0.1 s."""
    return str(path) in files or path.resolve() in {Path(file).resolve() for file in files}


def _file_of(module: object) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None
