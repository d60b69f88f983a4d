r"""Trains a captioning model of PyTorch with Adam, with the interface of the course's ``CaptioningSolverPytorch``.

A model has a dictionary ``params`` of tensors and a method ``loss(features, captions)`` that returns the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from cs231n.captioning_solver import _split
from cs231n.training.trainer import _Bar

try:
    import torch
except ImportError as missing:
    raise ImportError("cs231n.captioning_solver_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = ["CaptioningSolverPytorch"]


class CaptioningSolverPytorch:
    """Trains ``model`` on the captions of ``data``: each caption once in an epoch, in an order drawn anew.

    With the same seed the batches are those of `cs231n.captioning_solver.CaptioningSolver`. They are moved to the
    device and the precision of the parameters. While it trains, a terminal shows a bar with the loss; elsewhere it is
    quiet.

    Ctrl-C ends the training, not the program, and `interrupted` is true. `train` called again goes on.

    Attributes:
        loss_history: the loss of each batch.
        epoch: how many epochs are complete.
        interrupted: whether the last call of `train` was ended by Ctrl-C.
        optim: PyTorch's optimizer.
    """

    def __init__(
        self,
        model: Any,
        data: Mapping[str, Any],
        *,
        learning_rate: float = 0.001,
        batch_size: int = 100,
        num_epochs: int = 10,
        print_every: int = 10,
        verbose: bool = True,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        """Check everything; nothing is trained yet.

        Args:
            model: the model, as the module says.
            data: what `load_coco_data` returns: the arrays `train_captions`, `train_image_idxs` and `train_features`.
            learning_rate: that of Adam.
            batch_size: captions in a batch; at most all of them are taken.
            num_epochs: how often the captions are gone through.
            print_every: how many steps pass between two updates of the bar.
            verbose: whether there is a bar, on a terminal.
            rng: a generator or a seed, for the order of the captions. No global state is used.

        Raises:
            ValueError: a setting, an array or a name does not fit.
        """
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("num_epochs", num_epochs, 0),
            ("print_every", print_every, 1),
        ):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        self.model = model
        self.train_features, self.train_captions, self.train_image_idxs = _split(data, "train")
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.num_epochs = num_epochs
        self.print_every = print_every
        self.verbose = verbose
        self.optim = torch.optim.Adam(list(model.params.values()), learning_rate)
        self._batch_rng = np.random.default_rng(rng).spawn(2)[0]  # the stream that the other solver draws batches from
        self.epoch = 0
        self.interrupted = False
        self.loss_history: list[float] = []

    def train(self) -> None:
        """Train until `num_epochs` epochs are complete, or Ctrl-C. Afterwards nothing asks for a gradient any more."""
        self.interrupted = False
        params = list(self.model.params.values())
        if [*map(id, params)] != [*map(id, self.optim.param_groups[0]["params"])]:
            self.optim = torch.optim.Adam(params, self.learning_rate)  # the model was given new tensors
        try:
            for tensor in params:
                tensor.requires_grad_()
            with _Bar(cast(Any, self)) as bar:
                while self.epoch < self.num_epochs:
                    self._one_epoch(bar)
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            for tensor in params:
                tensor.requires_grad_(False)
                tensor.grad = None

    def progress(self) -> str:
        """What the bar shows beside the loss: nothing."""
        return ""

    def _one_epoch(self, bar: _Bar) -> None:
        """Every caption once; what no full batch is left for is left out this time."""
        order = self._batch_rng.permutation(len(self.train_captions))
        steps = max(len(order) // self.batch_size, 1)
        for step in range(steps):
            self._step(order[step * self.batch_size : (step + 1) * self.batch_size])
            if len(self.loss_history) % self.print_every == 0:
                bar.show((self.epoch * steps + step + 1) / steps)
        self.epoch += 1
        bar.show(self.epoch)

    def _step(self, chosen: np.ndarray) -> None:
        where = next(iter(self.model.params.values()))
        features = torch.from_numpy(self.train_features[self.train_image_idxs[chosen]]).to(where)
        captions = torch.from_numpy(self.train_captions[chosen].astype(np.int64)).to(where.device)
        loss = self.model.loss(features, captions)
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        self.loss_history.append(loss.item())
