"""Put the pages of the book into the wheel, at ``cs231n/_book``.

A plain ``force-include`` table would also apply to editable installs and leave a copy of the pages there that
grows stale with the first edit; an editable install reads the checkout's ``docs/`` instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Book(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "standard":  # "editable"
            return
        docs = Path(self.root, "docs")
        for page in sorted(docs.rglob("*.md")):
            build_data["force_include"][str(page)] = f"cs231n/_book/{page.relative_to(docs).as_posix()}"
