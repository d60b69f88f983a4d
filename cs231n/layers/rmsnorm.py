r"""Root mean square normalization: divide every example by the root mean square of its features, then scale.

Derivation: [RMS normalization](../layers/rmsnorm.md)
"""

from typing import NamedTuple

import numpy as np


class RmsnormCache(NamedTuple):
    """What the backward needs; `rrms` holds one inverse root mean square for each example, with ε inside the root."""

    x_hat: np.ndarray
    rrms: np.ndarray
    gamma: np.ndarray


def rmsnorm_forward(x: np.ndarray, gamma: np.ndarray, rms_param: dict) -> tuple[np.ndarray, RmsnormCache]:
    r"""Divide each row of `x` by its root mean square, then scale its features by `gamma`.

    No mean is subtracted and no shift is added: this is layer normalization without its two additive parts.

    Derivation: [RMS normalization](../layers/rmsnorm.md)

    Source: Zhang & Sennrich, Root mean square layer normalization, NeurIPS 2019, equation (4); the ε is not in it.

    Args:
        x: (N, D), or (…, D) with any axes in front: D features of each example.
        gamma: (D,) the scale of each feature.
        rms_param: a dictionary that may hold `eps` (added to the mean square, 1e-5).

    Returns:
        out: the shape of `x`, normalized over the last axis and scaled.
        cache: what `rmsnorm_backward` needs.

    Raises:
        ValueError: wrong shape or key, or an array that does not hold real numbers.

    >>> x = np.array([[1.0, -1.0, 1.0], [3.0, 0.0, 4.0]])
    >>> out, cache = rmsnorm_forward(x, np.array([1.0, 1.0, 2.0]), {"eps": 0.0})
    >>> out.round(3)
    array([[ 1.   , -1.   ,  2.   ],
           [ 1.039,  0.   ,  2.771]])
    """
    for name, array in (("x", x), ("gamma", gamma)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"expected x of shape (..., D) with D >= 1, got {x.shape}")
    if unknown := set(rms_param) - {"eps"}:
        raise ValueError(f"rms_param: expected eps, got {sorted(unknown)}")
    if gamma.shape != x.shape[-1:]:
        raise ValueError(f"expected gamma of shape {x.shape[-1:]}, one number for each feature of x, got {gamma.shape}")
    eps = x.dtype.type(rms_param.get("eps", 1e-5))

    ms = (x**2).mean(axis=-1, keepdims=True)
    rrms = 1 / np.sqrt(ms + eps)
    x_hat = x * rrms
    out = gamma * x_hat
    return out, RmsnormCache(x_hat, rrms, gamma)


def rmsnorm_backward(dout: np.ndarray, cache: RmsnormCache) -> tuple[np.ndarray, np.ndarray]:
    r"""The gradients, of the input and of the scale.

    Derivation: [RMS normalization](../layers/rmsnorm.md)

    Source: Zhang & Sennrich (2019), section 4.2.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `rmsnorm_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[1.0, -1.0, 1.0], [3.0, 0.0, 4.0]])
    >>> _, cache = rmsnorm_forward(x, np.array([1.0, 1.0, 2.0]), {"eps": 0.0})
    >>> dx, dgamma = rmsnorm_backward(np.array([[0.5, 0.0, 1.0], [2.0, -3.0, 1.0]]), cache)
    >>> (dx * x).sum(axis=1).round(12) + 0, dgamma.shape
    (array([0., 0.]), (3,))
    """
    x_hat, rrms, gamma = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    dgamma = (dout * x_hat).sum(axis=tuple(range(dout.ndim - 1)))
    dx_hat = dout * gamma
    along = (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = rrms * (dx_hat - x_hat * along)
    return dx, dgamma
