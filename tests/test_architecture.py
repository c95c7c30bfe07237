"""The import rules of the application, checked by reading every import, including those inside functions."""

import ast
import graphlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A feature is a folder with forms or views.
FEATURES = {path.parent.name for name in ("forms", "views") for path in (ROOT / "app").glob(f"*/{name}.py")}
# The other features that a feature may import. My page shows the forms of accounts and photos, and portability imports
# a photo. Every feature with rows to export may import the contract of portability.
MAY_IMPORT = {"mypage": {"accounts", "photos"}, "portability": {"accounts", "photos"}}
CONTRACT = {"app.portability.contract"}

Imports = dict[str, set[str]]


def module_name(path: Path, root: Path) -> str:
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imported_modules(path: Path) -> Iterator[str]:
    """Yield every module that a file imports. `from package import module` yields package.module."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def import_graph(root: Path) -> Imports:
    """Return the modules of the app that each module imports: {module: modules}."""
    files = {module_name(path, root): path for path in (root / "app").rglob("*.py")}
    graph: Imports = {}
    for name, path in files.items():
        targets = {closest(target, files) for target in imported_modules(path)}
        graph[name] = {target for target in targets if target and target != name}
    return graph


def closest(target: str, files: dict[str, Path]) -> str | None:
    """Return the app's module that defines an imported name: app.a.b for app.a.b.name."""
    while target:
        if target in files:
            return target
        target = target.rpartition(".")[0]
    return None


GRAPH = import_graph(ROOT)


def folder_of(module: str) -> str | None:
    """`notes` of app.notes.service."""
    return next(iter(module.split(".")[1:2]), None)


def feature_of(module: str) -> str | None:
    folder = folder_of(module)
    return folder if folder in FEATURES else None


def test_imports_have_no_cycle_and_every_module_is_imported_except_entry_points() -> None:
    list(graphlib.TopologicalSorter(GRAPH).static_order())
    imported = {target for targets in GRAPH.values() for target in targets}
    packages = {name for name in GRAPH if any(other.startswith(f"{name}.") for other in imported)}
    # The entry points: the factory, and what migrations/env.py and the migrations import.
    assert GRAPH.keys() - imported - packages | {"app"} == {"app", "app.release.runner"}


def test_a_feature_imports_no_other_feature_except_accounts() -> None:
    for module, targets in GRAPH.items():
        feature = feature_of(module)
        if feature is None:
            continue
        foreign = {feature_of(target) for target in targets - CONTRACT} - {feature, None}
        assert foreign <= MAY_IMPORT.get(feature, {"accounts"}), module


def test_accounts_imports_no_feature() -> None:
    for module, targets in GRAPH.items():
        if feature_of(module) == "accounts":
            assert {feature_of(target) for target in targets} <= {"accounts", None}, module


def test_no_file_is_longer_than_400_lines() -> None:
    files = [path for path in (ROOT / "app").rglob("*") if path.suffix in (".py", ".html", ".css", ".js")]
    long = {path for path in files if len(path.read_text().splitlines()) > 400}
    assert not long


@pytest.mark.parametrize("folder", ["api", "demo"])
def test_only_the_factory_knows_the_api_and_the_demo_account(folder: str) -> None:
    """They may import any feature, since they stand above them all, as the factory does: no feature could miss them."""
    known_to = {module for module, targets in GRAPH.items() if any(folder_of(name) == folder for name in targets)}
    assert {module for module in known_to if folder_of(module) != folder} == {"app"}


def test_the_api_is_read_in_half_an_hour() -> None:
    """Without blank lines."""
    lines = [line for path in (ROOT / "app/api").glob("*.py") for line in path.read_text().splitlines()]
    assert len([line for line in lines if line]) <= 900


def test_release_imports_no_other_part_of_the_app() -> None:
    """This keeps it possible to copy the folder into another project; tests/release/test_adoption.py does."""
    for module, targets in GRAPH.items():
        if module.startswith("app.release"):
            assert all(target.startswith("app.release") for target in targets), module


def test_release_knows_this_project_by_its_options_alone() -> None:
    """Not its name, its queue or its configuration."""
    ours = re.compile(r"semicircle|procrastinate|\b\w*app\.config\b|os\.environ", re.IGNORECASE)
    files = [path for path in (ROOT / "app/release").rglob("*") if path.suffix in (".py", ".sql")]
    assert [path for path in files if ours.search(path.read_text())] == []


