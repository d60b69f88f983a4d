"""Attacks a statement with numbers: looks for a point at which its two sides differ.

Doubles find the candidates, because they are fast; a difference counts only if it is still there at 50 digits, at the
same sizes and inputs. No difference proves nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import mpmath

from cs231n.checking.evaluate import DomainError, EvaluationError, Evaluator, Formulas, Sample
from cs231n.checking.formulas import Program, constant
from cs231n.checking.numbers import EXACT, TooManyDraws
from cs231n.checking.sampling import draw, speaks_of_sizes
from cs231n.pages import tree as t
from cs231n.pages.show import to_text

#: Samples of a page, and points of each at which a statement is compared (all, if it has no more).
SAMPLES, POINTS = 4, 24
#: The same for the mutants that survive these.
MORE_SAMPLES, MORE_POINTS = 8, 6
#: Two doubles differ when they differ by more than this, relatively and absolutely: 50 digits then decide.
RELATIVE, ABSOLUTE = 1e-9, 1e-12
#: The same at 50 digits.
TOLERANCE = mpmath.mpf("1e-35")

_Program = tuple[Program, tuple[str, ...]]


@dataclass(frozen=True)
class Counterexample:
    """Sizes and indices at which the sides of a statement differ, and their values there."""

    sizes: dict[str, int]
    at: dict[str, int]
    left: str
    right: str

    def to_dict(self) -> dict[str, Any]:
        return {"sizes": self.sizes, "at": self.at, "left": self.left, "right": self.right}


@dataclass(frozen=True)
class Attack:
    """What came of it. ``vacuous``: nothing but zeros was compared, so that no difference means nothing."""

    counterexample: Counterexample | None
    points: int
    vacuous: bool = False


@dataclass
class Point:
    """One binding of a statement's free indices at one sample; the values of its sides are kept."""

    evaluator: Evaluator
    binding: dict[str, int]
    special: bool = False  # inputs were set to the values that a case of the statement asks for
    values: dict[tuple[str, int], Any] = field(default_factory=dict)

    def value(self, side: str, program: _Program, digits: int = 0) -> Any:
        """The value of a side of the statement itself; ``digits`` 0 means a double."""
        if (side, digits) not in self.values:
            self.values[side, digits] = self.run(program, digits)
        return self.values[side, digits]

    def both(self, left: _Program, right: _Program, digits: int = 0) -> tuple[Any, Any]:
        return self.value("left", left, digits), self.value("right", right, digits)

    def run(self, program: _Program, digits: int = 0) -> Any:
        evaluator = self.evaluator.exact(digits) if digits else self.evaluator
        return evaluator.run(*program, self.binding)


