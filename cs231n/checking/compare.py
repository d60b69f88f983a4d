"""Compares a page with the NumPy code it speaks of, through the ``code`` map of its front matter.

`checks` gives one `Check` for each thing that can go wrong on its own:

* ``code out``: what the forward returns is what the page defines;
* ``code dx``: what the backward returns is what the page claims dx to be, in a formula free of derivatives, and what
  the evaluator's own differentiation of the page gives;
* ``numeric dx``: it is the numeric gradient of the code's own forward, for a random incoming gradient;
* ``exact``: it is, entry by entry, SymPy's derivative of the code's own forward, at small sizes;
* ``autograd``, ``torch``: another library, differentiating the page's definitions, agrees with the code;
* ``float32``, ``layout``: single precision stays single precision, and arrays that are not contiguous serve as well.

No incoming gradient is all ones, no two sizes are equal where the page leaves a choice, and a quantity that is zero at
every sample fails its check, since such a comparison says nothing.
"""

from __future__ import annotations

import dataclasses
import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from cs231n.checking.autodiff import array, gradients
from cs231n.checking.codemap import CodeMap, Returned, Run
from cs231n.checking.evaluate import Evaluator, Formulas, Sample, integer
from cs231n.checking.sampling import draw_sample
from cs231n.checking.symbolic import ExactReport, check_backward_exactly
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.pages import ranges
from cs231n.pages import tree as t

__all__ = ["Check", "Difference", "checks", "closed_formulas"]

SAMPLES = 3
#: So many symbols the exact check takes without a second thought.
FEW = 100
#: So many entries of a gradient are compared with differences.
DIFFERENCED = 64


class Difference(AssertionError):
    """Page and code do not agree, or cannot be compared."""


@dataclass(frozen=True)
class Check:
    """One comparison: ``run()`` returns nothing, or raises. ``needs`` names a library that may not be installed."""

    name: str
    run: Callable[[], object]
    needs: str | None = None


def checks(page: t.Page) -> list[Check]:
    """All comparisons of ``page`` with its code; none if it speaks of none."""
    if not page.declarations.code:
        return []
    comparison = _Comparison(page)
    found = [Check("code map", comparison.complete)]
    outputs = {o.name for o in page.declarations.outputs}
    for name in comparison.forward:
        found.append(Check(f"code {name}", partial(comparison.compare_definition, name)))
    for name in comparison.backward:
        found.append(Check(f"code {name}", partial(comparison.compare_gradient, name)))
    numeric = [n for n in comparison.backward if n[1:] in page.declarations.tensors]
    for name in numeric:
        found.append(Check(f"numeric {name}", partial(comparison.compare_numeric, name)))
    if numeric:
        found.append(Check("exact", comparison.compare_exactly))
    if numeric and outputs <= set(comparison.forward) and not comparison.second_order:
        for library in ("autograd", "torch"):
            found.append(Check(library, partial(comparison.compare_library, library), needs=library))
    found.append(Check("float32", comparison.compare_single_precision))
    found.append(Check("layout", comparison.compare_layout))
    return [dataclasses.replace(c, name=f"{page.id}.md {c.name}") for c in found]


def closed_formulas(page: t.Page) -> dict[str, list[t.Definition]]:
    """For each name v the formulas that the page claims for dv, free of derivatives once unfolded.

    A gradient of a named quantity on a right side may be replaced by a formula for it. A chain dv = a = b gives both a
    and b. Claims made only in some case ("for x > 0", "for N = 3") are left out.
    """
    derived = {n for n, d in page.definitions.items() if _derives(d.value)}
    while more := {n for n, d in page.definitions.items() if n not in derived and derived & set(_reads(d.value))}:
        derived |= more
    claims = [s for s in page.statements if s.kind == "claim" and not s.cases and s.left and s.right]
    equals: dict[t.Tree, list[t.Tree]] = {}
    for claim in claims:
        assert claim.left is not None
        assert claim.right is not None
        equals.setdefault(claim.left, []).append(claim.right)
    candidates: list[t.Definition] = []
    for claim in claims:
        for left, right in ((claim.left, claim.right), (claim.right, claim.left)):
            assert right is not None
            if isinstance(left, t.Grad) and _distinct(left.subs) and _covers(page, left):
                candidates += [
                    t.Definition(left.name, _indices(left.subs), tree)
                    for tree in dict.fromkeys(_chain(right, equals))
                    if not derived & set(_reads(tree)) and not _derives(tree, gradients=False)
                ]
    found: dict[str, list[t.Definition]] = {}
    while ready := [c for c in candidates if _needs(c) <= found.keys()] or _through_time(page, candidates, found):
        for candidate in ready:
            value = _replace_gradients(candidate.value)
            found.setdefault(candidate.name, []).append(dataclasses.replace(candidate, value=value))
            candidates.remove(candidate)
    return found


