r"""Scaled dot-product attention: every query takes a weighted mean of the values, with weights from a softmax.

Derivation: [Attention](../layers/attention.md)
"""

from typing import Any, NamedTuple

import numpy as np


class AttentionCache(NamedTuple):
    """What the backward needs; `p` holds the attention weights, zero where a query may not look."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    p: np.ndarray


class BlockedAttentionCache(NamedTuple):
    """What the backward in blocks needs; `lse` is the logarithm of the sum of exponentials, one for each query."""

    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    mask: np.ndarray | None
    out: np.ndarray
    lse: np.ndarray
    block: int


def attention_forward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, AttentionCache]:
    r"""Compare each query with all keys, turn the scores into weights, and take the weighted mean of the values.

    The axes in front (examples, heads) are carried along. In self-attention S equals T.

    Derivation: [Attention](../layers/attention.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, equation (1).

    Args:
        q: (…, S, D) the queries.
        k: (…, T, D) the keys.
        v: (…, T, E) the values.
        mask: (S, T), or any shape that broadcasts to (…, S, T): true (or 1) where the query of the row may look at the
            key of the column. A query that may look at nothing gets zeros. Without a mask all may look everywhere.

    Returns:
        out: (…, S, E) one weighted mean of values for each query.
        cache: what `attention_backward` needs.

    Raises:
        ValueError: shapes that do not fit, an array that does not hold real numbers, or a mask of other numbers than
            0 and 1 (one that is added to the scores, for instance).

    >>> q, k = np.array([[1.0, 0.0]]), np.array([[2.0, 5.0], [2.0, -1.0], [7.0, 0.0]])
    >>> v = np.array([[1.0, 10.0], [3.0, 20.0], [9.0, 90.0]])
    >>> attention_forward(q, k, v, mask=np.array([[True, True, False]]))[0]
    array([[ 2., 15.]])
    """
    mask = _checked(q, k, v, mask)

    s = _scores(q, k, mask)
    e = _exponentials(s, s.max(axis=-1, keepdims=True), mask)
    total = e.sum(axis=-1, keepdims=True)  # at least 1, or 0 without a key
    p = e / np.maximum(total, 1)
    out = p @ v
    return out, AttentionCache(q, k, v, p)


def attention_backward(dout: np.ndarray, cache: AttentionCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients: of the queries, of the keys, of the values.

    Derivation: [Attention](../layers/attention.md)

    Source: Dao et al., FlashAttention, NeurIPS 2022, appendix B.2.

    Args:
        dout: (…, S, E) gradient of the loss with respect to `out`.
        cache: what `attention_forward` returned.

    Returns:
        dq: (…, S, D) gradient with respect to `q`.
        dk: (…, T, D) gradient with respect to `k`.
        dv: (…, T, E) gradient with respect to `v`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> q, k = np.array([[1.0, 0.0]]), np.array([[2.0, 5.0], [2.0, -1.0], [7.0, 0.0]])
    >>> v = np.array([[1.0, 10.0], [3.0, 20.0], [9.0, 90.0]])
    >>> _, cache = attention_forward(q, k, v, mask=np.array([[True, True, False]]))
    >>> dq, dk, dv = attention_backward(np.array([[4.0, 2.0]]), cache)
    >>> dv
    array([[2., 1.],
           [2., 1.],
           [0., 0.]])
    """
    q, k, v, p = cache
    _check_dout(dout, (*q.shape[:-1], v.shape[-1]))
    scale = 1 / float(q.shape[-1]) ** 0.5

    dv = p.swapaxes(-1, -2) @ dout
    dp = dout @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True))
    dq = scale * (ds @ k)
    dk = scale * (ds.swapaxes(-1, -2) @ q)
    return dq, dk, dv


def attention_forward_blocked(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None = None, block: int = 64
) -> tuple[np.ndarray, BlockedAttentionCache]:
    r"""The same output, without ever holding all weights: the keys come in blocks.

    For each query a running maximum, a running sum and a running output are kept. When a block brings a larger maximum,
    sum and output so far are scaled down.

    Derivation: [Attention](../layers/attention.md#keys-in-blocks)

    Source: Dao, FlashAttention-2, 2023, arXiv:2307.08691, section 3.1.1.

    Args:
        q: (…, S, D) the queries.
        k: (…, T, D) the keys.
        v: (…, T, E) the values.
        mask: as in `attention_forward`.
        block: how many keys at a time.

    Returns:
        out: (…, S, E) as from `attention_forward`.
        cache: what `attention_backward_blocked` needs. It holds `out` itself: do not write into that.

    Raises:
        ValueError: as in `attention_forward`, or a block of no keys.

    >>> rng = np.random.default_rng(0)
    >>> q, k, v = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    >>> out, cache = attention_forward_blocked(q, k, v, block=2)
    >>> bool(np.allclose(out, attention_forward(q, k, v)[0])), cache.lse.shape
    (True, (5, 1))
    """
    mask = _checked(q, k, v, mask)
    if block < 1:
        raise ValueError(f"block: expected at least one key, got {block}")

    rows = (*q.shape[:-1], 1)
    top = np.full_like(q, _lowest(q), shape=rows)
    total = np.zeros_like(q, shape=rows)
    out = np.zeros_like(q, shape=(*q.shape[:-1], v.shape[-1]))
    for start in range(0, k.shape[-2], block):
        keys = slice(start, start + block)
        seen = None if mask is None else mask[..., keys]
        s = _scores(q, k[..., keys, :], seen)
        higher = np.maximum(top, s.max(axis=-1, keepdims=True))
        shrink, e = np.exp(top - higher), _exponentials(s, higher, seen)
        total = shrink * total + e.sum(axis=-1, keepdims=True)
        out = shrink * out + e @ v[..., keys, :]
        top = higher
    total = np.maximum(total, 1)
    out = out / total
    lse = top + np.log(total)
    return out, BlockedAttentionCache(q, k, v, mask, out, lse, block)


