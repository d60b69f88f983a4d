"""The independent evaluator: the value of any formula of a page, at given sizes, inputs and indices.

It follows the definitions with plain loops and takes derivatives by its own dual numbers, never by a formula that
somebody derived. It shares no code with the proof engine, which is why its disagreement means something.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cs231n.checking.formulas import (
    Program,
    compile_condition,
    compile_formula,
    constant,
    derivative_table,
    free_indices,
    identifier,
)
from cs231n.checking.numbers import (
    FLOAT,
    DomainError,
    Dual,
    EvaluationError,
    Numbers,
    OnKink,
    OutOfRange,
    real,
)
from cs231n.pages import tree as t

if TYPE_CHECKING:
    from cs231n.checking.expectation import World

__all__ = ["DomainError", "EvaluationError", "Evaluator", "Formulas", "OnKink", "OutOfRange", "Sample", "integer"]

Key = tuple[int, ...]


@dataclass(frozen=True)
class Sample:
    """Sizes and inputs: one point at which a page is evaluated.

    Values are fractions, so the same point exists in doubles and in 50 digits. ``labels`` holds integer tensors.
    """

    sizes: dict[str, int]
    values: dict[str, dict[Key, Fraction]]
    labels: dict[str, dict[Key, int]] = field(default_factory=dict)

    def replace(self, name: str, entries: Mapping[Key, Fraction | float | int]) -> Sample:
        """A copy in which these entries of the tensor ``name`` have other values (exactly these, also for floats)."""
        if name not in self.values:
            raise ValueError(f"expected one of the inputs {', '.join(self.values)}, got {name!r}")
        changed = self.values[name] | {k: Fraction(v) for k, v in entries.items()}
        return Sample(self.sizes, self.values | {name: changed}, self.labels)

    def nested(self, name: str) -> Any:
        """The tensor as nested lists of floats (ints for labels), or one number for a scalar."""
        table: Mapping[Key, Any] = self.labels[name] if name in self.labels else self.values[name]
        return nested({k: v if name in self.labels else float(v) for k, v in table.items()})


def nested(table: Mapping[Key, Any]) -> Any:
    """A full table ``{(i, j): value}`` as nested lists; a scalar ``{(): value}`` as its value."""
    if () in table:
        return table[()]
    rows: dict[int, dict[Key, Any]] = {}
    for key, value in table.items():
        rows.setdefault(key[0], {})[key[1:]] = value
    return [nested(rows[i]) for i in sorted(rows)]


def integer(tree: t.Tree, sizes: Mapping[str, int]) -> int:
    """The value of an integer formula of sizes, as a shape or the range of an index."""
    match tree:
        case t.Num(value) if Fraction(value).denominator == 1:
            return int(value)
        case t.Size(name) if name in sizes:
            return sizes[name]
        case t.Add(terms):
            return sum(integer(term, sizes) for term in terms)
        case t.Neg(arg):
            return -integer(arg, sizes)
        case t.Mul(factors):
            product = 1
            for factor in factors:
                product *= integer(factor, sizes)
            return product
        case t.Div(num, den):
            top, bottom = integer(num, sizes), integer(den, sizes)
            if bottom and top % bottom == 0:
                return top // bottom
            raise EvaluationError(f"expected an integer size, got {top}/{bottom}")
        case t.Pow(base, exp):
            return integer(base, sizes) ** integer(exp, sizes)
    raise EvaluationError(f"expected an integer formula of the sizes {', '.join(sizes)}, got {tree}")


class Formulas:
    """The compiled definitions of a page, shared by all evaluators of that page."""

    def __init__(self, page: t.Page) -> None:
        self.page = page
        self.labels = frozenset(page.declarations.labels)
        self.definitions = {
            name: compile_formula(d.value, tuple(p.name for p in d.params), self.labels)
            for name, d in page.definitions.items()
        }
        self._programs: dict[t.Tree, tuple[Program, tuple[str, ...]]] = {}
        self._downstream: dict[str, frozenset[str]] = {}

    def program(self, tree: t.Tree) -> tuple[Program, tuple[str, ...]]:
        """``tree`` compiled, with the names of its free indices in the order of its arguments."""
        if tree not in self._programs:
            self._programs[tree] = self.compile(tree)
        return self._programs[tree]

    @cached_property
    def thresholds(self) -> list[Fraction]:
        """The numbers other than 0 that the page compares something with, as the 6 in min(6, x)."""
        trees = [d.value for d in self.page.definitions.values()]
        trees += [side for s in self.page.statements for side in (s.left, s.right) if side is not None]
        trees += [a for a in self.page.declarations.assume if not isinstance(a, str)]
        compared = (
            part
            for tree in trees
            for node in tree.walk()
            if isinstance(node, t.Relation) or (isinstance(node, t.Call) and node.fn in ("max", "min"))
            for part in node.children()
        )
        return sorted({value for part in compared if (value := constant(part))})

    def compile(self, tree: t.Tree) -> tuple[Program, tuple[str, ...]]:
        """As `program`, but not kept: for formulas that are used once. Also takes conditions."""
        names = tuple(sorted(i.name for i in free_indices(tree)))
        compiler = compile_condition if isinstance(tree, (t.Relation, t.Both)) else compile_formula
        return compiler(tree, names, self.labels), names

    def shape(self, name: str) -> tuple[t.Tree, ...]:
        """The shape of a tensor, labels or a named quantity, as written."""
        declarations = self.page.declarations
        if name in self.page.definitions:
            return tuple(p.size for p in self.page.definitions[name].params)
        if name in declarations.tensors:
            return declarations.tensors[name].shape
        if name in declarations.labels:
            return declarations.labels[name].shape
        raise EvaluationError(f"{name} is neither declared nor defined on this page")

    @cached_property
    def random(self) -> frozenset[str]:
        """The random tensors, and the named quantities that depend on one outside expectations."""
        tensors = self.page.declarations.tensors.values()
        found = {d.name for d in tensors if d.random is not None}
        grown = bool(found)
        while grown:
            more = {
                d
                for d, program in self.definitions.items()
                if d not in found and (program.outside & found or program.derivatives)
            }
            found |= more
            grown = bool(more)
        return frozenset(found)

    def recursive(self, name: str) -> bool:
        """Do entries of the name stand on other entries of it?"""
        return name in self.page.definitions and self.page.definitions[name].clock is not None

    def downstream(self, name: str) -> frozenset[str]:
        """``name`` and all named quantities that depend on it (one that holds a derivative may depend on anything)."""
        if name not in self._downstream:
            found = {name}
            grown = True
            while grown:  # not one pass: a recurrence may come before what it uses
                more = {
                    d
                    for d, program in self.definitions.items()
                    if d not in found and (program.reads & found or program.holds_derivatives)
                }
                found |= more
                grown = bool(more)
            self._downstream[name] = frozenset(found)
        return self._downstream[name]


class Table(dict[Key, Any]):
    """The entries of a tensor, each computed when first read."""

    def __init__(self, name: str, shape: Key, entry: Callable[..., Any]) -> None:
        super().__init__()
        self.name = name
        self.shape = shape
        self.entry = entry

    def __missing__(self, key: Key) -> Any:
        shape = self.shape
        if len(key) != len(shape):
            raise EvaluationError(f"{self.name} has {len(shape)} subscripts, got {len(key)}")
        if not all(0 <= k < n for k, n in zip(key, shape, strict=True)):
            raise OutOfRange(f"{self.name} of shape {shape} is read at {key}, outside its range, without a guard")
        self[key] = value = self.entry(*key)
        return value

    def fill(self) -> Table:
        for key in itertools.product(*map(range, self.shape)):
            self[key]
        return self


class Evaluator:
    """Evaluates formulas of ``page`` at ``sample``.

    Tables are computed entry by entry when first read, and kept: of each named quantity, of each gradient, and, for
    each quantity that is differentiated by, of all that depends on it, in dual numbers.
    """

    def __init__(
        self, page: t.Page, sample: Sample, numbers: Numbers = FLOAT, *, formulas: Formulas | None = None
    ) -> None:
        self.page = page
        self.sample = sample
        self.numbers = numbers
        self.formulas = formulas or Formulas(page)
        self._twins: dict[int, Evaluator] = {}
        self._dual: dict[str, dict[str, Any]] = {}
        self._worlds: list[World] = []
        self._tables: dict[str, Table] = {}
        make = numbers.make
        self._basis: dict[str, Any] = {}
        for name, size in sample.sizes.items():
            self._basis[f"n_{identifier(name)}"] = size
            self._basis[f"s_{identifier(name)}"] = make(size)
        self._plain = dict(numbers.functions) | self._basis
        for name in page.declarations.tensors:
            if name in sample.values:
                entries = sample.values[name]
                self._add(name, lambda *key, entries=entries: make(entries[key]))
        for name in page.declarations.labels:
            if name in sample.labels:
                integers = sample.labels[name]
                self._add(name, lambda *key, entries=integers: entries[key])
        for name, program in self.formulas.definitions.items():
            self._add(name, self._deferred(program, self._plain))

    # ---------------------------------------------------------------------------------------------- values

    def value(self, tree: t.Tree, binding: Mapping[str, int] | None = None) -> Any:
        """The value of ``tree``, its free indices bound by ``binding``; a condition gives 1 or 0."""
        program, names = self.formulas.program(tree)
        return self.run(program, names, binding or {})

    def run(self, program: Program, names: tuple[str, ...], binding: Mapping[str, int]) -> Any:
        """The value of a program made by ``self.formulas``."""
        try:
            function = self._bind(program, self._plain)
            result = function(*[binding[n] for n in names])
        except EvaluationError:
            raise
        except NameError as error:
            raise EvaluationError(f"undeclared: {error}") from None
        except KeyError as error:
            raise EvaluationError(f"no value is given for the index {error}") from None
        except (ArithmeticError, ValueError) as error:
            raise DomainError(f"no value at this point: {error}") from None
        if result - result != 0:
            raise DomainError("too large for a number")
        return result

    def table(self, name: str) -> dict[Key, Any]:
        """All entries of a tensor or named quantity."""
        if name not in self._tables:
            raise EvaluationError(f"{name} has no value on this page")
        return self._guarded(self._tables[name].fill)

    def gradient(self, name: str) -> dict[Key, Any]:
        """∂L/∂name for all entries, over all paths to the outputs, each weighed by its upstream gradient."""
        return self._guarded(lambda: self._derivative("g", (name,)).fill())

    def exact(self, digits: int = 50) -> Evaluator:
        """The same page and point in ``digits`` decimal digits."""
        if digits not in self._twins:
            self._twins[digits] = Evaluator(self.page, self.sample, real(digits), formulas=self.formulas)
        return self._twins[digits]

    def bindings(self, indices: tuple[t.Index, ...] | list[t.Index]) -> Iterator[dict[str, int]]:
        """All values that these indices can take together."""
        names = [i.name for i in indices]
        for key in itertools.product(*(range(integer(i.size, self.sample.sizes)) for i in indices)):
            yield dict(zip(names, key, strict=True))

    # ----------------------------------------------------------------------------------------- derivatives

    def _derivative(self, kind: str, names: tuple[str, ...]) -> Table:
        """The table of g ∂L/∂name, p ∂of/∂wrt on one line, or d of/d wrt through all definitions."""
        table = derivative_table(kind, names)
        if table not in self._plain:
            made = self._gradient(names[0]) if kind == "g" else self._jacobian(kind, *names)
            self._plain[table] = made
        return self._plain[table]

    def _gradient(self, name: str) -> Table:
        outputs = self.page.declarations.outputs
        if not outputs:
            raise EvaluationError(f"∂L/∂{name}: the page declares no output")
        reached = [o for o in outputs if o.name in self.formulas.downstream(name)]
        if not reached:
            raise EvaluationError(f"∂L/∂{name}: {name} is on no path to {', '.join(o.name for o in outputs)}")
        zero = self.numbers.make(0)
        table = Table(f"d{name}", self._shape(name), lambda *key: zero)
        for output in reached:
            upstream = self._tables.get(output.upstream) if output.upstream else None
            if output.upstream and upstream is None:
                raise EvaluationError(f"the upstream gradient {output.upstream} of {output.name} has no value")
            space = self._seeded(name)
            for key, value in space["tables"][output.name].fill().items():
                if type(value) is Dual:
                    weight = 1 if upstream is None else upstream[key]
                    for seed, slope in value.d.items():
                        table[seed] = table[seed] + weight * slope
        return table

    def _jacobian(self, kind: str, of: str, wrt: str) -> Table:
        zero = self.numbers.make(0)
        rank = len(self._shape(of))
        if kind == "d":
            rows = self._seeded(wrt)["tables"][of]
        elif of in self.formulas.definitions and (of != wrt or self.formulas.recursive(of)):
            space = dict(self.numbers.with_duals()) | self._basis
            space |= {f"t_{identifier(n)}": table for n, table in self._tables.items()}
            space[f"t_{identifier(wrt)}"] = self._seeds(wrt)
            line = self._deferred(self.formulas.definitions[of], space, dual=True)
            rows = Table(of, self._shape(of), line if of != wrt else lambda *key: line(*key) + self._variable(key))
        elif of == wrt:
            rows = self._seeds(wrt)
        else:
            rows = self._tables[of]

        def entry(*key: int) -> Any:
            value = rows[key[:rank]]
            return value.d.get(key[rank:], zero) if type(value) is Dual else zero

        return Table(f"∂{of}/∂{wrt}", self._shape(of) + self._shape(wrt), entry)

    def _seeded(self, name: str) -> dict[str, Any]:
        """The page's tables with the entries of ``name`` as variables: all that depends on it holds dual numbers."""
        if name not in self._dual:
            space: dict[str, Any] = dict(self.numbers.with_duals()) | self._basis
            tables = dict(self._tables)
            for other in self.formulas.downstream(name) - {name}:
                entry = self._deferred(self.formulas.definitions[other], space, dual=True)
                tables[other] = Table(other, self._shape(other), entry)
            tables[name] = self._seeds(name)
            if self.formulas.recursive(name):  # later entries stand on earlier ones: what each is made of counts too
                line = self._deferred(self.formulas.definitions[name], space, dual=True)
                tables[name] = Table(name, self._shape(name), lambda *key: line(*key) + self._variable(key))
            space |= {f"t_{identifier(n)}": table for n, table in tables.items()}
            self._dual[name] = {"tables": tables}
        return self._dual[name]

    def _seeds(self, name: str) -> Table:
        if name not in self._tables or name in self.formulas.labels:
            raise EvaluationError(f"nothing can be differentiated by {name}: it is no real quantity with a value")
        plain = self._tables[name]
        return Table(name, plain.shape, lambda *key: plain[key] + self._variable(key))

    def _variable(self, key: Key) -> Dual:
        """0, and how it moves when the entry at ``key`` does."""
        return Dual(self.numbers.make(0), {key: self.numbers.make(1)})

    # ---------------------------------------------------------------------------------------- expectations

    def mean(self, program: Program) -> Callable[..., Any]:
        """The expectation of a program as a function of its arguments."""
        from cs231n.checking.expectation import World

        known: dict[Key, Any] = {}

        def value(*key: int) -> Any:
            if key not in known:
                world = self._worlds.pop() if self._worlds else World(self)  # one in use may ask for another
                known[key] = world.over_draws(program, key)
                self._worlds.append(world)
            return known[key]

        return value

    # -------------------------------------------------------------------------------------------- internals

    def _shape(self, name: str) -> Key:
        return tuple(integer(s, self.sample.sizes) for s in self.formulas.shape(name))

    def _add(self, name: str, entry: Callable[..., Any]) -> None:
        self._tables[name] = self._plain[f"t_{identifier(name)}"] = Table(name, self._shape(name), entry)

    def _deferred(self, program: Program, space: dict[str, Any], *, dual: bool = False) -> Callable[..., Any]:
        """The entries of a definition; compiled code is bound to its tables when the first one is read."""
        function: Callable[..., Any] | None = None

        def entry(*key: int) -> Any:
            nonlocal function
            if function is None:
                if dual and program.derivatives:
                    raise EvaluationError("a definition that holds a derivative cannot be differentiated again")
                if dual and program.means:
                    raise EvaluationError("a definition that holds an expectation cannot be differentiated")
                function = self._bind(program, space)
            return function(*key)

        return entry

    def _bind(self, program: Program, space: dict[str, Any]) -> Callable[..., Any]:
        for name, value in program.constants.items():
            if name not in space:
                space[name] = self.numbers.make(value)
        for table, names in program.derivatives.items():
            if table not in space:
                self._derivative(table[0], names)  # goes into the plain tables: second derivatives do not exist
        for name, (inside, _) in program.means.items():
            if name not in space:
                space[name] = self.mean(inside)
        return FunctionType(program.code, space)

    def _guarded(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except EvaluationError:
            raise
        except (ArithmeticError, ValueError) as error:
            raise DomainError(f"no value at this point: {error}") from None
