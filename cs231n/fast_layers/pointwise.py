r"""ReLU and dropout as in `cs231n.layers`, faster: ReLU gives the same bits, dropout drops the same entries.

Derivations: [ReLU](../layers/relu.md), [Dropout](../layers/dropout.md)
"""

import sys

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.layers.dropout import DropoutCache, dropout_backward, dropout_forward
from cs231n.layers.relu import ReluCache, relu_backward, relu_forward

__all__ = ["dropout_backward_fast", "dropout_forward_fast", "relu_backward_fast", "relu_forward_fast"]

#: Generators whose 32-bit numbers are the two halves of their 64-bit numbers, the lower half first.
_HALVES = (np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)


def relu_forward_fast(x: np.ndarray) -> tuple[np.ndarray, ReluCache]:
    r"""As `relu_forward`, with the maximum of two arrays, which takes NumPy a third of the time of `maximum(x, 0)`.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `relu_backward_fast` needs.

    Raises:
        ValueError: as `relu_forward`.

    >>> relu_forward_fast(np.array([[-1.0, 2.0, 0.0], [3.0, -4.0, 0.5]]))[0]
    array([[0. , 2. , 0. ],
           [3. , 0. , 0.5]])
    """
    if not _blocks.worthwhile(x):
        return relu_forward(x)
    flat, step = x.reshape(-1), _blocks.length(x.itemsize)
    out, zeros = np.empty(x.size, x.dtype), np.zeros(step, x.dtype)
    for i in range(0, x.size, step):
        piece = flat[i : i + step]
        np.maximum(piece, zeros[: len(piece)], out=out[i : i + step])
    return out.reshape(x.shape), ReluCache(x)


def relu_backward_fast(dout: np.ndarray, cache: ReluCache) -> np.ndarray:
    r"""As `relu_backward`, without a decision for each entry: a processor guesses half of them wrong.

    A product with a 0/1 mask needs no decision, but inf · 0 is NaN, and −3 · 0 is −0. So the pattern of bits is
    multiplied, as a whole number: it stays, or it becomes that of 0.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `relu_forward_fast` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: as `relu_backward`.

    >>> cache = ReluCache(np.array([-1.0, 2.0, 0.0]))
    >>> relu_backward_fast(np.array([np.inf, -0.75, -3.0]), cache)
    array([ 0.  , -0.75,  0.  ])
    """
    (x,) = cache
    if not _blocks.worthwhile(dout) or dout.shape != x.shape:
        return relu_backward(dout, cache)
    whole = np.dtype(f"i{dout.itemsize}")
    flat, bits, step = x.reshape(-1), dout.reshape(-1).view(whole), _blocks.length(dout.itemsize)
    dx = np.empty(dout.size, whole)
    for i in range(0, dout.size, step):
        d = dx[i : i + step]
        np.copyto(d, flat[i : i + step] > 0)
        d *= bits[i : i + step]
    return dx.view(dout.dtype).reshape(dout.shape)


def dropout_forward_fast(x: np.ndarray, dropout_param: dict) -> tuple[np.ndarray, DropoutCache]:
    r"""As `dropout_forward`, with the same mask for the same seed.

    The plain layer asks whether a random number with 24 bits, k / 2²⁴, is less than p. Here k itself is compared, with
    p · 2²⁴: so no random number is turned into a float, and the generator is asked for 64 bits at a time.

    Args:
        x: any shape.
        dropout_param: as for `dropout_forward`.

    Returns:
        out: the shape of `x`.
        cache: what `dropout_backward_fast` needs, in either mode.

    Raises:
        ValueError: as `dropout_forward`.

    >>> dropout_forward_fast(np.full((2, 3), 1.5), {"mode": "train", "p": 0.75, "seed": 1})[0]
    array([[2., 2., 0.],
           [0., 2., 2.]])
    """
    if not _blocks.worthwhile(x) or dropout_param.get("mode") != "train":
        return dropout_forward(x, dropout_param)
    dropout_forward(np.empty(0, x.dtype), dropout_param)  # refuses what does not fit, and draws nothing
    p, rng = x.dtype.type(dropout_param["p"]), dropout_param.get("rng")
    rng = np.random.default_rng(dropout_param.get("seed")) if rng is None else rng

    flat, step, scale = x.reshape(-1), _blocks.length(x.itemsize), 1 / p
    out, mask = np.empty(x.size, x.dtype), np.empty(x.size, bool)
    for i in range(0, x.size, step):
        kept = mask[i : i + step]
        _draw(rng, p, kept)
        o = out[i : i + step]
        np.copyto(o, kept)  # in two steps, or NumPy makes the numbers from `kept` in a buffer, 8192 at a time
        o *= flat[i : i + step]
        o *= scale
    return out.reshape(x.shape), DropoutCache(mask.reshape(x.shape), p, "train")


def dropout_backward_fast(dout: np.ndarray, cache: DropoutCache) -> np.ndarray:
    r"""As `dropout_backward`.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `dropout_forward_fast` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: as `dropout_backward`.

    >>> _, cache = dropout_forward_fast(np.full((2, 3), 1.5), {"mode": "train", "p": 0.75, "seed": 1})
    >>> dropout_backward_fast(np.array([[3.0, -6.0, 1.5], [9.0, 0.75, -3.0]]), cache)
    array([[ 4., -8.,  0.],
           [ 0.,  1., -4.]])
    """
    mask, p, mode = cache
    if not _blocks.worthwhile(dout) or dout.shape != mask.shape or mode == "test" or np.dtype(type(p)) != dout.dtype:
        return dropout_backward(dout, cache)
    flat, kept, step, scale = dout.reshape(-1), mask.reshape(-1), _blocks.length(dout.itemsize), 1 / p
    dx = np.empty(dout.size, dout.dtype)
    for i in range(0, dout.size, step):
        d = dx[i : i + step]
        np.copyto(d, kept[i : i + step])
        d *= flat[i : i + step]
        d *= scale
    return dx.reshape(dout.shape)


def _draw(rng: np.random.Generator, p: np.floating, kept: np.ndarray) -> None:
    """`kept[:] = rng.random(kept.shape, dtype=np.float32) < p`, and the generator stands where it would stand then."""
    source, pairs = rng.bit_generator, kept.size // 2
    halves = isinstance(source, _HALVES) and not source.state["has_uint32"] and sys.byteorder == "little"
    limit = int(np.ceil(float(p) * 2**24)) << 8
    if not halves or limit >= 1 << 32 or kept.size < 2:
        np.less(rng.random(kept.shape, dtype=np.float32), p, out=kept)
        return
    with source.lock:
        numbers = source.random_raw(pairs)
    np.less(numbers.view(np.uint32), np.uint32(limit), out=kept[: 2 * pairs])
    if kept.size % 2:
        kept[-1] = rng.random(dtype=np.float32) < p
