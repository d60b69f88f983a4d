"""Signs: of integer expressions from the ranges of their indices, of real ones from their form."""

from __future__ import annotations

from functools import lru_cache
from math import comb

from cs231n.calculus.algebra import ONE, ZERO, Atom, Base, Mono, Number, Poly, Var, mono_key
from cs231n.calculus.context import current, need


def _linear(m: Mono) -> tuple[Atom | None, Poly] | None:
    """Split a term into its one index-like atom and a product of sizes; None if it is no such product."""
    variable: Atom | None = None
    rest: dict[Atom, Number] = {}
    for a, e in m:
        if a.kind == "size" and isinstance(e, int) and e > 0:
            rest[a] = e
        elif variable is None and e == 1 and (a.kind == "var" or (a.kind == "entry" and a.data[0].classes)):
            variable = a
        else:
            return None
    return variable, Poly({frozenset(rest.items()): 1})


def _range(a: Atom) -> Poly:
    return a.data[0].size if a.kind == "var" else a.data[0].classes


def lower(e: Poly) -> Poly | None:
    """The least value of an affine integer expression over the ranges of its indices, in sizes."""
    from cs231n.calculus.rules import multiply

    out = ZERO
    for m, c in e.terms.items():
        split = _linear(m)
        if split is None:
            return None
        variable, sizes = split
        if variable is None:
            out = out + sizes.scale(c)
        elif c < 0:
            out = out + multiply(_range(variable) - Poly.number(1), sizes).scale(c)
    return out


def upper(e: Poly) -> Poly | None:
    """The greatest value of an affine integer expression over the ranges of its indices, in sizes."""
    low = lower(-e)
    return None if low is None else -low


def size_nonneg(e: Poly | None) -> bool:
    """Is this polynomial in sizes ≥ 0 for all of them? Each size S is written as least + S′ with S′ ≥ 0, and
    every coefficient must then be ≥ 0; declared facts may be subtracted first.
    """
    own = None if e is None else _above_least(frozenset(e.terms.items()))
    if own is None:
        return False
    below = next((m for m, c in own.items() if c < 0), None)
    if below is None:
        return True
    facts = [(_above_least(frozenset(f.terms.items())) or {}, words) for f, words in current().size_facts]
    for fact, words in facts:
        if fact.get(below, 0) >= 0:  # one of those that are subtracted has to lift this coefficient
            continue
        rest = _minus(own, fact)
        if all(c >= 0 for c in rest.values()):
            need(words)
            return True
        for other, more in facts:
            if all(rest.get(m, 0) >= c for m, c in other.items()) and all(
                c >= 0 or m in other for m, c in rest.items()
            ):
                need(words)
                need(more)
                return True
    return False


#: A polynomial in the excesses S′: for each product of them, by exponents, its coefficient.
_Excess = dict[frozenset[tuple[str, int]], Number]


@lru_cache(maxsize=50_000)
def _above_least(terms: frozenset[tuple[Mono, Number]]) -> _Excess | None:
    """The polynomial with these terms written in S′ = S − least; None if it is made of other things than sizes."""
    out: _Excess = {}
    for m, c in terms:
        parts: _Excess = {frozenset(): c}
        for a, k in m:
            if a.kind != "size" or not isinstance(k, int) or k < 0:
                return None
            name, least = a.data
            powers = [(j, comb(k, j) * least ** (k - j)) for j in range(k + 1)]
            parts = {
                (product | {(name, j)} if j else product): d * b for product, d in parts.items() for j, b in powers if b
            }
        for product, d in parts.items():
            out[product] = out.get(product, 0) + d
    return {m: c for m, c in out.items() if c}


def _minus(a: _Excess, b: _Excess) -> _Excess:
    out = dict(a)
    for m, c in b.items():
        out[m] = out.get(m, 0) - c
    return out


def surely_in_range(e: Poly, n: Poly) -> bool:
    """Is 0 ≤ e < n whatever the indices in e are?"""
    return size_nonneg(lower(e)) and size_nonneg(lower(n - Poly.number(1) - e))


def surely_outside(e: Poly, n: Poly) -> bool:
    """Is e < 0 or e ≥ n whatever the indices in e are?"""
    return size_nonneg(lower(-e - Poly.number(1))) or size_nonneg(lower(e - n))


# ------------------------------------------------------------------------------------------------- real signs

POSITIVE, NONNEGATIVE, NONZERO, UNKNOWN = "positive", "nonnegative", "nonzero", ""


