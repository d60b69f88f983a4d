"""Signs and domains, read off a formula as it is written.

A square is seen to be ≥ 0 here, before anything is multiplied out. Every division, logarithm, root and fractional
power on a page is a condition; what this module can show is discharged, the rest is printed with the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from cs231n.pages import tree as t

POSITIVE, NONNEGATIVE, NONZERO, UNKNOWN = "positive", "nonnegative", "nonzero", ""
_FLIPPED = {POSITIVE: "negative", NONNEGATIVE: "nonpositive", "negative": POSITIVE, "nonpositive": NONNEGATIVE}


@dataclass(frozen=True)
class Condition:
    """``expression`` must be ``sign``, for all values of its indices."""

    expression: t.Tree
    sign: str

    def words(self) -> str:
        from cs231n.pages.show import to_text

        symbol = {POSITIVE: "> 0", NONNEGATIVE: "≥ 0", NONZERO: "≠ 0"}[self.sign]
        return f"{to_text(self.expression)} {symbol}"


class Signs:
    """The signs of a page's formulas, from its declarations and assumptions."""

    def __init__(self, page: t.Page):
        self.page = page
        self.assumed: dict[str, str] = {}
        for condition in page.declarations.assume:
            if isinstance(condition, t.Relation):
                self._assume(condition)
        self._names: dict[str, str] = {}
        #: The engine's answer for a formula whose form does not tell; set by `cs231n.pages.lower.Lowering`.
        self.computed: Callable[[t.Tree], str] = lambda _: UNKNOWN

    def _assume(self, c: t.Relation) -> None:
        """Take "s_n > 0" and its like, for all n, as the sign of a name."""
        if isinstance(c.left, t.Entry) and c.right == t.Num(Fraction(0)):
            if _all_entries(c.left):
                sign = {">": POSITIVE, ">=": NONNEGATIVE, "!=": NONZERO}.get(c.op)
                if sign:
                    self.assumed[c.left.name] = sign

    def of_name(self, name: str) -> str:
        """The sign of every entry of a tensor, scalar or named quantity."""
        if name not in self._names:
            self._names[name] = UNKNOWN
            self._names[name] = self._of_name(name)
        return self._names[name]

    def _of_name(self, name: str) -> str:
        declared = self.page.declarations
        if name in declared.labels:
            return NONNEGATIVE
        if name in declared.tensors:
            return self.assumed.get(name) or declared.tensors[name].sign
        if name in self.page.definitions:
            if self.page.definitions[name].time is not None and (found := self._by_induction(name)):
                return found
            shown = self.of(self.page.definitions[name].value)
            if shown in (POSITIVE, "negative") or name not in self.assumed:
                return shown if shown in (POSITIVE, NONNEGATIVE, NONZERO) else UNKNOWN
            return self.assumed[name]
        return UNKNOWN

    def _by_induction(self, name: str) -> str:
        """The sign that a recurrence has at time 0 and keeps in its step."""
        known = dict(self._names)  # what is found meanwhile rests on the hypothesis, and must not stay
        found = UNKNOWN
        for sign, allowed in ((POSITIVE, (POSITIVE,)), (NONNEGATIVE, (POSITIVE, NONNEGATIVE))):
            self._names = {**known, name: sign}
            if all(self.of(case) in allowed for case in self.page.definitions[name].cases):
                found = sign
                break
        self._names = {**known, name: UNKNOWN}
        return found

    def of(self, x: t.Tree) -> str:
        """'positive', 'negative', 'nonnegative', 'nonpositive', 'nonzero' or '' (cannot be told)."""
        match x:
            case t.Num(value):
                return POSITIVE if value > 0 else "negative" if value < 0 else NONNEGATIVE
            case t.Size(name):
                return POSITIVE if self.page.declarations.sizes[name].least > 0 else NONNEGATIVE
            case t.Index() | t.Delta() | t.Indicator():
                return NONNEGATIVE
            case t.Entry(name):
                return self.of_name(name)
            case t.Neg(arg):
                return _FLIPPED.get(self.of(arg), self.of(arg))
            case t.Add(terms):
                return _sum_of([self.of(y) for y in terms]) or self.computed(x)
            case t.Mul(factors):
                return _product_of([self.of(y) for y in factors])
            case t.Div(num, den):
                return _product_of([self.of(num), _where_defined(self.of(den))])
            case t.Pow(base, exp):
                return self._power(base, exp)
            case t.Call(fn, args):
                return self._call(fn, [self.of(a) for a in args])
            case t.Sum(_, body) | t.Expect(body):
                inside = self.of(body)
                if isinstance(x, t.Sum) and self.of(x.index.size) != POSITIVE:  # an empty sum is 0
                    inside = {POSITIVE: NONNEGATIVE, "negative": "nonpositive"}.get(inside, inside)
                return inside if inside in _FLIPPED else UNKNOWN
            case t.SumTo(_, _, _, body):  # it may be empty
                return {POSITIVE: NONNEGATIVE, NONNEGATIVE: NONNEGATIVE}.get(self.of(body), UNKNOWN)
            case t.Extremum(_, _, body):
                return self.of(body)
            case t.Cases(branches):
                found = {self.of(value) for _, value in branches}
                return found.pop() if len(found) == 1 else _weakest(found)
        return UNKNOWN

    def _power(self, base: t.Tree, exp: t.Tree) -> str:
        inside = self.of(base)
        if inside == POSITIVE:
            return POSITIVE
        if isinstance(exp, t.Neg) and isinstance(exp.arg, t.Num):
            exp = t.Num(-exp.arg.value)
        if isinstance(exp, t.Num) and exp.value.denominator == 1:
            if exp.value % 2 == 0:
                return POSITIVE if exp.value < 0 or inside in (NONZERO, "negative") else NONNEGATIVE
            return inside if exp.value > 0 else _where_defined(inside)
        return NONNEGATIVE  # a root is only defined, and then ≥ 0, for a base ≥ 0

    def _call(self, fn: str, args: list[str]) -> str:
        match fn:
            case "exp" | "sigmoid" | "softplus" | "pi":
                return POSITIVE
            case "sqrt":
                return POSITIVE if args[0] == POSITIVE else NONNEGATIVE
            case "abs":
                return POSITIVE if args[0] in (POSITIVE, "negative", NONZERO) else NONNEGATIVE
            case "tanh" | "erf":
                return args[0]
            case "max":
                return POSITIVE if POSITIVE in args else NONNEGATIVE if NONNEGATIVE in args else UNKNOWN
            case "min":
                return _weakest(set(args))
        return UNKNOWN

    # ------------------------------------------------------------------------------------------------- conditions

    def conditions(self, *roots: t.Tree) -> list[Condition]:
        """What must hold for the formulas, and the definitions they stand on, to have a value; undischarged ones."""
        found: dict[Condition, None] = {}
        sloped = any(isinstance(x, t.Grad | t.Partial | t.Total) for r in roots for x in r.walk())
        for x in self.with_definitions(roots):
            for condition in _domain(x, sloped):
                if not self.holds(condition) and condition.expression not in self._roots():
                    found[condition] = None
        return self._independent(list(found))

    def _roots(self) -> set[t.Tree]:
        """What stands under the root of a quantity that is assumed to be positive, and so is positive itself."""
        values = [self.page.definitions[n].value for n, s in self.assumed.items() if n in self.page.definitions]
        return {v.args[0] for v in values if isinstance(v, t.Call) and v.fn == "sqrt"}

    def _independent(self, conditions: list[Condition]) -> list[Condition]:
        """The conditions without those that follow from the ones on single names."""
        single = [c for c in conditions if isinstance(c.expression, t.Entry) and _all_entries(c.expression)]
        before, self._names = self._names, dict(self._names)
        for c in single:
            self._names[c.expression.name] = c.sign  # type: ignore[attr-defined]
        try:
            return [c for c in conditions if c in single or not self.holds(c)]
        finally:
            self._names = before

    def holds(self, c: Condition) -> bool:
        sign = self.of(c.expression)
        allowed = {
            POSITIVE: (POSITIVE,),
            NONNEGATIVE: (POSITIVE, NONNEGATIVE),
            NONZERO: (POSITIVE, "negative", NONZERO),
        }
        return sign in allowed[c.sign]

    def with_definitions(self, roots: tuple[t.Tree, ...]) -> Iterator[t.Tree]:
        definitions, seen = self.page.definitions, set()
        todo = list(roots)
        if any(isinstance(x, t.Grad) for r in roots for x in r.walk()):
            todo += [definitions[o.name].value for o in self.page.declarations.outputs if o.name in definitions]
        while todo:
            for x in todo.pop().walk():
                yield x
                if isinstance(x, t.Entry | t.Grad) and x.name in definitions and x.name not in seen:
                    seen.add(x.name)
                    todo.append(definitions[x.name].value)


