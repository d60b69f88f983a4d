r"""The losses of scores as in `cs231n.losses`, faster: the same numbers up to rounding, a few rows at a time.

Derivations: [Softmax cross-entropy](../losses/softmax.md), [SVM loss](../losses/svm.md)
"""

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.losses.softmax import softmax_loss
from cs231n.losses.svm import svm_loss

__all__ = ["softmax_loss_fast", "svm_loss_fast"]


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


def _labels_fit(x: np.ndarray, y: np.ndarray) -> bool:
    return x.ndim == 2 and y.shape == x.shape[:1] and y.dtype.kind in "iu" and y.min() >= 0 and y.max() < x.shape[1]
