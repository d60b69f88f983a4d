r"""Convolution: slide a small kernel over an image, and at each place take the product with what lies under it.

Derivation: [Convolution](../layers/conv.md)
"""

from typing import NamedTuple

import numpy as np


class ConvCache(NamedTuple):
    """What the backward needs: the padded images, the kernels, and the steps."""

    x_bar: np.ndarray
    w: np.ndarray
    stride: int
    pad: int
    dilation: int


def conv_forward_naive(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict) -> tuple[np.ndarray, ConvCache]:
    r"""Convolve each image with each of the F kernels, and add the bias of the kernel.

    The loops run over the entries of a kernel. Each entry multiplies one shifted (and, with a stride, thinned out) copy
    of the padded images. As everywhere in deep learning the kernel is *not* turned round: a mathematician would call
    this a cross-correlation. Rows and columns that no window reaches, because the stride leaves a remainder, are not
    read.

    Derivation: [Convolution](../layers/conv.md)

    Source: Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016, relationships 6 and 15.

    Args:
        x: (N, C, H, W) N images of C channels.
        w: (F, C, R, Q) F kernels of height R and width Q.
        b: (F,) the bias of each kernel.
        conv_param: a dictionary with the keys `stride` (at least 1) and `pad` (rows and columns of zeros on each side,
            at least 0), and if you like `dilation` (the step between neighbouring entries of a kernel, 1).

    Returns:
        out: (N, F, P, U), with P = 1 + (H + 2 pad − dilation (R − 1) − 1) // stride, and U likewise.
        cache: what `conv_backward_naive` needs.

    Raises:
        ValueError: wrong shape or key, a kernel larger than the padded image, or an array that does not hold real
            numbers.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> edge = np.array([[[[1.0, -1.0]]]])  # each pixel less its right neighbour
    >>> out, cache = conv_forward_naive(x, edge, np.array([0.5]), {"stride": 1, "pad": 0})
    >>> out.shape, out[0, 0, 0]
    ((1, 1, 4, 3), array([-0.5, -0.5, -0.5]))
    """
    s, pad, t, P, U = _geometry(x, w, b, conv_param)
    (N, C, H, W), (F, _, R, Q) = x.shape, w.shape
    x_bar = np.zeros_like(x, shape=(N, C, H + 2 * pad, W + 2 * pad))
    x_bar[:, :, pad : pad + H, pad : pad + W] = x
    out = np.zeros_like(x, shape=(N, P, U, F))
    for r, q in np.ndindex(R, Q):
        seen = x_bar[:, :, t * r : t * r + s * P : s, t * q : t * q + s * U : s]  # what this entry of w looks at
        out += seen.transpose(0, 2, 3, 1) @ w[:, :, r, q].T
    out += b
    return out.transpose(0, 3, 1, 2).copy(), ConvCache(x_bar, w, s, pad, t)


def conv_backward_naive(dout: np.ndarray, cache: ConvCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients: the same loops, and each entry of the kernel sends back what it was given.

    `dx` is scattered: pixels that were seen by several windows collect from all of them. Pixels that no window reached
    get 0, and what falls on the padding is cut off.

    Derivation: [Convolution](../layers/conv.md)

    Source: Dumoulin & Visin (2016), section 4.

    Args:
        dout: (N, F, P, U) gradient of the loss with respect to `out`.
        cache: what `conv_forward_naive` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dw: (F, C, R, Q) gradient with respect to `w`.
        db: (F,) gradient with respect to `b`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> edge = np.array([[[[1.0, -1.0]]]])
    >>> _, cache = conv_forward_naive(x, edge, np.zeros(1), {"stride": 1, "pad": 0})
    >>> dout = np.zeros((1, 1, 4, 3))
    >>> dout[0, 0, 2, 1] = 7.0
    >>> dx, dw, db = conv_backward_naive(dout, cache)
    >>> dx[0, 0, 2], dw, db
    (array([ 0.,  7., -7.,  0.]), array([[[[63., 70.]]]]), array([7.]))
    """
    x_bar, w, s, pad, t = cache
    (N, C, A, B), (F, _, R, Q) = x_bar.shape, w.shape
    P, U = (A - t * (R - 1) - 1) // s + 1, (B - t * (Q - 1) - 1) // s + 1
    _check_dout(dout, (N, F, P, U))

    db = dout.sum(axis=(0, 2, 3))
    dw = np.zeros_like(w)
    dx_bar = np.zeros_like(x_bar)
    dout_last = dout.transpose(0, 2, 3, 1)  # (N, P, U, F)
    dout_rows = dout.transpose(1, 0, 2, 3).reshape(F, -1)
    for r, q in np.ndindex(R, Q):
        place = (..., slice(t * r, t * r + s * P, s), slice(t * q, t * q + s * U, s))
        seen = x_bar[place].transpose(1, 0, 2, 3).reshape(C, -1)
        dw[:, :, r, q] = dout_rows @ seen.T
        dx_bar[place] += (dout_last @ w[:, :, r, q]).transpose(0, 3, 1, 2)  # windows overlap: add, never assign
    dx = dx_bar[:, :, pad : A - pad, pad : B - pad].copy()
    return dx, dw, db


def _geometry(x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict) -> tuple[int, int, int, int, int]:
    """The stride, the padding, the dilation, and the height and width of the output."""
    for name, array in (("x", x), ("w", w), ("b", b)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"expected x of shape (N, C, H, W) without an empty axis, got {x.shape}")
    _, C, H, W = x.shape
    if w.ndim != 4 or w.shape[1] != C or 0 in w.shape:
        raise ValueError(f"expected w of shape (F, {C}, R, Q) for an x with {C} channels, got {w.shape}")
    F, _, R, Q = w.shape
    if b.shape != (F,):
        raise ValueError(f"expected b of shape {(F,)}, one number for each kernel, got {b.shape}")
    if unknown := set(conv_param) - {"stride", "pad", "dilation"}:
        raise ValueError(f"conv_param: expected stride, pad, dilation, got {sorted(unknown)}")
    steps = {"dilation": 1, **conv_param}
    for name, least in (("stride", 1), ("pad", 0), ("dilation", 1)):
        value = steps.get(name)
        if not isinstance(value, int | np.integer) or value < least:
            raise ValueError(f"conv_param[{name!r}]: expected a whole number, at least {least}, got {value!r}")
    s, pad, t = steps["stride"], steps["pad"], steps["dilation"]
    A, B = H + 2 * pad, W + 2 * pad
    if t * (R - 1) >= A or t * (Q - 1) >= B:
        reach = (t * (R - 1) + 1, t * (Q - 1) + 1)
        raise ValueError(f"expected kernels that fit into the padded image {(A, B)}, got kernels that reach {reach}")
    return s, pad, t, (A - t * (R - 1) - 1) // s + 1, (B - t * (Q - 1) - 1) // s + 1


def _check_dout(dout: np.ndarray, shape: tuple[int, ...]) -> None:
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != shape:
        raise ValueError(f"expected dout of shape {shape}, got {dout.shape}")
