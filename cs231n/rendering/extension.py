"""The Python-Markdown extension: formulas, badges, graphs and listings of one page.

``pymdownx.arithmatex`` finds the formulas. This extension asks which file is being rendered, has
`cs231n.pages` read it and `cs231n.checking` check it, and puts each display together with the
statements that stand in it. A display that the page reader did not see, a failed verdict or an unreadable
page is logged as a warning, which fails ``mkdocs build --strict``; nothing is raised, because other extensions
swallow exceptions of nested texts.
"""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as etree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

from cs231n.pages import PageError, read_page, tree
from cs231n.pages.layout import TAG
from cs231n.rendering import badges, graph, mathml
from cs231n.rendering.doctests import Doctests
from cs231n.rendering.rules import Rules
from cs231n.rendering.source import source_path

if TYPE_CHECKING:
    from cs231n.checking.verdicts import PageResult

#: MkDocs counts the warnings of loggers below ``mkdocs``.
log = logging.getLogger("mkdocs.plugins.cs231n")

GRAPH_MARKER = "<!-- computational graph -->"

_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.S)
_DECLARES = re.compile(r"^(sizes|indices|tensors|scalars|labels|outputs?|assume|code)\s*:", re.M)
_HAS_CODE = re.compile(r"^code\s*:", re.M)


def _check(path: Path) -> PageResult:
    # Imported late: a page without statements needs no proof engine.
    from cs231n.checking.verify import check_cached

    return check_cached(path)


@lru_cache(maxsize=256)
def _checked(path: Path, text: str, check: Callable[[Path], PageResult]) -> tuple[tree.Page, PageResult]:
    """A page and its verdicts. ``mkdocs serve`` renders all pages again when one has changed; the others wait here."""
    return read_page(path), check(path)


def _front_matter(text: str) -> str:
    front = _FRONT_MATTER.match(text)
    return front[1] if front else ""


def has_statements(text: str) -> bool:
    """Whether a Markdown file is a page to be checked: it declares something or may display a formula."""
    return bool(_DECLARES.search(_front_matter(text))) or "$$" in text


@dataclass
class Source:
    """The page behind the text being rendered, and its verdicts by display."""

    path: Path
    page: tree.Page
    checked: dict[int | None, list[badges.Checked]]

    @classmethod
    def load(cls, path: Path, check: Callable[[Path], PageResult]) -> Source | None:
        """Read and check a page; what is wrong with it is logged as a warning."""
        text = path.read_text(encoding="utf-8")
        if not has_statements(text):
            return None
        try:
            page, result = _checked(path, text, check)
        except PageError as error:
            log.warning("%s", error)
            return None
        if result.error:
            log.warning("%s", result.error)
        checked: dict[int | None, list[badges.Checked]] = {}
        if len(result.statements) != len(page.statements):
            log.warning("%s: %d statements but %d verdicts", path, len(page.statements), len(result.statements))
            return cls(path, page, checked)
        for statement, verdict in zip(page.statements, result.statements, strict=True):
            checked.setdefault(statement.display, []).append(badges.Checked(statement, verdict))
            if problem := badges.failure(verdict):
                named = f" {statement.anchor}" if statement.anchor else ""
                log.warning("%s:%d:%s %s", path, statement.line, named, problem)
        return cls(path, page, checked)


