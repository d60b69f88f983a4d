r"""Max pooling as in `cs231n.layers.pooling`, faster: the same numbers, one image at a time.

Derivation: [Pooling](../layers/pooling.md)
"""

from typing import NamedTuple

import numpy as np

from cs231n.layers.pooling import _check_dout, _geometry, max_pool_backward_naive, max_pool_forward_naive

__all__ = ["max_pool_backward_fast", "max_pool_forward_fast"]


class MaxPoolFastCache(NamedTuple):
    """What the backward needs: who won is found again from the input and the output."""

    x: np.ndarray
    out: np.ndarray
    pool_height: int
    pool_width: int
    stride: int


def max_pool_forward_fast(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, MaxPoolFastCache]:
    r"""As `max_pool_forward_naive`: first the larger rows of each window, then the largest entry of these.

    Args:
        x: (N, C, H, W) N images of C channels.
        pool_param: a dictionary with the keys `pool_height`, `pool_width` and `stride`, each at least 1.

    Returns:
        out: (N, C, P, U), with P = 1 + (H − pool_height) // stride, and U likewise.
        cache: what `max_pool_backward_fast` needs; it holds `x` and `out` themselves, not copies.

    Raises:
        ValueError: as `max_pool_forward_naive`.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 1})[0][0, 0]
    array([[5., 5.]])
    """
    R, Q, s, P, U = _geometry(x, pool_param)
    out = np.empty((*x.shape[:2], P, U), x.dtype)
    rows = np.empty((x.shape[1], P, x.shape[3]), x.dtype)
    for image, best in zip(x, out, strict=True):
        np.copyto(rows, image[:, : s * P : s])
        for r in range(1, R):
            np.maximum(rows, image[:, r : r + s * P : s], out=rows)
        np.copyto(best, rows[:, :, : s * U : s])
        for q in range(1, Q):
            np.maximum(best, rows[:, :, q : q + s * U : s], out=best)
    return out, MaxPoolFastCache(x, out, R, Q, s)


def max_pool_backward_fast(dout: np.ndarray, cache: MaxPoolFastCache) -> np.ndarray:
    r"""As `max_pool_backward_naive`, ties included: the first of equal entries gets the gradient.

    The places of a window are visited row by row. Each takes, where it equals the maximum, what has not been given away
    yet; so the first one takes all.

    Args:
        dout: (N, C, P, U) gradient of the loss with respect to `out`.
        cache: what `max_pool_forward_fast` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.

    Raises:
        ValueError: as `max_pool_backward_naive`.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> _, cache = max_pool_forward_fast(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    >>> max_pool_backward_fast(np.array([[[[0.5, -2.0]]]]), cache)[0, 0]
    array([[ 0. , -1.5,  0. ],
           [ 0. ,  0. ,  0. ]])
    """
    x, out, R, Q, s = cache
    _check_dout(dout, out.shape)
    if not (_finite(dout) and _finite(out)):  # inf · 0 is nan, and nan equals nothing
        naive_cache = max_pool_forward_naive(x, {"pool_height": R, "pool_width": Q, "stride": s})[1]
        return max_pool_backward_naive(dout, naive_cache)
    P, U = out.shape[2:]
    *places, last = [np.s_[:, r : r + s * P : s, q : q + s * U : s] for r, q in np.ndindex(R, Q)]
    overlap = max(R, Q) > s
    dx = np.zeros(x.shape, dout.dtype)
    rest, taken = np.empty((2, *out.shape[1:]), dout.dtype)
    won = np.empty(rest.shape, bool)
    for image, best, d, dimage in zip(x, out, dout, dx, strict=True):
        np.copyto(rest, d)
        for place in places:
            np.equal(image[place], best, out=won)
            np.multiply(rest, won, out=taken)
            np.subtract(rest, taken, out=rest)
            if overlap:
                dimage[place] += taken
            else:
                dimage[place] = taken
        dimage[last] += rest  # in every window somebody has won
    return dx


def _finite(a: np.ndarray) -> bool:
    return a.dtype.kind == "O" or bool(np.isfinite(a.min()) and np.isfinite(a.max()))  # exact numbers are finite
