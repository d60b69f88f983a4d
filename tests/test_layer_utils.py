"""Compositions: each is its layers in order, and its gradients are those of the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cs231n import layer_utils
from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers import (
    affine_forward,
    batchnorm_backward_alt,
    batchnorm_forward,
    conv_forward_naive,
    layernorm_backward,
    layernorm_forward,
    max_pool_forward_naive,
    relu_forward,
)

N, SHAPE, D, M = 5, (2, 3), 6, 4

RUNNING = {"running_mean": np.array([0.5, -1.0, 2.0, 0.0]), "running_var": np.array([0.7, 1.5, 2.0, 0.3])}

#: name, a setting for each composition with a normalization
CASES: list[Any] = [
    pytest.param("affine_relu", None, id="affine_relu"),
    pytest.param("affine_bn_relu", {"mode": "train"}, id="affine_bn_relu train"),
    pytest.param("affine_bn_relu", {"mode": "test", **RUNNING}, id="affine_bn_relu test"),
    pytest.param("affine_ln_relu", {"eps": 1e-3}, id="affine_ln_relu"),
]


@pytest.fixture
def inputs(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "x": rng.normal(size=(N, *SHAPE)),
        "w": rng.normal(size=(D, M)),
        "b": rng.normal(size=M),
        "gamma": rng.normal(size=M) + 2,
        "beta": rng.normal(size=M),
    }


def names(setting: dict[str, Any] | None) -> list[str]:
    return ["x", "w", "b"] if setting is None else ["x", "w", "b", "gamma", "beta"]


def forward(name: str, inputs: dict[str, np.ndarray], setting: dict[str, Any] | None) -> tuple[np.ndarray, Any]:
    settings = () if setting is None else (dict(setting),)  # batch normalization writes into it
    return getattr(layer_utils, f"{name}_forward")(*(inputs[n] for n in names(setting)), *settings)


def check(name: str, inputs: dict[str, np.ndarray], setting: dict[str, Any] | None, dout: np.ndarray) -> None:
    out, cache = forward(name, inputs, setting)
    assert (out == 0).any() and (out > 0).any()  # both sides of the bend
    gradients = getattr(layer_utils, f"{name}_backward")(dout, cache)
    assert len(gradients) == len(names(setting))
    for changed, gradient in zip(names(setting), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: forward(name, inputs, setting)[0], inputs[changed], dout)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8, err_msg=f"d{changed}")


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_gradients_agree_with_differences(
    name: str, setting: dict[str, Any] | None, inputs: dict[str, np.ndarray], upstream: Callable[..., np.ndarray]
) -> None:
    check(name, inputs, setting, upstream(N, M))


@pytest.mark.parametrize("swapped", [False, True])
def test_the_wrong_normalization_backward_is_noticed(
    swapped: bool,
    inputs: dict[str, np.ndarray],
    upstream: Callable[..., np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in the text that this project came from: the backward of batchnorm, on a cache of layernorm."""

    def wrong(dout: np.ndarray, cache: Any) -> Any:
        return batchnorm_backward_alt(dout, (*cache, "train"))

    if not swapped:
        check("affine_ln_relu", inputs, {}, upstream(N, M))
        return
    monkeypatch.setattr(layer_utils, "layernorm_backward_fast", wrong)
    with pytest.raises(AssertionError, match="dx"):
        check("affine_ln_relu", inputs, {}, upstream(N, M))


def test_forwards_are_the_layers_in_order(inputs: dict[str, np.ndarray]) -> None:
    a, _ = affine_forward(inputs["x"], inputs["w"], inputs["b"])
    gamma, beta = inputs["gamma"], inputs["beta"]
    expected = {
        "affine_relu": (a, None),
        "affine_bn_relu": (batchnorm_forward(a, gamma, beta, {"mode": "train"})[0], {"mode": "train"}),
        "affine_ln_relu": (layernorm_forward(a, gamma, beta, {})[0], {}),
    }
    for name, (before_relu, setting) in expected.items():
        np.testing.assert_array_equal(forward(name, inputs, setting)[0], relu_forward(before_relu)[0])  # type: ignore[arg-type]


