"""Definitions that stand on each other through time: is each entry made of earlier ones only, and in which order?

The gates of an LSTM stand on h one step earlier, and h stands on the gates. That is no circle: the entry at time t
leads back to entries at t − 1, and at last to a base. It is shown here, from the subscripts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from cs231n.pages import ranges
from cs231n.pages import tree as t


class Circle(Exception):
    """Names that stand on each other, and not only on earlier entries. ``names``: once round; ``why``: for people."""

    def __init__(self, names: list[str], why: str = "") -> None:
        super().__init__(names, why)
        self.names, self.why = names, why


def in_order(
    definitions: Mapping[str, t.Definition], uses: Callable[[t.Tree], list[str]]
) -> tuple[dict[str, t.Definition], frozenset[str]]:
    """The definitions, each after those it uses at the same time, with their clocks; and the names that have one.

    Args:
        definitions: as read.
        uses: the defined names that a formula is made of.

    Raises:
        Circle: some entry stands on itself, as far as can be told.
    """
    graph = {name: uses(d.value) for name, d in definitions.items()}
    done: dict[str, t.Definition] = {}
    for group in _components(graph):
        if len(group) == 1 and group[0] not in graph[group[0]]:
            done[group[0]] = definitions[group[0]]
            continue
        clocked, shifts = _clocks({name: definitions[name] for name in group}, graph)
        same_time = {x: [y for y in graph[x] if shifts.get((x, y), -1) == 0] for x in group}
        done |= {one[0]: clocked[one[0]] for one in _components(same_time)}
    return done, frozenset(name for name, d in done.items() if d.clock is not None)


def _components(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """The sets of names that can be reached from each other, each after those it leads to (Tarjan 1972)."""
    found: list[list[str]] = []
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for used in graph[name]:
            if used not in graph:
                continue
            if used not in number:
                visit(used)
                low[name] = min(low[name], low[used])
            elif used in stack:
                low[name] = min(low[name], number[used])
        if low[name] == number[name]:
            at = stack.index(name)
            found.append(sorted(stack[at:], key=list(graph).index))
            del stack[at:]

    for name in graph:
        if name not in number:
            visit(name)
    return found


def _clocks(
    group: dict[str, t.Definition], graph: Mapping[str, list[str]]
) -> tuple[dict[str, t.Definition], dict[tuple[str, str], int]]:
    """The group with its clocks, and how much later (never > 0) each reads each; several reads: the latest."""
    clocked = {name: replace(d, clock=d.time) for name, d in group.items() if d.time is not None}
    plain = {name: [y for y in graph[name] if y in group and y not in clocked] for name in group if name not in clocked}
    for one in _components(plain):
        if len(one) > 1 or one[0] in plain[one[0]]:
            raise Circle(_round(graph, one))
        (name,) = one
        clocked[name] = replace(group[name], clock=_clock_of(group[name], clocked, graph, list(group)))
    shifts: dict[tuple[str, str], int] = {}
    for name, d in clocked.items():
        first, later = d.cases if d.time is not None else (None, d.value)
        if first is not None and any(isinstance(x, t.Entry) and x.name in group for x in first.walk()):
            raise Circle(_round(graph, list(group)), f"the base of {name} reads what stands on {name}")
        if any(isinstance(x, t.Grad | t.Partial | t.Total) for x in d.value.walk()):
            raise Circle(_round(graph, list(group)), f"the line of {name} holds a derivative")
        for x in later.walk():
            if isinstance(x, t.Entry) and x.name in group:
                shift = _shift(d, x, clocked[x.name])
                if shift is None or shift > 0:
                    why = f"{name} must read {x.name} at the same time or a fixed number of steps earlier"
                    raise Circle(_round(graph, list(group)), why)
                shifts[name, x.name] = max(shift, shifts.get((name, x.name), shift))
    at_once = {x: [y for y in group if shifts.get((x, y)) == 0] for x in group}
    for one in _components(at_once):
        if len(one) > 1 or one[0] in at_once[one[0]]:
            raise Circle(_round(at_once, one), "nothing in this circle goes back in time")
    return clocked, shifts


def _clock_of(
    d: t.Definition, clocked: Mapping[str, t.Definition], graph: Mapping[str, list[str]], group: list[str]
) -> t.Index:
    """The parameter that stands, up to a constant, in the clock of each entry that is read."""
    for x in d.value.walk():
        if isinstance(x, t.Entry) and x.name in clocked:
            for p in d.params:
                if _shift(replace(d, clock=p), x, clocked[x.name]) is not None:
                    return p
    raise Circle(_round(graph, group), f"no subscript of {d.name} counts the time")


def _shift(d: t.Definition, entry: t.Entry, read: t.Definition) -> int | None:
    """By how much the entry is later than the one that is being defined; None if that is no fixed number."""
    assert d.clock is not None
    axis = read.axis
    assert axis is not None
    difference = ranges.plus(ranges.polynomial(entry.subs[axis]), {(d.clock.name,): Fraction(-1)})
    if difference is None or any(difference) or difference.get((), Fraction(0)).denominator != 1:
        return None
    return int(difference.get((), Fraction(0)))


def _round(graph: Mapping[str, list[str]], names: list[str]) -> list[str]:
    """A way from the first of the names back to it, among them."""
    first = names[0]
    paths = [[first]]
    for path in paths:
        for used in graph[path[-1]]:
            if used == first:
                return [*path, first]
            if used in names and used not in path:
                paths.append([*path, used])
    return [*names, first]
