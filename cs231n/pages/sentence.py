"""A chain of relations between reading it and understanding it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cs231n.pages import surface as s
from cs231n.pages.document import Formula
from cs231n.pages.errors import PageError, Snippet
from cs231n.pages.layout import Layout, RawChain
from cs231n.pages.matrix import Value


@dataclass
class Sentence:
    """A chain of relations on the page, with its sides read but not yet understood."""

    formula: Formula
    layout: Layout
    chain: RawChain
    sides: list[s.List]
    values: dict[int, Value] = field(default_factory=dict)

    @property
    def snippet(self) -> Snippet:
        return self.formula.snippet

    def words(self) -> set[str]:
        """All names in it, among them the index letters that matrix notation must not use again."""
        return {part.name for side in self.sides for part in side.parts() if isinstance(part, s.Word)}

    def exponential(self, number: int, name: str) -> str:
        """A hint, if the index is called e and a power of it was probably meant as the exponential function."""
        powers = (p for p in self.sides[number].parts() if isinstance(p, s.Scripted) and p.sup is not None)
        if name == "e" and any(isinstance(p.base, s.Word) and p.base.name == "e" for p in powers):
            return r" (e is an index here: write the exponential as \exp(…))"
        return ""

    def at_index(self, number: int, name: str, message: str) -> PageError:
        """An error at the place where the side names that index."""
        side = self.sides[number]
        words = [part for part in side.parts() if isinstance(part, s.Word) and part.name == name]
        if words:
            first = min(words, key=lambda word: word.start)
            return self.snippet.error(message, first.start, first.end)
        return self.snippet.error(message, side.start, side.end)
