"""How numbers are made: the methodology pages and the versions of the methods, from their files."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portfolios.errors import NotFound

Json = dict[str, Any]
#: As one page names another: by its file.
_LINK = re.compile(r"\]\((\w+)\.md\)")
FOLDER = Path(__file__).resolve().parents[1] / "methodology"


@dataclass(frozen=True)
class Page:
    """One methodology page."""

    slug: str
    title: str
    text: str

    @property
    def summary(self) -> str:
        """The first paragraph."""
        return " ".join(self.text.split("\n\n")[1].split())

    @property
    def sections(self) -> list[Json]:
        """The page cut at its headings of the second level."""
        parts = self.text.split("\n## ")[1:]
        heads = [part.partition("\n") for part in parts]
        return [{"heading": head, "text": body.strip()} for head, _, body in heads]


def _served(link: re.Match[str]) -> str:
    return f"](/v1/methods/{link[1].replace('_', '-')})"


@functools.cache
def pages() -> dict[str, Page]:
    """By address; they change with the code alone."""
    found = {}
    for path in sorted(FOLDER.glob("*.md")):
        text = _LINK.sub(_served, path.read_text(encoding="utf-8"))
        slug = path.stem.replace("_", "-")
        found[slug] = Page(slug, text.partition("\n")[0].removeprefix("# "), text)
    return found


@functools.cache
def histories() -> dict[str, Json]:
    """Versions of the methods of analyses, by kind; the last one is that of this build."""
    found: dict[str, Json] = json.loads((FOLDER / "versions.json").read_text(encoding="utf-8"))
    return found


def method_get(name: str) -> tuple[Page, Json | None]:
    """A page by its address, or by the name of the method in a version; raises NotFound."""
    kinds = {history["method"]: kind for kind, history in histories().items()}
    slug = name if name in pages() else kinds.get(name, name)
    page = pages().get(slug)
    if page is None:
        raise NotFound("There is no such method; /v1/methods lists them.")
    return page, histories().get(slug)


def version_get(name: str, version: str) -> tuple[Page, Json, Json]:
    """One version of a method; raises NotFound."""
    page, history = method_get(name)
    versions = history["versions"] if history else []
    found = next((one for one in versions if one["version"] == version), None)
    if history is None or found is None:
        raise NotFound("The method has no such version.")
    return page, history, found
