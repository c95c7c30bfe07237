"""The import rules of the application, checked by reading every import, including those inside functions."""

import ast
import graphlib
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import jinja2
import pytest

from app import features
from tests.samples import TAKEN_OUT

ROOT = Path(__file__).parents[1]
# A feature is a folder with forms or views.
FEATURES = {path.parent.name for name in ("forms", "views") for path in (ROOT / "app").glob(f"*/{name}.py")}
# The features that every other one may import. One with rows to export may import the contract of portability.
SHARED = {"accounts", "photos"}
CONTRACT = {"app.portability.contract"}
ABOVE = ("backups", "demo")  # commands that may know any feature, as the factory does

Imports = dict[str, set[str]]


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def python_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def imported_modules(path: Path) -> Iterator[str]:
    """Yield every module that a file imports. `from package import module` yields package.module."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache  # not at import: each worker imports this file, and one runs it
def graph() -> Imports:
    """Return the modules of app and library that each module imports: {module: modules}."""
    folders = (ROOT / "app", ROOT / "online_migrations")
    files = {module_name(path): path for folder in folders for path in folder.rglob("*.py")}
    found: Imports = {}
    for name, path in files.items():
        targets = {closest(target, files) for target in imported_modules(path)}
        found[name] = {target for target in targets if target and target != name}
    return found


def closest(target: str, files: dict[str, Path]) -> str | None:
    """Return the module of ours that defines an imported name: app.a.b for app.a.b.name."""
    while target:
        if target in files:
            return target
        target = target.rpartition(".")[0]
    return None


def folder_of(module: str) -> str | None:
    """Return `notes` of app.notes.service, and None of the library."""
    return next(iter(module.split(".")[1:2]), None) if module.startswith("app.") else None


def feature_of(module: str) -> str | None:
    folder = folder_of(module)
    return folder if folder in FEATURES else None


def test_imports_have_no_cycle_and_every_module_is_imported_except_entry_points() -> None:
    list(graphlib.TopologicalSorter(graph()).static_order())
    imported = {target for targets in graph().values() for target in targets}
    packages = {name for name in graph() if any(other.startswith(f"{name}.") for other in imported)}
    # The entry points: the factory, what it imports by the names of features, and what the migrations import.
    entries = {"app", "app.release", "app.release.operations", *(f"app.{name}.feature" for name in features.NAMES)}
    assert graph().keys() - imported - packages | {"app"} == entries
    assert set(features.NAMES) >= FEATURES


def test_a_feature_imports_no_other_feature_except_shared_ones() -> None:
    for module, targets in graph().items():
        feature = feature_of(module)
        if feature is None:
            continue
        foreign = {feature_of(target) for target in targets - CONTRACT} - {feature, None}
        assert foreign <= SHARED, module


def test_the_service_imports_no_tool() -> None:
    """Let a dyno run without the programs that a developer or a machine starts."""
    files = [*python_files("app", "environment"), ROOT / "config.py", ROOT / "start.py"]
    assert [path for path in files if any(name.startswith("tools") for name in imported_modules(path))] == []


def test_no_file_is_longer_than_400_lines() -> None:
    files = [path for path in (ROOT / "app").rglob("*") if path.suffix in (".py", ".html", ".css", ".js")]
    others = ("environment", "http_server", "online_migrations", "tests", "tools")
    files += [path for path in python_files(*others) if "node_modules" not in path.parts]
    long = {path for path in files if len(path.read_text().splitlines()) > 400}
    assert not long


@pytest.mark.parametrize("folder", ABOVE)
def test_only_the_factory_knows_what_stands_above_the_features(folder: str) -> None:
    known_to = {module for module, targets in graph().items() if any(folder_of(name) == folder for name in targets)}
    assert {module for module in known_to if folder_of(module) != folder} == {"app"}


def test_no_feature_is_missed_when_its_folder_is_deleted() -> None:
    """Shared modules know accounts alone, and the list of features by its names."""
    shared = [name for name in graph() if feature_of(name) is None and folder_of(name) not in (*ABOVE, None)]
    known = {(name, feature_of(target)) for name in shared for target in graph()[name] - CONTRACT}
    assert {feature for _, feature in known} <= {"accounts", None}, known
    tools = "".join(path.read_text() for path in python_files("tools"))
    named = set(re.findall(r"^ *(?:from|import) (?:app|tests)\.(\w+)", tools, re.MULTILINE))
    assert named & FEATURES <= {"accounts", "notes", "photos", "portability", "todos"}


def test_the_api_is_read_in_half_an_hour() -> None:
    """Its frame, and the operations of a feature."""
    assert sum(len(path.read_text().splitlines()) for path in (ROOT / "app/api").glob("*.py")) <= 600
    long = [path for path in (ROOT / "app").glob("*/api.py") if len(path.read_text().splitlines()) > 250]
    assert long == []


def test_the_library_imports_nothing_of_ours() -> None:
    for module, targets in graph().items():
        if module.split(".")[0] == "online_migrations":
            assert all(target.split(".")[0] == "online_migrations" for target in targets), module


# What a project imports of the library, by module.
PUBLIC = {
    "online_migrations": {"Options", "ReleaseError", "boot_gate", "init_app", "run"},
    "online_migrations.backfills": {"requeue_lost", "run_batch"},
    "online_migrations.doctor": {"ERROR", "Diagnosis", "diagnose"},
    "online_migrations.operations": {"excused", "in_schema", "add_column_online", "backfill", "backfill_later"},
    "online_migrations.scratch": {
        *("Deadline", "direct_connection", "direct_engine", "migration_lock", "scratch_database")
    },
    "online_migrations.state": {
        *("AHEAD", "AHEAD_CONTRACT", "AT_HEAD", "BEHIND", "UNKNOWN", "SchemaState", "applied_revisions"),
        *("locale_weakness", "migration_in_progress", "read_schema_state", "session_obstacle"),
    },
}


def names_of_the_library(tree: Iterable[ast.AST]) -> set[tuple[str, str]]:
    """Return module and name of what a file takes from the library."""
    found = set()
    for node in tree:
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == "online_migrations":
                found |= {(module, alias.name) for alias in names}
            case ast.Import(names=names):
                ours = [alias for alias in names if alias.name.split(".")[0] == "online_migrations"]
                found |= {(alias.name, alias.asname or "") for alias in ours if "." in alias.name or alias.asname}
            case ast.Attribute(value=ast.Name(id="online_migrations"), attr=name):
                found.add(("online_migrations", name))
    return found


def private_parts(tree: Iterable[ast.AST]) -> set[tuple[str, str]]:
    known = {(module, name) for module, names in PUBLIC.items() for name in names}
    return names_of_the_library(tree) - known


def test_a_project_imports_only_public_names_of_the_library() -> None:
    paths = [*python_files("app", "environment", "tools/dev"), *ROOT.glob("*.py"), ROOT / "migrations/env.py"]
    moved = ROOT / "app/release/operations.py"  # for revisions that ran: all operations, under their former address
    assert names_of_the_library(nodes(moved)) == {("online_migrations.operations", "*")}
    assert {path: found for path in paths if path != moved and (found := private_parts(nodes(path)))} == {}
    for code in (
        "from online_migrations import options",
        "from online_migrations.state.ledger import EXPAND",
        "from online_migrations.state import ledger",
        "import online_migrations.locks",
        "import online_migrations as om",
        "import online_migrations\nonline_migrations.cli",
    ):
        assert private_parts(ast.walk(ast.parse(code))), code


@pytest.mark.parametrize("module", PUBLIC)
def test_each_public_name_of_the_library_is_exported(module: str) -> None:
    exported = importlib.import_module(module)
    assert PUBLIC[module] <= set(exported.__all__)
    assert [name for name in exported.__all__ if not hasattr(exported, name)] == []


def test_the_library_knows_this_project_by_its_options_alone() -> None:
    """Refuse its name, its queue and its configuration."""
    ours = re.compile(r"semicircle|procrastinate|\b\w*app\.config\b|os\.environ", re.IGNORECASE)
    files = [path for path in (ROOT / "online_migrations").rglob("*") if path.suffix in (".py", ".sql")]
    assert [path for path in files if ours.search(path.read_text())] == []


def test_models_import_only_extensions_which_import_how_rows_are_read_and_nothing_else_of_the_app() -> None:
    assert graph()["app.extensions"] == {"app.database.rows"}
    assert graph()["app.database.rows"] == set()
    models = [name for name in graph() if name.endswith(".models")]
    assert [name for name in models if not graph()[name] <= {"app.extensions"}] == []


def test_a_service_imports_neither_flask_nor_forms_views_or_session() -> None:
    for module in (name for name in graph() if name.endswith(".service")):
        path = ROOT / (module.replace(".", "/") + ".py")
        assert not [target for target in imported_modules(path) if target.split(".")[0].startswith("flask")], module
        assert not [target for target in graph()[module] if target.endswith((".forms", ".views", ".session"))], module


PURE = [
    *("app.characters", "app.deadline", "app.folding", "app.keyset", "app.passkeys.ceremonies", "app.rejection"),
    *("app.search_words", "app.web_addresses", "online_migrations.compatible_types"),
    *(f"app.accounts.{name}" for name in ("hashing", "nicknames", "password_policy")),
    *("app.photos.containers", "app.photos.decoding"),
    *(f"app.portability.{name}" for name in ("archive", "bundles", "markdown", "notebooks")),
    *(f"app.notes.{name}" for name in ("markdown", "search", "syntax", "texts")),
    *(f"app.wordcounts.analysis.{name}" for name in ("charset", "particles", "sandbox", "text", "words")),
    *(f"app.wordcounts.{name}" for name in ("fetching", "fetching.connecting", "fetching.vetting")),
    *(f"app.wordcounts.{name}" for name in ("failures", "readable", "report")),
]


def test_a_pure_module_imports_neither_flask_nor_the_database() -> None:
    for module in PURE:
        if module.split(".")[1] in TAKEN_OUT:
            continue
        folder = ROOT / module.replace(".", "/")
        path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        assert not {target.split(".")[0] for target in imported_modules(path)} & {"flask", "sqlalchemy"}, module
        assert graph()[module] <= set(PURE), module


def test_a_violated_constraint_is_looked_at_before_it_is_explained() -> None:
    """Any other one is a mistake of ours, and must not be told as the reader's own doing."""
    blind = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for handler in nodes(path)
        if isinstance(handler, ast.ExceptHandler) and "IntegrityError" in ast.unparse(handler.type or handler)
        if not re.search(r"\b(violated_constraint|taken|owner_is_gone)\(", ast.unparse(handler))
    ]
    assert blind == []


