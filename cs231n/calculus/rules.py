r"""The rewrite rules: what the engine may turn into what.

Every function here that carries ``@rule`` rewrites one form into an equal one, and its docstring states the
identity and where it holds. They are all that a proof rests on, together with the rules of differentiation in
:mod:`cs231n.calculus.derivatives`. Expressions are :class:`~cs231n.calculus.algebra.Poly` in normal form, and every
constructor below returns one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import count
from itertools import product as cartesian
from typing import TypeVar

from cs231n.calculus.algebra import MAX_TERMS, ONE, UNIT, ZERO, Atom, Base, Mono, Number, Poly, TooLarge, Undecided, Var
from cs231n.calculus.bounds import (
    POSITIVE,
    atom_sign,
    leading,
    lower,
    poly_sign,
    positive,
    size_nonneg,
    surely_in_range,
    surely_outside,
)
from cs231n.calculus.context import NO_TIES, OFF_THE_KINK, need

F = TypeVar("F", bound=Callable)

#: Every rewrite rule by name, for the tests and the trust page.
RULES: dict[str, Callable] = {}


def rule(function: F) -> F:
    """Register a rewrite rule."""
    RULES[function.__name__] = function
    return function


_fresh = count()


def fresh(like: Var) -> Var:
    """An index of the same range that nothing else uses."""
    return Var(f"~{next(_fresh)}", like.size)


def exact(q: Number) -> Number:
    """An integral Fraction as an int, so that exponents and coefficients have one form."""
    return q.numerator if isinstance(q, Fraction) and q.denominator == 1 else q


# ------------------------------------------------------------------------------------------------ atoms as polynomials


def size(name: str, least: int = 1) -> Poly:
    return Poly.atom(Atom("size", name, least))


def variable(v: Var) -> Poly:
    """An index read as a number; the only value of an index over a range of one is 0."""
    return ZERO if v.size == UNIT else Poly.atom(Atom("var", v))


@rule
def entry(base: Base, subs: Iterable[Poly] = ()) -> Poly:
    """x[e] = 0 where x is a declared tensor and e is surely outside its range; labels over one class are 0."""
    subs = tuple(subs)
    if base.classes is not None and base.classes == UNIT:
        return ZERO
    if base.zero_outside and any(surely_outside(e, n) for e, n in zip(subs, base.shape)):
        return ZERO
    return Poly.atom(Atom("entry", base, subs))


# ------------------------------------------------------------------------------------------------------ multiplication


def multiply(p: Poly, q: Poly) -> Poly:
    """The product, expanded: every term of p with every term of q."""
    if not p.terms or not q.terms:
        return ZERO
    if len(p.terms) * len(q.terms) > MAX_TERMS:
        raise TooLarge(f"too large: a product of {len(p.terms)} by {len(q.terms)} terms")
    out: dict[Mono, Number] = {}
    for m, a in p.terms.items():
        for n, b in q.terms.items():
            if not n:
                _collect(out, m, a * b)
            elif not m:
                _collect(out, n, a * b)
            else:
                factors = dict(m)
                for atom, e in n:
                    factors[atom] = exact(factors[atom] + e) if atom in factors else e
                for k, c in product(factors).terms.items():
                    _collect(out, k, a * b * c)
    return Poly(out)


def product_of(polys: Iterable[Poly]) -> Poly:
    out = UNIT
    for p in polys:
        out = multiply(out, p)
    return out


def _collect(out: dict[Mono, Number], m: Mono, c: Number) -> None:
    total = exact(out.get(m, 0) + c)
    if total:
        out[m] = total
    else:
        out.pop(m, None)


def product(factors: dict[Atom, Number]) -> Poly:
    """A product of atoms, normalised by the rules for products."""
    plain = {a: e for a, e in factors.items() if e}
    if not any(a.is_indicator or a.kind in _SPECIAL for a in plain):
        return Poly({frozenset(plain.items()): 1})
    for apply in (idempotent, whole_powers, pythagoras, one_name_under_a_delta, argmax_of_one):
        done = apply(plain)
        if done is not None:
            return done
    zero_outside(plain)
    return Poly({frozenset(plain.items()): 1})


_SPECIAL = frozenset({"base", "prime", "fn"})


@rule
def idempotent(factors: dict[Atom, Number]) -> Poly | None:
    """1[·]ᵏ = 1[·] for k ≥ 1. A division by an indicator is refused."""
    for a, e in factors.items():
        if a.is_indicator and e != 1:
            if not isinstance(e, int) and e > 0 or isinstance(e, int) and e > 1:
                factors[a] = 1
            else:
                raise Undecided("division by an indicator")
    return None


@rule
def whole_powers(factors: dict[Atom, Number]) -> Poly | None:
    """Bᵏ⁺ʳ = Bᵏ·Bʳ with the whole part k ≥ 1 multiplied out, for a sum B of terms or a prime B."""
    for a, e in factors.items():
        if a.kind in ("base", "prime") and e >= 1:
            whole = int(e // 1)
            rest = {**factors, a: exact(e - whole)}
            whole_part = Poly.number(a.data[0] ** whole) if a.kind == "prime" else power(a.data[0], whole)
            return multiply(product(rest), whole_part)
        if a.kind == "prime" and e < 0:
            whole = int(e // 1)
            rest = {**factors, a: exact(e - whole)}
            return product(rest).scale(Fraction(a.data[0]) ** whole)
    return None


@rule
def pythagoras(factors: dict[Atom, Number]) -> Poly | None:
    """sin²u = 1 − cos²u."""
    for a, e in factors.items():
        if a.kind == "fn" and a.data[0] == "sin" and isinstance(e, int) and e >= 2:
            cosine = Poly.atom(Atom("fn", "cos", a.data[1]))
            return multiply(product({**factors, a: e - 2}), UNIT - multiply(cosine, cosine))
    return None


@rule
def one_name_under_a_delta(factors: dict[Atom, Number]) -> Poly | None:
    """δ(i, e)·f(i) = δ(i, e)·f(e): where the delta is not 0, the two are one number."""
    from cs231n.calculus.rewriting import substitute

    for d in sorted((a for a in factors if a.kind == "delta"), key=lambda a: a.key):
        solved = solve(d.data[0])
        if solved is None:
            continue
        v, value = solved
        rest = {a: e for a, e in factors.items() if a is not d}
        if any(v in a.free for a in rest):
            changed = [power(substitute(Poly.atom(a), {v: value}), e) for a, e in rest.items()]
            return multiply(product_of(changed), Poly.atom(d))
    return None


def solve(e: Poly, v: Var | None = None) -> tuple[Var, Poly] | None:
    """Solve e = 0 for an index that occurs with coefficient ±1 and nowhere else; the engine's own names first."""
    candidates = [v] if v is not None else sorted(e.free, key=lambda x: (x.private, x.key), reverse=True)
    for x in candidates:
        m = frozenset({(Atom("var", x), 1)})
        c = e.terms.get(m)
        if c in (1, -1):
            rest = Poly({k: q for k, q in e.terms.items() if k != m})
            if x not in rest.free:
                return x, rest.scale(-c)
    return None


