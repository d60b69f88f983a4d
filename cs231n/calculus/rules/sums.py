"""Sums over indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Mono, Number, Poly, Undecided, Var
from cs231n.calculus.bounds import size_nonneg, surely_in_range
from cs231n.calculus.context import NO_TIES, current, need
from cs231n.calculus.rules.registry import exact, fresh, rule


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
    outside = rules.product({a: e for a, e in m if a not in inside})
    for apply in (inner_sum_cancels, inner_sum_is_told, merge_sums, short_range, contract, one_maximiser):
        done = apply(inside, variables)
        if done is not None:
            return rules.multiply(outside, done)
    return rules.multiply(outside, separate_sums(inside, variables))


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
            solved = rules.solve(d.data[0], v) if v in d.free else None
            if solved is None:
                continue
            value = solved[1]
            rest = Poly({frozenset((a, e) for a, e in inside.items() if a is not d): 1})
            guarded = rules.multiply(substitute(rest, {v: value}), rules.in_range(value, v.size))
            return sum_over(guarded, *(u for u in variables if u is not v))
    return None


@rule
def sum_between(f: Callable[[Poly], Poly], v: Var, low: Poly, high: Poly) -> Poly:
    """Σ_{i<n} 1[i ≥ low]·1[i ≤ high]·f(i) = Σ_{j<high−low+1} f(j + low), for 0 ≤ low ≤ high + 1 ≤ n made of sizes."""
    size = high - low + UNIT
    if not low.free and not high.free and all(map(size_nonneg, (low, size, v.size - high - UNIT))):
        j = fresh(Var("~", size))
        return sum_over(f(rules.variable(j) + low), j)
    at = fresh(v)
    i = rules.variable(at)
    within = rules.multiply(rules.nonneg(i - low), rules.nonneg(high - i))
    return sum_over(rules.multiply(within, f(i)), at)


@rule
def one_maximiser(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_i A(i) = 1 and Σ_i A(i)·bᵢ = maxᵢ bᵢ for the indicator A of the maximiser of b (no ties)."""
    from cs231n.calculus.rewriting import substitute

    for a in inside:
        for v in variables:
            if a.kind != "argmax" or not rules.smooth(a.data[1]) or not size_nonneg(v.size - UNIT):
                continue  # an empty range has no maximiser, and equal values have several
            if a.data[2] != rules.variable(v) or a.data[0].size != v.size or v in a.data[1].free:
                continue
            bound, body, _ = a.data
            dependent = Poly({frozenset((b, e) for b, e in inside.items() if b is not a and v in b.free): 1})
            rest = {b: e for b, e in inside.items() if v not in b.free}
            if dependent == UNIT:
                found = UNIT
            elif dependent == substitute(body, {bound: rules.variable(v)}):
                found = Poly.atom(Atom("max", bound, body))
            else:
                continue
            need(NO_TIES)
            return sum_over(rules.multiply(rules.product(rest), found), *(u for u in variables if u is not v))
    return None


