"""Tells what came out of a training run: a table in Markdown, all numbers as JSON, and the curves as SVG."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from cs231n.training.checkpoint import write_atomically
from cs231n.training.picture import COLOURS, band, picture
from cs231n.training.runs import Data, Run, Settings

__all__ = ["HEADER", "as_markdown", "curves", "rows", "write_report"]

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


def as_markdown(cells: Sequence[Sequence[str]]) -> str:
    """A table as a page shows it; the first row is the header."""
    lines = [cells[0], ("---:",) * len(cells[0]), *cells[1:]]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def write_report(folder: Path, data: Data, settings: Settings, runs: Sequence[Run]) -> list[Path]:
    """Write ``table.md``, ``results.json``, ``curves.svg``, and ``split.json`` if we split; the paths written."""
    results = {
        "data": data.name,
        "settings": dataclasses.asdict(settings),
        "examples": data.sizes,
        "mean_test_accuracy": mean(_test(run) for run in runs),
        "runs": [dataclasses.asdict(run) for run in runs],
    }
    files = {
        "table.md": as_markdown([HEADER, *rows(runs)]),
        "results.json": json.dumps(results, indent=1) + "\n",
        "curves.svg": curves(runs),
    }
    if data.split is not None:
        files["split.json"] = json.dumps(data.split) + "\n"
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


# ---------------------------------------------------------------------------------------------- the picture


def curves(runs: Sequence[Run]) -> str:
    """Loss and accuracy after each epoch: the mean over the seeds as a line, from least to largest as a band."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

    def draw(axes: Sequence[Any]) -> None:
        loss, accuracy = axes
        epochs = range(len(runs[0].val_acc))
        band(loss, epochs[1:], [run.loss for run in runs], COLOURS[0])
        loss.set(ylabel="loss in training", yscale="log")
        loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        loss.yaxis.set_major_formatter("{x:g}")
        loss.yaxis.set_minor_locator(NullLocator())
        band(accuracy, epochs, [run.train_acc for run in runs], COLOURS[0], "training")
        band(accuracy, epochs, [run.val_acc for run in runs], COLOURS[1], "validation")
        later = [accuracy for run in runs for accuracy in run.val_acc[2:]] or [0.0]
        top = max(max(run.train_acc) for run in runs)
        accuracy.set(xlabel="epoch", ylabel="accuracy", ylim=(math.floor(10 * min(later)) / 10, top + 0.005))
        accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
        accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        accuracy.legend(loc="lower right")

    return picture(draw, sharex=True)


def _test(run: Run) -> float:
    assert run.test_acc is not None, "the test part is looked at when all training is done"
    return run.test_acc
