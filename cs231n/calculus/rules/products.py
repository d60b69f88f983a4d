"""Entries and products."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import MAX_TERMS, UNIT, ZERO, Atom, Base, Mono, Number, Poly, TooLarge, Undecided, Var
from cs231n.calculus.bounds import surely_outside
from cs231n.calculus.context import NO_TIES, need
from cs231n.calculus.rules.registry import exact, rule


def size(name: str, least: int = 1) -> Poly:
    """A declared size, an integer ≥ least."""
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
    if base.zero_outside and any(surely_outside(e, n) for e, n in zip(subs, base.shape, strict=True)):
        return ZERO
    return Poly.atom(Atom("entry", base, subs))


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


def times_powers(p: Poly, powers: dict[Atom, Number]) -> Poly:
    """p·Π aᵉ, term by term, so that exponents cancel before anything is multiplied out."""
    out = ZERO
    for m, c in p.terms.items():
        factors = dict(m)
        for a, e in powers.items():
            factors[a] = exact(factors.get(a, 0) + e)
        out = out + product(factors).scale(c)
    return out


def product_of(polys: Iterable[Poly]) -> Poly:
    """The product of these expressions; 1 of none."""
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
    if not any(a.is_indicator or a.is_binary or a.kind in _SPECIAL for a in plain):
        return Poly({frozenset(plain.items()): 1})
    for apply in (idempotent, whole_powers, pythagoras, one_name_under_a_delta, argmax_of_one):
        done = apply(plain)
        if done is not None:
            return done
    zero_outside(plain)
    return Poly({frozenset(plain.items()): 1})


@rule
def idempotent(factors: dict[Atom, Number]) -> Poly | None:
    """1[·]ᵏ = 1[·] for k > 0, and mᵏ = m for a tensor m of zeros and ones.

    A division by one of them, or by an index, each of which can be 0, is refused.
    """
    for a, e in factors.items():
        if e < 0 and (a.is_indicator or a.is_binary or a.kind == "var"):
            raise Undecided("division by something that can be 0: an indicator, a mask or an index")
        if e > 0 and (a.is_indicator or a.is_binary):
            factors[a] = 1
    return None


@rule
def whole_powers(factors: dict[Atom, Number]) -> Poly | None:
    """Bᵏ⁺ʳ = Bᵏ·Bʳ with the whole part k ≥ 1 multiplied out, for a sum B of terms or a prime B."""
    for a, e in factors.items():
        if a.kind in ("base", "prime") and e >= 1:
            whole = int(e // 1)
            rest = {**factors, a: exact(e - whole)}
            whole_part = Poly.number(a.data[0] ** whole) if a.kind == "prime" else rules.power(a.data[0], whole)
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
            changed = [rules.power(substitute(Poly.atom(a), {v: value}), e) for a, e in rest.items()]
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
                if any(s in (e, mirrored) and m == n for s, m in zip(a.data[1], a.data[0].shape, strict=True)):
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
                return multiply(product(rest), rules.delta(a.data[2] - b.data[2]))
    return None


_SPECIAL = frozenset({"base", "prime", "fn", "var"})
