"""The list of rewrite rules on the page about trust, read off the rules themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from markdown.preprocessors import Preprocessor

RULES_MARKER = "<!-- rewrite rules -->"


def rules_table() -> Iterator[str]:
    """A Markdown table: each rule's name and the identity its docstring states."""
    import cs231n.calculus.zero  # noqa: F401 (the test for zero registers its rules, too)
    from cs231n.calculus.rules import RULES

    yield "| rule | says that |"
    yield "| --- | --- |"
    for name, function in RULES.items():
        identity = " ".join((inspect.getdoc(function) or "").split()).replace("|", r"\|")
        yield f"| `{name.strip('_')}` | {identity} |"


class Rules(Preprocessor):
    """Puts the table where the page has `RULES_MARKER`."""

    def run(self, lines: list[str]) -> list[str]:
        """Replace the marker."""
        if RULES_MARKER not in lines:
            return lines
        at = lines.index(RULES_MARKER)
        return [*lines[:at], *rules_table(), *lines[at + 1 :]]
