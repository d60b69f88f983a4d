r"""Runs plain NumPy code on arrays of SymPy symbols, and compares its backward with SymPy's derivative of its forward.

An `ExactArray` is an object array whose entries are `Exact` numbers: a SymPy expression, and its value at
a sample point. Arithmetic works on both. A comparison is decided by the sample, and the branch taken becomes a
hypothesis of the run (``x_0_1 > 0``), so code with kinks is checked on the side on which the sample lies.

Integers and booleans are exact. A float is read as the shortest decimal that prints like it: 0.5 is 1/2 and 0.1 is
1/10, but 1/3, rounded before it comes here, stays a long decimal that is not 1/3. So code divides by integers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from cs231n.checking.identities import SMALL, Field, Undecided, is_zero, reals

__all__ = [
    "Exact",
    "ExactArray",
    "ExactReport",
    "Mismatch",
    "Undecided",
    "World",
    "check_backward_exactly",
    "rationals",
]


class World:
    """One run: the values of the symbols, and the hypotheses under which the branches taken are right."""

    def __init__(self) -> None:
        self.at: dict[sympy.Symbol, Any] = {}
        self.hypotheses: dict[str, None] = {}

    def number(self, value: Any) -> Exact:
        """A rational constant."""
        rational = _rational(value)
        if rational is None:
            raise TypeError(f"expected a rational number, got {value!r}")
        return Exact(self, rational, reals.mpf(rational.p) / rational.q)

    def symbol(self, name: str, value: Fraction | int, *, sign: str = "") -> Exact:
        """A real symbol (``sign`` 'positive': a positive one) and its value at the sample."""
        symbol = sympy.Symbol(name, positive=True) if sign == "positive" else sympy.Symbol(name, real=True)
        value = Fraction(value)
        self.at[symbol] = reals.mpf(value.numerator) / value.denominator
        return Exact(self, symbol, self.at[symbol])

    def array(self, name: str, values: Any, *, sign: str = "") -> Any:
        """Symbols name_0_1 … with these sample ``values``: an `ExactArray`; one `Exact` for one value."""
        values = np.asarray(values, object)
        entries = np.empty(values.shape, object)
        for index in np.ndindex(values.shape):
            entries[index] = self.symbol("_".join([name, *map(str, index)]), values[index], sign=sign)
        return _wrap(entries, self) if values.shape else entries[()]

    def decide(self, left: Exact, op: str, right: Exact) -> bool:
        gap = left.value - right.value
        if left.expr == right.expr:
            return op in ("<=", ">=", "==")
        if abs(gap) < SMALL:
            try:
                is_zero(left.expr - right.expr, Field(self.at))
            except Undecided:
                raise Undecided(f"the sample lies on the kink {left.expr} = {right.expr}") from None
            return op in ("<=", ">=", "==")
        if op in ("==", "!="):
            self._suppose(left.expr - right.expr, "!=")
            return op == "!="
        self._suppose(left.expr - right.expr, ">" if gap > 0 else "<")
        return (gap > 0) == (op in (">", ">="))

    def _suppose(self, difference: sympy.Expr, op: str) -> None:
        if not difference.free_symbols:
            return
        if difference.could_extract_minus_sign():
            difference, op = -difference, {"<": ">", ">": "<"}.get(op, op)
        if (op == ">" and difference.is_positive) or (op == "!=" and difference.is_nonzero):
            return
        self.hypotheses[f"{difference} {op} 0"] = None


def _rational(value: Any) -> sympy.Rational | None:
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return sympy.Integer(int(value))
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise ValueError(f"expected a finite number in exact arithmetic, got {value}")
        exact = Fraction(repr(float(value)))
        return sympy.Rational(exact.numerator, exact.denominator)
    if isinstance(value, sympy.Rational):
        return value
    return None


class Exact:
    """A real number known exactly: a SymPy expression with its value at the sample of its `World`."""

    __slots__ = ("expr", "value", "world")

    def __init__(self, world: World, expr: sympy.Expr, value: Any) -> None:
        self.world, self.expr, self.value = world, expr, value

    def __repr__(self) -> str:
        return str(self.expr)

    def _lift(self, other: Any) -> Exact | None:
        if isinstance(other, Exact):
            return other
        rational = None if isinstance(other, np.ndarray) else _rational(other)
        return None if rational is None else self.world.number(rational)

    # --- arithmetic

    def __add__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else Exact(self.world, self.expr + o.expr, self.value + o.value)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else Exact(self.world, self.expr * o.expr, self.value * o.value)

    __rmul__ = __mul__

    def __neg__(self) -> Exact:
        return Exact(self.world, -self.expr, -self.value)

    def __pos__(self) -> Exact:
        return self

    def __sub__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else Exact(self.world, self.expr - o.expr, self.value - o.value)

    def __rsub__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else o - self

    def __truediv__(self, other: Any) -> Exact:
        o = self._lift(other)
        if o is None:
            return NotImplemented
        if abs(o.value) < SMALL:
            raise ZeroDivisionError(f"division by {o.expr}, which is 0 at the sample")
        return Exact(self.world, self.expr / o.expr, self.value / o.value)

    def __rtruediv__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else o / self

    def __pow__(self, other: Any) -> Exact:
        o = self._lift(other)
        if o is None:
            return NotImplemented
        if not o.expr.is_Integer and self.value <= 0:
            raise Undecided(f"a power of {self.expr}, which is not positive at the sample")
        if self.value == 0 and o.value < 0:
            raise ZeroDivisionError(f"a negative power of {self.expr}, which is 0 at the sample")
        if not o.expr.is_Rational:
            return (o * self.log()).exp()
        return Exact(self.world, self.expr**o.expr, self.value**o.value)

    def __rpow__(self, other: Any) -> Exact:
        o = self._lift(other)
        return NotImplemented if o is None else o**self

    def __abs__(self) -> Exact:
        return self if self >= 0 else -self

    # --- what NumPy calls for np.sqrt, np.exp … on an object array

    def _apply(self, name: str) -> Exact:
        return Exact(self.world, getattr(sympy, name)(self.expr), getattr(reals, name)(self.value))

    def sqrt(self) -> Exact:
        if self.value < 0:
            raise Undecided(f"the root of {self.expr}, which is negative at the sample")
        return self._apply("sqrt")

    def log(self) -> Exact:
        if self.value <= 0:
            raise Undecided(f"the logarithm of {self.expr}, which is not positive at the sample")
        return self._apply("log")

    def exp(self) -> Exact:
        return self._apply("exp")

    def tanh(self) -> Exact:
        return self._apply("tanh")

    def sin(self) -> Exact:
        return self._apply("sin")

    def cos(self) -> Exact:
        return self._apply("cos")

    def erf(self) -> Exact:
        return self._apply("erf")

    def log1p(self) -> Exact:
        return (1 + self).log()

    def expm1(self) -> Exact:
        return self.exp() - 1

    def conjugate(self) -> Exact:
        return self

    # --- comparisons

    def _compare(self, op: str, other: Any) -> bool:
        o = self._lift(other)
        return NotImplemented if o is None else self.world.decide(self, op, o)

    def __lt__(self, other: Any) -> bool:
        return self._compare("<", other)

    def __le__(self, other: Any) -> bool:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> bool:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> bool:
        return self._compare(">=", other)

    def __eq__(self, other: object) -> bool:
        return self._compare("==", other)

    def __ne__(self, other: object) -> bool:
        return self._compare("!=", other)

    def __hash__(self) -> int:
        return hash(self.expr)

    def __bool__(self) -> bool:
        return self != 0

    def _no_float(self, *_: Any) -> Any:
        raise TypeError(f"{self.expr} has no float value: the code leaves exact arithmetic here (astype, math.…, int)")

    __float__ = __int__ = __index__ = __complex__ = _no_float


#: Functions that have no loop for object arrays, written for one entry.
_ENTRYWISE: dict[np.ufunc, Callable[..., Any]] = {
    np.isfinite: lambda x: True,
    np.isnan: lambda x: False,
    np.isinf: lambda x: False,
    np.signbit: lambda x: x < 0,
    np.logaddexp: lambda x, y: (x.exp() + y.exp()).log(),
    np.heaviside: lambda x, y: x.world.number(x > 0) if x != 0 else y,
}
_COMPARISONS = {np.isfinite, np.isnan, np.isinf, np.signbit}


class ExactArray(np.ndarray):
    """An object array of `Exact` numbers; NumPy functions of it give such arrays again."""

    world: World | None

    def __array_finalize__(self, parent: Any) -> None:
        self.world = getattr(parent, "world", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        world = next((i.world for i in inputs if isinstance(i, (Exact, ExactArray)) and i.world), None)
        plain = [_plain(i, world) for i in inputs]
        if method == "at":  # changes its first argument, which must stay the caller's array
            target = inputs[0].view(np.ndarray)
            target[...] = plain[0]
            plain[0] = target
        outs = kwargs.pop("out", ())
        if outs:
            kwargs["out"] = tuple(o.view(np.ndarray) if isinstance(o, ExactArray) else o for o in outs)
        kwargs.pop("dtype", None)
        if method == "__call__" and ufunc in _ENTRYWISE:
            result = np.frompyfunc(_ENTRYWISE[ufunc], ufunc.nin, 1)(*plain)
            return (
                result.astype(bool)
                if ufunc in _COMPARISONS and isinstance(result, np.ndarray)
                else _wrap(result, world)
            )
        result = getattr(ufunc, method)(*plain, **kwargs)
        return outs[0] if outs else _wrap(result, world)

    def __array_function__(self, func: Callable, types: Iterable[type], args: Any, kwargs: Any) -> Any:
        return _wrap(super().__array_function__(func, types, args, kwargs), self.world)


def _plain(value: Any, world: Any) -> Any:
    """An object array without its class and with exact entries: the 0 of np.zeros_like would divide to a float."""
    if world is None or not isinstance(value, np.ndarray) or value.dtype.kind not in "Of":
        return value.view(np.ndarray) if isinstance(value, ExactArray) else value
    plain: Any = value.view(np.ndarray)
    if all(isinstance(e, Exact) for e in plain.flat):
        return plain
    lifted = np.empty(plain.shape, object)
    for index in np.ndindex(plain.shape):
        entry = plain[index]
        lifted[index] = entry if isinstance(entry, Exact) else world.number(entry)
    return lifted


def _wrap(result: Any, world: World | None) -> Any:
    if isinstance(result, tuple):
        return tuple(_wrap(r, world) for r in result)
    if isinstance(result, np.ndarray) and result.dtype == object:
        result = result.view(ExactArray)
        result.world = world
    return result


# --------------------------------------------------------------------------------------------- the check


class Mismatch(AssertionError):
    """The code's backward is not the derivative of its forward."""


