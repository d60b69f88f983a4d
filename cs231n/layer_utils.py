r"""Layers that often follow each other, as one: forward in order, backward in the opposite order.

A composition has no derivation of its own. Its cache holds the caches of its layers, and its backward hands the
gradient from the last layer to the first: [the chain rule](../foundations/chain-rule.md), one factor a layer.
"""

from typing import Any, NamedTuple

import numpy as np

from cs231n.layers.affine import AffineCache, affine_backward, affine_forward
from cs231n.layers.batchnorm import BatchnormCache, batchnorm_backward_alt, batchnorm_forward
from cs231n.layers.layernorm import LayernormCache, layernorm_backward, layernorm_forward
from cs231n.layers.relu import ReluCache, relu_backward, relu_forward

__all__ = [
    "affine_bn_relu_backward",
    "affine_bn_relu_forward",
    "affine_ln_relu_backward",
    "affine_ln_relu_forward",
    "affine_relu_backward",
    "affine_relu_forward",
]

Gradients = tuple[np.ndarray, ...]


class AffineReluCache(NamedTuple):
    """The caches of the two layers."""

    affine: AffineCache
    relu: ReluCache


class AffineBnReluCache(NamedTuple):
    """The caches of the three layers."""

    affine: AffineCache
    batchnorm: BatchnormCache
    relu: ReluCache


class AffineLnReluCache(NamedTuple):
    """The caches of the three layers."""

    affine: AffineCache
    layernorm: LayernormCache
    relu: ReluCache


def affine_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, AffineReluCache]:
    r"""An affine layer, then a ReLU.

    Args:
        x: (N, d_1, …, d_k) a batch of N examples, each with D = d_1 ⋯ d_k features.
        w: (D, M) the weights.
        b: (M,) the biases.

    Returns:
        out: (N, M) the output of the ReLU.
        cache: what `affine_relu_backward` needs.

    >>> w = np.array([[1.0, -1.0, 2.0], [0.0, 1.0, -1.0]])
    >>> affine_relu_forward(np.array([[1.0, 3.0]]), w, b=np.zeros(3))[0]
    array([[1., 2., 0.]])
    """
    a, affine_cache = affine_forward(x, w, b)
    out, relu_cache = relu_forward(a)
    return out, AffineReluCache(affine_cache, relu_cache)


