from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cs231n.classifiers.fc_net import TwoLayerNet
from cs231n.visualization import make_fooling_image, normalized_step, scores_and_backward


@pytest.mark.parametrize("shape", [(6,), (1, 2, 3), (2, 1)])
@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_the_step_has_the_asked_length_and_the_direction_of_the_gradient(shape: tuple[int, ...], scale: float) -> None:
    g = np.random.default_rng(0).normal(size=shape)
    step = normalized_step(scale * g, 0.3)
    assert np.linalg.norm(step) == pytest.approx(0.3)
    np.testing.assert_allclose(step / 0.3, g / np.linalg.norm(g))


@pytest.mark.parametrize("shape", [(3,), (0,), (1, 2, 2)])
def test_no_step_where_the_gradient_is_zero(shape: tuple[int, ...]) -> None:
    """Wishes no. 7: 0/0 made every pixel NaN."""
    step = normalized_step(np.zeros(shape), 1.0)
    assert step.shape == shape and not step.any() and not np.isnan(step).any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype: type) -> None:
    g = np.array([300.0, -400.0], dtype)  # the sum of the squares is too large for float16
    step = normalized_step(g, np.float64(5))
    assert step.dtype == dtype
    np.testing.assert_allclose(step, [3, -4], rtol=1e-2)


def linear(W: np.ndarray) -> Any:
    return lambda X: (X @ W, lambda dscores: dscores @ W.T)


def test_it_stops_as_soon_as_the_target_is_ahead_and_leaves_the_image_alone() -> None:
    X = np.array([[2.0, 0.5]])
    X.flags.writeable = False
    fooling, steps = make_fooling_image(X, 1, linear(np.eye(2)), learning_rate=0.25)
    assert steps == 7  # 0.5 + 6 · 0.25 is no more than 2; a tie goes to the first class
    np.testing.assert_allclose(fooling, [[2, 2.25]])


def test_an_image_that_is_already_there_is_not_changed_but_copied() -> None:
    X = np.array([[2.0, 0.5]])
    fooling, steps = make_fooling_image(X, 0, linear(np.eye(2)))
    assert steps == 0 and np.array_equal(fooling, X) and fooling is not X


def test_it_gives_up_after_so_many_steps() -> None:
    fooling, steps = make_fooling_image(np.array([[9.0, 0.0]]), 1, linear(np.eye(2)), max_steps=3)
    assert steps == 3
    np.testing.assert_allclose(fooling, [[9, 3]])


def test_a_network_that_ignores_its_input_gives_no_nan() -> None:
    X = np.ones((1, 4))
    fooling, steps = make_fooling_image(X, 1, lambda x: (np.array([[1.0, 0.0]]), lambda _: np.zeros_like(x)))
    assert steps == 0 and np.array_equal(fooling, X)


def test_every_class_of_a_network_can_be_reached() -> None:
    net = TwoLayerNet(12, 20, 4, weight_scale=0.5, rng=0)
    X = np.random.default_rng(1).normal(size=(1, 3, 4))
    for target in range(4):
        fooling, steps = make_fooling_image(X, target, lambda x: scores_and_backward(net, x), 0.1, 500)
        assert steps < 500 and net.loss(fooling).argmax() == target
        assert np.linalg.norm(fooling - X) <= 0.1 * steps + 1e-12


@pytest.mark.parametrize(
    ("X", "target", "message"),
    [
        (np.zeros((2, 2)), 0, r"one image, X of shape \(1, \.\.\.\), got \(2, 2\)"),
        (np.zeros((1, 2)), 2, "target_y from 0 to 1, got 2"),
        (np.zeros((1, 2)), -1, "target_y from 0 to 1, got -1"),
    ],
)
def test_bad_input_is_named(X: np.ndarray, target: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_fooling_image(X, target, linear(np.eye(2)))


def test_a_gradient_of_integers_is_named() -> None:
    with pytest.raises(ValueError, match="g: expected real floating-point numbers, got dtype int64"):
        normalized_step(np.array([3, 4]), 1.0)
