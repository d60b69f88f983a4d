r"""TeX → `cs231n.pages.surface`, by the grammar in ``grammar.lark``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from cs231n.pages import surface as s
from cs231n.pages.errors import Snippet

#: Relation signs as the tree writes them.
RELATIONS = {
    "<": "<",
    r"\lt": "<",
    ">": ">",
    r"\gt": ">",
    "=": "=",
    r"\le": "<=",
    r"\leq": "<=",
    r"\leqslant": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\geqslant": ">=",
    r"\ne": "!=",
    r"\neq": "!=",
}


def parse(snippet: Snippet, start: int = 0, end: int | None = None, text: str | None = None) -> s.List:
    """Read ``text[start:end]``, where ``text`` is the formula, possibly with parts blanked out.

    Raises:
        PageError: what stands there is not in the dialect.
    """
    whole = snippet.tex if text is None else text
    end = len(whole) if end is None else end
    # Parsing a slice and shifting would lose the offsets; blanks keep them.
    padded = " " * start + whole[start:end]
    if not padded.strip():
        raise snippet.error("here a formula is missing", start, end)
    try:
        return cast(s.List, _lark().parse(padded))
    except _Unreadable as wrong:
        raise snippet.error(wrong.message, wrong.start, wrong.end) from None
    except UnexpectedInput as wrong:
        raise _explain(snippet, wrong, padded) from None


class _Unreadable(Exception):
    def __init__(self, message: str, start: int, end: int) -> None:
        self.message, self.start, self.end = message, start, end


_CLOSERS = {"RPAR": ")", "RSQB": "]", "RCURL": r"\}", "RBAR": "|", "RNORM": r"\|", "RBRACE": "}"}


def _explain(snippet: Snippet, wrong: UnexpectedInput, text: str) -> Exception:
    if isinstance(wrong, UnexpectedToken) and wrong.token.type != "$END":
        token = wrong.token
        assert token.start_pos is not None and token.end_pos is not None
        if token.type in ("BEGIN_CASES", "END_CASES"):
            return snippet.error(r"cases are rows: value & \text{if } condition", token.start_pos, token.end_pos)
        return snippet.error("this sign does not fit here", token.start_pos, token.end_pos)
    if isinstance(wrong, UnexpectedCharacters):
        at = wrong.pos_in_stream or 0
        return snippet.error("this sign is not in the dialect", at, at + 1)
    expected = getattr(wrong, "expected", None) or getattr(wrong, "accepts", None) or ()
    missing = sorted(_CLOSERS[name] for name in expected if name in _CLOSERS)
    last = len(text.rstrip())
    begin = max(text.rfind(" ", 0, last) + 1, last - 20)
    hint = f": {missing[0]} is missing" if len(missing) == 1 else ""
    return snippet.error(f"the formula ends too early{hint}", begin, last)


class _Bars:
    r"""Tells the bars that open from those that close: ``|a||b|`` is a product of two absolute values."""

    always_accept = ("BAR", "NORM", "TEXT", "COMMAND")
    _ends_operand = {"NAME", "NUMBER", "RPAR", "RSQB", "RCURL", "RBRACE", "RBAR", "RNORM", "TOP", "ONES", "END_CASES"}

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        opened: list[tuple[str, int]] = []
        before = ""
        for token in stream:
            kind = token.type
            if kind in ("TEXT", "COMMAND"):
                assert token.start_pos is not None and token.end_pos is not None
                message = "words do not belong here" if kind == "TEXT" else "this command is not in the dialect"
                raise _Unreadable(message, token.start_pos, token.end_pos)
            if kind in ("LPAR", "LSQB", "LCURL", "LBRACE"):
                depth += 1
            elif kind in ("RPAR", "RSQB", "RCURL", "RBRACE"):
                depth -= 1
            elif kind in ("BAR", "NORM"):
                if token.startswith((r"\left", r"\lv", r"\lV")):
                    closes = False
                elif token.startswith((r"\right", r"\rv", r"\rV")):
                    closes = True
                else:
                    closes = before in self._ends_operand and (kind, depth) in opened[-1:]
                token = Token.new_borrow_pos(("R" if closes else "L") + kind, str(token), token)
                if closes:
                    opened = opened[:-1]
                else:
                    opened.append((kind, depth))
            before = token.type
            yield token


def _word(text: str) -> str:
    r"""The plain name: ``\hat{x}`` is x_hat, ``\mathrm{next\_h}`` is next_h, ``\gamma`` is gamma."""
    accent = re.match(r"\\(hat|bar|tilde)(?![A-Za-z])\s*(.*)", text, re.S)
    if accent:
        inner = accent[2].strip()
        if inner.startswith("{"):
            inner = inner[1:-1]
        return f"{_word(inner.strip())}_{accent[1]}"
    upright = re.match(r"\\mathrm\s*\{?\s*([A-Za-z0-9_\\]+)", text)
    return upright[1].replace(r"\_", "_") if upright else text.lstrip("\\")


def _span(children: list) -> tuple[int, int]:
    first, last = children[0], children[-1]
    start = first.start_pos if isinstance(first, Token) else first.start
    end = last.end_pos if isinstance(last, Token) else last.end
    assert start is not None and end is not None  # only tokens made by hand have no place
    return start, end


class _Build(Transformer):
    """Turns what lark finds into surface nodes, while it parses."""

    def start(self, c: list) -> s.List:
        return c[0]

    def listing(self, c: list) -> s.List:
        return s.List(*_span(c), tuple(c[::2]), tuple("," if sep == "," else "and" for sep in c[1::2]))

    def chain(self, c: list) -> s.Chain:
        return s.Chain(*_span(c), tuple(c[::2]), tuple(RELATIONS[str(op)] for op in c[1::2]))

    def sum(self, c: list) -> s.Sum:
        signs = c if isinstance(c[0], Token) else [Token("SIGN", "+"), *c]
        return s.Sum(*_span(c), tuple((str(sign), term) for sign, term in zip(signs[::2], signs[1::2], strict=True)))

    def term(self, c: list) -> s.Term:
        return s.Term(*_span(c), tuple(c))

    def item(self, c: list) -> s.Node:
        if len(c) == 1:
            return c[0]
        sub = sup = None
        for sign, script in c[1:]:
            if (sub if sign == "_" else sup) is not None:
                kind = "subscript" if sign == "_" else "power"
                raise _Unreadable(f"a second {kind}", *_span([sign, script]))
            if sign == "_":
                sub = script
            else:
                sup = script
        return s.Scripted(_span(c[:1])[0], c[-1][1].end, c[0], sub, sup)

    def script(self, c: list) -> tuple[Token, s.List]:
        return c[0], c[1]

    def arg(self, c: list) -> s.List:
        node = c[0]
        if isinstance(node, s.Bracket):
            return s.List(node.start, node.end, node.content.chains, node.content.seps)
        if isinstance(node, s.Number) and len(node.text) > 1:
            # TeX would take the first digit only.
            raise _Unreadable("TeX takes one digit here: write braces around it", node.start, node.end)
        term = s.Term(node.start, node.end, (node,))
        chain = s.Chain(node.start, node.end, (s.Sum(node.start, node.end, (("+", term),)),), ())
        return s.List(node.start, node.end, (chain,), ())

    def group(self, c: list) -> s.Bracket:
        return s.Bracket(*_span(c), "group", c[1])

    def name(self, c: list) -> s.Word:
        name = _word(str(c[0]))
        if not name.isidentifier():
            raise _Unreadable("this is not a name of the dialect", *_span(c))
        return s.Word(*_span(c), name)

    def number(self, c: list) -> s.Number:
        return s.Number(*_span(c), str(c[0]))

    def func(self, c: list) -> s.Function:
        name = str(c[0])
        if name.startswith(r"\mathbb"):
            return s.Function(*_span(c), "E")
        name = name[name.index("{") + 1 : -1] if "{" in name else name[1:]
        return s.Function(*_span(c), {"ln": "log"}.get(name, name))

    def big(self, c: list) -> s.Big:
        return s.Big(*_span(c), str(c[0])[1:])

    def mark(self, c: list) -> s.Mark:
        kinds = {"PARTIAL": "partial", "UPRIGHT_D": "upright-d", "ONES": "ones"}
        return s.Mark(*_span(c), kinds.get(c[0].type, str(c[0]).lstrip("\\")))

    def top(self, c: list) -> s.Mark:
        return s.Mark(*_span(c), "top")

    def bracket(self, c: list) -> s.Bracket:
        kinds = {"LPAR": "(", "LSQB": "[", "LCURL": "{", "LBAR": "abs", "LNORM": "norm"}
        return s.Bracket(*_span(c), kinds[c[0].type], c[1])

    def frac(self, c: list) -> s.Frac:
        return s.Frac(*_span(c), c[1], c[2])

    def root(self, c: list) -> s.Root:
        return s.Root(*_span(c), c[1])

    def styled(self, c: list) -> s.Bracket:
        return s.Bracket(*_span(c), "group", c[1].content)

    def cases(self, c: list) -> s.Branches:
        rows = tuple(row for row in c if not isinstance(row, Token))
        return s.Branches(*_span(c), rows)

    def caserow(self, c: list) -> tuple[s.Sum, s.List | None]:
        return c[0], (None if isinstance(c[-1], Token) else c[-1])


@cache
def _lark() -> Lark:
    grammar = files("cs231n.pages").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        postlex=_Bars(),
        transformer=_Build(),
        keep_all_tokens=True,
        maybe_placeholders=False,
    )
