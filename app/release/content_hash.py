"""Content hash of a revision file: what it does, without its number, its parent and its comments.

The ledger keeps the hash of the file that ran. So a file that was edited afterwards is noticed, and another file of the
same number too.
"""

import ast
import hashlib
from pathlib import Path

NAMES_ONLY = ("revision", "down_revision", "branch_labels", "depends_on")  # constants that do nothing by themselves


def content_hash(path: str | Path) -> str:
    """SHA-256 of the file's syntax tree, in hexadecimal; comments, docstrings and layout do not count."""
    tree = ast.parse(Path(path).read_text())
    tree.body = [node for node in tree.body if not _is_name(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_name(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in NAMES_ONLY for target in targets)
