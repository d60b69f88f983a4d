r"""Global response normalization: scale every channel by its share of the response of all channels.

Derivation: [Global response normalization](../layers/grn.md)
"""

from typing import NamedTuple

import numpy as np


class GrnCache(NamedTuple):
    """What the backward needs: the input, the norm of each channel, and the mean of these norms plus ε."""

    x: np.ndarray
    g: np.ndarray
    s: np.ndarray
    gamma: np.ndarray


def grn_forward(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, grn_param: dict) -> tuple[np.ndarray, GrnCache]:
    r"""Multiply each channel by its norm over the image divided by the mean norm of all channels; add the input.

    With `gamma` and `beta` at 0, where they start, the layer returns its input.

    Derivation: [Global response normalization](../layers/grn.md)

    Source: Woo et al., ConvNeXt V2, CVPR 2023, section 4 and algorithm 1. The text of the paper divides by the sum of
    the norms, its code by their mean; this follows the code.

    Args:
        x: (N, H, W, C) a batch of images, the channels last.
        gamma: (C,) how much of the normalized input is added to each channel.
        beta: (C,) the shift of each channel.
        grn_param: a dictionary that may hold `eps` (added to the mean norm, 1e-6).

    Returns:
        out: (N, H, W, C).
        cache: what `grn_backward` needs.

    Raises:
        ValueError: wrong shape or key, or an array that does not hold real numbers.

    >>> x = np.array([[3.0, 1.0], [4.0, 0.0]]).reshape(1, 2, 1, 2)
    >>> out, cache = grn_forward(x, np.array([1.0, 1.0]), np.zeros(2), {"eps": 0.0})
    >>> out.reshape(2, 2).round(3)
    array([[ 8.   ,  1.333],
           [10.667,  0.   ]])
    """
    for name, array in (("x", x), ("gamma", gamma), ("beta", beta)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 4 or x.shape[3] == 0:
        raise ValueError(f"expected x of shape (N, H, W, C) with C >= 1, got {x.shape}")
    if unknown := set(grn_param) - {"eps"}:
        raise ValueError(f"grn_param: expected eps, got {sorted(unknown)}")
    for name, array in (("gamma", gamma), ("beta", beta)):
        if array.shape != x.shape[3:]:
            raise ValueError(
                f"expected {name} of shape {x.shape[3:]}, one number for each channel of x, got {array.shape}"
            )
    eps = x.dtype.type(grn_param.get("eps", 1e-6))

    g = np.sqrt((x**2).sum(axis=(1, 2), keepdims=True))
    s = g.mean(axis=3, keepdims=True) + eps
    out = gamma * (x * (g / s)) + beta + x
    return out, GrnCache(x, g, s, gamma)


def grn_backward(dout: np.ndarray, cache: GrnCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients. All channels share the mean norm, so the gradient that passes through it is summed over channels.

    A channel that is 0 everywhere sits at the tip of the norm, where there is no derivative; its slope is taken as 0.

    Derivation: [Global response normalization](../layers/grn.md)

    Source: Woo et al. (2023), algorithm 1, differentiated.

    Args:
        dout: (N, H, W, C) gradient of the loss with respect to `out`.
        cache: what `grn_forward` returned.

    Returns:
        dx: (N, H, W, C) gradient with respect to `x`.
        dgamma: (C,) gradient with respect to `gamma`.
        dbeta: (C,) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[3.0, 1.0], [4.0, 0.0]]).reshape(1, 2, 1, 2)
    >>> _, cache = grn_forward(x, np.zeros(2), np.zeros(2), {})
    >>> dx, dgamma, dbeta = grn_backward(np.array([[0.5, 1.0], [2.0, -3.0]]).reshape(1, 2, 1, 2), cache)
    >>> dx.reshape(2, 2), dbeta
    (array([[ 0.5,  1. ],
           [ 2. , -3. ]]), array([ 2.5, -2. ]))
    """
    x, g, s, gamma = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x.shape:
        raise ValueError(f"expected dout of shape {x.shape}, got {dout.shape}")

    r = g / s
    response = (dout * x).sum(axis=(1, 2), keepdims=True)
    dbeta = dout.sum(axis=(0, 1, 2))
    dgamma = (response * r).sum(axis=(0, 1, 2))

    dr = gamma * response
    ds = -(dr * r).sum(axis=3, keepdims=True) / s  # over all channels: each of them was divided by s
    dg = dr / s + ds / x.shape[3]
    dx = dout * (1 + gamma * r) + dg * (x / np.where(g == 0, 1, g))
    return dx, dgamma, dbeta
