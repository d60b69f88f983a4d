"""Pictures of many images, or of the weights of a network, in one grid."""

from __future__ import annotations

from math import isqrt

import numpy as np

__all__ = ["visualize_grid"]


def visualize_grid(Xs: np.ndarray, ubound: float = 255.0, padding: int = 1) -> np.ndarray:
    """Put images side by side in a square grid, each stretched to the range from 0 to `ubound`.

    Args:
        Xs: (N, H, W, C) the images, or N filters of a layer brought into that order.
        ubound: what the largest entry of each image becomes; the smallest becomes 0.
        padding: how many black pixels lie between two images.

    Returns:
        grid: (K · (H + padding) − padding, K · (W + padding) − padding, C) with K rows of K images, where K is the root
            of N rounded up. Places without an image are black, and so is an image whose entries are all equal.

    Raises:
        ValueError: wrong shape or padding, or the array does not hold real numbers.

    >>> visualize_grid(np.arange(12.0).reshape(3, 2, 2, 1), ubound=3)[..., 0]
    array([[0., 1., 0., 0., 1.],
           [2., 3., 0., 2., 3.],
           [0., 0., 0., 0., 0.],
           [0., 1., 0., 0., 0.],
           [2., 3., 0., 0., 0.]])
    """
    Xs = np.asarray(Xs)
    if Xs.dtype.kind not in "fiub":
        raise ValueError(f"Xs: expected real numbers, got dtype {Xs.dtype}")
    if Xs.ndim != 4 or 0 in Xs.shape:
        raise ValueError(f"expected Xs of shape (N, H, W, C) with N, H, W, C >= 1, got {Xs.shape}")
    if padding < 0:
        raise ValueError(f"expected padding >= 0, got {padding}")
    images = Xs if Xs.dtype.kind == "f" else Xs.astype(np.float64)
    N, H, W, C = images.shape
    low = images.min(axis=(1, 2, 3), keepdims=True)
    spread = images.max(axis=(1, 2, 3), keepdims=True) - low
    images = (images - low) / np.where(spread > 0, spread, 1) * images.dtype.type(ubound)

    K = isqrt(N - 1) + 1
    cells = np.zeros((K * K, H + padding, W + padding, C), images.dtype)
    cells[:N, :H, :W] = images
    grid = cells.reshape(K, K, H + padding, W + padding, C).swapaxes(1, 2)
    grid = grid.reshape(K * (H + padding), K * (W + padding), C)
    return grid[: grid.shape[0] - padding, : grid.shape[1] - padding]
