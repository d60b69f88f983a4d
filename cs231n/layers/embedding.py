r"""Word embedding: every word is a number, and the layer looks up the row of a table with that number.

Derivation: [Word embedding](../layers/embedding.md)
"""

from typing import NamedTuple

import numpy as np


class EmbeddingCache(NamedTuple):
    """What the backward needs: the words, and how many rows the table has. Not the table itself."""

    x: np.ndarray
    V: int


def word_embedding_forward(x: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    r"""Replace each word of `x` by its row of `W`.

    Derivation: [Word embedding](../layers/embedding.md)

    Source: Bengio, Ducharme, Vincent & Jauvin, A neural probabilistic language model, Journal of Machine Learning
    Research 3 (2003), section 2: the mapping C.

    Args:
        x: (N, T), or any shape: the words, integers from 0 to V − 1.
        W: (V, D) the table; row v is the vector of word v.

    Returns:
        out: (N, T, D), the shape of `x` and one more axis: the vectors of the words.
        cache: what `word_embedding_backward` needs.

    Raises:
        ValueError: wrong shape, a word that is no integer from 0 to V − 1, or a `W` that does not hold real numbers.

    >>> W = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> out, cache = word_embedding_forward(np.array([[3, 1, 3]]), W)
    >>> out
    array([[[5., 6.],
            [1., 2.],
            [5., 6.]]])
    """
    if W.dtype.kind not in "fO":
        raise ValueError(f"W: expected real floating-point numbers, got dtype {W.dtype}")
    if W.ndim != 2 or W.shape[0] == 0:
        raise ValueError(f"expected W of shape (V, D) with V >= 1, got {W.shape}")
    V = W.shape[0]
    if x.dtype.kind not in "iu":
        raise ValueError(f"x: expected words as integers, got dtype {x.dtype}")
    if x.size and (x.min() < 0 or x.max() >= V):
        raise ValueError(f"x: expected words from 0 to {V - 1}, got words from {x.min()} to {x.max()}")

    out = W[x]
    return out, EmbeddingCache(x, V)


def word_embedding_backward(dout: np.ndarray, cache: EmbeddingCache) -> np.ndarray:
    r"""Gradient of the loss with respect to `W`: each word adds up what arrives at the positions where it stands.

    The words are sorted, so that equal words stand side by side and one call sums each run of them.

    Derivation: [Word embedding](../layers/embedding.md)

    Args:
        dout: (N, T, D), the shape of `out`: gradient of the loss with respect to `out`.
        cache: what `word_embedding_forward` returned.

    Returns:
        dW: (V, D) gradient with respect to `W`; the rows of words that do not occur are 0.

    Raises:
        ValueError: `dout` has not the shape of the output, or does not hold real numbers.

    >>> _, cache = word_embedding_forward(np.array([[3, 1, 3]]), np.zeros((4, 2)))
    >>> word_embedding_backward(np.array([[[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]]), cache)
    array([[ 0. ,  0. ],
           [ 3. , -1. ],
           [ 0. ,  0. ],
           [ 1.5,  2.5]])
    """
    x, V = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.ndim != x.ndim + 1 or dout.shape[:-1] != x.shape:
        raise ValueError(f"expected dout of shape {(*x.shape, 'D')}, got {dout.shape}")

    words, rows = x.reshape(-1), dout.reshape(x.size, dout.shape[-1])
    dW = np.zeros_like(dout, shape=(V, dout.shape[-1]))
    if words.size == 0:
        return dW
    order = np.argsort(words, kind="stable")  # equal words side by side
    words = words[order]
    first = np.flatnonzero(np.r_[True, words[1:] != words[:-1]])  # where a new word begins
    dW[words[first]] = np.add.reduceat(rows[order], first, axis=0)
    return dW
