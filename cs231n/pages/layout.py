r"""A formula → its relations: what stands left and right of each ``=``, and under which conditions.

This looks at the outermost level only: rows of ``aligned``, relation signs, commas, wide spaces, words. What
stands between them is read by `cs231n.pages.parser`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cs231n.pages.errors import Snippet

_TEXT = r"\\text\s*\{(?:[^{}]|\{[^{}]*\})*\}"
_TOKEN = re.compile(
    rf"(?P<text>{_TEXT})"
    r"|(?P<begin>\\begin\s*\{(?P<env>\w+\*?)\})|(?P<end>\\end\s*\{\w+\*?\})"
    r"|(?P<row>\\\\(?:\s*\[[^\]]*\])?)|(?P<wide>\\q?quad(?![A-Za-z])|\\qquad(?![A-Za-z]))"
    r"|(?P<known>:=|=|\\(?:coloneqq|neq|ne)(?![A-Za-z]))"
    r"|(?P<unknown><|>|\\(?:lt|gt|leq?|geq?|leqslant|geqslant|ll|gg|approx|to|sim|simeq|cong|equiv|propto|in|notin|subset"
    r"|subseteq|mapsto|rightarrow|leftarrow|longrightarrow|Rightarrow|Leftarrow|Longrightarrow|Leftrightarrow|implies|iff"
    r"|gets|asymp|doteq|triangleq|prec|succ|parallel|perp|mid|mathrel|overset|stackrel)(?![A-Za-z]))"
    r"|(?P<open>\\left\s*(?:\\\{|[(\[])|\\\{|[({\[])|(?P<close>\\right\s*(?:\\\}|[)\]])|\\\}|[)}\]])"
    r"|(?P<amp>&)|(?P<comma>,)|(?P<stop>[.;](?=\s*(?:$|\\\\|\\end|\\qq?uad|\\text)))|(?P<space>\s+|\\[,;:!> ]|~)"
    r"|(?P<other>\\[A-Za-z]+|\\.|.)",
    re.S,
)
_OPS = {":=": ":=", r"\coloneqq": ":=", "=": "=", r"\neq": "!=", r"\ne": "!="}
_CONDITION = re.compile(r"(?:for|if|when|where)\s*$")
_FOR_ALL = re.compile(r"for (?:all|each|every)\s*$")
_INDUCTION = re.compile(r"by induction on\s*$")
_FROM_ONE = re.compile(r"\((\s*(?:\\)?[A-Za-z]+\s*\\geq?\s*1\s*)\)")
_LINKS = {"and", "so", "hence", "thus", "therefore", "that is"}
_NOT_CHECKED = re.compile(r"\(?\s*not checked\b\s*:?\s*(.*?)\s*\)?\s*$", re.S)
TAG = re.compile(r"\\tag\s*\{([^{}]*)\}")


@dataclass
class RawChain:
    """``sides[0] ops[0] sides[1] ops[1] …``, as spans of the TeX, and the conditions of each relation."""

    sides: list[tuple[int, int]]
    ops: list[tuple[str, int, int]] = field(default_factory=list)
    conditions: list[tuple[int, int] | None] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    for_all: tuple[int, int] | None = None  # indices that one side may lack
    induction: tuple[int, int] | None = None  # the letter that it is proved by induction on
    closed: bool = False  # a condition or a remark stands behind it


@dataclass
class Layout:
    """``clean`` is the TeX with everything blanked that only arranges it; offsets are those of the TeX."""

    snippet: Snippet
    clean: str
    chains: list[RawChain]
    tag: str | None = None
    reason: str | None = None  # why it is not checked

    def latex(self, chain: RawChain, number: int) -> str:
        """The TeX of one relation: left, sign, right."""
        left, right = chain.sides[number], chain.sides[number + 1]
        _, start, end = chain.ops[number]
        return " ".join(
            " ".join(text.split())
            for text in (self.clean[slice(*left)], self.snippet.tex[start:end], self.clean[slice(*right)])
        )


def lay_out(snippet: Snippet, inline: bool = False) -> Layout:
    r"""Find the relations of a display, or of an inline formula.

    Raises:
        PageError: rows, brackets or conditions that cannot be told apart, or a relation that is neither
            checked nor marked as *not checked*. Inline, anything without ``=``, ``\neq``, ``\coloneqq`` is prose.
    """
    if inline and not re.search(r"=|\\neq?(?![A-Za-z])|\\coloneqq", snippet.tex):
        return Layout(snippet, snippet.tex, [])
    return _Reader(snippet, inline).read()


def _find_tag(snippet: Snippet) -> tuple[str | None, str]:
    tags = list(TAG.finditer(snippet.tex))
    if not tags:
        return None, snippet.tex
    tag = tags[0]
    if len(tags) > 1:
        raise snippet.error("a display carries one tag", tags[1].start(), tags[1].end())
    if snippet.tex[tag.end() :].strip():
        raise snippet.error("the tag stands at the end of its display", tag.start(), tag.end())
    if not re.fullmatch(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*", tag[1]):
        raise snippet.error("a tag is a name of letters, digits and hyphens", tag.start(), tag.end())
    return tag[1], snippet.tex[: tag.start()] + " " * len(tag[0])


def _words(text: str) -> str:
    r"""The words inside ``\text{…}``."""
    return " ".join(text[text.index("{") + 1 : -1].replace("~", " ").split())


class _Reader:
    def __init__(self, snippet: Snippet, inline: bool) -> None:
        self.snippet, self.inline = snippet, inline
        self.tag, self.tex = _find_tag(snippet)
        self.unbox()
        self.chars = list(self.tex)
        self.chains: list[RawChain] = []
        self.reason: str | None = None

    def unbox(self) -> None:
        r"""A ``\boxed`` around a whole relation is decoration: blank it."""
        for box in re.finditer(r"\\boxed\s*\{", self.tex):
            depth, at = 1, box.end()
            while depth and at < len(self.tex):
                depth += {"{": 1, "}": -1}.get(self.tex[at], 0) if self.tex[at - 1] != "\\" else 0
                at += 1
            inside = self.tex[box.end() : at - 1]
            if depth == 0 and re.search(r":=|=|\\coloneqq|\\neq?(?![A-Za-z])", _outermost(inside)):
                self.tex = self.tex[: box.start()] + " " * len(box[0]) + inside + " " + self.tex[at:]

    def blank(self, start: int, end: int) -> None:
        self.chars[start:end] = [" " if c != "\n" else c for c in self.chars[start:end]]

    def error(self, message: str, token: re.Match[str]) -> Exception:
        return self.snippet.error(message, token.start(), token.end())

    # ------------------------------------------------------------------------------------------------ rows

    def rows(self) -> list[list[re.Match[str]]]:
        """The tokens of the outermost level, row by row. Deeper ones are passed over."""
        rows: list[list[re.Match[str]]] = [[]]
        depth: list[str] = []
        aligned = 0  # 0 before, 1 inside, 2 after
        for token in _TOKEN.finditer(self.tex):
            kind = token.lastgroup if token.lastgroup != "env" else "begin"
            if kind == "begin" and token["env"] == "aligned" and not depth and not aligned:
                if any(t.lastgroup != "space" for t in rows[0]):
                    raise self.error("aligned is the whole of its display", token)
                aligned, rows = 1, [[]]
                self.blank(*token.span())
            elif kind == "end" and aligned == 1 and "aligned" in token[0] and not depth:
                aligned = 2
                rows.append([])
                self.blank(*token.span())
            elif kind == "begin":
                if token["env"] != "cases":
                    raise self.error("of the environments only aligned and cases are read", token)
                depth.append("cases")
                rows[-1].append(token)
            elif kind == "open":
                depth.append(token[0][-1])
                rows[-1].append(token)
            elif kind == "close" or kind == "end":
                opener = {")": "(", "]": "[", "}": "{"}.get(token[0][-1], "") if kind == "close" else "cases"
                if not depth or depth.pop() != opener:
                    raise self.error("this closes nothing that is open", token)
                rows[-1].append(token)
            elif kind == "row" and not depth:
                if aligned != 1:
                    raise self.error(r"rows stand inside \begin{aligned} … \end{aligned}", token)
                rows.append([])
                self.blank(*token.span())
            elif kind in ("amp", "row") and aligned == 1 and set(depth) <= {"(", "["}:
                self.blank(*token.span())  # a bracket may go on in the next row
            elif depth:
                continue
            else:
                rows[-1].append(token)
        if depth:
            raise self.snippet.error(f"a bracket {depth[-1]} is not closed", 0, None)
        if aligned == 1:
            raise self.snippet.error(r"\begin{aligned} is not closed", 0, None)
        self.after_aligned = aligned == 2
        return rows

    # ------------------------------------------------------------------------------------------------ read

    def read(self) -> Layout:
        rows = self.rows()
        texts = [t for row in rows for t in row if t.lastgroup == "text"]
        for text in texts:
            if found := _NOT_CHECKED.match(_words(text[0])):
                if not found[1]:
                    raise self.error("say why it is not checked: (not checked: reason)", text)
                self.reason = found[1]
        if self.reason is not None:
            self.unchecked(rows)
        else:
            for number, row in enumerate(rows):
                last = self.after_aligned and number == len(rows) - 1
                self.row(row, number, common=last)
        layout = Layout(self.snippet, "".join(self.chars), self.chains, self.tag, self.reason)
        if self.inline:
            self.chains = layout.chains = [chain for chain in self.chains if chain.ops]
        for chain in self.chains:
            if not chain.ops and self.reason is None:
                message = r"this needs a relation (=, \neq, \coloneqq) or \text{(not checked: reason)}"
                raise self.snippet.error(message, *chain.sides[0])
            for start, end in chain.sides:
                if not layout.clean[start:end].strip(" \n,") and self.reason is None:
                    op = chain.ops[0]
                    raise self.snippet.error("one side of this relation is missing", op[1], op[2])
        if not self.chains and not self.inline and self.reason is None:
            message = r"a display needs a relation (=, \neq, \coloneqq) or \text{(not checked: reason)}"
            raise self.snippet.error(message, 0, None)
        return layout

    def unchecked(self, rows: list[list[re.Match[str]]]) -> None:
        """Relations of any sign, read no further. A display without a sign is one piece."""
        for row in rows:
            pieces: list[list[re.Match[str]]] = [[]]
            for token in row:
                if token.lastgroup in ("text", "comma"):
                    pieces.append([])
                elif token.lastgroup not in ("space", "amp", "wide", "stop"):
                    pieces[-1].append(token)
                if token.lastgroup in ("text", "wide", "amp"):
                    self.blank(*token.span())
            for piece in pieces:
                signs = [token for token in piece if token.lastgroup in ("known", "unknown")]
                if not signs:
                    continue
                starts = [piece[0].start(), *(token.end() for token in signs)]
                sides = list(zip(starts, [*(token.start() for token in signs), piece[-1].end()], strict=True))
                if piece[0] is signs[0] and self.chains:
                    sides[0] = self.chains[-1].sides[-1]
                ops = [(token[0], token.start(), token.end()) for token in signs]
                self.chains.append(RawChain(sides, ops, [None] * len(ops)))

    def row(self, row: list[re.Match[str]], number: int, common: bool) -> None:
        """Read one row: relations, then perhaps the conditions under which they hold."""
        segments: list[tuple[str, list[re.Match[str]]]] = [("start", [])]
        position = 0
        while position < len(row):
            token = row[position]
            kind = token.lastgroup
            if kind == "text":
                words = _words(token[0])
                self.blank(*token.span())
                if _CONDITION.match(words) or _FOR_ALL.match(words) or _INDUCTION.match(words):
                    position = self.conditions(row, position + 1, number, common, segments, words)
                    segments = [("text", [])]
                    continue
                if words.startswith("by induction"):
                    raise self.error(r"write \text{by induction on } t, the letter outside \text{…}", token)
                if re.match(r"(for|if|when|where)\b.*[=<>\\$]", words):
                    raise self.error(r"only the word stands in \text{…}, the condition behind it", token)
                segments.append(("text" if words in _LINKS else "words", []))
            elif (
                token[0] == "(" and segments[-1] == ("wide", []) and (found := _FROM_ONE.match(self.tex, token.start()))
            ):
                position = self.from_one(row, position, number, segments, found)
                segments = [("text", [])]
                continue
            elif kind in ("comma", "stop", "wide"):
                self.blank(*token.span())
                segments.append((kind, []))
            elif kind not in ("space", "amp"):
                segments[-1][1].append(token)
            position += 1
        self.segments(segments, number)

    def from_one(self, row: list, position: int, number: int, segments: list, found: re.Match[str]) -> int:
        r"""A condition in brackets behind a definition: ``\quad (t \ge 1)``. Return the position behind it."""
        self.segments(segments, number)
        self.blank(found.start(), found.start() + 1)
        self.blank(found.end() - 1, found.end())
        chain = self.chains[-1] if self.chains else None
        if chain is None or chain.rows != [number] or chain.conditions != [None] or chain.ops[0][0] != ":=":
            raise self.snippet.error("a condition in brackets stands behind one definition", *found.span())
        chain.conditions[0], chain.closed = found.span(1), True
        return next((k for k in range(position, len(row)) if row[k].start() >= found.end()), len(row))

    def conditions(self, row: list, position: int, number: int, common: bool, segments: list, words: str) -> int:
        """Read what follows ``for`` up to the end of the row or the next remark; return where that is."""
        self.segments(segments, number)
        quantifier, induction = bool(_FOR_ALL.match(words)), bool(_INDUCTION.match(words))
        rest = row[position:]
        stop = len(rest)
        for offset, token in enumerate(rest):
            if token.lastgroup == "text" and _words(token[0]) != "and":
                if re.search(r"\b(and|or)\b", _words(token[0])):
                    raise self.error(r"cases are separated by commas, conditions of one case by \text{ and }", token)
                stop = offset
                break
            if token.lastgroup == "wide":
                self.blank(*token.span())
        rest = rest[:stop]
        while rest and (rest[-1].lastgroup in ("space", "comma", "stop", "wide", "amp") or rest[-1][0] in ",.;"):
            self.blank(*rest[-1].span())
            rest.pop()
        while rest and rest[0].lastgroup == "space":
            rest.pop(0)
        if not rest:
            raise self.error("the condition is missing; a remark is made of other words", row[position - 1])
        span = (rest[0].start(), rest[-1].end())
        if len(self.chains) == 1 and len(self.chains[0].rows) == 1:
            number = self.chains[0].rows[0]  # it may stand in a row of its own below the one relation
        found = False
        for chain in self.chains:
            for k, row_number in enumerate(chain.rows):
                if induction and (row_number == number or common):
                    chain.induction, chain.closed, found = span, True, True
                elif quantifier and (row_number == number or common):
                    chain.for_all, chain.closed, found = span, True, True
                elif row_number == number or common:
                    if chain.conditions[k] is not None:
                        raise self.snippet.error("a second condition for the same relation", *span)
                    chain.conditions[k] = span
                    chain.closed = found = True
        if not found and not self.inline:
            raise self.snippet.error("this condition belongs to no relation", *span)
        return position + stop

    def segments(self, segments: list[tuple[str, list[re.Match[str]]]], number: int) -> None:
        for before, tokens in segments:
            if not tokens:
                if before in ("text", "words") and self.chains and self.chains[-1].rows[-1:] == [number]:
                    self.chains[-1].closed = True
                continue
            self.segment(before, tokens, number)

    def segment(self, before: str, tokens: list[re.Match[str]], number: int) -> None:
        first, last = tokens[0], tokens[-1]
        if before == "words" and not self.inline:
            message = f"words between formulas are one of {', '.join(sorted(_LINKS))}; a remark stands behind them"
            raise self.snippet.error(message, first.start(), last.end())
        known = [t for t in tokens if t.lastgroup == "known"]
        unknown = [t for t in tokens if t.lastgroup == "unknown"]
        if self.inline and not known:
            return  # an inequality, a name, a size: prose
        if unknown:
            message = (
                r"this relation is not checked: write =, \neq or \coloneqq, or mark the display "
                r"\text{(not checked: reason)}"
            )
            raise self.error(message, unknown[0])
        goes_on = first.lastgroup == "known" or first[0] in ("+", "-", r"\cdot", r"\times", r"\odot", r"\oslash")
        if goes_on and before in ("start", "wide") and self.chains:
            chain = self.chains[-1]
            if first.lastgroup != "known" and chain.closed:
                raise self.error("the formula goes on behind a condition or a remark", first)
            end = known[0].start() if known else last.end()
            if first.lastgroup != "known":
                chain.sides[-1] = (chain.sides[-1][0], end)
        elif known and first.lastgroup != "known":
            chain = RawChain([(first.start(), known[0].start())])
            self.chains.append(chain)
        elif known:
            raise self.error("nothing stands left of this sign", first)
        elif before == "start":  # its relation sign may begin the next row
            self.chains.append(RawChain([(first.start(), last.end())]))
            return
        else:
            message = "this belongs to no relation; conditions stand behind \\text{for}"
            raise self.snippet.error(message, first.start(), last.end())
        for k, sign in enumerate(known):
            end = known[k + 1].start() if k + 1 < len(known) else last.end()
            chain.ops.append((_OPS[sign[0]], sign.start(), sign.end()))
            chain.sides.append((sign.end(), end))
            chain.conditions.append(None)
            chain.rows.append(number)


def _outermost(tex: str) -> str:
    """The TeX without what stands in braces."""
    depth, kept = 0, []
    for char in tex:
        depth += char == "{"
        if depth == 0:
            kept.append(char)
        depth -= char == "}"
    return "".join(kept)
