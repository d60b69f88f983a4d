r"""Convolution as in `cs231n.layers.conv`, faster: the same numbers up to rounding.

The naive layer is the formula of the page, line for line. Here the same sums are put into the order that a machine
likes: what the windows of an image see is copied into a matrix ("im2col"), which is multiplied once. This is done for
one image at a time, or for a few small ones, so that the matrix stays in the cache and memory does not grow with the
batch.

Derivation: [Convolution](../layers/conv.md)
"""

from typing import NamedTuple

import numpy as np

from cs231n.layers.conv import _check_dout, _geometry

__all__ = ["conv_backward_fast", "conv_forward_fast"]

#: The matrix of windows of one step has about so many entries: 1 MB in float32.
_ENTRIES = 1 << 18


class ConvFastCache(NamedTuple):
    """What the backward needs: the images, the kernels, and the steps."""

    x: np.ndarray
    w: np.ndarray
    stride: int
    pad: int
    dilation: int


class _Room:
    """A few padded images, and what their windows see.

    `seen[c, r, q, g, p, u]` is what entry (r, q) of a kernel looks at, in channel c of image g, from place (p, u); it
    is a view of `images`. With stride 1 the last axis runs over the whole padded row, so that p and u are one long
    piece of memory: copies are fast, and the places that are too many are thrown away later.
    """

    def __init__(self, shape: tuple[int, int, int, int], kernel: tuple[int, int], s: int, t: int, dtype: np.dtype):
        N, C, A, B = shape
        R, Q = kernel
        self.P, self.U = (A - t * (R - 1) - 1) // s + 1, (B - t * (Q - 1) - 1) // s + 1
        self.row = B if s == 1 else self.U
        self.group = max(1, min(N, _ENTRIES // (C * R * Q * self.P * self.row)))
        spare = t * (Q - 1) if s == 1 else 0  # the last windows run over the end
        self.memory = np.zeros((self.group, C, A * B + spare), dtype)
        self.images = self.memory[:, :, : A * B].reshape(self.group, C, A, B)
        image, channel, one = self.memory.strides
        self.seen = np.lib.stride_tricks.as_strided(
            self.memory,
            (C, R, Q, self.group, self.P, self.row),
            (channel, t * B * one, t * one, image, s * B * one, s * one),
        )


def conv_forward_fast(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, ConvFastCache]:
    r"""As `conv_forward_naive`, with one matrix product for each image.

    Args:
        x: (N, C, H, W) N images of C channels.
        w: (F, C, R, Q) F kernels of height R and width Q.
        b: (F,) the bias of each kernel.
        conv_param: a dictionary with the keys `stride`, `pad`, and if you like `dilation` (1).

    Returns:
        out: (N, F, P, U), with P = 1 + (H + 2 pad − dilation (R − 1) − 1) // stride, and U likewise.
        cache: what `conv_backward_fast` needs.

    Raises:
        ValueError: as `conv_forward_naive`.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> edge = np.array([[[[1.0, -1.0]]]])
    >>> out, cache = conv_forward_fast(x, edge, np.array([0.5]), {"stride": 1, "pad": 0})
    >>> out.shape, out[0, 0, 0]
    ((1, 1, 4, 3), array([-0.5, -0.5, -0.5]))
    """
    s, pad, t, _, _ = _geometry(x, w, b, conv_param)
    (N, C, H, W), (F, _, R, Q) = x.shape, w.shape
    room = _Room((N, C, H + 2 * pad, W + 2 * pad), (R, Q), s, t, x.dtype)
    columns = np.empty(room.seen.shape, x.dtype)
    weights = w.reshape(F, -1).astype(x.dtype, copy=False)
    out = np.empty((N, F, room.P, room.U), x.dtype)
    for n in range(0, N, room.group):
        g = min(room.group, N - n)
        room.images[:g, :, pad : pad + H, pad : pad + W] = x[n : n + g]
        np.copyto(columns[:, :, :, :g], room.seen[:, :, :, :g])
        part = weights @ columns[:, :, :, :g].reshape(C * R * Q, -1)
        part = part.reshape(F, g, room.P, room.row)[..., : room.U]
        np.add(part.swapaxes(0, 1), b[:, None, None], out=out[n : n + g], casting="same_kind")
    return out, ConvFastCache(x, w, s, pad, t)


def conv_backward_fast(dout: np.ndarray, cache: ConvFastCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""As `conv_backward_naive`, as a gather with the kernel turned round or as a scatter, whichever is faster.

    The gather copies windows of `dout`, which then serve both `dx` and `dw`; the scatter copies windows of `x`, and
    adds as large a matrix back. So the gather is faster, unless there are many more kernels than channels, or a stride.

    Args:
        dout: (N, F, P, U) gradient of the loss with respect to `out`.
        cache: what `conv_forward_fast` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dw: (F, C, R, Q) gradient with respect to `w`.
        db: (F,) gradient with respect to `b`.

    Raises:
        ValueError: as `conv_backward_naive`.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> edge = np.array([[[[1.0, -1.0]]]])
    >>> out, cache = conv_forward_fast(x, edge, np.zeros(1), {"stride": 1, "pad": 0})
    >>> dout = np.zeros_like(out)
    >>> dout[0, 0, 2, 1] = 7.0
    >>> dx, dw, db = conv_backward_fast(dout, cache)
    >>> dx[0, 0, 2], dw, db
    (array([ 0.,  7., -7.,  0.]), array([[[[63., 70.]]]]), array([7.]))
    """
    x, w, s, pad, t = cache
    (N, C, H, W), (F, _, R, Q) = x.shape, w.shape
    P, U = (H + 2 * pad - t * (R - 1) - 1) // s + 1, (W + 2 * pad - t * (Q - 1) - 1) // s + 1
    _check_dout(dout, (N, F, P, U))
    backward = _gather if s == 1 and F <= 2 * C else _scatter
    dx, dw = backward(dout, x, w, s, pad, t)
    return dx, dw, dout.sum(axis=(2, 3)).sum(axis=0)


def _gather(dout: np.ndarray, x: np.ndarray, w: np.ndarray, s: int, pad: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Stride 1: dx is a convolution of `dout`, padded by t(R − 1) − pad, with the kernels turned round."""
    (N, C, H, W), (F, _, R, Q), (P, U) = x.shape, w.shape, dout.shape[2:]
    room = _Room((N, F, H + t * (R - 1), W + t * (Q - 1)), (R, Q), 1, t, x.dtype)
    top, left = t * (R - 1) - pad, t * (Q - 1) - pad
    low, near = max(0, -top), max(0, -left)  # with much padding the outermost windows see nothing but zeros
    here = np.s_[:, :, top + low : top + P - low, left + near : left + U - near]
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).reshape(C, -1).astype(x.dtype, copy=False)
    columns = np.empty(room.seen.shape, x.dtype)
    rows = np.zeros((C, room.group, H, room.row), x.dtype)
    dx = np.empty(x.shape, x.dtype)
    dw = np.zeros((F * R * Q, C), x.dtype)
    for n in range(0, N, room.group):
        g = min(room.group, N - n)
        room.images[:g][here] = dout[n : n + g, :, low : P - low, near : U - near]
        np.copyto(columns[:, :, :, :g], room.seen[:, :, :, :g])
        matrix = columns[:, :, :, :g].reshape(F * R * Q, -1)
        dx[n : n + g] = (turned @ matrix).reshape(C, g, H, room.row)[..., :W].swapaxes(0, 1)
        rows[:, :g, :, :W] = x[n : n + g].swapaxes(0, 1)
        dw += matrix @ rows[:, :g].reshape(C, -1).T
    dw = dw.reshape(F, R, Q, C)[:, ::-1, ::-1].transpose(0, 3, 1, 2)
    return dx, dw.astype(w.dtype, order="C")


def _scatter(dout: np.ndarray, x: np.ndarray, w: np.ndarray, s: int, pad: int, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Any stride: the gradient of the matrix of windows, added back to where the windows were.

    The pixels that one entry of the kernel looks at are s apart. Sorted by their row and column modulo s they are
    neighbours, so that each addition is one long piece of memory: `sorted_dx[c, a, b, g, h * width + v]` is the
    gradient of pixel (s h + a, s v + b) of the padded image.
    """
    (N, C, H, W), (F, _, R, Q) = x.shape, w.shape
    A, B = H + 2 * pad, W + 2 * pad
    room = _Room((N, C, A, B), (R, Q), s, t, x.dtype)
    height, width = -(-A // s), -(-B // s)
    here = np.s_[:, :, pad : pad + H, pad : pad + W]
    weights = w.reshape(F, -1).T.astype(x.dtype)
    columns = np.empty(room.seen.shape, x.dtype)
    rows = np.zeros((F, room.group, room.P, width), x.dtype)
    sorted_dx = np.empty((C, s, s, room.group, height * width + t * (Q - 1) // s), x.dtype)
    padded = np.zeros((room.group, C, s * height, s * width), x.dtype)
    places = [(r, q, t * r % s, t * q % s, t * r // s * width + t * q // s) for r, q in np.ndindex(R, Q)]
    phases = {(a, b) for _, _, a, b, _ in places}
    dx = np.empty(x.shape, x.dtype)
    dw = np.zeros((F, C * R * Q), x.dtype)
    for n in range(0, N, room.group):
        g = min(room.group, N - n)
        room.images[:g][here] = x[n : n + g]
        np.copyto(columns[:, :, :, :g], room.seen[:, :, :, :g])
        rows[:, :g, :, : room.U] = dout[n : n + g].swapaxes(0, 1)
        dw += rows[:, :g, :, : room.row].reshape(F, -1) @ columns[:, :, :, :g].reshape(C * R * Q, -1).T
        dcolumns = (weights @ rows[:, :g].reshape(F, -1)).reshape(C, R, Q, g, room.P * width)
        sorted_dx[...] = 0
        for r, q, a, b, start in places:  # entries of one place of the kernel never share a pixel
            sorted_dx[:, a, b, :g, start : start + room.P * width] += dcolumns[:, r, q]
        for a, b in phases:
            phase = sorted_dx[:, a, b, :g, : height * width].reshape(C, g, height, width)
            padded[:g, :, a::s, b::s] = phase.swapaxes(0, 1)
        dx[n : n + g] = padded[:g][here]
    return dx, dw.reshape(w.shape).astype(w.dtype, copy=False)
