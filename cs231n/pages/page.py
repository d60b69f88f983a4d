"""A page, from its text to `cs231n.pages.tree.Page`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from cs231n.pages import matrix, ranges
from cs231n.pages import surface as s
from cs231n.pages import tree as t
from cs231n.pages.claims import Claims
from cs231n.pages.code_map import read_code
from cs231n.pages.declare import declare
from cs231n.pages.definitions import Definitions
from cs231n.pages.document import Formula, read_document
from cs231n.pages.elaborate import Elaborator
from cs231n.pages.errors import Snippet, Source
from cs231n.pages.frontmatter import Item, load
from cs231n.pages.layout import TAG, Layout, RawChain, lay_out
from cs231n.pages.names import is_random
from cs231n.pages.parser import parse
from cs231n.pages.sentence import Sentence
from cs231n.pages.show import name_to_text
from cs231n.pages.signs import Signs
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


class _Reader:
    def __init__(self, source: Source, id: str) -> None:
        self.source, self.id = source, id
        self.document = read_document(source)
        front = self.document.front_matter
        self.front = load(front) if front else Item({}, 0, 0, Snippet(source, 0, ""))
        self.names = declare(self.front)
        if front is None:
            self.names.nowhere = ": the file has no front matter, which begins with --- in line 1 and declares names"
        self.definitions = Definitions(self.names)
        self.claims = Claims(self.definitions)
        self.content: list[tuple[Formula, Layout, list[Sentence]]] = []
        self.assumed: list[tuple[Item, t.Relation]] = []

    def page(self) -> t.Page:
        for formula in self.document.formulas:
            self.read_surface(formula)
        self.definitions.pair_recurrences()
        self.definitions.check_gradient_names()
        self.check_outputs_are_defined()
        assume = self.assumptions()
        definitions = self.definitions.read_all()
        self.check_random(definitions)
        outputs = self.outputs()
        statements, displays = self.statements()
        self.definitions.check_derivatives(definitions)
        names = self.names
        declared = names.sizes, names.indices, names.tensors, names.labels
        title, description = self.heading()
        return t.Page(
            self.source.path,
            self.id,
            title,
            description,
            t.Declarations(*declared, outputs, assume, self.code(), tuple(names.times)),
            displays,
            statements,
            definitions,
            self.source.text,
        )

    # ------------------------------------------------------------------------------------------ the surface

    def read_surface(self, formula: Formula) -> None:
        """Lay out and parse a formula, and learn which names it defines."""
        layout = lay_out(formula.snippet, inline=formula.display is None)
        sentences: list[Sentence] = []
        self.content.append((formula, layout, sentences))
        if layout.reason is not None:
            return
        for chain in layout.chains:
            if formula.display is None and self.ranges_over(layout, chain):
                continue
            sides = [parse(formula.snippet, *span, text=layout.clean) for span in chain.sides]
            sentence = Sentence(formula, layout, chain, sides)
            if formula.display is None and self.gives_value(sentence):
                continue
            sentences.append(sentence)
            for number, (op, start, end) in enumerate(chain.ops):
                if op == ":=" and number:
                    message = "a definition begins its chain: name \\coloneqq value"
                    raise formula.snippet.error(message, start, end)
                if op == ":=":
                    self.definitions.announce(sentence)
                    if chain.induction is not None:
                        raise formula.snippet.error("only a claim is proved by induction", *chain.induction)

    def ranges_over(self, layout: Layout, chain: RawChain) -> bool:
        r"""Prose such as ``$i = 0, \dots, N-1$`` or ``$N = 4$``."""
        left = layout.clean[slice(*chain.sides[0])].strip().lstrip("\\")
        return chain.ops[0][0] != ":=" and self.names.declared(left) in ("size", "index")

    def gives_value(self, sentence: Sentence) -> bool:
        r"""Prose such as ``$\gamma = 1$``: a declared quantity gets a number."""
        items = s.one_term(sentence.sides[0])
        if sentence.chain.ops[0][0] == ":=" or items is None or len(items) != 1:
            return False
        if isinstance(items[0], s.Bracket):  # (N, D) = (4, 3)
            inside = [s.one_term(s.List(c.start, c.end, (c,), ())) for c in items[0].content.chains]
            left = [part[0] for part in inside if part is not None and len(part) == 1]
            if len(left) != len(inside) or len(left) < 2:
                return False
        else:
            left = [items[0]]
        for item in left:
            word = item.base if isinstance(item, s.Scripted) and item.sup is None else item
            if not isinstance(word, s.Word) or self.names.declared(word.name) is None:
                return False
        words = [p.name for side in sentence.sides[1:] for p in side.parts() if isinstance(p, s.Word)]
        return all(name in self.names.sizes for name in words)

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
                self.assumed.append((item, relation))
                for fact in facts(relation, {}):
                    self.names.bounds.assume(fact)
        return tuple(found)

    def check_random(self, definitions: dict[str, t.Definition]) -> None:
        """An assumption about random quantities would make their entries depend on each other."""
        random = self.names.random(definitions)
        for item, relation in self.assumed:
            if is_random(relation, random):
                raise item.error("nothing is assumed about random quantities: their moments are all that is known")
        for name, tensor in self.names.tensors.items():
            if tensor.random is not None:
                page = t.Page("", "", "", "", t.Declarations(self.names.sizes, {}, self.names.tensors), (), (), {}, "")
                if Signs(page).of(tensor.random.variance) not in ("positive", "nonnegative"):
                    entries = [e.value[name] for e in map(self.entry, ("tensors", "scalars")) if e and name in e.value]
                    item = entries[0].item.value["random"].item.value["variance"].item
                    raise item.error("a variance is never negative: declare its scalars positive or nonnegative")

    def check_outputs_are_defined(self) -> None:
        entry = self.entry("output") or self.entry("outputs")
        for output in self.names.outputs:
            if output.name not in self.names.defined:
                assert entry is not None
                raise entry.error(f"the output {output.name} is not defined on this page")
        upstream = {output.upstream for output in self.names.outputs}
        for key in ("tensors", "scalars"):
            section = self.entry(key)
            for name in self.names.defined if section is not None else ():
                assert section is not None
                if f"d{name}" in section.value and f"d{name}" not in upstream:
                    message = (
                        f"d{name} already means the gradient with respect to {name}; or is output: {name} missing?"
                    )
                    raise section.value[f"d{name}"].key.error(message)

    def outputs(self) -> tuple[t.Output, ...]:
        """Check that each output is a scalar loss or has an incoming gradient of its own shape."""
        entry = self.entry("output") or self.entry("outputs")
        for output in self.names.outputs:
            assert entry is not None
            shape = self.definitions.shape(output.name)
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

    # ------------------------------------------------------------------------------------------ statements

    def statements(self) -> tuple[tuple[t.Statement, ...], tuple[t.Display, ...]]:
        found: list[t.Statement] = []
        displays: list[t.Display] = []
        anchors: dict[str, int] = {}
        for formula, layout, sentences in self.content:
            here = list(self.unchecked(formula, layout)) if layout.reason is not None else []
            for sentence in sentences:
                here += self.checked(sentence)
            found += here
            if formula.display is not None:
                own = list(dict.fromkeys(statement.anchor for statement in here if statement.anchor))
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

    def checked(self, sentence: Sentence) -> Iterable[t.Statement]:
        """The relations of a sentence, one by one."""
        chain, display = sentence.chain, sentence.formula.display
        anchor = sentence.layout.tag if display is not None else None
        for number, (op, start, _) in enumerate(chain.ops):
            line = self.source.line(sentence.snippet.start + start)
            latex = sentence.layout.latex(chain, number)
            if op != ":=":
                claim = self.claims.read(sentence, number)
                kind = "claim" if op == "=" else "mistake"
                sides = claim.left, claim.right, claim.free, claim.cases
                if claim.induction is not None:
                    latex += rf" \qquad \text{{by induction on }} {name_to_text(claim.induction.name)}"
                yield t.Statement(kind, line, latex, display, anchor, None, *sides, induction=claim.induction)
                continue
            definition = self.definitions.of(sentence)
            condition = chain.conditions[number]
            if condition is not None and definition.time is None:
                raise sentence.snippet.error("a definition by cases is written with \\begin{cases}", *condition)
            self.claims.for_all(sentence)
            base = sentence in self.definitions.base_sentences()  # the name is the anchor of the step
            own = anchor or (definition.name if display is not None and not base else None)
            yield t.Statement("definition", line, latex, display, own, definition)
