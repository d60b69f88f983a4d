"""Exact expectations for the evaluator: every draw of a small distribution with the declared moments, one by one.

What a page claims of random tensors it claims for every distribution with the moments that it declares. So any such
distribution may attack it. Here each entry has one of its own on two points, or on four where it must be symmetric,
which differs from entry to entry; its points and weights are fractions, the same in doubles and in 50 digits. Zero
is no point of a symmetric one: no draw sits on a kink by design.

The draws are gone through for those entries only that a formula reads.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from math import isqrt, prod
from typing import Any

from cs231n.checking.evaluate import EvaluationError, Evaluator, Key, Table
from cs231n.checking.formulas import Program, derivative_table, identifier
from cs231n.checking.numbers import EXACT, TooManyDraws

#: More draws than this are not gone through: the point is passed over.
DRAWS = 4096

Where = tuple[str, Key]


def support(mean: Fraction, variance: Fraction, symmetric: bool, chance: Fraction) -> list[tuple[Fraction, Fraction]]:
    """A distribution with these moments: its points and their weights. ``chance``, not 0, makes it one of many.

    >>> support(Fraction(1), Fraction(2), False, Fraction(1))
    [(Fraction(2, 1), Fraction(2, 3)), (Fraction(-1, 1), Fraction(1, 3))]
    """
    if variance < 0:
        raise EvaluationError(f"a variance is never negative, got {variance}")
    if variance == 0:
        return [(mean, Fraction(1))]
    if not symmetric:
        other = variance / chance
        return [(mean + chance, variance / (chance**2 + variance)), (mean - other, chance**2 / (chance**2 + variance))]
    part = abs(chance) % 1
    root = Fraction(isqrt(variance.numerator * variance.denominator << 60), variance.denominator << 30)
    near, far = root * (3 + 4 * part) / 10, root * (13 + 9 * part) / 10  # on either side of the standard deviation
    weight = (far**2 - variance) / (far**2 - near**2) / 2
    rest = Fraction(1, 2) - weight
    return [(near, weight), (-near, weight), (far, rest), (-far, rest)]


class World(Evaluator):
    """The page with its random entries set, to one draw after another. All else it shares with its parent."""

    def __init__(self, parent: Evaluator) -> None:
        super().__init__(parent.page, parent.sample, parent.numbers, formulas=parent.formulas)
        self.parent = parent
        self.drawn: dict[Where, Any] = {}
        self.read: dict[Where, None] = {}
        self._supports: dict[Where, list[tuple[Any, Any]]] = {}
        self._moments: dict[str, tuple[Fraction, Fraction]] = {}
        self._slopes: list[_Slopes] = []
        self._changing: list[Table] = []
        for name, table in parent._tables.items():
            if name not in parent.formulas.random:
                self._tables[name] = self._plain[f"t_{identifier(name)}"] = table
                continue
            if name in self.page.declarations.tensors:
                self._add(name, lambda *key, name=name: self._entry(name, key))
            self._changing.append(self._tables[name])

    def mean(self, program: Program) -> Callable[..., Any]:
        """An expectation inside an expectation is a number: it is over all draws, not over this one."""
        return self.parent.mean(program)

    def over_draws(self, program: Program, key: Key) -> Any:
        """The expectation of a program at these arguments."""
        function = self._bind(program, self._plain)
        entries: list[Where] = []
        while True:
            self.read.clear()
            total = self._total(function, key, entries)
            more = [e for e in self.read if e not in entries]
            if not more:
                return total
            entries += more

    def _total(self, function: Callable[..., Any], key: Key, entries: list[Where]) -> Any:
        """Σ weight · value over all draws of these entries; stops at a draw that reads others, too."""
        choices = [self._support(where) for where in entries]
        if prod(map(len, choices)) > DRAWS:
            raise TooManyDraws(f"the expectation depends on {len(entries)} random entries, too many to go through")
        parts = []
        for draw in itertools.product(*choices):
            self._set({where: value for where, (value, _) in zip(entries, draw, strict=True)})
            parts.append(function(*key) * prod((weight for _, weight in draw), start=self.numbers.make(1)))
            if len(self.read) > len(entries):
                return None
        return sum(parts)

    def _set(self, drawn: dict[Where, Any]) -> None:
        self.drawn = drawn
        self._dual.clear()
        for table in self._changing:
            table.clear()
        for slopes in self._slopes:
            slopes.clear()

    def _entry(self, name: str, key: Key) -> Any:
        where = (name, key)
        self.read[where] = None
        return self.drawn[where] if where in self.drawn else self._support(where)[0][0]

    def _support(self, where: Where) -> list[tuple[Any, Any]]:
        if where not in self._supports:
            name, key = where
            known = self.page.declarations.tensors[name].random
            assert known is not None
            if name not in self._moments:
                exact = Evaluator(self.page, self.sample, EXACT, formulas=self.formulas)
                mean, variance = exact.value(known.mean), exact.value(known.variance)
                self._moments[name] = Fraction(mean), Fraction(variance)
            # what the sample holds is different for all entries
            points = support(*self._moments[name], known.symmetric, self.sample.values[name][key] or Fraction(1))
            self._supports[where] = [(self.numbers.make(p), self.numbers.make(w)) for p, w in points]
        return self._supports[where]

    def _derivative(self, kind: str, names: tuple[str, ...]) -> Any:
        table = derivative_table(kind, names)
        if table not in self._plain:
            make = (lambda: self._gradient(*names)) if kind == "g" else (lambda: self._jacobian(kind, *names))
            slopes = _Slopes(make)
            self._plain[table] = slopes
            self._slopes.append(slopes)
        return self._plain[table]


class _Slopes:
    """A table of derivatives that is made anew for each draw."""

    def __init__(self, make: Callable[[], Table]) -> None:
        self._make = make
        self._table: Table | None = None

    def __getitem__(self, key: Key) -> Any:
        if self._table is None:
            self._table = self._make()
        return self._table[key]

    def clear(self) -> None:
        self._table = None


__all__ = ["DRAWS", "World", "support"]