def _needs(candidate: t.Definition) -> set[str]:
    return {n.name for n in candidate.value.walk() if isinstance(n, t.Grad)}


def _through_time(page: t.Page, candidates: list[t.Definition], found: Mapping[str, Any]) -> list[t.Definition]:
    """Formulas for gradients that stand on each other at later times, the first for each: dh at t on dh at t + 1."""
    group: dict[str, t.Definition] = {}
    for c in candidates:
        if c.name in page.definitions and page.definitions[c.name].clock is not None:
            group.setdefault(c.name, c)
    while short := [name for name, c in group.items() if not _needs(c) <= found.keys() | group.keys()]:
        for name in short:
            del group[name]
    return list(group.values())


def _covers(page: t.Page, gradient: t.Grad) -> bool:
    """Does the gradient stand for all entries, and not for a block of them?"""
    declared = page.declarations.tensors
    if gradient.name in declared:
        shape = declared[gradient.name].shape
    else:
        shape = tuple(p.size for p in page.definitions[gradient.name].params)
    return all(isinstance(s, t.Index) and ranges.same(s.size, n) for s, n in zip(gradient.subs, shape, strict=True))


def _claimed(name: str, number: int = 0) -> str:
    """The name of the quantity that holds the page's formula for the gradient of ``name``."""
    return f"∂{name}" if number == 0 else f"∂{name}|{number}"


def _replace_gradients(tree: t.Tree) -> t.Tree:
    if isinstance(tree, t.Grad):
        return t.Entry(_claimed(tree.name), tree.subs)

    def replaced(value: Any) -> Any:
        if isinstance(value, t.Tree):
            return _replace_gradients(value)
        return tuple(map(replaced, value)) if isinstance(value, tuple) else value

    return dataclasses.replace(tree, **{f.name: replaced(getattr(tree, f.name)) for f in dataclasses.fields(tree)})


def _chain(tree: t.Tree, equals: dict[t.Tree, list[t.Tree]]) -> Iterator[t.Tree]:
    seen: list[t.Tree] = []
    waiting = [tree]
    while waiting:
        one = waiting.pop(0)
        if one not in seen:
            seen.append(one)
            yield one
            waiting += equals.get(one, [])


def _derives(tree: t.Tree, *, gradients: bool = True) -> bool:
    kinds = (t.Partial, t.Total, t.Grad) if gradients else (t.Partial, t.Total)
    return any(isinstance(n, kinds) for n in tree.walk())


def _reads(tree: t.Tree) -> Iterator[str]:
    return (n.name for n in tree.walk() if isinstance(n, t.Entry))


def _distinct(subs: tuple[t.Tree, ...]) -> bool:
    return all(isinstance(s, t.Index) for s in subs) and len(set(subs)) == len(subs)


def _indices(subs: tuple[t.Tree, ...]) -> tuple[t.Index, ...]:
    return tuple(s for s in subs if isinstance(s, t.Index))


@dataclass(frozen=True)
class _Point:
    """A sample, what the code returned there, and the page evaluated there (with its claimed gradients)."""

    sample: Sample
    symbols: dict[str, Any]
    run: Run
    evaluator: Evaluator


