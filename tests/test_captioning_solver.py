"""The solver of captions: the course's interface; what it shares with the other one is tested there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cs231n.captioning_solver import CaptioningSolver
from cs231n.classifiers.rnn import CaptioningRNN
from cs231n.solver import Solver

WORDS = {word: number for number, word in enumerate(["<NULL>", "<START>", "<END>", "one", "two", "three"])}


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    """Three images, and what stands on them: two captions of each to train on, one for validation."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(3, 4))
    captions = np.array([[1, 3, 2, 0], [1, 4, 2, 0], [1, 5, 5, 2]])
    idxs = np.array([0, 1, 2, 2, 1, 0])
    return {
        "train_features": features,
        "train_captions": captions[idxs],
        "train_image_idxs": idxs,
        "val_features": features[::-1],
        "val_captions": captions[::-1],
        "val_image_idxs": np.arange(3),
    }


def model(seed: int = 0, **settings: Any) -> CaptioningRNN:
    return CaptioningRNN(WORDS, 4, 5, 8, **{"dtype": np.float64, "rng": seed} | settings)


def solver(data: dict[str, np.ndarray], net: Any = None, **settings: Any) -> CaptioningSolver:
    defaults: dict[str, Any] = {
        "update_rule": "adam",
        "optim_config": {"learning_rate": 0.02},
        "batch_size": 3,
        "num_epochs": 5,
        "rng": 5,
    }
    return CaptioningSolver(model() if net is None else net, data, **defaults | settings)


def test_it_learns_and_leaves_the_last_parameters(data: dict[str, np.ndarray]) -> None:
    trained = solver(data, num_epochs=60)
    assert trained.train() is None
    assert len(trained.loss_history) == 60 * 2
    assert trained.loss_history[-1] < 0.1 < trained.loss_history[0]
    assert trained.val_loss_history == []
    captions = trained.model.sample(data["train_features"], max_length=3)
    np.testing.assert_array_equal(captions, [[3, 2, 0], [4, 2, 0], [5, 5, 2]])


def test_a_batch_holds_captions_with_the_features_of_their_images(data: dict[str, np.ndarray]) -> None:
    features, captions = solver(data).batch(np.array([5, 0, 3]))
    np.testing.assert_array_equal(features, data["train_features"][[0, 0, 2]])
    np.testing.assert_array_equal(captions, data["train_captions"][[5, 0, 3]])


def test_every_caption_is_seen_once_an_epoch(data: dict[str, np.ndarray]) -> None:
    seen: list[tuple[float, ...]] = []

    class Watched(CaptioningRNN):
        def loss(self, features: np.ndarray, captions: np.ndarray) -> Any:
            seen.extend((*row, *caption) for row, caption in zip(features, captions, strict=True))
            return super().loss(features, captions)

    solver(data, Watched(WORDS, 4, 5, 8, rng=0), num_epochs=1).train()
    everything = zip(data["train_features"][data["train_image_idxs"]], data["train_captions"], strict=True)
    assert sorted(seen) == sorted((*row, *caption) for row, caption in everything)


def test_the_validation_loss_is_a_mean_over_captions_whatever_the_batches(data: dict[str, np.ndarray]) -> None:
    # the course's own code divided by all positions, padding included
    trained = solver(data, num_val_samples=None, num_epochs=2)
    features, captions = data["val_features"], data["val_captions"]
    one_by_one = np.mean([trained.model.loss(features[i : i + 1], captions[i : i + 1])[0] for i in range(3)])
    for batch_size in (1, 2, 100):
        np.testing.assert_allclose(trained.check_loss(features, captions, batch_size), one_by_one)
    with pytest.raises(ValueError, match="at least 1 caption, got 0"):
        trained.check_loss(features[:0], captions[:0])
    trained.train()
    assert len(trained.val_loss_history) == 1 + 2
    assert trained.best_val_loss == min(trained.val_loss_history)


