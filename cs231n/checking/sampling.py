"""Draws the points at which a page is evaluated: sizes and inputs that satisfy its declarations and assumptions.

The sizes of axes are pairwise distinct, or mixed-up axes would go unnoticed (unless that makes a tensor too large:
then they only vary from sample to sample). Values are multiples
of 1/1024 (exact in doubles and in any precision), away from 0, of both signs and pairwise distinct, so that no point
sits on a kink or a tie by design; points that come within rounding of one are drawn again.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from cs231n.checking.evaluate import DomainError, EvaluationError, Evaluator, Formulas, OutOfRange, Sample, integer
from cs231n.checking.formulas import constant, free_indices
from cs231n.checking.numbers import EXACT
from cs231n.pages import tree as t
from cs231n.pages.show import to_text

#: All values are multiples of 1/GRID.
GRID = 1024
#: No tensor of a sample has more entries than this, where the sizes leave a choice.
ENTRIES = 400
TRIES = 400


def draw_sample(
    page: t.Page, rng: random.Random, *, fixed: Mapping[str, int] | None = None, where: Sequence[t.Tree] = ()
) -> Sample:
    """A random point of ``page``.

    ``fixed`` gives some sizes; ``where`` holds further conditions on sizes and inputs, as in a claim's "for …".
    A condition with a lone size or input on one side of = is solved for it, others are met by trying again.
    Raises ValueError naming the condition that no try met.
    """
    return draw(page, rng, fixed=fixed, where=where).sample


def draw(
    page: t.Page,
    rng: random.Random,
    *,
    fixed: Mapping[str, int] | None = None,
    where: Sequence[t.Tree] = (),
    formulas: Formulas | None = None,
    turn: int | None = None,
) -> Evaluator:
    """As `draw_sample`, returning the evaluator whose tables the search has already filled.

    From one ``turn`` to the next, lone numbers change their sign.
    """
    formulas = formulas or Formulas(page)
    return _Draw(page, rng, dict(fixed or {}), where, formulas, turn).evaluator()


def _flat(conditions: Iterable[t.Tree | str]) -> Iterator[t.Relation]:
    for condition in conditions:
        if isinstance(condition, t.Both):
            yield from _flat(condition.conditions)
        elif isinstance(condition, t.Relation):
            yield condition
        elif not isinstance(condition, str):
            raise ValueError(f"expected a condition, got {to_text(condition)}")


def speaks_of_sizes(condition: t.Tree) -> bool:
    """True if the condition is about sizes and numbers only."""
    return not any(isinstance(n, (t.Entry, t.Index, t.Grad, t.Partial, t.Total)) for n in condition.walk())


class _Draw:
    def __init__(
        self,
        page: t.Page,
        rng: random.Random,
        fixed: dict[str, int],
        where: Sequence[t.Tree],
        formulas: Formulas,
        turn: int | None,
    ) -> None:
        self.page, self.rng, self.fixed, self.formulas, self.turn = page, rng, fixed, formulas, turn
        declarations = page.declarations
        unknown = fixed.keys() - declarations.sizes.keys()
        if unknown:
            raise ValueError(f"expected sizes among {', '.join(declarations.sizes)}, got {', '.join(sorted(unknown))}")
        conditions = list(_flat([*declarations.assume, *where]))
        self.size_conditions = [c for c in conditions if speaks_of_sizes(c)]
        self.value_conditions = [c for c in conditions if not speaks_of_sizes(c)]
        self.used: set[Fraction] = set()
        self.inputs_only = Formulas(replace(page, statements=(), definitions={}))

    # ---------------------------------------------------------------------------------------------- search

    def evaluator(self) -> Evaluator:
        failure: Exception | None = None
        for _ in range(TRIES // 4):
            sizes = self.sizes()
            for _ in range(4):
                try:
                    sample = self.values(sizes)
                    evaluator = Evaluator(self.page, sample, formulas=self.formulas)
                    self.require(evaluator)
                    self.warm(evaluator)
                    return evaluator
                except DomainError as error:  # a kink, a tie, a division by 0: another point may be better
                    failure = error
                except _Unmet as error:
                    failure = error
        raise EvaluationError(f"found no point of the page {self.page.id}: {failure}")

    def require(self, evaluator: Evaluator) -> None:
        for condition in self.value_conditions:
            for binding in evaluator.bindings(sorted(free_indices(condition), key=lambda i: i.name)):
                if not _holds(condition, evaluator, binding):
                    raise _Unmet(f"no values satisfy {to_text(condition)}")

    def warm(self, evaluator: Evaluator) -> None:
        """Compute everything once, so that a definition without a value here, or a kink, is met now."""
        declarations = self.page.declarations
        for name in self.page.definitions:
            try:
                evaluator.table(name)
            except DomainError as error:
                raise type(error)(f"{name}: {error}") from None
            except OutOfRange:
                pass  # an entry nobody may read; whoever reads it is told
        for name, tensor in declarations.tensors.items():
            if tensor.differentiable and any(o.name in self.formulas.downstream(name) for o in declarations.outputs):
                try:
                    evaluator.gradient(name)
                except DomainError:
                    raise
                except EvaluationError:
                    pass

    # ----------------------------------------------------------------------------------------------- sizes

    def sizes(self) -> dict[str, int]:
        declared = self.page.declarations.sizes
        given = sorted(map(_solved_size, self.size_conditions), key=lambda g: len(g[2]), reverse=True)
        lone = {name: (tree, slack) for name, tree, slack in given}  # an equation before an inequality
        solved = {name: tree for name, (tree, _) in lone.items() if name and name not in self.fixed}
        drawn = [n for n in declared if n not in solved and n not in self.fixed]
        axes, steps = self.axes(), self.steps()
        unmet: t.Tree | None = None
        smallest: tuple[int, dict[str, int]] | None = None
        # An expectation goes through all draws of what it reads: two of three samples keep that to a few entries.
        random_page = bool(self.formulas.random)
        few = random_page and self.rng.random() < 2 / 3
        for attempt in range(TRIES):
            distinct = attempt < TRIES // 2 and not few
            sizes = dict(self.fixed)
            pool = list(range(2, max(4 if random_page else 7, len(axes & set(drawn)) + 2)))
            self.rng.shuffle(pool)
            for name in drawn:
                least = declared[name].least
                if attempt >= TRIES * 3 // 4:  # an assumption may ask for anything
                    sizes[name] = self.rng.randint(least, 20)
                elif least > 1:
                    sizes[name] = self.rng.randint(least, least + 4)
                elif name in steps:  # a first step, a last one, and one between
                    sizes[name] = self.rng.choice((3, 4, 5))
                elif name not in axes or least == 0:  # small strides and wide paddings, so that windows overlap
                    sizes[name] = self.rng.choice((least, 1, 2, 2, 3))
                elif distinct:
                    sizes[name] = pool.pop()
                elif few:
                    sizes[name] = self.rng.choice((1, 2, 2, 3))
                else:  # a tensor may have been too large
                    sizes[name] = self.rng.randint(2, 4)
            try:
                # a remainder, so that a window may not reach the end
                _solve_sizes(sizes, solved, {name: self.rng.choice(lone[name][1]) for name in solved})
            except EvaluationError:
                continue
            unmet = next((c for c in self.size_conditions if not _size_condition(c, sizes)), None)
            if unmet is not None or any(sizes[n] < declared[n].least for n in sizes if n in declared):
                continue
            lengths = [n for name, n in sizes.items() if name in axes]
            if distinct and len(set(lengths)) < len(lengths):
                continue
            try:
                cost = self.largest_tensor(sizes)
            except EvaluationError:
                continue
            if cost <= ENTRIES:
                return sizes
            if smallest is None or cost < smallest[0]:
                smallest = (cost, sizes)
        if smallest is not None:
            return smallest[1]
        if unmet is not None:
            raise EvaluationError(f"no sizes satisfy {to_text(unmet)}")
        raise EvaluationError("no sizes fit the shapes declared: " + ", ".join(declared))

    def axes(self) -> set[str]:
        """The sizes that are the length of an axis or the range of an index; the others are strides and the like."""
        declarations = self.page.declarations
        lengths = [i.size for i in declarations.indices.values()]
        lengths += [s for tensor in declarations.tensors.values() for s in tensor.shape]
        lengths += [s for label in declarations.labels.values() for s in (*label.shape, label.classes)]
        return {s.name for s in lengths if isinstance(s, t.Size)}

    def steps(self) -> set[str]:
        """The sizes that a time runs up to."""
        declarations = self.page.declarations
        lasts = [declarations.indices[name].size for name in declarations.times]
        return {part.name for last in lasts for part in last.walk() if isinstance(part, t.Size)}

    def largest_tensor(self, sizes: dict[str, int]) -> int:
        declarations = self.page.declarations
        cost = 0
        for name in [*declarations.tensors, *declarations.labels, *self.page.definitions]:
            shape = [integer(s, sizes) for s in self.formulas.shape(name)]
            if any(n < 0 for n in shape):
                raise EvaluationError(f"{name} has the shape {shape}")
            entries = 1
            for n in shape:
                entries *= n
            cost = max(cost, entries)
        return cost

    # ---------------------------------------------------------------------------------------------- values

    def values(self, sizes: dict[str, int]) -> Sample:
        declarations = self.page.declarations
        self.used = set()
        local = self.local_conditions()
        labels: dict[str, dict[tuple[int, ...], int]] = {}
        for name, label in declarations.labels.items():
            classes = integer(label.classes, sizes)
            keys = _keys(label.shape, sizes)
            if classes < 1 and keys:
                raise _Unmet(f"labels {name} have no class to take")
            labels[name] = {key: self.rng.randrange(classes) for key in keys}
        values: dict[str, dict[tuple[int, ...], Fraction]] = {}
        for name, tensor in declarations.tensors.items():
            accept = self.acceptance(name, local.get(name, []), sizes)
            values[name] = self.tensor(tensor, _keys(tensor.shape, sizes), accept)
        sample = Sample(sizes, values, labels)
        for condition in self.value_conditions:
            sample = self.solve(condition, sample)
        return sample

    def tensor(
        self, tensor: t.TensorDecl, keys: list[tuple[int, ...]], accept: Callable[[tuple[int, ...], Fraction], bool]
    ) -> dict[tuple[int, ...], Fraction]:
        table: dict[tuple[int, ...], Fraction] = {}
        if tensor.values:
            choices = [Fraction(v) for v in tensor.values]
            table = {key: self.rng.choice(choices) for key in keys}
            if len(keys) >= len(choices):  # every value occurs
                for key, value in zip(self.rng.sample(keys, len(choices)), choices, strict=True):
                    table[key] = value
            return table
        for key in keys:
            for attempt in range(TRIES):
                value = self.entry(tensor.sign, attempt)
                if accept(key, value):
                    break
            else:
                raise EvaluationError(f"found no value of {tensor.name} that satisfies the assumptions about it")
            table[key] = value
            self.used.add(value)
        if tensor.sign in ("", "real", "nonzero") and len(keys) > 1 and len({v > 0 for v in table.values()}) == 1:
            key = self.rng.choice(keys)  # both signs occur
            if accept(key, -table[key]):
                table[key] = -table[key]
        if tensor.sign in ("", "real", "nonzero") and len(keys) == 1 and self.turn is not None:
            (key,) = keys  # over the samples, both signs occur
            wanted = abs(table[key]) * (-1) ** (self.turn + len(tensor.name))
            if accept(key, wanted):
                table[key] = wanted
        return table

    def entry(self, sign: str, attempt: int) -> Fraction:
        # Later attempts look at small and at large values too: the assumptions may ask for them.
        spread = (1.0, 0.4, 0.15, 4.0)[attempt % 4] if attempt >= 20 else 1.0
        centre = 0.0
        if self.formulas.thresholds and self.rng.random() < 0.3:
            centre = float(self.rng.choice(self.formulas.thresholds))  # both sides of the kinks away from 0
        if sign == "nonnegative" and self.rng.random() < 0.05:
            return Fraction(0)
        while True:
            offset = round(self.rng.gauss(0, 1.2) * spread * GRID)
            value = Fraction(round(centre * GRID) + offset, GRID)
            if sign in ("positive", "nonnegative"):
                value = abs(value)
            fresh = value not in self.used or self.rng.random() < 0.02  # a huge tensor may use up the grid
            near = abs(offset) <= 3 * spread * GRID and offset != 0
            if fresh and near and abs(value) >= min(spread, 1.0) / 4:
                return value

    def local_conditions(self) -> dict[str, list[t.Relation]]:
        """Conditions on one entry of one input, by its name: they are met entry by entry."""
        local: dict[str, list[t.Relation]] = {}
        for condition in self.value_conditions:
            entries = {n for n in condition.walk() if isinstance(n, t.Entry)}
            if condition.op != "=" and len(entries) == 1:
                (entry,) = entries
                indices = free_indices(condition)
                if self.is_input(entry) and indices == set(entry.subs):
                    local.setdefault(entry.name, []).append(condition)
        return local

    def acceptance(
        self, name: str, conditions: list[t.Relation], sizes: dict[str, int]
    ) -> Callable[[tuple[int, ...], Fraction], bool]:
        if not conditions:
            return lambda key, value: True

        def accept(key: tuple[int, ...], value: Fraction) -> bool:
            sample = Sample(sizes, {name: {key: value}})
            evaluator = Evaluator(self.inputs_only.page, sample, formulas=self.inputs_only)
            for condition in conditions:
                entry = next(n for n in condition.walk() if isinstance(n, t.Entry))
                binding = {s.name: k for s, k in zip(entry.subs, key, strict=True) if isinstance(s, t.Index)}
                if not _holds(condition, evaluator, binding):
                    return False
            return True

        return accept

    # --------------------------------------------------------------------------------------------- solving

    def solve(self, condition: t.Relation, sample: Sample) -> Sample:
        """Change the sample so that an equation with a lone input, or with a lone sum of one, holds."""
        if condition.op != "=":
            return sample
        for lone, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if isinstance(lone, t.Entry) and self.is_input(lone) and lone not in set(other.walk()):
                return self.assign(lone, other, sample)
            entry, summed = _lone_sum(lone)
            if entry is not None and self.is_input(entry) and entry not in set(other.walk()):
                return self.normalise(entry, summed, other, sample)
        return sample

    def is_input(self, entry: t.Entry) -> bool:
        tensor = self.page.declarations.tensors.get(entry.name)
        return tensor is not None and not tensor.values and _plain_subscripts(entry)

    def assign(self, lone: t.Entry, other: t.Tree, sample: Sample) -> Sample:
        exact = Evaluator(self.page, sample, EXACT, formulas=self.formulas)
        indices = [s for s in lone.subs if isinstance(s, t.Index)]
        new = {}
        for binding in exact.bindings(indices):
            try:
                value = exact.value(other, binding)
            except EvaluationError as error:
                raise EvaluationError(f"cannot solve {to_text(lone)} = {to_text(other)}: {error}") from None
            new[tuple(binding[i.name] for i in indices)] = Fraction(value)
        return sample.replace(lone.name, new)

    def normalise(self, entry: t.Entry, summed: list[t.Index], other: t.Tree, sample: Sample) -> Sample:
        sign = self.page.declarations.tensors[entry.name].sign
        exact = Evaluator(self.page, sample, EXACT, formulas=self.formulas)
        indices = [s for s in entry.subs if isinstance(s, t.Index)]
        outer = [i for i in indices if i not in summed]
        positive = sign in ("positive", "nonnegative") or all(v > 0 for v in sample.values[entry.name].values())
        new: dict[tuple[int, ...], Fraction] = {}
        for binding in exact.bindings(outer):
            total = Fraction(exact.value(other, binding))
            keys = []
            for inner in exact.bindings(summed):
                both = binding | inner
                keys.append(tuple(both[i.name] for i in indices))
            parts = _split(total, [sample.values[entry.name][k] for k in keys], positive)
            new |= dict(zip(keys, parts, strict=True))
        return sample.replace(entry.name, new)


class _Unmet(Exception):
    """An assumption that this try did not meet."""


def _split(total: Fraction, weights: list[Fraction], positive: bool) -> list[Fraction]:
    """Values like ``weights`` that add up to ``total`` exactly, on a grid that doubles hold exactly."""
    if not weights:
        return []
    if not positive:
        return [*weights[:-1], total - sum(weights[:-1])]
    scale = total / sum(weights)
    parts = [Fraction(round(w * scale * GRID * 8), GRID * 8) for w in weights[:-1]]
    return [*parts, total - sum(parts)]


def _holds(condition: t.Relation, evaluator: Evaluator, binding: Mapping[str, int]) -> bool:
    if condition.op == "=":  # both sides are rounded
        left, right = (evaluator.value(side, binding) for side in (condition.left, condition.right))
        return bool(abs(left - right) <= 1e-9 * max(1, abs(left), abs(right)))
    return bool(evaluator.value(condition, binding))


def _keys(shape: tuple[t.Tree, ...], sizes: dict[str, int]) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(integer(s, sizes)) for s in shape)))


def _plain_subscripts(entry: t.Entry) -> bool:
    return all(isinstance(s, t.Index) for s in entry.subs) and len(set(entry.subs)) == len(entry.subs)


def _lone_sum(tree: t.Tree) -> tuple[t.Entry | None, list[t.Index]]:
    summed = []
    while isinstance(tree, t.Sum):
        summed.append(tree.index)
        tree = tree.body
    if summed and isinstance(tree, t.Entry) and _plain_subscripts(tree) and set(summed) <= set(tree.subs):
        return tree, summed
    return None, []


def _solved_size(condition: t.Relation) -> tuple[str, t.Tree, tuple[int, ...]]:
    """The size that a condition gives, its value, and what may be added to that; ("", …) if it gives none."""
    mirrored = {"=": "=", "<=": ">=", "<": ">"}
    for lone, other, op in (
        (condition.left, condition.right, condition.op),
        (condition.right, condition.left, mirrored.get(condition.op, "")),
    ):
        if isinstance(lone, t.Size) and lone not in set(other.walk()):
            slack = {"=": (0,), ">=": (0, 1, 2), ">": (1, 2)}.get(op)
            if slack and not (len(slack) > 1 and isinstance(other, t.Num)):
                return lone.name, other, slack
    return "", condition, ()


def _solve_sizes(sizes: dict[str, int], solved: dict[str, t.Tree], slack: dict[str, int]) -> None:
    waiting = dict(solved)
    while waiting:
        ready = [n for n, tree in waiting.items() if all(s.name in sizes for s in tree.walk() if isinstance(s, t.Size))]
        if not ready:
            raise ValueError("the sizes " + ", ".join(waiting) + " are given in terms of each other only")
        for name in ready:
            sizes[name] = integer(waiting.pop(name), sizes) + slack[name]


def _rational(tree: t.Tree, sizes: Mapping[str, int]) -> Fraction:
    value = constant(tree)
    if value is not None:
        return value
    match tree:
        case t.Div(num, den):
            bottom = _rational(den, sizes)
            if bottom == 0:
                raise EvaluationError("division by 0")
            return _rational(num, sizes) / bottom
        case t.Add(terms):
            return sum((_rational(term, sizes) for term in terms), Fraction(0))
        case t.Neg(arg):
            return -_rational(arg, sizes)
        case t.Mul(factors):
            product = Fraction(1)
            for factor in factors:
                product *= _rational(factor, sizes)
            return product
    return Fraction(integer(tree, sizes))


def _size_condition(condition: t.Relation, sizes: Mapping[str, int]) -> bool:
    try:
        left, right = _rational(condition.left, sizes), _rational(condition.right, sizes)
    except EvaluationError:
        return False
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
        "=": left == right,
        "!=": left != right,
    }[condition.op]
