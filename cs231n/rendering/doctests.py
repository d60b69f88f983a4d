"""Shows an example in a docstring as what it is; to Markdown, `>>>` opens a quotation in a quotation in a quotation."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown.preprocessors import Preprocessor

_FENCE = re.compile(r" {0,3}(```+|~~~+)")


class Doctests(Preprocessor):
    """Puts a fence round each run of lines that starts with ``>>>``, up to the next empty line."""

    def run(self, lines: list[str]) -> list[str]:
        """Fence them; what stands in a fence already stays."""
        return list(self._run(lines))

    def _run(self, lines: list[str]) -> Iterator[str]:
        fence, example = "", False
        for line in lines:
            mark = _FENCE.match(line)
            if not fence and not example and line.startswith(">>> "):
                example = True
                yield from ("", "```pycon")
            elif example and not line.strip():
                example = False
                yield "```"
            elif not example and mark and (not fence or line.strip() == fence):
                fence = "" if fence else mark[1]
            yield line
        if example:
            yield "```"
