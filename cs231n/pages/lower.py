"""From the parsed page to the engine's normal form."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import groupby

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, ZERO, Atom, Base, Moments, Poly, Undecided, Var
from cs231n.calculus.context import recording, using
from cs231n.calculus.proof import Given
from cs231n.calculus.rewriting import substitute
from cs231n.calculus.system import Defined, System
from cs231n.calculus.zero import quotient_sign
from cs231n.pages import tree as t
from cs231n.pages.signs import Signs


class Lowering:
    """One page's definitions in the engine, and a way to bring any of its formulas there.

    Args:
        page: the parsed page.
        fixed: sizes that have a number, for a claim made at fixed sizes.
    """

    def __init__(self, page: t.Page, fixed: Mapping[str, int] | None = None):
        self.page = page
        self.fixed = dict(fixed or {})
        self.signs = Signs(page)
        self.signs.computed = self._sign
        self.system = System()
        with using(self.system.context):
            self._declare()
            for through_time, run in groupby(page.definitions.values(), key=lambda d: d.clock is not None):
                self._define_all(list(run), through_time)
            for condition in page.declarations.assume:
                if isinstance(condition, t.Relation):
                    self._assume(condition)

    def _sign(self, tree: t.Tree) -> str:
        """The sign of a formula once it is multiplied out, with names opened as far as that helps."""
        with using(self.system.context), recording():
            try:
                p = self.lower(tree)
                while (sign := quotient_sign(p)) == "" and (name := self.system.next_name(p)) is not None:
                    p = self.system.unfold(p, name)
            except (Undecided, KeyError):  # KeyError: a name that is only defined further on
                return ""
        return sign

    # ---------------------------------------------------------------------------------------------- declarations

    def _declare(self) -> None:
        declared, bases = self.page.declarations, self.system.bases
        for d in sorted(declared.tensors.values(), key=lambda d: d.random is not None):  # moments may hold scalars
            sign = self.signs.assumed.get(d.name, d.sign)
            if d.values and not sign and min(d.values) >= 0:
                sign = "nonnegative"
            binary = set(d.values) == {0, 1}
            moments, draws = self._moments(d)
            shape, generic = self._sizes(d.shape), not d.values
            bases[d.name] = Base(
                d.name, shape, sign, generic=generic, smooth=not d.values, binary=binary, moments=moments, draws=draws
            )
        for label in declared.labels.values():
            bases[label.name] = Base(label.name, self._sizes(label.shape), classes=self.size(label.classes))
        for output in declared.outputs:
            upstream = None if output.upstream is None else bases[output.upstream]
            self.system.outputs.append((output.name, upstream))

    def _moments(self, d: t.TensorDecl) -> tuple[Moments | None, frozenset[str]]:
        if d.random is None:
            return None, frozenset()
        known = Moments(self.lower(d.random.mean), self.lower(d.random.variance), d.random.symmetric)
        return known, frozenset({d.name})

    def _assume(self, condition: t.Relation) -> None:
        from cs231n.pages.show import to_text

        context, words = self.system.context, to_text(condition)
        if _only_sizes(condition):
            difference = self.size(condition.left) - self.size(condition.right)
            match condition.op:
                case ">=":
                    facts = [difference]
                case ">":
                    facts = [difference - UNIT]
                case "<=":
                    facts = [-difference]
                case "<":
                    facts = [-difference - UNIT]
                case "=":
                    facts = [difference, -difference]
                case _:
                    facts = []
            context.size_facts += [(f, words) for f in facts]
        elif condition.op == "=":
            solved = _solved(self.lower(condition.left) - self.lower(condition.right))
            if solved is None:
                raise Undecided(f"an assumed equation needs an entry or a sum that stands alone in it: {words}")
            context.equations.append((*solved, words))

    def _define(self, definition: t.Definition) -> None:
        params = {p.name: rules.fresh(self.index(p)) for p in definition.params}
        with recording() as used:
            value = self.lower(definition.value, params)
        shape = tuple(v.size for v in params.values())
        sign = self.signs.of_name(definition.name)
        base = Base(
            definition.name,
            shape,
            sign,
            zero_outside=False,
            generic=False,
            smooth=rules.smooth(value),
            draws=value.draws,
        )
        self.system.define(Defined(base, tuple(params.values()), value, frozenset(used), axis=definition.axis))

    def _define_all(self, definitions: list[t.Definition], through_time: bool) -> None:
        """Lines that, through time, may stand on each other: a recurrence has to be known before its step is read."""
        recurrences = [d for d in definitions if d.time is not None]
        for d in recurrences:
            shape, sign = self._sizes(tuple(p.size for p in d.params)), self.signs.of_name(d.name)
            self.system.bases[d.name] = Base(d.name, shape, sign, zero_outside=False, generic=False, smooth=False)
        for d in definitions:
            if d.time is None:
                self._define(d)
        for d in recurrences:
            self._define_recurrence(d)
        if through_time:
            self.system.arrange([d.name for d in definitions])

    def _define_recurrence(self, definition: t.Definition) -> None:
        name, base = definition.name, self.system.bases[definition.name]
        params = {p.name: rules.fresh(self.index(p)) for p in definition.params}
        first, later = definition.cases
        with recording() as used:
            start, step = self.lower(first, params), self.lower(later, params)
        if start.draws or step.draws:
            raise Undecided(f"the recurrence {name} is random: expectations of recurrences are not known yet")
        self.system.define(Defined(base, tuple(params.values()), step, frozenset(used), start, definition.axis))

    # ------------------------------------------------------------------------------------------ sizes and indices

    def size(self, tree: t.Tree) -> Poly:
        """A size expression as a polynomial in sizes."""
        return self.lower(tree)

    def _sizes(self, trees: tuple[t.Tree, ...]) -> tuple[Poly, ...]:
        return tuple(self.size(s) for s in trees)

    def index(self, index: t.Index) -> Var:
        return Var(index.name, self.size(index.size))

    # --------------------------------------------------------------------------------------------------- formulas

    def lower(self, tree: t.Tree, scope: Mapping[str, Var] | None = None) -> Poly:
        """A formula in normal form. ``scope`` gives bound letters; other letters stand for themselves."""
        return self._lower(tree, dict(scope or {}))

    def _lower(self, x: t.Tree, scope: dict[str, Var]) -> Poly:
        go = self._lower
        match x:
            case t.Num(value):
                return Poly.number(rules.exact(value))
            case t.Size(name):
                if name in self.fixed:
                    return Poly.number(self.fixed[name])
                return rules.size(name, self.page.declarations.sizes[name].least)
            case t.Index(name):
                return rules.variable(scope[name] if name in scope else self.index(x))
            case t.Entry(name, subs):
                return self.system.entry(name, self._subs(subs, scope))
            case t.Add(terms):
                out = ZERO
                for term in terms:
                    out = out + go(term, scope)
                return out
            case t.Neg(arg):
                return -go(arg, scope)
            case t.Mul(factors):
                return self._product(factors, scope)
            case t.Div(num, den):
                return rules.multiply(go(num, scope), rules.power(go(den, scope), -1))
            case t.Pow(base, exp):
                return rules.symbolic_power(go(base, scope), go(exp, scope))
            case t.Call(fn, args):
                return self._call(fn, [go(a, scope) for a in args])
            case t.Sum(index, body):
                v = rules.fresh(self.index(index))
                return rules.sum_over(go(body, {**scope, index.name: v}), v)
            case t.SumTo(index, low, high, body):
                v = rules.fresh(self.index(index))

                def summand(at: Poly) -> Poly:
                    return substitute(go(body, {**scope, index.name: v}), {v: at})

                return rules.sum_between(summand, v, go(low, scope), go(high, scope))
            case t.Extremum(fn, index, body):
                v = rules.fresh(self.index(index))
                inner = go(body, {**scope, index.name: v})
                return rules.maximum_over(inner, v) if fn == "max" else -rules.maximum_over(-inner, v)
            case t.Indicator(condition):
                return self.condition(condition, scope)
            case t.Delta(left, right):
                return rules.delta(go(left, scope) - go(right, scope))
            case t.Cases(branches):
                return self._cases(branches, scope)
            case t.Expect(body):
                return rules.expect(go(body, scope))
            case t.Grad(name, subs):
                return self.system.adjoint(name, self._subs(subs, scope))
            case t.Partial(of, wrt):
                return self.system.partial(of.name, self._subs(of.subs, scope), wrt.name, self._subs(wrt.subs, scope))
            case t.Total(of, wrt):
                return self.system.total(of.name, self._subs(of.subs, scope), wrt.name, self._subs(wrt.subs, scope))
        raise Undecided(f"no form for {type(x).__name__}")

    def _subs(self, subs: tuple[t.Tree, ...], scope: dict[str, Var]) -> tuple[Poly, ...]:
        return tuple(self._lower(s, scope) for s in subs)

    def _product(self, factors: tuple[t.Tree, ...], scope: dict[str, Var]) -> Poly:
        # indicators first: they may put the other factors in range
        ordered = sorted(factors, key=lambda f: not isinstance(f, t.Indicator | t.Delta))
        return rules.product_of(self._lower(f, scope) for f in ordered)

    def _call(self, fn: str, args: list[Poly]) -> Poly:
        match fn:
            case "sqrt":
                return rules.power(args[0], Fraction(1, 2))
            case "exp":
                return rules.exponential(args[0])
            case "log":
                return rules.logarithm(args[0])
            case "tanh":
                return rules.hyperbolic_tangent(args[0])
            case "sigmoid":
                return rules.sigmoid(args[0])
            case "softplus":
                return rules.softplus(args[0])
            case "erf" | "sin" | "cos":
                return rules.odd_or_even(fn, args[0])
            case "abs":
                return rules.absolute(args[0])
            case "pi":
                return Poly.atom(Atom("pi"))
            case "max" | "min":
                out = args[0]
                for a in args[1:]:
                    out = rules.maximum(a, out) if fn == "max" else rules.minimum(a, out)
                return out
        raise Undecided(f"no form for the function {fn}")

    def _cases(self, branches: tuple, scope: dict[str, Var]) -> Poly:
        out, left = ZERO, UNIT
        for condition, value in branches:
            holds = UNIT if condition is None else self.condition(condition, scope)
            out = out + rules.multiply(rules.multiply(left, holds), self._lower(value, scope))
            left = rules.multiply(left, UNIT - holds)
        if left.terms:
            raise Undecided("the cases do not cover everything: end them with an 'otherwise'")
        return out

    def condition(self, c: t.Tree, scope: dict[str, Var]) -> Poly:
        """The indicator of a condition."""
        if isinstance(c, t.Both):
            return rules.product_of(self._both(c.conditions, scope))
        assert isinstance(c, t.Relation)
        difference = self._lower(c.left, scope) - self._lower(c.right, scope)
        if _integer(c.left, self.page) and _integer(c.right, self.page):
            match c.op:
                case "=":
                    return rules.delta(difference)
                case "!=":
                    return UNIT - rules.delta(difference)
                case ">=":
                    return rules.nonneg(difference)
                case ">":
                    return rules.nonneg(difference - UNIT)
                case "<=":
                    return rules.nonneg(-difference)
                case "<":
                    return rules.nonneg(-difference - UNIT)
        match c.op:
            case ">":
                return rules.step(difference)
            case "<":
                return rules.step(-difference)
            case ">=":
                return UNIT - rules.step(-difference)
            case "<=":
                return UNIT - rules.step(difference)
            case "=":
                return self._maximiser(difference)
        raise Undecided(f"real numbers are not compared with {c.op} inside an indicator")

    def _maximiser(self, difference: Poly) -> Poly:
        """As the rule says, for a maximum written out or named: one name is opened, since b may be a maximum itself."""
        maxima = [
            name
            for name in sorted(difference.names & self.system.defined.keys())
            if any(a.kind == "max" for a in self.system.defined[name].value.atoms())
        ]
        for opened in [difference, *(self.system.unfold(difference, name) for name in maxima)]:
            try:
                return rules.maximiser(opened)
            except Undecided as reason:
                failure = reason
        raise failure

    def _both(self, conditions: tuple, scope: dict[str, Var]) -> list[Poly]:
        if len(conditions) == 2 and all(isinstance(c, t.Relation) for c in conditions):
            low, high = conditions
            if (low.op, high.op) == ("<=", "<") and low.right == high.left and low.left == t.Num(Fraction(0)):
                if _integer(low.right, self.page) and _integer(high.right, self.page):
                    return [rules.in_range(self._lower(low.right, scope), self._lower(high.right, scope))]
        return [self.condition(c, scope) for c in conditions]

    # ------------------------------------------------------------------------------------------------------ cases

    def later_times(self, conditions: tuple[t.Relation, ...]) -> tuple[dict[Var, Poly], tuple[t.Relation, ...]]:
        """What "for t ≥ 1" says of a time letter: t = t′ + 1 for a t′ from 0; and the other conditions.

        Raises:
            Undecided: another condition speaks of such a letter.
        """
        moved: dict[Var, Poly] = {}
        others = []
        for c in conditions:
            if (
                isinstance(c.left, t.Index)
                and isinstance(c.right, t.Num)
                and (c.op, c.left.name in self.page.declarations.times) == (">=", True)
                and c.left.name not in {v.name for v in moved}
            ):
                v, first = self.index(c.left), Poly.number(rules.exact(c.right.value))
                moved[v] = rules.variable(Var(v.name, v.size - first)) + first
            else:
                others.append(c)
        names = {v.name for v in moved}
        for c in others:
            if any(isinstance(x, t.Index) and x.name in names for x in c.walk()):
                raise Undecided("two conditions on one time letter")
        return moved, tuple(others)

    def given(self, conditions: tuple[t.Relation, ...]) -> Given:
        """What a case says."""
        values: dict[Atom, Poly] = {}
        facts: list[tuple[Poly, bool]] = []
        for c in conditions:
            difference = self.lower(c.left) - self.lower(c.right)
            match c.op:
                case ">" | ">=":
                    facts.append((difference, c.op == ">"))
                case "<" | "<=":
                    facts.append((-difference, c.op == "<"))
                case "=":
                    atom = _single_atom(self.lower(c.left))
                    if atom is None:
                        raise Undecided("a case with = needs one entry on its left side")
                    values[atom] = self.lower(c.right)
                case _:
                    raise Undecided(f"a case cannot be stated with {c.op}")
        return Given(values, tuple(facts))


def _solved(p: Poly) -> tuple[Atom, Poly] | None:
    """Solve p = 0 for an atom that occurs once, alone in its term; the largest such."""
    for m, c in sorted(p.terms.items(), key=lambda mc: max((a.key for a, _ in mc[0]), default=""), reverse=True):
        atom = _single_atom(Poly({m: 1}))
        rest = Poly({n: q for n, q in p.terms.items() if n != m})
        if atom is not None and atom.kind in ("sum", "entry", "max") and atom.key not in rest.key:
            return atom, rest.scale(Fraction(-1) / c)
    return None


def _single_atom(p: Poly) -> Atom | None:
    if len(p.terms) == 1:
        ((m, c),) = p.terms.items()
        if c == 1 and len(m) == 1:
            ((a, e),) = m
            return a if e == 1 else None
    return None


def _only_sizes(x: t.Tree) -> bool:
    return not any(isinstance(y, t.Entry | t.Index | t.Sum | t.Grad | t.Call) for y in x.walk())


def _integer(x: t.Tree, page: t.Page) -> bool:
    """Is this tree integer-valued by its form?"""
    match x:
        case t.Num(value):
            return value.denominator == 1
        case t.Size() | t.Index():
            return True
        case t.Entry(name):
            return name in page.declarations.labels
        case t.Add() | t.Mul() | t.Neg():
            return all(_integer(y, page) for y in x.children())
    return False
