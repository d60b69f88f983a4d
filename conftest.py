"""Modules of the package that are the course's PyTorch ones are not imported for doctests where PyTorch is missing."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).parent


def _needs(path: Path, framework: str) -> bool:
    """Whether the module imports the framework when it is imported itself, alone or in a try."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = [*tree.body, *(inner for node in tree.body if isinstance(node, ast.Try) for inner in node.body)]
    names = [alias.name for node in body if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in body if isinstance(node, ast.ImportFrom)]
    return any(name.partition(".")[0] == framework for name in names)


collect_ignore = [
    str(path.relative_to(_ROOT))
    for path in sorted((_ROOT / "cs231n").rglob("*.py"))
    if find_spec("torch") is None and _needs(path, "torch")
]
