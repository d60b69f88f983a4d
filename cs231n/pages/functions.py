r"""Sums, maxima, functions, indicators and cases: what takes an argument, and how far it reaches."""

from __future__ import annotations

from fractions import Fraction

from cs231n.pages import matrix
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.expressions import constant
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.quantities import Quantities
from cs231n.pages.subscripts import value_matters

_WHOLE_MATRIX = {"rowsum", "colsum", "sum", "tr", "diag"}


class Functions(Quantities):
    """Reads what takes an argument."""

    def _big(
        self, big: s.Big, sub: s.List | None, sup: s.List | None, items: list[s.Node], after: int
    ) -> tuple[Value, int]:
        head = items[after - 1]
        if sub is None:
            self.subs.fail(r"over which index? Write \sum_i", head)
        timed = self.subs.time_limits(sub, sup) if big.name == "sum" else None
        indices, from_one = ([timed[0]], False) if timed is not None else self.subs.limits(sub, sup, head)
        if after == len(items):
            self.subs.fail("nothing stands behind this", head)
        mark = self.subs.mark()
        if big.name == "sum":
            rest = items[after:]
            body = self._term(rest, s.join(rest))
            position = len(items)
        else:
            body, position = self._argument(head, items, after)
            self.subs.settle(mark)
        self._check_binding(self._some_entry(body, head), indices, from_one, head)
        if timed is not None:
            index, low, high = timed
            self.subs.discharge(mark, t.Both((t.Relation("<=", low, index), t.Relation("<=", index, high))))
            return self._lift(lambda b: t.SumTo(index, low, high, b, at=head.start), [body], head), position
        for index in reversed(indices):
            if big.name == "sum":
                body = self._lift(lambda b, i=index: t.Sum(i, b, at=head.start), [body], head)
            else:
                body = self._lift(lambda b, i=index: t.Extremum(big.name, i, b, at=head.start), [body], head)
        return body, position

    def _check_binding(self, body: t.Tree, indices: list[t.Index], from_one: bool, head: s.Node) -> None:
        for index in indices:
            if index.name in self.scoping.bound(body):
                self.subs.fail(f"the index {index.name} is already bound inside", head)
            if from_one and value_matters(body, index.name):
                name = index.name
                message = rf"indices run from 0, and here the value of {name} matters: write \sum_{name}"
                self.subs.fail(message, head)

    # ------------------------------------------------------------------------------------------ functions

    @staticmethod
    def _drawn(items: list[s.Node], position: int) -> s.Bracket | None:
        """The visible bracket at that position, if there is one."""
        item = items[position] if position < len(items) else None
        return item if isinstance(item, s.Bracket) and item.kind in ("(", "[", "{") else None

    def _argument(self, head: s.Node, items: list[s.Node], after: int) -> tuple[Value, int]:
        """The one argument of a function, bracketed or not; unbracketed, nothing may follow it."""
        if after == len(items):
            self.subs.fail("the argument is missing", head)
        nxt = items[after]
        if (bracket := self._drawn(items, after)) is not None:
            return self._inner(bracket.content), after + 1
        inner = nxt.base if isinstance(nxt, s.Scripted) else nxt
        if isinstance(nxt, s.Scripted) and isinstance(inner, s.Bracket) and inner.kind in ("(", "[", "{"):
            message = "is the function or its argument raised to the power? Write brackets"
            self.subs.fail(message, head, nxt)
        self._refuse_bare_sum(nxt, alone=False)
        value, position = self._factor(items, after)
        if position < len(items):
            self.subs.fail("does the argument of the function go on here? Write brackets", head, items[-1])
        return value, position

    def _function(
        self, fn: s.Function, sub: s.List | None, sup: s.List | None, items: list[s.Node], after: int
    ) -> tuple[Value, int]:
        head = items[after - 1]
        name = fn.name
        if sub is not None and name in ("E", "Var"):
            self.subs.fail("an expectation takes no subscript: it is over all random quantities of the page", head)
        if sub is not None:
            self.subs.fail(f"{name} takes no subscript", head)
        mark = self.subs.mark()
        if name in ("E", "Var"):
            return self._expectation(name, head, sup, items, after)
        if name in _WHOLE_MATRIX:
            bracket, below, above = s.unpack(items[after]) if after < len(items) else (None, None, None)
            if isinstance(bracket, s.Bracket) and bracket.kind == "(" and above is not None and below is None:
                # colsum(x)^\top: nobody reads it as the sum of the transpose
                whole = self._whole(name, self._inner(bracket.content), head)
                return self._power(whole, above, items[after]), after + 1
            value, position = self._argument(head, items, after)
            return self._power(self._whole(name, value, head), sup, head), position
        if name not in t.FUNCTIONS:
            self.subs.fail(f"the function {name} is not known", head)
        count = t.FUNCTIONS[name]
        bracket = self._drawn(items, after)
        if bracket is not None and len(bracket.content.chains) > 1:
            if count is not None:
                self.subs.fail(f"{name} takes one argument", head, bracket)
            if any(chain.ops for chain in bracket.content.chains):
                self.subs.fail("an argument is an expression", bracket)
            arguments = [self.sum(chain.sums[0]) for chain in bracket.content.chains]
            position = after + 1
        elif count is None:
            self.subs.fail(rf"{name} of what? Write \{name}(a, b) or \{name}_i", head)
        else:
            value, position = self._argument(head, items, after)
            arguments = [value]
        self.subs.settle(mark)
        where = items[position - 1]
        result = self._lift(lambda *parts: t.Call(name, parts, at=head.start), arguments, where)
        if sup is not None and isinstance(result, t.Tree):
            exponent = constant(self._number(sup))
            if not (isinstance(exponent, t.Num) and exponent.value > 0):
                self.subs.fail(rf"\{name}^{{…}} may mean an inverse function: write brackets", head)
            return t.Pow(result, exponent, at=head.start), position
        return self._power(result, sup, head), position

    def _expectation(
        self, name: str, head: s.Node, sup: s.List | None, items: list[s.Node], after: int
    ) -> tuple[Value, int]:
        r"""``\mathbb E[x]``, and the variance E[x²] − (E[x])²; a power behind the bracket is one of the whole."""
        written = r"\mathbb E" if name == "E" else r"\operatorname{Var}"
        bracket, below, above = s.unpack(items[after]) if after < len(items) else (None, None, None)
        if sup is not None or below is not None or not isinstance(bracket, s.Bracket) or bracket.kind != "[":
            self.subs.fail(f"write {written}[…] with square brackets, and a power behind them", head)
        if not any(tensor.random for tensor in self.names.tensors.values()):
            message = "nothing on this page is random: declare a tensor with random: {mean: 0, variance: v}"
            self.subs.fail(message, head)
        mark = self.subs.mark()
        inner = self._inner(bracket.content)
        self.subs.settle(mark)

        def build(x: t.Tree) -> t.Tree:
            if name == "E":
                return t.Expect(x, at=head.start)
            two = t.Num(Fraction(2))
            square = t.Pow(t.Expect(x, at=head.start), two, at=head.start)
            return t.Add((t.Expect(t.Pow(x, two, at=head.start), at=head.start), t.Neg(square)), at=head.start)

        return self._power(self._lift(build, [inner], bracket), above, items[after]), after + 1

    def _whole(self, name: str, value: Value, head: s.Node) -> Value:
        if not isinstance(value, Matrix):
            self.subs.fail(f"{name} needs an array without subscripts", head)
        fresh = self._fresh
        try:
            match name:
                case "rowsum":
                    return matrix.row_sum(value, fresh)
                case "colsum":
                    return matrix.column_sum(value, fresh)
                case "sum":
                    return matrix.total(value, fresh)
                case "tr":
                    return matrix.trace(value, fresh)
                case _:
                    return matrix.diagonal(value)
        except matrix.Mismatch as wrong:
            self.subs.fail(str(wrong), head)

    # ------------------------------------------------------------------------------------------ conditions

    def _condition(self, node: s.List) -> Value:
        """Relations side by side, or in a chain, hold together."""
        parts: list[Value] = []
        for chain in node.chains:
            if not chain.ops:
                self.subs.fail("a condition is expected here, such as x > 0", chain)
            values = [self.sum(one) for one in chain.sums]
            for op, left, right, place in zip(chain.ops, values, values[1:], chain.sums, strict=False):
                at = place.start
                parts.append(self._lift(lambda a, b, op=op, at=at: t.Relation(op, a, b, at=at), [left, right], chain))
        if len(parts) == 1:
            return parts[0]
        return self._lift(lambda *relations: t.Both(relations, at=node.start), parts, node)

    def _ones(
        self, item: s.Node, sub: s.List | None, sup: s.List | None, items: list[s.Node], after: int
    ) -> tuple[Value, int]:
        if sub is None and sup is None and after < len(items):
            bracket, below, above = s.unpack(items[after])
            if isinstance(bracket, s.Bracket) and bracket.kind in ("[", "{", "(") and bracket.content.chains[0].ops:
                if below is not None:
                    self.subs.fail("an indicator takes no subscript", items[after])
                mark = self.subs.mark()
                condition = self._condition(bracket.content)
                self.subs.settle(mark)
                value = self._lift(lambda c: t.Indicator(c, at=item.start), [condition], item)
                return self._power(value, above, items[after]), after + 1
        size = self.subs.integer(sub) if sub is not None else None
        return self._power(matrix.ones(size), sup, item), after

    def _branches(self, node: s.Branches) -> Value:
        conditions: list[Value | None] = []
        values: list[Value] = []
        for number, (value_node, condition_node) in enumerate(node.rows):
            if condition_node is None and number + 1 < len(node.rows):
                self.subs.fail("otherwise is the last case", value_node)
            mark = self.subs.mark()
            condition = None if condition_node is None else self._condition(condition_node)
            self.subs.settle(mark)
            value = self.sum(value_node)
            if isinstance(condition, t.Tree):
                self.subs.discharge(mark, condition)
            self.subs.settle(mark)
            conditions.append(condition)
            values.append(value)
        given: list[Value] = [c for c in conditions if c is not None]
        count = len(given)

        def build(*parts: t.Tree) -> t.Tree:
            padded = [*parts[:count], *([None] if count < len(values) else [])]
            return t.Cases(tuple(zip(padded, parts[count:], strict=True)), at=node.start)

        return self._lift(build, [*given, *values], node)
