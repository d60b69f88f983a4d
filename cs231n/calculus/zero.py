"""Is a normal form zero? It may be, though it is not literally 0: fractions need one denominator first."""

from __future__ import annotations

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Number, Poly
from cs231n.calculus.bounds import POSITIVE, atom_sign, poly_sign, positive
from cs231n.calculus.context import current, need
from cs231n.calculus.rewriting import all_atoms, replace_atoms, split_sigmoids, substitute


def is_zero(p: Poly) -> bool:
    """True only if p is 0 wherever it is defined. False means that this was not shown."""
    p = _with_equations(p)
    if not p.terms or not one_denominator(p).terms:
        return True
    if merged_sums_vanish(p):
        return True
    if _has_sigmoid(p):
        q = split_sigmoids(p)
        return not q.terms or not one_denominator(q).terms or merged_sums_vanish(q)
    return False


@rules.rule
def one_denominator(p: Poly) -> Poly:
    """Σ tₖ = 0 if and only if B·Σ tₖ = 0, for a common denominator B, which is not 0 where the left side is defined."""
    for _ in range(12):
        least: dict[Atom, Number] = {}
        for m in p.terms:
            for a, e in m:
                if e < 0 and a.kind != "exp" and not a.is_indicator:
                    least[a] = min(least.get(a, 0), e)
        if not least:
            return p
        # innermost denominators last: clearing an outer one may set an inner one free
        a = max(least, key=lambda b: (b.height, len(b.key), b.key))
        p = rules.times_powers(p, {a: rules.exact(-least[a])})
        if not p.terms:
            return ZERO
    return p


def quotient_sign(p: Poly) -> str:
    """The sign of p, from its terms or from those of its numerator over a denominator that is seen to be positive."""
    sign = poly_sign(p)
    if sign:
        return sign
    if _has_sigmoid(p):
        p = split_sigmoids(p)
    least: dict[Atom, Number] = {}
    for m in p.terms:
        for a, e in m:
            if e < 0 and atom_sign(a, 1) == POSITIVE:
                least[a] = min(least.get(a, 0), e)
    return poly_sign(rules.times_powers(p, {a: rules.exact(-e) for a, e in least.items()}))


def _has_sigmoid(p: Poly) -> bool:
    return "fn(sigmoid" in p.key


@rules.rule
def merged_sums_vanish(p: Poly) -> bool:
    """Σ_i aᵢ + Σ_i bᵢ + c = Σ_i (aᵢ + bᵢ + c/n), which is 0 if its body is 0 for every i < n; n > 0."""
    groups: dict[str, list[tuple[Poly, Atom]]] = {}
    loose = ZERO
    for m, c in p.terms.items():
        sums = sorted((a for a, e in m if a.kind == "sum" and e == 1), key=lambda a: (-a.height, a.key))
        if not sums:
            loose = loose + Poly({m: c})
            continue
        a = sums[0]
        rest = Poly({frozenset((b, e) for b, e in m if b is not a): c})
        groups.setdefault("|".join(sorted(v.size.key for v in a.data[0])), []).append((rest, a))
    if not groups:
        return False
    for key in sorted(groups):
        members = groups[key]
        first = sorted(members[0][1].data[0], key=lambda v: v.size.key)
        shared = [rules.fresh(v) for v in first]
        body = ZERO
        for rest, a in members:
            own = sorted(a.data[0], key=lambda v: v.size.key)
            names = {v: rules.variable(w) for v, w in zip(own, shared, strict=True)}
            body = body + rules.multiply(rest, substitute(a.data[1], names))
        if loose.terms:
            sizes = rules.product_of(v.size for v in shared)
            if not positive(sizes):
                return False
            body = body + rules.multiply(loose, rules.power(sizes, -1))
            loose = ZERO
        if body == p or not is_zero(body):
            return False
    return True


def _with_equations(p: Poly) -> Poly:
    """p with the declared equations applied, left sides replaced by right sides."""
    for a in all_atoms(p) if current().equations else ():
        value = told(Poly.atom(a))
        if value is not None:
            p = replace_atoms(p, {a: value})
    return p


def told(p: Poly) -> Poly | None:
    """What a declared equation says of a single atom; out of the range of its letters it says nothing."""
    if len(p.terms) != 1 or len(p.atoms()) != 1:
        return None
    ((m, c),) = p.terms.items()
    ((a, e),) = m
    if e != 1:
        return None
    for pattern, value, words in current().equations:
        match = _match(pattern, a) if a.kind == pattern.kind else None
        if match is not None:
            need(words)
            holds = rules.product_of(rules.in_range(place, v.size) for v, place in match.items())
            inside = rules.multiply(holds, substitute(value, match))
            return (inside + rules.multiply(UNIT - holds, Poly.atom(a))).scale(c)
    return None


def _match(pattern: Atom, a: Atom) -> dict | None:
    """Indices for the free letters of the pattern under which it is this atom."""
    if pattern is a:
        return {}
    free = sorted(pattern.free, key=lambda v: v.key)
    if not free or len(free) > 3:
        return None
    subscripts = {s for b in all_atoms(Poly.atom(a)) if b.kind == "entry" for s in b.data[1]}
    from itertools import product as cartesian

    for values in cartesian(sorted(subscripts, key=lambda s: s.key), repeat=len(free)):
        names = dict(zip(free, values, strict=True))
        if substitute(Poly.atom(pattern), names) == Poly.atom(a):
            return names
    return None