class Trials:
    """The samples of a page and, for each of its statements, the points at which it is compared.

    Everything drawn is kept, so that all statements of a page and all their mutants share the tables of the samples.
    """

    def __init__(self, page: t.Page, seed: int = 0, samples: Iterable[Sample] = ()) -> None:
        self.page = page
        self.formulas = Formulas(page)
        self.seed = seed
        # By identity: hashing a long claim takes time.
        self._points: dict[tuple[int, bool], tuple[t.Statement, list[Point]]] = {}
        self._evaluators: dict[tuple[int, tuple[t.Tree, ...]], Evaluator] = {}
        for number, sample in enumerate(samples):
            self._evaluators[number, ()] = Evaluator(page, sample, formulas=self.formulas)

    def evaluator(self, number: int, where: tuple[t.Tree, ...] = ()) -> Evaluator:
        """The sample of this number at which the conditions on sizes ``where`` hold too."""
        if (number, where) not in self._evaluators:
            # Each sample has a generator of its own, so that it does not depend on what was drawn before it.
            rng = random.Random(f"{self.seed} {self.page.id} {number} {' '.join(map(to_text, where))}")
            self._evaluators[number, where] = draw(self.page, rng, where=where, formulas=self.formulas, turn=number)
        return self._evaluators[number, where]

    def points(self, statement: t.Statement, *, more: bool = False) -> list[Point]:
        """Where the statement is compared: in each of its cases, at up to POINTS bindings of each sample.

        ``more`` gives other points, of samples that are drawn for this.
        """
        key = (id(statement), more)
        if key not in self._points:
            cases = statement.cases or (t.Case(),)
            self._points[key] = (statement, [p for case in cases for p in self._case(statement, case, more)])
        return self._points[key][1]

    def _case(self, statement: t.Statement, case: t.Case, more: bool) -> list[Point]:
        # A statement without free indices has one point in a sample, so it gets more samples.
        more_samples = MORE_SAMPLES if statement.free else 6 * MORE_SAMPLES
        numbers = range(4 * MORE_SAMPLES, 4 * MORE_SAMPLES + more_samples) if more else range(4 * MORE_SAMPLES)
        rng = random.Random(f"{self.seed} {statement.latex} {more}")
        points: list[Point] = []
        for tried, number in enumerate(numbers):
            # A condition that few samples meet deserves more of them, a plain claim does not.
            if not more and tried >= SAMPLES <= len(points):
                break
            points += self._of_sample(statement, case, number, rng, MORE_POINTS if more else POINTS)
        if not points and not more:
            if case.conditions:
                raise EvaluationError("found no point with " + ", ".join(to_text(c) for c in case.conditions))
            raise EvaluationError("the statement has no instance: one of its indices has an empty range")
        return points

    def _of_sample(
        self, statement: t.Statement, case: t.Case, number: int, rng: random.Random, most: int
    ) -> Iterator[Point]:
        on_sizes = tuple(c for c in case.conditions if speaks_of_sizes(c))
        others = [c for c in case.conditions if not speaks_of_sizes(c)]
        assigned = {c: lone for c in others if (lone := self._lone_input(c)) is not None}
        tests = [c for c in others if c not in assigned]
        evaluator = self.evaluator(number, on_sizes)
        bindings = list(evaluator.bindings(statement.free))
        rng.shuffle(bindings)
        # A delta is 0 almost everywhere: every third point lies where the indices of one size coincide.
        meeting: list[dict[str, int]] = []
        apart: list[dict[str, int]] = []
        for b in bindings:
            (meeting if _coincide(statement.free, b) else apart).append(b)
        bindings = [b for k in range(len(bindings)) for b in (*meeting[k : k + 1], *apart[2 * k : 2 * k + 2])]
        found = 0
        for binding in bindings:
            # Each assignment makes a sample of its own, so a few of them must do.
            if found >= (4 if assigned else most):
                break
            try:
                special = self._assign(evaluator, assigned, binding) if assigned else evaluator
                if not all(special.value(c, binding) for c in tests):
                    continue
            except DomainError:
                continue
            found += 1
            yield Point(special, binding, special=bool(assigned))

    def _lone_input(self, condition: t.Relation) -> tuple[t.Entry, t.Tree] | None:
        if condition.op == "=":
            for lone, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if isinstance(lone, t.Entry) and lone.name in self.page.declarations.tensors:
                    return lone, other
        return None

    def _assign(
        self, evaluator: Evaluator, assigned: dict[t.Relation, tuple[t.Entry, t.Tree]], binding: dict[str, int]
    ) -> Evaluator:
        sample = evaluator.sample
        for lone, other in assigned.values():
            at = Evaluator(self.page, sample, EXACT, formulas=self.formulas)  # a rounded value would not be it
            try:
                key = tuple(int(at.value(s, binding)) for s in lone.subs)
                sample = sample.replace(lone.name, {key: at.value(other, binding)})
            except EvaluationError as error:
                raise EvaluationError(f"cannot set {to_text(lone)} to {to_text(other)}: {error}") from None
        return Evaluator(self.page, sample, formulas=self.formulas)


def _coincide(free: tuple[t.Index, ...], binding: dict[str, int]) -> bool:
    """Do all indices that run over the same size have the same value?"""
    return all(len({binding[i.name] for i in free if i.size == size}) == 1 for size in {i.size for i in free})


