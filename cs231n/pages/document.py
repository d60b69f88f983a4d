r"""Markdown → its front matter and its formulas. Code, code spans and HTML comments hold no formulas.

Only ``$$ … $$`` and ``$ … $`` are mathematics. Other notations that some builder would render (``\(…\)``, a
``math`` fence …) are errors, so that no equation of the book escapes its check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cs231n.pages.errors import Snippet, Source

_FENCE = re.compile(r"(?P<indent>\s*)(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_LIST = re.compile(r"(?:[-*+]|\d+[.)])(?:\s+|$)")
_CONTAINER = re.compile(r"(?:!!!|\?\?\?\+?|===[!+]?|:|\[\^[^\]]+\]:)\s")  # admonition, tab, definition, footnote
_OTHER = [
    (re.compile(r"\\\((?!\()"), r"\( … \) is not read as mathematics: write $ … $"),
    (re.compile(r"\\\["), r"\[ … \] is not read as mathematics: write $$ … $$"),
    (
        re.compile(r"\\begin\s*\{[^}]*\}"),
        r"an environment outside $$ … $$ is not read as mathematics: put $$ around it",
    ),
]


@dataclass(frozen=True)
class Formula:
    """A formula of the page. ``display`` numbers the ``$$ … $$`` from 0; None for ``$ … $``."""

    snippet: Snippet
    display: int | None


@dataclass(frozen=True)
class Document:
    source: Source
    front_matter: Snippet | None
    formulas: tuple[Formula, ...]


def read_document(source: Source) -> Document:
    """Find the front matter and all formulas of a page, in order.

    Raises:
        PageError: a formula is not closed, or mathematics stands in a notation that is not read.
    """
    front, body = _front_matter(source)
    return Document(source, front, tuple(_formulas(source, _without_code(source, body))))


def _front_matter(source: Source) -> tuple[Snippet | None, int]:
    """The YAML between the first two ``---`` lines, and where the text after it begins."""
    opening = re.match(r"---[ \t]*\n", source.text)
    if not opening:
        return None, 0
    closing = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.M).search(source.text, opening.end())
    if not closing:
        raise source.error(0, "the front matter is not closed by a line ---", "---")
    return Snippet(source, opening.end(), source.text[opening.end() : closing.start()]), closing.end()


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _without_code(source: Source, body: int) -> str:
    """The text with front matter, fenced and indented code and HTML comments replaced by blanks of the same length."""
    text = source.text
    text = _blank(text[:body]) + text[body:]
    lines = text.splitlines(keepends=True)
    containers: list[int] = []  # indents at which the content of the open list items and admonitions begins
    fence = ""
    comment = False
    after_blank, in_code = True, False
    offset = 0
    for number, line in enumerate(lines):
        stripped = line.strip()
        indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
        if fence:
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
            lines[number] = _blank(line)
        elif comment or stripped.startswith("<!--"):
            lines[number], comment = _blank_comments(line, comment)
        elif not stripped:
            after_blank = True
            offset += len(line)
            continue
        else:
            while containers and indent < containers[-1] and (after_blank or _starts_block(stripped)):
                containers.pop()
            base = containers[-1] if containers else 0
            opened = _FENCE.match(line.rstrip("\n"))
            if (after_blank or in_code) and indent >= base + 4:
                lines[number], in_code = _blank(line), True
                after_blank = False
                offset += len(line)
                continue
            if opened:
                fence = opened["fence"]
                if opened["info"].split()[:1] in (["math"], ["{math}"]):
                    message = "a math fence is not read as mathematics: write $$ … $$"
                    raise source.error(offset + len(opened["indent"]), message, stripped)
                lines[number] = _blank(line)
            elif _CONTAINER.match(stripped):
                containers.append(indent + 4)
            elif marker := _LIST.match(stripped):
                containers.append(indent + min(len(marker[0]), 4))
            lines[number], comment = _blank_comments(lines[number], comment)
        after_blank, in_code = False, False
        offset += len(line)
    return "".join(lines)


def _starts_block(stripped: str) -> bool:
    return bool(_LIST.match(stripped) or _CONTAINER.match(stripped) or stripped.startswith(("#", "```", "~~~")))


def _blank_comments(line: str, inside: bool) -> tuple[str, bool]:
    """Blank the parts of a line inside ``<!-- … -->``; comments may go on in the next line."""
    done = ""
    while line:
        if inside:
            end = line.find("-->")
            cut = len(line) if end < 0 else end + 3
            done, line, inside = done + _blank(line[:cut]), line[cut:], end < 0
        else:
            # an arrow written as code is no comment
            begin = re.search(r"<!--", re.sub(r"`[^`\n]*`", lambda m: " " * len(m[0]), line))
            cut = len(line) if begin is None else begin.start()
            done, line, inside = done + line[:cut], line[cut:], begin is not None
    return done, inside


_TOKEN = re.compile(r"\\\$|\\`|`+|\$\$|\$|\\[(\[]|\\begin\s*\{|\n[ \t]*\n")


def _formulas(source: Source, text: str) -> list[Formula]:
    found: list[Formula] = []
    displays = 0
    position = 0
    while token := _TOKEN.search(text, position):
        start, position = token.span()
        mark = token[0]
        if mark.startswith("`"):
            position = _code_span_end(text, start, mark)
        elif mark == "$$":
            end = _display_end(source, text, start)
            found.append(Formula(Snippet(source, start + 2, source.text[start + 2 : end]), displays))
            displays, position = displays + 1, end + 2
        elif mark == "$":
            end = _inline_end(source, text, start)
            found.append(Formula(Snippet(source, start + 1, source.text[start + 1 : end]), None))
            position = end + 1
        elif mark[0] == "\\" and mark[1] in "([b":
            for pattern, message in _OTHER:
                if other := pattern.match(text, start):
                    raise source.error(start, message, other[0])
    return found


def _code_span_end(text: str, start: int, ticks: str) -> int:
    """Where the code span that opens at ``start`` ends; backticks that nothing closes are plain text."""
    after = start + len(ticks)
    paragraph = re.compile(r"\n[ \t]*\n|\Z").search(text, after)
    assert paragraph is not None  # \Z always matches
    closing = re.compile(rf"(?<!`){ticks}(?!`)").search(text, after, paragraph.start())
    return closing.end() if closing else after


def _display_end(source: Source, text: str, start: int) -> int:
    closing = re.compile(r"\$|\n[ \t]*\n|\Z").search(text, start + 2)
    assert closing is not None
    piece = text[start : start + 40].split("\n")[0]
    if closing[0] == "$" and text.startswith("$$", closing.start()):
        return closing.start()
    if closing[0] == "$":
        raise source.error(closing.start(), "a single $ inside $$ … $$", text[closing.start() : closing.start() + 20])
    if closing[0]:
        raise source.error(start, "a blank line ends this display before its closing $$", piece)
    raise source.error(start, "this display has no closing $$", piece)


def _inline_end(source: Source, text: str, start: int) -> int:
    closing = re.compile(r"(?<!\\)\$|\n[ \t]*\n|\Z").search(text, start + 1)
    assert closing is not None
    if closing[0] != "$":
        piece = text[start : start + 30].split("\n")[0]
        raise source.error(start, r"this $ opens a formula that nothing closes (a price is written \$)", piece)
    if closing.start() == start + 1 or text[start + 1].isspace() or text[closing.start() - 1].isspace():
        message = (
            r"no blank belongs just inside $ … $, or renderers disagree whether it is a formula (a price is written \$)"
        )
        raise source.error(start, message, text[start : closing.end()])
    return closing.start()
