"""Canonical names for bound indices, so that sums which differ only in their letters are one object."""

from __future__ import annotations

from itertools import count, permutations
from itertools import product as cartesian
from math import factorial, prod

from cs231n.calculus import rules
from cs231n.calculus.algebra import Atom, Mono, Number, Poly, TooLarge, Var
from cs231n.calculus.rewriting import substitute

#: More orders of equally used indices than this are not tried: the answer is then *undecided: too large*.
MAX_ORDERS = 720


def named_sum(variables: list[Var], m: Mono) -> Poly:
    """Σ over the variables of one term, as a sum atom with canonical names."""
    order = canonical_order(variables, m)
    names = dict(zip(order, bound_names(Poly({m: 1}), order), strict=True))
    body = substitute(Poly({m: 1}), {v: rules.variable(b) for v, b in names.items()})
    if len(body.terms) == 1:
        ((inner, c),) = body.terms.items()
        bound = tuple(names.values())
        if all(any(b in a.free for a, _ in inner) for b in bound) and all(
            any(b in a.free for b in bound) for a, _ in inner
        ):
            return Poly.atom(Atom("sum", bound, Poly({inner: 1}))).scale(c)
    # the new names have let a rule apply (a sign turned, a delta solved): sum what came out
    back = {b: rules.fresh(b) for b in names.values()}
    out = substitute(body, {b: rules.variable(v) for b, v in back.items()})
    return rules.sum_over(out, *back.values())


def bound_names(body: Poly, variables: list[Var]) -> list[Var]:
    """A name ``#k`` for each variable, above all that are bound in the body and none that is free in it."""
    taken = {v.name for v in body.free}
    numbers = (k for k in count(body.height) if f"#{k}" not in taken)
    return [Var(f"#{next(numbers)}", v.size) for v in variables]


def canonical_order(variables: list[Var], m: Mono) -> list[Var]:
    """The variables in an order that depends on their sizes and on how the term uses them, not on their names.

    Each gets a colour, at first its size; a round replaces a colour by what the factors look like with that variable
    marked and all others shown by their colours. What is still equal after that is tried in every order.
    """
    if len(variables) == 1:
        return variables
    colour = {v: v.size.key for v in variables}
    factors: list[tuple[Atom, Number]] = list(m)
    for _ in range(3):
        groups = _groups(colour)
        if all(len(g) == 1 for g in groups):
            return [g[0] for g in groups]
        new = {}
        for g in groups:
            for v in g:
                if len(g) == 1:
                    new[v] = colour[v]
                    continue
                marked = {**colour, v: "*"}
                seen = sorted(f"{a.spell(marked)}^{e}" for a, e in factors if v in a.free)
                new[v] = f"{colour[v]}<{';'.join(seen)}>"
        # shorten: only the order of the colours matters from here on
        rank = {c: f"{k:03d}" for k, c in enumerate(sorted(set(new.values())))}
        shortened = {v: rank[c] for v, c in new.items()}
        if len(set(shortened.values())) == len(groups):
            colour = shortened
            break
        colour = shortened
    groups = _groups(colour)
    if all(len(g) == 1 for g in groups):
        return [g[0] for g in groups]
    if prod(factorial(len(g)) for g in groups) > MAX_ORDERS:
        raise TooLarge("too large: a sum over many like indices")
    best: tuple[str, list[Var]] | None = None
    for choice in cartesian(*(permutations(g) for g in groups)):
        order = [v for g in choice for v in g]
        spelled = {v: f"#{k}" for k, v in enumerate(order)}
        text = "·".join(sorted(f"{a.spell(spelled)}^{e}" for a, e in factors))
        if best is None or text < best[0]:
            best = (text, order)
    assert best is not None
    return best[1]


def _groups(colour: dict[Var, str]) -> list[list[Var]]:
    out: dict[str, list[Var]] = {}
    for v, c in colour.items():
        out.setdefault(c, []).append(v)
    return [sorted(out[c], key=lambda v: v.key) for c in sorted(out)]
