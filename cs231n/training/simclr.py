"""Trains SimCLR on the digits without their labels, and asks what a linear classifier reads in the features.

The pictures and their parts are those of ``cs231n train digits``. The probe is softmax regression on features that stay
as they are. It sees a few labels of the training part, or all of them, and is tested on the test part.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from cs231n.fast_layers import adam_fast
from cs231n.generative.simclr import SimCLRNet, random_views
from cs231n.losses import softmax_loss
from cs231n.training import digits
from cs231n.training.checkpoint import write_atomically
from cs231n.training.picture import COLOURS, band, picture
from cs231n.training.report import as_markdown

__all__ = ["FEATURES", "LABELS", "Pictures", "Run", "Settings", "load_pictures", "rows", "train_simclr", "write_report"]

#: How many labels of each class a probe sees; "all" of the training part.
LABELS = ("1", "5", "10", "all")
#: What a probe looks at.
FEATURES = ("pixels", "encoder, untrained", "head, trained", "encoder, trained")


@dataclass(frozen=True)
class Settings:
    """All that decides a run; tau, rate and epochs were found with the validation part."""

    seeds: int = 5
    epochs: int = 200
    batch_size: int = 256
    tau: float = 0.3
    learning_rate: float = 2e-3
    hidden: int = 256
    features: int = 128
    head: int = 32

    def __post_init__(self) -> None:
        for name in ("seeds", "epochs", "hidden", "features", "head"):
            if (value := getattr(self, name)) < 1:
                raise ValueError(f"expected {name} >= 1, got {value}")
        if self.batch_size < 2:
            raise ValueError(f"expected at least 2 pictures in a batch, got {self.batch_size}")
        for name, value in (("temperature tau", self.tau), ("learning rate", self.learning_rate)):
            if not 0 < value < math.inf:
                raise ValueError(f"expected a {name} > 0, got {value}")


@dataclass(frozen=True)
class Pictures:
    """All digits (N, 8, 8), pixels from 0 to 1, their labels, and the rows of each part."""

    X: np.ndarray
    y: np.ndarray
    split: dict[str, np.ndarray]


@dataclass
class Run:
    """One network, from one seed: the loss of each epoch, and the accuracy of each probe on the test part."""

    seed: int
    loss: list[float] = field(default_factory=list)
    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0


def load_pictures() -> Pictures:
    """Scikit-learn's digits, with the split of ``cs231n train digits``."""
    from sklearn import datasets

    data = datasets.load_digits()
    split = digits.stratified_split(data.target, digits.PARTS, digits.SPLIT_SEED)
    X = (data.data / 16).astype(np.float32).reshape(-1, 8, 8)
    return Pictures(X, data.target, {name: np.array(rows) for name, rows in split.items()})


def train_simclr(data: Pictures, settings: Settings, show: Callable[[int, str], None] = lambda *_: None) -> list[Run]:
    """Train one network for each seed, and probe it.

    Args:
        data: the digits; the labels are used by the probes only.
        settings: all that decides the runs.
        show: gets the number of finished epochs over all seeds, and a few words.

    Returns:
        runs: one for each seed.
    """
    return [_run(data, settings, seed, show) for seed in range(settings.seeds)]


def _run(data: Pictures, settings: Settings, seed: int, show: Callable[[int, str], None]) -> Run:
    weights, batches, chosen = np.random.default_rng(seed).spawn(3)
    started = time.perf_counter()
    train = data.split["train"]
    net = SimCLRNet(64, settings.hidden, settings.features, settings.head, dtype=np.float32, rng=weights)
    untrained = net.features(data.X)
    run = Run(seed)
    size = min(settings.batch_size, len(train))
    per_epoch = len(train) // size
    partner = (np.arange(2 * size) + size) % (2 * size)
    memory: dict[str, dict[str, Any]] = {name: {} for name in net.params}
    for epoch in range(settings.epochs):
        order = batches.permutation(train)
        losses = []
        for i in range(per_epoch):
            X = data.X[order[i * size : (i + 1) * size]]
            views = np.concatenate([random_views(X, batches), random_views(X, batches)])
            loss, grads = net.loss(views, partner, settings.tau)
            done = (epoch + i / per_epoch) / settings.epochs
            rate = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            for name, grad in grads.items():
                config = memory[name] | {"learning_rate": rate}
                net.params[name], memory[name] = adam_fast(net.params[name], grad, config)
            losses.append(float(loss))
        run.loss.append(mean(losses))
        show(seed * settings.epochs + epoch + 1, f"seed {seed}, loss {run.loss[-1]:.3f}")
    run.seconds = time.perf_counter() - started

    seen = {labels: _labelled(data, labels, chosen) for labels in LABELS}
    flat = data.X.reshape(len(data.X), -1)
    for name, features in zip(FEATURES, (flat, untrained, net.embeddings(data.X), net.features(data.X)), strict=True):
        run.accuracy[name] = {labels: _probe(features, data, rows) for labels, rows in seen.items()}
    return run