def test_layernorm_caches_go_to_the_layernorm_backward(
    inputs: dict[str, np.ndarray], upstream: Callable[..., np.ndarray]
) -> None:
    dout = upstream(N, M)
    _, cache = forward("affine_ln_relu", inputs, {})
    dz = np.where(cache.relu.x > 0, dout, 0)
    _, dgamma, dbeta = layernorm_backward(dz, cache.layernorm)
    gradients = layer_utils.affine_ln_relu_backward(dout, cache)
    np.testing.assert_array_equal(gradients[3], dgamma)
    np.testing.assert_array_equal(gradients[4], dbeta)


def test_running_averages_reach_the_callers_dictionary(inputs: dict[str, np.ndarray]) -> None:
    bn_param: dict[str, Any] = {"mode": "train"}
    layer_utils.affine_bn_relu_forward(*inputs.values(), bn_param)
    assert bn_param["running_mean"].shape == bn_param["running_var"].shape == (M,)


@pytest.mark.parametrize(("name", "setting"), CASES)
def test_float32_stays_float32(
    name: str, setting: dict[str, Any] | None, inputs: dict[str, np.ndarray], upstream: Callable[..., np.ndarray]
) -> None:
    single = {n: array.astype(np.float32) for n, array in inputs.items()}
    out, cache = forward(name, single, setting)
    gradients = getattr(layer_utils, f"{name}_backward")(upstream(N, M, dtype=np.float32), cache)
    assert {array.dtype for array in (out, *gradients)} == {np.dtype(np.float32)}


CONV_PARAM = {"stride": 1, "pad": 1}
POOL_PARAM = {"pool_height": 3, "pool_width": 2, "stride": 2}  # windows overlap, and a row is left over
CONVOLUTIONS: list[Any] = [
    pytest.param("conv_relu", (CONV_PARAM,), id="conv_relu"),
    pytest.param("conv_relu_pool", (CONV_PARAM, POOL_PARAM), id="conv_relu_pool"),
]


@pytest.fixture
def images(rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.normal(size=shape) for shape in ((2, 3, 8, 7), (4, 3, 3, 2), (4,))]


@pytest.mark.parametrize(("name", "settings"), CONVOLUTIONS)
def test_convolutions_agree_with_differences(
    name: str,
    settings: tuple[dict[str, int], ...],
    images: list[np.ndarray],
    upstream: Callable[..., np.ndarray],
) -> None:
    forward, backward = (getattr(layer_utils, f"{name}_{way}") for way in ("forward", "backward"))
    out, cache = forward(*images, *settings)
    x, w, b = images
    expected = relu_forward(conv_forward_naive(x, w, b, CONV_PARAM)[0])[0]
    if len(settings) == 2:
        expected = max_pool_forward_naive(expected, POOL_PARAM)[0]
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
    dout = upstream(*out.shape)
    for array, gradient in zip(images, backward(dout, cache), strict=True):
        numeric = eval_numerical_gradient_array(lambda _: forward(*images, *settings)[0], array, dout)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "settings"), CONVOLUTIONS)
def test_convolutions_keep_float32(
    name: str,
    settings: tuple[dict[str, int], ...],
    images: list[np.ndarray],
    upstream: Callable[..., np.ndarray],
) -> None:
    out, cache = getattr(layer_utils, f"{name}_forward")(*(a.astype(np.float32) for a in images), *settings)
    gradients = getattr(layer_utils, f"{name}_backward")(upstream(*out.shape, dtype=np.float32), cache)
    assert {array.dtype for array in (out, *gradients)} == {np.dtype(np.float32)}


def test_the_module_states_what_a_star_import_brings() -> None:
    public = {n for n in vars(layer_utils) if n.endswith(("_forward", "_backward")) and n.count("_") > 1}
    assert {n for n in public if getattr(layer_utils, n).__module__ == layer_utils.__name__} == set(layer_utils.__all__)
