"""The definitions of a page as functions of arrays, for an automatic differentiation that is not ours.

`gradients` computes the page's outputs from its definitions in HIPS autograd or in PyTorch and lets that library
differentiate. A formula becomes one array with an axis for each index in scope; a sum adds an axis and sums it away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cs231n.checking.evaluate import Formulas, Sample, integer
from cs231n.pages import tree as t

__all__ = ["Unsupported", "gradients"]

Scope = tuple[t.Index, ...]


class Unsupported(ValueError):
    """The page's outputs are defined through a derivative: there is nothing to differentiate."""


class Library:
    """What the translation needs of an array library."""

    def __init__(self, name: str) -> None:
        self.name = name
        if name == "autograd":
            import autograd.numpy as library
        else:
            import torch as library
        self.np: Any = library

    def variable(self, values: np.ndarray) -> Any:
        if self.name == "autograd":
            return values
        return self.np.tensor(values, dtype=self.np.float64, requires_grad=True)

    def constant(self, values: Any) -> Any:
        values = np.asarray(values, dtype=np.float64)
        return values if self.name == "autograd" else self.np.as_tensor(values, dtype=self.np.float64)

    def read(self, table: Any, keys: list[np.ndarray]) -> Any:
        if self.name == "autograd":
            return table[tuple(keys)]
        return table[tuple(self.np.as_tensor(k) for k in keys)]

    def where(self, condition: np.ndarray, a: Any, b: Any) -> Any:
        if self.name == "autograd":
            return self.np.where(condition, a, b)
        return self.np.where(self.np.as_tensor(condition), a, b)

    def max(self, value: Any, axis: int) -> Any:
        return self.np.max(value, axis) if self.name == "autograd" else self.np.amax(value, axis)

    def plain(self, value: Any) -> np.ndarray:
        """The numbers alone, to compare: no derivative flows through a comparison."""
        if self.name == "torch":
            return value.detach().numpy() if isinstance(value, self.np.Tensor) else np.asarray(value)
        while hasattr(value, "_value"):
            value = value._value
        return np.asarray(value)

    def function(self, name: str) -> Callable[..., Any]:
        special: dict[str, Callable[..., Any]] = {
            "sigmoid": lambda u: (self.np.tanh(u / 2) + 1) / 2,
            "softplus": lambda u: self.np.logaddexp(u, self.constant(0.0)),
            "erf": self.np.erf if self.name == "torch" else _erf(),
        }
        return special.get(name) or getattr(self.np, name)

    def gradient(self, loss: Callable[[dict[str, Any]], Any], at: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self.name == "autograd":
            from autograd import grad

            return {n: np.asarray(g) for n, g in grad(loss)(at).items()}
        variables = {n: self.variable(v) for n, v in at.items()}
        loss(variables).backward()
        return {n: np.zeros(at[n].shape) if v.grad is None else v.grad.numpy() for n, v in variables.items()}


def _erf() -> Callable[..., Any]:
    """The error function for autograd, whose own needs SciPy."""
    import autograd.numpy as anp
    from autograd.extend import defvjp, primitive

    erf = primitive(np.vectorize(math.erf, otypes=[float]))
    defvjp(erf, lambda ans, u: lambda g: g * 2 / math.sqrt(math.pi) * anp.exp(-(u**2)))
    return erf


class Translation:
    """The formulas of one page at one sample, with arrays of ``library``."""

    def __init__(self, page: t.Page, sample: Sample, library: Library, inputs: Mapping[str, Any]) -> None:
        self.page, self.sample, self.lib = page, sample, library
        self.tables: dict[str, Any] = dict(inputs)
        self.slices: dict[tuple[str, int], Any] = {}
        self.now: dict[str, int] = {}  # the time that a clock shows, while what holds at that time is computed

    def table(self, name: str) -> Any:
        """All entries of an input or of a named quantity."""
        if name not in self.tables:
            definition = self.page.definitions[name]
            if definition.clock is not None:
                times = [self.slice(name, k) for k in range(self.size(definition.clock))]
                self.tables[name] = self.lib.np.stack(times, definition.axis)
            else:
                before, self.now = self.now, {}
                self.tables[name] = self.full(definition.value, definition.params)
                self.now = before
        return self.tables[name]

    def slice(self, name: str, time: int) -> Any:
        """The entries at one time of a quantity that stands on earlier entries of itself."""
        if (name, time) not in self.slices:
            definition, before = self.page.definitions[name], self.now
            assert definition.clock is not None
            value = definition.value if definition.time is None else definition.cases[time > 0]
            self.now = {definition.clock.name: time}
            self.slices[name, time] = self.full(value, tuple(p for p in definition.params if p != definition.clock))
            self.now = before
        return self.slices[name, time]

    def full(self, tree: t.Tree, params: Scope) -> Any:
        """An array with all entries of these indices, also where the value does not depend on one."""
        return self.value(tree, params) + self.lib.constant(np.zeros(tuple(self.size(p) for p in params)))

    def size(self, index: t.Index) -> int:
        return integer(index.size, self.sample.sizes)

    def value(self, tree: t.Tree, scope: Scope) -> Any:
        """An array with an axis for each index in scope, of length 1 where the value does not depend on it."""
        match tree:
            case t.Num() | t.Size() | t.Index():
                return self.lib.constant(self.whole(tree, scope))
            case t.Entry(name, _) if name in self.page.declarations.labels:
                return self.lib.constant(self.whole(tree, scope))
            case t.Entry(name, subs):
                return self.entry(*self.place(name, subs, scope), scope)
            case t.Add(terms):
                total = self.value(terms[0], scope)
                for term in terms[1:]:
                    total = total + self.value(term, scope)
                return total
            case t.Mul(factors):
                product = self.value(factors[0], scope)
                for factor in factors[1:]:
                    product = product * self.value(factor, scope)
                return product
            case t.Neg(arg):
                return -self.value(arg, scope)
            case t.Div(num, den):
                return self.value(num, scope) / self.value(den, scope)
            case t.Pow(base, t.Num(exponent)):
                return self.value(base, scope) ** (int(exponent) if exponent.denominator == 1 else float(exponent))
            case t.Pow(base, exponent):
                return self.value(base, scope) ** self.value(exponent, scope)
            case t.Call("max" | "min" as fn, args):
                best = self.value(args[0], scope)
                for arg in args[1:]:
                    other = self.value(arg, scope)
                    a, b = np.broadcast_arrays(self.lib.plain(best), self.lib.plain(other))
                    best = self.lib.where(a > b if fn == "max" else a < b, best, other)
                return best
            case t.Call("pi", ()):
                return self.lib.constant(np.pi)
            case t.Call(fn, (arg,)):
                return self.lib.function(fn)(self.value(arg, scope))
            case t.Sum(index, body):
                inner = self.value(body, (*scope, index))
                length = inner.shape[len(scope)]
                return inner.sum(len(scope)) * (1 if length == self.size(index) else self.size(index))
            case t.Extremum(fn, index, body):
                inner = self.value(body, (*scope, index))
                return self.lib.max(inner, len(scope)) if fn == "max" else -self.lib.max(-inner, len(scope))
            case t.Indicator(condition):
                return self.lib.constant(self.holds(condition, scope))
            case t.Delta(left, right):
                return self.lib.constant(self.whole(left, scope) == self.whole(right, scope))
            case t.Cases(branches):
                value = self.value(branches[-1][1], scope)
                for when, branch in reversed(branches[:-1]):
                    value = self.lib.where(self.holds(when, scope), self.value(branch, scope), value)
                return value
        raise Unsupported(f"{type(tree).__name__} cannot be differentiated once more")

    def place(self, name: str, subs: tuple[t.Tree, ...], scope: Scope) -> tuple[Any, tuple[t.Tree, ...]]:
        """Where to read an entry: in the whole table, or at one time if only that can be known yet."""
        definition = self.page.definitions.get(name)
        if self.now and definition is not None and definition.clock is not None:
            axis = definition.axis
            assert axis is not None
            times = np.unique(self.whole(subs[axis], scope))
            if len(times) == 1 and 0 <= times[0] < self.size(definition.clock):
                return self.slice(name, int(times[0])), subs[:axis] + subs[axis + 1 :]
        return self.table(name), subs

    def entry(self, table: Any, subs: tuple[t.Tree, ...], scope: Scope) -> Any:
        """Entries at these subscripts; 0 where one is out of its range."""
        ones = (1,) * len(scope)
        if not subs:
            return table.reshape(ones)
        keys = [self.whole(s, scope).astype(int) for s in subs]
        inside = np.ones(ones, bool)
        for axis, key in enumerate(keys):
            inside = inside & (key >= 0) & (key < table.shape[axis])
        keys = list(
            np.broadcast_arrays(*[np.clip(k, 0, max(n - 1, 0)) for k, n in zip(keys, table.shape, strict=True)])
        )
        value = self.lib.read(table, keys)
        return value if inside.all() else self.lib.where(inside, value, self.lib.constant(0.0))

    def whole(self, tree: t.Tree, scope: Scope) -> np.ndarray:
        """A number that no derivative flows through: of sizes, indices, labels and constants."""
        ones = (1,) * len(scope)
        match tree:
            case t.Num(value):
                return np.full(ones, float(value))
            case t.Size(name):
                return np.full(ones, float(self.sample.sizes[name]))
            case t.Index(name, _) if name in self.now:
                return np.full(ones, float(self.now[name]))
            case t.Index(name, _):
                axis = next(k for k in reversed(range(len(scope))) if scope[k].name == name)
                shape = list(ones)
                shape[axis] = self.size(scope[axis])
                return np.arange(float(shape[axis])).reshape(shape)
            case t.Entry(name, subs) if name in self.page.declarations.labels:
                keys = [self.whole(s, scope).astype(int) for s in subs]
                labels = np.asarray(self.sample.nested(name), dtype=float)
                return labels[tuple(np.broadcast_arrays(*keys))] if keys else labels.reshape(ones)
        return np.asarray(self.lib.plain(self.value(tree, scope)), dtype=float)

    def holds(self, condition: t.Tree | None, scope: Scope) -> np.ndarray:
        match condition:
            case t.Both(conditions):
                result = np.ones((1,) * len(scope), bool)
                for one in conditions:
                    result = result & self.holds(one, scope)
                return result
            case t.Relation(op, left, right):
                a, b = self.whole(left, scope), self.whole(right, scope)
                compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
                return (compare | {"=": np.equal, "!=": np.not_equal})[op](a, b)
        raise Unsupported(f"{type(condition).__name__} is no condition")


def gradients(page: t.Page, sample: Sample, library: str) -> dict[str, np.ndarray]:
    """∂L/∂v for every differentiable input v, by ``library`` ('autograd' or 'torch').

    Raises:
        Unsupported: an output is defined through a derivative.
        ImportError: the library is not installed.
    """
    lib = Library(library)
    formulas = Formulas(page)
    fixed: dict[str, Any] = {}
    at: dict[str, np.ndarray] = {}
    for name, tensor in page.declarations.tensors.items():
        values = array(sample, name, tuple(integer(s, sample.sizes) for s in formulas.shape(name)))
        upstream = name in [o.upstream for o in page.declarations.outputs]
        if tensor.differentiable and not upstream:
            at[name] = values
        else:
            fixed[name] = lib.constant(values)

    def loss(variables: dict[str, Any]) -> Any:
        translation = Translation(page, sample, lib, fixed | {n: variables[n] for n in at})
        total = lib.constant(0.0)
        for output in page.declarations.outputs:
            value = translation.table(output.name)
            total = total + (value if output.upstream is None else value * fixed[output.upstream]).sum()
        return total

    return lib.gradient(loss, at)


def array(sample: Sample, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the sample as an array of doubles (labels: of integers)."""
    labels = name in sample.labels
    table: Mapping[tuple[int, ...], Any] = sample.labels[name] if labels else sample.values[name]
    out = np.zeros(shape, int if labels else float)
    for key, value in table.items():
        out[key] = value
    return out