class Formulas(Treeprocessor):
    """Replaces what arithmatex marked by MathML, and displays by the block with name, buttons and badge."""

    def __init__(self, md: Markdown, check: Callable[[Path], PageResult]) -> None:
        super().__init__(md)
        self.check = check
        self.source: Source | None = None

    def run(self, root: etree.Element) -> None:
        """Draw all formulas of the text."""
        path = source_path(self.md)
        self.source = Source.load(path, self.check) if path else None
        displays = list(self.source.page.displays) if self.source else []
        inline = list(self.source.checked.get(None, [])) if self.source else []
        for parent in list(root.iter()):
            for position, element in enumerate(list(parent)):
                if element.get("class") != "arithmatex":
                    continue
                tex = unescape(element.text or "").strip()[2:-2].strip()  # between \[ and \], or \( and \)
                if element.tag == "div":
                    self._display(element, tex, displays)
                else:
                    self._inline(parent, position, element, tex, inline)
        for left in displays:
            assert self.source is not None
            log.warning(
                "%s:%d: this display is not drawn; write it between $$ and $$ with an empty line before and after",
                self.source.path,
                left.line,
            )

    # ------------------------------------------------------------------------------------------ displays

    def _display(self, element: etree.Element, tex: str, displays: list[tree.Display]) -> None:
        display = _take(displays, tex)
        checked: list[badges.Checked] = []
        if self.source:
            if display is None:
                log.warning("%s: the page reader did not see the display %r", self.source.path, tex)
            else:
                checked = self.source.checked.get(display.number, [])
        # Of a page that could not be read the names are drawn all the same: links to it are not broken too.
        tag = None if self.source else TAG.search(tex)
        anchor = display.anchor if display else tag[1] if tag else None
        kind = _kind(checked)
        element.attrib.clear()
        element.set("class", f"eq eq--{kind}" if kind else "eq")
        element.set("data-search-exclude", "")
        if anchor:
            element.set("id", anchor)
        said = f"Formula {anchor}" if anchor else f"Formula {display.number + 1}" if display else "Formula"
        html = (
            f'<div class="eq__math" tabindex="0" role="group" aria-label="{escape(said)}">{self._mathml(tex)}</div>'
            f"{_tools(tex, anchor, kind)}"
        )
        if checked and self.source:
            html += badges.badge(checked, self.source.page)
        element.text = self.md.htmlStash.store(html)

    def _mathml(self, tex: str) -> str:
        try:
            return mathml.display(tex)
        except mathml.FormulaError as error:
            self._bad(error)
            return f"<code>{escape(tex)}</code>"

    def _bad(self, error: Exception) -> None:
        log.warning("%s: %s", self.source.path if self.source else source_path(self.md) or "a docstring", error)

    # -------------------------------------------------------------------------------------------- inline

    def _inline(
        self, parent: etree.Element, position: int, element: etree.Element, tex: str, statements: list[badges.Checked]
    ) -> None:
        try:
            parts = mathml.inline(tex)
        except mathml.FormulaError as error:
            self._bad(error)
            parts = (f"<code>{escape(tex)}</code>",)
        mark = ""
        if self.source and (checked := _take_statement(statements, tex)):
            mark = badges.inline_mark(checked, self.source.page)
        before = _cut_end(parent, position, element)
        after = _cut_start(element)
        element.set("class", "m")
        head, middle, last = parts[0], parts[1:-1], parts[-1]
        if len(parts) == 1:
            html = _unbroken(before, head, mark, after)
        else:
            html = _unbroken(before, head, "", "") + "".join(middle) + _unbroken("", last, mark, after)
        element.text = self.md.htmlStash.store(html)


def _kind(checked: list[badges.Checked]) -> str:
    kinds = {c.result.kind for c in checked}
    for kind in ("mistake", "claim", "unchecked", "definition"):
        if kind in kinds:
            return kind
    return ""


def _same(tex: str) -> str:
    return re.sub(r"\s+", "", tex)


def _take(displays: list[tree.Display], tex: str) -> tree.Display | None:
    """The next display of the page with this TeX. In order, except that footnotes are drawn at the end."""
    for position, display in enumerate(displays):
        if _same(display.latex) == _same(tex):
            return displays.pop(position)
    return None


def _take_statement(statements: list[badges.Checked], tex: str) -> badges.Checked | None:
    for position, checked in enumerate(statements):
        if _same(checked.statement.latex) == _same(tex):
            return statements.pop(position)
    return None


def _tools(tex: str, anchor: str | None, kind: str) -> str:
    mark = '<span class="eq__kind">definition</span>' if kind == "definition" else ""
    link = (
        f'<a class="eq__name" href="#{escape(anchor)}" title="Permanent link to this formula">{escape(anchor)}</a>'
        if anchor
        else ""
    )
    button = (
        f'<button type="button" class="eq__copy" data-tex="{escape(tex)}" title="Copy the TeX of this formula">'
        "TeX</button>"
    )
    return f'<div class="eq__tools">{mark}{link}{button}</div>'


def _cut_end(parent: etree.Element, position: int, element: etree.Element) -> str:
    """Take an opening bracket or quotation mark off the text before a formula: no line may end with it."""
    previous = parent[position - 1] if position else None
    text = (previous.tail if previous is not None else parent.text) or ""
    match = re.search(r"[(\[“‘—–-]+$", text)
    if not match:
        return ""
    if previous is not None:
        previous.tail = text[: match.start()]
    else:
        parent.text = text[: match.start()]
    return match[0]


def _cut_start(element: etree.Element) -> str:
    """Take what follows a formula without a space, as a comma: no line may begin with it."""
    match = re.match(r"[^\s\w<(\[“‘]+|[’'-]\w+", element.tail or "")
    if not match or "\x02" in match[0]:
        return ""
    element.tail = (element.tail or "")[match.end() :]
    return match[0]


