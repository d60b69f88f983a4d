r"""Writes a tree back as LaTeX, for messages: ``\frac{1}{N} \sum_i x_{ij}``."""

from __future__ import annotations

from itertools import pairwise

from cs231n.pages import tree as t

# fmt: off
_GREEK = frozenset((
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
    "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda",
    "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "ell",
))
# fmt: on
_ACCENTS = frozenset(("hat", "bar", "tilde", "dot", "vec"))
_OPERATORS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "=": "=", "!=": r"\ne"}
_BACKSLASHED = frozenset(("exp", "log", "tanh", "sin", "cos", "max", "min"))

# How tightly a formula binds: a part that binds less than its place asks for stands in brackets.
_SUM, _PRODUCT, _FACTOR, _ATOM = range(4)


def to_text(tree: t.Tree) -> str:
    """``tree`` in the dialect of the pages."""
    return _text(tree, _SUM)


def name_to_text(name: str) -> str:
    r"""A name as it is written: ``x_hat`` is ``\hat x``, ``beta_1`` is ``\beta_1``, ``rstd`` is ``\mathrm{rstd}``."""
    stem, _, accent = name.rpartition("_")
    if stem and accent in _ACCENTS:
        inner = name_to_text(stem)
        return rf"\{accent} {inner}" if len(inner) == 1 else rf"\{accent}{{{inner}}}"
    if name in _GREEK:
        return rf"\{name}"
    if stem in _GREEK and accent.isdigit():
        return rf"\{stem}_{accent}" if len(accent) == 1 else rf"\{stem}_{{{accent}}}"
    escaped = name.replace("_", r"\_")
    return name if len(name) == 1 else rf"\mathrm{{{escaped}}}"


def _text(tree: t.Tree, place: int) -> str:
    text, strength = _write(tree)
    return text if strength >= place else rf"({text})"


def _write(tree: t.Tree) -> tuple[str, int]:
    match tree:
        case t.Num(value):
            if value.denominator == 1:
                return str(value.numerator), _ATOM if value >= 0 else _SUM
            sign = "-" if value < 0 else ""
            return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}", _FACTOR if value > 0 else _SUM
        case t.Size(name) | t.Index(name):
            return name_to_text(name), _ATOM
        case t.Entry(name, subs):
            return _entry(name_to_text(name), subs), _ATOM
        case t.Add(terms):
            return _joined(terms), _SUM
        case t.Neg(arg):
            return "-" + _text(arg, _PRODUCT), _SUM
        case t.Mul(factors):
            # A sum or extremum reaches to the end of the product, so only the last factor may be one without brackets.
            parts = [_text(f, _FACTOR) for f in factors[:-1]] + [_text(factors[-1], _PRODUCT)]
            return _product(parts), _PRODUCT
        case t.Div(num, den):
            return rf"\frac{{{to_text(num)}}}{{{to_text(den)}}}", _FACTOR
        case t.Pow(base, exp):
            return f"{_text(base, _ATOM)}^{{{to_text(exp)}}}", _FACTOR
        case t.Call("sqrt", (arg,)):
            return rf"\sqrt{{{to_text(arg)}}}", _FACTOR
        case t.Call("abs", (arg,)):
            return f"|{to_text(arg)}|", _FACTOR
        case t.Call("pi", ()):
            return r"\pi", _ATOM
        case t.Call(fn, args):
            head = rf"\{fn}" if fn in _BACKSLASHED else rf"\operatorname{{{fn}}}"
            return f"{head}({', '.join(map(to_text, args))})", _FACTOR
        case t.Sum(index, body):
            return rf"\sum_{_index(index)} {_text(body, _PRODUCT)}", _PRODUCT
        case t.SumTo(index, low, high, body):
            limits = f"_{{{name_to_text(index.name)}={to_text(low)}}}^{{{to_text(high)}}}"
            return rf"\sum{limits} {_text(body, _PRODUCT)}", _PRODUCT
        case t.Extremum(fn, index, body):
            return rf"\{fn}_{_index(index)} {_text(body, _PRODUCT)}", _PRODUCT
        case t.Relation(op, left, right):
            return f"{to_text(left)} {_OPERATORS[op]} {to_text(right)}", _SUM
        case t.Both(conditions):
            return _both(conditions), _SUM
        case t.Indicator(condition):
            return rf"\mathbf 1[{to_text(condition)}]", _ATOM
        case t.Delta(left, right):
            return _entry(r"\delta", (left, right)), _ATOM
        case t.Cases(branches):
            rows = (
                to_text(value) + (r" & \text{otherwise}" if when is None else rf" & \text{{if }} {to_text(when)}")
                for when, value in branches
            )
            return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}", _ATOM
        case t.Expect(body):
            return rf"\mathbb E[{to_text(body)}]", _ATOM
        case t.Grad(name, subs):
            return rf"\frac{{\partial L}}{{\partial {_entry(name_to_text(name), subs)}}}", _FACTOR
        case t.Partial(of, wrt):
            return rf"\frac{{\partial {to_text(of)}}}{{\partial {to_text(wrt)}}}", _FACTOR
        case t.Total(of, wrt):
            return rf"\frac{{\mathrm d {to_text(of)}}}{{\mathrm d {to_text(wrt)}}}", _FACTOR
    return f"({type(tree).__name__})", _ATOM


def _joined(terms: tuple[t.Tree, ...]) -> str:
    text = ""
    for term in terms:
        if isinstance(term, t.Num) and term.value < 0:
            term = t.Neg(t.Num(-term.value))
        if isinstance(term, t.Neg):
            text += (" - " if text else "-") + _text(term.arg, _PRODUCT)
        else:
            part = _text(term, _PRODUCT if text else _SUM)
            text += (" + " if text else "") + part
    return text


def _product(parts: list[str]) -> str:
    text = parts[0]
    for part in parts[1:]:
        text += (r" \cdot " if part[0].isdigit() else " ") + part
    return text


def _both(conditions: tuple[t.Tree, ...]) -> str:
    """0 ≤ e < N is one chain where each condition begins with what the one before ends with."""
    text = to_text(conditions[0])
    for before, condition in pairwise(conditions):
        if isinstance(before, t.Relation) and isinstance(condition, t.Relation) and before.right == condition.left:
            text += f" {_OPERATORS[condition.op]} {to_text(condition.right)}"
        else:
            text += rf" \text{{ and }} {to_text(condition)}"
    return text


def _index(index: t.Index) -> str:
    name = name_to_text(index.name)
    return name if len(name) == 1 else f"{{{name}}}"


def _entry(head: str, subs: tuple[t.Tree, ...]) -> str:
    if not subs:
        return head
    if "_" in head and not head.endswith("}"):  # a number at its foot leaves no place for subscripts
        stem, _, number = head[1:].partition("_")
        head = rf"\mathrm{{{stem}\_{number}}}"
    parts = [to_text(s) for s in subs]
    together = all(isinstance(s, t.Index) and len(p) == 1 for s, p in zip(subs, parts, strict=True))
    text = "".join(parts) if together else ",".join(parts)
    if head[-1] == "}" or len(head) == 1 or head.startswith("\\"):
        return f"{head}_{text}" if len(text) == 1 else f"{head}_{{{text}}}"
    return f"{head}_{{{text}}}"
