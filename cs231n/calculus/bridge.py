"""To SymPy and back: state an equality in SymPy's own nodes, or go on in SymPy with what the engine has made.

Indices that know their range are SymPy's ``Idx``, tensors its ``IndexedBase`` with a shape, sums its ``Sum`` from 0 to
size − 1, and deltas its ``KroneckerDelta``. Sizes are symbols that are positive integers; all else is real.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy as sp

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Base, Poly, Undecided, Var
from cs231n.calculus.context import using
from cs231n.calculus.derivatives import differentiate
from cs231n.calculus.proof import Proof, prove_equal
from cs231n.calculus.rewriting import substitute
from cs231n.calculus.system import System


def equal(left: sp.Expr, right: sp.Expr) -> Proof:
    """Are two SymPy expressions equal for all sizes, wherever both are defined?

    SymPy has already simplified what it was given: a division that it cancelled leaves no condition here.

    Examples:
        >>> import sympy as sp
        >>> N = sp.Symbol("N", integer=True, positive=True)
        >>> i, k = sp.Idx("i", N), sp.Idx("k", N)
        >>> x = sp.IndexedBase("x", shape=(N,), real=True)
        >>> mean = sp.Sum(x[i], (i, 0, N - 1)) / N
        >>> equal(sp.Sum(x[k] - mean, (k, 0, N - 1)), sp.S.Zero).proved
        True
    """
    system = System()
    with using(system.context):
        return prove_equal(system, from_sympy(left), from_sympy(right))


def from_sympy(e: sp.Expr) -> Poly:
    """The normal form of a SymPy expression.

    Raises:
        Undecided: for a node that has no normal form here.
    """
    return _from(sp.sympify(e), {})


def _from(e: sp.Basic, scope: Mapping[sp.Basic, Var]) -> Poly:
    if e in scope:
        return rules.variable(scope[e])
    if isinstance(e, sp.Rational):
        return Poly.number(rules.exact(Fraction(int(e.p), int(e.q))))
    if e == sp.E:
        return rules.exponential(UNIT)
    if isinstance(e, sp.Idx):
        return rules.variable(Var(e.name, _idx_size(e, scope)))
    if isinstance(e, sp.Symbol):
        if e.is_integer and e.is_positive:
            return rules.size(e.name)
        return rules.entry(Base(e.name, (), _sign(e)), ())
    if isinstance(e, sp.Indexed):
        if e.base.shape is None or len(e.base.shape) != len(e.indices):
            raise ValueError(f"expected an IndexedBase with a shape for each index, got {e}")
        shape = tuple(_from(n, {}) for n in e.base.shape)
        return rules.entry(Base(str(e.base.label), shape, _sign(e)), tuple(_from(i, scope) for i in e.indices))
    if isinstance(e, sp.Add):
        out = ZERO
        for a in e.args:
            out = out + _from(a, scope)
        return out
    if isinstance(e, sp.Mul):
        return rules.product_of(_from(a, scope) for a in e.args)
    if isinstance(e, sp.Pow):
        return rules.symbolic_power(_from(e.base, scope), _from(e.exp, scope))
    if isinstance(e, sp.Sum):
        return _from_sum(e, scope)
    if isinstance(e, sp.KroneckerDelta):
        return rules.delta(_from(e.args[0], scope) - _from(e.args[1], scope))
    if isinstance(e, sp.Derivative):
        return _from_derivative(e, scope)
    if isinstance(e, sp.Max | sp.Min):
        args = [_from(a, scope) for a in e.args]
        out = args[0]
        for a in args[1:]:
            out = rules.maximum(a, out) if isinstance(e, sp.Max) else rules.minimum(a, out)
        return out
    for node, make in _FUNCTIONS.items():
        if isinstance(e, node):
            return make(_from(e.args[0], scope))
    raise Undecided(f"no normal form for SymPy's {type(e).__name__}: {e}")


_FUNCTIONS = {
    sp.exp: rules.exponential,
    sp.log: rules.logarithm,
    sp.tanh: rules.hyperbolic_tangent,
    sp.Abs: rules.absolute,
    sp.erf: lambda p: rules.odd_or_even("erf", p),
    sp.sin: lambda p: rules.odd_or_even("sin", p),
    sp.cos: lambda p: rules.odd_or_even("cos", p),
}


def _from_sum(e: sp.Sum, scope: Mapping[sp.Basic, Var]) -> Poly:
    inner, variables = dict(scope), []
    for limit in reversed(e.limits):
        letter, low, high = limit
        if low != 0:
            raise Undecided(f"sums start at 0 here, got {limit}")
        v = rules.fresh(Var(str(letter), _from(high + 1, {})))
        inner[letter] = v
        variables.append(v)
    return rules.sum_over(_from(e.function, inner), *variables)


def _from_derivative(e: sp.Derivative, scope: Mapping[sp.Basic, Var]) -> Poly:
    out = _from(e.expr, scope)
    for entry, count in e.variable_count:
        (atom,) = _from(entry, scope).atoms()
        base, subs = atom.data
        for _ in range(int(count)):
            at = tuple(rules.fresh(Var("~", n)) for n in base.shape)
            out = substitute(differentiate(out, base.name, at), dict(zip(at, subs, strict=True)))
    return out


def _idx_size(i: sp.Idx, scope: Mapping[sp.Basic, Var]) -> Poly:
    if i.lower != 0 or i.upper is None:
        raise ValueError(f"expected an Idx with a range, as Idx('i', N), got {i}")
    return _from(i.upper + 1, scope)


def _sign(e: sp.Expr) -> str:
    return "positive" if e.is_positive else "nonnegative" if e.is_nonnegative else "nonzero" if e.is_nonzero else ""


# ----------------------------------------------------------------------------------------------------------- to SymPy


def to_sympy(p: Poly) -> sp.Expr:
    """A normal form in SymPy's own nodes; indicators become ``Piecewise``."""
    return sp.Add(*(_number(c) * sp.Mul(*(_to(a) ** _number(e) for a, e in m)) for m, c in p.terms.items()))


