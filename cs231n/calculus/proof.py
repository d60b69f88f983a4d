"""Proving that two expressions are equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Poly, Undecided
from cs231n.calculus.context import Context, using
from cs231n.calculus.rewriting import replace_atoms
from cs231n.calculus.system import System
from cs231n.calculus.zero import is_zero

#: How often an adjoint that stands on later ones of its kind is opened in one proof.
MOST_STEPS = 2
#: And how long the difference may be, spelt out, to be opened further with such an adjoint in it.
MOST_LETTERS = 12_000
#: And how long it may be to be opened further where a brief try is enough.
BRIEF_LETTERS = 4_000


@dataclass(frozen=True)
class Proof:
    """The engine's answer.

    Attributes:
        proved: True only if the two sides are equal wherever both are defined, under the hypotheses.
        hypotheses: those that some step has needed.
        opened: the named quantities whose definitions were needed, in order.
        reason: why it was not proved.
    """

    proved: bool
    hypotheses: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Given:
    """What a case says: entries that have a value (for z = 0), expressions that are > 0 or ≥ 0 (for z > 0)."""

    values: Mapping[Atom, Poly] = field(default_factory=dict)
    facts: tuple[tuple[Poly, bool], ...] = ()


def prove_equal(system: System, left: Poly, right: Poly, given: Given = Given(), brief: bool = False) -> Proof:
    """Is left = right? Named quantities stay names first and are opened one at a time, only while needed.

    Args:
        system: the definitions and what is known.
        left: one side, in normal form.
        right: the other side.
        given: what holds in the case at hand.
        brief: give up where the difference becomes long, or where one step through time is not enough.
    """
    with using(system.context):
        opened: list[str] = []
        try:
            p = _in_the_case(system.context, left - right, given)
            while not is_zero(p):
                name = system.next_name(p)
                if name is not None and system.recursive(name) and opened:
                    # it leads to later ones of its kind without end: perhaps those that are left fall out by themselves
                    if (found := _with_the_others(system, p, given)) is not None:
                        opened += found
                        break
                    if brief or opened.count(name) == MOST_STEPS or len(p.key) > MOST_LETTERS:
                        name = None
                if name is None or (brief and len(p.key) > BRIEF_LETTERS):
                    return Proof(False, reason="the difference does not normalise to 0")
                opened.append(name)
                p, given = _opened(system, p, given, name)
        except Undecided as reason:
            return Proof(False, reason=str(reason))
        except RecursionError:
            return Proof(False, reason="too large: the expression is nested too deeply")
        finally:
            system.context.facts = []
        return Proof(True, tuple(sorted(system.context.used)), tuple(opened))


def _opened(system: System, p: Poly, given: Given, name: str) -> tuple[Poly, Given]:
    """p, and what is given, with a name opened."""
    facts = tuple((system.unfold(f, name), strict) for f, strict in given.facts)
    given = Given(given.values, facts)
    return _in_the_case(system.context, system.unfold(p, name), given), given


def _with_the_others(system: System, p: Poly, given: Given) -> list[str] | None:
    """The names whose definitions show that p is 0, if they do and the adjoints that have no end stay as they are."""
    opened: list[str] = []
    while len(p.key) <= MOST_LETTERS and (name := system.next_name(p, endless=False)) is not None:
        opened.append(name)
        p, given = _opened(system, p, given, name)
        if is_zero(p):
            return opened
    return None


def _in_the_case(context: Context, p: Poly, given: Given) -> Poly:
    """p with the values of the case, the indicators it decides, and those that follow from them."""
    values = dict(given.values)
    context.facts = []
    for f, strict in given.facts:
        if strict:
            values.update(_decided(rules.step(f), UNIT))
        values.update(_decided(rules.step(-f), ZERO))
    context.facts = list(given.facts)
    return replace_atoms(p, values) if values or given.facts else p


def _decided(mark: Poly, value: Poly) -> dict[Atom, Poly]:
    """The atom in ``mark``, which is an indicator or one minus an indicator, and its value."""
    for side, known in ((mark, value), (UNIT - mark, UNIT - value)):
        if len(side.terms) == 1:
            ((m, c),) = side.terms.items()
            if c == 1 and len(m) == 1:
                ((a, e),) = m
                if e == 1 and a.is_indicator:
                    return {a: known}
    return {}