def test_extensions_import_no_module_of_the_app() -> None:
    assert GRAPH["app.extensions"] == set()


def test_models_import_only_extensions() -> None:
    models = [name for name in GRAPH if name.endswith(".models")]
    assert [name for name in models if not GRAPH[name] <= {"app.extensions"}] == []


def test_a_service_imports_neither_flask_nor_forms_views_or_session() -> None:
    for module in (name for name in GRAPH if name.endswith(".service")):
        path = ROOT / (module.replace(".", "/") + ".py")
        assert not [target for target in imported_modules(path) if target.split(".")[0].startswith("flask")], module
        assert not [target for target in GRAPH[module] if target.endswith((".forms", ".views", ".session"))], module


PURE = [
    "app.accounts.hashing",
    "app.accounts.nicknames",
    "app.accounts.password_policy",
    "app.keyset",
    "app.passkeys.ceremonies",
    "app.photos.containers",
    "app.photos.decoding",
    "app.portability.archive",
    "app.portability.markdown",
    "app.rejection",
    "app.release.compatible_types",
    "app.notes.markdown",
    "app.notes.search",
    "app.notes.spelling",
    "app.notes.texts",
    "app.wordcounts.analysis.charset",
    "app.wordcounts.analysis.particles",
    "app.wordcounts.analysis.sandbox",
    "app.wordcounts.analysis.text",
    "app.wordcounts.analysis.words",
    "app.wordcounts.failures",
    "app.wordcounts.fetching.client",
    "app.wordcounts.fetching.connecting",
    "app.wordcounts.fetching.vetting",
    "app.wordcounts.readable",
    "app.wordcounts.report",
]


def test_a_pure_module_imports_neither_flask_nor_the_database() -> None:
    for module in PURE:
        path = ROOT / (module.replace(".", "/") + ".py")
        assert not {target.split(".")[0] for target in imported_modules(path)} & {"flask", "sqlalchemy"}, module
        assert GRAPH[module] <= set(PURE), module


def test_a_violated_constraint_is_looked_at_before_it_is_explained() -> None:
    """Any other one is a mistake of ours, and must not be told as the reader's own doing."""
    blind = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in (ROOT / "app").rglob("*.py")
        for handler in nodes(path)
        if isinstance(handler, ast.ExceptHandler) and "IntegrityError" in ast.unparse(handler.type or handler)
        if "release" not in path.parts  # its own constraints, each in a statement that can violate no other
        if not re.search(r"\b(violated_constraint|taken|owner_is_gone)\(", ast.unparse(handler))
    ]
    assert blind == []


def test_only_the_factory_reads_config() -> None:
    for module in GRAPH:
        path = ROOT / (module.replace(".", "/") + ".py")
        if path.exists():  # skips packages, which includes the factory
            assert not [
                target for target in imported_modules(path) if target.split(".")[0] in ("config", "environment")
            ], module


def test_nothing_imports_the_factory() -> None:
    assert not [module for module, targets in GRAPH.items() if "app" in targets]


# A library may change its private names in any release. http_server builds on gunicorn's, and app/release on Alembic's.
OWN = {"app", "config", "environment", "http_server", "start", "tools"}
PRIVATE = re.compile(r"_(?!_)\w+")
# Documented in spite of their names, by os, Werkzeug and WTForms.
PUBLIC = {"_exit", "_get_current_object", "_value"}


def is_foreign(module: str | None) -> bool:
    return (module or "").partition(".")[0] not in OWN


def foreign_names(tree: ast.Module) -> dict[str, str]:
    """Return what the names that a file imports from elsewhere stand for: {name: module, or module.name}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name if alias.asname else alias.name.partition(".")[0] for alias in node.names]
            bound = zip(node.names, names, strict=True)
            found.update({alias.asname or name: name for alias, name in bound if is_foreign(name)})
        if isinstance(node, ast.ImportFrom) and is_foreign(node.module):
            found.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        if isinstance(node, ast.ImportFrom) and node.module == "app.extensions":  # objects of their classes
            extensions = {alias.name for alias in node.names} & {"babel", "csrf", "db", "login", "migrate"}
            found.update({name: name for name in extensions})
    return found


def root_of(node: ast.expr) -> str | None:
    """Return `module` of module.a.b, and "super" of super().a."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
        return "super"
    return node.id if isinstance(node, ast.Name) else None