def test_measuring_does_not_change_the_batches(data: dict[str, np.ndarray]) -> None:
    runs = [solver(data, num_val_samples=samples) for samples in (0, 2, None)]
    for trained in runs:
        trained.train()
    assert runs[0].loss_history == runs[1].loss_history == runs[2].loss_history


def test_the_best_parameters_are_kept_if_that_is_asked_for(data: dict[str, np.ndarray]) -> None:
    trained = solver(data, num_val_samples=None, keep_best=True, num_epochs=30)
    trained.train()
    for config in trained.optim_configs.values():
        config["learning_rate"] = 10.0
    trained.num_epochs = 33
    trained.train()
    assert trained.val_loss_history[-1] > trained.best_val_loss
    found = trained.check_loss(data["val_features"], data["val_captions"])
    np.testing.assert_allclose(found, trained.best_val_loss)
    for array in trained.model.params.values():
        array += 100  # even in place
    assert all(abs(array).max() < 50 for array in trained.best_params.values())


def test_ctrl_c_ends_the_training_with_what_was_learnt(data: dict[str, np.ndarray]) -> None:
    class Interrupting(CaptioningRNN):
        left = 7

        def loss(self, features: np.ndarray, captions: np.ndarray) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().loss(features, captions)

    trained = solver(data, Interrupting(WORDS, 4, 5, 8, rng=0), num_epochs=1000)
    trained.train()
    assert trained.interrupted and len(trained.loss_history) == 6
    assert all(np.isfinite(array).all() for array in trained.model.params.values())
    trained.num_epochs = 4
    trained.train()
    assert not trained.interrupted and trained.epoch == 4


def test_a_run_from_a_checkpoint_equals_one_without_a_break(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"num_val_samples": 2, "lr_decay": 0.9}
    whole = solver(data, **settings)
    whole.train()
    solver(data, num_epochs=3, checkpoint_name=tmp_path / "run", **settings).train()
    resumed = solver(data, **settings)
    resumed.load_checkpoint(tmp_path / "run_epoch_3.npz")
    resumed.train()
    assert resumed.loss_history == whole.loss_history
    assert resumed.val_loss_history == whole.val_loss_history
    for name, array in whole.model.params.items():
        np.testing.assert_array_equal(resumed.model.params[name], array)


def test_a_checkpoint_of_the_other_solver_is_refused(data: dict[str, np.ndarray], tmp_path: Path) -> None:
    net = model()
    other = Solver(
        net,
        {
            "X_train": np.zeros((1, 4)),
            "y_train": np.zeros(1, int),
            "X_val": np.zeros((1, 4)),
            "y_val": np.zeros(1, int),
        },
        update_rule="adam",
    )
    other.save_checkpoint(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="expected a checkpoint of CaptioningSolver, got no val_loss_history"):
        solver(data).load_checkpoint(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"update_rule": "sdg"}, "update_rule: expected one of .*got 'sdg'"),
        ({"num_val_samples": -1}, "num_val_samples >= 0, got -1"),
        ({"keep_best": True}, "keep_best: expected num_val_samples > 0 or None, got 0"),
        ({"batch_size": 0}, "batch_size >= 1, got 0"),
    ],
)
def test_bad_settings_are_named(data: dict[str, np.ndarray], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        solver(data, **settings)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"train_features": None}, {}, "got no train_features"),
        ({"train_image_idxs": np.zeros(2, int)}, {}, "at least 1, got 6 and 2"),
        ({"train_image_idxs": np.full(6, 3)}, {}, "train_image_idxs: expected numbers of images from 0 to 2.*3 to 3"),
        ({"val_captions": None}, {"num_val_samples": 1}, "got no val_captions"),
    ],
)
def test_bad_data_are_named(
    data: dict[str, np.ndarray], change: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    changed = {name: array for name, array in (data | change).items() if array is not None}
    with pytest.raises(ValueError, match=message):
        solver(changed, **settings)


def test_without_a_validation_its_data_may_be_missing(data: dict[str, np.ndarray]) -> None:
    solver({name: array for name, array in data.items() if name.startswith("train")}, num_epochs=1).train()
