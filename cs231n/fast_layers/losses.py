r"""The losses of scores as in `cs231n.losses`, faster: the same numbers up to rounding, a few rows at a time.

Derivations: [Softmax cross-entropy](../losses/softmax.md), [SVM loss](../losses/svm.md),
[Temporal softmax](../losses/temporal_softmax.md)
"""

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.losses.softmax import softmax_loss
from cs231n.losses.svm import svm_loss
from cs231n.losses.temporal_softmax import temporal_softmax_loss

__all__ = ["softmax_loss_fast", "svm_loss_fast", "temporal_softmax_loss_fast"]


def softmax_loss_fast(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""As `softmax_loss`: maximum, exponential, sum and gradient of a few rows, then of the next.

    Args:
        x: (N, C) the scores of C classes for N examples.
        y: (N,) the labels, integers from 0 to C − 1.

    Returns:
        loss: a number, the mean over the batch.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: as `softmax_loss`.

    >>> x = np.array([[0.0, np.log(2.0), 0.0], [0.0, 0.0, np.log(6.0)]])
    >>> softmax_loss_fast(x, np.array([1, 0]))[1]
    array([[ 0.125 , -0.25  ,  0.125 ],
           [-0.4375,  0.0625,  0.375 ]])
    """
    if not _blocks.worthwhile(x) or not _labels_fit(x, y):
        return softmax_loss(x, y)
    N, C = x.shape
    rows = _blocks.length(C * x.itemsize)
    ones, one = np.ones(C, x.dtype), x.dtype.type(1 / N)
    dx = np.empty(x.shape, x.dtype)
    loss = 0.0
    with _blocks.long_rows(C):
        for i in range(0, N, rows):
            here = x[i : i + rows]
            right = np.arange(len(here)), y[i : i + rows]
            d = np.subtract(here, here.max(axis=1, keepdims=True), out=dx[i : i + rows])
            shifted = d[right]
            np.exp(d, out=d)
            sums = d @ ones
            loss += (np.log(sums) - shifted).sum(dtype=float)
            d *= (1 / (N * sums))[:, None]
            d[right] -= one
    return x.dtype.type(loss / N), dx


def svm_loss_fast(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""As `svm_loss`, a few rows at a time, and without picking entries by a mask.

    Args:
        x: (N, C) the scores of C classes for N examples.
        y: (N,) the labels, integers from 0 to C − 1.

    Returns:
        loss: a number, the mean over the batch of the sums of the positive margins.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: as `svm_loss`.

    >>> svm_loss_fast(np.array([[3.0, 2.5, 1.0], [0.0, 4.0, 1.0]]), np.array([0, 2]))[1]
    array([[-0.5,  0.5,  0. ],
           [ 0. ,  0.5, -0.5]])
    """
    if not _blocks.worthwhile(x) or not _labels_fit(x, y):
        return svm_loss(x, y)
    N, C = x.shape
    rows = _blocks.length(C * x.itemsize)
    ones, share = np.ones(C, x.dtype), x.dtype.type(1 / N)
    zeros = np.zeros((rows, C), x.dtype)  # the maximum of two arrays takes a third of the time of maximum(x, 0)
    dx = np.empty(x.shape, x.dtype)
    loss = 0.0
    for i in range(0, N, rows):
        here, d = x[i : i + rows], dx[i : i + rows]
        flat = d.reshape(-1)
        right = np.arange(0, d.size, C) + y[i : i + rows].astype(int)  # where the right classes stand in `flat`
        level = here.reshape(-1)[right] - 1
        margins = np.subtract(here, level[:, None], out=d)
        flat[right] = 0
        np.maximum(margins, zeros[: len(d)], out=margins)
        loss += (margins @ ones).sum(dtype=float)
        np.multiply(margins > 0, share, out=d)
        flat[right] = -(d @ ones)
    return x.dtype.type(loss / N), dx


def temporal_softmax_loss_fast(
    x: np.ndarray, y: np.ndarray, mask: np.ndarray, verbose: bool = False
) -> tuple[float, np.ndarray]:
    r"""As `temporal_softmax_loss`, a few positions at a time.

    Args:
        x: (N, T, V) the scores of V words, at T positions of N sequences.
        y: (N, T) the right words, integers from 0 to V − 1.
        mask: (N, T) which positions count: true or 1 for those that do, false or 0 for padding. Other numbers weigh.
        verbose: print the shape of the flat gradient, as the course does.

    Returns:
        loss: a number, the sum over the positions that count, divided by N.
        dx: (N, T, V) gradient of the loss with respect to `x`; 0 at the positions left out.

    Raises:
        ValueError: as `temporal_softmax_loss`.

    >>> x = np.log(np.array([[[1.0, 2.0, 1.0], [1.0, 1.0, 6.0], [9.0, 9.0, 9.0]]]))
    >>> temporal_softmax_loss_fast(x, np.array([[1, 0, 0]]), np.array([[True, True, False]]))[1].round(6)
    array([[[ 0.25 , -0.5  ,  0.25 ],
            [-0.875,  0.125,  0.75 ],
            [ 0.   ,  0.   ,  0.   ]]])
    """
    fit = x.ndim == 3 and x.shape[:2] == y.shape == mask.shape and mask.dtype.kind in "biuf"
    if verbose or not fit or not _blocks.worthwhile(x):
        return temporal_softmax_loss(x, y, mask, verbose)
    flat, words, weights = x.reshape(-1, x.shape[2]), y.reshape(-1), mask.reshape(-1)
    counts = weights != 0
    if not counts.any() or not _labels_fit(flat, words, counts):
        return temporal_softmax_loss(x, y, mask)
    N, _, V = x.shape
    rows, ones = _blocks.length(V * x.itemsize), np.ones(V, x.dtype)
    weights = weights.astype(x.dtype)
    dx = np.empty(flat.shape, x.dtype)
    loss = 0.0
    with _blocks.long_rows(V):
        for i in range(0, len(flat), rows):
            here = np.flatnonzero(counts[i : i + rows]) + i
            dx[i : i + rows][~counts[i : i + rows]] = 0
            d, right = flat[here], (np.arange(len(here)), words[here])
            d -= d.max(axis=1, keepdims=True)
            shifted = d[right]
            np.exp(d, out=d)
            sums = d @ ones
            loss += (weights[here] * (np.log(sums) - shifted)).sum(dtype=float)
            d *= (weights[here] / (N * sums))[:, None]
            d[right] -= weights[here] / N
            dx[here] = d
    return x.dtype.type(loss / N), dx.reshape(x.shape)


def _labels_fit(x: np.ndarray, y: np.ndarray, counts: np.ndarray | slice = np.s_[:]) -> bool:
    """Whether there is a label for each row, an integer, and in its range where it counts."""
    if x.ndim != 2 or y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        return False
    return bool(y[counts].min() >= 0 and y[counts].max() < x.shape[1])
