r"""Class visualization: an image that a network likes best, found by going uphill, with a pull towards zero.

Derivation: [Class visualization](../visualization/class_visualization.md)
"""

import numpy as np


def class_visualization_step(
    img: np.ndarray,
    g: np.ndarray,
    l2_reg: float,
    learning_rate: float,
    normalize: bool = True,
) -> np.ndarray:
    r"""One step uphill on the score minus `l2_reg` times the sum of the squared pixels.

    Derivation: [Class visualization](../visualization/class_visualization.md)

    Source: Simonyan, Vedaldi & Zisserman, Deep inside convolutional networks, 2014, equation (1).

    Args:
        img: any shape, the image.
        g: the shape of `img`, gradient of the *score* with respect to `img`, without the penalty.
        l2_reg: λ, the strength of the penalty λ Σ img².
        learning_rate: the length of the step, or with `normalize=False` the factor of the gradient.
        normalize: divide the gradient by its length, as the course's notebook does; a zero gradient makes no step.

    Returns:
        next_img: the shape of `img`, a new array.

    Raises:
        ValueError: different shapes, or arrays that do not hold real numbers.

    >>> class_visualization_step(np.array([2.0, -1.0]), np.array([0.5, 1.0]), 0.1, 0.5, normalize=False)
    array([ 2.05, -0.4 ])
    >>> class_visualization_step(np.array([2.0, 1.0]), np.array([0.4, 0.2]), 0.1, 0.5)  # the two pulls cancel
    array([2., 1.])
    """
    for name, array in (("img", img), ("g", g)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if g.shape != img.shape:
        raise ValueError(f"expected g of shape {img.shape}, got {g.shape}")
    if img.dtype.kind == "f":
        l2_reg = img.dtype.type(l2_reg)
        learning_rate = img.dtype.type(learning_rate)

    dimg = g - 2 * l2_reg * img
    if normalize:
        if img.dtype.kind == "f":  # so that the squares stay in range; the next lines take it out again
            dimg = dimg / (abs(dimg).max(initial=0) or 1)
        length = np.sqrt((dimg**2).sum())
        dimg = dimg / (length if img.dtype.kind == "O" else length or 1)
    return img + learning_rate * dimg


def jitter(img: np.ndarray, ox: int, oy: int) -> np.ndarray:
    r"""Shift an image; what leaves it on one side comes back on the other.

    Derivation: [Class visualization](../visualization/class_visualization.md)

    Args:
        img: (…, H, W) an image.
        ox: pixels to the right, along W.
        oy: pixels down, along H.

    Returns:
        shifted: the shape of `img`; `jitter(shifted, -ox, -oy)` is `img` again.

    >>> jitter(np.array([[1, 2, 3], [4, 5, 6]]), 1, 0)
    array([[3, 1, 2],
           [6, 4, 5]])
    """
    return np.roll(img, (oy, ox), axis=(-2, -1))


def blur(img: np.ndarray, sigma: float = 1.0) -> np.ndarray:
    r"""Average each pixel with its neighbours, under the weights of a bell curve; at the edge the image is mirrored.

    The numbers are those of SciPy's `gaussian_filter1d` along both axes.

    Derivation: [Class visualization](../visualization/class_visualization.md)

    Source: Yosinski et al., Understanding neural networks through deep visualization, 2015, section 3.

    Args:
        img: (…, H, W) an image.
        sigma: standard deviation of the bell curve in pixels; 0 changes nothing.

    Returns:
        blurred: the shape of `img`, a new array.

    Raises:
        ValueError: an empty image, a negative `sigma`, or an array that does not hold real numbers.

    >>> blur(np.array([[0.0, 0.0, 1.0, 0.0, 0.0]]), 0.5).round(3)
    array([[0.   , 0.106, 0.787, 0.106, 0.   ]])
    """
    if img.dtype.kind != "f":
        raise ValueError(f"img: expected real floating-point numbers, got dtype {img.dtype}")
    if img.ndim < 2 or 0 in img.shape[-2:]:
        raise ValueError(f"expected img of shape (..., H, W) with H, W >= 1, got {img.shape}")
    if not 0 <= sigma < np.inf:
        raise ValueError(f"expected sigma >= 0, got {sigma}")
    radius = int(4 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / (sigma or 1)) ** 2)
    weights = (weights / weights.sum()).astype(img.dtype)
    for axis in (-2, -1):
        size = img.shape[axis]
        total = np.zeros_like(img)
        for offset, weight in zip(offsets, weights, strict=True):
            # mirrored at the edges, as often as needed
            place = (np.arange(size) + offset) % (2 * size)
            place = np.minimum(place, 2 * size - 1 - place)
            total += weight * img.take(place, axis=axis)
        img = total
    return img
