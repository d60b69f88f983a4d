"""Tells what came out of ``cs231n train captions``: a table in Markdown, all numbers as JSON, and pictures as SVG."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cs231n.training.captions import LENGTH, Captions, Result, Scene, Settings, Thing, decode, sentences
from cs231n.training.checkpoint import write_atomically

__all__ = ["HEADER", "markdown", "picture", "rows", "write_report"]

HEADER = ("part", "pictures", "true %", "words %")


def rows(captions: Captions, result: Result) -> list[tuple[str, ...]]:
    """The table: one row for each part."""
    return [
        (part, str(len(captions.scenes[part])), f"{100 * found.true:.1f}", f"{100 * found.words:.1f}")
        for part, found in result.scores.items()
    ]


def markdown(captions: Captions, result: Result) -> str:
    """The table as a page shows it."""
    lines = [HEADER, (":---", "---:", "---:", "---:"), *rows(captions, result)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_report(folder: Path, captions: Captions, settings: Settings, result: Result) -> list[Path]:
    """Write ``table.md``, ``results.json``, ``scenes.svg`` and ``model.npz``; the paths written."""
    if settings.captions is not None:
        captions = captions.first(settings.captions)
    numbers = {
        "settings": dataclasses.asdict(settings),
        "pictures": {part: len(scenes) for part, scenes in captions.scenes.items()},
        "captions": {part: len(captions.data[f"{part}_captions"]) for part in captions.scenes},
        "scores": {part: dataclasses.asdict(found) for part, found in result.scores.items()},
        "loss": result.loss,
        "val_loss": result.val_loss,
        "best_epoch": result.best_epoch,
        "seconds": result.seconds,
    }
    written = result.model.sample(captions.features("test"), LENGTH - 1)
    texts = {
        "table.md": markdown(captions, result),
        "results.json": json.dumps(numbers, indent=1) + "\n",
        "scenes.svg": picture(captions.scenes["test"], written),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
    result.model.save(folder / "model.npz")
    return [folder / name for name in (*texts, "model.npz")]


# ---------------------------------------------------------------------------------------------- the picture

#: Seen on light and dark pages.
_PAINT = {
    "red": "#d7352b",
    "green": "#2a9d4e",
    "blue": "#2f7fd6",
    "yellow": "#e3b505",
    "purple": "#8e4ec6",
    "brown": "#96602f",
}
_STYLE = """
  svg:root { color: #22252a; font: 11px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg:root { color: #dcdad4; } }
"""
#: Width and height of a picture, of the cell that holds it with its caption, and the radius of a shape.
_WIDE, _HIGH, _CELL, _RADIUS = 168, 112, (180, 152), 10


def picture(scenes: Sequence[Scene], captions: np.ndarray, first: int = 6, wrong: int = 2) -> str:
    """The first pictures with what was written about them, and then the first of which something false was written.

    It is so narrow that a phone shows it in full size.
    """
    texts = [decode(caption) for caption in captions]
    true = [text in sentences(scene) for text, scene in zip(texts, scenes, strict=True)]
    shown = list(range(min(first, len(scenes))))
    shown += [n for n in range(len(shown), len(scenes)) if not true[n]][:wrong]
    height = -(-len(shown) // 2) * _CELL[1]
    cells = [
        f'<g transform="translate({6 + place % 2 * _CELL[0]} {4 + place // 2 * _CELL[1]})">\n'
        f'<rect width="{_WIDE}" height="{_HIGH}" rx="4" fill="none" stroke="currentColor" stroke-opacity="0.35"/>\n'
        + "".join(map(_drawn, scenes[n]))
        + "".join(
            f'<text x="0" y="{_HIGH + 15 + 14 * row}" fill="currentColor">{line}</text>\n'
            for row, line in enumerate(_two_lines(("✓ " if true[n] else "✗ ") + texts[n]))
        )
        + "</g>\n"
        for place, n in enumerate(shown)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * _CELL[0]}" height="{height}"'
    return f'{head} viewBox="0 0 {2 * _CELL[0]} {height}">\n<style>{_STYLE}</style>\n{"".join(cells)}</svg>\n'


def _drawn(thing: Thing) -> str:
    x, y, r = thing.x * _WIDE, thing.y * _HIGH, _RADIUS
    paint = f'fill="{_PAINT[thing.colour]}"/>\n'
    if thing.shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" {paint}'
    if thing.shape == "square":
        return f'<rect x="{x - 0.9 * r:.1f}" y="{y - 0.9 * r:.1f}" width="{1.8 * r:g}" height="{1.8 * r:g}" {paint}'
    corners = ((0, -1.15), (1.1, 0.85), (-1.1, 0.85))
    return f'<polygon points="{" ".join(f"{x + a * r:.1f},{y + b * r:.1f}" for a, b in corners)}" {paint}'


def _two_lines(text: str) -> tuple[str, ...]:
    """A long caption goes on below, at the relation where there is one."""
    for relation in (" left of ", " right of ", " above ", " below "):
        if relation in text:
            one, other = text.split(relation, 1)
            return one, f"{relation.strip()} {other}"
    return (text,)
