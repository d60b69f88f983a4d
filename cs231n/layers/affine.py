r"""The affine (fully connected) layer: every output is a weighted sum of all inputs, plus a bias.

Derivation: [Affine layer](../layers/affine.md)
"""

from typing import NamedTuple

import numpy as np


class AffineCache(NamedTuple):
    """What the backward needs: the inputs themselves, because each is the other's derivative."""

    x: np.ndarray
    w: np.ndarray


def affine_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, AffineCache]:
    r"""Flatten each example of `x`, multiply by `w`, add `b`.

    Derivation: [Affine layer](../layers/affine.md)

    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986),
    equation 1.

    Args:
        x: (N, d_1, …, d_k) a batch of N examples, each with D = d_1 ⋯ d_k features.
        w: (D, M) the weights; column m makes output m.
        b: (M,) the biases.

    Returns:
        out: (N, M) the outputs.
        cache: what `affine_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x = np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 1.0]])
    >>> w = np.array([[2.0, 0.0, 1.0, -1.0], [1.0, 3.0, 0.0, 1.0]])
    >>> out, cache = affine_forward(x, w, b=np.array([0.5, 0.0, 0.0, 1.0]))
    >>> out
    array([[ 4.5,  6. ,  1. ,  2. ],
           [-0.5, -3. ,  0. ,  0. ],
           [ 7.5,  3. ,  3. , -1. ]])
    """
    for name, array in (("x", x), ("w", w), ("b", b)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim < 2 or w.ndim != 2 or np.prod(x.shape[1:], dtype=int) != w.shape[0]:
        raise ValueError(f"expected x (N, d_1, …, d_k) and w (d_1 ⋯ d_k, M), got x {x.shape} and w {w.shape}")
    if b.shape != w.shape[1:]:
        raise ValueError(f"expected b of shape {w.shape[1:]}, one bias for each column of w, got {b.shape}")

    rows = x.reshape(x.shape[0], w.shape[0])
    out = rows @ w + b
    return out, AffineCache(x, w)


def affine_backward(dout: np.ndarray, cache: AffineCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradient of the loss with respect to `x`, `w` and `b`, from the gradient `dout` with respect to the output.

    Derivation: [Affine layer](../layers/affine.md)

    Source: Rumelhart, Hinton & Williams (1986), equations 6 and 7.

    Args:
        dout: (N, M) gradient of the loss with respect to `out`.
        cache: what `affine_forward` returned.

    Returns:
        dx: (N, d_1, …, d_k) gradient with respect to `x`, in its shape.
        dw: (D, M) gradient with respect to `w`.
        db: (M,) gradient with respect to `b`.

    Raises:
        ValueError: `dout` has not the shape of the output, or does not hold real numbers.

    >>> _, cache = affine_forward(np.array([[1.0, 2.0]]), np.array([[2.0, 0.0, 1.0], [1.0, 3.0, 0.0]]), np.zeros(3))
    >>> dx, dw, db = affine_backward(np.array([[0.5, -1.0, 2.0]]), cache)
    >>> dx
    array([[ 3. , -2.5]])
    """
    x, w = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != (x.shape[0], w.shape[1]):
        raise ValueError(f"expected dout of shape {(x.shape[0], w.shape[1])}, got {dout.shape}")

    rows = x.reshape(x.shape[0], w.shape[0])
    dx = (dout @ w.T).reshape(x.shape)
    dw = rows.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