def attention_backward_blocked(
    dout: np.ndarray, cache: BlockedAttentionCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The same gradients; each block of weights is computed again from its scores, and forgotten.

    Derivation: [Attention](../layers/attention.md#keys-in-blocks)

    Source: Dao et al., FlashAttention, NeurIPS 2022, appendix B.4 (without dropout).

    Args:
        dout: (…, S, E) gradient of the loss with respect to `out`.
        cache: what `attention_forward_blocked` returned.

    Returns:
        dq: (…, S, D) gradient with respect to `q`.
        dk: (…, T, D) gradient with respect to `k`.
        dv: (…, T, E) gradient with respect to `v`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> rng = np.random.default_rng(0)
    >>> q, k, v = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    >>> out, cache = attention_forward_blocked(q, k, v, block=2)
    >>> plain = attention_backward(out**2, attention_forward(q, k, v)[1])
    >>> [bool(np.allclose(a, b)) for a, b in zip(attention_backward_blocked(out**2, cache), plain)]
    [True, True, True]
    """
    q, k, v, mask, out, lse, block = cache
    _check_dout(dout, out.shape)
    scale = 1 / float(q.shape[-1]) ** 0.5

    along = (dout * out).sum(axis=-1, keepdims=True)  # the row sum of p * dp
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    for start in range(0, k.shape[-2], block):
        keys = slice(start, start + block)
        seen = None if mask is None else mask[..., keys]
        p = _exponentials(_scores(q, k[..., keys, :], seen), lse, seen)
        dv[..., keys, :] = p.swapaxes(-1, -2) @ dout
        dp = dout @ v[..., keys, :].swapaxes(-1, -2)
        ds = p * (dp - along)
        dq += scale * (ds @ k[..., keys, :])
        dk[..., keys, :] = scale * (ds.swapaxes(-1, -2) @ q)
    return dq, dk, dv


def _scores(q: np.ndarray, k: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """How well each query fits each key; the lowest number there is where it may not look."""
    s = (q / float(q.shape[-1]) ** 0.5) @ k.swapaxes(-1, -2)
    return s if mask is None else np.where(mask, s, _lowest(s))


def _exponentials(s: np.ndarray, shift: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    e = np.exp(s - shift)
    return e if mask is None else np.where(mask, e, 0)


def _lowest(s: np.ndarray) -> Any:
    """A finite stand-in for −∞: the difference of two of them is 0 and not NaN."""
    return np.finfo(s.dtype).min / 2 if s.dtype.kind == "f" else -(10**9)


def _checked(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray | None) -> np.ndarray | None:
    """The mask as booleans, after a look at all shapes."""
    for name, array in (("q", q), ("k", k), ("v", v)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
        if array.ndim < 2 or 0 in array.shape[-2:]:
            raise ValueError(f"{name}: expected at least two axes, none of the last two empty, got {array.shape}")
    if k.shape != (*q.shape[:-2], k.shape[-2], q.shape[-1]):
        expected = (*q.shape[:-2], k.shape[-2], q.shape[-1])
        raise ValueError(f"expected k of shape {expected} for q of shape {q.shape}, got {k.shape}")
    if v.shape[:-1] != k.shape[:-1]:
        raise ValueError(f"expected one value for each key, v of shape {(*k.shape[:-1], v.shape[-1])}, got {v.shape}")
    if mask is None:
        return None
    full = (*q.shape[:-1], k.shape[-2])
    ones = (1,) * (len(full) - mask.ndim) + mask.shape
    if len(ones) != len(full) or any(m not in (1, n) for m, n in zip(ones, full, strict=True)):
        raise ValueError(f"expected a mask that broadcasts to {full}, one row for each query, got {mask.shape}")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask: expected booleans, or 0 and 1, true where a query may look, got other numbers")
    return np.broadcast_to(mask != 0, (*ones[:-1], full[-1]))


def _check_dout(dout: np.ndarray, shape: tuple[int, ...]) -> None:
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != shape:
        raise ValueError(f"expected dout of shape {shape}, got {dout.shape}")
