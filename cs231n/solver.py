"""Trains a model by stochastic gradient descent, with the interface of the course's ``Solver``.

A model has a dictionary ``params`` of arrays and a method ``loss(X, y)`` that returns the loss and the gradients under
the same names; ``loss(X)`` returns the scores. If it has ``bn_params``, the settings and running averages of its
normalization layers, they belong to what is learnt: they are kept, stored and restored together with the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np

from cs231n.training.trainer import Trainer

__all__ = ["Solver"]

_DATA = ("X_train", "y_train", "X_val", "y_val")


class Solver(Trainer):
    """Trains ``model`` on ``data``.

    While it trains, a terminal shows a bar with the loss and the accuracies; elsewhere it is quiet. Afterwards the
    model has the parameters of the best accuracy on the validation data, with the normalization averages of that time.

    Ctrl-C ends the training, not the program: what was learnt so far is checked once more, the best is kept, and
    `interrupted` is true. A second Ctrl-C is an ordinary one. `train` called again goes on.

    Attributes:
        loss_history: the loss of each batch.
        train_acc_history: the accuracy on the training data, after the first step and after each epoch.
        val_acc_history: the accuracy on the validation data, at the same moments.
        best_val_acc: the largest of them; −∞ before the first.
        best_params: the parameters of that moment, copies of their own.
        best_bn_params: the normalization averages of that moment; None if the model has none.
        epoch: how many epochs are complete.
        interrupted: whether the last call of `train` was ended by Ctrl-C.
    """

    measured = ("train_acc_history", "val_acc_history", "best_val_acc")

    def __init__(
        self,
        model: Any,
        data: Mapping[str, np.ndarray],
        *,
        update_rule: str = "sgd",
        optim_config: Mapping[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_train_samples: int | None = 1000,
        num_val_samples: int | None = None,
        checkpoint_name: str | PathLike[str] | None = None,
        print_every: int = 10,
        verbose: bool = True,
        rng: np.random.Generator | int | None = None,
        lr_schedule: Callable[[int], float] | None = None,
    ) -> None:
        """Check everything, copy the settings; nothing is trained yet.

        Args:
            model: the model, as the module says.
            data: the arrays `X_train`, `y_train`, `X_val` and `y_val`; the first axis counts examples.
            update_rule: the name of a function of `cs231n.optim`.
            optim_config: its settings, for instance ``{"learning_rate": 1e-2}``.
            lr_decay: the factor on the learning rate after each epoch.
            batch_size: examples in a batch; at most all of them are taken.
            num_epochs: how often the training data are gone through.
            num_train_samples: how many training examples measure the accuracy, drawn anew each time; None: all.
            num_val_samples: the same for the validation data.
            checkpoint_name: where to write a checkpoint after each epoch, as ``name_epoch_3.npz``.
            print_every: how many steps pass between two updates of the bar.
            verbose: whether there is a bar, on a terminal.
            rng: a generator or a seed; with the same seed a run gives the same numbers. NumPy's global state is never
                used.
            lr_schedule: a function of the number of steps made so far, for instance one of `cs231n.optim.schedules`
                with its settings. At each step the learning rate of `optim_config` is multiplied by what it returns.

        Raises:
            ValueError: a setting, an array or a name does not fit.
        """
        if missing := [name for name in _DATA if name not in data]:
            raise ValueError(f"data: expected {', '.join(_DATA)}, got no {', '.join(missing)}")
        self.X_train, self.y_train, self.X_val, self.y_val = (data[name] for name in _DATA)
        for part, X, y in (("train", self.X_train, self.y_train), ("val", self.X_val, self.y_val)):
            if len(X) != len(y) or len(X) == 0:
                raise ValueError(
                    f"expected as many examples in X_{part} as in y_{part}, at least 1, got {len(X)} and {len(y)}"
                )
        for name, value, least in (
            ("num_train_samples", 1 if num_train_samples is None else num_train_samples, 1),
            ("num_val_samples", 1 if num_val_samples is None else num_val_samples, 1),
        ):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        super().__init__(
            model,
            update_rule=update_rule,
            optim_config=optim_config,
            lr_decay=lr_decay,
            batch_size=batch_size,
            num_epochs=num_epochs,
            checkpoint_name=checkpoint_name,
            print_every=print_every,
            verbose=verbose,
            rng=rng,
            lr_schedule=lr_schedule,
        )
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.best_val_acc = -math.inf

    @property
    def num_train(self) -> int:
        """How many training examples there are."""
        return len(self.X_train)

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, ...]:
        """The training examples with these numbers, and their labels."""
        return self.X_train[chosen], self.y_train[chosen]

    def check_accuracy(
        self, X: np.ndarray, y: np.ndarray, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """The share of examples whose largest score is that of the right class.

        Args:
            X: (N, d_1, …, d_k) the examples.
            y: (N,) their labels.
            num_samples: measure on so many of them only, drawn at random.
            batch_size: how many are computed at a time.

        Returns:
            accuracy: a number from 0 to 1.

        Raises:
            ValueError: there are no examples.
        """
        if len(X) == 0:
            raise ValueError("expected at least 1 example, got 0")
        if num_samples is not None and num_samples < len(X):
            chosen = self._sample_rng.choice(len(X), num_samples, replace=False)
            X, y = X[chosen], y[chosen]
        right = 0
        for start in range(0, len(X), batch_size):
            scores = self.model.loss(X[start : start + batch_size])
            right += int((scores.argmax(axis=1) == y[start : start + batch_size]).sum())
        return right / len(X)

    def check(self) -> None:
        """Measure both accuracies, write them down, and keep the parameters if they are the best so far."""
        train_acc = self.check_accuracy(self.X_train, self.y_train, self.num_train_samples)
        val_acc = self.check_accuracy(self.X_val, self.y_val, self.num_val_samples)
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if val_acc > self.best_val_acc:
            self.best_val_acc = val_acc
            self._keep_as_best()

    def progress(self) -> str:
        """The latest accuracies, for the bar."""
        if not self.val_acc_history:
            return ""
        return f" · train {self.train_acc_history[-1]:.1%} · val {self.val_acc_history[-1]:.1%}"
