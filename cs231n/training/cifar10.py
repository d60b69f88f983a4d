"""CIFAR-10, 60000 photographs of 32 × 32 pixels, as the networks take it, and settings to start from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cs231n.data_utils import CIFAR10, DATASETS, fetch_CIFAR10, load_CIFAR10
from cs231n.training.runs import Data

__all__ = ["DEFAULTS", "RATES", "load_cifar10"]

#: To start from; the rates are for pixels of variance 1.
DEFAULTS: dict[str, dict[str, Any]] = {
    "fc": {"hidden": 200, "epochs": 10, "lr_decay": 0.9, "batch_size": 100, "reg": 1e-3, "weight_scale": 0.02},
    "cnn": {
        "hidden": 200,
        "epochs": 5,
        "lr_decay": 0.9,
        "batch_size": 100,
        "reg": 1e-3,
        "weight_scale": 0.02,
        "filters": 32,
        "filter_size": 5,
    },
}
_RATES: dict[str, float] = {
    "sgd": 0.02,
    "momentum": 0.005,
    "nesterov": 0.005,
    "adagrad": 0.005,
    "rmsprop": 0.0005,
    "adam": 0.001,
    "adamw": 0.001,
}
RATES = {"fc": _RATES, "cnn": _RATES | {"sgd": 0.05, "momentum": 0.015, "nesterov": 0.015}}


def load_cifar10(path: Path | None, tell: Callable[[str], None]) -> Data:
    """The official files: 49000 images to train on, the next 1000 for validation, and the 10000 of the test.

    The mean image of the training part is taken off all parts, and they are divided by the training part's standard
    deviation.

    Args:
        path: a folder with the official files, or the official archive. None: the places where the functions of
            `cs231n.data_utils` look, and else a download into the first of them.
        tell: gets what a user should know while it takes long.

    Raises:
        FileNotFoundError: there are no such data; the message says where to put them.
        ValueError: a file is truncated, or is something else.
    """
    images, labels, X_test, y_test = load_CIFAR10(_fetched(tell) if path is None else path, dtype=np.uint8)
    end = len(images) - len(images) // 50
    mean = images[:end].mean(axis=0, dtype=np.float64)
    scale = max(float(np.sqrt(np.mean([((image - mean) ** 2).mean() for image in images[:end]]))), 1.0)

    def prepared(part: np.ndarray) -> np.ndarray:
        X = part.transpose(0, 3, 1, 2).astype(np.float32)
        X -= mean.transpose(2, 0, 1).astype(np.float32)
        X /= np.float32(scale)
        return X

    parts = {
        "train": (prepared(images[:end]), labels[:end]),
        "val": (prepared(images[end:]), labels[end:]),
        "test": (prepared(X_test), y_test),
    }
    return Data("cifar10", parts)


def _fetched(tell: Callable[[str], None]) -> Path:
    """Where the data are, downloaded if need be."""
    for place in DATASETS:
        if (place / CIFAR10.folder).is_dir() or (place / CIFAR10.name).is_file():
            return place / CIFAR10.folder
    tell(f"Downloading {CIFAR10.url} (170 MB) to {DATASETS[0]} …")
    try:
        return fetch_CIFAR10(DATASETS[0])
    except (ImportError, OSError, ValueError) as error:
        raise FileNotFoundError(
            f"No CIFAR-10 here, and none could be downloaded: {error}\n"
            f"Put {CIFAR10.name} from {CIFAR10.url} into {DATASETS[0]}, or say where it is: --data PATH"
        ) from None
