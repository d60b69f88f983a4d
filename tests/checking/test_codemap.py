"""Calls that the pages of the spine do not make."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from cs231n.checking.codemap import CodeMap
from cs231n.pages import parse_page

PAGE = """---
sizes: {{N: rows}}
indices: {{n: N}}
tensors: {{x: [N]}}
scalars: {{a: positive}}
output: out
code:
  - call: {call}
    arguments: {{{arguments}}}
    returns: [out, {{x: dx}}]
---

$$ \\mathrm{{out}} := a\\sum_n x_n $$
"""


class Scaled:
    """Has more in ``__init__`` than its method needs."""

    def __init__(self, database: str) -> None:
        raise RuntimeError("a page does not make the object")

    def loss(self, x: float) -> tuple[float, dict[str, float]]:
        return self.params["a"] * x, {"x": self.params["a"]}  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _readers_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("readers")
    module.Scaled = Scaled  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "readers", module)


def run(arguments: str, call: str = "readers.Scaled.loss") -> dict[str, object]:
    return CodeMap(parse_page(PAGE.format(call=call, arguments=arguments))).run({"x": 3.0, "a": 2.0}).named


def test_a_method_gets_an_object_with_the_attributes_that_the_page_states() -> None:
    assert run("self: {params: {a: a}}, x: x") == {"out": 6.0, "dx": 2.0}


def test_a_method_without_them_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected the argument self, a dictionary of attributes, got None"):
        run("x: x")


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"call 1 .*Scaled.gain.*no attribute 'gain'"):
        run("self: {params: {a: a}}, x: x", "readers.Scaled.gain")
    with pytest.raises(ValueError, match="No module named 'nowhere'"):
        run("x: x", "nowhere.function")
