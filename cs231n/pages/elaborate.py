r"""Surface → tree: decides, from the declarations, what was written.

Here ``ij`` becomes two subscripts, ``dx`` a gradient, ``\sum`` gets its reach, and everything that a reader
would have to guess becomes an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cs231n.pages import matrix
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.errors import Snippet
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.names import Names
from cs231n.pages.scoping import Scoping
from cs231n.pages.subscripts import Subscripts, value_matters

_WHOLE_MATRIX = {"rowsum", "colsum", "sum", "tr", "diag"}


@dataclass(frozen=True)
class Derivative:
    """A derivative on the page; whether it makes sense is known when all definitions are."""

    kind: str  # 'gradient', 'partial', 'total'
    of: str
    wrt: str
    start: int
    end: int


class Elaborator:
    """Elaborates the formulas of one snippet."""

    def __init__(self, names: Names, snippet: Snippet, taken: Iterable[str] = ()) -> None:
        self.names, self.snippet = names, snippet
        self.derivatives: list[Derivative] = []
        self.scoping = Scoping()
        self.letters = matrix.Letters(names.indices.values(), taken)
        self.subs = Subscripts(names, snippet)
        self._in_norm = False

    # ------------------------------------------------------------------------------------------ entrances

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

    # ------------------------------------------------------------------------------------------ helpers

    def _fresh(self, size: t.Tree) -> t.Index:
        return self.letters.fresh(size)

    def _lift(self, build: Callable[..., t.Tree], values: Sequence[Value], node: s.Node) -> Value:
        try:
            return matrix.elementwise(build, values)
        except matrix.Mismatch as wrong:
            self.subs.fail(str(wrong), node)

    # ------------------------------------------------------------------------------------------ sums and terms

    def sum(self, node: s.Sum) -> Value:
        terms: list[Value] = []
        for sign, term in node.terms:
            value = self._term(term)
            if sign == "-":
                value = self._lift(lambda a, at=term.start: t.Neg(a, at=at), [value], term)
            terms.append(value)
        if len(terms) == 1:
            return terms[0]
        return self._lift(lambda *parts: t.Add(parts, at=node.start), terms, node)

    def _term(self, node: s.Term, items: Sequence[s.Node] | None = None) -> Value:
        items = node.items if items is None else items
        value = self._product(list(items))
        if isinstance(value, t.Tree):
            both = self.scoping.free(value).keys() & self.scoping.bound(value)
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

    def _refuse_bare_sum(self, item: s.Node, alone: bool) -> None:
        """Invisible braces do not hold a sum together."""
        base, sub, sup = s.unpack(item)
        if isinstance(base, s.Bracket) and base.kind == "group":
            sums = base.content.chains[0].sums
            several = len(sums[0].terms) > 1 or sums[0].terms[0][0] == "-"
            if several and not (alone and sub is None and sup is None):
                self.subs.fail("a sum among factors needs brackets", item)

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

    def _inner(self, node: s.List) -> Value:
        if len(node.chains) != 1 or node.chains[0].ops:
            self.subs.fail("one expression is expected here", node)
        return self.sum(node.chains[0].sums[0])

    def _power(self, value: Value, sup: s.List | None, item: s.Node) -> Value:
        if sup is None:
            return value
        items = s.one_term(sup)
        if (
            items is not None
            and len(items) == 1
            and (
                s.mark(items[0]) == "top"
                or (
                    isinstance(items[0], s.Word)
                    and items[0].name == "T"
                    and isinstance(value, Matrix)
                    and self.names.declared("T") is None
                )
            )
        ):
            if not isinstance(value, Matrix):
                self.subs.fail("a number has no transpose", item)
            try:
                return matrix.transpose(value)
            except matrix.Mismatch as wrong:
                self.subs.fail(str(wrong), item)
        by_entry = items is not None and len(items) == 2 and s.mark(items[0]) == "odot"
        if isinstance(value, Matrix) and not by_entry:
            self.subs.fail(
                r"a power of an array: of its entries (write ^{\odot 2}) or of the matrix (write the product)?", item
            )
        mark = self.subs.mark()
        exponent = self._product(list(items[1:])) if by_entry and items is not None else self._inner(sup)
        self.subs.settle(mark)
        if isinstance(exponent, Matrix):
            self.subs.fail("an exponent is a single number", sup)
        exponent = _fold(exponent)
        if not (isinstance(exponent, t.Num) and exponent.value > 0):
            self.subs.settle_within(item)  # an entry outside its axis counts as 0, and 0 has no such power
        return self._lift(lambda a: t.Pow(a, exponent, at=item.start), [value], item)

    # ------------------------------------------------------------------------------------------ names

    def _word(self, item: s.Node, word: s.Word, sub: s.List | None, sup: s.List | None) -> Value:
        name = word.name
        declared = self.names.declared(name)
        if declared is None and not self.names.known(name):
            if name == "e" and sub is None and sup is not None:
                mark = self.subs.mark()
                argument = self._inner(sup)
                self.subs.settle(mark)
                return self._lift(lambda a: t.Call("exp", (a,), at=item.start), [argument], item)
            if name == "delta" and sub is not None:
                return self._power(self._delta(item, sub), sup, item)
            numbered = self._numbered(word, sub)
            if numbered is not None:
                return self._power(t.Entry(numbered, (), at=item.start), sup, item)
            variable = self.names.gradient(name)
            if variable is not None:
                return self._power(self._gradient(variable, sub, item), sup, item)
            self.subs.undeclared(word)
        if declared in ("size", "index"):
            if sub is not None:
                self.subs.fail(
                    f"{name} is {'a size' if declared == 'size' else 'an index'} and takes no subscripts", item
                )
            value: t.Tree = t.Size(name, at=word.start) if declared == "size" else self.subs.index(word)
            return self._power(value, sup, item)
        return self._power(self._entry(name, sub, item, lambda subs: t.Entry(name, subs, at=item.start)), sup, item)

    def _numbered(self, word: s.Word, sub: s.List | None) -> str | None:
        r"""``\beta_1`` where a scalar ``beta_1`` is declared."""
        items = s.one_term(sub) if sub is not None else None
        if items is not None and len(items) == 1 and isinstance(items[0], (s.Number, s.Word)):
            text = items[0].text if isinstance(items[0], s.Number) else items[0].name
            if self.names.declared(f"{word.name}_{text}") == "scalar":
                return f"{word.name}_{text}"
        return None

    def _entry(
        self, name: str, sub: s.List | None, item: s.Node, build: Callable[[tuple[t.Tree, ...]], t.Tree]
    ) -> Value:
        shape = self.names.shape(name)
        if sub is None:
            return build(()) if not shape else matrix.named(shape, build)
        subs = self.subs.read(sub)
        if len(subs) != len(shape):
            if self._in_norm and len(subs) == len(shape) - 1 and shape:
                self.subs.inside(subs, shape[:-1], sub)
                return Matrix((shape[-1], matrix.ONE), lambda ij: build((*subs, ij[0])))
            self.subs.wrong_count(name, shape, len(subs), item)
        self.subs.inside(subs, shape, sub)
        return build(subs)

    def _gradient(self, name: str, sub: s.List | None, item: s.Node) -> Value:
        if not self.names.outputs:
            self.subs.fail(f"d{name} is a gradient, but the front matter declares no output", item)
        declared = self.names.tensors.get(name)
        if declared is not None and not declared.differentiable:
            self.subs.fail(f"{name} is declared without gradient", item)
        self.derivatives.append(Derivative("gradient", "", name, item.start, item.end))
        return self._entry(name, sub, item, lambda subs: t.Grad(name, subs, at=item.start))

    def _delta(self, item: s.Node, sub: s.List) -> t.Tree:
        subs = self.subs.read(sub)
        if len(subs) != 2:
            self.subs.fail("δ takes two subscripts", item)
        return t.Delta(subs[0], subs[1], at=item.start)

    # ------------------------------------------------------------------------------------------ big operators

    def _big(
        self, big: s.Big, sub: s.List | None, sup: s.List | None, items: list[s.Node], after: int
    ) -> tuple[Value, int]:
        head = items[after - 1]
        if sub is None:
            self.subs.fail(r"over which index? Write \sum_i", head)
        indices, from_one = self.subs.limits(sub, sup, head)
        if after == len(items):
            self.subs.fail("nothing stands behind this", head)
        mark = self.subs.mark()
        if big.name == "sum":
            rest = items[after:]
            body = self._term(s.Term(rest[0].start, rest[-1].end, tuple(rest)), rest)
            position = len(items)
        else:
            body, position = self._argument(head, items, after)
            self.subs.settle(mark)
        if isinstance(body, t.Tree):
            self._check_binding(body, indices, from_one, head)
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
        if sub is not None:
            self.subs.fail(f"{name} takes no subscript", head)
        mark = self.subs.mark()
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
            exponent = _fold(self._number(sup))
            if not (isinstance(exponent, t.Num) and exponent.value > 0):
                self.subs.fail(rf"\{name}^{{…}} may mean an inverse function: write brackets", head)
            return t.Pow(result, exponent, at=head.start), position
        return self._power(result, sup, head), position

    def _number(self, node: s.List) -> t.Tree:
        value = self._inner(node)
        if isinstance(value, Matrix):
            self.subs.fail("a single number is expected here", node)
        return value

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

    def _norm(self, base: s.Bracket, sub: s.List | None, sup: s.List | None, item: s.Node) -> Value:
        """Euclidean norm of a column or of a row of a tensor; of a matrix with F, the Frobenius norm."""
        outer, self._in_norm = self._in_norm, True
        mark = self.subs.mark()
        value = self._inner(base.content)
        self.subs.settle(mark)
        self._in_norm = outer
        items = s.one_term(sub) if sub is not None else ()
        which = ""
        if items:
            which = items[0].name if isinstance(items[0], s.Word) else getattr(items[0], "text", "?")
        if not isinstance(value, Matrix):
            self.subs.fail(r"the norm of a single number: write |x|", item)
        column = len(value.shape) == 2 and any(matrix.is_one(axis) for axis in value.shape)
        if which not in (("", "2", "1", "F") if column else ("F",)):
            self.subs.fail(r"which norm? Of a matrix \|X\|_F is read, of a column \|x\|, \|x\|_2 and \|x\|_1", item)
        at = item.start
        if which == "1":
            one = matrix.total(value, self._fresh, lambda x: t.Call("abs", (x,), at=at))
            return self._power(one, sup, item)
        square = matrix.total(value, self._fresh, lambda x: t.Pow(x, t.Num(Fraction(2)), at=at))
        power = s.one_term(sup) if sup is not None else None
        if power is not None and len(power) == 1 and isinstance(power[0], s.Number) and power[0].text == "2":
            return square
        return self._power(t.Call("sqrt", (square,), at=at), sup, item)

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

    # ------------------------------------------------------------------------------------------ fractions

    def _fraction(self, node: s.Frac) -> Value:
        num, den = s.one_term(node.num), s.one_term(node.den)
        heads = [s.mark(s.unpack(items[0])[0]) if items else "" for items in (num, den)]
        if "partial" in heads or "upright-d" in heads:
            if heads[0] != heads[1] or num is None or den is None:
                self.subs.fail(
                    r"a derivative is written \frac{\partial a}{\partial b} or \frac{\mathrm d a}{\mathrm d b}", node
                )
            return self._derivative(node, "partial" if heads[0] == "partial" else "total", num, den)
        top = self._inner(node.num)
        mark = self.subs.mark()
        bottom = self._inner(node.den)
        self.subs.settle(mark)
        if isinstance(top, t.Grad) and isinstance(bottom, t.Grad):
            self.subs.fail(r"a derivative or a quotient of gradients? For the total derivative write \mathrm d", node)
        if isinstance(bottom, Matrix):
            self.subs.fail(r"an array divides entry by entry only by \oslash", node.den)
        return self._lift(lambda a, b: t.Div(a, b, at=node.start), [top, bottom], node)

    def _derivative(self, node: s.Frac, kind: str, num: Sequence[s.Node], den: Sequence[s.Node]) -> Value:
        for items in (num, den):
            if isinstance(items[0], s.Scripted):
                self.subs.fail("second derivatives are not read: name the first one", node)
            base, _, sup = s.unpack(items[1]) if len(items) == 2 else (None, None, None)
            if not isinstance(base, s.Word) or sup is not None:
                message = "a derivative is of one named quantity with respect to one other; name it first"
                self.subs.fail(message, node)
        of, of_sub, _ = s.unpack(num[1])
        wrt, wrt_sub, _ = s.unpack(den[1])
        assert isinstance(of, s.Word) and isinstance(wrt, s.Word)
        if not self.names.known(wrt.name):
            if self.names.declared(wrt.name) is None:
                self.subs.undeclared(wrt)
            self.subs.fail(f"{wrt.name} is a whole number: there is no derivative with respect to it", wrt)
        if self._is_loss(of.name) and of_sub is None:
            return self._gradient(wrt.name, wrt_sub, node)
        if not self.names.known(of.name):
            if self.names.declared(of.name) is None:
                self.subs.undeclared(of)
            self.subs.fail(f"{of.name} is a whole number: it has no derivative", of)
        top = self._entry(of.name, of_sub, num[1], lambda subs: t.Entry(of.name, subs, at=num[1].start))
        bottom = self._entry(wrt.name, wrt_sub, den[1], lambda subs: t.Entry(wrt.name, subs, at=den[1].start))
        if not isinstance(top, t.Entry) or not isinstance(bottom, t.Entry):
            self.subs.fail("a derivative is of one entry with respect to one other: write the subscripts", node)
        self.derivatives.append(Derivative(kind, of.name, wrt.name, node.start, node.end))
        return (t.Partial if kind == "partial" else t.Total)(top, bottom, at=node.start)

    def _is_loss(self, name: str) -> bool:
        if any(output.name == name and output.upstream is None for output in self.names.outputs):
            return True
        return name == "L" and not self.names.known("L") and self.names.declared("L") is None


def _fold(tree: t.Tree) -> t.Tree:
    """A constant exponent such as −1/2 as one number."""
    match tree:
        case t.Neg(t.Num(value)):
            return t.Num(-value, at=tree.at)
        case t.Neg(t.Div(t.Num(a), t.Num(b))) if b:
            return t.Num(-a / b, at=tree.at)
        case t.Div(t.Num(a), t.Num(b)) if b:
            return t.Num(a / b, at=tree.at)
    return tree
