"""What the names of a page stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cs231n.pages import ranges
from cs231n.pages import tree as t


@dataclass
class Names:
    """The declarations of a page and the quantities it defines.

    ``shape_of`` is asked for the shape of a defined quantity, which may first have to be read.
    """

    sizes: dict[str, t.SizeDecl] = field(default_factory=dict)
    indices: dict[str, t.Index] = field(default_factory=dict)
    times: dict[str, t.Tree] = field(default_factory=dict)  # the last step of each index that is a time letter
    tensors: dict[str, t.TensorDecl] = field(default_factory=dict)
    labels: dict[str, t.LabelDecl] = field(default_factory=dict)
    outputs: tuple[t.Output, ...] = ()
    defined: set[str] = field(default_factory=set)
    shape_of: Callable[[str], tuple[t.Tree, ...]] | None = None
    bounds: ranges.Bounds = field(default_factory=lambda: ranges.Bounds({}))
    nowhere: str = ""
    """What a message about an undeclared name adds: that the file has no front matter at all."""

    def known(self, name: str) -> bool:
        """Whether it is a real quantity: a tensor, a scalar, or defined on the page."""
        return name in self.tensors or name in self.defined

    def declared(self, name: str) -> str | None:
        """What the front matter declares the name to be."""
        for kind, table in (("size", self.sizes), ("index", self.indices), ("labels", self.labels)):
            if name in table:
                return kind
        if name in self.tensors:
            return "tensor" if self.tensors[name].shape else "scalar"
        return None

    def shape(self, name: str) -> tuple[t.Tree, ...]:
        if name in self.tensors:
            return self.tensors[name].shape
        if name in self.labels:
            return self.labels[name].shape
        assert self.shape_of is not None
        return self.shape_of(name)

    def random(self, definitions: Mapping[str, t.Definition]) -> set[str]:
        """The random tensors and the defined names that depend on one outside expectations."""
        found = {name for name, tensor in self.tensors.items() if tensor.random is not None}
        while more := {name for name, d in definitions.items() if name not in found and is_random(d.value, found)}:
            found |= more  # not one pass: recurrences may stand on each other
        return found

    def gradient(self, name: str) -> str | None:
        """The v of a name ``dv`` that is no name itself."""
        if name.startswith("d") and not self.known(name) and self.known(name[1:]):
            return name[1:]
        return None

    def index_ranges(self) -> dict[str, ranges.Poly | None]:
        """The last value of each index."""
        return {name: ranges.one_less(index.size) for name, index in self.indices.items()}


def is_random(tree: t.Tree, random: set[str]) -> bool:
    """Does the formula depend on a random name outside expectations? A gradient may depend on any input."""
    match tree:
        case t.Expect():
            return False
        case t.Entry(name):
            return name in random
        case t.Grad() | t.Partial() | t.Total():
            return bool(random)
    return any(is_random(child, random) for child in tree.children())
