r"""Mean squared error: the average over all entries of the squared difference to the target.

Derivation: [Mean squared error](../losses/mean_squared_error.md)
"""

import numpy as np


def mse_loss(x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for predictions `x` and targets `t`: no ½, and the mean is taken over *all* entries.

    The shapes must be equal. Broadcasting (N, 1) against (N,) would compare every prediction with every target.

    Derivation: [Mean squared error](../losses/mean_squared_error.md)

    Source: Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equation 5.4.

    Args:
        x: (N, D), or any shape, the predictions.
        t: the shape of `x`, the targets; they are constants.

    Returns:
        loss: a number, the mean over all entries.
        dx: the shape of `x`, gradient of the loss with respect to `x`.

    Raises:
        ValueError: no entries, different shapes, or an array that does not hold real numbers.

    >>> loss, dx = mse_loss(np.array([[1.0, 4.0], [2.0, 0.0]]), np.array([[0.0, 2.0], [2.0, 3.0]]))
    >>> float(loss)  # (1 + 4 + 0 + 9) / 4
    3.5
    >>> dx
    array([[ 0.5,  1. ],
           [ 0. , -1.5]])
    """
    for name, array in (("x", x), ("t", t)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.size == 0:
        raise ValueError(f"expected x with at least one entry, got shape {x.shape}")
    if t.shape != x.shape:
        raise ValueError(f"expected t of shape {x.shape}, got {t.shape}")

    error = x - t
    loss = (error**2).mean()
    dx = 2 * error / x.size
    return loss, dx
