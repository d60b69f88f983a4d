"""Trains a model by stochastic gradient descent, with the interface of the course's ``Solver``.

A model has a dictionary ``params`` of arrays and a method ``loss(X, y)`` that returns the loss and the gradients under
the same names; ``loss(X)`` returns the scores. If it has ``bn_params``, the settings and running averages of its
normalization layers, they belong to what is learnt: they are kept, stored and restored together with the parameters.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cs231n import optim
from cs231n.training.checkpoint import load_state, save_state

__all__ = ["Solver"]

Rule = Callable[..., tuple[np.ndarray, dict[str, Any]]]

_DATA = ("X_train", "y_train", "X_val", "y_val")


class Solver:
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
            ("batch_size", batch_size, 1),
            ("num_epochs", num_epochs, 0),
            ("print_every", print_every, 1),
            ("num_train_samples", 1 if num_train_samples is None else num_train_samples, 1),
            ("num_val_samples", 1 if num_val_samples is None else num_val_samples, 1),
        ):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        if update_rule not in optim.__all__:
            raise ValueError(f"update_rule: expected one of {', '.join(optim.__all__)}, got {update_rule!r}")

        self.model = model
        self.update_rule: Rule = getattr(optim, update_rule)
        self.optim_config = copy.deepcopy(dict(optim_config or {}))
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.num_train_samples = num_train_samples
        self.num_val_samples = num_val_samples
        self.checkpoint_name = checkpoint_name
        self.print_every = print_every
        self.verbose = verbose
        # two streams, so that how often the accuracy is measured does not change the batches
        self._batch_rng, self._sample_rng = np.random.default_rng(rng).spawn(2)

        self.epoch = 0
        self.interrupted = False
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        self.optim_configs: dict[str, dict[str, Any]] = {
            name: copy.deepcopy(self.optim_config) for name in model.params
        }
        self.best_val_acc = -math.inf
        self._keep_as_best()  # so that there is always something to end with

    def train(self) -> None:
        """Train until `num_epochs` epochs are complete, or Ctrl-C."""
        self.interrupted = False
        try:
            with self._bar() as bar:
                while self.epoch < self.num_epochs:
                    self._one_epoch(bar)
        except KeyboardInterrupt:
            self.interrupted = True
            self.check()  # what was learnt since the last check may be the best
        finally:
            self.model.params = copy.deepcopy(self.best_params)
            if self.best_bn_params is not None:
                self.model.bn_params = copy.deepcopy(self.best_bn_params)

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

    # ------------------------------------------------------------------------------------------- checkpoints

    def save_checkpoint(self, fname: str | PathLike[str]) -> None:
        """Write everything that training goes on from, in one file, without pickle."""
        save_state(
            fname,
            {
                "update_rule": self.update_rule.__name__,
                "epoch": self.epoch,
                "params": self.model.params,
                "bn_params": getattr(self.model, "bn_params", None),
                "optim_configs": self.optim_configs,
                "best_val_acc": self.best_val_acc,
                "best_params": self.best_params,
                "best_bn_params": self.best_bn_params,
                "loss_history": self.loss_history,
                "train_acc_history": self.train_acc_history,
                "val_acc_history": self.val_acc_history,
                "batch_rng": self._batch_rng.bit_generator.state,
                "sample_rng": self._sample_rng.bit_generator.state,
            },
        )

    def load_checkpoint(self, fname: str | PathLike[str]) -> None:
        """Take over what `save_checkpoint` wrote; `train` then goes on as if there had been no break.

        The solver must have been made as the one that wrote it: same model, same rule, same data.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no checkpoint, or one of another rule or model; the solver stays as it was.
        """
        state = load_state(fname)
        if state.get("update_rule") != self.update_rule.__name__:
            expected, found = self.update_rule.__name__, state.get("update_rule")
            raise ValueError(f"{fname}: expected a checkpoint of the update rule {expected}, got {found}")
        shapes = {name: array.shape for name, array in self.model.params.items()}
        stored = {name: array.shape for name, array in state["params"].items()}
        if stored != shapes:
            raise ValueError(f"{fname}: expected parameters of the shapes {shapes}, got {stored}")
        self._batch_rng.bit_generator.state = state.pop("batch_rng")
        self._sample_rng.bit_generator.state = state.pop("sample_rng")
        self.model.params = state.pop("params")
        if (bn_params := state.pop("bn_params")) is not None:
            self.model.bn_params = bn_params
        del state["update_rule"]
        vars(self).update(state)

    # --------------------------------------------------------------------------------------------- internals

    def _one_epoch(self, bar: _Bar) -> None:
        """Every example once, in an order drawn anew; what no full batch is left for is left out this time."""
        order = self._batch_rng.permutation(len(self.X_train))
        steps = max(len(order) // self.batch_size, 1)
        for step in range(steps):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            self._step(self.X_train[chosen], self.y_train[chosen])
            if len(self.loss_history) == 1 and steps > 1:
                self.check()
            if len(self.loss_history) % self.print_every == 0:
                bar.show((self.epoch * steps + step + 1) / steps)
        self.epoch += 1
        for config in self.optim_configs.values():
            if "learning_rate" in config:
                config["learning_rate"] *= self.lr_decay
        self.check()
        bar.show(self.epoch)
        if self.checkpoint_name is not None:
            self.save_checkpoint(f"{self.checkpoint_name}_epoch_{self.epoch}.npz")

    def _step(self, X: np.ndarray, y: np.ndarray) -> None:
        """One update. All parameters change at once at the end, so that Ctrl-C never leaves half a step."""
        loss, grads = self.model.loss(X, y)
        params, configs = {}, {}
        for name, w in self.model.params.items():
            config = copy.copy(self.optim_configs[name])  # a rule may write into it
            params[name], configs[name] = self.update_rule(w, grads[name], config)
        self.model.params, self.optim_configs = params, configs
        self.loss_history.append(float(loss))

    def _keep_as_best(self) -> None:
        self.best_params: dict[str, np.ndarray] = copy.deepcopy(self.model.params)
        self.best_bn_params: Any = copy.deepcopy(getattr(self.model, "bn_params", None))

    def _bar(self) -> _Bar:
        return _Bar(self)


class _Bar:
    """The bar of one training: nothing at all where there is no terminal."""

    def __init__(self, solver: Solver) -> None:
        console = Console(stderr=True)
        self._solver = solver
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not (solver.verbose and (console.is_terminal or console.is_jupyter)),
        )
        self._task = self._progress.add_task("", total=solver.num_epochs, completed=solver.epoch)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, epochs: float) -> None:
        """Move to so many epochs, with the latest loss and accuracies."""
        solver = self._solver
        text = f"loss {solver.loss_history[-1]:.4f}"
        if solver.val_acc_history:
            text += f" · train {solver.train_acc_history[-1]:.1%} · val {solver.val_acc_history[-1]:.1%}"
        self._progress.update(self._task, completed=epochs, description=text)
