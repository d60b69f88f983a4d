"""Draw the error of a numeric derivative against its step: docs/assets/figures/gradient_check.svg.

Run from the root of the repository: ``python docs/figures/gradient_check.py``. The function is the example of Squire
and Trapp (1998), e^x / (sin³x + cos³x) at 1.5. Its exact slope comes from mpmath with 50 digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

OUTPUT = Path(__file__).resolve().parent.parent / "assets" / "figures" / "gradient_check.svg"
X = 1.5
STEPS = 10.0 ** np.arange(-16, 0.01, 0.25)
FLOOR = 1e-16  # an error of exactly 0 has no place on this scale

WIDTH, HEIGHT = 480, 350
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 52

#: name, stroke, where its label stands (step, error), how the label is aligned
LABELS = {
    "forward": ("2", "", 2e-6, 4e-7, "start"),
    "central": ("2", "7 3", 2.2e-4, 2e-9, "start"),
    "complex": ("2", "2 3", 1e-12, 1.2e-15, "middle"),
    "central, float32": ("1", "", 3e-8, 2e1, "start"),
}

STYLE = """
  svg { color: #22252a; font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #dcdad4; } }
  text { fill: currentColor; }
  path { fill: none; stroke: currentColor; stroke-linejoin: round; }
"""


def f(x: Any) -> Any:
    """The function under test; takes real and complex numbers of any precision."""
    return np.exp(x) / (np.sin(x) ** 3 + np.cos(x) ** 3)


def exact_slope() -> float:
    mpmath.mp.dps = 50
    return float(mpmath.diff(lambda x: mpmath.exp(x) / (mpmath.sin(x) ** 3 + mpmath.cos(x) ** 3), X))


def slopes(kind: str, h: float) -> float:
    if kind == "forward":
        return (f(X + h) - f(X)) / h
    if kind == "central":
        return (f(X + h) - f(X - h)) / (2 * h)
    if kind == "complex":
        return f(X + 1j * h).imag / h
    x, step = np.float32(X), np.float32(h)
    above, below = x + step, x - step
    return float((f(above) - f(below)) / (2 * step))


def curve(kind: str, exact: float) -> Iterator[tuple[float, float]]:
    for h in STEPS:
        yield float(h), max(abs(slopes(kind, float(h)) / exact - 1), FLOOR)


def scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """From a number to its place on a logarithmic axis."""
    a, b = math.log10(low), math.log10(high)
    return lambda value: start + (math.log10(value) - a) / (b - a) * (end - start)


def exponent(power: int) -> str:
    """The power of ten as text, with the exponent in Unicode."""
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "1" if power == 0 else "10" + str(power).translate(digits)


def draw() -> str:
    """The whole picture as SVG."""
    across = scale(1e-16, 1, LEFT, WIDTH - RIGHT)
    up = scale(1e-17, 1e2, HEIGHT - BOTTOM, TOP)
    parts = []
    for power in range(-16, 3, 4):
        y = up(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" opacity=".15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{exponent(power)}</text>')
    for power in range(-16, 1, 4):
        x = across(10.0**power)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" opacity=".15"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{exponent(power)}</text>')
    exact = exact_slope()
    for kind, (width, dash, at, error, anchor) in LABELS.items():
        points = "L".join(f"{across(h):.1f} {up(e):.1f}" for h, e in curve(kind, exact))
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{points}" stroke-width="{width}"{dashes}/>')
        parts.append(f'<text x="{across(at):.1f}" y="{up(error):.1f}" text-anchor="{anchor}">{kind}</text>')
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle_x:.0f}" y="{HEIGHT - 12}" text-anchor="middle">step h</text>')
    parts.append(
        f'<text transform="translate(13 {middle_y:.0f}) rotate(-90)" text-anchor="middle">relative error</text>'
    )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">\n<title>Error of a numeric derivative against its step</title>\n<style>{STYLE}</style>\n'
        f"{body}\n</svg>\n"
    )


if __name__ == "__main__":
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(draw(), encoding="utf-8")
