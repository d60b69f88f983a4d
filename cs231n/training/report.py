"""Tells what came out of a training run: a table in Markdown, all numbers as JSON, and the curves as SVG."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from cs231n.training.checkpoint import write_atomically
from cs231n.training.digits import Digits, Run, Settings

__all__ = ["HEADER", "curves", "markdown", "rows", "write_report"]

HEADER = ("seed", "epoch", "train %", "val %", "test %", "seconds")


def rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The table: one row for each seed, and a last one with the means."""
    found: list[tuple[str, ...]] = [
        (
            str(run.seed),
            str(run.best_epoch),
            f"{100 * run.best_train:.2f}",
            f"{100 * run.best_val:.2f}",
            f"{100 * _test(run):.2f}",
            f"{run.seconds:.2f}",
        )
        for run in runs
    ]
    found.append(
        (
            "mean",
            "",
            f"{100 * mean(run.best_train for run in runs):.2f}",
            f"{100 * mean(run.best_val for run in runs):.2f}",
            f"{100 * mean(_test(run) for run in runs):.2f}",
            f"{mean(run.seconds for run in runs):.2f}",
        )
    )
    return found


def markdown(runs: Sequence[Run]) -> str:
    """The table as a page shows it."""
    lines = [HEADER, ("---:",) * len(HEADER), *rows(runs)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def write_report(folder: Path, digits: Digits, settings: Settings, runs: Sequence[Run]) -> list[Path]:
    """Write ``table.md``, ``results.json``, ``split.json`` and ``curves.svg``; the paths written."""
    results = {
        "settings": dataclasses.asdict(settings) | {"learning_rate": settings.rate},
        "examples": {name: len(part) for name, part in digits.split.items()},
        "mean_test_accuracy": mean(_test(run) for run in runs),
        "runs": [dataclasses.asdict(run) for run in runs],
    }
    files = {
        "table.md": markdown(runs),
        "results.json": json.dumps(results, indent=1) + "\n",
        "split.json": json.dumps(digits.split) + "\n",
        "curves.svg": curves(runs),
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


# ---------------------------------------------------------------------------------------------- the picture

#: Stands for the colour of the text around the picture, which Matplotlib has no word for.
_INK = "#010203"
_TRAIN, _VAL = "#c77700", "#2f7fd6"
_STYLE = """
  svg:root { color: #22252a; font-family: system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif; }
  @media (prefers-color-scheme: dark) { svg:root { color: #dcdad4; } }
"""


def curves(runs: Sequence[Run]) -> str:
    """Loss and accuracy after each epoch: the mean over the seeds as a line, from least to largest as a band.

    Letters and axes are dark on a light page and light on a dark one.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

    style: Any = {
        "svg.fonttype": "none",
        "font.sans-serif": ["DejaVu Sans"],  # comes with Matplotlib; only to measure
        "svg.hashsalt": "cs231n",  # the same file from the same numbers
        "text.color": _INK,
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(5, 4.6), layout="constrained")  # so narrow that a phone shows it in full size
        loss, accuracy = figure.subplots(2, 1, sharex=True)
        _band(loss, [run.loss for run in runs], _TRAIN, first=1)
        loss.set(ylabel="loss in training", yscale="log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_major_formatter("{x:g}")
        loss.yaxis.set_minor_locator(NullLocator())
        _band(accuracy, [run.train_acc for run in runs], _TRAIN, "training")
        _band(accuracy, [run.val_acc for run in runs], _VAL, "validation")
        accuracy.set(xlabel="epoch", ylabel="accuracy", ylim=(0.8, 1.005))
        accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        accuracy.legend(frameon=False, loc="lower right")
        for axes in (loss, accuracy):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.patch.set_visible(False)
        figure.patch.set_visible(False)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return _for_a_page(drawn.getvalue())


def _band(axes, histories: Sequence[Sequence[float]], color: str, label: str = "", first: int = 0) -> None:  # type: ignore[no-untyped-def]
    epochs = range(first, first + len(histories[0]))
    columns = list(zip(*histories, strict=True))
    axes.fill_between(epochs, [min(c) for c in columns], [max(c) for c in columns], color=color, alpha=0.25, lw=0)
    axes.plot(epochs, [mean(c) for c in columns], color=color, lw=1.5, label=label)


def _for_a_page(svg: str) -> str:
    """Matplotlib's SVG without what a page does not need, with the colours and letters of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"; font-family: [^;\"]*|<!--.*?-->\s*", "", svg)  # that of the style below
    svg = re.sub(r"(\.\d)\d+", r"\1", svg)  # tenths of a point
    svg = re.sub(r" ?\n(?=[LMz] )|\n(?=z)", " ", svg)
    svg = svg.replace(_INK, "currentColor")
    return re.sub(r"(<svg[^>]*>)", lambda head: f"{head[1]}\n<style>{_STYLE}</style>", svg, count=1)


def _test(run: Run) -> float:
    assert run.test_acc is not None, "the test part is looked at when all training is done"
    return run.test_acc