def _number(q: int | Fraction) -> sp.Rational:
    return sp.Rational(q.numerator, q.denominator)


def _letter(v: Var) -> sp.Idx:
    return sp.Idx(v.name.replace("#", "b").replace("~", "t"), to_sympy(v.size))


def _to(a: Atom) -> sp.Expr:
    d = a.data
    match a.kind:
        case "size":
            return sp.Symbol(d[0], integer=True, positive=True)
        case "prime":
            return sp.Integer(d[0])
        case "pi":
            return sp.pi
        case "var":
            return _letter(d[0])
        case "entry":
            assumptions = {"positive": True} if d[0].sign == "positive" else {"real": True}
            if not d[1]:
                return sp.Symbol(d[0].name, **assumptions)
            base = sp.IndexedBase(d[0].name, shape=tuple(map(to_sympy, d[0].shape)), **assumptions)
            return base[tuple(map(to_sympy, d[1]))]
        case "delta":
            return sp.KroneckerDelta(to_sympy(d[0]), 0)
        case "inrange":
            e = to_sympy(d[0])
            return sp.Piecewise((1, sp.And(e >= 0, e < to_sympy(d[1]))), (0, True))
        case "nonneg":
            return sp.Piecewise((1, to_sympy(d[0]) >= 0), (0, True))
        case "pos":
            return sp.Piecewise((1, to_sympy(d[0]) > 0), (0, True))
        case "sum":
            return sp.Sum(to_sympy(d[1]), *((_letter(v), 0, to_sympy(v.size) - 1) for v in d[0]))
        case "exp":
            return sp.exp(to_sympy(d[0]))
        case "log":
            return sp.log(to_sympy(d[0]))
        case "base":
            return to_sympy(d[0])
        case "fn":
            u = to_sympy(d[1])
            return {"sigmoid": lambda: 1 / (1 + sp.exp(-u)), "erf": lambda: sp.erf(u), "sin": lambda: sp.sin(u)}.get(
                d[0], lambda: sp.cos(u)
            )()
        case "expect":
            raise Undecided("SymPy is not told of expectations: their random names have no distribution there")
    raise Undecided(f"SymPy has no node for {a}")


__all__ = ["equal", "from_sympy", "to_sympy"]
