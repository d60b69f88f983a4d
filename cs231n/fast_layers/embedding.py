r"""The gradient of a word embedding as in `cs231n.layers.embedding`, faster: the same sums in another order.

Derivation: [Word embedding](../layers/embedding.md)
"""

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.layers.embedding import EmbeddingCache, word_embedding_backward

__all__ = ["word_embedding_backward_fast"]

#: A word that occurs more often than this is summed by itself.
_OFTEN = 32


def word_embedding_backward_fast(dout: np.ndarray, cache: EmbeddingCache) -> np.ndarray:
    r"""As `word_embedding_backward`, in rounds: in round k each word adds what arrives at the k-th of its places.

    The words of a round are all different, so that whole rows can be added at once. Few words are frequent; each of
    them takes one product of a row of ones with its rows.

    Args:
        dout: (N, T, D), the shape of `out`: gradient of the loss with respect to `out`.
        cache: what `word_embedding_forward` returned; there is nothing to gain in the forward.

    Returns:
        dW: (V, D) gradient with respect to `W`; the rows of words that do not occur are 0.

    Raises:
        ValueError: as `word_embedding_backward`.

    >>> cache = EmbeddingCache(np.array([[3, 1, 3]]), 4)
    >>> word_embedding_backward_fast(np.array([[[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]]), cache)
    array([[ 0. ,  0. ],
           [ 3. , -1. ],
           [ 0. ,  0. ],
           [ 1.5,  2.5]])
    """
    x, V = cache
    if not _blocks.worthwhile(dout) or dout.shape[:-1] != x.shape:
        return word_embedding_backward(dout, cache)
    words, rows = x.reshape(-1).astype(int), dout.reshape(x.size, dout.shape[-1])
    dW = np.zeros((V, rows.shape[1]), dout.dtype)
    order = np.argsort(words, kind="stable")
    counts = np.bincount(words, minlength=V)
    starts = np.cumsum(counts) - counts  # where the places of a word begin in `order`
    often = np.flatnonzero(counts > _OFTEN)
    for word in often:
        here = order[starts[word] : starts[word] + counts[word]]
        dW[word] = np.ones(len(here), dout.dtype) @ rows[here]
    counts[often] = 0
    for k in range(counts.max(initial=0)):
        left = np.flatnonzero(counts > k)
        dW[left] += rows[order[starts[left] + k]]
    return dW