def _domain(x: t.Tree, sloped: bool) -> Iterator[Condition]:
    match x:
        case t.Div(_, den):
            yield Condition(den, NONZERO)
        case t.Call("log", (arg,)):
            yield Condition(arg, POSITIVE)
        case t.Call("sqrt", (arg,)):
            yield Condition(arg, POSITIVE if sloped else NONNEGATIVE)
        case t.Pow(base, exp):
            value = exp.value if isinstance(exp, t.Num) else None
            if isinstance(exp, t.Neg) and isinstance(exp.arg, t.Num):
                value = -exp.arg.value
            elif isinstance(exp, t.Div) and isinstance(exp.num, t.Num) and isinstance(exp.den, t.Num) and exp.den.value:
                value = exp.num.value / exp.den.value
            elif isinstance(exp, t.Neg) and isinstance(exp.arg, t.Div):
                inner = exp.arg
                if isinstance(inner.num, t.Num) and isinstance(inner.den, t.Num) and inner.den.value:
                    value = -inner.num.value / inner.den.value
            if value is None:
                yield Condition(base, POSITIVE)
            elif value.denominator != 1:
                yield Condition(base, POSITIVE if value < 0 or sloped else NONNEGATIVE)
            elif value <= 0:
                yield Condition(base, NONZERO)


