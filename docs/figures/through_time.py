"""Draw how a gradient shrinks or grows on its way back through time: docs/assets/figures/through_time.svg.

Run from the root of the repository: ``python docs/figures/through_time.py``. A random gradient enters at the last of
100 steps; what is drawn is the length of the gradient with respect to the state, k steps earlier, as a multiple of
it. The networks are fresh: random weights, random inputs, no training. Each line is the mean of five seeds on the
logarithmic scale.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cs231n.layers.lstm import lstm_step_backward, lstm_step_forward
from cs231n.layers.rnn import rnn_step_backward, rnn_step_forward

OUTPUT = Path(__file__).resolve().parent.parent / "assets" / "figures" / "through_time.svg"
STEPS, N, D, H, SEEDS = 100, 8, 8, 64, 5
LOW, HIGH = -20, 8  # powers of ten

WIDTH, HEIGHT = 480, 350
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 52

#: name, stroke, where its label stands (steps, power of ten), how the label is aligned
LABELS = {
    "plain, Wh × 2": ("2", "", 46, 4.4, "end"),
    "plain, Wh × 1": ("2", "", 68, -2.6, "start"),
    "plain, Wh × ½": ("2", "", 46, -17.6, "end"),
    "LSTM, forget bias 4": ("2", "7 3", 98, 1.0, "end"),
    "LSTM, forget bias 1": ("2", "7 3", 98, -10.0, "end"),
    "LSTM, forget bias 0": ("2", "7 3", 98, -12.4, "end"),
}

STYLE = """
  svg { color: #22252a; font: 13px system-ui, -apple-system, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg { color: #dcdad4; } }
  text { fill: currentColor; }
  path { fill: none; stroke: currentColor; stroke-linejoin: round; }
"""


def rotation(rng: np.random.Generator) -> np.ndarray:
    """A random orthogonal matrix: it changes the length of no row."""
    q, r = np.linalg.qr(rng.normal(size=(H, H)))
    return q * np.sign(np.diag(r))


def plain(gain: float, seed: int) -> np.ndarray:
    """The length of the gradient k steps before the last, for a plain network with the weights gain · rotation."""
    rng = np.random.default_rng(seed)
    Wx, Wh, b, h = 0.1 * rng.normal(size=(D, H)), gain * rotation(rng), np.zeros(H), np.zeros((N, H))
    caches = []
    for _ in range(STEPS):
        h, cache = rnn_step_forward(rng.normal(size=(N, D)), h, Wx, Wh, b)
        caches.append(cache)
    dh = rng.normal(size=(N, H))
    lengths = [np.linalg.norm(dh)]
    for cache in reversed(caches):
        dh = rnn_step_backward(dh, cache)[1]
        lengths.append(np.linalg.norm(dh))
    return np.array(lengths) / lengths[0]


def lstm(forget_bias: float, seed: int) -> np.ndarray:
    """The same for an LSTM."""
    rng = np.random.default_rng(seed)
    Wx, Wh = rng.normal(size=(D, 4 * H)) / D**0.5, rng.normal(size=(H, 4 * H)) / H**0.5
    b = np.repeat([0.0, forget_bias, 0.0, 0.0], H)
    h, c, caches = np.zeros((N, H)), np.zeros((N, H)), []
    for _ in range(STEPS):
        h, c, cache = lstm_step_forward(rng.normal(size=(N, D)), h, c, Wx, Wh, b)
        caches.append(cache)
    dh, dc = rng.normal(size=(N, H)), np.zeros((N, H))
    lengths = [np.linalg.norm(dh)]
    for cache in reversed(caches):
        _, dh, dc, *_ = lstm_step_backward(dh, dc, cache)
        lengths.append(np.linalg.norm(dh))
    return np.array(lengths) / lengths[0]


def curve(name: str) -> np.ndarray:
    """The powers of ten, for 0, 1, … steps back."""
    kind, number = (plain, name.split()[-1]) if name.startswith("plain") else (lstm, name.split()[-1])
    value = 0.5 if number == "½" else float(number)
    return np.mean([np.log10(kind(value, seed)) for seed in range(SEEDS)], axis=0)


def exponent(power: int) -> str:
    """The power of ten as text, with the exponent in Unicode."""
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    return "1" if power == 0 else "10" + str(power).translate(digits)


def draw() -> str:
    """The whole picture as SVG."""

    def across(steps: float) -> float:
        return LEFT + steps / STEPS * (WIDTH - RIGHT - LEFT)

    def up(power: float) -> float:
        return HEIGHT - BOTTOM + (power - LOW) / (HIGH - LOW) * (TOP - HEIGHT + BOTTOM)

    parts = []
    for power in range(LOW, HIGH + 1, 4):
        y = up(power)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" opacity=".15"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{exponent(power)}</text>')
    for steps in range(0, STEPS + 1, 20):
        x = across(steps)
        parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" opacity=".15"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{steps}</text>')
    for name, (width, dash, at, power, anchor) in LABELS.items():
        shown = [(k, p) for k, p in enumerate(curve(name)) if LOW <= p <= HIGH and k % 2 == 0]
        points = "L".join(f"{across(k):.1f} {up(p):.1f}" for k, p in shown)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{points}" stroke-width="{width}"{dashes}/>')
        parts.append(f'<text x="{across(at):.1f}" y="{up(power):.1f}" text-anchor="{anchor}">{name}</text>')
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<text x="{middle_x:.0f}" y="{HEIGHT - 12}" text-anchor="middle">steps back</text>')
    parts.append(
        f'<text transform="translate(13 {middle_y:.0f}) rotate(-90)" text-anchor="middle">length of the gradient</text>'
    )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">\n<title>Length of a gradient on its way back through time</title>\n<style>{STYLE}</style>\n'
        f"{body}\n</svg>\n"
    )


if __name__ == "__main__":
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(draw(), encoding="utf-8")
