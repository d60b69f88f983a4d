r"""Inverted dropout: in training drop entries at random and scale up those kept, so that test mode is the identity.

Derivation: [Dropout](../layers/dropout.md)
"""

from typing import NamedTuple

import numpy as np


class DropoutCache(NamedTuple):
    """What the backward needs: which entries were kept, and the probability of keeping one."""

    mask: np.ndarray
    p: float
    mode: str


def dropout_forward(x: np.ndarray, dropout_param: dict) -> tuple[np.ndarray, DropoutCache]:
    r"""Keep each entry with probability `p` and divide it by `p`, else set it to zero; in test mode return `x`.

    The product with the mask is the formula of the page, so an infinite entry that is dropped becomes NaN.

    Random numbers come from a generator of this call, never from NumPy's global state. A `seed` gives the same mask at
    every call, which a numeric gradient check needs; a network in training passes one `rng` to all its layers instead,
    or every layer of equal width drops the same units at every step.

    Derivation: [Dropout](../layers/dropout.md)

    Source: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, Dropout, JMLR 15 (2014), section 4; the
    scaling during training is described in section 10.

    Args:
        x: any shape.
        dropout_param: a dictionary with the keys `mode` ('train' or 'test', required), `p` (the probability to **keep**
            an entry, 0 < p <= 1, required) and at most one of `seed` (an integer) and `rng` (a NumPy generator, which
            advances).

    Returns:
        out: the shape of `x`.
        cache: what `dropout_backward` needs, in either mode.

    Raises:
        ValueError: wrong mode, key or `p`, or `x` does not hold real numbers.

    >>> out, cache = dropout_forward(np.full((2, 3), 1.5), {"mode": "train", "p": 0.75, "seed": 1})
    >>> cache.mask
    array([[ True,  True, False],
           [False,  True,  True]])
    >>> out
    array([[2., 2., 0.],
           [0., 2., 2.]])
    """
    if x.dtype.kind not in "fO":
        raise ValueError(f"x: expected real floating-point numbers, got dtype {x.dtype}")
    if unknown := set(dropout_param) - {"mode", "p", "seed", "rng"}:
        raise ValueError(f"dropout_param: expected mode, p, seed, rng, got {sorted(unknown)}")
    mode, p = dropout_param.get("mode"), dropout_param.get("p")
    if mode not in ("train", "test"):
        raise ValueError(f"dropout_param['mode']: expected 'train' or 'test', got {mode!r}")
    if p is None or not 0 < p <= 1:
        raise ValueError(f"dropout_param['p']: expected a probability to keep with 0 < p <= 1, got {p}")
    seed, rng = dropout_param.get("seed"), dropout_param.get("rng")
    if seed is not None and rng is not None:
        raise ValueError("dropout_param: expected at most one of 'seed' and 'rng', got both")

    p = x.dtype.type(p)  # a float64 scalar would turn float32 data into float64
    if mode == "test":
        return x.copy(), DropoutCache(np.ones(x.shape, bool), p, mode)
    rng = np.random.default_rng(seed) if rng is None else rng
    mask = rng.random(x.shape, dtype=np.float32) < p
    out = x * mask / p
    return out, DropoutCache(mask, p, mode)


def dropout_backward(dout: np.ndarray, cache: DropoutCache) -> np.ndarray:
    r"""The gradient takes the way of the entry: dropped with it, scaled with it.

    Derivation: [Dropout](../layers/dropout.md)

    Source: Srivastava et al. (2014), section 5.1.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `dropout_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = dropout_forward(np.full((2, 3), 1.5), {"mode": "train", "p": 0.75, "seed": 1})
    >>> dropout_backward(np.array([[3.0, -6.0, 1.5], [9.0, 0.75, -3.0]]), cache)
    array([[ 4., -8.,  0.],
           [ 0.,  1., -4.]])
    """
    mask, p, mode = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != mask.shape:
        raise ValueError(f"expected dout of shape {mask.shape}, got {dout.shape}")
    if mode == "test":
        return dout.copy()
    return dout * mask / p
