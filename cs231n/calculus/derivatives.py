"""The derivative of an expression by an entry of a tensor.

Each case is the textbook rule named in the comment beside it. An indicator has derivative 0 off its kink, and a
maximum over an axis has the indicator of its maximiser where there are no ties; both are recorded as hypotheses.
"""

from __future__ import annotations

from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Number, Poly, Undecided, Var
from cs231n.calculus.context import NO_TIES, OFF_THE_KINK, for_all_inputs, need
from cs231n.calculus.rewriting import substitute


def differentiate(p: Poly, name: str, at: tuple[Var, ...]) -> Poly:
    """∂p/∂name[at]. The indices ``at`` must be fresh: a letter shared with p would mean the diagonal."""
    with for_all_inputs():
        return _differentiate(p, name, at)


def _differentiate(p: Poly, name: str, at: tuple[Var, ...]) -> Poly:
    if name not in p.names:
        return ZERO
    out = ZERO
    for m, c in p.terms.items():
        for a, e in m:
            if name not in a.names:
                continue
            rest = rules.product({b: k for b, k in m if b is not a}).scale(c)
            out = out + rules.multiply(rest, _power(a, e, name, at))
    return out


def _power(a: Atom, e: Number, name: str, at: tuple[Var, ...]) -> Poly:
    """(aᵉ)′ = e·aᵉ⁻¹·a′."""
    inner = _atom(a, name, at)
    if not inner.terms:
        return ZERO
    if e == 1:
        return inner
    outer = rules.power(a.data[0], rules.exact(e - 1)) if a.kind == "base" else rules.product({a: rules.exact(e - 1)})
    return rules.multiply(outer, inner).scale(e)


def _atom(a: Atom, name: str, at: tuple[Var, ...]) -> Poly:
    d = a.data
    match a.kind:
        case "entry":
            base, subs = d
            if any(name in s.names for s in subs):
                raise Undecided(f"a subscript depends on {name}")
            if base.name != name:
                return ZERO
            # ∂x[e]/∂x[k] = δ(e, k)
            return rules.product_of(rules.delta(e - rules.variable(v)) for e, v in zip(subs, at, strict=True))
        case "sum":  # (Σ b)′ = Σ b′
            variables, body = rules.open_sum(a)
            return rules.sum_over(_differentiate(body, name, at), *variables)
        case "exp":  # (eᵘ)′ = eᵘ·u′
            return rules.multiply(Poly.atom(a), _differentiate(d[0], name, at))
        case "log":  # (log u)′ = u′/u
            return rules.multiply(rules.power(d[0], -1), _differentiate(d[0], name, at))
        case "base":
            return _differentiate(d[0], name, at)
        case "fn":
            return rules.multiply(_function(d[0], d[1]), _differentiate(d[1], name, at))
        case "pos":
            need(OFF_THE_KINK)
            return ZERO
        case "argmax":
            need(NO_TIES)
            return ZERO
        case "size" | "prime" | "pi" | "var" | "delta" | "inrange" | "nonneg":  # integers, and constants
            return ZERO
        case "max":  # (max_i b_i)′ = Σ_i A_i·b_i′, A the indicator of the maximiser
            need(NO_TIES)
            v = rules.fresh(d[0])
            inner = substitute(_differentiate(d[1], name, at), {d[0]: rules.variable(v)})
            mask = Poly.atom(Atom("argmax", d[0], d[1], rules.variable(v)))
            return rules.sum_over(rules.multiply(mask, inner), v)
        case "expect":
            raise Undecided("an expectation is not differentiated")
    raise Undecided(f"no derivative is known for {a.kind}")


def _function(fn: str, u: Poly) -> Poly:
    match fn:
        case "sigmoid":  # σ′ = σ(1 − σ)
            s = rules.sigmoid(u)
            return rules.multiply(s, UNIT - s)
        case "erf":  # erf′ = 2/√π · exp(−u²)
            gaussian = rules.exponential(-rules.multiply(u, u))
            return rules.multiply(gaussian, rules.product({Atom("pi"): Fraction(-1, 2)})).scale(2)
        case "sin":
            return rules.odd_or_even("cos", u)
        case "cos":
            return -rules.odd_or_even("sin", u)
    raise Undecided(f"no derivative is known for {fn}")