def own_attributes(node: ast.ClassDef) -> set[str]:
    """Return the names that a class defines, in its body or on self."""
    stored = {
        each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store)
    }
    names = {each.id for part in node.body for each in ast.walk(part) if isinstance(each, ast.Name)}
    return stored | names | {each.name for each in node.body if isinstance(each, ast.FunctionDef)}


def private_names(source: str) -> set[str]:
    """Return the private names of libraries that a file imports, asks for, or overrides in a subclass."""
    tree = ast.parse(source)
    foreign = foreign_names(tree)
    found = {path.rpartition(".")[2] for path in foreign.values() if PRIVATE.fullmatch(path.rpartition(".")[2])}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and root_of(node) in foreign:
            found.add(node.attr)
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base) for base in node.bases if root_of(base) in foreign]
        if not bases:
            continue
        own = own_attributes(node)
        asked = [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]
        found |= {each.attr for each in asked if root_of(each) == "super"}
        found |= {each.attr for each in asked if root_of(each) == "self" and each.attr not in own}
        for base in bases:
            name, dot, rest = base.partition("[")[0].partition(".")
            library = pkgutil.resolve_name(foreign[name] + dot + rest)
            found |= {each for each in own if hasattr(library, each)}
    return {name for name in found if PRIVATE.fullmatch(name)} - PUBLIC


def test_no_private_name_of_a_library_is_used() -> None:
    sources = [path for folder in ("app", "environment", "tools") for path in (ROOT / folder).rglob("*.py")]
    sources += [ROOT / "config.py", ROOT / "start.py"]
    elsewhere = (ROOT / "app/release", ROOT / "tools/bench/peers")  # a library; other frameworks, not installed here
    ours = [path for path in sources if not any(path.is_relative_to(folder) for folder in elsewhere)]
    used = {str(path.relative_to(ROOT)): private_names(path.read_text()) for path in ours}
    assert {path: names for path, names in used.items() if names} == {}


@pytest.mark.parametrize(
    "code",
    [
        "from markupsafe import _escape_inner",
        "from app.extensions import login\nlogin._load_user()",
        "import flask_login\nflask_login.utils._create_identifier()",
        "from alembic.config import Config\nConfig._migrations_fn",
        "import smtplib\nclass S(smtplib.SMTP):\n    def f(self): return self._host",
        "from jinja2 import Environment\nclass E(Environment):\n    def _parse(self, *a): return super()._parse(*a)",
        "from jinja2 import Environment\nclass E(Environment):\n    def _parse(self, *a): pass",
    ],
)
def test_a_private_name_of_a_library_is_found(code: str) -> None:
    assert private_names(code)


RIDDLES = {"What", "Whether", "Who", "Whom", "Whose", "How", "Where", "When", "Why", "Which"}


def test_docstrings_of_functions_and_classes_begin_with_a_verb() -> None:
    """As those of Flask do: Return, Refuse, Compare."""
    folders = ("app", "environment", "http_server", "tools")
    paths = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    riddles = [
        f"{path.relative_to(ROOT)}:{node.lineno} {docstring.splitlines()[0]}"
        for path in paths
        if not path.is_relative_to(ROOT / "app/release")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and (docstring := ast.get_docstring(node))
        if docstring.split()[0].rstrip(",:") in RIDDLES
    ]
    assert riddles == []


# Standard terms, and the file in which a search must find each of them.
TERMS = {
    "advisory lock": "app/release/advisory_lock.py",
    "seed data": "app/demo/__init__.py",
    "counter cache": "app/figures/models.py",
    "decompression bomb": "app/photos/decoding.py",
    "exponential backoff": "app/jobs/queue.py",
    "fencing token": "app/release/backfills/table.py",
    "keyset pagination": "app/keyset.py",
    "open redirect": "app/web/access.py",
    "optimistic locking": "app/notes/service.py",
    "rate limit": "app/limits/rate_limits.py",
    "soft delete": "app/soft_delete.py",
    "multi-factor authentication": "app/accounts/tokens.py",
    "recovery codes": "app/passkeys/two_step.py",
    "stemming": "app/wordcounts/analysis/particles.py",
    "spelling correction": "app/notes/spelling.py",
    "SSRF": "app/wordcounts/fetching/__init__.py",
    "token bucket": "app/limits/rate_limits.py",
    "WebAuthn": "app/passkeys/ceremonies.py",
    "XSS": "app/notes/markdown.py",
}


def test_a_standard_term_is_found_in_the_file_that_implements_it() -> None:
    assert [term for term, path in TERMS.items() if term.lower() not in (ROOT / path).read_text().lower()] == []
