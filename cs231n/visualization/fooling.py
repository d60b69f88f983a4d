r"""Fooling images: change an image as little as possible, until the network calls it something else.

Derivation: [Fooling images](../visualization/fooling.md)
"""

from typing import Callable  # noqa: UP035  NumPy and typing are all that a concept imports

import numpy as np

#: Images → their scores, and the function that takes a gradient from the scores back to the images.
Forward = Callable[[np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]


def normalized_step(g: np.ndarray, learning_rate: float) -> np.ndarray:
    r"""The step of length `learning_rate` along a gradient; no step where the gradient is zero.

    The gradient is divided by its largest entry first, so that the squares of very small and very large entries do
    not leave the range of the numbers.

    Derivation: [Fooling images](../visualization/fooling.md)

    Source: Boyd & Vandenberghe, Convex optimization, 2004, section 9.4: normalized steepest ascent, Euclidean norm.

    Args:
        g: any shape, the gradient.
        learning_rate: the length of the step.

    Returns:
        step: the shape of `g`, to be added to the image.

    Raises:
        ValueError: the gradient does not hold real numbers.

    >>> normalized_step(np.array([[3.0], [-4.0]]), 10.0)
    array([[ 6.],
           [-8.]])
    >>> normalized_step(np.zeros(2), 10.0)
    array([0., 0.])
    """
    if g.dtype.kind == "O":  # symbols have no largest
        return g * (learning_rate / np.sqrt((g**2).sum()))
    if g.dtype.kind != "f":
        raise ValueError(f"g: expected real floating-point numbers, got dtype {g.dtype}")
    largest = abs(g).max(initial=0)
    if largest == 0:
        return np.zeros_like(g)
    direction = g / largest
    length = np.sqrt((direction**2).sum())
    return direction * (g.dtype.type(learning_rate) / length)


def make_fooling_image(
    X: np.ndarray,
    target_y: int,
    forward: Forward,
    learning_rate: float = 1.0,
    max_steps: int = 100,
) -> tuple[np.ndarray, int]:
    r"""Walk up the score of another class, in steps of equal length, until it is the highest.

    Derivation: [Fooling images](../visualization/fooling.md)

    Source: Szegedy et al., Intriguing properties of neural networks, 2014, section 4, for the question; the plain
        gradient steps are those of the course.

    Args:
        X: (1, …) the image; it is not changed.
        target_y: the class that the network shall see.
        forward: takes `X` to the scores (1, C) and to a function from `dscores` to `dX`; for a network of this book,
            `lambda X: cs231n.visualization.scores_and_backward(network, X)`.
        learning_rate: the length of a step.
        max_steps: after so many steps it is given up.

    Returns:
        fooling: the shape of `X`, a new array.
        steps: how many steps were made. Fewer than `max_steps` where the gradient became zero.

    Raises:
        ValueError: not one image, or no such class.

    >>> W = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> linear = lambda X: (X @ W, lambda dscores: dscores @ W.T)
    >>> make_fooling_image(np.array([[2.0, 0.5]]), 1, linear)
    (array([[2. , 2.5]]), 2)
    """
    if X.ndim < 1 or len(X) != 1:
        raise ValueError(f"expected one image, X of shape (1, ...), got {X.shape}")
    fooling = X.copy()
    for steps in range(max_steps + 1):
        scores, backward = forward(fooling)
        if not 0 <= target_y < scores.shape[1]:
            raise ValueError(f"expected target_y from 0 to {scores.shape[1] - 1}, got {target_y}")
        if scores[0].argmax() == target_y or steps == max_steps:
            break
        dscores = np.zeros_like(scores)
        dscores[0, target_y] = 1
        step = normalized_step(backward(dscores), learning_rate)
        if not step.any():
            break
        fooling = fooling + step
    return fooling, steps
