"""1797 real handwritten digits of 8 × 8 pixels, which come with scikit-learn, and settings that suit them.

The pictures are split once, class by class, into training, validation and test part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cs231n.training.runs import Data

__all__ = ["DEFAULTS", "RATES", "load_digits", "stratified_split"]

#: Found with the validation part, as are the rates.
DEFAULTS: dict[str, dict[str, Any]] = {
    "fc": {"hidden": 100, "epochs": 40, "lr_decay": 0.97, "batch_size": 50, "reg": 1e-3, "weight_scale": 0.1},
    "cnn": {"hidden": 100, "epochs": 30, "lr_decay": 0.97, "batch_size": 50, "reg": 1e-3, "weight_scale": 0.1},
}
RATES = {
    "fc": {
        "sgd": 0.5,
        "momentum": 0.1,
        "nesterov": 0.1,
        "adagrad": 0.05,
        "rmsprop": 0.003,
        "adam": 0.01,
        "adamw": 0.01,
    },
    "cnn": {
        "sgd": 1.0,
        "momentum": 0.2,
        "nesterov": 0.2,
        "adagrad": 0.05,
        "rmsprop": 0.003,
        "adam": 0.01,
        "adamw": 0.01,
    },
}
#: The split is part of the task, not of a run: it never changes.
SPLIT_SEED, PARTS = 231, {"train": 0.6, "val": 0.2, "test": 0.2}


def load_digits() -> Data:
    """Scikit-learn's digits (N, 1, 8, 8), pixels from 0 to 1, less the mean of the training part; the fixed split."""
    from sklearn import datasets

    data = datasets.load_digits()
    split = stratified_split(data.target, PARTS, SPLIT_SEED)
    X = data.data / 16
    X = (X - X[split["train"]].mean(axis=0)).reshape(-1, 1, 8, 8)
    return Data("digits", {name: (X[rows], data.target[rows]) for name, rows in split.items()}, split)


def stratified_split(y: np.ndarray, parts: dict[str, float], seed: int) -> dict[str, list[int]]:
    """Rows for each part, so that each class is split in the same proportions.

    Args:
        y: (N,) the labels.
        parts: the share of each part; the last one takes what rounding leaves.
        seed: decides which rows go where.

    Returns:
        split: for each part its rows, in ascending order; every row is in exactly one part.
    """
    rng = np.random.default_rng(seed)
    split: dict[str, list[int]] = {name: [] for name in parts}
    ends = np.cumsum(list(parts.values()))[:-1]
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))
        for name, chosen in zip(parts, np.split(rows, np.rint(ends * len(rows)).astype(int)), strict=True):
            split[name] += chosen.tolist()
    return {name: sorted(rows) for name, rows in split.items()}
