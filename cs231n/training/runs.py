"""Trains a network of the book on images, once for each seed.

All choices (which epoch's parameters are kept, which settings are good) look at the validation part; the test part is
looked at once, when all training is done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cs231n.classifiers.fc_net import FullyConnectedNet
from cs231n.solver import Solver

__all__ = ["OPTIMIZERS", "Data", "Run", "Settings", "train_runs"]

#: The names of the command line, and the functions of cs231n.optim.
OPTIMIZERS = {
    "sgd": "sgd",
    "momentum": "sgd_momentum",
    "nesterov": "sgd_nesterov",
    "adagrad": "adagrad",
    "rmsprop": "rmsprop",
    "adam": "adam",
    "adamw": "adamw",
}


@dataclass(frozen=True)
class Settings:
    """All that decides a run, besides the data."""

    model: str
    optimizer: str
    learning_rate: float
    seeds: int = 5
    epochs: int = 40
    hidden: int = 100
    layers: int = 1
    normalization: str = "none"
    dropout: float = 1.0
    lr_decay: float = 0.97
    batch_size: int = 50
    reg: float = 1e-3
    weight_scale: float = 0.1
    filters: int = 32
    filter_size: int = 3

    def __post_init__(self) -> None:
        for name, known in (
            ("model", ("fc", "cnn")),
            ("optimizer", OPTIMIZERS),
            ("normalization", ("none", "batchnorm", "layernorm")),
        ):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"expected a learning rate > 0, got {self.learning_rate}")
        if not 0 < self.dropout <= 1:
            raise ValueError(f"dropout: expected a probability to keep a unit, 0 < P <= 1, got {self.dropout}")
        if self.model == "cnn" and (self.normalization, self.dropout, self.layers) != ("none", 1, 1):
            raise ValueError(
                "the cnn has one hidden layer, without normalization and dropout: expected --model fc with them"
            )


@dataclass(frozen=True)
class Data:
    """Images (N, C, H, W) and labels of the parts "train", "val" and "test"; the rows of each, if we split them."""

    name: str
    parts: Mapping[str, tuple[np.ndarray, np.ndarray]]
    split: Mapping[str, list[int]] | None = None

    @property
    def sizes(self) -> dict[str, int]:
        return {name: len(y) for name, (_, y) in self.parts.items()}


@dataclass
class Run:
    """One network, from one seed. The first accuracies are those after the first step."""

    seed: int
    loss: list[float] = field(default_factory=list)  # the mean over the batches of each epoch
    train_acc: list[float] = field(default_factory=list)
    val_acc: list[float] = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0
    test_acc: float | None = None

    @property
    def best_train(self) -> float:
        return self.train_acc[self.best_epoch]

    @property
    def best_val(self) -> float:
        return self.val_acc[self.best_epoch]


def train_runs(data: Data, settings: Settings, *, test: bool = True, verbose: bool = False) -> list[Run]:
    """Train one network for each seed; when all is done, look at the test part, if wanted.

    Raises:
        ValueError: a setting makes no sense.
        KeyboardInterrupt: Ctrl-C, which the solver answers by itself, ends the whole experiment.
    """
    trained = [_train(data, settings, seed, verbose) for seed in range(settings.seeds)]
    if test:
        for run, solver in trained:
            run.test_acc = solver.check_accuracy(*data.parts["test"])
    return [run for run, _ in trained]


def network(settings: Settings, data: Data, rng: np.random.Generator) -> Any:
    """The network for these images, with its first weights."""
    X, y = data.parts["train"]
    shape, classes = X.shape[1:], int(y.max()) + 1
    if settings.model == "cnn":
        from cs231n.classifiers.cnn import ThreeLayerConvNet

        return ThreeLayerConvNet(
            shape,
            settings.filters,
            settings.filter_size,
            settings.hidden,
            classes,
            settings.weight_scale,
            settings.reg,
            X.dtype.type,
            rng=rng,
        )
    return FullyConnectedNet(
        [settings.hidden] * settings.layers,
        math.prod(shape),
        classes,
        settings.dropout,
        None if settings.normalization == "none" else settings.normalization,
        settings.reg,
        settings.weight_scale,
        X.dtype.type,
        rng=rng,
    )


def _train(data: Data, settings: Settings, seed: int, verbose: bool) -> tuple[Run, Solver]:
    (X_train, y_train), (X_val, y_val) = data.parts["train"], data.parts["val"]
    weights_rng, solver_rng = np.random.default_rng(seed).spawn(2)
    solver = Solver(
        network(settings, data, weights_rng),
        {"X_train": X_train, "y_train": y_train, "X_val": X_val, "y_val": y_val},
        update_rule=OPTIMIZERS[settings.optimizer],
        optim_config={"learning_rate": settings.learning_rate},
        lr_decay=settings.lr_decay,
        batch_size=min(settings.batch_size, len(X_train) // 2),  # two steps: the first is measured by itself
        num_epochs=settings.epochs,
        num_train_samples=None if len(X_train) <= 5000 else 1000,
        verbose=verbose,
        rng=solver_rng,
    )
    started = time.perf_counter()
    solver.train()
    if solver.interrupted:
        raise KeyboardInterrupt
    loss = np.array(solver.loss_history).reshape(settings.epochs, -1).mean(axis=1)
    return Run(
        seed=seed,
        loss=loss.tolist(),
        train_acc=solver.train_acc_history,
        val_acc=solver.val_acc_history,
        best_epoch=int(np.argmax(solver.val_acc_history)),
        seconds=time.perf_counter() - started,
    ), solver
