r"""Multi-head attention: project queries, keys and values, attend in each head on its own, mix the heads.

Derivation: [Multi-head attention](../layers/multi_head_attention.md)
"""

from typing import Any, NamedTuple

import numpy as np


class MultiHeadAttentionCache(NamedTuple):
    """What the backward needs; `p` holds the weights before dropout, `y` what the heads found, side by side."""

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray
    wq: np.ndarray
    wk: np.ndarray
    wv: np.ndarray
    wo: np.ndarray
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    p: np.ndarray
    keep: np.ndarray | None
    y: np.ndarray


def multi_head_attention_forward(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    wq: np.ndarray,
    bq: np.ndarray,
    wk: np.ndarray,
    bk: np.ndarray,
    wv: np.ndarray,
    bv: np.ndarray,
    wo: np.ndarray,
    bo: np.ndarray,
    mask: np.ndarray | None = None,
    keep: np.ndarray | None = None,
) -> tuple[np.ndarray, MultiHeadAttentionCache]:
    r"""Each head projects its own queries, keys and values and attends; a last projection mixes what the heads found.

    The weights have an axis for the head. A matrix of shape (D, H * E), as in the course, becomes one by
    `w.reshape(D, H, E)`; PyTorch's transposed one by `w.T.reshape(D, H, E)`, and that of the output by
    `w.T.reshape(H, E, D)`. For self-attention hand over the same array three times, and add up the three gradients.

    Derivation: [Multi-head attention](../layers/multi_head_attention.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.2.2.

    Args:
        query: (…, S, D) the sequences that ask.
        key: (…, T, D) the sequences that are compared with.
        value: (…, T, D) the sequences that are answered from, as long as `key`.
        wq: (D, H, E) projects to the queries of H heads of E features.
        bq: (H, E) is added to the queries.
        wk: (D, H, E) projects to the keys.
        bk: (H, E) is added to the keys; it changes nothing (see the page).
        wv: (D, H, E) projects to the values.
        bv: (H, E) is added to the values.
        wo: (H, E, D) mixes the heads.
        bo: (D,) is added to the output.
        mask: (S, T), or any shape that broadcasts to (…, H, S, T): true (or 1) where a query may look at a key. A query
            that may look at nothing gets `bo`. Without a mask all may look everywhere.
        keep: (…, H, S, T) dropout for the attention weights, drawn and scaled by the caller: 0 where a weight is
            dropped, 1 over the probability to keep where it is not.

    Returns:
        out: (…, S, D) the outputs.
        cache: what `multi_head_attention_backward` needs.

    Raises:
        ValueError: shapes that do not fit, an array that does not hold real numbers, or a mask of other numbers than
            0 and 1.

    >>> rng = np.random.default_rng(0)
    >>> x, wo = rng.normal(size=(2, 5, 6)), rng.normal(size=(3, 4, 6))
    >>> wq, wk, wv = rng.normal(size=(3, 6, 3, 4))
    >>> b, bo = np.zeros((3, 4)), np.zeros(6)
    >>> out, cache = multi_head_attention_forward(x, x, x, wq, b, wk, b, wv, b, wo, bo)
    >>> out.shape, cache.p.shape
    ((2, 5, 6), (2, 3, 5, 5))
    """
    weights = {"wq": (wq, bq), "wk": (wk, bk), "wv": (wv, bv)}
    mask = _checked(query, key, value, weights, wo, bo, mask, keep)
    D = query.shape[-1]

    q, k, v = _project(query, wq, bq), _project(key, wk, bk), _project(value, wv, bv)
    s = (q / float(wq.shape[-1]) ** 0.5) @ k.swapaxes(-1, -2)
    p = _softmax(s, mask)
    kept = p if keep is None else keep * p
    y = (kept @ v).swapaxes(-2, -3)  # (…, S, H, E)
    out = (y.reshape(-1, bq.size) @ wo.reshape(-1, D) + bo).reshape(query.shape)
    return out, MultiHeadAttentionCache(query, key, value, wq, wk, wv, wo, q, k, v, p, keep, y)