@rule
def inner_sum_cancels(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_{i,j} aᵢbᵢⱼ/(Σ_k bᵢₖ) = Σ_i aᵢ: the sum over j is done first where it is the one in the denominator."""
    if len(variables) < 2:
        return None
    below = [a for a, e in inside.items() if a.kind == "sum" and isinstance(e, int) and e < 0]
    for v in variables if below else ():
        own = {a: e for a, e in inside.items() if v in a.free}
        if any(v in a.free for a in below) or any(a.kind in ("delta", "argmax") for a in own):
            continue
        inner = _sum_term(frozenset(own.items()), (v,))
        if len(inner.terms) == 1 and not inner.atoms().isdisjoint(below):
            rest = rules.product({a: e for a, e in inside.items() if a not in own})
            return sum_over(rules.multiply(rest, inner), *(u for u in variables if u is not v))
    return None


@rule
def inner_sum_is_told(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_{i,j} aᵢbᵢⱼ = Σ_i aᵢcᵢ where it is assumed that Σ_j bᵢⱼ = cᵢ for all i."""
    from cs231n.calculus.zero import told

    if len(variables) < 2 or not current().equations:
        return None
    for v in variables:
        own = {a: e for a, e in inside.items() if v in a.free}
        if any(a.kind in ("delta", "argmax", "sum") for a in own):
            continue
        inner = _sum_term(frozenset(own.items()), (v,))
        value = told(inner)
        if value is not None:
            rest = rules.product({a: e for a, e in inside.items() if a not in own})
            return sum_over(rules.multiply(rest, value), *(u for u in variables if u is not v))
    return None


@rule
def merge_sums(inside: dict[Atom, Number], variables: tuple[Var, ...]) -> Poly | None:
    """Σ_i aᵢ Σ_j bᵢⱼ = Σ_{i,j} aᵢbᵢⱼ, and under the sum over i also (Σ_j bᵢⱼ)² = Σ_{j,k} bᵢⱼbᵢₖ."""
    opened = [(a, e) for a, e in inside.items() if a.kind == "sum" and isinstance(e, int) and e > 0]
    if not opened:
        return None
    body = rules.product({a: e for a, e in inside.items() if (a, e) not in opened})
    names = list(variables)
    for a, e in sorted(opened, key=lambda ae: ae[0].key):
        for _ in range(e):
            more, inner = open_sum(a)
            names += more
            body = rules.multiply(body, inner)
    return sum_over(body, *names)


def open_sum(a: Atom) -> tuple[list[Var], Poly]:
    """The indices of a sum, renamed apart, and its body."""
    from cs231n.calculus.rewriting import substitute

    names = {b: fresh(b) for b in a.data[0]}
    return list(names.values()), substitute(a.data[1], {b: rules.variable(n) for b, n in names.items()})


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
            names = tuple(sorted(part, key=lambda x: x.key))
            forms = windows(names, frozenset(chosen.items()))
            sums = [named_sum(list(vs), m).scale(c) for vs, m, c in forms]
            out = rules.multiply(out, min(sums, key=lambda p: (len(p.key), p.key)))
        else:
            (v,) = part
            out = rules.multiply(out, sum_of_a_constant(v))
    return rules.multiply(out, rules.product(factors))


#: More ways to name the same windows than this are not compared.
MAX_WINDOWS = 12

_Form = tuple[tuple[Var, ...], Mono, Number]


@rule
def windows(variables: tuple[Var, ...], m: Mono) -> list[_Form]:
    """Σ_{i<n} 1[0 ≤ e < m]·f(i) = Σ_{j<m} 1[0 ≤ i(j) < n]·f(i(j)), for e = ±i + r and j = e solved for i."""
    from cs231n.calculus.rewriting import substitute

    forms: list[_Form] = [(variables, m, 1)]
    seen = {_shape(variables, m)}
    for vs, body, c in forms:
        for v, e, n, factors in _guards(vs, body):
            j = fresh(Var("~", n))
            solved = rules.solve(e - rules.variable(j), v)
            if solved is None:
                continue
            moved = rules.multiply(substitute(Poly({factors: 1}), {v: solved[1]}), rules.in_range(solved[1], v.size))
            if len(moved.terms) != 1:
                continue
            ((other, k),) = moved.terms.items()
            names = tuple(j if u is v else u for u in vs)
            if all(any(u in a.free for a, _ in other) for u in names) and _shape(names, other) not in seen:
                seen.add(_shape(names, other))
                forms.append((names, other, exact(c * k)))
        if len(forms) > MAX_WINDOWS:
            break
    return forms


def _guards(variables: tuple[Var, ...], m: Mono) -> Iterator[tuple[Var, Poly, Poly, Mono]]:
    """The ranges that cut the sum: an index, what must be in range, of which size, and the factors without the cut."""
    for a, e in m:
        if a.kind == "inrange":
            rest = frozenset((b, k) for b, k in m if b is not a)
            yield from ((v, a.data[0], a.data[1], rest) for v in variables if v in a.free)
        elif a.kind == "entry" and a.data[0].zero_outside and e > 0:
            for place, n in zip(a.data[1], a.data[0].shape, strict=True):
                if not surely_in_range(place, n):
                    yield from ((v, place, n, m) for v in variables if v in place.free)


def _shape(variables: tuple[Var, ...], m: Mono) -> str:
    """A key of the form that does not depend on the names of its indices, coarse but enough to end the search."""
    names = {v: f"*{v.size.key}" for v in variables}
    return "·".join(sorted(f"{a.spell(names)}^{e}" for a, e in m))
