"""The list of the rules, and two small helpers they share."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import count
from typing import TypeVar

from cs231n.calculus.algebra import Number, Var

F = TypeVar("F", bound=Callable)

#: Every rewrite rule by name, for the tests and the trust page.
RULES: dict[str, Callable] = {}


def rule(function: F) -> F:
    """Register a rewrite rule."""
    RULES[function.__name__] = function
    return function


_fresh = count()


def fresh(like: Var) -> Var:
    """An index of the same range that nothing else uses."""
    return Var(f"~{next(_fresh)}", like.size)


def exact(q: Number) -> Number:
    """An integral Fraction as an int, so that exponents and coefficients have one form."""
    return q.numerator if isinstance(q, Fraction) and q.denominator == 1 else q
