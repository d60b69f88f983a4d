r"""Names on a page: entries, gradients, derivatives, norms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from cs231n.pages import matrix
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.expressions import Derivative, Expressions
from cs231n.pages.matrix import Matrix, Value


class Quantities(Expressions):
    """Reads what a name with its subscripts stands for."""

    def _word(self, item: s.Node, word: s.Word, sub: s.List | None, sup: s.List | None) -> Value:
        name = word.name
        declared = self.names.declared(name)
        if declared is None and not self.names.known(name):
            if name == "e" and sub is None and sup is not None:
                mark = self.subs.mark()
                argument = self._inner(sup)
                self.subs.settle(mark)
                return self._lift(lambda a: t.Call("exp", (a,), at=item.start), [argument], item)
            if name == "pi" and sub is None:
                return self._power(t.Call("pi", (), at=item.start), sup, item)
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

    # ------------------------------------------------------------------------------------ fractions and derivatives

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

    # ------------------------------------------------------------------------------------------ norms

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
