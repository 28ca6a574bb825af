"""The project's own Python files, parsed once."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("riskapi", "analytics", "portfolios")


@functools.cache
def modules(*roots: str) -> dict[Path, ast.Module]:
    """Syntax trees by path, migrations apart."""
    files = [path for root in roots for path in sorted((ROOT / root).rglob("*.py"))]
    return {
        path.relative_to(ROOT): ast.parse(path.read_text())
        for path in files
        if "migrations" not in path.parts
    }


def imported_names(tree: ast.Module) -> set[str]:
    """Dotted names of all modules a file imports, and of what it takes from them."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names
