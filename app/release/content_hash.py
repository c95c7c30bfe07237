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
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_name(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: object) -> str:
    """The tree as text. Unlike ast.dump(), it is the same on every version of Python: without fields that are empty,
    which a newer Python adds or leaves out."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
        return f"{type(node).__name__}({', '.join(f'{name}={_canonical(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{', '.join(map(_canonical, node))}]"
    return repr(node)


def _is_name(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id in NAMES_ONLY for target in targets)
