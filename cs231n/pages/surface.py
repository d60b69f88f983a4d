r"""The surface of a formula: what is written, before anybody asks what the names mean.

``x_{ij} y`` is here a term of two items; whether ``ij`` is one subscript or two, and whether ``d x`` is a
product or a gradient, depends on the declarations and is decided in `cs231n.pages.elaborate`.
Every node knows where it stands: ``start`` and ``end`` are offsets in the TeX.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Node:
    start: int = field(compare=False)
    end: int = field(compare=False)

    def parts(self) -> list[Node]:
        """This node and all below it, in no particular order."""
        found: list[Node] = []
        waiting: list[object] = [self]
        while waiting:
            value = waiting.pop()
            if isinstance(value, Node):
                found.append(value)
                waiting.extend(vars(value).values())
            elif isinstance(value, tuple):
                waiting.extend(value)
        return found


@dataclass(frozen=True)
class Word(Node):
    r"""A name: ``x``, ``\gamma``, ``\hat x``, ``\mathrm{rstd}``."""

    name: str


@dataclass(frozen=True)
class Number(Node):
    text: str


@dataclass(frozen=True)
class Mark(Node):
    r"""A sign without meaning of its own: ``/ cdot odot oslash partial upright-d top ones``."""

    kind: str


@dataclass(frozen=True)
class Function(Node):
    name: str


@dataclass(frozen=True)
class Big(Node):
    r"""``\sum``, ``\max`` or ``\min``; what it ranges over is its subscript."""

    name: str


@dataclass(frozen=True)
class Bracket(Node):
    """``kind`` is one of ``( [ {`` (drawn), ``group`` (TeX braces, not drawn), ``abs``, ``norm``."""

    kind: str
    content: List


@dataclass(frozen=True)
class Frac(Node):
    num: List
    den: List


@dataclass(frozen=True)
class Root(Node):
    content: List


@dataclass(frozen=True)
class Branches(Node):
    """``cases``: a value and its condition each; the condition of *otherwise* is None."""

    rows: tuple[tuple[Sum, List | None], ...]


@dataclass(frozen=True)
class Scripted(Node):
    base: Node
    sub: List | None
    sup: List | None


@dataclass(frozen=True)
class Term(Node):
    """Things that stand side by side."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    """Terms with their signs, ``+`` or ``-``."""

    terms: tuple[tuple[str, Term], ...]


@dataclass(frozen=True)
class Chain(Node):
    """Sums with relation signs between them; usually one sum and no sign."""

    sums: tuple[Sum, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True)
class List(Node):
    """Chains with ``,`` or ``and`` between them; usually just one."""

    chains: tuple[Chain, ...]
    seps: tuple[str, ...]


def one_term(node: List) -> tuple[Node, ...] | None:
    """The items of a list that is nothing but one unsigned term."""
    if len(node.chains) == 1 and len(node.chains[0].sums) == 1:
        terms = node.chains[0].sums[0].terms
        if len(terms) == 1 and terms[0][0] == "+":
            return terms[0][1].items
    return None


def unpack(item: Node) -> tuple[Node, List | None, List | None]:
    """What carries the scripts, its subscript and its power."""
    return (item.base, item.sub, item.sup) if isinstance(item, Scripted) else (item, None, None)


def mark(item: Node) -> str:
    """The kind of a `Mark`, '' of anything else."""
    return item.kind if isinstance(item, Mark) else ""


def join(items: Sequence[Node]) -> Node:
    """A node that stands where the items stand."""
    return Node(items[0].start, items[-1].end)
