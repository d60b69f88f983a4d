r"""Pooling: make an image smaller by keeping the largest entry of each window, or the mean of the window.

Derivation: [Pooling](../layers/pooling.md)
"""

from typing import NamedTuple

import numpy as np


class MaxPoolCache(NamedTuple):
    """What the backward needs: which entry of each window won, counted row by row from 0, and the geometry."""

    winner: np.ndarray
    shape: tuple[int, ...]
    pool_height: int
    pool_width: int
    stride: int


class AvgPoolCache(NamedTuple):
    """What the backward needs: the geometry alone."""

    shape: tuple[int, ...]
    pool_height: int
    pool_width: int
    stride: int


def max_pool_forward_naive(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, MaxPoolCache]:
    r"""The largest entry of each window, channel by channel.

    The loop runs over the places of a window. Where several entries of a window are equally large, the first one wins,
    row by row. Rows and columns that no window reaches, because the stride leaves a remainder, are not read.

    Derivation: [Pooling](../layers/pooling.md)

    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 9.3.

    Args:
        x: (N, C, H, W) N images of C channels.
        pool_param: a dictionary with the keys `pool_height`, `pool_width` and `stride`, each at least 1.

    Returns:
        out: (N, C, P, U), with P = 1 + (H − pool_height) // stride, and U likewise.
        cache: what `max_pool_backward_naive` needs.

    Raises:
        ValueError: wrong shape or key, a window larger than the image, or an `x` that does not hold real numbers.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> out, cache = max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    >>> out[0, 0], cache.winner[0, 0]
    (array([[5., 5.]]), array([[1, 0]]))
    """
    R, Q, s, P, U = _geometry(x, pool_param)
    out = x[:, :, : s * P : s, : s * U : s].copy()
    winner = np.zeros(out.shape, int)
    for r, q in np.ndindex(R, Q):
        seen = x[:, :, r : r + s * P : s, q : q + s * U : s]
        winner = np.where(seen > out, Q * r + q, winner)  # strictly larger: the first of equals stays
        out = np.maximum(out, seen)
    return out, MaxPoolCache(winner, x.shape, R, Q, s)


def max_pool_backward_naive(dout: np.ndarray, cache: MaxPoolCache) -> np.ndarray:
    r"""The winner of each window gets its gradient, the others nothing.

    Windows may overlap; an entry that wins in several of them collects from all.

    Derivation: [Pooling](../layers/pooling.md)

    Source: Goodfellow, Bengio & Courville (2016), section 9.3; the derivative of a maximum.

    Args:
        dout: (N, C, P, U) gradient of the loss with respect to `out`.
        cache: what `max_pool_forward_naive` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> _, cache = max_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    >>> max_pool_backward_naive(np.array([[[[0.5, -2.0]]]]), cache)[0, 0]
    array([[ 0. , -1.5,  0. ],
           [ 0. ,  0. ,  0. ]])
    """
    winner, shape, R, Q, s = cache
    _check_dout(dout, winner.shape)
    P, U = winner.shape[2:]
    dx = np.zeros_like(dout, shape=shape)
    for r, q in np.ndindex(R, Q):
        won = winner == Q * r + q
        dx[:, :, r : r + s * P : s, q : q + s * U : s] += np.where(won, dout, 0)
    return dx


def avg_pool_forward_naive(x: np.ndarray, pool_param: dict) -> tuple[np.ndarray, AvgPoolCache]:
    r"""The mean of each window, channel by channel.

    Derivation: [Pooling](../layers/pooling.md)

    Source: LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, 1998, section
    II.B, where the mean also has a learnt scale and shift.

    Args:
        x: (N, C, H, W) N images of C channels.
        pool_param: a dictionary with the keys `pool_height`, `pool_width` and `stride`, each at least 1.

    Returns:
        out: (N, C, P, U), with P = 1 + (H − pool_height) // stride, and U likewise.
        cache: what `avg_pool_backward_naive` needs.

    Raises:
        ValueError: wrong shape or key, a window larger than the image, or an `x` that does not hold real numbers.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> avg_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})[0][0, 0]
    array([[3.25, 2.5 ]])
    """
    R, Q, s, P, U = _geometry(x, pool_param)
    total = np.zeros_like(x, shape=(*x.shape[:2], P, U))
    for r, q in np.ndindex(R, Q):
        total += x[:, :, r : r + s * P : s, q : q + s * U : s]
    return total / (R * Q), AvgPoolCache(x.shape, R, Q, s)


def avg_pool_backward_naive(dout: np.ndarray, cache: AvgPoolCache) -> np.ndarray:
    r"""Every entry of a window gets an equal share of its gradient.

    Derivation: [Pooling](../layers/pooling.md)

    Source: LeCun, Bottou, Bengio & Haffner (1998), section II.B; the derivative of a mean.

    Args:
        dout: (N, C, P, U) gradient of the loss with respect to `out`.
        cache: what `avg_pool_forward_naive` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> x = np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 0.0]]]])
    >>> _, cache = avg_pool_forward_naive(x, {"pool_height": 2, "pool_width": 2, "stride": 1})
    >>> avg_pool_backward_naive(np.array([[[[4.0, -2.0]]]]), cache)[0, 0]
    array([[ 1. ,  0.5, -0.5],
           [ 1. ,  0.5, -0.5]])
    """
    shape, R, Q, s = cache
    P, U = (shape[2] - R) // s + 1, (shape[3] - Q) // s + 1
    _check_dout(dout, (*shape[:2], P, U))
    share = dout / (R * Q)
    dx = np.zeros_like(dout, shape=shape)
    for r, q in np.ndindex(R, Q):
        dx[:, :, r : r + s * P : s, q : q + s * U : s] += share
    return dx


def _geometry(x: np.ndarray, pool_param: dict) -> tuple[int, int, int, int, int]:
    """The height and width of a window, the stride, and the height and width of the output."""
    if x.dtype.kind not in "fO":
        raise ValueError(f"x: expected real floating-point numbers, got dtype {x.dtype}")
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"expected x of shape (N, C, H, W) without an empty axis, got {x.shape}")
    if unknown := set(pool_param) - {"pool_height", "pool_width", "stride"}:
        raise ValueError(f"pool_param: expected pool_height, pool_width, stride, got {sorted(unknown)}")
    for name in ("pool_height", "pool_width", "stride"):
        value = pool_param.get(name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"pool_param[{name!r}]: expected a whole number, at least 1, got {value!r}")
    R, Q, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    H, W = x.shape[2:]
    if R > H or Q > W:
        raise ValueError(f"expected a window that fits into the image {(H, W)}, got {(R, Q)}")
    return R, Q, s, (H - R) // s + 1, (W - Q) // s + 1


def _check_dout(dout: np.ndarray, shape: tuple[int, ...]) -> None:
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != shape:
        raise ValueError(f"expected dout of shape {shape}, got {dout.shape}")
