"""YAML → plain values that know where they stand. The only module that imports yaml."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from cs231n.pages.errors import PageError, Snippet


@dataclass(frozen=True)
class Item:
    """A value of the front matter: a scalar, a list of items or a dictionary of entries, and its place in the file."""

    value: Any
    start: int
    end: int
    front: Snippet

    def error(self, message: str) -> PageError:
        piece = self.front.source.text[self.start : self.end].split("\n")[0]
        return self.front.source.error(self.start, message, piece)

    def text(self, what: str) -> str:
        """The value, if it is text or a number."""
        if isinstance(self.value, (dict, list)) or self.value is None or isinstance(self.value, bool):
            raise self.error(f"{what} must be text")
        return str(self.value)

    def mapping(self, what: str) -> dict[str, Entry]:
        if not isinstance(self.value, dict):
            raise self.error(f"{what} must be a mapping (key: value)")
        return self.value

    def items(self, what: str) -> list[Item]:
        if not isinstance(self.value, list):
            raise self.error(f"{what} must be a list [a, b]")
        return self.value

    def snippet(self) -> Snippet:
        """The text as a formula. In a quoted or folded text the place of its beginning is exact."""
        quoted = self.front.source.text[self.start : self.start + 1] in ("'", '"')
        return Snippet(self.front.source, self.start + quoted, str(self.value))

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: entry.item.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


@dataclass(frozen=True)
class Entry:
    """A key and its value."""

    key: Item
    item: Item


def load(front: Snippet) -> Item:
    """Read the front matter.

    Raises:
        PageError: it is not YAML, a key is not text, or stands twice.
    """
    loader = yaml.SafeLoader(front.tex)
    try:
        node = loader.get_single_node()
        if node is None:
            return Item({}, front.start, front.start, front)
        top = _item(loader, node, front)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        index = min(mark.index if mark else 0, max(len(front.tex) - 1, 0))
        line = front.tex[front.tex.rfind("\n", 0, index) + 1 :].split("\n")[0]
        hint = "; text with braces, commas or colons stands in single quotes" if set(line) & set("{\\") else ""
        message = f"this is not YAML: {wrong.problem or wrong.context}{hint}"
        raise front.source.error(front.start + index, message, line.strip()) from None
    except yaml.YAMLError as wrong:
        raise front.source.error(front.start, f"this is not YAML: {wrong}") from None
    finally:
        loader.dispose()
    top.mapping("the front matter")
    return top


def _item(loader: yaml.SafeLoader, node: yaml.Node, front: Snippet) -> Item:
    start, end = front.start + node.start_mark.index, front.start + node.end_mark.index
    if isinstance(node, yaml.SequenceNode):
        return Item([_item(loader, child, front) for child in node.value], start, end, front)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key = _item(loader, key_node, front)
            name = key.value if isinstance(key.value, str) else key_node.value
            if not isinstance(name, str):
                raise key.error("a key must be text")
            if name in entries:
                raise key.error(f"the key {name} stands twice")
            entries[name] = Entry(key, _item(loader, value_node, front))
        return Item(entries, start, end, front)
    return Item(loader.construct_object(node, deep=True), start, end, front)
