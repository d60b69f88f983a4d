"""A small page around the formulas that a test is about, and a way to see what was understood."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cs231n.pages import parse_page
from cs231n.pages import tree as t

FRONT = r"""---
sizes:
  {N: rows, D: columns, C: classes, s: step, P: {means: padding, least: 0}, Q: windows, R: window, H: image, T: time}
indices: {i k m: N, j l: D, c b: C, q: Q, r: R, h: H, t: T}
tensors:
  {x: [N, D], w: [D, C], u: [N], v: [D], z: [H], g: [T], S: [N, N], F: [N, D, C], dout: [N, C]}
scalars: {epsilon: positive, beta_1: real}
labels: {y: {shape: [N], classes: C}}
output: out
assume: ['H \ge s(Q-1)+R', off the kink]
---

$$ \mathrm{out}_{ic} \coloneqq \sum_j x_{ij} w_{jc} + \rho_c + \mu_i $$

$$ \rho_c \coloneqq \sum_j w_{jc}^2 \qquad \mu_i \coloneqq \sqrt{\sum_j x_{ij}^2} $$

"""


def plain(tree: t.Tree) -> str:
    """What was understood, with all brackets: a product is ``a*b``, a sum over i is ``S_i{…}``."""
    match tree:
        case t.Num(value):
            return str(value)
        case t.Size(name) | t.Index(name):
            return name
        case t.Entry(name, subs):
            return name + (f"[{','.join(map(plain, subs))}]" if subs else "")
        case t.Grad(name, subs):
            return plain(t.Entry(f"d:{name}", subs))
        case t.Add(terms):
            return f"({' + '.join(map(plain, terms))})"
        case t.Neg(arg):
            return f"-{plain(arg)}"
        case t.Mul(factors):
            return f"({'*'.join(map(plain, factors))})"
        case t.Div(num, den):
            return f"({plain(num)}/{plain(den)})"
        case t.Pow(base, exp):
            return f"({plain(base)}^{plain(exp)})"
        case t.Call(fn, args):
            return f"{fn}({', '.join(map(plain, args))})"
        case t.Sum(index, body):
            return f"S_{index.name}{{{plain(body)}}}"
        case t.Extremum(fn, index, body):
            return f"{fn}_{index.name}{{{plain(body)}}}"
        case t.Relation(op, left, right):
            return f"{plain(left)} {op} {plain(right)}"
        case t.Both(conditions):
            return " & ".join(map(plain, conditions))
        case t.Indicator(condition):
            return f"[{plain(condition)}]"
        case t.Delta(left, right):
            return f"delta({plain(left)},{plain(right)})"
        case t.Cases(branches):
            return "cases(" + "; ".join(f"{plain(c) if c else 'else'}: {plain(v)}" for c, v in branches) + ")"
        case t.Partial(of, wrt):
            return f"partial({plain(of)}, {plain(wrt)})"
        case t.Total(of, wrt):
            return f"total({plain(of)}, {plain(wrt)})"
    raise AssertionError(tree)


def sentence(statement: t.Statement) -> str:
    """A statement in one line."""
    if statement.definition is not None:
        definition = statement.definition
        return f"{definition.name}[{','.join(p.name for p in definition.params)}] := {plain(definition.value)}"
    assert statement.left is not None and statement.right is not None
    return f"{plain(statement.left)} {'=' if statement.kind == 'claim' else '!='} {plain(statement.right)}"


@pytest.fixture
def read() -> Callable[[str], t.Page]:
    """Reads a page made of the front matter above and the given text."""
    return lambda text: parse_page(FRONT + text, "page.md")


@pytest.fixture
def new(read: Callable[[str], t.Page]) -> Callable[[str], list[t.Statement]]:
    """The statements that the given text adds to that page."""
    before = len(parse_page(FRONT).statements)
    return lambda text: list(read(text).statements[before:])


@pytest.fixture
def understood(new: Callable[[str], list[t.Statement]]) -> Callable[[str], list[str]]:
    """What those statements say, in plain text."""
    return lambda text: [sentence(statement) for statement in new(text)]