def affine_relu_backward(dout: np.ndarray, cache: AffineReluCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradients of an affine layer followed by a ReLU.

    Args:
        dout: (N, M) gradient of the loss with respect to the output of the ReLU.
        cache: what `affine_relu_forward` returned.

    Returns:
        dx: (N, d_1, …, d_k) gradient with respect to `x`.
        dw: (D, M) gradient with respect to `w`.
        db: (M,) gradient with respect to `b`.

    >>> w = np.array([[1.0, -1.0, 2.0], [0.0, 1.0, -1.0]])
    >>> _, cache = affine_relu_forward(np.array([[1.0, 3.0]]), w, b=np.zeros(3))
    >>> affine_relu_backward(np.array([[0.5, -2.0, 7.0]]), cache)[2]
    array([ 0.5, -2. ,  0. ])
    """
    da = relu_backward(dout, cache.relu)
    return affine_backward(da, cache.affine)


def affine_bn_relu_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict[str, Any]
) -> tuple[np.ndarray, AffineBnReluCache]:
    r"""An affine layer, then batch normalization, then a ReLU.

    Args:
        x: (N, d_1, …, d_k) a batch of N examples, each with D = d_1 ⋯ d_k features.
        w: (D, M) the weights.
        b: (M,) the biases; in training the normalization takes them away again.
        gamma: (M,) the scale of the normalization.
        beta: (M,) its shift.
        bn_param: its settings and running averages, as in `batchnorm_forward`.

    Returns:
        out: (N, M) the output of the ReLU.
        cache: what `affine_bn_relu_backward` needs.

    >>> x, w = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0, -1.0]])
    >>> out, _ = affine_bn_relu_forward(x, w, np.zeros(2), np.array([2.0, 1.0]), np.zeros(2), {"mode": "train"})
    >>> (out > 0).astype(int)
    array([[0, 1],
           [0, 1],
           [1, 0]])
    """
    a, affine_cache = affine_forward(x, w, b)
    z, batchnorm_cache = batchnorm_forward(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward(z)
    return out, AffineBnReluCache(affine_cache, batchnorm_cache, relu_cache)


def affine_bn_relu_backward(dout: np.ndarray, cache: AffineBnReluCache) -> Gradients:
    r"""Gradients of an affine layer followed by batch normalization and a ReLU.

    Args:
        dout: (N, M) gradient of the loss with respect to the output of the ReLU.
        cache: what `affine_bn_relu_forward` returned.

    Returns:
        dx: (N, d_1, …, d_k) gradient with respect to `x`.
        dw: (D, M) gradient with respect to `w`.
        db: (M,) gradient with respect to `b`; zero in training, up to rounding.
        dgamma: (M,) gradient with respect to `gamma`.
        dbeta: (M,) gradient with respect to `beta`.

    >>> x, w = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0, -1.0]])
    >>> _, cache = affine_bn_relu_forward(x, w, np.zeros(2), np.array([2.0, 1.0]), np.zeros(2), {"mode": "train"})
    >>> dx, dw, db, dgamma, dbeta = affine_bn_relu_backward(np.array([[1.0, 2.0], [3.0, 0.5], [-1.0, 4.0]]), cache)
    >>> abs(db).max() < 1e-12, dbeta
    (np.True_, array([-1. ,  2.5]))
    """
    dz = relu_backward(dout, cache.relu)
    da, dgamma, dbeta = batchnorm_backward_alt(dz, cache.batchnorm)
    dx, dw, db = affine_backward(da, cache.affine)
    return dx, dw, db, dgamma, dbeta


def affine_ln_relu_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, gamma: np.ndarray, beta: np.ndarray, ln_param: dict[str, Any]
) -> tuple[np.ndarray, AffineLnReluCache]:
    r"""An affine layer, then layer normalization, then a ReLU.

    Args:
        x: (N, d_1, …, d_k) a batch of N examples, each with D = d_1 ⋯ d_k features.
        w: (D, M) the weights.
        b: (M,) the biases.
        gamma: (M,) the scale of the normalization.
        beta: (M,) its shift.
        ln_param: its settings, as in `layernorm_forward`.

    Returns:
        out: (N, M) the output of the ReLU.
        cache: what `affine_ln_relu_backward` needs.

    >>> w = np.array([[1.0, -1.0, 3.0]])
    >>> out, _ = affine_ln_relu_forward(np.array([[1.0], [-2.0]]), w, np.zeros(3), np.full(3, 2.0), np.zeros(3), {})
    >>> (out > 0).astype(int)
    array([[0, 0, 1],
           [0, 1, 0]])
    """
    a, affine_cache = affine_forward(x, w, b)
    z, layernorm_cache = layernorm_forward(a, gamma, beta, ln_param)
    out, relu_cache = relu_forward(z)
    return out, AffineLnReluCache(affine_cache, layernorm_cache, relu_cache)


def affine_ln_relu_backward(dout: np.ndarray, cache: AffineLnReluCache) -> Gradients:
    r"""Gradients of an affine layer followed by layer normalization and a ReLU.

    Args:
        dout: (N, M) gradient of the loss with respect to the output of the ReLU.
        cache: what `affine_ln_relu_forward` returned.

    Returns:
        dx: (N, d_1, …, d_k) gradient with respect to `x`.
        dw: (D, M) gradient with respect to `w`.
        db: (M,) gradient with respect to `b`.
        dgamma: (M,) gradient with respect to `gamma`.
        dbeta: (M,) gradient with respect to `beta`.

    >>> w = np.array([[1.0, -1.0, 3.0]])
    >>> _, cache = affine_ln_relu_forward(np.array([[1.0], [-2.0]]), w, np.zeros(3), np.full(3, 2.0), np.zeros(3), {})
    >>> affine_ln_relu_backward(np.array([[1.0, 2.0, 0.5], [3.0, -1.0, 4.0]]), cache)[4]
    array([ 0. , -1. ,  0.5])
    """
    dz = relu_backward(dout, cache.relu)
    da, dgamma, dbeta = layernorm_backward(dz, cache.layernorm)
    dx, dw, db = affine_backward(da, cache.affine)
    return dx, dw, db, dgamma, dbeta
