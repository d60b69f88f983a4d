r"""Binary cross-entropy: the loss of yes-or-no questions, for scores (use this) and for probabilities.

Derivation: [Binary cross-entropy](../losses/binary_cross_entropy.md)
"""

import numpy as np


def bce_with_logits_loss(x: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for scores `x`, whose sigmoids are the probabilities of "yes", and targets `t`.

    No exponential of a positive number is ever taken, so no finite score overflows. The targets are constants.

    Derivation: [Binary cross-entropy](../losses/binary_cross_entropy.md)

    Source: Bishop, Pattern Recognition and Machine Learning, Springer 2006, equations 4.90 and 4.91.

    Args:
        x: any shape, the scores (logits); must be finite.
        t: the shape of `x`, the wanted probabilities: 1 for yes, 0 for no, or between.

    Returns:
        loss: a number, the mean over all entries.
        dx: the shape of `x`, gradient of the loss with respect to `x`.

    Raises:
        ValueError: no entries, different shapes, or an array that does not hold real numbers.

    >>> loss, dx = bce_with_logits_loss(np.array([0.0, np.log(3.0)]), np.array([1.0, 0.0]))
    >>> round(float(loss), 6)  # (log 2 + log 4) / 2
    1.039721
    >>> dx  # the probabilities are 1/2 and 3/4
    array([-0.25 ,  0.375])
    """
    for name, array in (("x", x), ("t", t)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.size == 0:
        raise ValueError(f"expected x with at least one entry, got shape {x.shape}")
    if t.shape != x.shape:
        raise ValueError(f"expected t of shape {x.shape}, got {t.shape}")

    z = np.exp(-np.abs(x))  # from 0 to 1
    loss = (np.maximum(x, 0) - x * t + np.log1p(z)).mean()
    p = np.where(x >= 0, 1, z) / (1 + z)  # the sigmoid of x
    dx = (p - t) / x.size
    return loss, dx


def bce_loss(p: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for probabilities `p` and targets `t`: the textbook formula.

    Prefer `bce_with_logits_loss`. A confident network rounds its probabilities to exactly 0 or 1, where neither loss
    nor gradient exists.

    Derivation: [Binary cross-entropy](../losses/binary_cross_entropy.md)

    Source: Bishop, Pattern Recognition and Machine Learning, Springer 2006, equation 4.90.

    Args:
        p: any shape, the probabilities of "yes", strictly between 0 and 1.
        t: the shape of `p`, the wanted probabilities.

    Returns:
        loss: a number, the mean over all entries.
        dp: the shape of `p`, gradient of the loss with respect to `p`.

    Raises:
        ValueError: no entries, different shapes, an array that does not hold real numbers, or a probability that is
            not strictly between 0 and 1.

    >>> loss, dp = bce_loss(np.array([0.5, 0.75]), np.array([1.0, 0.0]))
    >>> round(float(loss), 6)
    1.039721
    >>> dp
    array([-1.,  2.])
    """
    for name, array in (("p", p), ("t", t)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if p.size == 0:
        raise ValueError(f"expected p with at least one entry, got shape {p.shape}")
    if t.shape != p.shape:
        raise ValueError(f"expected t of shape {p.shape}, got {t.shape}")
    if not (p.min() > 0 and p.max() < 1):
        raise ValueError(f"expected probabilities p strictly between 0 and 1, got p from {p.min()} to {p.max()}")

    loss = -(t * np.log(p) + (1 - t) * np.log1p(-p)).mean()
    dp = (p - t) / (p * (1 - p)) / p.size
    return loss, dp
