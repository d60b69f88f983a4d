"""Exponentials, logarithms and their relatives."""

from __future__ import annotations

from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Number, Poly, Undecided
from cs231n.calculus.bounds import POSITIVE, atom_sign, leading, orientation
from cs231n.calculus.rules.registry import exact, rule


@rule
def exponential(p: Poly) -> Poly:
    """exp(Σ cₖtₖ) = Π exp(tₖ)^cₖ; exp(c·log u) = uᶜ for u > 0; exp of an indicator by cases."""
    split = rules.shannon(p, exponential)
    if split is not None:
        return split
    out = UNIT
    for m, c in p.terms.items():
        if len(m) == 1:
            ((a, e),) = m
            if a.kind == "log" and e == 1:
                out = rules.multiply(out, rules.power(a.data[0], c))
                continue
        out = rules.multiply(out, rules.product({Atom("exp", Poly({m: 1})): exact(c)}))
    return out


@rule
def logarithm(p: Poly) -> Poly:
    """log(ab) = log a + log b where a is positive (b then is, too); log(aᵏ) = k·log a for a > 0; log eᵘ = u."""
    if p == UNIT:
        return ZERO
    if not p.terms:
        raise Undecided("the logarithm of zero")
    split = rules.shannon(p, logarithm)
    if split is not None:
        return split
    content, rest = rules.common_content(p, Fraction(1, 2))
    if len(p.terms) == 1:
        ((m, c),) = p.terms.items()
        known = {a: e for a, e in m if atom_sign(a, 1) == POSITIVE or not isinstance(e, int)}
        unknown = {a: e for a, e in m if a not in known}
        magnitude: Number = c if c > 0 else -c
        sign: Number = 1 if c > 0 else -1
        content = Poly({frozenset(known.items()): magnitude})
        rest = Poly({frozenset(unknown.items()): sign})
    ((m, c),) = content.terms.items()
    out = _log_number(c)
    for a, e in m:
        out = out + (a.data[0] if a.kind == "exp" else _log_atom(_bare(a))).scale(e)
    if rest != UNIT:
        again = rules.common_content(rest, Fraction(1, 2))[0]
        out = out + (_log_atom(rest) if again == UNIT or len(rest.terms) == 1 else logarithm(rest))
    return out


def _bare(a: Atom) -> Poly:
    """What a power has as its base: the sum itself for a ``base`` atom."""
    return a.data[0] if a.kind == "base" else Poly.atom(a)


def _log_atom(p: Poly) -> Poly:
    return Poly.atom(Atom("log", p))


def _log_number(c: Number) -> Poly:
    from sympy import factorint

    q, out = Fraction(c), ZERO
    for n, sign in ((q.numerator, 1), (q.denominator, -1)):
        for p, k in factorint(n).items():
            out = out + _log_atom(Poly.number(int(p))).scale(sign * k)
    return out


@rule
def sigmoid(p: Poly) -> Poly:
    """σ(−u) = 1 − σ(u); σ(0) = ½."""
    if not p.terms:
        return Poly.number(Fraction(1, 2))
    split = rules.shannon(p, sigmoid)
    if split is not None:
        return split
    if orientation(p) < 0:
        return UNIT - Poly.atom(Atom("fn", "sigmoid", -p))
    return Poly.atom(Atom("fn", "sigmoid", p))


@rule
def hyperbolic_tangent(p: Poly) -> Poly:
    """tanh u = 2σ(2u) − 1."""
    return sigmoid(p.scale(2)).scale(2) - UNIT


@rule
def softplus(p: Poly) -> Poly:
    """softplus u = log(1 + eᵘ)."""
    return logarithm(UNIT + exponential(p))


@rule
def odd_or_even(name: str, p: Poly) -> Poly:
    """erf(−u) = −erf u, sin(−u) = −sin u, cos(−u) = cos u; erf 0 = sin 0 = 0, cos 0 = 1."""
    if not p.terms:
        return UNIT if name == "cos" else ZERO
    split = rules.shannon(p, lambda q: odd_or_even(name, q))
    if split is not None:
        return split
    if name != "erf" and (turned := addition(name, p)) is not None:
        return turned
    if leading(p) < 0:
        mirrored = Poly.atom(Atom("fn", name, -p))
        return mirrored if name == "cos" else -mirrored
    return Poly.atom(Atom("fn", name, p))


#: An angle of more parts than this is not taken apart.
MOST_ANGLES = 6


@rule
def addition(name: str, p: Poly) -> Poly | None:
    """sin(u + v) = sin u cos v + cos u sin v, cos(u + v) = cos u cos v − sin u sin v, v may be a multiple of u."""
    parts = [Poly({m: 1 if c > 0 else -1}) for m, c in p.terms.items() if isinstance(c, int) for _ in range(abs(c))]
    parts += [Poly({m: c}) for m, c in p.terms.items() if not isinstance(c, int)]
    if not 2 <= len(parts) <= MOST_ANGLES:
        return None
    first = parts[0]
    rest = p - first
    a, b = odd_or_even("sin", first), odd_or_even("cos", first)
    c, d = odd_or_even("sin", rest), odd_or_even("cos", rest)
    if name == "sin":
        return rules.multiply(a, d) + rules.multiply(b, c)
    return rules.multiply(b, d) - rules.multiply(a, c)


@rule
def sigmoid_by_exponentials(p: Poly) -> Poly:
    """σ(u) = eᵘ / (1 + eᵘ)."""
    e = exponential(p)
    return rules.multiply(e, rules.power(UNIT + e, -1))
