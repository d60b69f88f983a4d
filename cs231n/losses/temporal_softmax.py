r"""Temporal softmax: cross-entropy at every position of a sequence, without the positions that a mask leaves out.

Derivation: [Temporal softmax](../losses/temporal_softmax.md)
"""

import numpy as np


def temporal_softmax_loss(
    x: np.ndarray, y: np.ndarray, mask: np.ndarray, verbose: bool = False
) -> tuple[float, np.ndarray]:
    r"""Loss and gradient for scores `x` and words `y`: summed over the positions, averaged over the sequences.

    A position whose mask is 0 is never computed: its scores may be infinite or NaN, and its word may be anything.

    Derivation: [Temporal softmax](../losses/temporal_softmax.md)

    Source: Vinyals, Toshev, Bengio & Erhan, Show and tell, CVPR 2015, equation 13: the sum over the words of a caption.

    Args:
        x: (N, T, V) the scores of V words, at T positions of N sequences.
        y: (N, T) the right words, integers from 0 to V − 1.
        mask: (N, T) which positions count: true or 1 for those that do, false or 0 for padding. Other numbers weigh.
        verbose: print the shape of the flat gradient, as the course does.

    Returns:
        loss: a number, the sum over the positions that count, divided by N.
        dx: (N, T, V) gradient of the loss with respect to `x`; 0 at the positions left out.

    Raises:
        ValueError: wrong shape, a word that counts and is no integer from 0 to V − 1, or scores that are no real
            numbers.

    >>> x = np.log(np.array([[[1.0, 2.0, 1.0], [1.0, 1.0, 6.0], [9.0, 9.0, 9.0]]]))
    >>> loss, dx = temporal_softmax_loss(x, np.array([[1, 0, 0]]), np.array([[True, True, False]]))
    >>> round(float(loss), 6)  # −(log ½ + log ⅛) / 1
    2.772589
    >>> dx
    array([[[ 0.25 , -0.5  ,  0.25 ],
            [-0.875,  0.125,  0.75 ],
            [ 0.   ,  0.   ,  0.   ]]])
    """
    if x.dtype.kind not in "fO":
        raise ValueError(f"x: expected real floating-point numbers, got dtype {x.dtype}")
    if x.ndim != 3 or x.size == 0:
        raise ValueError(f"expected x of shape (N, T, V) with N, T and V >= 1, got {x.shape}")
    N, T, V = x.shape
    if y.shape != (N, T) or y.dtype.kind not in "iu":
        raise ValueError(f"expected integer words y of shape {(N, T)}, got dtype {y.dtype} and shape {y.shape}")
    if mask.shape != (N, T) or mask.dtype.kind not in "biufO":
        raise ValueError(f"expected a mask of shape {(N, T)}, got dtype {mask.dtype} and shape {mask.shape}")

    counts = mask != 0
    weights, words = mask[counts].astype(x.dtype), y[counts]
    if words.size and (words.min() < 0 or words.max() >= V):
        raise ValueError(f"expected words from 0 to {V - 1}, got words from {words.min()} to {words.max()}")

    scores = x[counts]  # one row for each position that counts
    rows = np.arange(len(scores))
    shifted = scores - scores.max(axis=1, keepdims=True)
    exps = np.exp(shifted)
    sums = exps.sum(axis=1, keepdims=True)
    loss = (weights * (np.log(sums[:, 0]) - shifted[rows, words])).sum() / N

    p = exps / sums
    p[rows, words] -= 1
    dx = np.zeros_like(x)
    dx[counts] = p * weights[:, None] / N
    if verbose:
        print("dx_flat: ", (N * T, V))  # noqa: T201  what `verbose` asks for
    return loss, dx