def test_only_the_factory_reads_config() -> None:
    files = [path for path in python_files("app") if path.stem != "__init__"]  # without the factory
    found = {path: {name.split(".")[0] for name in imported_modules(path)} for path in files}
    assert [path for path, names in found.items() if names & {"config", "environment"}] == []


# A library may change its private names in any release. http_server builds on gunicorn's, and online_migrations on
# Alembic's.
PRIVATE = re.compile(r"_(?!_)\w+(?<!_)")
# Documented in spite of their names, by Python, Werkzeug, SQLAlchemy and WTForms.
DOCUMENTED = {"_asdict", "_exit", "_fields", "_get_current_object", "_make", "_mapping", "_replace", "_value"}


def private_names(tree: Iterable[ast.AST]) -> set[str]:
    """Return the private names that a file imports or asks for, and does not define."""
    asked, own = set(), set()
    for node in tree:
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()) | ast.alias(name=name):
                asked.add(name)
            case ast.Attribute(attr=name) | ast.Name(id=name, ctx=ast.Store()):
                own.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
    return {name for name in asked - own if PRIVATE.fullmatch(name)} - DOCUMENTED


def overridden_names(own: type) -> set[str]:
    """Return the private methods of a library that a class defines anew."""
    of_libraries = {name for base in own.__mro__[1:] if not base.__module__.startswith("app.") for name in vars(base)}
    methods = {name for name, value in vars(own).items() if inspect.isfunction(value) and PRIVATE.fullmatch(name)}
    return methods & of_libraries - DOCUMENTED