def atom_sign(a: Atom, e: Number) -> str:
    """The sign of aᵉ, on its domain."""
    if not isinstance(e, int) and _plain_sign(a, e) != POSITIVE:
        return POSITIVE if e < 0 else NONNEGATIVE  # a root is only defined, and then ≥ 0, for a base ≥ 0
    even = isinstance(e, int) and e % 2 == 0
    sign = _plain_sign(a, e)
    if even and sign in (UNKNOWN, NONZERO):
        return POSITIVE if sign == NONZERO or e < 0 else NONNEGATIVE
    if sign == NONNEGATIVE and e < 0:
        return POSITIVE  # where it is defined
    return sign


def _plain_sign(a: Atom, e: Number) -> str:
    match a.kind:
        case "size":
            return POSITIVE if a.data[1] >= 1 else NONNEGATIVE
        case "prime" | "pi" | "exp":
            return POSITIVE
        case "var" | "delta" | "inrange" | "nonneg" | "pos" | "argmax":
            return NONNEGATIVE
        case "entry":
            return NONNEGATIVE if a.data[0].classes else _entry_sign(*a.data)
        case "sum":
            return _sum_sign(a)
        case "fn":
            return POSITIVE if a.data[0] == "sigmoid" else UNKNOWN
        case "base":
            return poly_sign(a.data[0])
        case "power":
            return POSITIVE  # only built on positive bases
        case "max":
            return poly_sign(a.data[1])
        case "expect":  # the mean of what is never negative
            sign = poly_sign(a.data[0])
            return sign if sign in (POSITIVE, NONNEGATIVE) else UNKNOWN
    return UNKNOWN


def _entry_sign(base: Base, subs: tuple[Poly, ...]) -> str:
    """The declared sign, weakened where a subscript may be out of range: there the entry counts as 0."""
    if all(surely_in_range(e, n) for e, n in zip(subs, base.shape, strict=True)):
        return base.sign
    return NONNEGATIVE if base.sign in (POSITIVE, NONNEGATIVE) else UNKNOWN


def _sum_sign(a: Atom) -> str:
    sign = poly_sign(a.data[1])
    if sign == POSITIVE:
        return POSITIVE if all(size_nonneg(v.size - Poly.number(1)) for v in a.data[0]) else NONNEGATIVE
    return NONNEGATIVE if sign == NONNEGATIVE else UNKNOWN


def poly_sign(p: Poly) -> str:
    """The sign of an expression, from the signs of its terms; ``''`` if it cannot be told that way."""
    if not p.terms:
        return NONNEGATIVE
    strict = False
    for m, c in p.terms.items():
        signs = [atom_sign(a, e) for a, e in m]
        if c > 0 and all(s in (POSITIVE, NONNEGATIVE) for s in signs):
            strict = strict or all(s == POSITIVE for s in signs)
        elif len(p.terms) == 1 and all(s in (POSITIVE, NONZERO) for s in signs):
            return NONZERO
        else:
            break
    else:
        return POSITIVE if strict else NONNEGATIVE
    if all(a.kind == "size" for a in p.atoms()):
        if size_nonneg(p - Poly.number(1)):
            return POSITIVE
        if size_nonneg(p):
            return NONNEGATIVE
    return UNKNOWN


def positive(p: Poly) -> bool:
    """Is p seen to be > 0 by its terms?"""
    return poly_sign(p) == POSITIVE


def nonnegative(p: Poly) -> bool:
    """Is p seen to be ≥ 0 by its terms?"""
    return poly_sign(p) in (POSITIVE, NONNEGATIVE)


def leading(p: Poly) -> Number:
    """The coefficient of one term, singled out the same way however the engine names its own indices, if it can be."""
    names = {v: "*" for v in p.free if v.private}

    def rank(item: tuple[Mono, Number]) -> tuple[bool, str, str]:
        m, _ = item
        return (m != ONE, _masked(m, names), mono_key(m))

    return max(p.terms.items(), key=rank)[1]


def orientation(p: Poly) -> int:
    """The sign of the leading coefficient, or 0 where only the names of the engine's own indices could tell.

    What turns p into −p and changes form by it (1[p > 0], σ(p)) must not depend on those names: renaming an index
    would then rewrite the form, which would rename the index.
    """
    names = {v: "*" for v in p.free if v.private}
    top = max((m != ONE, _masked(m, names)) for m in p.terms)
    signs = {c > 0 for m, c in p.terms.items() if (m != ONE, _masked(m, names)) == top}
    return 0 if len(signs) > 1 else 1 if signs.pop() else -1


def _masked(m: Mono, names: dict[Var, str]) -> str:
    return "·".join(sorted(f"{a.spell(names)}^{e}" for a, e in m))