@dataclass(frozen=True)
class ExactReport:
    """How many entries were proved equal, under which hypotheses, in how many seconds."""

    entries: int
    hypotheses: list[str] = field(default_factory=list)
    seconds: float = 0.0


def check_backward_exactly(
    run: Callable[..., Mapping[str, Any]],
    inputs: Mapping[str, Any],
    *,
    outputs: Mapping[str, str | None],
    gradients: Mapping[str, str],
    positive: Iterable[str] = (),
    constants: Mapping[str, Any] | None = None,
) -> ExactReport:
    """Prove, for these sizes, that the code's backward is SymPy's derivative of the code's forward.

    Args:
        run: called with the arrays of symbols and the constants by name; calls forward and backward and returns a
            dictionary of what they returned.
        inputs: the sample, as arrays of fractions (a scalar: one fraction). It gives the shapes and decides branches.
            An array of zeros and ones stays symbolic too.
        outputs: for each returned output the input that is its incoming gradient; None for a scalar loss.
        gradients: for each returned gradient the input it belongs to.
        positive: the names of inputs that are positive.
        constants: further arguments of ``run``, passed as they are (labels, masks, modes).

    Raises:
        Mismatch: an entry differs, or a gradient has another shape than its input.
        Undecided: equality at the sample that no rule explains, or a sample on a kink.
    """
    started = time.perf_counter()
    world, positive = World(), set(positive)
    symbols = {n: world.array(n, v, sign="positive" if n in positive else "") for n, v in inputs.items()}
    returned = run(**{n: s.copy() if isinstance(s, ExactArray) else s for n, s in symbols.items()}, **(constants or {}))

    terms: list[tuple[sympy.Expr, sympy.Expr]] = []  # the loss: the sum of weight · output over these
    for name, upstream in outputs.items():
        out = _array(returned[name], world)
        if upstream is None:
            terms.append((sympy.Integer(1), out[()].expr))
        else:
            weights = _array(symbols[upstream], world)
            if weights.shape != out.shape:
                raise Mismatch(f"{name} has the shape {out.shape}, its incoming gradient {upstream} {weights.shape}")
            terms += [(w.expr, o.expr) for w, o in zip(weights.flat, out.flat, strict=True)]

    reach = [(weight, expr, expr.free_symbols) for weight, expr in terms]
    proved, numbers = 0, Field(world.at)
    for name, wrt in gradients.items():
        gradient, variables = _array(returned[name], world), _array(symbols[wrt], world)
        if gradient.shape != variables.shape:
            raise Mismatch(f"{name} has the shape {gradient.shape}, {wrt} has the shape {variables.shape}")
        for index in np.ndindex(variables.shape):
            variable = variables[index].expr
            slope = sympy.Add(*[w * sympy.diff(e, variable) for w, e, symbols_in in reach if variable in symbols_in])
            if not is_zero(gradient[index].expr - slope, numbers):
                value = numbers.convert(slope)
                expected = numbers.value(value.num) / numbers.value(numbers.denominator(value))
                where = "[" + ", ".join(map(str, index)) + "]" if index else ""
                raise Mismatch(
                    f"{name}{where} of the code is {float(gradient[index].value):.12g} at the sample, "
                    f"the derivative of the code's forward is {float(expected):.12g}"
                )
            proved += 1
    return ExactReport(proved, [*world.hypotheses, *numbers.hypotheses], time.perf_counter() - started)


def _array(value: Any, world: World) -> Any:
    """A plain object array of `Exact` numbers, of rank 0 for a single one."""
    array = np.empty((), object)
    if isinstance(value, np.ndarray):
        array = value.astype(object).view(np.ndarray)
    else:
        array[()] = value
    return _plain(array, world)


def rationals(shape: tuple[int, ...], seed: int, *, positive: bool = False) -> np.ndarray:
    """Small fractions of both signs, pairwise distinct and not 0: a sample off most kinks."""
    rng = np.random.default_rng(seed)
    size = int(np.prod(shape, dtype=int))
    numerators = rng.choice(np.arange(1, 8 * size + 9), size=size, replace=False)
    signs = np.ones(size, int) if positive else rng.permutation(np.resize([1, -1], size))
    values = [Fraction(int(n * s), 4 * size + 4) for n, s in zip(numerators, signs, strict=True)]
    out = np.empty(size, object)
    out[:] = values
    return out.reshape(shape)