def multi_head_attention_backward(dout: np.ndarray, cache: MultiHeadAttentionCache) -> tuple[np.ndarray, ...]:
    r"""The gradients of the three inputs, then of the weights and biases, in the order of the forward.

    Derivation: [Multi-head attention](../layers/multi_head_attention.md)

    Source: Vaswani et al. (2017), section 3.2.2; the backward is composed of those of its parts.

    Args:
        dout: (…, S, D) gradient of the loss with respect to `out`.
        cache: what `multi_head_attention_forward` returned.

    Returns:
        dquery: (…, S, D) gradient with respect to `query`.
        dkey: (…, T, D) gradient with respect to `key`.
        dvalue: (…, T, D) gradient with respect to `value`.
        dwq: (D, H, E) gradient with respect to `wq`.
        dbq: (H, E) gradient with respect to `bq`.
        dwk: (D, H, E) gradient with respect to `wk`.
        dbk: (H, E) gradient with respect to `bk`: zeros, always.
        dwv: (D, H, E) gradient with respect to `wv`.
        dbv: (H, E) gradient with respect to `bv`.
        dwo: (H, E, D) gradient with respect to `wo`.
        dbo: (D,) gradient with respect to `bo`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> rng = np.random.default_rng(0)
    >>> x, dout, wo = rng.normal(size=(2, 5, 6)), rng.normal(size=(2, 5, 6)), rng.normal(size=(3, 4, 6))
    >>> wq, wk, wv = rng.normal(size=(3, 6, 3, 4))
    >>> b, bo = np.zeros((3, 4)), np.zeros(6)
    >>> _, cache = multi_head_attention_forward(x, x, x, wq, b, wk, b, wv, b, wo, bo)
    >>> dquery, dkey, dvalue, dwq, *_ = multi_head_attention_backward(dout, cache)
    >>> dx = dquery + dkey + dvalue
    >>> dx.shape, dwq.shape
    ((2, 5, 6), (6, 3, 4))
    """
    query, key, value, wq, wk, wv, wo, q, k, v, p, keep, y = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != query.shape:
        raise ValueError(f"expected dout of shape {query.shape}, got {dout.shape}")
    scale = 1 / float(wq.shape[-1]) ** 0.5

    rows = dout.reshape(-1, dout.shape[-1])
    dwo = (y.reshape(len(rows), -1).T @ rows).reshape(wo.shape)
    dbo = rows.sum(axis=0)
    dy = (rows @ wo.reshape(-1, wo.shape[-1]).T).reshape(y.shape).swapaxes(-2, -3)  # (…, H, S, E)

    kept = p if keep is None else keep * p
    dv = kept.swapaxes(-1, -2) @ dy
    dp = dy @ v.swapaxes(-1, -2)
    if keep is not None:
        dp = keep * dp
    along = (dy * y.swapaxes(-2, -3)).sum(axis=-1, keepdims=True)  # the row sum of p * dp
    ds = p * (dp - along)
    dq = scale * (ds @ k)
    dk = scale * (ds.swapaxes(-1, -2) @ q)

    dquery, dwq, dbq = _unproject(dq, query, wq)
    dkey, dwk, _ = _unproject(dk, key, wk)
    dvalue, dwv, dbv = _unproject(dv, value, wv)
    dbk = np.zeros_like(dbq)  # a sum that is 0 on paper and rounding noise in a program
    return dquery, dkey, dvalue, dwq, dbq, dwk, dbk, dwv, dbv, dwo, dbo


def _project(x: np.ndarray, w: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(…, L, D) to (…, H, L, E): one matrix product for all heads."""
    heads = x.reshape(-1, x.shape[-1]) @ w.reshape(len(w), -1) + b.reshape(-1)
    return heads.reshape(*x.shape[:-1], *b.shape).swapaxes(-2, -3)


def _unproject(dheads: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of `_project`: of x, w and b."""
    rows = dheads.swapaxes(-2, -3).reshape(-1, w[0].size)
    dx = (rows @ w.reshape(len(w), -1).T).reshape(x.shape)
    dw = (x.reshape(-1, x.shape[-1]).T @ rows).reshape(w.shape)
    return dx, dw, rows.sum(axis=0).reshape(w.shape[1:])


def _softmax(s: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Over the last axis, of the entries that the mask allows; a row without any becomes 0."""
    if mask is not None:
        lowest: Any = np.finfo(s.dtype).min / 2 if s.dtype.kind == "f" else -(10**9)
        s = np.where(mask, s, lowest)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    if mask is not None:
        e = np.where(mask, e, 0)
    return e / np.maximum(e.sum(axis=-1, keepdims=True), 1)  # the largest term is 1


def _checked(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    weights: dict[str, tuple[np.ndarray, np.ndarray]],
    wo: np.ndarray,
    bo: np.ndarray,
    mask: np.ndarray | None,
    keep: np.ndarray | None,
) -> np.ndarray | None:
    """The mask as booleans, after a look at all shapes."""
    for name, x in (("query", query), ("key", key)):
        if x.ndim < 2 or 0 in x.shape[-2:]:
            raise ValueError(f"{name}: expected at least two axes, none of the last two empty, got {x.shape}")
    wq = weights["wq"][0]
    if wq.ndim != 3 or 0 in wq.shape:
        raise ValueError(f"expected wq of shape (D, H, E), got {wq.shape}")
    (*front, S, D), T, (H, E) = query.shape, key.shape[-2], wq.shape[1:]
    full, memory = (*front, H, S, T), (*front, T, D)
    expected: dict[str, tuple[np.ndarray, tuple[int, ...]]] = {"query": (query, query.shape)}
    expected |= {"key": (key, memory), "value": (value, memory)}
    for name, (w, b) in weights.items():
        expected |= {name: (w, (D, H, E)), f"b{name[1:]}": (b, (H, E))}
    expected |= {"wo": (wo, (H, E, D)), "bo": (bo, (D,))}
    if keep is not None:
        expected["keep"] = (keep, full)
    for name, (array, shape) in expected.items():
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
        if array.shape != shape:
            raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
    if mask is None:
        return None
    ones = (1,) * (len(full) - mask.ndim) + mask.shape
    if len(ones) != len(full) or any(m not in (1, n) for m, n in zip(ones, full, strict=True)):
        raise ValueError(f"expected a mask that broadcasts to {full}, one row for each query, got {mask.shape}")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError("mask: expected booleans, or 0 and 1, true where a query may look, got other numbers")
    return mask != 0
