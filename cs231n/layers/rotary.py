r"""Rotary position embedding: turn each pair of features by an angle that grows with the position.

Derivation: [Rotary position embedding](../layers/rotary.md)
"""

from typing import NamedTuple

import numpy as np


class RotaryCache(NamedTuple):
    """What the backward needs; `c` and `s` hold cosine and sine of the angles."""

    c: np.ndarray
    s: np.ndarray
    layout: str


def rotary_angles(positions: np.ndarray, features: int, base: float = 10000.0) -> np.ndarray:
    r"""The angle of each position and each pair of features: the position times the rate of the pair.

    The rates fall from 1 to nearly 1 / base, each by the same factor from the one before.

    Derivation: [Rotary position embedding](../layers/rotary.md)

    Source: Su et al., RoFormer, 2021, arXiv:2104.09864, section 3.2.2.

    Args:
        positions: (T,) where the tokens stand, `np.arange(T)` for a whole sequence. Integers or floats.
        features: an even number, D.
        base: how much slower the last pair turns than the first, nearly.

    Returns:
        angles: (T, D / 2) in radians, in float64.

    Raises:
        ValueError: an odd number of features, or positions of another shape.

    >>> rotary_angles(np.arange(3), 4)
    array([[0.  , 0.  ],
           [1.  , 0.01],
           [2.  , 0.02]])
    """
    positions = np.asarray(positions)
    if positions.ndim != 1 or positions.dtype.kind not in "iuf":
        raise ValueError(f"expected positions of shape (T,), got {positions.shape} of {positions.dtype}")
    if features < 2 or features % 2:
        raise ValueError(f"features: expected an even number, got {features}")
    rates = float(base) ** (-np.arange(0, features, 2) / features)
    return positions[:, None] * rates


def rotary_forward(x: np.ndarray, angles: np.ndarray, layout: str = "interleaved") -> tuple[np.ndarray, RotaryCache]:
    r"""Turn each pair of features by its angle.

    Apply it to the queries and to the keys of attention, not to the values.

    Derivation: [Rotary position embedding](../layers/rotary.md)

    Source: Su et al., RoFormer, 2021, arXiv:2104.09864, section 3.4.2.

    Args:
        x: (…, T, D) queries or keys, with an even number of features.
        angles: (T, D / 2), or any shape that broadcasts to (…, T, D / 2): from `rotary_angles`.
        layout: which features form a pair. `interleaved`: neighbours, 2m and 2m + 1. `half`: m and D / 2 + m.

    Returns:
        out: the shape and type of `x`.
        cache: what `rotary_backward` needs.

    Raises:
        ValueError: shapes that do not fit, an unknown layout, or an array that does not hold real numbers.

    >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> rotary_forward(x, np.array([[0.0], [np.pi / 2]]))[0].round(12)
    array([[1., 0.],
           [0., 1.]])
    """
    for name, array in (("x", x), ("angles", angles)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim < 2 or x.shape[-1] < 2 or x.shape[-1] % 2:
        raise ValueError(f"expected x of shape (..., T, D) with D even, got {x.shape}")
    pairs = (*x.shape[:-1], x.shape[-1] // 2)
    ones = (1,) * (len(pairs) - angles.ndim) + angles.shape
    if len(ones) != len(pairs) or any(a not in (1, p) for a, p in zip(ones, pairs, strict=True)):
        raise ValueError(f"expected angles that broadcast to {pairs}, got {angles.shape}")
    if layout not in ("interleaved", "half"):
        raise ValueError(f"layout: expected interleaved or half, got {layout!r}")
    c, s = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)

    a, b = _split(x, layout)
    out = _join(a * c - b * s, a * s + b * c, layout)
    return out, RotaryCache(c, s, layout)


def rotary_backward(dout: np.ndarray, cache: RotaryCache) -> np.ndarray:
    r"""Turn the gradient back: the same rotation with the opposite angle.

    Derivation: [Rotary position embedding](../layers/rotary.md)

    Source: the transpose of a rotation; see the page.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `rotary_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]])
    >>> out, cache = rotary_forward(x, rotary_angles(np.array([5, 900]), 4))
    >>> rotary_backward(out, cache).round(12)
    array([[1., 2., 3., 4.],
           [5., 6., 7., 8.]])
    """
    c, s, layout = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.ndim < max(2, c.ndim) or dout.shape[-1] != 2 * c.shape[-1] or c.shape[-2] not in (1, dout.shape[-2]):
        raise ValueError(f"expected dout of shape (..., T, {2 * c.shape[-1]}) for angles {c.shape}, got {dout.shape}")

    dfirst, dsecond = _split(dout, layout)
    return _join(dfirst * c + dsecond * s, dsecond * c - dfirst * s, layout)


def _split(x: np.ndarray, layout: str) -> tuple[np.ndarray, np.ndarray]:
    """The first partners of all pairs, and the second ones."""
    if layout == "interleaved":
        return x[..., 0::2], x[..., 1::2]
    return x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]


def _join(a: np.ndarray, b: np.ndarray, layout: str) -> np.ndarray:
    if layout == "interleaved":
        return np.stack((a, b), axis=-1).reshape(*a.shape[:-1], -1)
    return np.concatenate((a, b), axis=-1)
