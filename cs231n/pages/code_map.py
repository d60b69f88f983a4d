"""The ``code`` key: which functions compute the page, and which symbol of the page goes where."""

from __future__ import annotations

import re
from typing import Any

from cs231n.pages.frontmatter import Item
from cs231n.pages.names import Names

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


def read_code(item: Item, names: Names) -> tuple[dict[str, Any], ...]:
    """Check the calls and return them as plain dictionaries.

    Raises:
        PageError: a key is unknown, a name is neither a symbol of the page nor returned before, and the like.
    """
    returned: set[str] = set()
    return tuple(_call(call, names, returned) for call in item.items("code"))


def _call(call: Item, names: Names, returned: set[str]) -> dict[str, Any]:
    entries = call.mapping("a call")
    for key, entry in entries.items():
        if key not in ("call", "arguments", "returns", "draws"):
            raise entry.key.error("unknown key of a call; the keys are call, arguments, returns, draws")
    if "call" not in entries:
        raise call.error("which function? call: module.function")
    function = entries["call"].item
    if not re.fullmatch(rf"{_NAME}(\.{_NAME})+", function.text("call")):
        raise function.error("call is module.function")
    if "arguments" in entries:
        for entry in entries["arguments"].item.mapping("arguments").values():
            _argument(entry.item, names, returned)
    results = _returns(entries["returns"].item) if "returns" in entries else []
    if "draws" in entries:
        for symbol, entry in entries["draws"].item.mapping("draws").items():
            if symbol not in names.tensors:
                raise entry.key.error("only a declared tensor can be drawn inside the code")
            source = entry.item.text("where it is found")
            if not re.fullmatch(rf"{_NAME}(\.{_NAME}|\[\d+\])*", source):
                raise entry.item.error("where to find it is written cache.field")
            if re.split(r"[.\[]", source)[0] not in results:
                raise entry.item.error("it is found in something that this call returns")
    returned.update(results)
    return call.plain()


def _argument(item: Item, names: Names, returned: set[str]) -> None:
    if isinstance(item.value, dict):
        if set(item.value) == {"value"}:
            return
        if "value" in item.value:
            raise item.error("a constant is {value: …} and nothing else")
        for entry in item.value.values():
            _argument(entry.item, names, returned)
        return
    if not isinstance(item.value, str):
        raise item.error("a constant is written {value: …}")
    known = names.declared(item.value) not in (None, "index") or item.value in names.defined
    if not known and item.value not in returned:
        raise item.error(
            "this is neither a symbol of the page nor returned by an earlier call; a constant is {value: …}"
        )


def _returns(item: Item) -> list[str]:
    """The names that a call gives to what it returns."""
    if isinstance(item.value, list):
        return [name for part in item.value for name in _returns(part)]
    if isinstance(item.value, dict):
        return [name for entry in item.value.values() for name in _returns(entry.item)]
    if not isinstance(item.value, str) or not re.fullmatch(_NAME, item.value):
        raise item.error("what is returned goes to a name, to _ or to a mapping of names")
    return [] if item.value == "_" else [item.value]
