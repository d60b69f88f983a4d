"""Powers, roots and common factors."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Mono, Number, Poly, Undecided
from cs231n.calculus.bounds import POSITIVE, atom_sign, leading, positive
from cs231n.calculus.rules.registry import exact, rule


def power(p: Poly, r: Number) -> Poly:
    """pʳ for a rational number r."""
    r = exact(r)
    if r == 0:
        return UNIT
    if r == 1:
        return p
    if not p.terms:
        if r > 0:
            return ZERO
        raise Undecided("division by an expression that is identically zero")
    if len(p.terms) == 1:
        ((m, c),) = p.terms.items()
        if c < 0 and not isinstance(r, int):
            content, rest = common_content(p, r)
            return rules.multiply(power(content, r), rules.product({Atom("base", rest): r}))
        return rules.multiply(_number_power(c, r), power_of_product(m, r))
    if isinstance(r, int) and r > 0:
        half = power(p, r // 2)
        square = rules.multiply(half, half)
        return rules.multiply(square, p) if r % 2 else square
    split = rules.shannon(p, lambda q: power(q, r))
    if split is not None:
        return split
    content, rest = common_content(p, r)
    if content != UNIT:
        return rules.multiply(power(content, r), power(rest, r))
    return rules.product({Atom("base", p): r})


@rule
def power_of_product(m: Mono, r: Number) -> Poly:
    """(ab)ʳ = aʳbʳ for a whole r, or where a is positive; (a²)^(k/2) = |a|ᵏ."""
    if isinstance(r, int):
        return rules.product({a: exact(e * r) for a, e in m})
    out, rest = UNIT, {}
    for a, e in m:
        if atom_sign(a, e) == POSITIVE and _root_splits(a, e):
            out = rules.multiply(out, rules.product({a: exact(e * r)}))
        elif isinstance(e, int) and e % 2 == 0 and isinstance(exact(e * r), int):
            out = rules.multiply(out, power(rules.absolute(Poly.atom(a)), exact(e * r)))
        else:
            rest[a] = e
    if len(rest) == 1:
        ((a, e),) = rest.items()
        if e == 1 and a.kind != "base":
            return rules.multiply(out, rules.product({a: r}))
    if rest:
        out = rules.multiply(out, rules.product({Atom("base", Poly({frozenset(rest.items()): 1})): r}))
    return out


def _root_splits(a: Atom, e: Number) -> bool:
    """(aᵉ)ʳ = aᵉʳ needs a itself positive, not only aᵉ."""
    return atom_sign(a, 1) == POSITIVE or not isinstance(e, int)


def _number_power(c: Number, r: Number) -> Poly:
    """A rational to a rational power: whole powers outright, roots by prime factors."""
    if isinstance(r, int):
        return Poly.number(exact(Fraction(c) ** r))
    if c == 1:
        return UNIT
    from sympy import factorint

    q = Fraction(c)
    factors: dict[Atom, Number] = {}
    for n, sign in ((q.numerator, 1), (q.denominator, -1)):
        for p, k in factorint(n).items():
            factors[Atom("prime", int(p))] = exact(sign * k * r)
    return rules.product(factors)


@rule
def common_content(p: Poly, r: Number) -> tuple[Poly, Poly]:
    """Σ c·tₖ = c·Σ tₖ: the common number, and the common factors, of all terms. Under a root only positive ones."""
    whole = isinstance(r, int)
    number = rational_gcd(p.terms.values())
    if whole and leading(p) < 0:
        number = -number
    least: dict[Atom, Number] = {}
    for k, m in enumerate(p.terms):
        powers = dict(m)
        if k == 0:
            least = dict(powers)
        for a in set(least) | set(powers):
            least[a] = min(least.get(a, 0), powers.get(a, 0))
    least = {
        a: e
        for a, e in least.items()
        if e and not a.is_indicator and (whole or (atom_sign(a, e) == POSITIVE and _root_splits(a, e)))
    }
    content = Poly({frozenset(least.items()): number})
    if content == UNIT:
        return UNIT, p
    rest = rules.times_powers(p, {a: exact(-e) for a, e in least.items()})
    return content, rest.scale(exact(Fraction(1) / number))


def rational_gcd(numbers: Iterable[Number]) -> Number:
    """The largest positive rational number of which all these are whole multiples."""
    from math import gcd, lcm

    fractions = [abs(Fraction(q)) for q in numbers]
    return exact(Fraction(gcd(*(q.numerator for q in fractions)), lcm(*(q.denominator for q in fractions))))


@rule
def symbolic_power(p: Poly, x: Poly) -> Poly:
    """bˣ = exp(x·log b) for b > 0."""
    if (q := x.constant) is not None:
        return power(p, q)
    if not positive(p):
        raise Undecided("a power with an exponent that is no number needs a positive base")
    return rules.exponential(rules.multiply(x, rules.logarithm(p)))
