"""The definitions of a page: read on demand, ordered, and the derivatives between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from cs231n.pages import clocks, matrix, ranges
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.elaborate import Elaborator
from cs231n.pages.errors import PageError, Snippet
from cs231n.pages.expressions import Derivative
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.names import Names
from cs231n.pages.parser import parse
from cs231n.pages.sentence import Sentence


@dataclass(eq=False)
class _Defining:
    """A definition that may not have been read yet. ``params`` None: the right side decides the shape."""

    sentence: Sentence
    word: s.Word
    params: tuple[t.Index, ...] | None
    definition: t.Definition | None = None
    busy: bool = False
    time: t.Index | None = None  # a recurrence: this line is its step
    base: _Base | None = None


@dataclass
class _Base:
    """The line of a recurrence at time 0: ``params`` with None where the 0 stands."""

    sentence: Sentence
    params: tuple[t.Index | None, ...]


class Definitions:
    """Everything that the page defines. A definition in matrix notation is read as soon as its shape is asked for."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.defining: dict[str, _Defining] = {}
        self.bases: dict[str, _Base] = {}
        self.derivatives: list[tuple[Snippet, Derivative]] = []
        names.shape_of = self.shape

    # ------------------------------------------------------------------------------------------ which names

    def announce(self, sentence: Sentence) -> None:
        """Note what a definition defines."""
        side, snippet = sentence.sides[0], sentence.snippet
        items = s.one_term(side)
        words = [i.base if isinstance(i, s.Scripted) else i for i in items or ()]
        if len(words) == 2 and isinstance(words[0], s.Word) and words[0].name == "d" and isinstance(words[1], s.Word):
            raise self.gradient_defined(snippet, side, words[1].name)
        if items is None or len(items) != 1 or not isinstance(words[0], s.Word):
            message = "left of \\coloneqq stands one name with its indices"
            letters = "".join(word.name for word in words if isinstance(word, s.Word) and word.end - word.start == 1)
            if 1 < len(words) == len(letters):
                message += f"; a name of several letters is written \\mathrm{{{letters}}}"
            raise snippet.error(message, side.start, side.end)
        item, word = items[0], words[0]
        params: list[t.Index | None] | None = None
        if isinstance(item, s.Scripted):
            if item.sup is not None:
                raise snippet.error("a power cannot be defined: give it a name of its own", side.start, side.end)
            params = []
            for part in self.parameters(snippet, item.sub):
                if isinstance(part, s.Number):
                    params.append(None)
                    continue
                if part.name in [p.name for p in params if p is not None]:
                    raise snippet.error("the same index twice on the left of \\coloneqq", side.start, side.end)
                index = self.names.indices[part.name]
                params.append(t.Index(index.name, index.size, at=part.start))
        if params is not None and None in params:
            self.announce_base(sentence, side, word, tuple(params))
            return
        self.check_new(snippet, side, word)
        self.names.defined.add(word.name)
        axes = None if params is None else tuple(p for p in params if p is not None)
        time = self.time_of(sentence, axes or ())
        self.defining[word.name] = _Defining(sentence, word, axes, time=time)

    def announce_base(self, sentence: Sentence, side: s.List, word: s.Word, params: tuple[t.Index | None, ...]) -> None:
        r"""``m_0 \coloneqq …``: the line of a recurrence at time 0."""
        snippet = sentence.snippet
        if params.count(None) > 1:
            raise snippet.error("a recurrence has one time: one subscript 0", side.start, side.end)
        if sentence.chain.conditions[0] is not None:
            raise snippet.error("the base of a recurrence holds at time 0 only", *sentence.chain.conditions[0])
        if word.name in self.bases:
            first = self.bases[word.name].sentence
            line = snippet.source.line(first.snippet.start + first.sides[0].start)
            raise snippet.error(f"{word.name} has a second base; the first is in line {line}", side.start, side.end)
        if self.names.declared(word.name) is not None:
            self.check_new(snippet, side, word)
        self.bases[word.name] = _Base(sentence, params)

    def time_of(self, sentence: Sentence, params: tuple[t.Index, ...]) -> t.Index | None:
        r"""The time letter of a step: a definition with the condition ``t \ge 1``."""
        span = sentence.chain.conditions[0]
        if span is None:
            return None
        condition = Elaborator(self.names, sentence.snippet).relations(
            parse(sentence.snippet, *span, text=sentence.layout.clean)
        )
        for index in params:
            if index.name in self.names.times and condition == [t.Relation(">=", index, t.Num(Fraction(1)))]:
                return index
        return None  # then it is refused as a definition by cases

    def pair_recurrences(self) -> None:
        """Each step needs its base, and each base its step."""
        for name, base in self.bases.items():
            side, snippet = base.sentence.sides[0], base.sentence.snippet
            one = self.defining.get(name)
            if one is None:
                message = rf"{name} has a base and no step: define {name} at t, with \quad (t \ge 1)"
                raise snippet.error(message, side.start, side.end)
            if one.time is None:
                step = one.sentence.sides[0]
                message = rf"{name} has a base, so this is its step: write \quad (t \ge 1) behind it"
                raise one.sentence.snippet.error(message, step.start, step.end)
            assert one.params is not None
            if base.params != tuple(None if p == one.time else p for p in one.params):
                message = f"the base of {name} has other subscripts than its step, where {one.time.name} becomes 0"
                raise snippet.error(message, side.start, side.end)
            one.base = base
        for name, one in self.defining.items():
            if one.time is not None and one.base is None:
                side = one.sentence.sides[0]
                message = f"{name} has a step and no base: define it at 0"
                raise one.sentence.snippet.error(message, side.start, side.end)

    def base_sentences(self) -> list[Sentence]:
        """The lines that define a recurrence at time 0."""
        return [base.sentence for base in self.bases.values()]

    def gradient_defined(self, snippet: Snippet, side: s.List, name: str) -> PageError:
        message = f"d{name} is the gradient with respect to {name}, computed and never defined: claim it with ="
        return snippet.error(message, side.start, side.end)

    def check_new(self, snippet: Snippet, side: s.List, word: s.Word) -> None:
        name = word.name
        declared = self.names.declared(name)
        if name in self.names.defined:
            first = self.defining[name].sentence
            line = snippet.source.line(first.snippet.start + first.sides[0].start)
            raise snippet.error(f"{name} is already defined in line {line}", side.start, side.end)
        if declared is not None:
            kind = {"size": "a size", "index": "an index"}.get(declared, "declared in the front matter")
            raise snippet.error(f"{name} is {kind} and cannot be defined", side.start, side.end)
        if name == "d":
            raise snippet.error(
                "nothing but an index may be called d: before a name it makes a gradient", side.start, side.end
            )

    def check_gradient_names(self) -> None:
        """Now that all names are known: no ``dv`` is defined beside a v."""
        for name, one in self.defining.items():
            if name.startswith("d") and self.names.known(name[1:]):
                raise self.gradient_defined(one.sentence.snippet, one.sentence.sides[0], name[1:])

    def parameters(self, snippet: Snippet, sub: s.List | None) -> Iterable[s.Word | s.Number]:
        for chain in sub.chains if sub is not None else ():
            terms = chain.sums[0].terms
            for item in terms[0][1].items:
                word = item if isinstance(item, s.Word) else None
                plain = not chain.ops and len(terms) == 1 and terms[0][0] == "+"
                if isinstance(item, s.Number) and item.text == "0" and plain and self.names.times:
                    yield item
                    continue
                if word is None or not plain or word.name not in self.names.indices:
                    message = f"left of \\coloneqq every subscript is a declared index{self.names.nowhere}"
                    raise snippet.error(message, chain.start, chain.end)
                yield word

    # ------------------------------------------------------------------------------------------ what they are

    def shape(self, name: str) -> tuple[t.Tree, ...]:
        params = self.defining[name].params
        if params is None:
            params = self.define(name).params
        return tuple(index.size for index in params)

    def define(self, name: str) -> t.Definition:
        """Read the right side of a definition, unless that is done."""
        one = self.defining[name]
        if one.definition is not None:
            return one.definition
        snippet, side = one.sentence.snippet, one.sentence.sides[0]
        if one.busy:
            raise snippet.error(f"{name} is defined by itself", side.start, side.end)
        one.busy = True
        elaborator = Elaborator(self.names, snippet, one.sentence.words)
        if one.time is not None:
            one.definition = self.recurrence(name, one, elaborator)
            return one.definition
        value = self.elaborate(elaborator, one.sentence, 1)
        params = one.params
        if params is None:
            params, value = self.free_params(one, elaborator, value)
        elif isinstance(value, Matrix):
            message = f"the left side is a number for each of its indices, the right side is {matrix.show(value)}"
            raise snippet.error(message, one.sentence.sides[1].start, one.sentence.sides[1].end)
        for index in elaborator.scoping.free(value).values():
            if index.name not in {p.name for p in params}:
                hint = one.sentence.exponential(1, index.name)
                raise one.sentence.at_index(1, index.name, f"the index {index.name} is no parameter of {name}{hint}")
        one.params = params
        one.definition = t.Definition(name, params, value)
        return one.definition

    def recurrence(self, name: str, one: _Defining, elaborator: Elaborator) -> t.Definition:
        """A name that is defined at time 0, and at each other time through the time before."""
        assert one.time is not None and one.base is not None and one.params is not None
        earlier: ranges.Poly = {(one.time.name,): Fraction(1), (): Fraction(-1)}  # t − 1, which is ≥ 0 in a step
        axis = one.params.index(one.time)
        with self.names.bounds.during([earlier]):
            step = self.number(elaborator, one.sentence, one.params)
        for part in step.walk():
            if isinstance(part, t.Entry) and part.name == name and ranges.polynomial(part.subs[axis]) != earlier:
                message = f"a step reads {name} one step earlier only, at {one.time.name} - 1"
                raise self.at_part(one.sentence, part, message)
        sentence = one.base.sentence
        others = tuple(p for p in one.params if p != one.time)
        start = self.number(Elaborator(self.names, sentence.snippet, sentence.words), sentence, others)
        for part in start.walk():
            if isinstance(part, t.Entry) and part.name == name:
                raise self.at_part(sentence, part, f"the base of {name} reads {name} itself")
        now = t.Relation("=", t.Index(one.time.name, one.time.size), t.Num(Fraction(0)))
        return t.Definition(name, one.params, t.Cases(((now, start), (None, step))), one.time)

    def at_part(self, sentence: Sentence, part: t.Tree, message: str) -> PageError:
        """An error at the name that begins there."""
        side = sentence.sides[1]
        ends = [n.end for n in side.parts() if n.start == part.at and isinstance(n, (s.Word, s.Scripted))]
        return sentence.snippet.error(message, part.at, max(ends, default=side.end))

    def number(self, elaborator: Elaborator, sentence: Sentence, params: tuple[t.Index, ...]) -> t.Tree:
        """The right side of a line that holds for each value of its parameters."""
        side = sentence.sides[1]
        value = self.elaborate(elaborator, sentence, 1)
        if isinstance(value, Matrix):
            message = f"the left side is a number for each of its indices, the right side is {matrix.show(value)}"
            raise sentence.snippet.error(message, side.start, side.end)
        for index in elaborator.scoping.free(value).values():
            if index.name not in {p.name for p in params}:
                raise sentence.at_index(1, index.name, f"the index {index.name} stands on the right side only")
        return value

    def read_all(self) -> dict[str, t.Definition]:
        """All definitions, each after those it uses."""
        for name in self.defining:
            self.define(name)
        return self.in_order()

    def elaborate(self, elaborator: Elaborator, sentence: Sentence, number: int) -> Value:
        """Understand one side of a sentence, and note its derivatives."""
        value = elaborator.side(sentence.sides[number])
        self.derivatives += [(sentence.snippet, d) for d in elaborator.derivatives]
        elaborator.derivatives = []
        if all(condition is None for condition in sentence.chain.conditions):
            sentence.values[number] = value
        return value

    def free_params(self, one: _Defining, elaborator: Elaborator, value: Value) -> tuple[tuple[t.Index, ...], t.Tree]:
        """The parameters of a definition in matrix notation: a column has one, a matrix two."""
        if not isinstance(value, Matrix):
            return (), value
        snippet, side = one.sentence.snippet, one.sentence.sides[1]
        shape = list(value.shape)
        if any(axis is None for axis in shape):
            raise snippet.error(r"the length of the ones is open here: write \mathbf 1_N", side.start, side.end)
        if len(shape) == 2 and matrix.is_one(shape[0]):
            raise snippet.error("a row cannot be defined: define the column, its transpose", side.start, side.end)
        column = len(shape) == 2 and matrix.is_one(shape[1])
        indices = [elaborator.letters.fresh(axis) for axis in (shape[:1] if column else shape) if axis is not None]
        tree = value.at([*indices, matrix.ZERO] if column else indices)
        return tuple(indices), tree

    # ------------------------------------------------------------------------------------------ all together

    def uses(self, tree: t.Tree) -> list[str]:
        """The defined names that a formula is made of. A gradient is made of what its outputs are made of."""
        found: dict[str, None] = {}
        for node in tree.walk():
            if isinstance(node, t.Entry) and node.name in self.defining:
                found[node.name] = None
            elif isinstance(node, t.Grad):
                found.update(dict.fromkeys(output.name for output in self.names.outputs))
        return list(found)

    def in_order(self) -> dict[str, t.Definition]:
        """The definitions, each after those it uses."""
        read = {name: one.definition for name, one in self.defining.items() if one.definition is not None}
        try:
            ordered, recursive = clocks.in_order(read, self.uses)
        except clocks.Circle as circle:
            sentence = self.defining[circle.names[0]].sentence
            side = sentence.sides[0]
            why = f": {circle.why}" if circle.why else ""
            message = f"{circle.names[0]} is defined by itself ({' → '.join(circle.names)}){why}"
            raise sentence.snippet.error(message, side.start, side.end) from None
        for name in recursive:
            self.defining[name].definition = ordered[name]
        return ordered

    def of(self, sentence: Sentence) -> t.Definition:
        """The definition that a sentence begins with."""
        for name, base in self.bases.items():
            if base.sentence is sentence:
                return self.define(name)
        return self.define(next(name for name, one in self.defining.items() if one.sentence is sentence))

    def check_derivatives(self, definitions: dict[str, t.Definition]) -> None:
        """A derivative along no path would be 0, and nobody writes that on purpose."""
        own = {name: {n.name for n in d.value.walk() if isinstance(n, t.Entry)} for name, d in definitions.items()}
        reach = {name: set(used) for name, used in own.items()}
        grown = True
        while grown:  # not one pass: recurrences may stand on each other
            before = {name: len(found) for name, found in reach.items()}
            for found in reach.values():
                found.update(*(reach.get(used, set()) for used in list(found)))
            grown = any(len(found) > before[name] for name, found in reach.items())
        for snippet, one in self.derivatives:
            span = one.start, one.end
            if one.kind == "gradient":
                outputs = [o.name for o in self.names.outputs]
                if not any(one.wrt == o or one.wrt in reach[o] for o in outputs):
                    message = f"no path leads from {one.wrt} to the output {', '.join(outputs)}: it has no gradient"
                    raise snippet.error(message, *span)
            elif one.of not in definitions:
                raise snippet.error(f"{one.of} is an input: it depends on nothing", *span)
            elif one.kind == "partial" and one.wrt not in own[one.of]:
                message = f"{one.wrt} does not stand on the defining line of {one.of}; for all paths write \\mathrm d"
                raise snippet.error(message, *span)
            elif one.kind == "total" and one.wrt not in reach[one.of]:
                raise snippet.error(f"{one.of} does not depend on {one.wrt}", *span)
