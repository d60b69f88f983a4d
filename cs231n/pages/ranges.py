"""Integer polynomials in sizes and indices: equal ranges, and subscripts that are provably inside an axis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from itertools import combinations

from cs231n.pages import tree as t

#: Monomial (names, sorted, with repetition) → coefficient. The empty monomial is the constant.
Poly = dict[tuple[str, ...], Fraction]


def polynomial(tree: t.Tree) -> Poly | None:
    """The tree as a polynomial in the names of its sizes, indices and labels; None if it is none."""
    match tree:
        case t.Num(value):
            return {(): value} if value else {}
        case t.Size(name) | t.Index(name):
            return {(name,): Fraction(1)}
        case t.Entry(name, subs):
            inner = [polynomial(sub) for sub in subs]
            if any(p is None for p in inner):
                return None
            # an entry of labels: an integer of its own, named by how it is written
            return {(f"{name}{[sorted(p.items()) for p in inner if p is not None]}",): Fraction(1)}
        case t.Neg(arg):
            return _scale(polynomial(arg), Fraction(-1))
        case t.Add(terms):
            total: Poly | None = {}
            for term in terms:
                total = plus(total, polynomial(term))
            return total
        case t.Mul(factors):
            product: Poly | None = {(): Fraction(1)}
            for factor in factors:
                product = _times(product, polynomial(factor))
            return product
        case t.Pow(base, t.Num(n)) if n.denominator == 1 and 0 <= n <= 8:
            product = {(): Fraction(1)}
            for _ in range(int(n)):
                product = _times(product, polynomial(base))
            return product
    return None


def plus(a: Poly | None, b: Poly | None) -> Poly | None:
    if a is None or b is None:
        return None
    total = dict(a)
    for monomial, coefficient in b.items():
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {m: c for m, c in total.items() if c}


def _scale(a: Poly | None, factor: Fraction) -> Poly | None:
    return None if a is None else {m: c * factor for m, c in a.items() if factor}


def minus(a: Poly | None, b: Poly | None) -> Poly | None:
    return plus(a, _scale(b, Fraction(-1)))


def _times(a: Poly | None, b: Poly | None) -> Poly | None:
    if a is None or b is None:
        return None
    total: Poly = {}
    for m1, c1 in a.items():
        for m2, c2 in b.items():
            monomial = tuple(sorted(m1 + m2))
            total[monomial] = total.get(monomial, Fraction(0)) + c1 * c2
    return {m: c for m, c in total.items() if c}


def same(a: t.Tree, b: t.Tree) -> bool:
    """Whether two sizes are equal as polynomials."""
    if a == b:
        return True
    difference = minus(polynomial(a), polynomial(b))
    return difference is not None and not difference


def one_less(a: t.Tree) -> Poly | None:
    return plus(polynomial(a), {(): Fraction(-1)})


class Bounds:
    """Proves ``poly ≥ 0`` for all sizes, from what is known of them. A failure to prove is no disproof."""

    def __init__(self, least: Mapping[str, int]) -> None:
        self.least = dict(least)
        self.known: list[Poly] = []  # assumed to be ≥ 0

    def assume(self, poly: Poly | None) -> None:
        if poly:
            self.known.append(poly)

    @contextmanager
    def during(self, facts: Iterable[Poly]) -> Iterator[None]:
        """Assume these to be ≥ 0 for a while."""
        before = len(self.known)
        self.known.extend(facts)
        try:
            yield
        finally:
            del self.known[before:]

    def nonnegative(self, poly: Poly | None, ranges: Mapping[str, Poly | None], given: Iterable[Poly] = ()) -> bool:
        """Prove ``poly ≥ 0``, where each name in ``ranges`` runs from 0 to that polynomial; ``given`` are ≥ 0 too."""
        if poly is None:
            return False
        facts = [*given, *self.known]
        for count in range(3):
            for chosen in combinations(facts, count):
                rest: Poly | None = poly
                for fact in chosen:
                    rest = minus(rest, fact)
                if self._plainly(rest, ranges):
                    return True
        return False

    def _plainly(self, poly: Poly | None, ranges: Mapping[str, Poly | None]) -> bool:
        """Put each index, where it appears linearly, at its worst end; then all sizes at their least."""
        for name in ranges:
            if poly is None:
                return False
            inside = {m: c for m, c in poly.items() if name in m}
            if not inside:
                continue
            if any(m.count(name) > 1 for m in inside):
                return False
            slope: Poly = {tuple(n for n in m if n != name): c for m, c in inside.items()}
            outside: Poly = {m: c for m, c in poly.items() if name not in m}
            if self._plainly(slope, ranges):
                poly = outside
            elif self._plainly(_scale(slope, Fraction(-1)), ranges):
                poly = plus(outside, _times(slope, ranges[name]))
            else:
                return False
        if poly is None:
            return False
        shifted: Poly | None = {}
        for monomial, coefficient in poly.items():
            product: Poly | None = {(): coefficient}
            for name in monomial:
                if name not in self.least:
                    return False
                product = _times(product, {(name,): Fraction(1), (): Fraction(self.least[name])})
            shifted = plus(shifted, product)
        return shifted is not None and all(c >= 0 for c in shifted.values())
