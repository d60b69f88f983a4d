r"""The temporal affine layer: one affine map, used at every position of a sequence.

Derivation: [Temporal affine layer](../layers/temporal.md)
"""

from typing import NamedTuple

import numpy as np


class TemporalAffineCache(NamedTuple):
    """What the backward needs: the inputs themselves, because each is the other's derivative."""

    x: np.ndarray
    w: np.ndarray


def temporal_affine_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, TemporalAffineCache]:
    r"""Multiply the vector at every position by the same `w`, and add the same `b`.

    Derivation: [Temporal affine layer](../layers/temporal.md)

    Source: Elman, Finding structure in time, Cognitive Science 14 (1990), figure 2: the weights that read the state.

    Args:
        x: (N, T, D) a batch of N sequences of T vectors.
        w: (D, M) the weights; column m makes output m.
        b: (M,) the biases.

    Returns:
        out: (N, T, M) the outputs.
        cache: what `temporal_affine_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x = np.array([[[1.0, 2.0], [0.0, -1.0], [3.0, 1.0]]])
    >>> out, cache = temporal_affine_forward(x, w=np.array([[2.0], [1.0]]), b=np.array([0.5]))
    >>> out
    array([[[ 4.5],
            [-0.5],
            [ 7.5]]])
    """
    for name, array in (("x", x), ("w", w), ("b", b)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 3 or w.ndim != 2 or x.shape[2] != w.shape[0]:
        raise ValueError(f"expected x (N, T, D) and w (D, M), got x {x.shape} and w {w.shape}")
    if b.shape != w.shape[1:]:
        raise ValueError(f"expected b of shape {w.shape[1:]}, one bias for each column of w, got {b.shape}")

    N, T, D = x.shape
    out = (x.reshape(N * T, D) @ w + b).reshape(N, T, w.shape[1])
    return out, TemporalAffineCache(x, w)


def temporal_affine_backward(dout: np.ndarray, cache: TemporalAffineCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Gradient of the loss with respect to `x`, `w` and `b`; those of `w` and `b` sum over all positions.

    Derivation: [Temporal affine layer](../layers/temporal.md)

    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986),
    equations 6 and 7, for one position.

    Args:
        dout: (N, T, M) gradient of the loss with respect to `out`.
        cache: what `temporal_affine_forward` returned.

    Returns:
        dx: (N, T, D) gradient with respect to `x`.
        dw: (D, M) gradient with respect to `w`.
        db: (M,) gradient with respect to `b`.

    Raises:
        ValueError: `dout` has not the shape of the output, or does not hold real numbers.

    >>> _, cache = temporal_affine_forward(np.array([[[1.0, 2.0], [3.0, 1.0]]]), np.array([[2.0], [1.0]]), np.zeros(1))
    >>> dx, dw, db = temporal_affine_backward(np.array([[[0.5], [-1.0]]]), cache)
    >>> dw[:, 0], db
    (array([-2.5,  0. ]), array([-0.5]))
    """
    x, w = cache
    N, T, D = x.shape
    M = w.shape[1]
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != (N, T, M):
        raise ValueError(f"expected dout of shape {(N, T, M)}, got {dout.shape}")

    rows = dout.reshape(N * T, M)
    dx = (rows @ w.T).reshape(N, T, D)
    dw = x.reshape(N * T, D).T @ rows
    db = rows.sum(axis=0)
    return dx, dw, db
