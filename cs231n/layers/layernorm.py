r"""Layer normalization: give every example mean 0 and variance 1 over its features, then scale and shift.

Derivation: [Layer normalization](../layers/layernorm.md)
"""

from typing import NamedTuple

import numpy as np


class LayernormCache(NamedTuple):
    """What the backward needs; `rstd` holds one number for each example, with ε inside the root."""

    x_hat: np.ndarray
    rstd: np.ndarray
    gamma: np.ndarray


def layernorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, ln_param: dict
) -> tuple[np.ndarray, LayernormCache]:
    r"""Normalize each row of `x`, then scale its features by `gamma` and shift them by `beta`.

    An example is normalized by its own numbers only, so training and test are the same, and nothing is averaged over
    the batch.

    Derivation: [Layer normalization](../layers/layernorm.md)

    Source: Ba, Kiros & Hinton, Layer normalization, 2016, equation (3).

    Args:
        x: (N, D), or (…, D) with any axes in front: D features of each example.
        gamma: (D,) the scale of each feature.
        beta: (D,) the shift of each feature.
        ln_param: a dictionary that may hold `eps` (added to the variance, 1e-5).

    Returns:
        out: the shape of `x`, normalized over the last axis, scaled and shifted.
        cache: what `layernorm_backward` needs.

    Raises:
        ValueError: wrong shape or key, or an array that does not hold real numbers.

    >>> x = np.array([[1.0, 2.0, 6.0, 3.0], [10.0, 30.0, 50.0, 70.0]])
    >>> out, cache = layernorm_forward(x, np.ones(4), np.zeros(4), {"eps": 1e-9})
    >>> out.mean(axis=1).round(6) + 0, out.std(axis=1).round(6)
    (array([0., 0.]), array([1., 1.]))
    """
    for name, array in (("x", x), ("gamma", gamma), ("beta", beta)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"expected x of shape (..., D) with D >= 1, got {x.shape}")
    if unknown := set(ln_param) - {"eps"}:
        raise ValueError(f"ln_param: expected eps, got {sorted(unknown)}")
    D = x.shape[-1]
    for name, array in (("gamma", gamma), ("beta", beta)):
        if array.shape != (D,):
            raise ValueError(f"expected {name} of shape {(D,)}, one number for each feature of x, got {array.shape}")
    eps = x.dtype.type(ln_param.get("eps", 1e-5))

    c = x - x.mean(axis=-1, keepdims=True)  # centre before squaring: mean(x²) − mean(x)² cancels for a large mean
    c = c - c.mean(axis=-1, keepdims=True)  # 0 but for the rounding of the mean, which can exceed the spread
    var = (c**2).mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(var + eps)
    x_hat = c * rstd
    out = gamma * x_hat + beta
    return out, LayernormCache(x_hat, rstd, gamma)


def layernorm_backward(dout: np.ndarray, cache: LayernormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients. For `dx` the sums run over the features of a row and contain `gamma`, which varies along them.

    For `dgamma` and `dbeta` they run over the examples.

    Derivation: [Layer normalization](../layers/layernorm.md)

    Source: Ba, Kiros & Hinton (2016), equation (3), differentiated.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `layernorm_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.
        dbeta: (D,) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[1.0, 2.0, 6.0], [10.0, 30.0, 50.0]])
    >>> _, cache = layernorm_forward(x, np.array([1.0, 2.0, -1.0]), np.zeros(3), {})
    >>> dx, dgamma, dbeta = layernorm_backward(np.array([[0.1, -1.0, 0.5], [0.7, 2.0, -0.5]]), cache)
    >>> dx.sum(axis=1).round(12) + 0, dbeta
    (array([0., 0.]), array([0.8, 1. , 0. ]))
    """
    x_hat, rstd, gamma = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    examples = tuple(range(dout.ndim - 1))
    dbeta = dout.sum(axis=examples)
    dgamma = (dout * x_hat).sum(axis=examples)

    dx_hat = dout * gamma
    mean = dx_hat.mean(axis=-1, keepdims=True)
    along = (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = rstd * (dx_hat - mean - x_hat * along)
    return dx, dgamma, dbeta
