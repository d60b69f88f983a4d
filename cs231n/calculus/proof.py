"""Proving that two expressions are equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cs231n.calculus.algebra import Atom, Poly, Undecided
from cs231n.calculus.context import using
from cs231n.calculus.rewriting import replace_atoms
from cs231n.calculus.system import System
from cs231n.calculus.zero import is_zero


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


def prove_equal(system: System, left: Poly, right: Poly, given: Mapping[Atom, Poly] | None = None) -> Proof:
    """Is left = right? Named quantities stay names first and are opened one at a time, only while needed.

    Args:
        system: the definitions and what is known.
        left: one side, in normal form.
        right: the other side.
        given: entries with a known value, from a case such as "for z = 0".
    """
    with using(system.context):
        opened: list[str] = []
        try:
            p = replace_atoms(left - right, given or {})
            while not is_zero(p):
                name = system.next_name(p)
                if name is None:
                    return Proof(False, reason="the difference does not normalise to 0")
                opened.append(name)
                p = replace_atoms(system.unfold(p, name), given or {})
        except Undecided as reason:
            return Proof(False, reason=str(reason))
        except RecursionError:
            return Proof(False, reason="too large: the expression is nested too deeply")
        return Proof(True, tuple(sorted(system.context.used)), tuple(opened))
