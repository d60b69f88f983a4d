"""Measure the memory of attention and draw it against the length: docs/assets/figures/attention_memory.svg.

Run from the root of the repository: ``python docs/figures/attention_memory.py``. One head of 64 features in float32;
the memory is what NumPy asks for, as counted by `tracemalloc`, at its highest during forward and backward, without the
three inputs and the incoming gradient.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cs231n.layers.attention import (
    attention_backward,
    attention_backward_blocked,
    attention_forward,
    attention_forward_blocked,
)

OUTPUT = Path(__file__).resolve().parent.parent / "assets" / "figures" / "attention_memory.svg"
LENGTHS = (256, 512, 1024, 2048, 4096)
FEATURES = 64
MIB = 2.0**20

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 52

#: forward, backward, stroke, where the label stands (length, MiB), how it is aligned
WAYS: dict[str, tuple[Callable[..., Any], Callable[..., Any], str, float, float, str]] = {
    "all weights kept": (attention_forward, attention_backward, "", 1180, 30, "end"),
    "keys in blocks of 64": (attention_forward_blocked, attention_backward_blocked, "7 3", 4096, 2.0, "end"),
}

STYLE = """
  svg { color: #22252a; font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #dcdad4; } }
  text { fill: currentColor; }
  path { fill: none; stroke: currentColor; stroke-linejoin: round; }
"""


def peak(way: str, length: int) -> float:
    """The highest memory of one forward and backward, in MiB."""
    forward, backward, *_ = WAYS[way]
    rng = np.random.default_rng(0)
    q, k, v, dout = (rng.standard_normal((length, FEATURES), dtype=np.float32) for _ in range(4))
    tracemalloc.start()
    try:
        _, cache = forward(q, k, v)
        backward(dout, cache)
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From a number to its place on a logarithmic axis."""
    a, b = math.log10(low), math.log10(high)
    return lambda value: start + (math.log10(value) - a) / (b - a) * (end - start)


def draw(measured: dict[str, list[float]]) -> str:
    """The whole picture as SVG."""
    across, up = scale(220, 4700, LEFT, WIDTH - RIGHT), scale(0.4, 400, HEIGHT - BOTTOM, TOP)
    parts = []
    for number in (1, 10, 100):
        y = up(number)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" opacity=".15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number} MiB</text>')
    for length in LENGTHS:
        x = across(length)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" opacity=".15"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{length}</text>')
    for way, numbers in measured.items():
        _, _, dash, at, memory, anchor = WAYS[way]
        points = "L".join(f"{across(n):.1f} {up(m):.1f}" for n, m in zip(LENGTHS, numbers, strict=True))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{points}" stroke-width="2"{dashes}/>')
        parts.append(f'<text x="{across(at):.1f}" y="{up(memory):.1f}" text-anchor="{anchor}">{way}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 12}" text-anchor="middle">length of the sequence</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">\n<title>Memory of attention against the length of the sequence</title>\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


if __name__ == "__main__":
    measured = {way: [peak(way, length) for length in LENGTHS] for way in WAYS}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(draw(measured), encoding="utf-8")
