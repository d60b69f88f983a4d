"""Proof by induction on a time: a goal at time 0, and a goal at t + 1 with the claim at t as the only hypothesis.

Both goals are made here, from the claim alone. The hypothesis is used at that one t and nowhere else; over the other
indices of the claim it holds for all their values, since the induction is over the claim for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Poly, Undecided, Var
from cs231n.calculus.bounds import POSITIVE, atom_sign
from cs231n.calculus.context import using
from cs231n.calculus.proof import Proof, prove_equal
from cs231n.calculus.rewriting import Rewriter, all_atoms, replace_atoms, replace_names, substitute
from cs231n.calculus.system import System
from cs231n.calculus.zero import is_zero

#: More multiples of a hypothesis than this are not tried.
MOST_MULTIPLES = 12


def prove_by_induction(system: System, left: Poly, right: Poly, time: Var) -> Proof:
    """Is left = right at all times 0 … T?

    Args:
        system: the definitions and what is known.
        left: one side, in normal form.
        right: the other side.
        time: the index of the induction; its range is T + 1.
    """
    try:
        with using(system.context):
            first, second = (substitute(side, {time: ZERO}) for side in (left, right))
    except Undecided as reason:
        return Proof(False, reason=f"at the base, {time.name} = 0: {reason}")
    found = prove_equal(system, first, second)
    if not found.proved:
        return Proof(False, reason=f"at the base, {time.name} = 0: {found.reason}")
    try:
        with using(system.context):
            opened = _step(system, left - right, time)
    except Undecided as reason:
        return Proof(False, reason=f"in the step from {time.name} to {time.name} + 1: {reason}")
    except RecursionError:
        return Proof(False, reason="too large: the expression is nested too deeply")
    return Proof(True, tuple(sorted(system.context.used)), tuple(dict.fromkeys((*found.opened, *opened))))


def _step(system: System, difference: Poly, time: Var) -> list[str]:
    """The names opened in a proof that the difference is 0 at t + 1 if it is 0 at t.

    Raises:
        Undecided: it was not proved.
    """
    now = Var(time.name, time.size - UNIT)  # 0 ≤ t < T, so that t + 1 is a time too
    known = substitute(difference, {time: rules.variable(now)})
    goal = substitute(difference, {time: rules.variable(now) + UNIT})
    opened: list[str] = []
    while True:
        known, goal = _peeled(known, goal, now)
        hypothesis = Hypothesis.of(system, known, now)
        rest = goal if hypothesis is None else hypothesis.apply(goal)
        if is_zero(rest):
            return opened
        name = system.next_name(rest) or system.next_name(goal)
        if name is None:
            if any(is_zero(goal - rules.multiply(c, known)) for c in _multiples(known, goal, now)):
                return opened
            raise Undecided("the difference does not normalise to 0")
        opened.append(name)
        known, goal = system.unfold(known, name), system.unfold(goal, name)


def _multiples(known: Poly, goal: Poly, now: Var) -> list[Poly]:
    """What the hypothesis may be multiplied by, so that one of its terms becomes a term of the goal."""
    found: dict[str, Poly] = {}
    for m, c in goal.terms.items():
        for n, d in known.terms.items():
            shared = [a for a, _ in m if a in dict(n) and now in a.free and a.kind in ("sum", "entry")]
            ratio = rules.times_powers(Poly({m: rules.exact(Fraction(c) / d)}), {a: -e for a, e in n})
            # where the hypothesis is defined its multiple has to be, too
            safe = all(e > 0 or atom_sign(a, 1) == POSITIVE for k in ratio.terms for a, e in k)
            if shared and safe:
                found.setdefault(ratio.key, ratio)
    return list(found.values())[:MOST_MULTIPLES]


@dataclass(frozen=True)
class Hypothesis:
    """The claim at t, solved for one atom: an entry of a recurrence at t, or a sum.

    ``letters`` are the subscripts of the entry that are indices of the claim other than t, by axis: the hypothesis
    holds for all their values.
    """

    atom: Atom
    value: Poly
    now: Var
    letters: dict[int, Var]

    @staticmethod
    def of(system: System, known: Poly, now: Var) -> Hypothesis | None:
        """Solve known = 0; None if no atom can be singled out."""
        recurrent = {name for name, line in system.defined.items() if line.start is not None}
        candidates: list[tuple[tuple[bool, bool, str], Hypothesis]] = []
        for m, c in known.terms.items():
            for a, e in m:
                entry = a.kind == "entry" and a.data[0].name in recurrent
                if e != 1 or now not in a.free or not (entry or a.kind in ("sum", "entry")):
                    continue
                factor = Poly({frozenset((b, k) for b, k in m if b is not a): c})
                if not all(atom_sign(b, k) == POSITIVE or _below(k) for b, k in m if b is not a):
                    continue
                rest = Poly({n: q for n, q in known.terms.items() if n != m})
                if a.key in rest.key:
                    continue
                value = rules.multiply(rest, rules.power(factor, -1)).scale(-1)
                letters = _letters(a, now) if a.kind == "entry" else {}
                rank = (not entry, a.kind != "sum", a.key)
                candidates.append((rank, Hypothesis(a, value, now, letters)))
        return min(candidates, key=lambda item: item[0])[1] if candidates else None

    def apply(self, goal: Poly) -> Poly:
        """The goal with the hypothesis put in, at this t only."""
        if not self.letters:
            return replace_atoms(goal, {self.atom: self.value})
        base, pattern = self.atom.data

        def told(found: object, subs: tuple[Poly, ...]) -> Poly | None:
            if any(subs[k] != pattern[k] for k in range(len(subs)) if k not in self.letters):
                return None
            names = {v: subs[k] for k, v in self.letters.items()}
            holds = rules.product_of(rules.in_range(place, v.size) for v, place in names.items())
            outside = rules.multiply(UNIT - holds, rules.entry(base, subs))
            return rules.multiply(holds, substitute(self.value, names)) + outside

        return replace_names(goal, frozenset({base.name}), told)


def _below(exponent: object) -> bool:
    """A factor under the fraction bar is not 0 where the claim is defined."""
    return exponent < 0  # type: ignore[operator]


def _letters(entry: Atom, now: Var) -> dict[int, Var]:
    """The axes whose subscript is an index of the claim, each another one."""
    found: dict[int, Var] = {}
    for k, sub in enumerate(entry.data[1]):
        for v in sub.free:
            if v is not now and not v.private and sub == rules.variable(v) and v not in found.values():
                found[k] = v
    others = [sub for k, sub in enumerate(entry.data[1]) if k not in found]
    return {k: v for k, v in found.items() if not any(v in sub.free for sub in others)}


# ------------------------------------------------------------------------------------------------------- peeling


def _peeled(known: Poly, goal: Poly, now: Var) -> tuple[Poly, Poly]:
    """Both with the conditions of their sums written for one and the same upper bound, the lowest that occurs."""
    floor = min((0, *_shifts(known, now)))

    def lowered(a: Atom) -> Poly | None:
        e = a.data[0]
        slope = _slope(e, now)
        if slope == -1:  # 1[e ≥ 0] = 1 − 1[−e − 1 ≥ 0]
            turned = -e - UNIT
            return None if _constant(turned) <= floor else UNIT - down(turned)
        return down(e) if slope == 1 and _constant(e) > floor else None

    def down(e: Poly) -> Poly:
        out = ZERO
        while _constant(e) > floor:
            out = out + rules.peel(e)[1]
            e = e - UNIT
        return out + rules.nonneg(e)

    rewriter = Rewriter(kinds=frozenset({"nonneg"}), atom_rule=lowered)
    return rewriter.poly(known), rewriter.poly(goal)


def _shifts(p: Poly, now: Var) -> list[int]:
    """The constants of the conditions 1[t + … ≥ 0] anywhere in p."""
    found = []
    for a in all_atoms(p):
        if a.kind == "nonneg" and (slope := _slope(a.data[0], now)) in (1, -1):
            found.append(_constant(a.data[0] if slope == 1 else -a.data[0] - UNIT))
    return found


def _slope(e: Poly, v: Var) -> object:
    return e.terms.get(frozenset({(Atom("var", v), 1)}), 0)


def _constant(e: Poly) -> int:
    return int(e.terms.get(frozenset(), 0))
