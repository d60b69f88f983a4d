"""The picture of the page on gradient checking shows what the page says, and is the one that its script draws."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figure", ROOT / "docs" / "figures" / "gradient_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kind", "step", "error"),
    [("forward", 1e-8, 1e-8), ("central", 5e-6, 1e-11), ("complex", 1e-14, 1e-16), ("central, float32", 5e-3, 1e-5)],
)
def test_the_best_step_is_where_the_page_says(script, kind, step, error):
    """Within two powers of ten: rounding errors come as they like."""
    best = min(e for _, e in script.curve(kind, script.exact_slope()))
    near = min(e for h, e in script.curve(kind, script.exact_slope()) if step / 30 < h < step * 30)
    assert error / 100 < best < error * 100
    assert near < error * 100


def test_a_smaller_step_is_worse_unless_it_is_complex(script):
    exact = script.exact_slope()
    for kind in ("forward", "central", "central, float32"):
        assert abs(script.slopes(kind, 1e-14) / exact - 1) > 1e-5
    assert abs(script.slopes("complex", 1e-14) / exact - 1) < 1e-14


def test_the_committed_picture_is_the_drawn_one(script):
    """The axes, the labels and where a line starts; the noise of rounding may differ from one machine to another."""
    committed, drawn = (ElementTree.fromstring(text) for text in (script.OUTPUT.read_text("utf-8"), script.draw()))
    assert [t.text for t in committed.iter(f"{SVG}text")] == [t.text for t in drawn.iter(f"{SVG}text")]
    for one, other in zip(committed.iter(f"{SVG}path"), drawn.iter(f"{SVG}path"), strict=True):
        assert one.keys() == other.keys()
        assert len(re.findall("L", one.get("d", ""))) == len(re.findall("L", other.get("d", "")))


def test_the_picture_follows_dark_mode(script):
    text = script.draw()
    assert "prefers-color-scheme: dark" in text
    assert set(re.findall(r'(?:stroke|fill)="([^"]+)"', text)) <= {"currentColor", "none"}
