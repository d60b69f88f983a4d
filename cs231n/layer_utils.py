r"""Layers that often follow each other, as one: forward in order, backward in the opposite order.

A composition has no derivation of its own. Its cache holds the caches of its layers, and its backward hands the
gradient from the last layer to the first: [the chain rule](../foundations/chain-rule.md), one factor a layer.
"""

from typing import Any, NamedTuple

import numpy as np

from cs231n.fast_layers import (
    ConvFastCache,
    MaxPoolFastCache,
    NormFastCache,
    batchnorm_backward_fast,
    batchnorm_forward_fast,
    conv_backward_fast,
    conv_forward_fast,
    layernorm_backward_fast,
    layernorm_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
    relu_backward_fast,
    relu_forward_fast,
)
from cs231n.layers.affine import AffineCache, affine_backward, affine_forward
from cs231n.layers.batchnorm import BatchnormCache
from cs231n.layers.layernorm import LayernormCache
from cs231n.layers.relu import ReluCache

__all__ = [
    "affine_bn_relu_backward",
    "affine_bn_relu_forward",
    "affine_ln_relu_backward",
    "affine_ln_relu_forward",
    "affine_relu_backward",
    "affine_relu_forward",
    "conv_relu_backward",
    "conv_relu_forward",
    "conv_relu_pool_backward",
    "conv_relu_pool_forward",
]

Gradients = tuple[np.ndarray, ...]


class AffineReluCache(NamedTuple):
    """The caches of the two layers."""

    affine: AffineCache
    relu: ReluCache


class AffineBnReluCache(NamedTuple):
    """The caches of the three layers."""

    affine: AffineCache
    batchnorm: BatchnormCache | NormFastCache
    relu: ReluCache


class AffineLnReluCache(NamedTuple):
    """The caches of the three layers."""

    affine: AffineCache
    layernorm: LayernormCache | NormFastCache
    relu: ReluCache


class ConvReluCache(NamedTuple):
    """The caches of the two layers."""

    conv: ConvFastCache
    relu: ReluCache


class ConvReluPoolCache(NamedTuple):
    """The caches of the three layers."""

    conv: ConvFastCache
    relu: ReluCache
    pool: MaxPoolFastCache


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
    out, relu_cache = relu_forward_fast(a)
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
    da = relu_backward_fast(dout, cache.relu)
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
    z, batchnorm_cache = batchnorm_forward_fast(a, gamma, beta, bn_param)
    out, relu_cache = relu_forward_fast(z)
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
    dz = relu_backward_fast(dout, cache.relu)
    da, dgamma, dbeta = batchnorm_backward_fast(dz, cache.batchnorm)
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
    z, layernorm_cache = layernorm_forward_fast(a, gamma, beta, ln_param)
    out, relu_cache = relu_forward_fast(z)
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
    dz = relu_backward_fast(dout, cache.relu)
    da, dgamma, dbeta = layernorm_backward_fast(dz, cache.layernorm)
    dx, dw, db = affine_backward(da, cache.affine)
    return dx, dw, db, dgamma, dbeta


def conv_relu_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict[str, Any]
) -> tuple[np.ndarray, ConvReluCache]:
    r"""A convolution, then a ReLU.

    Args:
        x: (N, C, H, W) N images of C channels.
        w: (F, C, R, Q) the kernels.
        b: (F,) their biases.
        conv_param: stride and padding, as in `conv_forward_naive`.

    Returns:
        out: (N, F, P, U) the output of the ReLU.
        cache: what `conv_relu_backward` needs.

    >>> x, w = np.array([[[[1.0, 3.0, 2.0]]]]), np.array([[[[1.0, -1.0]]]])
    >>> conv_relu_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})[0]
    array([[[[0., 1.]]]])
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    out, relu_cache = relu_forward_fast(a)
    return out, ConvReluCache(conv_cache, relu_cache)


def conv_relu_backward(dout: np.ndarray, cache: ConvReluCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradients of a convolution followed by a ReLU.

    Args:
        dout: (N, F, P, U) gradient of the loss with respect to the output of the ReLU.
        cache: what `conv_relu_forward` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dw: (F, C, R, Q) gradient with respect to `w`.
        db: (F,) gradient with respect to `b`.

    >>> x, w = np.array([[[[1.0, 3.0, 2.0]]]]), np.array([[[[1.0, -1.0]]]])
    >>> _, cache = conv_relu_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0})
    >>> conv_relu_backward(np.array([[[[5.0, 7.0]]]]), cache)[0]
    array([[[[ 0.,  7., -7.]]]])
    """
    da = relu_backward_fast(dout, cache.relu)
    return conv_backward_fast(da, cache.conv)


def conv_relu_pool_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict[str, Any], pool_param: dict[str, Any]
) -> tuple[np.ndarray, ConvReluPoolCache]:
    r"""A convolution, then a ReLU, then max pooling.

    Args:
        x: (N, C, H, W) N images of C channels.
        w: (F, C, R, Q) the kernels.
        b: (F,) their biases.
        conv_param: stride and padding, as in `conv_forward_naive`.
        pool_param: window and stride of the pooling, as in `max_pool_forward_naive`.

    Returns:
        out: (N, F, P, U) the pooled images.
        cache: what `conv_relu_pool_backward` needs.

    >>> x, w = np.array([[[[1.0, 3.0, 2.0]]]]), np.array([[[[1.0, -1.0]]]])
    >>> pool_param = {"pool_height": 1, "pool_width": 2, "stride": 2}
    >>> conv_relu_pool_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0}, pool_param)[0]
    array([[[[1.]]]])
    """
    a, conv_cache = conv_forward_fast(x, w, b, conv_param)
    z, relu_cache = relu_forward_fast(a)
    out, pool_cache = max_pool_forward_fast(z, pool_param)
    return out, ConvReluPoolCache(conv_cache, relu_cache, pool_cache)


def conv_relu_pool_backward(dout: np.ndarray, cache: ConvReluPoolCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradients of a convolution followed by a ReLU and max pooling.

    Args:
        dout: (N, F, P, U) gradient of the loss with respect to the pooled images.
        cache: what `conv_relu_pool_forward` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dw: (F, C, R, Q) gradient with respect to `w`.
        db: (F,) gradient with respect to `b`.

    >>> x, w = np.array([[[[1.0, 3.0, 2.0]]]]), np.array([[[[1.0, -1.0]]]])
    >>> pool_param = {"pool_height": 1, "pool_width": 2, "stride": 2}
    >>> _, cache = conv_relu_pool_forward(x, w, np.zeros(1), {"stride": 1, "pad": 0}, pool_param)
    >>> conv_relu_pool_backward(np.array([[[[7.0]]]]), cache)[1]
    array([[[[21., 14.]]]])
    """
    dz = max_pool_backward_fast(dout, cache.pool)
    da = relu_backward_fast(dz, cache.relu)
    return conv_backward_fast(da, cache.conv)
