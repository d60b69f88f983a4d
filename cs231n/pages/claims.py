"""Claims and mistakes: both sides of a relation, its free indices and its cases."""

from __future__ import annotations

from dataclasses import dataclass

from cs231n.pages import matrix, ranges
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.definitions import Definitions
from cs231n.pages.elaborate import Elaborator
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.parser import parse
from cs231n.pages.scoping import Scoping
from cs231n.pages.sentence import Sentence
from cs231n.pages.subscripts import facts


@dataclass(frozen=True)
class Claim:
    """``left = right`` for all values of the ``free`` indices, in each of the cases."""

    left: t.Tree
    right: t.Tree
    free: tuple[t.Index, ...]
    cases: tuple[t.Case, ...]
    induction: t.Index | None = None


def summed_in(value: t.Tree, name: str) -> bool:
    """Whether a sum uses up the letter."""
    return any(isinstance(node, t.Sum) and node.index.name == name for node in value.walk())


class Claims:
    """Reads the relations that are no definitions."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions, self.names = definitions, definitions.names

    def read(self, sentence: Sentence, number: int) -> Claim:
        """One relation of the sentence, in all its cases."""
        span = sentence.chain.conditions[number]
        cases = self.cases(sentence, span)
        for case in cases or (t.Case(),):
            given = [fact for condition in case.conditions for fact in facts(condition, self.names.labels)]
            with self.names.bounds.during(given):  # a condition such as N = 3 may be what makes a subscript fit
                elaborator = Elaborator(self.names, sentence.snippet, sentence.words)
                left, right, free = self.both_sides(elaborator, sentence, number)
        self.check_cases(sentence, span, cases, free)
        return Claim(left, right, free, cases, self.induction(sentence, number, free))

    def induction(self, sentence: Sentence, number: int, free: tuple[t.Index, ...]) -> t.Index | None:
        r"""The time letter behind ``\text{by induction on}``."""
        span = sentence.chain.induction
        if span is None:
            return None
        items = s.one_term(parse(sentence.snippet, *span, text=sentence.layout.clean))
        if items is None or len(items) != 1 or not isinstance(items[0], s.Word):
            raise sentence.snippet.error("behind by induction on stands one time letter", *span)
        name = items[0].name
        if name not in self.names.times:
            message = f"induction runs over a time letter, declared under times, and {name} is none"
            raise sentence.snippet.error(message, *span)
        if sentence.chain.ops[number][0] != "=":
            raise sentence.snippet.error("only a claim is proved by induction", *span)
        if sentence.chain.conditions[number] is not None:
            raise sentence.snippet.error("a claim by induction holds from time 0 on and has no cases", *span)
        for index in free:
            if index.name == name:
                return index
        raise sentence.snippet.error(f"{name} is not free in the relation", *span)

    def both_sides(
        self, elaborator: Elaborator, sentence: Sentence, number: int
    ) -> tuple[t.Tree, t.Tree, tuple[t.Index, ...]]:
        """The two sides of a relation as numbers, and the indices for all of which it holds."""
        snippet = sentence.snippet
        pair: list[Value] = []
        for k in (number, number + 1):
            # in a = b = c the b is read once; of an array the letters are not yet chosen, so it is read again
            read = sentence.values.get(k)
            again = read is None or isinstance(read, Matrix) or sentence.chain.conditions[number] is not None
            pair.append(self.definitions.elaborate(elaborator, sentence, k) if again or read is None else read)
        left, right = pair
        chosen: set[str] = set()
        start, end = sentence.sides[number].start, sentence.sides[number + 1].end
        if isinstance(left, Matrix) or isinstance(right, Matrix):
            try:
                left, right = self.entries(elaborator, left, right)
            except matrix.Mismatch as wrong:
                raise snippet.error(str(wrong), start, end) from None
        scoping = elaborator.scoping
        sides = [scoping.free(left), scoping.free(right)]
        if any(isinstance(value, Matrix) for value in pair):
            # equal shapes are checked; the ones column does not show its index
            chosen = {*sides[0], *sides[1]} - sentence.words()
        for_all = self.for_all(sentence)
        if not for_all <= {*sides[0], *sides[1]}:
            assert sentence.chain.for_all is not None
            raise snippet.error("an index behind for all is not free in the relation", *sentence.chain.for_all)
        for k in (0, 1):
            for name in sides[k]:
                if sides[1 - k] and name not in sides[1 - k] and name not in for_all | chosen:
                    hint = sentence.exponential(number + k, name)
                    if summed_in((left, right)[1 - k], name):
                        message = f"the index {name} is free here and summed on the other side: these are two indices"
                        hint = " and need two letters"
                    else:
                        message = f"the index {name} is free on one side only"
                        hint = hint or f" (if that is meant: \\text{{for all }} {name})"
                    raise sentence.at_index(number + k, name, message + hint)
        return left, right, tuple({**sides[0], **sides[1]}.values())

    def entries(self, elaborator: Elaborator, left: Value, right: Value) -> tuple[t.Tree, t.Tree]:
        """The claim between two arrays as one between their entries."""
        for one, other in ((left, right), (right, left)):
            if isinstance(one, t.Tree) and isinstance(other, Matrix):
                if Scoping().free(one) or any(axis is None for axis in other.shape):
                    raise matrix.Mismatch(f"shapes do not match: {matrix.show(left)} and {matrix.show(right)}")
                indices = self.free_letters(elaborator, other.shape)
                entry = other.at(indices)
                return (one, entry) if one is left else (entry, one)
        assert isinstance(left, Matrix) and isinstance(right, Matrix)
        same = len(left.shape) == len(right.shape) and all(
            a is None or b is None or ranges.same(a, b) for a, b in zip(left.shape, right.shape, strict=True)
        )
        if not same:
            raise matrix.Mismatch(f"shapes do not match: {matrix.show(left)} and {matrix.show(right)}")
        indices = self.free_letters(elaborator, matrix.unify(left.shape, right.shape))
        before = elaborator.letters.copy()
        one = left.at(indices)
        elaborator.letters = before
        return one, right.at(indices)

    @staticmethod
    def free_letters(elaborator: Elaborator, shape: tuple[matrix.Axis, ...]) -> list[t.Tree]:
        if any(axis is None for axis in shape):
            raise matrix.Mismatch(r"the length of the ones is open here: write \mathbf 1_N")
        return [
            matrix.ZERO if matrix.is_one(axis) else elaborator.letters.fresh(axis) for axis in shape if axis is not None
        ]

    # ------------------------------------------------------------------------------------------ conditions

    def cases(self, sentence: Sentence, span: tuple[int, int] | None) -> tuple[t.Case, ...]:
        """The cases behind *for*: separated by commas; conditions joined by *and* hold together."""
        if span is None:
            return ()
        node = parse(sentence.snippet, *span, text=sentence.layout.clean)
        groups: list[list[s.Chain]] = [[node.chains[0]]]
        for sep, chain in zip(node.seps, node.chains[1:], strict=True):
            if sep == ",":
                groups.append([])
            groups[-1].append(chain)
        cases = []
        for group in groups:
            together = s.List(group[0].start, group[-1].end, tuple(group), ("and",) * (len(group) - 1))
            cases.append(t.Case(tuple(Elaborator(self.names, sentence.snippet).relations(together))))
        return tuple(cases)

    def check_cases(
        self, sentence: Sentence, span: tuple[int, int] | None, cases: tuple[t.Case, ...], free: tuple[t.Index, ...]
    ) -> None:
        names = {index.name for index in free}
        for case in cases:
            for condition in case.conditions:
                for name in Scoping().free(condition):
                    if name not in names:
                        assert span is not None
                        message = f"the index {name} of this condition is not free in the relation"
                        raise sentence.snippet.error(message, *span)

    def for_all(self, sentence: Sentence) -> set[str]:
        r"""The indices behind ``\text{for all}``, for which a relation holds although a side lacks them."""
        span = sentence.chain.for_all
        if span is None:
            return set()
        node = parse(sentence.snippet, *span, text=sentence.layout.clean)
        items = [item for chain in node.chains for item in chain.sums[0].terms[0][1].items]
        words = [item.name for item in items if isinstance(item, s.Word) and item.name in self.names.indices]
        plain = all(not chain.ops and len(chain.sums[0].terms) == 1 for chain in node.chains)
        if len(words) != len(items) or not plain:
            raise sentence.snippet.error("behind for all stand index letters; a condition stands behind for", *span)
        return set(words)
