"""Indicators, and what reduces to them: maxima and moduli."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product as cartesian

from cs231n.calculus import rules
from cs231n.calculus.algebra import ONE, UNIT, ZERO, Atom, Base, Number, Poly, Undecided, Var
from cs231n.calculus.bounds import (
    POSITIVE,
    leading,
    lower,
    orientation,
    poly_sign,
    positive,
    size_nonneg,
    surely_in_range,
    surely_outside,
)
from cs231n.calculus.context import NO_TIES, OFF_THE_KINK, assuming, current, need
from cs231n.calculus.rules.registry import rule


@rule
def shannon(p: Poly, f: Callable[[Poly], Poly]) -> Poly | None:
    """f(p) = a·f(p with a = 1) + (1 − a)·f(p with a = 0) for an indicator, or an entry of zeros and ones, a.

    In the first term e > 0 may be used if a is 1[e > 0], in the second −e ≥ 0.
    """
    marks = sorted((a for a in p.atoms() if a.is_indicator or a.is_binary), key=lambda a: a.key)
    if not marks:
        return None
    a = marks[0]
    on, off = _with_value(p, a, UNIT), _with_value(p, a, ZERO)
    mark = Poly.atom(a)
    # A fact about a bound index #k would also be read as one about another index that gets this name inside.
    positive = a.data[0] if a.kind == "pos" and not any(v.name[0] == "#" for v in a.free) else None
    with assuming(positive, strict=True):
        first = rules.multiply(mark, f(on))
    with assuming(None if positive is None else -positive, strict=False):
        second = rules.multiply(UNIT - mark, f(off))
    return first + second


def _with_value(p: Poly, a: Atom, value: Poly) -> Poly:
    out = ZERO
    for m, c in p.terms.items():
        factors = dict(m)
        hit = factors.pop(a, 0)
        term = rules.product(factors).scale(c)
        out = out + (rules.multiply(term, value) if hit else term)
    return out


@rule
def delta(e: Poly) -> Poly:
    """1[e = 0] for an integer e: even in e, blind to a common factor, and known where e is a number or out of reach."""
    if (q := e.constant) is not None:
        return UNIT if q == 0 else ZERO
    if size_nonneg(_less(lower(e))) or size_nonneg(_less(lower(-e))):
        return ZERO
    number = rules.rational_gcd(e.terms.values())
    if leading(e) < 0:
        number = -number
    return Poly.atom(Atom("delta", e.scale(Fraction(1) / number) if number != 1 else e))


def _less(bound: Poly | None) -> Poly | None:
    return None if bound is None else bound - UNIT


@rule
def in_range(e: Poly, n: Poly) -> Poly:
    """1[0 ≤ e < n] for an integer e: 1 or 0 where the ranges of the indices in e prove it; = 1[0 ≤ n−1−e < n]; and
    1[e ≥ 0] where they prove e < n, if that leaves out one value only.
    """
    if surely_in_range(e, n):
        return UNIT
    if surely_outside(e, n):
        return ZERO
    mirrored = n - UNIT - e
    for one, other in ((e, mirrored), (mirrored, e)):
        if size_nonneg(lower(other)) and size_nonneg(lower(one + UNIT)):
            return nonneg(one)
    return Poly.atom(Atom("inrange", min(e, mirrored, key=lambda p: (-leading(p), p.key)), n))


@rule
def nonneg(e: Poly) -> Poly:
    """1[e ≥ 0] = 1 − 1[−e−1 ≥ 0] for an integer e; known where the ranges of its indices prove it; δ(e) if e ≤ 0."""
    if size_nonneg(lower(e)):
        return UNIT
    complement = -e - UNIT
    if size_nonneg(lower(complement)):
        return ZERO
    if size_nonneg(lower(-e)):
        return delta(e)
    if size_nonneg(lower(-complement)):
        return UNIT - delta(complement)
    if orientation(e - Poly.number(e.terms.get(ONE, 0))) < 0:
        return UNIT - Poly.atom(Atom("nonneg", complement))
    return Poly.atom(Atom("nonneg", e))


@rule
def peel(e: Poly) -> tuple[Poly, Poly]:
    """1[e ≥ 0] = 1[e − 1 ≥ 0] + δ(e) for an integer e, so that Σ_{k≤t+1} f(k) = Σ_{k≤t} f(k) + f(t+1)."""
    return nonneg(e - UNIT), delta(e)


@rule
def step(e: Poly) -> Poly:
    """1[e > 0] for a real e, up to a positive factor: 1[ce > 0] = 1[e > 0] for c > 0."""
    if (q := e.constant) is not None:
        return UNIT if q > 0 else ZERO
    split = shannon(e, step)
    if split is not None:
        return split
    sign = poly_sign(e)
    if sign == POSITIVE:
        return UNIT
    if poly_sign(-e) in (POSITIVE, "nonnegative"):
        return ZERO
    if sign == "nonnegative" and can_flip(e):
        return off_its_zeros()
    e = signs_of_powers(_positive_part(e))
    if (q := e.constant) is not None:
        return UNIT if q > 0 else ZERO
    if (known := implied(e)) is not None:
        return known
    if orientation(e) < 0 and can_flip(e):
        return other_side(e)
    return Poly.atom(Atom("pos", e))


@rule
def other_side(e: Poly) -> Poly:
    """1[e > 0] = 1 − 1[−e > 0] off the kink, where e vanishes for no choice of the indices."""
    need(OFF_THE_KINK)
    return UNIT - Poly.atom(Atom("pos", -e))


@rule
def off_its_zeros() -> Poly:
    """1[e > 0] = 1 off the kink for an e that is nowhere negative and vanishes for no choice of the indices."""
    need(OFF_THE_KINK)
    return UNIT


@rule
def signs_of_powers(e: Poly) -> Poly:
    """1[a³b > 0] = 1[ab > 0]; 1[ab > 0] = 1[b > 0] if a > 0 in the case at hand; and 1[a²b > 0] = 1[b > 0] off the
    kink, where a vanishes for no choice of the indices.
    """
    if len(e.terms) != 1:
        return e
    ((m, c),) = e.terms.items()
    kept: dict[Atom, Number] = {}
    known = {f for f, strict in current().facts if strict}
    for a, k in m:
        if Poly.atom(a) in known:
            continue
        if not isinstance(k, int):
            kept[a] = k
        elif k % 2:
            kept[a] = 1
        elif can_flip(Poly.atom(a)):
            need(OFF_THE_KINK)
        else:
            kept[a] = 2
    return Poly({frozenset(kept.items()): c})


@rule
def implied(e: Poly) -> Poly | None:
    """1[e > 0] = 1 if e − f ≥ 0 for an f that is > 0 in the case at hand; 1[e > 0] = 0 if −e − f ≥ 0 for an f ≥ 0."""
    for f, strict in current().facts:
        above = poly_sign(e - f)
        if above == POSITIVE or (strict and (above == "nonnegative" or not (e - f).terms)):
            return UNIT
        if poly_sign(-e - f) in (POSITIVE, "nonnegative"):
            return ZERO
    return None


def _positive_part(e: Poly) -> Poly:
    """e without its positive common factors."""
    content, _ = rules.common_content(e, Fraction(1, 2))
    for _ in range(3):
        if content == UNIT:
            break
        e = rules.multiply(e, rules.power(content, -1))
        content, _ = rules.common_content(e, Fraction(1, 2))
    return e


def can_flip(e: Poly) -> bool:
    """May e be treated as never 0?

    It may if it holds neither named quantities nor masks, which can be 0 on a whole region, and if it is not 0 for one
    choice of its tensors, each all zeros or all ones, whatever the indices and sizes, and whatever the values of the
    indicators in it. For each pattern of these it is analytic in its tensors, so it then vanishes almost nowhere.
    """
    from cs231n.calculus.rewriting import with_constant_tensors

    if _holds(e, ("expect", "max")):
        return False
    bases = _bases(e)
    if not all(b.generic for b in bases) or len(bases) > 5:
        return False
    for values in cartesian(*((1,) if b.sign else (1, 0) for b in bases)):
        try:
            at_point = with_constant_tensors(e, {b.name: v for b, v in zip(bases, values, strict=True)})
        except Undecided:
            continue
        if positive(at_point) or positive(-at_point):
            return True
    return False


def _holds(p: object, kinds: tuple[str, ...]) -> bool:
    """Does an atom of one of these kinds occur anywhere in p?"""
    if isinstance(p, Poly):
        return any(a.kind in kinds or _holds(a.data, kinds) for a in p.atoms())
    return isinstance(p, tuple) and any(_holds(item, kinds) for item in p)


def _bases(p: Poly) -> list[Base]:
    """The real tensors and scalars that occur anywhere in p."""
    found: dict[str, Base] = {}

    def visit(part: object) -> None:
        if isinstance(part, Poly):
            for a in part.atoms():
                for item in a.data:
                    visit(item)
        elif isinstance(part, tuple):
            for item in part:
                visit(item)
        elif isinstance(part, Base) and part.classes is None:
            found[part.name] = part

    visit(p)
    return [found[n] for n in sorted(found)]


@rule
def absolute(p: Poly) -> Poly:
    """|u| = (2·1[u > 0] − 1)·u."""
    if poly_sign(p) in (POSITIVE, "nonnegative"):
        return p
    return rules.multiply(step(p).scale(2) - UNIT, p)


@rule
def maximum(p: Poly, q: Poly) -> Poly:
    """max(p, q) = q + 1[p − q > 0]·(p − q)."""
    return q + rules.multiply(step(p - q), p - q)


@rule
def minimum(p: Poly, q: Poly) -> Poly:
    """min(p, q) = −max(−p, −q)."""
    return -maximum(-p, -q)


def _name_bound(p: Poly, v: Var) -> tuple[Var, Poly]:
    from cs231n.calculus.naming import bound_names
    from cs231n.calculus.rewriting import substitute

    (bound,) = bound_names(p, [v])
    return bound, substitute(p, {v: rules.variable(bound)})


@rule
def maximum_over(p: Poly, v: Var) -> Poly:
    """maxᵢ (a + c·bᵢ) = a + c·maxᵢ bᵢ for a and c > 0 free of i; maxᵢ a = a."""
    outside = Poly({m: c for m, c in p.terms.items() if all(v not in a.free for a, _ in m)})
    inside = p - outside
    if not inside.terms:
        return outside
    content, _ = rules.common_content(inside, Fraction(1, 2))
    ((m, c),) = content.terms.items()
    factor = Poly({frozenset((a, e) for a, e in m if v not in a.free): c})
    bound, body = _name_bound(rules.multiply(inside, rules.power(factor, -1)), v)
    return outside + rules.multiply(factor, Poly.atom(Atom("max", bound, body)))


@rule
def argmax(p: Poly, v: Var, at: Poly) -> Poly:
    """The indicator of the maximiser of a + bᵢ is that of bᵢ, for a free of i."""
    inside = Poly({m: c for m, c in p.terms.items() if any(v in a.free for a, _ in m)})
    if not inside.terms:
        raise Undecided("a maximum over equal values has no single maximiser")
    bound, body = _name_bound(inside, v)
    return Poly.atom(Atom("argmax", bound, body, at))


@rule
def maximiser(difference: Poly) -> Poly:
    """1[b_e = maxᵢ bᵢ] = A(e), the indicator that e is the maximiser (no ties)."""
    from cs231n.calculus.rewriting import substitute

    for m, c in difference.terms.items():
        if len(m) != 1 or c not in (1, -1):
            continue
        ((a, e),) = m
        if a.kind != "max" or e != 1:
            continue
        bound, body = a.data
        if not smooth(body):
            raise Undecided("the maximum is taken of values that can be equal on a whole region")
        value = Poly({n: q for n, q in difference.terms.items() if n != m}).scale(-c)
        for place in sorted(_subscripts(value), key=lambda p: p.key):
            if substitute(body, {bound: place}) == value:
                need(NO_TIES)
                return Poly.atom(Atom("argmax", bound, body, place))
    raise Undecided("real numbers are compared for equality only to say which entry is the maximum")


def smooth(p: Poly) -> bool:
    """Is p free of indicators and masks, at any depth, which could make its values equal on a whole region?"""
    return not _holds(p, ("pos", "argmax", "expect")) and all(b.smooth for b in _bases(p))


def _subscripts(p: Poly) -> set[Poly]:
    """What index the maximum may have been taken at: the subscripts in p, less what else stands in them."""
    found: set[Poly] = set()
    for a in p.atoms():
        if a.kind == "entry":
            for s in a.data[1]:
                found.add(s)
                found |= {Poly({m: q}) for m, q in s.terms.items() if q == 1}
    return found
