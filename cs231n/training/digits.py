"""Trains the two-layer network on real handwritten digits: 1797 images of 8 × 8 pixels that come with scikit-learn.

The data are split once, class by class, into training, validation and test part. All choices (which epoch's parameters
are kept, which settings are good) look at the validation part; the test part is looked at once, when all training is
done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from cs231n import optim
from cs231n.classifiers.fc_net import TwoLayerNet
from cs231n.solver import Solver

__all__ = ["LEARNING_RATES", "Digits", "Run", "Settings", "load_digits", "stratified_split", "train_digits"]

#: Found with the validation part. A rule that is not listed gets the usual 0.001.
LEARNING_RATES = {
    "sgd": 0.5,
    "sgd_momentum": 0.1,
    "sgd_nesterov": 0.1,
    "adagrad": 0.05,
    "rmsprop": 0.003,
    "adam": 0.01,
    "adamw": 0.01,
}
#: The split is part of the task, not of a run: it never changes.
SPLIT_SEED, PARTS = 231, {"train": 0.6, "val": 0.2, "test": 0.2}


@dataclass(frozen=True)
class Settings:
    """What a run can be told, and what it fixes."""

    seeds: int = 5
    epochs: int = 40
    hidden: int = 100
    update_rule: str = "sgd_momentum"
    learning_rate: float | None = None
    lr_decay: float = 0.97
    batch_size: int = 50
    reg: float = 1e-3
    weight_scale: float = 0.1

    def __post_init__(self) -> None:
        if self.update_rule not in optim.__all__:
            raise ValueError(f"update rule: expected one of {', '.join(optim.__all__)}, got {self.update_rule!r}")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise ValueError(f"expected a learning rate > 0, got {self.learning_rate}")

    @property
    def rate(self) -> float:
        """The learning rate asked for, or the one that suits the rule."""
        return LEARNING_RATES.get(self.update_rule, 1e-3) if self.learning_rate is None else self.learning_rate


@dataclass(frozen=True)
class Digits:
    """The images, one a row, with the mean of the training part taken off; the labels; the rows of each part."""

    X: np.ndarray
    y: np.ndarray
    split: dict[str, list[int]]

    def part(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        rows = self.split[name]
        return self.X[rows], self.y[rows]


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


def load_digits() -> Digits:
    """Scikit-learn's digits, pixels from 0 to 1 before the mean is taken off, and the fixed split."""
    from sklearn import datasets

    data = datasets.load_digits()
    split = stratified_split(data.target, PARTS, SPLIT_SEED)
    X = data.data / 16
    return Digits(X - X[split["train"]].mean(axis=0), data.target, split)


def train_digits(digits: Digits, settings: Settings, *, verbose: bool = False) -> list[Run]:
    """Train one network for each seed; when all is done, look at the test part.

    Raises:
        ValueError: a setting makes no sense.
        KeyboardInterrupt: Ctrl-C, which the solver answers by itself, ends the whole experiment.
    """
    trained = [_train(digits, settings, seed, verbose) for seed in range(settings.seeds)]
    for run, solver in trained:
        run.test_acc = solver.check_accuracy(*digits.part("test"))
    return [run for run, _ in trained]


def _train(digits: Digits, settings: Settings, seed: int, verbose: bool) -> tuple[Run, Solver]:
    (X_train, y_train), (X_val, y_val) = digits.part("train"), digits.part("val")
    weights_rng, solver_rng = np.random.default_rng(seed).spawn(2)
    classes = int(digits.y.max()) + 1
    net = TwoLayerNet(X_train.shape[1], settings.hidden, classes, settings.weight_scale, settings.reg, rng=weights_rng)
    solver = Solver(
        net,
        {"X_train": X_train, "y_train": y_train, "X_val": X_val, "y_val": y_val},
        update_rule=settings.update_rule,
        optim_config={"learning_rate": settings.rate},
        lr_decay=settings.lr_decay,
        batch_size=settings.batch_size,
        num_epochs=settings.epochs,
        num_train_samples=None,
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
