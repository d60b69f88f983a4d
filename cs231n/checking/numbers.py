"""The numbers a page is evaluated in: floats, 50-digit reals, fractions, and dual numbers over each.

A `Numbers` is a small table of functions under the names that compiled formulas call. Outside a function's
domain they raise `DomainError`; they never return nan, infinities or complex numbers on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath

#: Closer than this to a kink (or a tie), a point is thrown away: rounding could choose the branch.
NEAR = 1e-6


class EvaluationError(ValueError):
    """The formula cannot be evaluated: an undeclared name, a missing output, a second derivative …"""


class OutOfRange(EvaluationError):
    """An entry is read outside the range of its tensor without a guard that is zero there."""


class DomainError(EvaluationError):
    """Division by zero, log of a number ≤ 0, root of a negative number …: the formula has no value at this point."""


class OnKink(DomainError):
    """The point lies on, or within rounding of, a kink, a jump or a tie."""


class TooManyDraws(DomainError):
    """An expectation reads more random entries than can be gone through one by one at this point."""


@dataclass(frozen=True)
class Numbers:
    """A number system. ``make`` converts a Fraction or an int, ``functions`` is what compiled formulas may call."""

    name: str
    make: Callable[[Any], Any]
    functions: dict[str, Callable[..., Any]]

    def with_duals(self) -> dict[str, Callable[..., Any]]:
        """The same functions, accepting `Dual` arguments too."""
        return _dual_functions(self)


def _compare(minus: Callable[[Any, Any], Any]) -> dict[str, Callable[..., bool]]:
    # Exactly 0 is a value like any other (the diagonal of x_i - x_j, the maximiser in [x_c = m]); nearly 0 is rounding.
    return {
        "lt": lambda a, b: minus(a, b) < 0,
        "le": lambda a, b: minus(a, b) <= 0,
        "gt": lambda a, b: minus(a, b) > 0,
        "ge": lambda a, b: minus(a, b) >= 0,
        "eq": lambda a, b: minus(a, b) == 0,
        "ne": lambda a, b: minus(a, b) != 0,
    }


def _minus(a: Any, b: Any) -> Any:
    d = a - b
    if -NEAR < d < NEAR and d != 0:
        raise OnKink(f"the two sides of a condition differ by {float(d):.1e} only")
    return d


def _no_branch() -> Any:
    raise DomainError("no case of a cases formula holds")


_COMMON: dict[str, Callable[..., Any]] = {
    "vsum": sum,
    "vmax": max,
    "vmin": min,
    "fabs": abs,
    "no_branch": _no_branch,
    **_compare(_minus),
}


# ------------------------------------------------------------------------------------------------- plain numbers


def _sigmoid(u: float) -> float:
    if u >= 0:
        return 1.0 / (1.0 + math.exp(-u))
    e = math.exp(u)
    return e / (1.0 + e)


def _softplus(u: float) -> float:
    return max(u, 0.0) + math.log1p(math.exp(-abs(u)))


FLOAT = Numbers(
    "double",
    float,
    {
        **_COMMON,
        "F": float,
        "sqrt": math.sqrt,
        "exp": math.exp,
        "log": math.log,
        "tanh": math.tanh,
        "sin": math.sin,
        "cos": math.cos,
        "erf": math.erf,
        "sigmoid": _sigmoid,
        "softplus": _softplus,
        "rpow": math.pow,  # raises ValueError for a negative base and for 0 to a negative power
        "pi": lambda: math.pi,
    },
)


def real(digits: int) -> Numbers:
    """Real numbers with ``digits`` decimal digits, in an mpmath context of their own."""
    ctx = mpmath.MPContext()
    ctx.dps = digits
    mpf = ctx.mpf

    def make(value: Fraction | int) -> Any:
        return mpf(value.numerator) / value.denominator

    def log(u: Any) -> Any:
        if u <= 0:
            raise DomainError("log of a number that is not positive")
        return ctx.log(u)

    def sqrt(u: Any) -> Any:
        if u < 0:
            raise DomainError("square root of a negative number")
        return ctx.sqrt(u)

    def rpow(base: Any, exponent: Any) -> Any:
        if base < 0 and exponent != int(exponent):
            raise DomainError("a negative number to a power that is no integer")
        if base == 0 and exponent < 0:
            raise DomainError("0 to a negative power")
        return base**exponent

    def softplus(u: Any) -> Any:
        return max(u, mpf(0)) + ctx.log1p(ctx.exp(-abs(u)))

    return Numbers(
        f"{digits} digits",
        make,
        {
            **_COMMON,
            "F": mpf,
            "sqrt": sqrt,
            "exp": ctx.exp,
            "log": log,
            "tanh": ctx.tanh,
            "sin": ctx.sin,
            "cos": ctx.cos,
            "erf": ctx.erf,
            "sigmoid": lambda u: 1 / (1 + ctx.exp(-u)),
            "softplus": softplus,
            "rpow": rpow,
            "pi": lambda: +ctx.pi,
        },
    )


def _irrational(*_: Any) -> Any:
    raise EvaluationError("this value is no rational number")


def _rational_power(base: Fraction, exponent: Fraction) -> Fraction:
    return base**exponent.numerator if exponent.denominator == 1 else _irrational()


#: Exact rational arithmetic, for assumptions that are solved for an entry.
EXACT = Numbers(
    "exact",
    Fraction,
    {
        **_COMMON,
        "F": Fraction,
        "rpow": _rational_power,
        **dict.fromkeys(("sqrt", "exp", "log", "tanh", "sin", "cos", "erf", "sigmoid", "softplus", "pi"), _irrational),
    },
)


# -------------------------------------------------------------------------------------------------- dual numbers


class Dual:
    """A value with its partial derivatives: forward-mode differentiation.

    ``d`` maps a seed (the subscripts of the entry differentiated by) to the derivative; missing seeds are 0, and a
    derivative that cancels exactly is removed, so that x − x is no kink of max(0, x − x).
    """

    __slots__ = ("d", "v")

    def __init__(self, v: Any, d: dict[tuple[int, ...], Any]) -> None:
        self.v = v
        self.d = d

    def __repr__(self) -> str:
        return f"Dual({self.v!r}, {self.d!r})"

    def _chain(self, v: Any, slope: Any) -> Dual:
        return Dual(v, {k: slope * g for k, g in self.d.items()} if slope else {})

    def __add__(self, other: Any) -> Dual:
        if type(other) is Dual:
            return Dual(self.v + other.v, _merge(self.d, other.d))
        return Dual(self.v + other, self.d)

    __radd__ = __add__

    def __neg__(self) -> Dual:
        return Dual(-self.v, {k: -g for k, g in self.d.items()})

    def __sub__(self, other: Any) -> Dual:
        if type(other) is Dual:
            return Dual(self.v - other.v, _merge(self.d, {k: -g for k, g in other.d.items()}))
        return Dual(self.v - other, self.d)

    def __rsub__(self, other: Any) -> Dual:
        return Dual(other - self.v, {k: -g for k, g in self.d.items()})

    def __mul__(self, other: Any) -> Dual:
        if type(other) is Dual:
            a, b = self.v, other.v
            return Dual(a * b, _merge({k: b * g for k, g in self.d.items()}, {k: a * g for k, g in other.d.items()}))
        return self._chain(self.v * other, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Dual:
        if type(other) is Dual:
            q = self.v / other.v
            slope = 1 / other.v
            mine = {k: slope * g for k, g in self.d.items()}
            return Dual(q, _merge(mine, {k: -q * slope * g for k, g in other.d.items()}))
        return Dual(self.v / other, {k: g / other for k, g in self.d.items()})

    def __rtruediv__(self, other: Any) -> Dual:
        q = other / self.v
        return self._chain(q, -q / self.v)

    def __pow__(self, exponent: int) -> Dual:
        """An integer power; other powers go through ``rpow``."""
        return self._chain(self.v**exponent, exponent * self.v ** (exponent - 1) if exponent else 0)


def _merge(a: dict[tuple[int, ...], Any], b: dict[tuple[int, ...], Any]) -> dict[tuple[int, ...], Any]:
    out = dict(a)
    for k, g in b.items():
        if k in out:
            g = out[k] + g
            if not g:
                del out[k]
                continue
        out[k] = g
    return out


def _value(u: Any) -> Any:
    return u.v if type(u) is Dual else u


def _dual_sum(terms: Iterable[Any]) -> Any:
    total: Any = 0
    slopes: dict[tuple[int, ...], Any] = {}
    for term in terms:
        if type(term) is Dual:
            total = total + term.v
            for k, g in term.d.items():
                slopes[k] = slopes[k] + g if k in slopes else g
        else:
            total = total + term
    slopes = {k: g for k, g in slopes.items() if g}
    return Dual(total, slopes) if slopes else total


def _dual_extremum(best: Callable[..., Any]) -> Callable[..., Any]:
    def extremum(*args: Any) -> Any:
        items = list(args[0]) if len(args) == 1 else list(args)
        winner = best(items, key=_value)
        if all(type(u) is not Dual for u in items):
            return winner
        slopes = winner.d if type(winner) is Dual else {}
        for u in items:
            if abs(_value(u) - _value(winner)) < NEAR and (u.d if type(u) is Dual else {}) != slopes:
                raise OnKink("a maximum or minimum is attained twice, so it has no derivative")
        return winner

    return extremum


def _dual_abs(u: Any) -> Any:
    if type(u) is not Dual:
        return abs(u)
    if abs(u.v) < NEAR and u.d:
        raise OnKink("an absolute value is taken at 0, where it has no derivative")
    return -u if u.v < 0 else u


def _dual_minus(a: Any, b: Any) -> Any:
    d = a - b
    if type(d) is not Dual:
        return _minus(d, 0)
    if d.v == 0 and d.d:
        raise OnKink("a condition changes at this point, so the formula has no derivative")
    return _minus(d.v, 0)


def _dual_functions(numbers: Numbers) -> dict[str, Callable[..., Any]]:
    f = numbers.functions
    exp, log, sqrt, tanh, sin, cos, erf = (f[n] for n in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf"))
    sigmoid, softplus, rpow = f["sigmoid"], f["softplus"], f["rpow"]

    def lift(fn: Callable[[Any], Any], slope: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
        """``fn`` on dual numbers, ``slope(u, fn(u))`` being its derivative."""

        def lifted(u: Any) -> Any:
            if type(u) is not Dual:
                return fn(u)
            v = fn(u.v)
            return u._chain(v, slope(u.v, v)) if u.d else v

        return lifted

    def power(base: Any, exponent: Any) -> Any:
        if type(exponent) is Dual and exponent.d:
            u = lifted_log(base) * exponent
            v = exp(u.v)
            return u._chain(v, v)
        exponent = _value(exponent)
        if type(base) is not Dual:
            return rpow(base, exponent)
        v = rpow(base.v, exponent)
        if not base.d or exponent == 0:
            return v
        if base.v == 0 and exponent < 1:
            raise DomainError("the derivative of a power is infinite at 0")
        return base._chain(v, exponent * rpow(base.v, exponent - 1))

    lifted_log = lift(log, lambda u, v: 1 / u)
    return {
        **f,
        **_compare(_dual_minus),
        "vsum": _dual_sum,
        "vmax": _dual_extremum(max),
        "vmin": _dual_extremum(min),
        "fabs": _dual_abs,
        "sqrt": lift(sqrt, lambda u, v: 1 / (2 * v)),
        "exp": lift(exp, lambda u, v: v),
        "log": lifted_log,
        "tanh": lift(tanh, lambda u, v: 1 - v * v),
        "sin": lift(sin, lambda u, v: cos(u)),
        "cos": lift(cos, lambda u, v: -sin(u)),
        "erf": lift(erf, lambda u, v: 2 / f["sqrt"](f["pi"]()) * exp(-u * u)),
        "sigmoid": lift(sigmoid, lambda u, v: v * (1 - v)),
        "softplus": lift(softplus, lambda u, v: sigmoid(u)),
        "rpow": power,
    }