def _labelled(data: Pictures, labels: str, rng: np.random.Generator) -> np.ndarray:
    train = data.split["train"]
    if labels == "all":
        return train
    classes = [rng.permutation(train[data.y[train] == label])[: int(labels)] for label in range(10)]
    return np.concatenate(classes)


def _probe(features: np.ndarray, data: Pictures, rows: np.ndarray, steps: int = 300) -> float:
    """Accuracy on the test part of softmax regression that was trained on these rows."""
    known = features[data.split["train"]]
    F = (features - known.mean(axis=0)) / (known.std() + 1e-6)
    params = {"W": np.zeros((F.shape[1], 10), F.dtype), "b": np.zeros(10, F.dtype)}
    memory: dict[str, dict[str, Any]] = {name: {"learning_rate": 0.02} for name in params}
    X, y = F[rows], data.y[rows]
    for _ in range(steps):
        _, ds = softmax_loss(X @ params["W"] + params["b"], y)
        grads = {"W": X.T @ ds + F.dtype.type(1e-3) * params["W"], "b": ds.sum(axis=0)}
        for name, grad in grads.items():
            params[name], memory[name] = adam_fast(params[name], grad, memory[name])
    test = data.split["test"]
    return float(((F[test] @ params["W"] + params["b"]).argmax(axis=1) == data.y[test]).mean())


# ---------------------------------------------------------------------------------------------------- the report

HEADER = ("probe on", *(f"{labels} label{'s' * (labels != '1')}" for labels in LABELS))


def rows(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """The table: for each kind of features the mean accuracy over the seeds, and from the least to the largest."""
    found = []
    for name in FEATURES:
        cells = []
        for labels in LABELS:
            each = [100 * run.accuracy[name][labels] for run in runs]
            cells.append(f"{mean(each):.1f} ({min(each):.1f}–{max(each):.1f})")
        found.append((name, *cells))
    return found


def write_report(folder: Path, data: Pictures, settings: Settings, runs: Sequence[Run]) -> list[Path]:
    """Write ``table.md``, ``simclr.svg`` and ``results.json``; the paths written."""
    results = {
        "settings": dataclasses.asdict(settings),
        "examples": {name: len(rows) for name, rows in data.split.items()},
        "runs": [
            {"seed": run.seed, "seconds": run.seconds, "loss": [float(f"{x:.5g}") for x in run.loss]}
            | {"accuracy": run.accuracy}
            for run in runs
        ],
    }
    files = {
        "table.md": as_markdown([HEADER, *rows(runs)]),
        "simclr.svg": _drawn(data, runs),
        "results.json": json.dumps(results, indent=1) + "\n",
    }
    for name, text in files.items():
        write_atomically(folder / name, text.encode())
    return [folder / name for name in files]


def _drawn(data: Pictures, runs: Sequence[Run]) -> str:
    """Twelve digits and four views of each; the accuracies of the probes; the loss."""
    X = data.X[data.split["train"][:12]]
    rng = np.random.default_rng(0)
    lines = [X, *(random_views(X, rng) for _ in range(4))]

    def draw(axes: Sequence[Any]) -> None:
        sheet, accuracy, loss = axes
        framed = np.pad(np.stack(lines), ((0, 0), (0, 0), (1, 1), (1, 1)))
        flat = framed.transpose(0, 2, 1, 3).reshape(len(lines) * framed.shape[2], -1)
        sheet.imshow(flat, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        sheet.set_title("pictures, and four views of each")
        sheet.set_axis_off()
        places = range(len(LABELS))
        for name, colour in zip(FEATURES, (COLOURS[4], COLOURS[2], COLOURS[3], COLOURS[1]), strict=True):
            band(accuracy, places, [[run.accuracy[name][labels] for labels in LABELS] for run in runs], colour, name)
        accuracy.set(xlabel="labels of each class", ylabel="test accuracy", xticks=list(places))
        accuracy.set_xticklabels(LABELS)
        accuracy.legend(loc="lower right")
        band(loss, range(1, len(runs[0].loss) + 1), [run.loss for run in runs], COLOURS[0])
        loss.set(xlabel="epoch", ylabel="loss")

    return picture(draw, 3, height=8)
