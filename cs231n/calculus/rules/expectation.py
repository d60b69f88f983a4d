"""Expectations: linear algebra over declared moments, independence and symmetry.

A random tensor is known by the mean and the variance of its entries; all entries of all random tensors are
independent of each other. What these do not decide, such as a third moment or the mean of a nonlinear function, stays
an opaque atom ``expect``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import ZERO, Atom, Base, Number, Poly
from cs231n.calculus.context import INDEPENDENT, need, over_all_draws
from cs231n.calculus.rules.registry import rule


@rule
def expect(p: Poly) -> Poly:
    """E[Σ cₖXₖ] = Σ cₖ·E[Xₖ] for factors cₖ that are not random, where each E[Xₖ] exists."""
    out = ZERO
    for m, c in p.terms.items():
        inside = {a: e for a, e in m if a.draws}
        outside = rules.product({a: e for a, e in m if not a.draws}).scale(c)
        if inside:
            with over_all_draws():
                mean = _product(inside)
            outside = rules.multiply(outside, mean)
        out = out + outside
    return out


def _product(inside: dict[Atom, Number]) -> Poly:
    """E of a product of random factors."""
    for apply in (expect_sums, independent, moments, symmetric):
        done = apply(inside)
        if done is not None:
            return done
    return Poly.atom(Atom("expect", Poly({frozenset(inside.items()): 1})))


@rule
def expect_sums(inside: dict[Atom, Number]) -> Poly | None:
    """E[a·Σ_i bᵢ] = Σ_i E[a·bᵢ], and E[a·(Σ_i bᵢ)²] = Σ_{i,j} E[a·bᵢbⱼ]."""
    opened = [(a, e) for a, e in inside.items() if a.kind == "sum" and isinstance(e, int) and e > 0]
    if not opened:
        return None
    body = rules.product({a: e for a, e in inside.items() if (a, e) not in opened})
    names = []
    for a, e in sorted(opened, key=lambda ae: ae[0].key):
        for _ in range(e):
            more, inner = rules.open_sum(a)
            names += more
            body = rules.multiply(body, inner)
    return rules.sum_over(expect(body), *names)


@rule
def independent(inside: dict[Atom, Number]) -> Poly | None:
    """E[X·Y] = E[X]·E[Y] where X and Y depend on no common random tensor."""
    left, parts = dict(inside), []
    while left:
        part: dict[Atom, Number] = {}
        draws: frozenset[str] = min(left, key=lambda a: a.key).draws
        while more := [a for a in left if a.draws & draws]:
            part |= {a: left.pop(a) for a in more}
            draws = draws.union(*(a.draws for a in more))
        parts.append(part)
    if len(parts) < 2:
        return None
    need(INDEPENDENT)
    return rules.product_of(map(_product, parts))


@rule
def moments(inside: dict[Atom, Number]) -> Poly | None:
    """E[w_s] = m and E[w_s·w_t] = m² + δ(s, t)·v for entries of one random tensor of mean m and variance v.

    As entries of a declared tensor they are 0 outside its range.
    """
    if any(
        a.kind != "entry" or a.data[0].moments is None or not isinstance(e, int) or e < 1 for a, e in inside.items()
    ):
        return None
    entries = [a for a, e in inside.items() for _ in range(int(e))]
    if len(entries) > 2 or len({a.data[0].name for a in entries}) > 1:
        return None
    known = entries[0].data[0].moments
    guard = rules.product_of(
        rules.in_range(e, n) for a in entries for e, n in zip(a.data[1], a.data[0].shape, strict=True)
    )
    value = known.mean
    if len(entries) == 2:
        if entries[0] is not entries[1]:
            need(INDEPENDENT)
        first, second = (a.data[1] for a in entries)
        same = rules.product_of(rules.delta(s - t) for s, t in zip(first, second, strict=True))
        value = rules.multiply(known.mean, known.mean) + rules.multiply(same, known.variance)
    return rules.multiply(guard, value)


@rule
def symmetric(inside: dict[Atom, Number]) -> Poly | None:
    """E[f(w)] = E[½f(w) + ½f(−w)] for a symmetric w; used where the half sum is a polynomial in w, or 0."""
    here = Poly({frozenset(inside.items()): 1})
    bases = list(_random_bases(here))
    for w in sorted((b for b in bases if b.moments is not None and b.moments.symmetric), key=lambda b: b.name):
        if any(w.name in b.draws and b.name != w.name for b in bases):
            continue  # a named quantity that depends on w would have to change with it
        half = (here + _mirrored(here, w)).scale(Fraction(1, 2))
        half = Poly({m: rules.exact(c) for m, c in half.terms.items()})
        if half != here and not _has_knots(half, w.name):
            need(f"{w.name} is symmetric")
            return expect(half)
    return None


def _mirrored(p: Poly, w: Base) -> Poly:
    from cs231n.calculus.rewriting import replace_names

    return replace_names(p, frozenset({w.name}), lambda base, subs: -rules.entry(base, subs))


def _random_bases(p: Poly) -> Iterator[Base]:
    """The random tensors and named quantities that occur anywhere in p."""
    seen: set[str] = set()
    waiting: list[object] = [p]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Poly):
            waiting += [item for a in part.atoms() for item in a.data]
        elif isinstance(part, tuple):
            waiting += part
        elif isinstance(part, Base) and part.draws and part.name not in seen:
            seen.add(part.name)
            yield part


def _has_knots(p: Poly, name: str) -> bool:
    """Does p depend on the random tensor ``name`` in another way than as a polynomial of its entries?"""
    for m in p.terms:
        for a, e in m:
            if name not in a.draws:
                continue
            whole = isinstance(e, int) and e > 0
            if a.kind == "sum" and whole:
                if _has_knots(a.data[1], name):
                    return True
            elif a.kind != "entry" or not whole:
                return True
    return False
