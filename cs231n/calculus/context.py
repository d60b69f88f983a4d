"""What is known while a statement is being proved, and what the proof has used of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from cs231n.calculus.algebra import Atom, Poly

OFF_THE_KINK = "off the kink"
NO_TIES = "no ties"
INDEPENDENT = "independent draws"


@dataclass
class Context:
    """Declared knowledge and a record of its use.

    Attributes:
        size_facts: integer expressions in sizes known to be ≥ 0, each with the words to print.
        facts: real expressions known to be > 0 (True) or ≥ 0 (False) in the case at hand.
        equations: declared equations, each a pattern atom (its free indices are arbitrary), its value, and its words.
        used: the hypotheses that some rewrite has needed so far.
    """

    size_facts: list[tuple[Poly, str]] = field(default_factory=list)
    facts: list[tuple[Poly, bool]] = field(default_factory=list)
    equations: list[tuple[Atom, Poly, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


_current: ContextVar[Context | None] = ContextVar("calculus_context", default=None)
_NOTHING = Context()


def current() -> Context:
    """The context in force; outside any proof, one that knows nothing."""
    return _current.get() or _NOTHING


@contextmanager
def using(context: Context) -> Iterator[Context]:
    """Put a context in force."""
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def need(hypothesis: str) -> None:
    """Record that the proof rests on a hypothesis."""
    current().used.add(hypothesis)


@contextmanager
def assuming(fact: Poly | None, strict: bool) -> Iterator[None]:
    """Add a fact (fact > 0, or fact ≥ 0 if not strict) to the case at hand."""
    context = current()
    before = context.facts
    if fact is not None:
        context.facts = [*before, (fact, strict)]
    try:
        yield
    finally:
        context.facts = before


@contextmanager
def over_all_draws() -> Iterator[None]:
    """Inside an expectation: what the case at hand says of random quantities it says of one draw, not of all."""
    context = current()
    facts, context.facts = context.facts, [(f, strict) for f, strict in context.facts if not f.draws]
    try:
        yield
    finally:
        context.facts = facts


@contextmanager
def for_all_inputs() -> Iterator[None]:
    """What is differentiated must be known for all inputs near by, not only for those that satisfy an equation.

    If Σ_j x_j = 1 is assumed, 1 may stand for the sum, but the derivative of the sum is not that of 1.
    """
    context = current()
    equations, context.equations = context.equations, []
    try:
        yield
    finally:
        context.equations = equations


@contextmanager
def recording() -> Iterator[set[str]]:
    """For what is kept for later proofs: collect the hypotheses needed inside, and count them as needed outside.

    The facts of the case at hand do not hold for what is kept, so they are put aside, and so are declared equations,
    because what is kept may be differentiated.
    """
    context = current()
    before, context.used = context.used, set()
    facts, context.facts = context.facts, []
    try:
        with for_all_inputs():
            yield context.used
    finally:
        context.used = before | context.used
        context.facts = facts
