r"""What stands at the foot of a name or a sum: subscripts, their ranges, and the bounds of sums.

A subscript has to be inside its axis for all sizes, which `cs231n.pages.ranges.Bounds` proves. One that
is not stays an obligation: a factor such as ``\mathbf 1[0 \le e < H]`` beside the entry may still discharge it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from cs231n.pages import ranges
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.errors import Snippet
from cs231n.pages.matrix import show, show_size
from cs231n.pages.names import Names


@dataclass
class _Obligation:
    """A subscript that is not provably inside its axis: an error until the ``open`` polynomials are proved ≥ 0."""

    open: list[ranges.Poly]
    ranges: dict[str, ranges.Poly | None]
    start: int
    end: int
    message: str


class Subscripts:
    """Reads the integer expressions of one formula and keeps account of those that may leave their axis."""

    def __init__(self, names: Names, snippet: Snippet) -> None:
        self.names, self.snippet = names, snippet
        self._pending: list[_Obligation] = []
        self._ranges = names.index_ranges()

    def fail(self, message: str, node: s.Node, end: s.Node | None = None) -> NoReturn:
        raise self.snippet.error(message, node.start, (end or node).end)

    def undeclared(self, word: s.Word) -> NoReturn:
        name = word.name
        letters = self._spelled(word)
        if letters is not None:
            start, end = letters
            message = rf"a name of several letters is written \mathrm{{{self.snippet.tex[start:end]}}}"
            raise self.snippet.error(message, start, end)
        hint = self.names.nowhere
        if name == "d":
            hint = " (before a known name it makes a gradient)"
        elif name.startswith("d") and len(name) > 1 and self.snippet.tex.startswith("\\mathrm", word.start):
            hint = f" (nor is {name[1:]}, of which it would be the gradient)"
        self.fail(f"{name} is neither declared nor defined{hint}", word)

    def _spelled(self, word: s.Word) -> tuple[int, int] | None:
        r"""Where the letter and its neighbours spell a name of the page, as in ``dout`` without ``\mathrm``."""
        tex = self.snippet.tex
        for run in re.finditer(r"(?<![\\a-zA-Z])[a-zA-Z]+", tex):
            if not run.start() <= word.start < run.end() or word.end - word.start != 1:
                continue
            starts, ends = range(run.start(), word.start + 1), range(word.end, run.end() + 1)
            spans = sorted(((i, j) for i in starts for j in ends if j - i > 1), key=lambda span: span[0] - span[1])
            for start, end in spans:
                name = tex[start:end]
                if self.names.declared(name) or self.names.known(name) or self.names.gradient(name):
                    return start, end
        return None

    # ------------------------------------------------------------------------------------------ reading

    def integer(self, node: s.List) -> t.Tree:
        """An integer expression of sizes, indices and labels."""
        if len(node.chains) != 1 or node.chains[0].ops:
            self.fail("one integer expression is expected here", node)
        return self._sum(node.chains[0].sums[0])

    def read(self, node: s.List) -> tuple[t.Tree, ...]:
        """Split at commas; letters of indices side by side are one subscript each."""
        subs: list[t.Tree] = []
        for chain in node.chains:
            if chain.ops:
                self.fail("a subscript is an integer expression", chain)
            terms = chain.sums[0].terms
            items = terms[0][1].items
            if len(terms) == 1 and terms[0][0] == "+" and len(items) > 1 and all(self._is_letter(i) for i in items):
                subs.extend(self._factor(item) for item in items)
            else:
                subs.append(self._sum(chain.sums[0]))
        return tuple(subs)

    def index(self, word: s.Word) -> t.Index:
        index = self.names.indices[word.name]
        return t.Index(index.name, index.size, at=word.start)

    def wrong_count(self, name: str, shape: Sequence[t.Tree], count: int, item: s.Node) -> NoReturn:
        axes = f"{len(shape)} {'axis' if len(shape) == 1 else 'axes'} {show(shape) if shape else ''}".rstrip()
        self.fail(f"{name} has {axes}, not {count}", item)

    def _is_letter(self, item: s.Node) -> bool:
        base, _, sup = s.unpack(item)
        return isinstance(base, s.Word) and sup is None and self.names.declared(base.name) in ("index", "labels")

    def _sum(self, node: s.Sum) -> t.Tree:
        terms: list[t.Tree] = []
        for sign, term in node.terms:
            items = [item for item in term.items if s.mark(item) not in ("cdot", "times")]
            if sum(self._is_letter(item) for item in items) > 1:
                self.fail("several indices side by side: separate the subscripts by commas", term)
            factors = [self._factor(item) for item in items]
            value = factors[0] if len(factors) == 1 else t.Mul(tuple(factors), at=term.start)
            terms.append(t.Neg(value, at=term.start) if sign == "-" else value)
        return terms[0] if len(terms) == 1 else t.Add(tuple(terms), at=node.start)

    def _factor(self, item: s.Node) -> t.Tree:
        base, sub, sup = s.unpack(item)
        if isinstance(base, s.Number) and sub is None and sup is None and base.text.isdigit():
            return t.Num(Fraction(base.text), at=base.start)
        if isinstance(base, s.Bracket) and base.kind in ("(", "[", "group") and sub is None and sup is None:
            return self.integer(base.content)
        if isinstance(base, s.Word) and sup is None:
            kind = self.names.declared(base.name)
            if kind == "size" and sub is None:
                return t.Size(base.name, at=base.start)
            if kind == "index" and sub is None:
                return self.index(base)
            if kind == "labels":
                shape = self.names.labels[base.name].shape
                subs = self.read(sub) if sub is not None else ()
                if len(subs) != len(shape):
                    self.wrong_count(base.name, shape, len(subs), item)
                if sub is not None:
                    self.inside(subs, shape, sub)
                return t.Entry(base.name, subs, at=item.start)
            if kind is None and not self.names.known(base.name):
                self.undeclared(base)
        self.fail("a subscript is an integer expression of indices, sizes and labels", item)

    # ------------------------------------------------------------------------------------------ ranges

    def inside(self, subs: Sequence[t.Tree], shape: Sequence[t.Tree], node: s.List) -> None:
        """Prove that each subscript is inside its axis, or note that a guard has to."""
        for number, (sub, axis) in enumerate(zip(subs, shape, strict=True)):
            if isinstance(sub, t.Index) and ranges.same(sub.size, axis):
                continue
            poly = ranges.polynomial(sub)
            reach = {**self._ranges, **self._label_ranges(sub)}
            needs = [poly, ranges.minus(ranges.one_less(axis), poly)]
            left = [p for p in needs if p is not None and not self.names.bounds.nonnegative(p, reach)]
            if not left:
                continue
            length = show_size(axis)
            message = f"this subscript is not always inside its axis of length {length}"
            if isinstance(sub, t.Index):
                message = f"{sub.name} runs over {show_size(sub.size)}, but stands at an axis of length {length}"
            start, end = self._place(node, number, len(subs), sub)
            self._pending.append(_Obligation(left, reach, start, end, message))

    def _label_ranges(self, sub: t.Tree) -> dict[str, ranges.Poly | None]:
        found = {}
        for part in sub.walk():
            if isinstance(part, t.Entry):
                ((name,),) = ranges.polynomial(part) or {("",): Fraction(1)}
                found[name] = ranges.one_less(self.names.labels[part.name].classes)
        return found

    @staticmethod
    def _place(node: s.List, number: int, count: int, sub: t.Tree) -> tuple[int, int]:
        """Where the subscript stands: between commas, or as one letter beside others."""
        if len(node.chains) == count:
            return node.chains[number].start, node.chains[number].end
        ends = [n.end for n in node.parts() if n.start == sub.at and isinstance(n, (s.Word, s.Scripted))]
        return (sub.at, max(ends)) if ends else (node.start, node.end)

    def mark(self) -> int:
        """A point in the account, for `settle` and `discharge`."""
        return len(self._pending)

    def settle(self, mark: int) -> None:
        """From here on no guard can excuse the subscripts read since ``mark``."""
        if len(self._pending) > mark:
            first = self._pending[mark]
            raise self.snippet.error(first.message, first.start, first.end)

    def settle_within(self, node: s.Node) -> None:
        """The same for the subscripts that stand inside a node."""
        for one in self._pending:
            if node.start <= one.start < node.end:
                raise self.snippet.error(one.message, one.start, one.end)

    def discharge(self, mark: int, condition: t.Tree) -> None:
        """Drop the obligations since ``mark`` that a guard with this condition proves."""
        given = facts(condition, self.names.labels)
        if not given:
            return
        for obligation in self._pending[mark:]:
            reach = {**self._ranges, **obligation.ranges}
            obligation.open = [p for p in obligation.open if not self.names.bounds.nonnegative(p, reach, given)]
        self._pending[mark:] = [obligation for obligation in self._pending[mark:] if obligation.open]

    # ------------------------------------------------------------------------------------------ bounds of sums

    def time_limits(self, sub: s.List, sup: s.List | None) -> tuple[t.Index, t.Tree, t.Tree] | None:
        """A time letter and its bounds, in a sum from one time up to another; None for other sums."""
        if sup is None or len(sub.chains) != 1 or sub.chains[0].ops != ("=",):
            return None
        left, low_node = sub.chains[0].sums
        index = self._bound_index(left)
        if index.name not in self.names.times:
            return None
        low, high = self._sum(low_node), self.integer(sup)
        last = ranges.polynomial(self.names.times[index.name])
        reach = {**self._ranges}
        if not self.names.bounds.nonnegative(ranges.polynomial(low), reach):
            self.fail(f"{index.name} begins at 0: this bound may be less", low_node)
        if not self.names.bounds.nonnegative(ranges.minus(last, ranges.polynomial(high)), reach):
            size = show_size(self.names.times[index.name])
            self.fail(f"{index.name} ends at {size}: this bound may be more", sup)
        if any(isinstance(part, t.Index) and part.name == index.name for part in (*low.walk(), *high.walk())):
            self.fail(f"{index.name} stands in its own bound", sub)
        return index, low, high

    def limits(self, sub: s.List, sup: s.List | None, head: s.Node) -> tuple[list[t.Index], bool]:
        """The indices of a sum, and whether it was written as beginning at 1."""
        if len(sub.chains) == 1 and sub.chains[0].ops == ("=",):
            if sup is None:
                self.fail("the upper bound is missing", head)
            left, lower_node = sub.chains[0].sums
            index = self._bound_index(left)
            lower, upper = ranges.polynomial(self._sum(lower_node)), ranges.polynomial(self.integer(sup))
            if lower == {(): Fraction(1)} and upper == ranges.polynomial(index.size):
                return [index], True
            if lower == {} and upper == ranges.one_less(index.size):
                return [index], False
            size = show_size(index.size)
            self.fail(
                rf"{index.name} is declared with range {size}, and a sum takes all of it: \sum_{index.name}", head
            )
        if sup is not None:
            self.fail(r"an upper bound without a lower one: write \sum_i or \sum_{i=1}^{N}", head)
        indices: list[t.Index] = []
        for chain in sub.chains:
            if chain.ops or len(chain.sums[0].terms) > 1:
                self.fail(r"only whole ranges are read: write \sum_i, and conditions as an indicator", chain)
            sign, term = chain.sums[0].terms[0]
            for item in term.items:
                alone = s.Sum(item.start, item.end, ((sign, s.Term(item.start, item.end, (item,))),))
                indices.append(self._bound_index(alone))
        if len({index.name for index in indices}) < len(indices):
            self.fail("the same index twice", head)
        return indices, False

    def _bound_index(self, node: s.Sum) -> t.Index:
        sign, term = node.terms[0]
        word = term.items[0]
        if len(node.terms) == 1 and len(term.items) == 1 and sign == "+" and isinstance(word, s.Word):
            if self.names.declared(word.name) == "index":
                return self.index(word)
            self.fail(f"{word.name} is not a declared index", word)
        self.fail("an index letter is expected here", node)


def facts(condition: t.Tree, labels: Container[str]) -> list[ranges.Poly]:
    """What a condition on integers says, as polynomials that are ≥ 0. One on real numbers says nothing here."""
    if isinstance(condition, t.Both):
        return [fact for part in condition.conditions for fact in facts(part, labels)]
    if not isinstance(condition, t.Relation):
        return []
    if any(isinstance(part, t.Entry) and part.name not in labels for part in condition.walk()):
        return []
    left, right = ranges.polynomial(condition.left), ranges.polynomial(condition.right)
    up, down = ranges.minus(right, left), ranges.minus(left, right)
    if up is None or down is None or any(c.denominator != 1 for c in up.values()):
        return []
    one: ranges.Poly = {(): Fraction(-1)}
    found: dict[str, list[ranges.Poly | None]] = {
        "<": [ranges.plus(up, one)],
        "<=": [up],
        ">": [ranges.plus(down, one)],
        ">=": [down],
        "=": [up, down],
    }
    return [fact for fact in found.get(condition.op, []) if fact]


def value_matters(tree: t.Tree, name: str) -> bool:
    """Whether the index appears anywhere but as a subscript of its own."""
    if isinstance(tree, t.Index):
        return tree.name == name
    subs: tuple[t.Tree, ...] = tree.subs if isinstance(tree, (t.Entry, t.Grad)) else ()
    if isinstance(tree, t.Delta):
        subs = (tree.left, tree.right)
    alone = {id(sub) for sub in subs if isinstance(sub, t.Index)}
    return any(id(child) not in alone and value_matters(child, name) for child in tree.children())
