r"""Surface → tree: decides, from the declarations, what was written.

Here ``ij`` becomes two subscripts, ``dx`` a gradient, ``\sum`` gets its reach, and everything that a reader
would have to guess becomes an error. Names are read in `cs231n.pages.quantities`, what takes an argument
in `cs231n.pages.functions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from cs231n.pages import matrix
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.functions import Functions
from cs231n.pages.matrix import Matrix, Value


class Elaborator(Functions):
    """Elaborates the formulas of one snippet."""

    def side(self, node: s.List) -> Value:
        """One side of a relation."""
        if len(node.chains) != 1 or node.chains[0].ops:
            self.subs.fail("one expression is expected here", node)
        value = self.sum(node.chains[0].sums[0])
        self.subs.settle(0)
        return value

    def relations(self, node: s.List) -> list[t.Relation]:
        """Conditions that hold together."""
        condition = self._condition(node)
        self.subs.settle(0)
        if isinstance(condition, Matrix):
            self.subs.fail("a condition is about numbers: write the subscripts", node)
        parts = condition.conditions if isinstance(condition, t.Both) else (condition,)
        return [part for part in parts if isinstance(part, t.Relation)]

    # ------------------------------------------------------------------------------------------ sums and terms

    def sum(self, node: s.Sum) -> Value:
        terms: list[Value] = []
        for sign, term in node.terms:
            value = self._term(term.items, term)
            if sign == "-":
                value = self._lift(lambda a, at=term.start: t.Neg(a, at=at), [value], term)
            terms.append(value)
        if len(terms) == 1:
            return terms[0]
        return self._lift(lambda *parts: t.Add(parts, at=node.start), terms, node)

    def _term(self, items: Sequence[s.Node], node: s.Node) -> Value:
        value = self._product(list(items))
        entry = self._some_entry(value, node)
        both = self.scoping.free(entry).keys() & self.scoping.bound(entry)
        if both:
            name = min(both)
            where = self._binder(items, name) or node
            self.subs.fail(f"the index {name} is both free and summed in one term", where)
        return value

    @staticmethod
    def _binder(items: Sequence[s.Node], name: str) -> s.Node | None:
        """The sum or maximum over that index."""
        for item in items:
            for node in item.parts():
                if isinstance(node, s.Scripted) and isinstance(node.base, s.Big) and node.sub is not None:
                    if any(isinstance(part, s.Word) and part.name == name for part in node.sub.parts()):
                        return node
        return None

    def _product(self, items: list[s.Node]) -> Value:
        mark = self.subs.mark()
        factors: list[Value] = []
        ops: list[str] = []
        op = ""
        position = 0
        while position < len(items):
            item = items[position]
            base, sub, sup = s.unpack(item)
            kind = s.mark(base)
            if kind in ("/", "cdot", "times", "odot", "oslash"):
                if op or not factors or position + 1 == len(items) or sub or sup:
                    self.subs.fail("this sign does not fit here", item)
                if kind in ("/", "oslash"):
                    return self._quotient(items, position, factors, ops, mark)
                op, position = kind, position + 1
                continue
            self._refuse_bare_sum(item, alone=len(items) == 1)
            value, position = self._factor(items, position)
            factors.append(value)
            ops.append(op)
            op = ""
        self._guard(factors, mark)
        return self._multiply(factors, ops, items)

    def _guard(self, factors: Sequence[Value], mark: int) -> None:
        for factor in factors:
            if isinstance(factor, t.Indicator):
                self.subs.discharge(mark, factor.condition)
            elif isinstance(factor, t.Delta):
                self.subs.discharge(mark, t.Relation("=", factor.left, factor.right))

    def _quotient(self, items: list[s.Node], slash: int, factors: list[Value], ops: list[str], mark: int) -> Value:
        self._guard(factors, mark)
        num = self._multiply(factors, ops, items[:slash])
        inner = self.subs.mark()
        self._refuse_bare_sum(items[slash + 1], alone=False)
        den, after = self._factor(items, slash + 1)
        self.subs.settle(inner)
        if after < len(items):
            message = r"does the division go on here? Write \frac or brackets"
            self.subs.fail(message, items[slash + 1], items[-1])
        if s.mark(items[slash]) == "/" and isinstance(den, Matrix):
            self.subs.fail(r"an array divides entry by entry only by \oslash", items[slash + 1])
        return self._lift(lambda a, b: t.Div(a, b, at=items[0].start), [num, den], s.join(items[:after]))

    def _multiply(self, factors: list[Value], ops: list[str], items: list[s.Node]) -> Value:
        at = items[0].start
        where = s.join(items)
        if len(factors) == 1:
            return factors[0]
        numbers = [f for f in factors if isinstance(f, t.Tree)]
        arrays = [(f, op) for f, op in zip(factors, ops, strict=True) if isinstance(f, Matrix)]
        if len(arrays) <= 1 or "odot" in ops:
            if any(op != "odot" for _, op in arrays[1:]):
                self.subs.fail(r"\odot beside a matrix product needs brackets", where)
            return self._lift(lambda *parts: t.Mul(parts, at=at), factors, where)
        try:
            value: Value = arrays[0][0]
            for other, _ in arrays[1:]:
                if isinstance(value, Matrix):
                    value = matrix.product(value, other, self._fresh)
                else:  # a row times a column is a number
                    value = matrix.elementwise(lambda a, b: t.Mul((a, b), at=at), [value, other])
            if numbers:
                value = matrix.elementwise(lambda *parts: t.Mul(parts, at=at), [*numbers, value])
            return value
        except matrix.Mismatch as wrong:
            self.subs.fail(str(wrong), where)

    # ------------------------------------------------------------------------------------------ factors

    def _factor(self, items: list[s.Node], position: int) -> tuple[Value, int]:
        """Read one factor; return it and the position after it."""
        item = items[position]
        base, sub, sup = s.unpack(item)
        after = position + 1
        if isinstance(base, s.Word):
            if base.name == "d" and sub is None and after < len(items):
                inner, inner_sub, inner_sup = s.unpack(items[after])
                if isinstance(inner, s.Word) and self.names.known(inner.name):
                    if sup is not None:
                        self.subs.fail("second derivatives are not read: name the first one", item, items[after])
                    value = self._gradient(inner.name, inner_sub, s.Term(item.start, items[after].end, ()))
                    return self._power(value, inner_sup, items[after]), after + 1
            if base.name == "sigma" and not self.names.known("sigma") and sub is None and self._drawn(items, after):
                return self._function(s.Function(base.start, base.end, "sigmoid"), None, sup, items, after)
            return self._word(item, base, sub, sup), after
        if isinstance(base, s.Function):
            return self._function(base, sub, sup, items, after)
        if isinstance(base, s.Big):
            if base.name != "sum" and sub is None:
                return self._function(s.Function(base.start, base.end, base.name), None, sup, items, after)
            return self._big(base, sub, sup, items, after)
        if s.mark(base) == "ones":
            return self._ones(item, sub, sup, items, after)
        if sub is not None and not (isinstance(base, s.Bracket) and base.kind == "norm"):
            self.subs.fail("only names carry subscripts", item)
        if isinstance(base, s.Bracket) and base.kind == "norm":
            return self._norm(base, sub, sup, item), after
        return self._power(self._simple(base, item), sup, item), after

    def _simple(self, base: s.Node, item: s.Node) -> Value:
        if isinstance(base, s.Number):
            return t.Num(Fraction(base.text), at=base.start)
        if isinstance(base, s.Bracket):
            if len(base.content.chains) != 1 or base.content.chains[0].ops:
                self.subs.fail("one expression is expected in these brackets", base)
            value = self.sum(base.content.chains[0].sums[0])
            if base.kind == "abs":
                return self._lift(lambda a: t.Call("abs", (a,), at=base.start), [value], base)
            return value
        if isinstance(base, s.Frac):
            return self._fraction(base)
        if isinstance(base, s.Root):
            mark = self.subs.mark()
            value = self._inner(base.content)
            self.subs.settle(mark)
            return self._lift(lambda a: t.Call("sqrt", (a,), at=base.start), [value], base)
        if isinstance(base, s.Branches):
            return self._branches(base)
        if s.mark(base) in ("partial", "upright-d"):
            self.subs.fail(r"a derivative is written as a fraction: \frac{\partial a}{\partial b}", item)
        self.subs.fail("this sign does not fit here", item)
