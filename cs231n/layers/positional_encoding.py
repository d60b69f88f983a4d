r"""Positional encoding: add to each token a vector that says where it stands.

Derivation: [Positional encoding](../layers/positional_encoding.md)
"""

from typing import NamedTuple

import numpy as np


class PositionalEncodingCache(NamedTuple):
    """What the backward needs: how long the table is."""

    length: int


def positional_encoding_table(length: int, features: int, base: float = 10000.0) -> np.ndarray:
    r"""The table of sines and cosines: sines in the even columns, cosines of the same angles in the odd ones.

    With an odd number of features the last sine has no cosine.

    Derivation: [Positional encoding](../layers/positional_encoding.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, section 3.5.

    Args:
        length: the number of positions, T.
        features: the number of columns, D.
        base: how much slower the last pair turns than the first, nearly.

    Returns:
        pe: (T, D) in float64.

    Raises:
        ValueError: fewer than one position or feature.

    >>> positional_encoding_table(3, 4).round(2)
    array([[ 0.  ,  1.  ,  0.  ,  1.  ],
           [ 0.84,  0.54,  0.01,  1.  ],
           [ 0.91, -0.42,  0.02,  1.  ]])
    """
    if length < 1 or features < 1:
        raise ValueError(f"expected at least one position and one feature, got {length} and {features}")
    rates = float(base) ** (-np.arange(0, features, 2) / features)
    angles = np.arange(length)[:, None] * rates
    pe = np.empty((length, features))
    pe[:, 0::2] = np.sin(angles)
    pe[:, 1::2] = np.cos(angles)[:, : features // 2]
    return pe


def positional_encoding_forward(x: np.ndarray, pe: np.ndarray) -> tuple[np.ndarray, PositionalEncodingCache]:
    r"""Add the first T rows of the table to each sequence.

    The table may be that of `positional_encoding_table`, or learnt. The course applies dropout to the result.

    Derivation: [Positional encoding](../layers/positional_encoding.md)

    Source: Vaswani et al. (2017), section 3.5.

    Args:
        x: (…, T, D) embedded tokens.
        pe: (M, D) a row for each position, M at least T; or (1, M, D), as in the course.

    Returns:
        out: the shape and type of `x`.
        cache: what `positional_encoding_backward` needs.

    Raises:
        ValueError: a table that is too short or too narrow, or an array that does not hold real numbers.

    >>> x = np.array([[[10.0, 20.0], [30.0, 40.0]]])
    >>> positional_encoding_forward(x, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))[0]
    array([[[11., 22.],
            [33., 44.]]])
    """
    for name, array in (("x", x), ("pe", pe)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    table = pe[0] if pe.ndim == 3 and len(pe) == 1 else pe
    if x.ndim < 2 or table.ndim != 2 or table.shape[1] != x.shape[-1]:
        raise ValueError(f"expected x of shape (..., T, D) and pe of shape (M, D), got {x.shape} and {pe.shape}")
    if len(table) < x.shape[-2]:
        raise ValueError(f"expected pe with a row for each of {x.shape[-2]} positions, got {len(table)}")
    out = x + table[: x.shape[-2]].astype(x.dtype)
    return out, PositionalEncodingCache(len(table))


def positional_encoding_backward(dout: np.ndarray, cache: PositionalEncodingCache) -> tuple[np.ndarray, np.ndarray]:
    r"""The gradients: of the tokens, and of the table if it is learnt.

    Derivation: [Positional encoding](../layers/positional_encoding.md)

    Source: an addition with broadcasting; see the page.

    Args:
        dout: (…, T, D) gradient of the loss with respect to `out`.
        cache: what `positional_encoding_forward` returned.

    Returns:
        dx: (…, T, D) gradient with respect to `x`.
        dpe: (M, D) gradient with respect to the table; zeros for positions that no sequence has reached.

    Raises:
        ValueError: `dout` is longer than the table, or does not hold real numbers.

    >>> _, cache = positional_encoding_forward(np.zeros((2, 2, 1)), np.zeros((3, 1)))
    >>> positional_encoding_backward(np.array([[[1.0], [2.0]], [[10.0], [20.0]]]), cache)[1]
    array([[11.],
           [22.],
           [ 0.]])
    """
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.ndim < 2 or dout.shape[-2] > cache.length:
        raise ValueError(f"expected dout of shape (..., T, D) with T at most {cache.length}, got {dout.shape}")
    T, D = dout.shape[-2:]
    dpe = np.zeros_like(dout, shape=(cache.length, D))
    dpe[:T] = dout.reshape(-1, T, D).sum(axis=0)
    return dout.copy(), dpe