def test_no_private_name_of_a_library_is_used() -> None:
    peers = ROOT / "tools/bench/peers"  # other frameworks, which are not installed here
    ours = [path for path in python_files("app", "environment", "tools") if not path.is_relative_to(peers)]
    assert {path: names for path in (*ours, *ROOT.glob("*.py")) if (names := private_names(nodes(path)))} == {}
    for code in ("from markupsafe import _escape", "login._load_user()", "class S(SMTP):\n a = lambda: self._host"):
        assert private_names(ast.walk(ast.parse(code))), code


def test_no_private_method_of_a_library_is_overridden() -> None:
    for name in (name for name in graph() if name.startswith("app")):
        classes = inspect.getmembers(importlib.import_module(name), inspect.isclass)
        assert [(own, names) for _, own in classes if own.__module__ == name and (names := overridden_names(own))] == []
    assert overridden_names(type("Parser", (jinja2.Environment,), {"_parse": lambda *_: None})) == {"_parse"}


RIDDLES = {"What", "Whether", "Who", "Whom", "Whose", "How", "Where", "When", "Why", "Which"}


def test_docstrings_of_functions_and_classes_begin_with_a_verb() -> None:
    """As those of Flask do: Return, Refuse, Compare."""
    paths = [*ROOT.glob("*.py"), *python_files("app", "environment", "http_server", "online_migrations", "tools")]
    riddles = [
        f"{path.relative_to(ROOT)}:{node.lineno} {docstring.splitlines()[0]}"
        for path in paths
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and (docstring := ast.get_docstring(node))
        if docstring.split()[0].rstrip(",:") in RIDDLES
    ]
    assert riddles == []


# Standard terms, and the file in which a search must find each of them.
TERMS = {
    "advisory lock": "online_migrations/locks.py",
    "seed data": "app/demo/service.py",
    "counter cache": "app/figures.py",
    "decompression bomb": "app/photos/decoding.py",
    "exponential backoff": "app/jobs/queue.py",
    "fencing token": "online_migrations/state/tables.py",
    "keyset pagination": "app/keyset.py",
    "open redirect": "app/web/access.py",
    "optimistic locking": "app/notes/service.py",
    "rate limit": "app/limits/rate_limits.py",
    "soft delete": "app/soft_delete.py",
    "multi-factor authentication": "app/accounts/tokens.py",
    "recovery codes": "app/passkeys/two_step.py",
    "spelling correction": "app/notes/search.py",
    "stemming": "app/wordcounts/analysis/particles.py",
    "SSRF": "app/wordcounts/fetching/__init__.py",
    "token bucket": "app/limits/rate_limits.py",
    "WebAuthn": "app/passkeys/ceremonies.py",
    "XSS": "app/notes/markdown.py",
}


def test_a_standard_term_is_found_in_the_file_that_implements_it() -> None:
    there = {term: ROOT / path for term, path in TERMS.items() if path.split("/")[1] not in TAKEN_OUT}
    assert [term for term, path in there.items() if term.lower() not in path.read_text().lower()] == []
