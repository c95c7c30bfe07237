"""The server's code runs under Debian's own Python, and deploys every commit of the app: it needs nothing else."""

import ast
import sys
from pathlib import Path

FILES = sorted((Path(__file__).parents[2] / "tools/plain_server").glob("*.py"))


def test_it_imports_the_standard_library_and_itself_alone() -> None:
    assert FILES
    nodes = [node for path in FILES for node in ast.walk(ast.parse(path.read_text()))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert {name.split(".")[0] for name in named} <= set(sys.stdlib_module_names)
