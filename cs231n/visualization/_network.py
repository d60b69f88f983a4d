r"""The way back to the input, for the networks of this book, whose `loss` stops at the weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cs231n.layer_utils import (
    affine_bn_relu_backward,
    affine_bn_relu_forward,
    affine_ln_relu_backward,
    affine_ln_relu_forward,
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from cs231n.layers import affine_backward, affine_forward

Backward = Callable[[np.ndarray], np.ndarray]

_HIDDEN: dict[str | None, tuple[Callable[..., Any], Callable[..., Any]]] = {
    None: (affine_relu_forward, affine_relu_backward),
    "batchnorm": (affine_bn_relu_forward, affine_bn_relu_backward),
    "layernorm": (affine_ln_relu_forward, affine_ln_relu_backward),
}


def scores_and_backward(model: Any, X: np.ndarray) -> tuple[np.ndarray, Backward]:
    r"""The scores of a batch in test mode, and the function that takes a gradient from the scores back to the input.

    The layers are those of the forward pass in the opposite order; of each, only the gradient of the input is kept. The
    network is not changed, and nothing is added up between two calls.

    Derivation: [Saliency maps](../visualization/saliency.md)

    Args:
        model: a `TwoLayerNet`, `FullyConnectedNet` or `ThreeLayerConvNet`; batch normalization uses its running
            averages, and dropout is off.
        X: (N, …) a batch of N examples of the model; it is computed in the dtype of the parameters.

    Returns:
        scores: (N, C).
        backward: takes `dscores` of the shape of `scores` to `dX` of the shape of `X`.

    Raises:
        ValueError: the model is none of these.

    >>> from cs231n.classifiers.fc_net import TwoLayerNet
    >>> scores, backward = scores_and_backward(TwoLayerNet(4, 3, 2, rng=0), np.ones((5, 4)))
    >>> scores.shape, backward(np.ones((5, 2))).shape
    ((5, 2), (5, 4))
    """
    params = getattr(model, "params", None)
    if not isinstance(params, dict) or "W1" not in params:
        raise ValueError(f"expected a network with the parameters W1, b1, …, got {type(model).__name__}")
    h = X.astype(params["W1"].dtype, copy=False) if X.dtype.kind == "f" else X
    steps: list[tuple[Callable[..., Any], Any]] = []
    cache: Any

    if hasattr(model, "conv_param"):
        h, cache = conv_relu_pool_forward(h, params["W1"], params["b1"], model.conv_param, model.pool_param)
        steps.append((conv_relu_pool_backward, cache))
        h, cache = affine_relu_forward(h, params["W2"], params["b2"])
        steps.append((affine_relu_backward, cache))
        last = 3
    else:
        last = max(i for i in range(1, len(params) + 1) if f"W{i}" in params)
        kind = getattr(model, "normalization", None)
        forward, back = _HIDDEN[kind]
        for i in range(1, last):
            arguments = [params[f"W{i}"], params[f"b{i}"]]
            if kind is not None:
                arguments += [params[f"gamma{i}"], params[f"beta{i}"], {**model.bn_params[i - 1]}]
            if kind == "batchnorm":
                arguments[-1]["mode"] = "test"
            h, cache = forward(h, *arguments)
            steps.append((back, cache))
    scores, cache = affine_forward(h, params[f"W{last}"], params[f"b{last}"])
    steps.append((affine_backward, cache))

    def backward(dscores: np.ndarray) -> np.ndarray:
        dh = dscores
        for back, cache in reversed(steps):
            dh = back(dh, cache)[0]
        return dh

    return scores, backward
