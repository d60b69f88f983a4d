r"""LaTeX to MathML, at build time, so that a reader's browser needs no script.

The converter is math-core. Three things are done before it sees the TeX: ``\tag{dx}`` is taken out (the page
draws its own anchor), ``:=`` becomes ``\coloneqq`` (one sign instead of two), and the side remark
``\text{(not checked: …)}`` is taken out of a display (the badge under it says the same).
"""

from __future__ import annotations

import re
from functools import lru_cache

from math_core import LatexError, LatexToMathML

_converter = LatexToMathML(fancy_error=False)

_TAG = re.compile(r"\s*\\tag\*?\s*\{[^{}]*\}")
_DEFINES = re.compile(r"(?<!:):=")
_REMARK = re.compile(r"\s*(?:\\qquad|\\quad|\\[,;:! ])*\s*\\text\{\(not checked(?:[^{}]|\{[^{}]*\})*\}")

#: Signs at which a long inline formula may be broken over two lines.
_BREAKS = frozenset("=≠≔<>≤≥∈→⇒≈+−")
#: An inline formula with fewer characters than this is never broken.
_LONG = 24


class FormulaError(ValueError):
    """A formula that cannot be drawn."""


def clean(tex: str) -> str:
    r"""The TeX that is drawn: without ``\tag`` and without the remark *not checked*."""
    return _DEFINES.sub(lambda _: r"\coloneqq ", _REMARK.sub("", _TAG.sub("", tex))).strip()


@lru_cache(maxsize=4096)
def display(tex: str) -> str:
    """A ``<math display="block">`` element.

    Raises:
        FormulaError: The TeX holds something that cannot be drawn.
    """
    return _convert(tex, displaystyle=True)


@lru_cache(maxsize=8192)
def inline(tex: str) -> tuple[str, ...]:
    """One ``<math>`` element, or several if the formula is long: lines may break between them.

    Browsers never break a line inside MathML, and on a phone a long formula in running text would stick out.

    Raises:
        FormulaError: The TeX holds something that cannot be drawn.
    """
    return tuple(_split(_convert(tex, displaystyle=False)))


def _convert(tex: str, *, displaystyle: bool) -> str:
    try:
        mathml = _converter.convert_with_local_state(clean(tex), displaystyle=displaystyle)
    except LatexError as error:
        raise FormulaError(f"cannot draw the formula {tex.strip()!r}: {error}") from None
    # The entity is HTML only; the character is valid in XML too.
    mathml = mathml.replace("&ApplyFunction;", "\u2061")
    mathml = _SIZED.sub(_trim, mathml)
    mathml = _SCRIPTED.sub(r"\1<mrow>\2</mrow>", mathml)
    mathml = _OPEN.sub(r'<mo form="infix">\1</mo>\2', mathml)
    return _CONTINUED.sub(r'\1<mo form="infix">\2</mo>', mathml)


#: A + or − that begins the right cell of an aligned row goes on with a sum: TeX gives it the space of a binary sign.
_CONTINUED = re.compile(r'(<mtd style="text-align: left;justify-items: start;padding-left: 0;">)<mo>([+−])</mo>')

#: A relation that ends the left cell of an aligned row, as in ``= &``, keeps the space behind it.
_OPEN = re.compile(r'<mo rspace="0">([=≠≔])</mo>(</mtd>)')

#: Chromium draws a bracket of a given size small where it carries a power or an index, unless a row is around it.
_SCRIPTED = re.compile(r"(<(?:msup|msub|msubsup)>)(<mo [^>]*minsize=[^>]*>[^<]*</mo>)")

_SIZED = re.compile(r'<mo (minsize="([\d.]+em)" maxsize="[\d.]+em")>([()\[\]])</mo>')

#: Chromium gives a bracket made by ``\\big`` the width of the widest size the font has. What is too much on each
#: side, in em of our font, by size and shape; the style sheet takes it away in that browser only.
_SLACK = {"1.2em": (0.17, 0.1), "1.623em": (0.14, 0.09), "2.047em": (0.11, 0.07), "2.470em": (0.08, 0.05)}


def _trim(match: re.Match[str]) -> str:
    size, sign = match[2], match[3]
    slack = _SLACK.get(size, (0.0, 0.0))[sign in "[]"]
    return f'<mo class="sized" style="--slack:{slack}em" {match[1]}>{sign}</mo>'


_ELEMENT = re.compile(r"<(/?)([a-z]+)[^>]*?(/?)>")


def _children(mathml: str) -> list[str]:
    """The outermost elements inside ``<math>…</math>``, as strings."""
    children, depth, start = [], 0, 0
    for match in _ELEMENT.finditer(mathml):
        closing, _, empty = match.groups()
        if closing:
            depth -= 1
        elif not empty:
            depth += 1
        if closing and depth == 1:
            children.append(mathml[start : match.end()])
            start = match.end()
        elif empty and depth == 1:
            children.append(mathml[start : match.end()])
            start = match.end()
        elif not closing and depth == 1 and match.start() == 0:
            start = match.end()
    return children


def _split(mathml: str) -> list[str]:
    if len(re.sub(r"<[^>]*>", "", mathml)) < _LONG:
        return [mathml]
    parts: list[list[str]] = [[]]
    fences = 0
    for child in _children(mathml):
        sign = re.fullmatch(r"<mo([^>]*)>(.*)</mo>", child)
        text = sign[2] if sign else ""
        fences += (text in {"(", "[", "{"}) - (text in {")", "]", "}"})
        if sign and parts[-1] and fences == 0 and text.replace("&lt;", "<").replace("&gt;", ">") in _BREAKS:
            # First in its row an operator would count as a prefix and lose the space around it.
            parts.append([f'<mo form="infix"{sign[1]}>{text}</mo>'])
        else:
            parts[-1].append(child)
    if len(parts) == 1:
        return [mathml]
    return [f"<math><mrow>{''.join(part)}<mrow></mrow></mrow></math>" for part in parts]
