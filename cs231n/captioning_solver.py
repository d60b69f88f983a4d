"""Trains a captioning model by stochastic gradient descent, with the interface of the course's ``CaptioningSolver``.

A model has a dictionary ``params`` of arrays and a method ``loss(features, captions)`` that returns the loss and the
gradients under the same names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np

from cs231n.training.trainer import Trainer

__all__ = ["CaptioningSolver"]


class CaptioningSolver(Trainer):
    """Trains ``model`` on the captions of ``data``.

    While it trains, a terminal shows a bar with the loss; elsewhere it is quiet. Afterwards the model has the
    parameters of the last step, as in the course, or with ``keep_best`` those of the smallest validation loss.

    Ctrl-C ends the training, not the program, and `interrupted` is true. A second Ctrl-C is an ordinary one. `train`
    called again goes on.

    Attributes:
        loss_history: the loss of each batch.
        val_loss_history: the loss on the validation captions, after the first step and after each epoch; empty if
            there is no validation.
        best_val_loss: the smallest of them; ∞ before the first.
        best_params: the parameters of that moment, copies of their own.
        epoch: how many epochs are complete.
        interrupted: whether the last call of `train` was ended by Ctrl-C.
    """

    measured = ("val_loss_history", "best_val_loss")

    def __init__(
        self,
        model: Any,
        data: Mapping[str, Any],
        *,
        update_rule: str = "sgd",
        optim_config: Mapping[str, Any] | None = None,
        lr_decay: float = 1.0,
        batch_size: int = 100,
        num_epochs: int = 10,
        num_val_samples: int | None = 0,
        keep_best: bool = False,
        checkpoint_name: str | PathLike[str] | None = None,
        print_every: int = 10,
        verbose: bool = True,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        """Check everything, copy the settings; nothing is trained yet.

        Args:
            model: the model, as the module says.
            data: what `load_coco_data` returns: the arrays `train_captions`, `train_image_idxs` and `train_features`;
                for a validation those with `val_` in front as well.
            update_rule: the name of a function of `cs231n.optim`.
            optim_config: its settings, for instance ``{"learning_rate": 1e-2}``.
            lr_decay: the factor on the learning rate after each epoch.
            batch_size: captions in a batch; at most all of them are taken.
            num_epochs: how often the captions are gone through.
            num_val_samples: how many validation captions measure the loss, the same ones each time; 0: there is no
                validation, as in the course; None: all.
            keep_best: end with the parameters of the smallest validation loss.
            checkpoint_name: where to write a checkpoint after each epoch, as ``name_epoch_3.npz``.
            print_every: how many steps pass between two updates of the bar.
            verbose: whether there is a bar, on a terminal.
            rng: a generator or a seed; with the same seed a run gives the same numbers. NumPy's global state is never
                used.

        Raises:
            ValueError: a setting, an array or a name does not fit.
        """
        if num_val_samples is not None and num_val_samples < 0:
            raise ValueError(f"expected num_val_samples >= 0, got {num_val_samples}")
        if keep_best and num_val_samples == 0:
            raise ValueError("keep_best: expected num_val_samples > 0 or None, got 0: there is nothing to choose by")
        self.train_features, self.train_captions, self.train_image_idxs = _split(data, "train")
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
        )
        self.keep_best = keep_best
        self.val_loss_history: list[float] = []
        self.best_val_loss = math.inf
        self._val: tuple[np.ndarray, np.ndarray] | None = None
        if num_val_samples != 0:
            features, captions, image_idxs = _split(data, "val")
            chosen = np.arange(len(captions))
            if num_val_samples is not None and num_val_samples < len(captions):
                chosen = np.sort(self._sample_rng.choice(len(captions), num_val_samples, replace=False))
            self._val = features[image_idxs[chosen]], captions[chosen]

    @property
    def num_train(self) -> int:
        """How many training captions there are."""
        return len(self.train_captions)

    def batch(self, chosen: np.ndarray) -> tuple[np.ndarray, ...]:
        """The features of the images that these captions describe, and the captions."""
        return self.train_features[self.train_image_idxs[chosen]], self.train_captions[chosen]

    def check_loss(self, features: np.ndarray, captions: np.ndarray, batch_size: int = 100) -> float:
        """The mean loss of captions.

        Args:
            features: (N, D) the features of the image of each caption.
            captions: (N, T + 1) the captions.
            batch_size: how many are computed at a time.

        Returns:
            loss: a number, the mean over all N, whatever `batch_size`.

        Raises:
            ValueError: there are no captions.
        """
        if len(captions) == 0:
            raise ValueError("expected at least 1 caption, got 0")
        total = 0.0
        for start in range(0, len(captions), batch_size):
            some = captions[start : start + batch_size]
            loss, _ = self.model.loss(features[start : start + batch_size], some)
            total += float(loss) * len(some)
        return total / len(captions)

    def check(self) -> None:
        """Measure the validation loss, if there is one, and keep the parameters if they are the best so far."""
        if self._val is None:
            return
        loss = self.check_loss(*self._val)
        self.val_loss_history.append(loss)
        if loss < self.best_val_loss:
            self.best_val_loss = loss
            self._keep_as_best()

    def progress(self) -> str:
        """The latest validation loss, for the bar."""
        return f" · val {self.val_loss_history[-1]:.4f}" if self.val_loss_history else ""

    def finish(self) -> None:
        """Give the model the best parameters, if that was asked for."""
        if self.keep_best:
            super().finish()


def _split(data: Mapping[str, Any], split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, captions and image numbers of a part, which fit each other."""
    names = [f"{split}_{kind}" for kind in ("features", "captions", "image_idxs")]
    if missing := [name for name in names if name not in data]:
        raise ValueError(f"data: expected {', '.join(names)}, got no {', '.join(missing)}")
    features, captions, image_idxs = (np.asarray(data[name]) for name in names)
    if len(captions) != len(image_idxs) or len(captions) == 0:
        raise ValueError(
            f"expected as many captions in {names[1]} as numbers in {names[2]}, at least 1, got {len(captions)} and "
            f"{len(image_idxs)}"
        )
    if image_idxs.min() < 0 or image_idxs.max() >= len(features):
        raise ValueError(
            f"{names[2]}: expected numbers of images from 0 to {len(features) - 1}, got numbers from "
            f"{image_idxs.min()} to {image_idxs.max()}"
        )
    return features, captions, image_idxs
