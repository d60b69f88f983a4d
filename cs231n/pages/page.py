"""A page, from its text to :class:`cs231n.pages.tree.Page`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cs231n.pages import matrix, ranges
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.code_map import read_code
from cs231n.pages.declare import declare
from cs231n.pages.document import Document, Formula, read_document
from cs231n.pages.elaborate import Elaborator
from cs231n.pages.errors import PageError, Snippet, Source
from cs231n.pages.expressions import Derivative
from cs231n.pages.frontmatter import Item, load
from cs231n.pages.layout import TAG, Layout, RawChain, lay_out
from cs231n.pages.matrix import Matrix, Value
from cs231n.pages.parser import parse
from cs231n.pages.scoping import Scoping
from cs231n.pages.subscripts import facts


def parse_page(text: str, path: str = "page.md", id: str | None = None) -> t.Page:
    r"""Read the text of a page in the dialect.

    Args:
        text: Markdown with front matter.
        path: what the page is called in messages.
        id: its name in the book, as layers/batchnorm; by default the path without ``.md``.

    Raises:
        PageError: anything that cannot be read without guessing, with file, line, column and piece.

    >>> front = "---\nsizes: {N: numbers}\nindices: {i j: N}\ntensors: {x: [N]}\n---\n"
    >>> page = parse_page(front + r"$$ m \coloneqq \sum_i x_i $$")
    >>> page.definitions["m"].params
    ()
    """
    return _Reader(Source(path, text), id or re.sub(r"\.md$", "", path)).page()


@dataclass
class _Sentence:
    """A chain of relations on the page, with its sides read but not yet understood."""

    formula: Formula
    layout: Layout
    chain: RawChain
    sides: list[s.List]
    values: dict[int, Value] = field(default_factory=dict)

    @property
    def snippet(self) -> Snippet:
        return self.formula.snippet

    @cached_property
    def words(self) -> set[str]:
        """All names in it, among them the index letters that matrix notation must not use again."""
        return {part.name for side in self.sides for part in side.parts() if isinstance(part, s.Word)}


@dataclass
class _Defining:
    """A definition that may not have been read yet. ``params`` None: the right side decides the shape."""

    sentence: _Sentence
    word: s.Word
    params: tuple[t.Index, ...] | None
    definition: t.Definition | None = None
    busy: bool = False


class _Reader:
    def __init__(self, source: Source, id: str) -> None:
        self.source, self.id = source, id
        self.document: Document = read_document(source)
        front = self.document.front_matter
        self.front = load(front) if front else Item({}, 0, 0, Snippet(source, 0, ""))
        self.names = declare(self.front)
        self.names.shape_of = self.shape
        self.defining: dict[str, _Defining] = {}
        self.derivatives: list[tuple[Snippet, Derivative]] = []
        self.sentences: list[_Sentence] = []
        self.layouts: list[tuple[Formula, Layout]] = []

    def page(self) -> t.Page:
        self.read_surface()
        self.check_gradient_names()
        self.check_outputs_exist()
        assume = self.assumptions()
        for name in self.defining:
            self.define(name)
        definitions = self.in_order()
        outputs = self.outputs()
        statements, displays = self.statements()
        self.check_derivatives(definitions)
        declarations = t.Declarations(
            self.names.sizes, self.names.indices, self.names.tensors, self.names.labels, outputs, assume, self.code()
        )
        title, description = self.heading()
        return t.Page(
            self.source.path,
            self.id,
            title,
            description,
            declarations,
            displays,
            statements,
            definitions,
            self.source.text,
        )

    # ------------------------------------------------------------------------------------------ first pass

    def read_surface(self) -> None:
        """Lay out and parse all formulas, and learn which names the page defines."""
        for formula in self.document.formulas:
            layout = lay_out(formula.snippet, inline=formula.display is None)
            if formula.display is None:
                layout.chains = [c for c in layout.chains if not self.ranges_over(formula, layout, c)]
            self.layouts.append((formula, layout))
            if layout.reason is not None:
                continue
            for chain in layout.chains:
                sides = [parse(formula.snippet, *span, text=layout.clean) for span in chain.sides]
                sentence = _Sentence(formula, layout, chain, sides)
                if formula.display is None and self.gives_value(sentence):
                    continue
                self.sentences.append(sentence)
                for number, (op, start, end) in enumerate(chain.ops):
                    if op == ":=":
                        if number:
                            raise formula.snippet.error(
                                "a definition begins its chain: name \\coloneqq value", start, end
                            )
                        self.announce(sentence)

    def ranges_over(self, formula: Formula, layout: Layout, chain: RawChain) -> bool:
        r"""Prose such as ``$i = 0, \dots, N-1$`` or ``$N = 4$``."""
        left = layout.clean[slice(*chain.sides[0])].strip().lstrip("\\")
        return chain.ops[0][0] != ":=" and self.names.declared(left) in ("size", "index")

    def gives_value(self, sentence: _Sentence) -> bool:
        r"""Prose such as ``$\gamma = 1$``: a declared quantity gets a number."""
        items = s.one_term(sentence.sides[0])
        if sentence.chain.ops[0][0] == ":=" or items is None or len(items) != 1:
            return False
        word = items[0].base if isinstance(items[0], s.Scripted) and items[0].sup is None else items[0]
        if not isinstance(word, s.Word) or self.names.declared(word.name) is None:
            return False
        words = [p.name for side in sentence.sides[1:] for p in side.parts() if isinstance(p, s.Word)]
        return all(name in self.names.sizes for name in words)

    def announce(self, sentence: _Sentence) -> None:
        """Note what a definition defines."""
        side, snippet = sentence.sides[0], sentence.snippet
        items = s.one_term(side)
        words = [i.base if isinstance(i, s.Scripted) else i for i in items or ()]
        if len(words) == 2 and isinstance(words[0], s.Word) and words[0].name == "d" and isinstance(words[1], s.Word):
            raise self.gradient_defined(snippet, side, words[1].name)
        if items is None or len(items) != 1 or not isinstance(words[0], s.Word):
            raise snippet.error("left of \\coloneqq stands one name with its indices", side.start, side.end)
        item, word = items[0], words[0]
        self.check_new(snippet, side, word)
        params: list[t.Index] | None = None
        if isinstance(item, s.Scripted):
            if item.sup is not None:
                raise snippet.error("a power cannot be defined: give it a name of its own", side.start, side.end)
            params = []
            for part in self.parameters(snippet, item.sub):
                if part.name in [p.name for p in params]:
                    raise snippet.error("the same index twice on the left of \\coloneqq", side.start, side.end)
                index = self.names.indices[part.name]
                params.append(t.Index(index.name, index.size, at=part.start))
        self.names.defined.add(word.name)
        self.defining[word.name] = _Defining(sentence, word, None if params is None else tuple(params))

    def gradient_defined(self, snippet: Snippet, side: s.List, name: str) -> PageError:
        message = f"d{name} is the gradient with respect to {name}, computed and never defined: claim it with ="
        return snippet.error(message, side.start, side.end)

    def check_new(self, snippet: Snippet, side: s.List, word: s.Word) -> None:
        name = word.name
        declared = self.names.declared(name)
        if name in self.names.defined:
            first = self.defining[name].sentence
            line = self.source.line(first.snippet.start + first.sides[0].start)
            raise snippet.error(f"{name} is already defined in line {line}", side.start, side.end)
        if declared is not None:
            kind = {"size": "a size", "index": "an index"}.get(declared, "declared in the front matter")
            raise snippet.error(f"{name} is {kind} and cannot be defined", side.start, side.end)
        if name == "d":
            raise snippet.error(
                "nothing but an index may be called d: before a name it makes a gradient", side.start, side.end
            )

    def check_gradient_names(self) -> None:
        """Now that all names are known: no ``dv`` may have a second meaning beside a v."""
        upstream = {output.upstream for output in self.names.outputs}
        for name, one in self.defining.items():
            if name.startswith("d") and self.names.known(name[1:]):
                raise self.gradient_defined(one.sentence.snippet, one.sentence.sides[0], name[1:])
            if f"d{name}" in self.names.tensors and f"d{name}" not in upstream:
                message = f"d{name} already means the gradient with respect to {name}; or is output: {name} missing?"
                for key in ("tensors", "scalars"):
                    section = self.entry(key)
                    if section is not None and f"d{name}" in section.value:
                        raise section.value[f"d{name}"].key.error(message)

    def parameters(self, snippet: Snippet, sub: s.List | None) -> Iterable[s.Word]:
        for chain in sub.chains if sub is not None else ():
            terms = chain.sums[0].terms
            for item in terms[0][1].items:
                word = item if isinstance(item, s.Word) else None
                plain = not chain.ops and len(terms) == 1 and terms[0][0] == "+"
                if word is None or not plain or word.name not in self.names.indices:
                    raise snippet.error(
                        "left of \\coloneqq every subscript is a declared index", chain.start, chain.end
                    )
                yield word

    # ------------------------------------------------------------------------------------------ definitions

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
        value = self.elaborate(elaborator, one.sentence, 1)
        params = one.params
        if params is None:
            params, value = self.free_params(one, elaborator, value)
        elif isinstance(value, Matrix):
            message = f"the left side is a number for each of its indices, the right side is {matrix.show(value)}"
            raise snippet.error(message, one.sentence.sides[1].start, one.sentence.sides[1].end)
        for index in elaborator.scoping.free(value).values():
            if index.name not in {p.name for p in params}:
                raise self.at_index(one.sentence, 1, index, f"the index {index.name} is no parameter of {name}")
        one.params = params
        one.definition = t.Definition(name, params, value)
        return one.definition

    def elaborate(self, elaborator: Elaborator, sentence: _Sentence, number: int) -> Value:
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

    def at_index(self, sentence: _Sentence, number: int, index: t.Index, message: str) -> PageError:
        """An error at the place where the side names that index."""
        side = sentence.sides[number]
        words = [part for part in side.parts() if isinstance(part, s.Word) and part.name == index.name]
        if words:
            first = min(words, key=lambda word: word.start)
            return sentence.snippet.error(message, first.start, first.end)
        return sentence.snippet.error(message, side.start, side.end)

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
        done: dict[str, t.Definition] = {}
        open_: list[str] = []

        def visit(name: str) -> None:
            if name in done:
                return
            one = self.defining[name]
            assert one.definition is not None
            if name in open_:
                side = one.sentence.sides[0]
                circle = " → ".join([*open_[open_.index(name) :], name])
                raise one.sentence.snippet.error(f"{name} is defined by itself ({circle})", side.start, side.end)
            open_.append(name)
            for used in self.uses(one.definition.value):
                visit(used)
            open_.pop()
            done[name] = one.definition

        for name in self.defining:
            visit(name)
        return done

    # ------------------------------------------------------------------------------------------ front matter

    def entry(self, key: str) -> Item | None:
        entry = self.front.value.get(key)
        return entry.item if entry is not None and entry.item.value is not None else None

    def heading(self) -> tuple[str, str]:
        title, description = self.entry("title"), self.entry("description")
        found = re.search(r"^# +(.+?) *#*$", self.source.text, re.M)
        named = title.text("title") if title else found[1] if found else Path(self.id).name
        return named, description.text("description") if description else ""

    def assumptions(self) -> tuple[t.Tree | str, ...]:
        """The conditions under which the page holds. Those on sizes also tell which subscripts are in range."""
        entry = self.entry("assume")
        if entry is None:
            return ()
        found: list[t.Tree | str] = []
        for item in entry.items("assume"):
            text = item.text("a condition")
            if text in ("off the kink", "no ties"):
                found.append(text)
                continue
            snippet = item.snippet()
            node = parse(snippet)
            if not any(chain.ops for chain in node.chains):
                raise item.error("assume holds conditions such as 's_n > 0', or the words off the kink, no ties")
            for relation in Elaborator(self.names, snippet).relations(node):
                found.append(relation)
                for fact in facts(relation, {}):
                    self.names.bounds.assume(fact)
        return tuple(found)

    def check_outputs_exist(self) -> None:
        entry = self.entry("output") or self.entry("outputs")
        for output in self.names.outputs:
            if output.name not in self.defining:
                assert entry is not None
                raise entry.error(f"the output {output.name} is not defined on this page")

    def outputs(self) -> tuple[t.Output, ...]:
        """Check that each output is a scalar loss or has an incoming gradient of its own shape."""
        entry = self.entry("output") or self.entry("outputs")
        for output in self.names.outputs:
            assert entry is not None
            shape = self.shape(output.name)
            if output.upstream is None:
                if shape:
                    message = (
                        f"{output.name} has shape {matrix.show(shape)}: declare its incoming gradient d{output.name}"
                    )
                    raise entry.error(message)
                continue
            incoming = self.names.shape(output.upstream)
            if len(shape) != len(incoming) or not all(ranges.same(a, b) for a, b in zip(shape, incoming, strict=True)):
                both = f"{output.name} {matrix.show(shape)} and {output.upstream} {matrix.show(incoming)}"
                message = f"shapes do not match: {both}"
                raise entry.error(message)
        return self.names.outputs

    def code(self) -> tuple[dict, ...]:
        entry = self.entry("code")
        return read_code(entry, self.names) if entry is not None else ()

    # ------------------------------------------------------------------------------------------ derivatives

    def check_derivatives(self, definitions: dict[str, t.Definition]) -> None:
        """A derivative along no path would be 0, and nobody writes that on purpose."""
        own = {name: {n.name for n in d.value.walk() if isinstance(n, t.Entry)} for name, d in definitions.items()}
        reach: dict[str, set[str]] = {}
        for name in definitions:  # in order: what a definition uses comes before it
            reach[name] = set(own[name]).union(*(reach.get(used, set()) for used in own[name]))
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

    # ------------------------------------------------------------------------------------------ statements

    def statements(self) -> tuple[tuple[t.Statement, ...], tuple[t.Display, ...]]:
        found: list[t.Statement] = []
        displays: list[t.Display] = []
        anchors: dict[str, int] = {}
        for formula, layout in self.layouts:
            begin = len(found)
            if layout.reason is not None:
                found += self.unchecked(formula, layout)
            for sentence in self.sentences:
                if sentence.layout is layout:
                    found += self.sentence(sentence)
            if formula.display is not None:
                own = list(dict.fromkeys(statement.anchor for statement in found[begin:] if statement.anchor))
                names = [layout.tag] if layout.tag else own
                for name in names:
                    self.new_anchor(formula.snippet, name, anchors)
                line = self.source.line(formula.snippet.start)
                displays.append(t.Display(formula.display, line, formula.snippet.tex, names[0] if names else None))
        return tuple(found), tuple(displays)

    def new_anchor(self, snippet: Snippet, name: str, anchors: dict[str, int]) -> None:
        tag = TAG.search(snippet.tex)
        start, end = tag.span() if tag else (0, len(snippet.tex))
        if name in anchors:
            raise snippet.error(f"the anchor {name} is already used in line {anchors[name]}", start, end)
        anchors[name] = self.source.line(snippet.start + start)

    def unchecked(self, formula: Formula, layout: Layout) -> Iterable[t.Statement]:
        anchor = layout.tag if formula.display is not None else None
        for chain in layout.chains:
            for number, (_, start, _) in enumerate(chain.ops):
                line = self.source.line(formula.snippet.start + start)
                latex = layout.latex(chain, number)
                yield t.Statement("unchecked", line, latex, formula.display, anchor, reason=layout.reason)
        if not layout.chains:
            latex = " ".join(layout.clean.split())
            line = self.source.line(formula.snippet.start)
            yield t.Statement("unchecked", line, latex, formula.display, anchor, reason=layout.reason)

    def sentence(self, sentence: _Sentence) -> Iterable[t.Statement]:
        chain, snippet, formula = sentence.chain, sentence.snippet, sentence.formula
        for number, (op, start, _) in enumerate(chain.ops):
            line = self.source.line(snippet.start + start)
            latex = sentence.layout.latex(chain, number)
            anchor = sentence.layout.tag if formula.display is not None else None
            if op == ":=":
                definition = self.define(self.defined_here(sentence))
                if chain.conditions[number] is not None:
                    condition = chain.conditions[number]
                    assert condition is not None
                    raise snippet.error("a definition by cases is written with \\begin{cases}", *condition)
                self.for_all(sentence)
                own = anchor or (definition.name if formula.display is not None else None)
                yield t.Statement("definition", line, latex, formula.display, own, definition)
                continue
            cases = self.cases(sentence, chain.conditions[number])
            for case in cases or (t.Case(),):
                # a condition such as N = 3 may be what makes a subscript fit
                with self.names.bounds.during(
                    fact for condition in case.conditions for fact in facts(condition, self.names.labels)
                ):
                    elaborator = Elaborator(self.names, snippet, sentence.words)
                    left, right, free = self.both_sides(elaborator, sentence, number)
            self.check_cases(sentence, chain.conditions[number], cases, free)
            kind = "claim" if op == "=" else "mistake"
            yield t.Statement(kind, line, latex, formula.display, anchor, None, left, right, free, cases)

    def defined_here(self, sentence: _Sentence) -> str:
        return next(name for name, one in self.defining.items() if one.sentence is sentence)

    def both_sides(
        self, elaborator: Elaborator, sentence: _Sentence, number: int
    ) -> tuple[t.Tree, t.Tree, tuple[t.Index, ...]]:
        """The two sides of a relation as numbers, and the indices for all of which it holds."""
        snippet = sentence.snippet
        pair: list[Value] = []
        for k in (number, number + 1):
            # in a = b = c the b is read once; of an array the letters are not yet chosen, so it is read again
            read = sentence.values.get(k)
            again = read is None or isinstance(read, Matrix) or sentence.chain.conditions[number] is not None
            pair.append(self.elaborate(elaborator, sentence, k) if again or read is None else read)
        left, right = pair
        start, end = sentence.sides[number].start, sentence.sides[number + 1].end
        if isinstance(left, Matrix) or isinstance(right, Matrix):
            try:
                left, right = self.entries(elaborator, left, right)
            except matrix.Mismatch as wrong:
                raise snippet.error(str(wrong), start, end) from None
        scoping = elaborator.scoping
        sides = [scoping.free(left), scoping.free(right)]
        for_all = self.for_all(sentence)
        if not for_all <= {*sides[0], *sides[1]}:
            assert sentence.chain.for_all is not None
            raise snippet.error("an index behind for all is not free in the relation", *sentence.chain.for_all)
        for k in (0, 1):
            for name in sides[k]:
                if sides[1 - k] and name not in sides[1 - k] and name not in for_all:
                    message = f"the index {name} is free on one side only (if that is meant: \\text{{for all }} {name})"
                    raise self.at_index(sentence, number + k, sides[k][name], message)
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

    def cases(self, sentence: _Sentence, span: tuple[int, int] | None) -> tuple[t.Case, ...]:
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
        self, sentence: _Sentence, span: tuple[int, int] | None, cases: tuple[t.Case, ...], free: tuple[t.Index, ...]
    ) -> None:
        names = {index.name for index in free}
        for case in cases:
            for condition in case.conditions:
                for name in Scoping().free(condition):
                    if name not in names:
                        assert span is not None
                        message = f"the index {name} of this condition is not free in the relation"
                        raise sentence.snippet.error(message, *span)

    def for_all(self, sentence: _Sentence) -> set[str]:
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