def attack(page: t.Page, statement: t.Statement, trials: Trials) -> Attack:
    """Look for a point at which the sides of a claim or mistake differ.

    Points outside the domain of a side are passed over. Raises EvaluationError if a side cannot be evaluated at all: it
    has no value at any point, or reads an entry outside its range without a guard.
    """
    if statement.left is None or statement.right is None:
        raise ValueError(f"expected a claim or a mistake, got a {statement.kind}")
    left, right = trials.formulas.program(statement.left), trials.formulas.program(statement.right)
    compared = 0
    looked_closely = 0
    all_zero = True
    outside: DomainError | None = None
    for more in (False, True):
        for point in trials.points(statement, more=more):
            try:
                a, b = point.both(left, right)
                compared += 1
                all_zero = all_zero and abs(a) <= ABSOLUTE and abs(b) <= ABSOLUTE
                if looked_closely < 2 or differ(a, b):
                    looked_closely += 1
                    found = confirm(partial(point.both, left, right))
                    if found is not None:
                        sizes = dict(point.evaluator.sample.sizes)
                        return Attack(Counterexample(sizes, point.binding, *map(_digits, found)), compared)
            except DomainError as error:
                outside = error
        if compared or not isinstance(outside, TooManyDraws):  # other samples may be smaller
            break
    if compared == 0:
        raise EvaluationError(f"the statement has no value at any of the points tried: {outside}")
    # A statement that says 0, or is made "for x = 0", may compare zeros.
    general = [p for p in trials.points(statement) if not p.special]
    vacuous = (
        all_zero
        and bool(general)
        and constant(statement.left) != 0
        and constant(statement.right) != 0
        and not any(_parts_matter(statement, p) for p in general[:POINTS])
    )
    return Attack(None, compared, vacuous)


def differ(a: float, b: float) -> bool:
    """True if two doubles differ by more than rounding usually does."""
    return abs(a - b) > RELATIVE * max(abs(a), abs(b)) + ABSOLUTE


def confirm(values: Callable[[int], tuple[Any, Any]]) -> tuple[Any, Any] | None:
    """The two values at 50 digits, if they differ; ``values(digits)`` computes them.

    A small difference may be left by the cancellation of large terms. Then it shrinks with more digits.
    """
    a, b = values(50)
    gap = abs(a - b)
    scale = max(abs(a), abs(b))
    if gap <= TOLERANCE * max(scale, 1):
        return None
    if gap < 1e-15 * scale or gap < 1e-15:
        c, d = values(100)
        if not gap / 2 < abs(c - d) < gap * 2:
            return None
    return a, b


def _parts_matter(statement: t.Statement, point: Point) -> bool:
    """True if a side that came to 0 did so by cancellation of terms that are not 0."""
    for side in (statement.left, statement.right):
        assert side is not None
        for term, extra in _terms(side, point.evaluator):
            try:
                if abs(point.evaluator.value(term, point.binding | extra)) > ABSOLUTE:
                    return True
            except EvaluationError:
                continue
    return False


def _terms(tree: t.Tree, evaluator: Evaluator) -> Iterator[tuple[t.Tree, dict[str, int]]]:
    """What a formula adds up or chooses from, with the values of the summation indices."""
    match tree:
        case t.Add(terms):
            for term in terms:
                yield from _terms(term, evaluator)
        case t.Sum(index, body):
            for binding in evaluator.bindings([index]):
                for term, more in _terms(body, evaluator):
                    yield term, binding | more
        case t.Neg(arg) | t.Div(arg, _):
            yield from _terms(arg, evaluator)
        case t.Call("max" | "min", args):
            for arg in args:
                yield from _terms(arg, evaluator)
        case t.Mul(factors) if any(isinstance(f, (t.Add, t.Sum)) for f in factors):
            for factor in factors:
                if isinstance(factor, (t.Add, t.Sum)):
                    yield from _terms(factor, evaluator)
        case _:
            yield tree, {}


def _digits(value: Any) -> str:
    return str(mpmath.nstr(value, 6)).removesuffix(".0")
