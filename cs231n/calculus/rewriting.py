"""Rebuilding an expression with parts replaced: indices, entries, atoms. Bound indices can never be captured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cs231n.calculus import rules
from cs231n.calculus.algebra import ONE, UNIT, ZERO, Atom, Base, Number, Poly, Var
from cs231n.calculus.context import over_all_draws

#: What becomes of an entry: its base and its rebuilt subscripts, to a replacement or None.
EntryRule = Callable[[Base, tuple[Poly, ...]], Poly | None]


class Rewriter:
    """Replaces indices by expressions, entries of some names by a rule, and whole atoms, then normalises again.

    Args:
        indices: what each index becomes.
        names: the names whose entries ``entry`` is asked about.
        entry: what such an entry becomes (None: it stays).
        atoms: whole atoms and what they become.
        kinds: kinds of atom that ``atom_rule`` is asked about.
        everywhere: normalise all atoms again, not only those that change.
        frozen: kinds of atom in which only indices are replaced.
        atom_rule: what an atom of such a kind becomes, given the atom with its parts rebuilt.
    """

    def __init__(
        self,
        indices: Mapping[Var, Poly] | None = None,
        names: frozenset[str] = frozenset(),
        entry: EntryRule | None = None,
        atoms: Mapping[Atom, Poly] | None = None,
        kinds: frozenset[str] = frozenset(),
        atom_rule: Callable[[Atom], Poly | None] | None = None,
        everywhere: bool = False,
        frozen: frozenset[str] = frozenset(),
    ):
        self.indices = dict(indices or {})
        self.names, self.entry = names, entry
        self.atoms = dict(atoms or {})
        self.kinds, self.atom_rule = kinds, atom_rule
        self.frozen = frozen
        self.everywhere = bool(everywhere or self.atoms or kinds)

    def _touches(self, a: Atom) -> bool:
        if a.kind in self.frozen:
            return not self.indices.keys().isdisjoint(a.free)
        return self.everywhere or not self.names.isdisjoint(a.names) or not self.indices.keys().isdisjoint(a.free)

    def poly(self, p: Poly) -> Poly:
        if not self.everywhere and self.names.isdisjoint(p.names) and self.indices.keys().isdisjoint(p.free):
            return p
        out = ZERO
        for m, c in p.terms.items():
            kept: dict[Atom, Number] = {}
            changed: list[tuple[Atom, Number]] = []
            for a, e in m:
                if self._touches(a):
                    changed.append((a, e))
                else:
                    kept[a] = e
            if not changed:
                out = out + Poly({m: c})
                continue
            term = Poly({frozenset(kept.items()): c})
            # indicators first: where one is 0 the rest need not be defined
            for a, e in sorted(changed, key=lambda ae: (not ae[0].is_indicator, ae[0].key)):
                term = rules.multiply(term, self._powered(a, e))
                if not term.terms:
                    break
            out = out + term
        return out

    def _powered(self, a: Atom, e: Number) -> Poly:
        if a.kind == "base" and a not in self.atoms:
            return rules.power(self.poly(a.data[0]), e)
        return rules.power(self.atom(a), e)

    def atom(self, a: Atom) -> Poly:
        """One atom, rebuilt by the constructor of its kind."""
        if a in self.atoms:
            return self.atoms[a]
        if a.kind in self.frozen:  # only its letters change
            return Rewriter(self.indices).atom(a)
        rebuilt = self._rebuilt(a)
        if self.atom_rule and len(rebuilt.terms) == 1:
            ((m, c),) = rebuilt.terms.items()
            if c == 1 and len(m) == 1:
                ((b, e),) = m
                if e == 1 and b.kind in self.kinds:
                    replaced = self.atom_rule(b)
                    if replaced is not None:
                        return replaced
        return rebuilt

    def _rebuilt(self, a: Atom) -> Poly:
        d = a.data
        match a.kind:
            case "var":
                return self.indices.get(d[0], Poly.atom(a))
            case "entry":
                base, subs = d
                subs = tuple(self.poly(s) for s in subs)
                if self.entry is not None and base.name in self.names:
                    found = self.entry(base, subs)
                    if found is not None:
                        return found
                return rules.entry(base, subs)
            case "delta":
                return rules.delta(self.poly(d[0]))
            case "inrange":
                return rules.in_range(self.poly(d[0]), d[1])
            case "nonneg":
                return rules.nonneg(self.poly(d[0]))
            case "pos":
                return rules.step(self.poly(d[0]))
            case "exp":
                return rules.exponential(self.poly(d[0]))
            case "log":
                return rules.logarithm(self.poly(d[0]))
            case "base":
                return self.poly(d[0])
            case "fn":
                inner = self.poly(d[1])
                return rules.sigmoid(inner) if d[0] == "sigmoid" else rules.odd_or_even(d[0], inner)
            case "sum":
                renamed = {b: rules.fresh(b) for b in d[0]}
                return rules.sum_over(self._under(renamed).poly(d[1]), *renamed.values())
            case "max":
                v = rules.fresh(d[0])
                return rules.maximum_over(self._under({d[0]: v}).poly(d[1]), v)
            case "argmax":
                v = rules.fresh(d[0])
                return rules.argmax(self._under({d[0]: v}).poly(d[1]), v, self.poly(d[2]))
            case "expect":
                with over_all_draws():
                    return rules.expect(self._averaged().poly(d[0]))
        return Poly.atom(a)

    def _averaged(self) -> Rewriter:
        """The same for a body of an expectation: what is given of a random quantity is given of one draw only."""
        if not any(a.draws for a in self.atoms):
            return self
        inner = object.__new__(Rewriter)
        inner.__dict__.update(self.__dict__)
        inner.atoms = {a: value for a, value in self.atoms.items() if not a.draws}
        return inner

    def _under(self, renamed: Mapping[Var, Var]) -> Rewriter:
        inner = object.__new__(Rewriter)
        inner.__dict__.update(self.__dict__)
        inner.indices = {**self.indices, **{b: rules.variable(v) for b, v in renamed.items()}}
        return inner


def substitute(p: Poly, indices: Mapping[Var, Poly]) -> Poly:
    """p with indices replaced."""
    return Rewriter(indices).poly(p)


def replace_names(p: Poly, names: frozenset[str], entry: EntryRule) -> Poly:
    """p with the entries of some names replaced by a rule."""
    return Rewriter(names=names, entry=entry).poly(p)


def replace_atoms(p: Poly, atoms: Mapping[Atom, Poly]) -> Poly:
    """p with whole atoms replaced, and normalised again throughout."""
    return Rewriter(atoms=atoms, everywhere=True).poly(p)


def all_atoms(p: Poly) -> list[Atom]:
    """The atoms anywhere in an expression, also inside others."""
    found: dict[str, Atom] = {}

    def visit(part: object) -> None:
        if isinstance(part, Poly):
            for a in part.atoms():
                if a.key not in found:
                    found[a.key] = a
                    for item in a.data:
                        visit(item)
        elif isinstance(part, tuple):
            for item in part:
                visit(item)

    visit(p)
    return sorted(found.values(), key=lambda a: a.key)


def with_constant_tensors(p: Poly, values: Mapping[str, int]) -> Poly:
    """p with each named tensor all zeros or all ones (and still 0 outside its range), its indicators left alone."""

    def constant(base: Base, subs: tuple[Poly, ...]) -> Poly:
        inside = rules.product_of(rules.in_range(e, n) for e, n in zip(subs, base.shape, strict=True))
        return inside.scale(values[base.name])

    return Rewriter(names=frozenset(values), entry=constant, frozen=frozenset({"pos", "argmax"})).poly(p)


def split_sigmoids(p: Poly) -> Poly:
    """p with every sigmoid written by exponentials."""
    return Rewriter(
        kinds=frozenset({"fn"}),
        atom_rule=lambda a: rules.sigmoid_by_exponentials(a.data[1]) if a.data[0] == "sigmoid" else None,
    ).poly(p)


__all__ = ["ONE", "UNIT", "Rewriter", "all_atoms", "replace_atoms", "replace_names", "split_sigmoids", "substitute"]
