from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet
from cs231n.gradient_check import eval_numerical_gradient
from cs231n.visualization import compute_saliency_maps, right_scores, saliency_maps, scores_and_backward

SHAPE, C = (2, 4, 6), 3


def networks(dtype: type = np.float64) -> dict[str, Any]:
    sizes: dict[str, Any] = {"input_dim": int(np.prod(SHAPE)), "num_classes": C, "weight_scale": 0.5, "dtype": dtype}
    return {
        "two layers": TwoLayerNet(sizes["input_dim"], 5, C, weight_scale=0.5, rng=0),
        "no hidden layer": FullyConnectedNet([], **sizes, rng=0),
        "deep": FullyConnectedNet([7, 5], **sizes, rng=0),
        "dropout": FullyConnectedNet([7, 5], **sizes, dropout_keep_ratio=0.5, rng=0),
        "batchnorm": FullyConnectedNet([7, 5], **sizes, normalization="batchnorm", rng=0),
        "layernorm": FullyConnectedNet([7, 5], **sizes, normalization="layernorm", rng=0),
        "cnn": ThreeLayerConvNet(SHAPE, 3, 3, 5, C, 0.5, dtype=dtype, rng=0),
    }


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, *SHAPE)), np.array([2, 0, 1, 2])


def through(net: Any) -> Any:
    return lambda X: scores_and_backward(net, X)


@pytest.mark.parametrize("name", networks())
def test_the_way_back_to_the_input_agrees_with_differences(name: str) -> None:
    net = networks()[name]
    X, _ = draw()
    if name == "batchnorm":
        net.loss(X, np.array([2, 0, 1, 2]))  # moves the running averages away from where they start
    dscores = np.random.default_rng(1).normal(size=(4, C))
    scores, backward = scores_and_backward(net, X)
    np.testing.assert_allclose(scores, net.loss(X))
    numeric = eval_numerical_gradient(lambda x: float((net.loss(x) * dscores).sum()), X.copy())
    np.testing.assert_allclose(backward(dscores), numeric, rtol=1e-5, atol=1e-7)


def test_the_network_is_not_changed() -> None:
    net = networks()["batchnorm"]
    before = [{name: np.array(value) for name, value in param.items()} for param in net.bn_params]
    X, y = draw()
    compute_saliency_maps(X, y, through(net))
    for now, then in zip(net.bn_params, before, strict=True):
        assert now.keys() == then.keys()
        assert all(np.array_equal(now[name], then[name]) for name in now)


def test_what_is_no_network_is_named() -> None:
    with pytest.raises(ValueError, match="a network with the parameters W1, b1, …, got dict"):
        scores_and_backward({}, np.zeros((1, 2)))


def test_two_calls_give_the_same_map() -> None:
    """Wishes no. 7: gradients added up, and the second map was twice the first."""
    X, y = draw()
    X.flags.writeable = False
    net = networks()["cnn"]
    first = compute_saliency_maps(X, y, through(net))
    assert np.array_equal(first, compute_saliency_maps(X, y, through(net)))
    assert first.shape == (4, *SHAPE[1:]) and (first >= 0).all() and first.any()


def test_a_map_does_not_depend_on_the_other_images() -> None:
    X, y = draw()
    net = networks()["deep"]
    together = compute_saliency_maps(X, y, through(net))
    for i in range(len(X)):
        np.testing.assert_allclose(together[i : i + 1], compute_saliency_maps(X[i : i + 1], y[i : i + 1], through(net)))


def test_the_score_may_be_negative_or_zero_and_is_not_divided_by() -> None:
    """Wishes no. 5: −log of the raw score divided the map by the score, and was NaN below zero."""
    X, y = draw()
    net = networks()["two layers"]
    maps = compute_saliency_maps(X, y, through(net))
    for shift in (-1000.0, 1000.0, -float(net.loss(X)[0, y[0]])):
        net.params["b2"] = net.params["b2"] + shift
        np.testing.assert_allclose(compute_saliency_maps(X, y, through(net)), maps)
        net.params["b2"] = net.params["b2"] - shift


def test_right_scores_are_a_sum_and_their_gradient_has_ones() -> None:
    scores = np.array([[1.0, -4.0, 2.0], [3.0, 0.5, 0.0]])
    total, dscores = right_scores(scores, np.array([2, 1]))
    assert total == 2.5
    np.testing.assert_array_equal(dscores, [[0, 0, 1], [0, 1, 0]])


def test_the_largest_channel_counts_with_its_sign_taken_off() -> None:
    dX = np.array([[[[1.0, 0.0]], [[-5.0, -0.5]], [[2.0, 0.25]]]])
    np.testing.assert_array_equal(saliency_maps(dX), [[[5.0, 0.5]]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype: type) -> None:
    scores = np.ones((2, 3), dtype)
    assert right_scores(scores, np.array([0, 1]))[1].dtype == dtype
    assert saliency_maps(np.ones((1, 2, 3), dtype)).dtype == dtype
    if dtype is np.float32:
        X, y = draw()
        assert compute_saliency_maps(X, y, through(networks(dtype)["cnn"])).dtype == dtype


@pytest.mark.parametrize(
    ("scores", "y", "message"),
    [
        (np.zeros((2, 3), int), np.array([0, 1]), "scores: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3), np.array([0]), r"scores of shape \(N, C\), got \(3,\)"),
        (np.zeros((2, 3)), np.array([0]), r"y of shape \(2,\) with integers, got shape \(1,\)"),
        (np.zeros((2, 3)), np.array([0.0, 1.0]), "with integers, got shape .* of float64"),
        (np.zeros((2, 3)), np.array([0, 3]), "labels from 0 to 2, got 0 to 3"),
        (np.zeros((2, 3)), np.array([-1, 0]), "labels from 0 to 2, got -1 to 0"),
    ],
)
def test_bad_input_is_named(scores: np.ndarray, y: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        right_scores(scores, y)


def test_a_bad_gradient_is_named() -> None:
    with pytest.raises(ValueError, match=r"dX of shape \(N, C, \.\.\.\) with C >= 1, got \(2, 0, 3\)"):
        saliency_maps(np.zeros((2, 0, 3)))
    with pytest.raises(ValueError, match="dX: expected real floating-point numbers, got dtype bool"):
        saliency_maps(np.zeros((2, 1), bool))
