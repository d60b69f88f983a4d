r"""Saliency maps: how strongly the score of the right class reacts to each pixel.

Derivation: [Saliency maps](../visualization/saliency.md)
"""

from typing import Callable  # noqa: UP035  NumPy and typing are all that a concept imports

import numpy as np

#: Images → their scores, and the function that takes a gradient from the scores back to the images.
Forward = Callable[[np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]


def right_scores(scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    r"""The sum over the batch of the scores of the right classes, and its gradient: ones at the labels.

    No logarithm and no softmax. Since examples do not mix, the gradient of this sum holds the gradient of each
    example's own score.

    Derivation: [Saliency maps](../visualization/saliency.md)

    Source: Simonyan, Vedaldi & Zisserman, Deep inside convolutional networks, 2014, section 3.

    Args:
        scores: (N, C) the scores, not the probabilities.
        y: (N,) the labels, integers from 0 to C − 1.

    Returns:
        total: a number, the sum of `scores[n, y[n]]`.
        dscores: (N, C) its gradient with respect to `scores`.

    Raises:
        ValueError: wrong shapes or labels, or scores that are not real numbers.

    >>> right_scores(np.array([[1.0, -4.0], [2.0, 5.0], [0.5, 0.0]]), np.array([1, 0, 0]))
    (-1.5, array([[0., 1.],
           [1., 0.],
           [1., 0.]]))
    """
    if scores.dtype.kind not in "fO":
        raise ValueError(f"scores: expected real floating-point numbers, got dtype {scores.dtype}")
    if scores.ndim != 2:
        raise ValueError(f"expected scores of shape (N, C), got {scores.shape}")
    N, C = scores.shape
    if y.shape != (N,) or y.dtype.kind not in "iu":
        raise ValueError(f"expected y of shape ({N},) with integers, got shape {y.shape} of {y.dtype}")
    if N and not (y.min() >= 0 and y.max() < C):
        raise ValueError(f"expected labels from 0 to {C - 1}, got {y.min()} to {y.max()}")

    rows = np.arange(N)
    dscores = np.zeros_like(scores)
    dscores[rows, y] = 1
    total = scores[rows, y].sum()
    return total if scores.dtype.kind == "O" else float(total), dscores


def saliency_maps(dX: np.ndarray) -> np.ndarray:
    r"""The size of the gradient at each pixel, and of the channels of a pixel the largest.

    Derivation: [Saliency maps](../visualization/saliency.md)

    Source: Simonyan, Vedaldi & Zisserman (2014), section 3.1.

    Args:
        dX: (N, C, …) gradient of the right scores with respect to images of C channels.

    Returns:
        M: (N, …) the maps, without the axis of the channels; no entry is negative.

    Raises:
        ValueError: no channel, or an array that does not hold real numbers.

    >>> saliency_maps(np.array([[[1.0, -2.0, 0.0], [-3.0, 1.5, 0.5]]]))
    array([[3. , 2. , 0.5]])
    """
    if dX.dtype.kind not in "fO":
        raise ValueError(f"dX: expected real floating-point numbers, got dtype {dX.dtype}")
    if dX.ndim < 2 or dX.shape[1] == 0:
        raise ValueError(f"expected dX of shape (N, C, ...) with C >= 1, got {dX.shape}")
    return abs(dX).max(axis=1)


def compute_saliency_maps(
    X: np.ndarray,
    y: np.ndarray,
    forward: Forward,
) -> np.ndarray:
    r"""The saliency maps of a batch of images: one pass forward, one back.

    Derivation: [Saliency maps](../visualization/saliency.md)

    Source: Simonyan, Vedaldi & Zisserman (2014), section 3.1.

    Args:
        X: (N, C, H, W) the images; they are not changed.
        y: (N,) the labels.
        forward: takes `X` to the scores and to a function from `dscores` to `dX`; for a network of this book,
            `lambda X: cs231n.visualization.scores_and_backward(network, X)`.

    Returns:
        M: (N, H, W) the maps.

    Raises:
        ValueError: as in `right_scores` and `saliency_maps`.

    >>> W = np.array([[2.0, 0.0], [0.0, -3.0], [1.0, 1.0]])  # scores linear in images of three pixels
    >>> linear = lambda X: (X.reshape(-1, 3) @ W, lambda dscores: (dscores @ W.T).reshape(X.shape))
    >>> compute_saliency_maps(np.ones((2, 1, 1, 3)), np.array([0, 1]), linear)
    array([[[2., 0., 1.]],
    <BLANKLINE>
           [[0., 3., 1.]]])
    """
    scores, backward = forward(X)
    _, dscores = right_scores(scores, y)
    return saliency_maps(backward(dscores))
