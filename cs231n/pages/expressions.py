r"""What all parts of elaboration share: the names, the account of subscripts, powers, and how to lift to arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from cs231n.pages import matrix
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.errors import Snippet
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.names import Names
from cs231n.pages.scoping import Scoping
from cs231n.pages.subscripts import Subscripts


@dataclass(frozen=True)
class Derivative:
    """A derivative on the page; whether it makes sense is known when all definitions are."""

    kind: str  # 'gradient', 'partial', 'total'
    of: str
    wrt: str
    start: int
    end: int


class Expressions(ABC):
    """Elaborates the formulas of one snippet. The methods that follow one another are in the classes below this one."""

    def __init__(self, names: Names, snippet: Snippet, taken: Callable[[], Iterable[str]] = tuple) -> None:
        self.names, self.snippet = names, snippet
        self.derivatives: list[Derivative] = []
        self.scoping = Scoping()
        self._taken = taken
        self.subs = Subscripts(names, snippet)
        self._in_norm = False

    @cached_property
    def letters(self) -> matrix.Letters:
        """Index letters for matrix notation."""
        return matrix.Letters(self.names.indices.values(), self._taken())

    @abstractmethod
    def sum(self, node: s.Sum) -> Value:
        """Terms with their signs."""

    @abstractmethod
    def _factor(self, items: list[s.Node], position: int) -> tuple[Value, int]:
        """Read one factor; return it and the position after it."""

    @abstractmethod
    def _term(self, items: Sequence[s.Node], node: s.Node) -> Value:
        """Read factors side by side."""

    @abstractmethod
    def _product(self, items: list[s.Node]) -> Value:
        """Read factors side by side, without asking which indices they have."""

    def _inner(self, node: s.List) -> Value:
        if len(node.chains) != 1 or node.chains[0].ops:
            self.subs.fail("one expression is expected here", node)
        return self.sum(node.chains[0].sums[0])

    def _number(self, node: s.List) -> t.Tree:
        value = self._inner(node)
        if isinstance(value, Matrix):
            self.subs.fail("a single number is expected here", node)
        return value

    def _fresh(self, size: t.Tree) -> t.Index:
        return self.letters.fresh(size)

    def _some_entry(self, value: Value, node: s.Node) -> t.Tree:
        """The value, or one entry of it: enough to see which index letters are written in it."""
        if isinstance(value, t.Tree):
            return value
        letters = self.letters.copy()
        try:
            return value.at([matrix.ZERO] * len(value.shape))
        except matrix.Mismatch as wrong:
            self.subs.fail(str(wrong), node)
        finally:
            self.letters = letters

    def _lift(self, build: Callable[..., t.Tree], values: Sequence[Value], node: s.Node) -> Value:
        try:
            return matrix.elementwise(build, values)
        except matrix.Mismatch as wrong:
            self.subs.fail(str(wrong), node)

    def _refuse_bare_sum(self, item: s.Node, alone: bool) -> None:
        """Invisible braces do not hold a sum together."""
        base, sub, sup = s.unpack(item)
        if isinstance(base, s.Bracket) and base.kind == "group":
            sums = base.content.chains[0].sums
            several = len(sums[0].terms) > 1 or sums[0].terms[0][0] == "-"
            if several and not (alone and sub is None and sup is None):
                self.subs.fail("a sum among factors needs brackets", item)

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
        exponent = constant(exponent)
        if not (isinstance(exponent, t.Num) and exponent.value > 0):
            self.subs.settle_within(item)  # an entry outside its axis counts as 0, and 0 has no such power
        return self._lift(lambda a: t.Pow(a, exponent, at=item.start), [value], item)


def constant(tree: t.Tree) -> t.Tree:
    """A constant exponent such as −1/2 as one number."""
    match tree:
        case t.Neg(t.Num(value)):
            return t.Num(-value, at=tree.at)
        case t.Neg(t.Div(t.Num(a), t.Num(b))) if b:
            return t.Num(-a / b, at=tree.at)
        case t.Div(t.Num(a), t.Num(b)) if b:
            return t.Num(a / b, at=tree.at)
    return tree