@rule
def zero_outside(factors: dict[Atom, Number]) -> None:
    """1[0 ≤ e < n]·x[e] = x[e] for a declared tensor x with n entries on that axis, a bare factor."""
    for g in [a for a in factors if a.kind == "inrange"]:
        e, n = g.data
        mirrored = n - UNIT - e
        for a, k in factors.items():
            if a.kind == "entry" and k > 0 and a.data[0].zero_outside:
                if any(s in (e, mirrored) and m == n for s, m in zip(a.data[1], a.data[0].shape)):
                    del factors[g]
                    break


@rule
def argmax_of_one(factors: dict[Atom, Number]) -> Poly | None:
    """A(c)·A(c′) = A(c)·δ(c, c′) for the indicator A of the one maximiser (no ties)."""
    masks = sorted((a for a in factors if a.kind == "argmax"), key=lambda a: a.key)
    for k, a in enumerate(masks):
        for b in masks[k + 1 :]:
            if a.data[:2] == b.data[:2]:
                need(NO_TIES)
                rest = {x: e for x, e in factors.items() if x is not b}
                return multiply(product(rest), delta(a.data[2] - b.data[2]))
    return None


# -------------------------------------------------------------------------------------------------------------- powers


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
            return multiply(power(content, r), product({Atom("base", rest): r}))
        return multiply(_number_power(c, r), power_of_product(m, r))
    if isinstance(r, int) and r > 0:
        half = power(p, r // 2)
        square = multiply(half, half)
        return multiply(square, p) if r % 2 else square
    split = shannon(p, lambda q: power(q, r))
    if split is not None:
        return split
    content, rest = common_content(p, r)
    if content != UNIT:
        return multiply(power(content, r), power(rest, r))
    return product({Atom("base", p): r})


@rule
def power_of_product(m: Mono, r: Number) -> Poly:
    """(ab)ʳ = aʳbʳ for a whole r, or where a is positive; (a²)^(k/2) = |a|ᵏ."""
    if isinstance(r, int):
        return product({a: exact(e * r) for a, e in m})
    out, rest = UNIT, {}
    for a, e in m:
        if atom_sign(a, e) == POSITIVE and _root_splits(a, e):
            out = multiply(out, product({a: exact(e * r)}))
        elif isinstance(e, int) and e % 2 == 0 and isinstance(exact(e * r), int):
            out = multiply(out, power(absolute(Poly.atom(a)), exact(e * r)))
        else:
            rest[a] = e
    if len(rest) == 1:
        ((a, e),) = rest.items()
        if e == 1 and a.kind != "base":
            return multiply(out, product({a: r}))
    if rest:
        out = multiply(out, product({Atom("base", Poly({frozenset(rest.items()): 1})): r}))
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
    return product(factors)


@rule
def common_content(p: Poly, r: Number) -> tuple[Poly, Poly]:
    """Σ c·tₖ = c·Σ tₖ: the common number, and the common factors, of all terms. Under a root only positive ones."""
    whole = isinstance(r, int)
    number = _rational_gcd(p.terms.values())
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
    inverse = Poly({frozenset((a, exact(-e)) for a, e in least.items()): Fraction(1) / number})
    return content, multiply(p, Poly({m: exact(c) for m, c in inverse.terms.items()}))


def _rational_gcd(numbers: Iterable[Number]) -> Number:
    from math import gcd, lcm

    fractions = [Fraction(abs(q)) for q in numbers]
    return exact(Fraction(gcd(*(q.numerator for q in fractions)), lcm(*(q.denominator for q in fractions))))


@rule
def symbolic_power(p: Poly, x: Poly) -> Poly:
    """bˣ = exp(x·log b) for b > 0."""
    if (q := x.constant) is not None:
        return power(p, q)
    if not positive(p):
        raise Undecided("a power with an exponent that is no number needs a positive base")
    return exponential(multiply(x, logarithm(p)))


# ---------------------------------------------------------------------------------------------------------- indicators


@rule
def shannon(p: Poly, f: Callable[[Poly], Poly]) -> Poly | None:
    """f(p) = a·f(p with a = 1) + (1 − a)·f(p with a = 0) for an indicator a inside p."""
    marks = sorted((a for a in p.atoms() if a.is_indicator), key=lambda a: a.key)
    if not marks:
        return None
    a = marks[0]
    on, off = _with_value(p, a, UNIT), _with_value(p, a, ZERO)
    mark = Poly.atom(a)
    return multiply(mark, f(on)) + multiply(UNIT - mark, f(off))


def _with_value(p: Poly, a: Atom, value: Poly) -> Poly:
    out = ZERO
    for m, c in p.terms.items():
        factors = dict(m)
        hit = factors.pop(a, 0)
        term = product(factors).scale(c)
        out = out + (multiply(term, value) if hit else term)
    return out


@rule
def delta(e: Poly) -> Poly:
    """1[e = 0] for an integer e: even in e, blind to a common factor, and known where e is a number or out of reach."""
    if (q := e.constant) is not None:
        return UNIT if q == 0 else ZERO
    if size_nonneg(_less(lower(e))) or size_nonneg(_less(lower(-e))):
        return ZERO
    number = _rational_gcd(e.terms.values())
    if leading(e) < 0:
        number = -number
    return Poly.atom(Atom("delta", e.scale(Fraction(1) / number) if number != 1 else e))


def _less(bound: Poly | None) -> Poly | None:
    return None if bound is None else bound - UNIT


@rule
def in_range(e: Poly, n: Poly) -> Poly:
    """1[0 ≤ e < n] for an integer e: 1 or 0 where the ranges of the indices in e prove it; = 1[0 ≤ n−1−e < n]."""
    if surely_in_range(e, n):
        return UNIT
    if surely_outside(e, n):
        return ZERO
    mirrored = n - UNIT - e
    return Poly.atom(Atom("inrange", min(e, mirrored, key=lambda p: (-leading(p), p.key)), n))


@rule
def nonneg(e: Poly) -> Poly:
    """1[e ≥ 0] = 1 − 1[−e−1 ≥ 0] for an integer e; known where the ranges of the indices in e prove it."""
    if size_nonneg(lower(e)):
        return UNIT
    complement = -e - UNIT
    if size_nonneg(lower(complement)):
        return ZERO
    if leading(e - Poly.number(e.terms.get(ONE, 0))) < 0:
        return UNIT - Poly.atom(Atom("nonneg", complement))
    return Poly.atom(Atom("nonneg", e))


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
    e = _positive_part(e)
    if leading(e) < 0 and can_flip(e):
        return other_side(e)
    return Poly.atom(Atom("pos", e))


@rule
def other_side(e: Poly) -> Poly:
    """1[e > 0] = 1 − 1[−e > 0] off the kink, where e vanishes for no choice of the indices."""
    need(OFF_THE_KINK)
    return UNIT - Poly.atom(Atom("pos", -e))


def _positive_part(e: Poly) -> Poly:
    """e without its positive common factors."""
    content, _ = common_content(e, Fraction(1, 2))
    for _ in range(3):
        if content == UNIT:
            break
        e = multiply(e, power(content, -1))
        content, _ = common_content(e, Fraction(1, 2))
    return e


def can_flip(e: Poly) -> bool:
    """May e be treated as never 0? It may if it holds neither named quantities nor masks, which can be 0 on a whole
    region, and if it is not 0 for one choice of its tensors, each all zeros or all ones, whatever the indices and
    sizes: being analytic in its tensors, it then vanishes almost nowhere."""
    from cs231n.calculus.rewriting import with_constant_tensors

    bases = _bases(e)
    if not all(b.generic for b in bases) or len(bases) > 5:
        return False
    for values in cartesian(*((1,) if b.sign else (1, 0) for b in bases)):
        try:
            at_point = with_constant_tensors(e, {b.name: v for b, v in zip(bases, values)})
        except Undecided:
            continue
        if at_point.names <= e.names - {b.name for b in bases} and (positive(at_point) or positive(-at_point)):
            return True
    return False


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


# --------------------------------------------------------------------------------------------------- maxima and moduli


@rule
def absolute(p: Poly) -> Poly:
    """|u| = (2·1[u > 0] − 1)·u."""
    if poly_sign(p) in (POSITIVE, "nonnegative"):
        return p
    return multiply(step(p).scale(2) - UNIT, p)


@rule
def maximum(p: Poly, q: Poly) -> Poly:
    """max(p, q) = q + 1[p − q > 0]·(p − q)."""
    return q + multiply(step(p - q), p - q)


@rule
def minimum(p: Poly, q: Poly) -> Poly:
    """min(p, q) = −max(−p, −q)."""
    return -maximum(-p, -q)


def _name_bound(p: Poly, v: Var) -> tuple[Var, Poly]:
    from cs231n.calculus.rewriting import substitute

    bound = Var(f"#{p.height}", v.size)
    return bound, substitute(p, {v: variable(bound)})


@rule
def maximum_over(p: Poly, v: Var) -> Poly:
    """maxᵢ (a + bᵢ) = a + maxᵢ bᵢ for a free of i; the maximum over a range of something free of it is that thing."""
    outside = Poly({m: c for m, c in p.terms.items() if all(v not in a.free for a, _ in m)})
    inside = p - outside
    if not inside.terms:
        return outside
    bound, body = _name_bound(inside, v)
    return outside + Poly.atom(Atom("max", bound, body))


@rule
def argmax(p: Poly, v: Var, at: Poly) -> Poly:
    """The indicator of the maximiser of a + bᵢ is that of bᵢ, for a free of i."""
    inside = Poly({m: c for m, c in p.terms.items() if any(v in a.free for a, _ in m)})
    if not inside.terms:
        raise Undecided("a maximum over equal values has no single maximiser")
    bound, body = _name_bound(inside, v)
    return Poly.atom(Atom("argmax", bound, body, at))


# ----------------------------------------------------------------------------------------------------------- functions


@rule
def exponential(p: Poly) -> Poly:
    """exp(Σ cₖtₖ) = Π exp(tₖ)^cₖ; exp(c·log u) = uᶜ for u > 0; exp of an indicator by cases."""
    split = shannon(p, exponential)
    if split is not None:
        return split
    out = UNIT
    for m, c in p.terms.items():
        if len(m) == 1:
            ((a, e),) = m
            if a.kind == "log" and e == 1:
                out = multiply(out, power(a.data[0], c))
                continue
        out = multiply(out, product({Atom("exp", Poly({m: 1})): exact(c)}))
    return out


@rule
def logarithm(p: Poly) -> Poly:
    """log(ab) = log a + log b where a is positive (b then is, too); log(aᵏ) = k·log a for a > 0; log eᵘ = u."""
    if p == UNIT:
        return ZERO
    if not p.terms:
        raise Undecided("the logarithm of zero")
    split = shannon(p, logarithm)
    if split is not None:
        return split
    content, rest = common_content(p, Fraction(1, 2))
    if len(p.terms) == 1:
        ((m, c),) = p.terms.items()
        known = {a: e for a, e in m if atom_sign(a, 1) == POSITIVE or not isinstance(e, int)}
        unknown = {a: e for a, e in m if a not in known}
        content = Poly({frozenset(known.items()): abs(c)})
        rest = Poly({frozenset(unknown.items()): 1 if c > 0 else -1})
    ((m, c),) = content.terms.items()
    out = _log_number(c)
    for a, e in m:
        out = out + (a.data[0] if a.kind == "exp" else _log_atom(_bare(a))).scale(e)
    if rest != UNIT:
        again = common_content(rest, Fraction(1, 2))[0]
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
    split = shannon(p, sigmoid)
    if split is not None:
        return split
    if leading(p) < 0:
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
    split = shannon(p, lambda q: odd_or_even(name, q))
    if split is not None:
        return split
    if leading(p) < 0:
        mirrored = Poly.atom(Atom("fn", name, -p))
        return mirrored if name == "cos" else -mirrored
    return Poly.atom(Atom("fn", name, p))


@rule
def sigmoid_by_exponentials(p: Poly) -> Poly:
    """σ(u) = eᵘ / (1 + eᵘ)."""
    e = exponential(p)
    return multiply(e, power(UNIT + e, -1))


# ---------------------------------------------------------------------------------------------------------------- sums


def sum_over(p: Poly, *variables: Var) -> Poly:
    """Σ p over indices that are the engine's own (``fresh``)."""
    out = ZERO
    for m, c in p.terms.items():
        out = out + _sum_term(m, variables).scale(c)
    return out


def _sum_term(m: Mono, variables: tuple[Var, ...]) -> Poly:
    if not all(size_nonneg(v.size) for v in variables):
        raise Undecided("a sum over a range whose size may be negative")
    here = frozenset(variables)
    inside = {a: e for a, e in m if not here.isdisjoint(a.free)}
    outside = product({a: e for a, e in m if a not in inside})
    for apply in (merge_sums, short_range, contract, one_maximiser):
        done = apply(inside, variables)
        if done is not None:
            return multiply(outside, done)
    return multiply(outside, separate_sums(inside, variables))


@rule
def sum_of_a_constant(v: Var) -> Poly:
    """Σ_{i<n} 1 = n, for n ≥ 0."""
    return v.size


@rule
def short_range(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_{i<k} f(i) = f(0) + … + f(k−1) for a number k ≤ 8."""
    from cs231n.calculus.rewriting import substitute

    for v in variables:
        n = v.size.constant
        if n is None or n > 8:
            continue
        body = Poly({frozenset(inside.items()): 1})
        out = ZERO
        for k in range(int(n)):
            out = out + substitute(body, {v: Poly.number(k)})
        return sum_over(out, *(u for u in variables if u is not v))
    return None


@rule
def contract(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_{i<n} δ(i, e)·f(i) = 1[0 ≤ e < n]·f(e)."""
    from cs231n.calculus.rewriting import substitute

    for d in sorted((a for a in inside if a.kind == "delta"), key=lambda a: a.key):
        for v in variables:
            solved = solve(d.data[0], v) if v in d.free else None
            if solved is None:
                continue
            value = solved[1]
            rest = Poly({frozenset((a, e) for a, e in inside.items() if a is not d): 1})
            guarded = multiply(substitute(rest, {v: value}), in_range(value, v.size))
            return sum_over(guarded, *(u for u in variables if u is not v))
    return None


@rule
def one_maximiser(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_i A(i) = 1 and Σ_i A(i)·bᵢ = maxᵢ bᵢ for the indicator A of the maximiser of b (no ties)."""
    from cs231n.calculus.rewriting import substitute

    for a in inside:
        for v in variables:
            if a.kind != "argmax" or a.data[2] != variable(v) or a.data[0].size != v.size or v in a.data[1].free:
                continue
            bound, body, _ = a.data
            dependent = Poly({frozenset((b, e) for b, e in inside.items() if b is not a and v in b.free): 1})
            rest = {b: e for b, e in inside.items() if v not in b.free}
            if dependent == UNIT:
                found = UNIT
            elif dependent == substitute(body, {bound: variable(v)}):
                found = Poly.atom(Atom("max", bound, body))
            else:
                continue
            need(NO_TIES)
            return sum_over(multiply(product(rest), found), *(u for u in variables if u is not v))
    return None


@rule
def merge_sums(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_i aᵢ Σ_j bᵢⱼ = Σ_{i,j} aᵢbᵢⱼ, and under the sum over i also (Σ_j bᵢⱼ)² = Σ_{j,k} bᵢⱼbᵢₖ."""
    opened = [(a, e) for a, e in inside.items() if a.kind == "sum" and isinstance(e, int) and e > 0]
    if not opened:
        return None
    body = product({a: e for a, e in inside.items() if (a, e) not in opened})
    names = list(variables)
    for a, e in sorted(opened, key=lambda ae: ae[0].key):
        for _ in range(e):
            more, inner = open_sum(a)
            names += more
            body = multiply(body, inner)
    return sum_over(body, *names)


def open_sum(a: Atom) -> tuple[list[Var], Poly]:
    """The indices of a sum, renamed apart, and its body."""
    from cs231n.calculus.rewriting import substitute

    names = {b: fresh(b) for b in a.data[0]}
    return list(names.values()), substitute(a.data[1], {b: variable(n) for b, n in names.items()})


@rule
def separate_sums(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly:
    """Σ_{i,j} aᵢbⱼ = (Σ_i aᵢ)(Σ_j bⱼ): factors that share no index part; each part gets canonical names."""
    from cs231n.calculus.naming import named_sum

    out, factors, left = UNIT, dict(inside), set(variables)
    while left:
        part = {min(left, key=lambda x: x.key)}
        chosen: dict[Atom, Number] = {}
        grown = True
        while grown:
            grown = False
            for a in [a for a in factors if not a.free.isdisjoint(part)]:
                chosen[a] = factors.pop(a)
                part |= a.free & left
                grown = True
        left -= part
        if chosen:
            out = multiply(out, named_sum(sorted(part, key=lambda x: x.key), frozenset(chosen.items())))
        else:
            (v,) = part
            out = multiply(out, sum_of_a_constant(v))
    return multiply(out, product(factors))
