r"""Softmax cross-entropy: the average negative log-probability that the scores give to the right answer.

Derivation: [Softmax cross-entropy](../losses/softmax.md)
"""

import numpy as np


def softmax_loss(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for scores `x` and labels `y`.

    The largest score of each row is taken off first: no probability changes, and no exponential overflows.

    Derivation: [Softmax cross-entropy](../losses/softmax.md)

    Source: Bridle, Probabilistic interpretation of feedforward classification network outputs, Neurocomputing,
    Springer 1990; Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equations 6.29 and 6.33.

    Args:
        x: (N, C) the scores of C classes for N examples.
        y: (N,) the labels, integers from 0 to C − 1.

    Returns:
        loss: a number, the mean over the batch.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: wrong shape, a label that is no integer from 0 to C − 1, or scores that are no real numbers.

    >>> loss, dx = softmax_loss(np.array([[0.0, np.log(2.0), 0.0], [0.0, 0.0, np.log(6.0)]]), np.array([1, 0]))
    >>> round(float(loss), 6)  # −(log ½ + log ⅛) / 2
    1.386294
    >>> dx
    array([[ 0.125 , -0.25  ,  0.125 ],
           [-0.4375,  0.0625,  0.375 ]])
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
    shifted = x - x.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    sums = exps.sum(axis=1, keepdims=True)
    loss = (np.log(sums[:, 0]) - shifted[rows, y]).mean()

    dx = exps / sums  # the probabilities
    dx[rows, y] -= 1
    dx /= N
    return loss, dx


def softmax_cross_entropy(x: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for scores `x` and soft targets, a weight for each class.

    The rows of `targets` usually sum to 1 (a smoothed label, a teacher's probabilities), but need not: the gradient
    holds for any weights. The targets are constants. Scores must be finite.

    Derivation: [Softmax cross-entropy](../losses/softmax.md)

    Source: Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equation 6.29 and section 7.5.1.

    Args:
        x: (N, C) the scores of C classes for N examples.
        targets: (N, C) the weight of each class for each example.

    Returns:
        loss: a number, the mean over the batch.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: wrong shapes, or an array that does not hold real numbers.

    >>> x = np.array([[0.0, np.log(2.0), 0.0], [0.0, 0.0, np.log(6.0)]])
    >>> softmax_cross_entropy(x, np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]))[1].round(6) + 0
    array([[-0.125 ,  0.    ,  0.125 ],
           [ 0.0625, -0.0625,  0.    ]])
    """
    for name, array in (("x", x), ("targets", targets)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"expected x of shape (N, C) with N >= 1 and C >= 1, got {x.shape}")
    if targets.shape != x.shape:
        raise ValueError(f"expected targets of shape {x.shape}, got {targets.shape}")

    N = x.shape[0]
    shifted = x - x.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    sums = exps.sum(axis=1, keepdims=True)
    log_p = shifted - np.log(sums)
    loss = -(targets * log_p).sum() / N

    p = exps / sums
    dx = (p * targets.sum(axis=1, keepdims=True) - targets) / N
    return loss, dx
