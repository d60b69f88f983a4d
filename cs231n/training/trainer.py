"""What every solver does: epochs, batches, steps of an update rule, a bar, Ctrl-C, checkpoints.

A subclass says how many examples there are, what a batch of them is, and what is measured on the way.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cs231n import optim
from cs231n.fast_layers import adam_fast, rmsprop_fast, sgd_momentum_fast
from cs231n.training.checkpoint import load_state, save_state

__all__ = ["Trainer"]

Rule = Callable[..., tuple[np.ndarray, dict[str, Any]]]

#: The fast form of a rule takes its place; checkpoints and users know the rule by its own name.
_FAST: dict[Rule, Rule] = {optim.adam: adam_fast, optim.rmsprop: rmsprop_fast, optim.sgd_momentum: sgd_momentum_fast}


class Trainer:
    """Trains ``model``, whose ``loss`` returns a number and the gradients of its dictionary ``params``.

    Ctrl-C ends the training, not the program: what was learnt so far is checked once more, and `interrupted` is true.
    A second Ctrl-C is an ordinary one. `train` called again goes on.

    Attributes:
        loss_history: the loss of each batch.
        best_params: the parameters of the best moment, copies of their own.
        best_bn_params: the normalization averages of that moment; None if the model has none.
        epoch: how many epochs are complete.
        interrupted: whether the last call of `train` was ended by Ctrl-C.
    """

    #: The attributes of a subclass that hold what it measures; they belong to a checkpoint.
    measured: tuple[str, ...] = ()

    def __init__(
        self,
        model: Any,
        *,
        update_rule: str,
        optim_config: Mapping[str, Any] | None,
        lr_decay: float,
        batch_size: int,
        num_epochs: int,
        checkpoint_name: str | PathLike[str] | None,
        print_every: int,
        verbose: bool,
        rng: np.random.Generator | int | None,
        lr_schedule: Callable[[int], float] | None = None,
    ) -> None:
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("num_epochs", num_epochs, 0),
            ("print_every", print_every, 1),
        ):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        if update_rule not in optim.__all__:
            raise ValueError(f"update_rule: expected one of {', '.join(optim.__all__)}, got {update_rule!r}")
        if lr_schedule is not None and "learning_rate" not in (optim_config or {}):
            raise ValueError("lr_schedule: expected a learning_rate in optim_config to be multiplied, got none")

        self.model = model
        self.update_rule: Rule = getattr(optim, update_rule)
        self.optim_config = copy.deepcopy(dict(optim_config or {}))
        self.lr_decay = lr_decay
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.checkpoint_name = checkpoint_name
        self.print_every = print_every
        self.verbose = verbose
        # two streams, so that how often something is measured does not change the batches
        self._batch_rng, self._sample_rng = np.random.default_rng(rng).spawn(2)

        self.epoch = 0
        self.interrupted = False
        self.loss_history: list[float] = []
        self.optim_configs: dict[str, dict[str, Any]] = {
            name: copy.deepcopy(self.optim_config) for name in model.params
        }
        self._keep_as_best()  # so that there is always something to end with

    # ------------------------------------------------------------------------------ what a subclass says

    @property
    def num_train(self) -> int:
        """How many training examples there are."""
        raise NotImplementedError

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, ...]:
        """The training examples with these numbers, as `model.loss` takes them."""
        raise NotImplementedError

    def check(self) -> None:
        """Measure, write it down, and keep the parameters if they are the best so far."""
        raise NotImplementedError

    def progress(self) -> str:
        """The latest measurements, for the bar."""
        raise NotImplementedError

    def finish(self) -> None:
        """When training ends, however it ends: give the model the best parameters."""
        self.model.params = copy.deepcopy(self.best_params)
        if self.best_bn_params is not None:
            self.model.bn_params = copy.deepcopy(self.best_bn_params)

    # ------------------------------------------------------------------------------------------ training

    def train(self) -> None:
        """Train until `num_epochs` epochs are complete, or Ctrl-C."""
        self.interrupted = False
        try:
            with _Bar(self) as bar:
                while self.epoch < self.num_epochs:
                    self._one_epoch(bar)
        except KeyboardInterrupt:
            self.interrupted = True
            self.check()  # what was learnt since the last check may be the best
        finally:
            self.finish()

    def _one_epoch(self, bar: _Bar) -> None:
        """Every example once, in an order drawn anew; what no full batch is left for is left out this time."""
        order = self._batch_rng.permutation(self.num_train)
        steps = max(len(order) // self.batch_size, 1)
        for step in range(steps):
            self._step(*self.batch(order[step * self.batch_size : (step + 1) * self.batch_size]))
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

    def _step(self, *batch: np.ndarray) -> None:
        """One update. All parameters change at once at the end, so that Ctrl-C never leaves half a step."""
        loss, grads = self.model.loss(*batch)
        rule = _FAST.get(self.update_rule, self.update_rule)
        factor = self._factor()
        params, configs = {}, {}
        for name, w in self.model.params.items():
            config = copy.copy(self.optim_configs[name])  # a rule may write into it
            if factor is None:
                params[name], configs[name] = rule(w, grads[name], config)
                continue
            rate = config["learning_rate"]
            params[name], config = rule(w, grads[name], config | {"learning_rate": rate * factor})
            configs[name] = config | {"learning_rate": rate}  # the next factor is on the same rate
        self.model.params, self.optim_configs = params, configs
        self.loss_history.append(float(loss))

    def _factor(self) -> float | None:
        """What the schedule says for the step to come; None without one."""
        if self.lr_schedule is None:
            return None
        step = len(self.loss_history)  # which a checkpoint brings back
        factor = self.lr_schedule(step)
        if not 0 <= factor < np.inf:
            raise ValueError(f"lr_schedule: expected a finite factor >= 0, got {factor} at step {step}")
        return factor

    def _keep_as_best(self) -> None:
        self.best_params: dict[str, np.ndarray] = copy.deepcopy(self.model.params)
        self.best_bn_params: Any = copy.deepcopy(getattr(self.model, "bn_params", None))

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
                "best_params": self.best_params,
                "best_bn_params": self.best_bn_params,
                "loss_history": self.loss_history,
                "batch_rng": self._batch_rng.bit_generator.state,
                "sample_rng": self._sample_rng.bit_generator.state,
            }
            | {name: getattr(self, name) for name in self.measured},
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
        if missing := [name for name in self.measured if name not in state]:
            raise ValueError(f"{fname}: expected a checkpoint of {type(self).__name__}, got no {', '.join(missing)}")
        self._batch_rng.bit_generator.state = state.pop("batch_rng")
        self._sample_rng.bit_generator.state = state.pop("sample_rng")
        self.model.params = state.pop("params")
        if (bn_params := state.pop("bn_params")) is not None:
            self.model.bn_params = bn_params
        del state["update_rule"]
        vars(self).update(state)


class _Bar:
    """The bar of one training: nothing at all where there is no terminal."""

    def __init__(self, trainer: Trainer) -> None:
        console = Console(stderr=True)
        self._trainer = trainer
        self._progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not (trainer.verbose and (console.is_terminal or console.is_jupyter)),
        )
        self._task = self._progress.add_task("", total=trainer.num_epochs, completed=trainer.epoch)

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, epochs: float) -> None:
        """Move to so many epochs, with the latest loss and measurements."""
        text = f"loss {self._trainer.loss_history[-1]:.4f}{self._trainer.progress()}"
        self._progress.update(self._task, completed=epochs, description=text)
