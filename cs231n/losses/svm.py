r"""The multiclass hinge loss: every wrong class must score at least 1 less than the right one, or it costs.

Derivation: [SVM loss](../losses/svm.md)
"""

import numpy as np


def svm_loss(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for scores `x` and labels `y`.

    A margin of exactly 0 sits on a kink; it costs nothing and gets no gradient.

    Derivation: [SVM loss](../losses/svm.md)

    Source: Weston & Watkins, Support vector machines for multi-class pattern recognition, ESANN 1999, section 3.

    Args:
        x: (N, C) the scores of C classes for N examples.
        y: (N,) the labels, integers from 0 to C − 1.

    Returns:
        loss: a number, the mean over the batch of the sums of the positive margins.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: wrong shape, a label that is no integer from 0 to C − 1, or scores that are no real numbers.

    >>> loss, dx = svm_loss(np.array([[3.0, 2.5, 1.0], [0.0, 4.0, 1.0]]), np.array([0, 2]))
    >>> float(loss)  # the margins are 0.5, and 4 of class 1; the margin of class 0 in the second row is 0
    2.25
    >>> dx
    array([[-0.5,  0.5,  0. ],
           [ 0. ,  0.5, -0.5]])
    """
    if x.dtype.kind not in "fO":
        raise ValueError(f"x: expected real floating-point numbers, got dtype {x.dtype}")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"expected x of shape (N, C) with N >= 1 and C >= 1, got {x.shape}")
    N, C = x.shape
    if y.shape != (N,) or y.dtype.kind not in "iu":
        raise ValueError(f"expected integer labels y of shape {(N,)}, got dtype {y.dtype} and shape {y.shape}")
    if y.min() < 0 or y.max() >= C:
        raise ValueError(f"expected labels from 0 to {C - 1}, got labels from {y.min()} to {y.max()}")

    rows = np.arange(N)
    margins = np.maximum(x - x[rows, y][:, np.newaxis] + 1, 0)
    margins[rows, y] = 0  # the right class does not compete with itself
    loss = margins.sum() / N

    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[rows, y] -= dx.sum(axis=1)  # the right class: minus the number of classes that come too near
    dx /= N
    return loss, dx
