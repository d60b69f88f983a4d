r"""KL divergence of softmax probabilities from target probabilities.

Derivation: [KL divergence](../losses/kl_divergence.md)
"""

import numpy as np


def kl_div_loss(x: np.ndarray, p: np.ndarray) -> tuple[float, np.ndarray]:
    r"""Loss and gradient of KL(p ‖ q), where row by row q is the softmax of the scores `x`.

    A class with target 0 adds 0 to the loss. The rows of `p` usually sum to 1, but need not: the gradient holds for
    any weights. The targets are constants. Scores must be finite.

    Derivation: [KL divergence](../losses/kl_divergence.md)

    Source: Kullback & Leibler, On information and sufficiency, Annals of Mathematical Statistics 22 (1951),
    section 2; Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equation 3.50.

    Args:
        x: (N, C) the scores (logits) of C classes for N examples.
        p: (N, C) the target probabilities of each row, not negative.

    Returns:
        loss: a number, the sum over the classes, then the mean over the batch.
        dx: (N, C) gradient of the loss with respect to `x`.

    Raises:
        ValueError: wrong shapes, an array that does not hold real numbers, or a negative target.

    >>> x = np.log(np.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    >>> loss, dx = kl_div_loss(x, np.array([[0.125, 0.25, 0.625], [0.0, 1.0, 0.0]]))
    >>> round(float(loss), 6)  # the first row agrees; the second costs log 4
    0.693147
    >>> dx.round(6) + 0
    array([[ 0.   ,  0.   ,  0.   ],
           [ 0.125, -0.375,  0.25 ]])
    """
    for name, array in (("x", x), ("p", p)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 2 or x.size == 0:
        raise ValueError(f"expected x of shape (N, C) with N >= 1 and C >= 1, got {x.shape}")
    if p.shape != x.shape:
        raise ValueError(f"expected p of shape {x.shape}, got {p.shape}")
    if (p < 0).any():
        raise ValueError(f"expected targets p >= 0, got {p.min()}")

    N = x.shape[0]
    shifted = x - x.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    sums = exps.sum(axis=1, keepdims=True)
    log_q = shifted - np.log(sums)
    log_p = np.log(np.where(p > 0, p, 1))  # 0 log 0 counts as 0
    loss = (p * (log_p - log_q)).sum() / N

    q = exps / sums
    dx = (q * p.sum(axis=1, keepdims=True) - p) / N
    return loss, dx
