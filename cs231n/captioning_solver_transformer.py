r"""Trains a captioning transformer of PyTorch with Adam, with the interface of the course's solver.

A model is a `torch.nn.Module` that gives scores for `(features, captions)`; its `_null` is the number of `<NULL>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

try:
    import torch
except ImportError as missing:
    raise ImportError("cs231n.captioning_solver_transformer needs PyTorch: pip install -e '.[torch]'") from missing

from cs231n.captioning_solver_pytorch import CaptioningSolverPytorch
from cs231n.rnn_layers_pytorch import temporal_softmax_loss
from cs231n.training.trainer import _Bar

__all__ = ["CaptioningSolverTransformer"]


class CaptioningSolverTransformer(CaptioningSolverPytorch):
    """Trains ``model`` on the captions of ``data``: each caption once in an epoch, in an order drawn anew.

    The loss is that of the chapter: the sum over the words that are not padding, averaged over the captions. (The
    course divides by the number of positions too, padding included, so its losses are smaller by that factor.) The
    batches are moved to the device and the precision of the parameters.

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
        idx_to_word: Any,
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
            idx_to_word: the words, by number; kept for who wants to read captions.
            learning_rate: that of Adam.
            batch_size: captions in a batch; at most all of them are taken.
            num_epochs: how often the captions are gone through.
            print_every: how many steps pass between two updates of the bar.
            verbose: whether there is a bar, on a terminal.
            rng: a generator or a seed, for the order of the captions. Dropout draws from PyTorch's own generator.

        Raises:
            ValueError: a setting, an array or a name does not fit.
        """
        super().__init__(
            SimpleNamespace(params=dict(model.named_parameters())),
            data,
            learning_rate=learning_rate,
            batch_size=batch_size,
            num_epochs=num_epochs,
            print_every=print_every,
            verbose=verbose,
            rng=rng,
        )
        self.model = model
        self.idx_to_word = idx_to_word

    def train(self) -> None:
        """Train, with dropout, until `num_epochs` epochs are complete, or Ctrl-C; then restore the model's mode."""
        self.interrupted = False
        training = self.model.training
        self.model.train()
        try:
            with _Bar(cast(Any, self)) as bar:
                while self.epoch < self.num_epochs:
                    self._one_epoch(bar)
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            self.model.train(training)

    def _step(self, chosen: np.ndarray) -> None:
        where = next(self.model.parameters())
        features = torch.from_numpy(self.train_features[self.train_image_idxs[chosen]]).to(where)
        captions = torch.from_numpy(self.train_captions[chosen].astype(np.int64)).to(where.device)
        words, following = captions[:, :-1], captions[:, 1:]
        loss = temporal_softmax_loss(self.model(features, words), following, following != self.model._null)
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        self.loss_history.append(loss.item())