class _Comparison:
    def __init__(self, page: t.Page) -> None:
        self.page = page
        self.code = CodeMap(page)
        self.formulas = Formulas(page)
        self.closed = closed_formulas(page)
        self.returned = self.code.returned()
        tensors, definitions = page.declarations.tensors, page.definitions
        names = dict.fromkeys(r.name for r in self.returned)
        self.forward = [n for n in names if n in definitions]
        self.backward = [
            n for n in names if n not in definitions and n[0] == "d" and (n[1:] in tensors or n[1:] in definitions)
        ]
        read = {s for call in page.declarations.code for s in _strings(call.get("arguments", {}))}
        found_in = {p.split(".")[0].split("[")[0] for call in self.code.calls for p in call.get("draws", {}).values()}
        known = {*self.forward, *self.backward} | read | found_in
        self.unknown = [n for n in names if n not in known and not n.endswith("cache")]

    # ---------------------------------------------------------------------------------------------- points

    @cached_property
    def points(self) -> list[_Point]:
        rng = random.Random(zlib.crc32(self.page.id.encode()))
        return [self.point(draw_sample(self.page, rng)) for _ in range(SAMPLES)]

    @cached_property
    def with_claims(self) -> tuple[t.Page, Formulas]:
        """The page with one more definition for each formula that it claims for a gradient."""
        extra = {
            _claimed(name, number): dataclasses.replace(formula, name=_claimed(name, number))
            for name, formulas in self.closed.items()
            for number, formula in enumerate(formulas)
        }
        page = dataclasses.replace(self.page, definitions=self.page.definitions | extra)
        return page, Formulas(page)

    def point(self, sample: Sample) -> _Point:
        page, formulas = self.with_claims
        symbols = self.symbols(sample)
        run = self.code.run(symbols)
        for name, drawn in run.drawn.items():
            shape = self.shape(name, sample)
            if np.shape(drawn) != shape:
                raise Difference(f"the code drew {name} of shape {np.shape(drawn)}, expected {shape}")
            sample = sample.replace(name, {key: float(drawn[key]) for key in np.ndindex(shape)})
        return _Point(sample, symbols, run, Evaluator(page, sample, formulas=formulas))

    def symbols(self, sample: Sample) -> dict[str, Any]:
        """The page's symbols as NumPy has them: doubles, integer labels, integer sizes; none can be written to."""
        values: dict[str, Any] = dict(sample.sizes)
        for name in self.code.symbols():
            if name in sample.values or name in sample.labels:
                value: Any = array(sample, name, self.shape(name, sample))
            elif name in self.page.definitions:
                value = _table(Evaluator(self.page, sample, formulas=self.formulas), name, self.shape(name, sample))
            else:
                continue
            value.flags.writeable = False
            values[name] = value if value.shape else value.item()
        return values

    def shape(self, name: str, sample: Sample) -> tuple[int, ...]:
        return tuple(integer(s, sample.sizes) for s in self.formulas.shape(name))

    # ---------------------------------------------------------------------------------------------- checks

    def complete(self) -> None:
        """Everything returned is compared or handed on, and the outputs are returned."""
        wrong = []
        if self.unknown:
            wrong.append(
                f"{', '.join(self.unknown)}: returned by the code, but neither defined on the page, nor dv for a "
                "quantity v of it, nor used by a later call; write _ to ignore it"
            )
        missing = [o.name for o in self.page.declarations.outputs if o.name not in self.forward]
        if missing:
            wrong.append(f"the code does not return the output {', '.join(missing)} of the page")
        if not self.forward and not self.backward:
            wrong.append("nothing that the code returns is compared with the page")
        if wrong:
            raise Difference("; ".join(wrong))

    def compare_definition(self, name: str) -> None:
        self.compare(name, lambda point: {"the page's definition": self.table(point, name)})

    def compare_gradient(self, name: str) -> None:
        of = name[1:]
        formulas = self.closed.get(of, [])
        if not formulas:
            raise Difference(
                f"the code returns {name}, but the page claims no formula for it that is free of derivatives: "
                f"{name} = … in all cases, on whose right side stand only named quantities"
            )

        def expected(point: _Point) -> dict[str, np.ndarray]:
            tables = {
                f"the page's formula {number + 1} for it": self.table(point, _claimed(of, number), of)
                for number in range(len(formulas))
            }
            shape = self.shape(of, point.sample)
            gradient = point.evaluator.gradient(of)
            tables["the derivative of the page's definitions"] = _full(gradient, shape)
            return tables

        self.compare(name, expected)

    def compare_numeric(self, name: str) -> None:
        for returned in self.named(name):
            outputs = self.outputs_before(returned)
            self.compare(name, partial(self.numeric, returned, outputs), tolerance=1e-6, only=returned)

    def numeric(self, returned: Returned, outputs: dict[str, str], point: _Point) -> dict[str, np.ndarray]:
        """The code's gradient with some entries, all if they are few, replaced by numeric ones."""
        of = returned.name[1:]
        values = np.array(point.symbols[of], dtype=float)
        rng = np.random.default_rng(values.size)
        chosen = rng.choice(values.size, size=min(values.size, DIFFERENCED), replace=False)

        def loss(moved: np.ndarray) -> float:
            changed = values.copy()
            changed.flat[chosen] = moved
            symbols = point.symbols | {of: changed if changed.shape else changed.item()}
            run = self.code.run(symbols, until=set(outputs.values()))
            total = 0.0
            for output in self.page.declarations.outputs:
                weights = 1.0 if output.upstream is None else point.symbols[output.upstream]
                total += float(np.sum(run.values[outputs[output.name]] * weights))
            return total

        expected = np.zeros(values.shape)
        own = np.asarray(point.run.values[returned.key], dtype=float)
        if own.shape == expected.shape:
            expected[...] = own
        expected.flat[chosen] = eval_numerical_gradient(loss, values.flat[chosen], verbose=False)
        return {"the numeric gradient of the code": expected}

    def compare_exactly(self) -> list[ExactReport]:
        """The exact check; one run for each set of outputs that gradients belong to."""
        groups: dict[tuple[tuple[str, str], ...], list[Returned]] = {}
        for name in self.backward:
            for returned in self.named(name):
                if name[1:] in self.page.declarations.tensors:
                    groups.setdefault(tuple(self.outputs_before(returned).items()), []).append(returned)
        sample = self.small_sample()
        declared = self.page.declarations.tensors
        given = {n for n, d in declared.items() if d.values and not d.differentiable}  # a mask is read as it is drawn
        read = [n for n in self.code.symbols() if n in declared and n not in given]
        inputs = {}
        for name in dict.fromkeys([*read, *(o.upstream for o in self.page.declarations.outputs if o.upstream)]):
            values = np.empty(self.shape(name, sample), object)
            for key in np.ndindex(values.shape):
                values[key] = sample.values[name][key]
            inputs[name] = values
        constants = {n: v for n, v in self.symbols(sample).items() if n not in inputs}
        upstream = {o.name: o.upstream for o in self.page.declarations.outputs}
        return [
            check_backward_exactly(
                partial(self.run_exactly, {key for _, key in outputs} | {r.key for r in members}),
                inputs,
                outputs={key: upstream[name] for name, key in outputs},
                gradients={r.key: r.name[1:] for r in members},
                positive=[n for n in inputs if declared[n].sign == "positive"],
                constants=constants,
            )
            for outputs, members in groups.items()
        ]

    def run_exactly(self, wanted: set[str], /, **symbols: Any) -> dict[str, Any]:
        """Run the code up to the last of these keys: a later call may be one that cannot run on symbols."""
        return self.code.run(symbols, until=wanted).values

    def compare_library(self, library: str) -> None:
        names = [n for n in self.backward if n[1:] in self.page.declarations.tensors]
        tables = {id(p): gradients(self.page, p.sample, library) for p in self.points}
        for name in names:
            self.compare(name, lambda p, of=name[1:]: {library: tables[id(p)][of]})  # type: ignore[misc]

    def compare_single_precision(self) -> None:
        for returned, plain, single in self.run_again(lambda a: a.astype(np.float32) if a.dtype.kind == "f" else a):
            dtype = getattr(single, "dtype", None)  # a Python float adapts to what it meets
            if isinstance(plain, (np.ndarray, np.generic)) and dtype != np.float32:
                raise Difference(f"{returned.name} of {returned.function}: float32 in, {dtype} out")
            scale = max(1.0, float(np.abs(plain).max(initial=0.0)))
            if not np.allclose(plain, np.asarray(single, dtype=float), rtol=0, atol=1e-4 * scale):
                raise Difference(f"{returned.name} of {returned.function} loses digits in float32")

    def compare_layout(self) -> None:
        for returned, plain, other in self.run_again(_scattered):
            if not np.allclose(plain, other, rtol=1e-9, atol=1e-12):
                raise Difference(
                    f"{returned.name} of {returned.function} depends on the memory layout of its arguments"
                )

    # ------------------------------------------------------------------------------------------- internals

    def run_again(self, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[tuple[Returned, Any, Any]]:
        """Run the code on changed arrays: what was compared, before and after."""
        for point in self.points:
            symbols = {n: change(v) if isinstance(v, np.ndarray) else v for n, v in point.symbols.items()}
            run = self.code.run(symbols)
            for returned in self.returned:
                if returned.name in {*self.forward, *self.backward}:
                    yield returned, point.run.values[returned.key], run.values[returned.key]

    @property
    def second_order(self) -> bool:
        """An output is itself defined through a derivative."""
        needed = [o.name for o in self.page.declarations.outputs]
        for name in needed:
            if name in self.page.definitions:
                value = self.page.definitions[name].value
                if _derives(value):
                    return True
                needed += [n for n in _reads(value) if n not in needed]
        return False

    def small_sample(self) -> Sample:
        """The sizes that the page asks for, or else small ones, distinct if that keeps the number of symbols small."""
        told = {s.name: s.exact for s in self.page.declarations.sizes.values() if s.exact is not None}
        free = [s.name for s in self.page.declarations.sizes.values() if s.least <= 1 and s.exact is None]
        found: list[Sample] = []
        for wanted in ([3, 2, 4, 5, 6, 7, 8, 9], [3, 2] * 8, [2, 3] * 8, [2] * 16, None):
            fixed = told | dict(zip(free, wanted or [], strict=False))
            try:
                found.append(draw_sample(self.page, random.Random(1), fixed=fixed))
            except ValueError:  # the page's assumptions rule these sizes out
                continue
            if _entries(found[-1]) <= FEW:
                return found[-1]
        return min(found, key=_entries)

    def named(self, name: str) -> list[Returned]:
        return [r for r in self.returned if r.name == name]

    def outputs_before(self, gradient: Returned) -> dict[str, str]:
        """For each output of the page the key of what the code returned for it, latest before ``gradient``."""
        found: dict[str, str] = {}
        for output in self.page.declarations.outputs:
            keys = [r.key for r in self.named(output.name) if r.call <= gradient.call]
            if not keys:
                raise Difference(f"{gradient.name} is returned before any {output.name}, whose gradient it is")
            found[output.name] = keys[-1]
        return found

    def table(self, point: _Point, name: str, shape_of: str | None = None) -> np.ndarray:
        return _table(point.evaluator, name, self.shape(shape_of or name, point.sample))

    def compare(
        self,
        name: str,
        expected: Callable[[_Point], dict[str, np.ndarray]],
        *,
        tolerance: float = 1e-9,
        only: Returned | None = None,
    ) -> None:
        largest = 0.0
        for point in self.points:
            for what, right in expected(point).items():
                for returned in self.named(name) if only is None else [only]:
                    largest = max(largest, _require_equal(returned, what, point, right, tolerance))
        if largest < 1e-6:
            raise Difference(f"{name} is 0 at every sample: comparing it says nothing")


def _require_equal(returned: Returned, what: str, point: _Point, right: np.ndarray, tolerance: float) -> float:
    left = np.asarray(point.run.values[returned.key], dtype=float)
    source = f"{returned.name} of {returned.function}"
    if left.shape != right.shape:
        raise Difference(f"{source} has the shape {left.shape}, {what} {right.shape}")
    scale = max(1.0, float(np.abs(right).max(initial=0.0)))
    gap = np.abs(left - right)
    if not (gap <= tolerance * scale).all():  # not >: a nan is a difference too
        index = np.unravel_index(int(np.argmax(np.where(np.isnan(gap), np.inf, gap))), gap.shape)
        where = f"{returned.name}[{', '.join(map(str, index))}]" if index else returned.name
        sizes = ", ".join(f"{n} = {v}" for n, v in point.sample.sizes.items())
        raise Difference(
            f"{source} differs from {what}: {where} is {left[index]:.12g}, not {right[index]:.12g} ({sizes})"
        )
    return float(np.abs(right).max(initial=0.0))


def _table(evaluator: Evaluator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return _full(evaluator.table(name), shape)


def _full(table: dict[tuple[int, ...], Any], shape: tuple[int, ...]) -> np.ndarray:
    out = np.full(shape, np.nan)
    for key, value in table.items():
        out[key] = value
    return out


def _scattered(values: np.ndarray) -> np.ndarray:
    """The same numbers, the last axis first in memory and with gaps."""
    room = np.zeros((*values.shape[::-1], 2), values.dtype)
    view = room[..., 0].T
    view[...] = values
    view.flags.writeable = False
    return view


def _entries(sample: Sample) -> int:
    return sum(map(len, sample.values.values()))


def _strings(arguments: Any) -> Iterable[str]:
    if isinstance(arguments, str):
        yield arguments
    elif isinstance(arguments, dict) and set(arguments) != {"value"}:
        for value in arguments.values():
            yield from _strings(value)
