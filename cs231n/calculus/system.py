"""A page's definitions as the engine sees them: a graph of named quantities, their derivatives and adjoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cs231n.calculus import rules
from cs231n.calculus.algebra import ONE, UNIT, ZERO, Base, Number, Poly, Undecided, Var
from cs231n.calculus.bounds import lower, size_nonneg
from cs231n.calculus.context import Context, current, recording
from cs231n.calculus.derivatives import differentiate
from cs231n.calculus.rewriting import all_atoms, replace_names, substitute

ADJOINT = "∂"


@dataclass(frozen=True)
class Defined:
    """``name[params] := value``; in the value, earlier names stay names. ``used``: the hypotheses it rests on.

    A recurrence has a ``start``, its value where the parameter number ``axis`` is 0; elsewhere ``value`` holds, which
    may read the name itself one step earlier. Other lines that stand on earlier entries of themselves, through
    recurrences, also have an ``axis``: it counts the time.
    """

    base: Base
    params: tuple[Var, ...]
    value: Poly
    used: frozenset[str] = frozenset()
    start: Poly | None = None
    axis: int | None = None

    @property
    def names(self) -> frozenset[str]:
        """All names that it stands on."""
        return self.value.names if self.start is None else self.value.names | self.start.names


@dataclass
class System:
    """Named quantities in an order in which each stands only on earlier ones, and what the gradients are of.

    Attributes:
        bases: every declared or defined name.
        defined: the definitions, in order.
        outputs: each output's name with the base of its upstream gradient, or None for a scalar loss.
        context: what is known, and a record of what was used.
    """

    bases: dict[str, Base] = field(default_factory=dict)
    defined: dict[str, Defined] = field(default_factory=dict)
    outputs: list[tuple[str, Base | None]] = field(default_factory=list)
    context: Context = field(default_factory=Context)
    _totals: dict[tuple[str, str], tuple[tuple[Var, ...], Defined]] = field(default_factory=dict)
    _reaching: dict[str, bool] = field(default_factory=dict)
    _adjoint_lines: dict[str, Defined] = field(default_factory=dict)

    def define(self, line: Defined) -> None:
        self.bases[line.base.name] = line.base
        self.defined[line.base.name] = line

    def arrange(self, names: list[str]) -> None:
        """Put the latest definitions in this order: of those that stand on each other, what is read at the same time
        comes before what reads it.
        """
        lines = {name: self.defined.pop(name) for name in names}
        self.defined |= lines

    def entry(self, name: str, subs: tuple[Poly, ...] = ()) -> Poly:
        return rules.entry(self.bases[name], subs)

    # ------------------------------------------------------------------------------------------------ derivatives

    def partial(self, of: str, of_subs: tuple[Poly, ...], wrt: str, wrt_subs: tuple[Poly, ...]) -> Poly:
        """∂of/∂wrt on of's own line, everything else named on it held fixed."""
        line, value = self.defined[of], _case(self.defined[of], of_subs)
        if value is None:
            raise Undecided(f"it is not known which line of the recurrence {of} holds here")
        if of == wrt and not self._one_step_back(line, of_subs, wrt_subs):
            raise Undecided(f"{of} stands on {of} one step earlier: only by that entry is it differentiated here")
        at = self._params(wrt)
        slope = differentiate(value, wrt, at)
        return substitute(slope, dict(zip(line.params + at, of_subs + wrt_subs, strict=True)))

    @staticmethod
    def _one_step_back(line: Defined, subs: tuple[Poly, ...], earlier: tuple[Poly, ...]) -> bool:
        return line.axis is not None and subs[line.axis] - earlier[line.axis] == UNIT

    def total(self, of: str, of_subs: tuple[Poly, ...], wrt: str, wrt_subs: tuple[Poly, ...]) -> Poly:
        """d of/d wrt through all definitions: the direct partial, and the chain rule over what of stands on."""
        at, line = self._total(of, wrt)
        current().used |= line.used
        return substitute(line.value, dict(zip(line.params + at, of_subs + wrt_subs, strict=True)))

    def _total(self, of: str, wrt: str) -> tuple[tuple[Var, ...], Defined]:
        if (of, wrt) in self._totals:
            return self._totals[of, wrt]
        line, at = self.defined[of], self._params(wrt)
        for name in (of, wrt):  # what is earlier in time also acts through what is later
            if name in self.defined and self.defined[name].axis is not None:
                raise Undecided(f"total derivatives through the recurrence {name} are not known yet")
        with recording() as used:
            out = differentiate(line.value, wrt, at)
            for via in self.defined:
                if via not in line.value.names or via == wrt:
                    continue
                inner_at, inner = self._total(via, wrt)
                if not inner.value.terms:
                    continue
                middle = self._params(via)
                names = dict(zip(inner.params + inner_at, map(rules.variable, middle + at), strict=True))
                term = rules.multiply(differentiate(line.value, via, middle), substitute(inner.value, names))
                out = out + rules.sum_over(term, *middle)
                used |= inner.used
        self._totals[of, wrt] = at, Defined(line.base, line.params, out, frozenset(used | line.used))
        return self._totals[of, wrt]

    def _params(self, name: str) -> tuple[Var, ...]:
        return tuple(rules.fresh(Var("~", n)) for n in self.bases[name].shape)

    # --------------------------------------------------------------------------------------------------- adjoints

    def adjoint(self, name: str, subs: tuple[Poly, ...]) -> Poly:
        """∂L/∂name[subs], as an entry of a named quantity that `unfold` can open."""
        adjoint_name = ADJOINT + name
        if adjoint_name not in self.bases:
            if not self.reaches_output(name):
                raise Undecided(f"{name} is on no path to the output")
            shape = self.bases[name].shape
            draws = frozenset().union(*(b.draws for b in self.bases.values()))
            self.bases[adjoint_name] = Base(adjoint_name, shape, generic=False, smooth=False, draws=draws)
        return self.entry(adjoint_name, subs)

    def reaches_output(self, name: str) -> bool:
        if name not in self._reaching:
            self._reaching[name] = False  # for a circle through time, until another way is found
            reached = [c for c, d in self.defined.items() if c != name and name in d.names and self.reaches_output(c)]
            if reached or any(name == o for o, _ in self.outputs):
                self._reaching[name] = True
            else:
                del self._reaching[name]
                return False
        return self._reaching[name]

    def _adjoint_line(self, name: str) -> Defined:
        """∂L/∂v = (upstream, if v is an output) + Σ over the lines c that v stands on: Σ ∂L/∂c · ∂c/∂v."""
        base, at = self.bases[ADJOINT + name], self._params(name)
        places = tuple(map(rules.variable, at))
        out = ZERO
        with recording() as used:
            for output, upstream in self.outputs:
                if output == name:
                    out = out + (UNIT if upstream is None else rules.entry(upstream, places))
            for consumer, line in self.defined.items():
                if name not in line.names or not self.reaches_output(consumer):
                    continue
                for middle, subs, value in self._lines(line):
                    value = substitute(value, dict(zip(line.params, subs, strict=True)))
                    term = rules.multiply(self.adjoint(consumer, subs), differentiate(value, name, at))
                    out = out + rules.sum_over(term, *middle)
                used |= line.used
        return Defined(base, at, out, frozenset(used), axis=self.defined[name].axis if name in self.defined else None)

    def _lines(self, line: Defined) -> Iterator[tuple[tuple[Var, ...], tuple[Poly, ...], Poly]]:
        """Which entries a line defines, as indices and the subscripts made of them, and their value.

        A recurrence has two lines. One defines the entries at time 0, the other those at s + 1 for s = 0 … T − 1.
        """
        middle = self._params(line.base.name)
        subs = tuple(map(rules.variable, middle))
        if line.start is None:
            yield middle, subs, line.value
            return
        k = line.axis
        assert k is not None
        yield middle[:k] + middle[k + 1 :], (*subs[:k], ZERO, *subs[k + 1 :]), line.start
        step = rules.fresh(Var("~", middle[k].size - UNIT))
        later = rules.variable(step) + UNIT
        yield (*middle[:k], step, *middle[k + 1 :]), (*subs[:k], later, *subs[k + 1 :]), line.value

    # -------------------------------------------------------------------------------------------------- unfolding

    def next_name(self, p: Poly, endless: bool = True) -> str | None:
        """The name to open next: the adjoint furthest upstream, or else the quantity furthest downstream.

        Of adjoints that stand on each other through time the earliest is opened: it leads to later ones only.

        Args:
            p: what the name is to be found in.
            endless: may it be such an adjoint?
        """
        position = {n: k for k, n in enumerate(self.defined)}
        adjoints = [n for n in p.names if n.startswith(ADJOINT) and (endless or not self.recursive(n))]
        if not adjoints:
            named = [n for n in p.names if n in position and self._opens(n, p)]
            return max(named, key=lambda n: position[n]) if named else None
        first = min(adjoints, key=lambda n: (position.get(n[len(ADJOINT) :], -1), n))
        if not self.recursive(first):
            return first
        return min(filter(self.recursive, adjoints), key=lambda n: (self._earliest(n, p), position[n[len(ADJOINT) :]]))

    def recursive(self, name: str) -> bool:
        """Is it the adjoint of a quantity that stands on earlier entries of itself? Then it stands on later ones."""
        line = self.defined.get(name[len(ADJOINT) :]) if name.startswith(ADJOINT) else None
        return line is not None and line.axis is not None

    def _earliest(self, adjoint: str, p: Poly) -> Number:
        """The least of the times at which it is read, as far as they are numbers: 1 for t + 1."""
        axis = self.defined[adjoint[len(ADJOINT) :]].axis
        assert axis is not None
        entries = (a for a in all_atoms(p) if a.kind == "entry" and a.data[0].name == adjoint)
        return min(a.data[1][axis].terms.get(ONE, 0) for a in entries)

    def _opens(self, name: str, p: Poly) -> bool:
        """Can an entry of the name be opened? One of a recurrence only at time 0 or at a time that is surely later."""
        line = self.defined[name]
        if line.start is None:
            return True
        entries = (a for a in all_atoms(p) if a.kind == "entry" and a.data[0].name == name)
        return any(_case(line, a.data[1]) is not None for a in entries)

    def unfold(self, p: Poly, name: str) -> Poly:
        """Put a name's definition in its place, with the indicator of being in range where that is not sure."""
        earliest = None
        if name.startswith(ADJOINT):
            v = name[len(ADJOINT) :]
            if v not in self._adjoint_lines:
                self._adjoint_lines[v] = self._adjoint_line(v)
            line = self._adjoint_lines[v]
            earliest = self._earliest(name, p) if self.recursive(name) and name in p.names else None
        else:
            line = self.defined[name]

        current().used |= line.used

        def opened(base: Base, subs: tuple[Poly, ...]) -> Poly | None:
            if earliest is not None and subs[line.axis].terms.get(ONE, 0) != earliest:  # type: ignore[index]
                return None
            value = _case(line, subs)
            if value is None:
                return None
            guard = rules.product_of(rules.in_range(e, n) for e, n in zip(subs, base.shape, strict=True))
            return rules.multiply(guard, substitute(value, dict(zip(line.params, subs, strict=True))))

        return replace_names(p, frozenset({name}), opened)


def _case(line: Defined, subs: tuple[Poly, ...]) -> Poly | None:
    """The formula that holds at these subscripts; None where it cannot be told which line of a recurrence does."""
    if line.start is None:
        return line.value
    assert line.axis is not None
    time = subs[line.axis]
    if not time.terms:
        return line.start
    return line.value if size_nonneg(lower(time - UNIT)) else None
