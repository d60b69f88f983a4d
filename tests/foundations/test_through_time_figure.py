"""The picture of the page on backpropagation through time shows what the page says, and is the one its script draws."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figure", ROOT / "docs" / "figures" / "through_time.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("plain, Wh × ½", -40, -30),
        ("plain, Wh × 1", -8, -6),
        ("plain, Wh × 2", 5, 8),
        ("LSTM, forget bias 0", -20, -17),
        ("LSTM, forget bias 1", -10, -7),
        ("LSTM, forget bias 4", -1.5, 0.5),
    ],
)
def test_the_gradient_after_100_steps_is_what_the_page_says(script, name, low, high):
    assert low < script.curve(name)[-1] < high


def test_an_open_cell_keeps_the_gradient_of_all_steps(script):
    """Between a twentieth and one, up to rounding in the words."""
    powers = script.curve("LSTM, forget bias 4")
    assert powers.min() > -1.4 and powers.max() < 0.3


def test_without_slopes_a_rotation_would_keep_the_length(script):
    q = script.rotation(np.random.default_rng(0))
    np.testing.assert_allclose(q @ q.T, np.eye(script.H), atol=1e-12)


def test_the_committed_picture_is_the_drawn_one(script):
    committed, drawn = (ElementTree.fromstring(text) for text in (script.OUTPUT.read_text("utf-8"), script.draw()))
    assert [t.text for t in committed.iter(f"{SVG}text")] == [t.text for t in drawn.iter(f"{SVG}text")]
    for one, other in zip(committed.iter(f"{SVG}path"), drawn.iter(f"{SVG}path"), strict=True):
        assert one.keys() == other.keys()
        assert len(re.findall("L", one.get("d", ""))) == len(re.findall("L", other.get("d", "")))


def test_the_picture_follows_dark_mode(script):
    text = script.draw()
    assert "prefers-color-scheme: dark" in text
    assert set(re.findall(r'(?:stroke|fill)="([^"]+)"', text)) <= {"currentColor", "none"}