def _unbroken(before: str, math: str, mark: str, after: str) -> str:
    if not (before or mark or after):
        return math
    return f'<span class="nb">{escape(before)}{math}{mark}{escape(after)}</span>'


class Tables(Treeprocessor):
    """Where the corner of a table is empty, its first column holds the heads of its rows. A head all empty goes.

    A cell with nothing but a formula stays a cell: there are readers of screens for which such a head is empty.
    """

    def run(self, root: etree.Element) -> None:
        """Change all such tables."""
        for table in root.iter("table"):
            head, body = table.find("thead"), table.find("tbody")
            corner = head.find("tr/th") if head is not None else None
            if head is None or body is None or corner is None or _words(corner) or len(corner):
                continue
            if any(_words(cell) or len(cell) for cell in head.iter("th")):
                for cell in [cell for cell in head.iter("th") if not _words(cell)]:
                    cell.tag = "td"
            else:
                table.remove(head)
            for row in body.iter("tr"):
                if _words(row[0]):
                    row[0].tag = "th"
                    row[0].set("scope", "row")


def _words(cell: etree.Element) -> str:
    """The text of a cell outside its formulas."""
    inside = "".join(_words(child) + (child.tail or "") for child in cell)
    return "" if cell.get("class") == "m" else ((cell.text or "") + inside).strip()


class Graph(Postprocessor):
    """Puts the computational graph where the page has `GRAPH_MARKER`."""

    def __init__(self, md: Markdown, formulas: Formulas) -> None:
        super().__init__(md)
        self.formulas = formulas

    def run(self, text: str) -> str:
        """Replace the marker."""
        if GRAPH_MARKER not in text:
            return text
        source = self.formulas.source
        if source is None:
            return text
        return text.replace(GRAPH_MARKER, graph.figure(source.page), 1)


class Listings(Preprocessor):
    """Makes ``::: cs231n.layers.batchnorm.batchnorm_forward`` on a page that derives code a listing of it.

    mkdocstrings includes the object; the options added here keep its reference entry the only one. A page derives
    code if its front matter says ``code:``.
    """

    _LINE = re.compile(r"^(\s*)::: ([\w.]+)\s*$")
    _OPTIONS = (
        "options:",
        "  show_root_heading: false",
        "  show_root_toc_entry: false",
        "  skip_local_inventory: true",
        "  extra: {listing: true}",
    )

    def run(self, lines: list[str]) -> list[str]:
        """Add the options to each line that has none of its own."""
        path = source_path(self.md)
        if path is None or not _HAS_CODE.search(_front_matter(path.read_text(encoding="utf-8"))):
            return lines
        return list(self._run(lines))

    def _run(self, lines: list[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            yield line
            match = self._LINE.match(line)
            following = lines[number + 1] if number + 1 < len(lines) else ""
            if match and not following.strip():
                yield from (f"{match[1]}    {option}" for option in self._OPTIONS)


class Hidden(Postprocessor):
    """Takes out what tests read and readers do not: comments that hold invisible code."""

    _COMMENT = re.compile(r"<!--\s*invisible-code-block:.*?-->\n?", re.S)

    def run(self, text: str) -> str:
        """Remove those comments."""
        return self._COMMENT.sub("", text)


class BookExtension(Extension):
    """All of it. ``check`` replaces the checker, in tests."""

    def __init__(self, **options: Any) -> None:
        # A default of None would make Python-Markdown read the option as a truth value.
        self.config = {"check": ["", "Function from a path to its PageResult; none: the cached verifier."]}
        super().__init__(**options)

    def extendMarkdown(self, md: Markdown) -> None:
        """Register the parts."""
        check = self.getConfig("check") or _check
        formulas = Formulas(md, check)
        md.preprocessors.register(Doctests(), "cs231n-doctests", 26)  # before fenced code (25)
        # After fenced code (25), before MkDocs' and Python-Markdown's treatment of raw HTML (21, 20).
        md.preprocessors.register(Listings(md), "cs231n-listings", 22)
        md.preprocessors.register(Rules(md), "cs231n-rules", 22)
        # After inline patterns (20) and attr_list (8), before the table of contents collects identifiers (5).
        md.treeprocessors.register(formulas, "cs231n-formulas", 6)
        md.treeprocessors.register(Tables(md), "cs231n-tables", 5.5)
        # After raw HTML is put back (30).
        md.postprocessors.register(Graph(md, formulas), "cs231n-graph", 1)
        md.postprocessors.register(Hidden(md), "cs231n-hidden", 0)