def _all_entries(entry: t.Entry) -> bool:
    """Does the entry stand for every entry of its name: are its subscripts different letters?"""
    letters = [s.name for s in entry.subs if isinstance(s, t.Index)]
    return len(letters) == len(entry.subs) == len(set(letters))


def _where_defined(sign: str) -> str:
    return {NONNEGATIVE: POSITIVE, "nonpositive": "negative"}.get(sign, sign)


def _sum_of(signs: list[str]) -> str:
    for plus, weak in ((POSITIVE, NONNEGATIVE), ("negative", "nonpositive")):
        if all(s in (plus, weak) for s in signs):
            return plus if plus in signs else weak
    return UNKNOWN


def _product_of(signs: list[str]) -> str:
    out = POSITIVE
    for s in signs:
        if UNKNOWN in (s, out):
            return UNKNOWN
        if NONZERO in (s, out):
            strict = s in (POSITIVE, "negative", NONZERO) and out in (POSITIVE, "negative", NONZERO)
            out = NONZERO if strict else UNKNOWN
            continue
        negative = (s in ("negative", "nonpositive")) != (out in ("negative", "nonpositive"))
        strict = s in (POSITIVE, "negative") and out in (POSITIVE, "negative")
        out = ("negative" if strict else "nonpositive") if negative else (POSITIVE if strict else NONNEGATIVE)
    return out


def _weakest(signs: set[str]) -> str:
    return NONNEGATIVE if signs <= {POSITIVE, NONNEGATIVE} else UNKNOWN
