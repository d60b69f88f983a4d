"""Pictures for a page: SVG whose letters and axes are dark on a light page and light on a dark one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from statistics import mean
from typing import Any

__all__ = ["COLOURS", "INK", "band", "picture"]

#: Stands for the colour of the text around the picture, which Matplotlib has no word for.
INK = "#010203"
#: Told apart on light and dark pages, and by eyes that do not tell red from green.
COLOURS = ("#c77700", "#2f7fd6", "#2a9d76", "#c24f9a", "#8a8f98")

_STYLE = """
  svg:root { color: #22252a; font-family: system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg:root { color: #dcdad4; } }
"""


def picture(draw: Callable[[Sequence[Any]], None], rows: int = 2, *, height: float = 4.6, sharex: bool = False) -> str:
    """One SVG with so many plots below each other; ``draw`` gets their axes and fills them.

    It is so narrow that a phone shows it in full size.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "font.sans-serif": ["DejaVu Sans"],  # comes with Matplotlib; only to measure
        "svg.hashsalt": "cs231n",  # the same file from the same numbers
        "text.color": INK,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(5, height), layout="constrained")
        axes = list(figure.subplots(rows, 1, sharex=sharex, squeeze=False)[:, 0])
        draw(axes)
        for plot in axes:
            plot.patch.set_visible(False)
        figure.patch.set_visible(False)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return _for_a_page(drawn.getvalue())


def band(axes: Any, x: Sequence[float], series: Sequence[Sequence[float]], color: str, label: str = "") -> None:
    """The mean of the series as a line, and from the least to the largest as a band."""
    columns = list(zip(*series, strict=True))
    axes.fill_between(x, [min(c) for c in columns], [max(c) for c in columns], color=color, alpha=0.25, lw=0)
    axes.plot(x, [mean(c) for c in columns], color=color, lw=1.5, label=label)


def _for_a_page(svg: str) -> str:
    """Matplotlib's SVG without what a page does not need, with the colours and letters of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"; font-family: [^;\"]*|<!--.*?-->\s*", "", svg)  # that of the style below
    svg = re.sub(r">[^<]+</text>|(\.\d)\d+", lambda found: found[1] or found[0], svg)  # tenths of a point
    svg = re.sub(r" ?\n(?=[LMz] )|\n(?=z)", " ", svg)
    svg = svg.replace(INK, "currentColor")
    return re.sub(r"(<svg[^>]*>)", lambda head: f"{head[1]}\n<style>{_STYLE}</style>", svg, count=1)
