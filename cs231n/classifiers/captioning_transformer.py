r"""A transformer that writes captions: each word looks at the words before it and at the image.

Derivation: [Captioning transformer](../classifiers/captioning_transformer.md)
"""

from os import PathLike
from typing import Any

import numpy as np

from cs231n.layers import (
    affine_backward,
    affine_forward,
    positional_encoding_forward,
    positional_encoding_table,
    temporal_affine_backward,
    temporal_affine_forward,
    transformer_decoder_layer_backward,
    transformer_decoder_layer_forward,
    word_embedding_backward,
    word_embedding_forward,
)
from cs231n.losses import temporal_softmax_loss

__all__ = ["CaptioningTransformer"]


class CaptioningTransformer:
    r"""Describes an image by a sentence, with attention in the place of a recurrence.

    The features of the image become one vector, the memory. The words get their vectors and their places, and go
    through blocks of self-attention, cross-attention to the memory, and a feed-forward network, each with the
    normalization behind the sum. Each position then gives a score to every word that may come next.

    The parameters are in the dictionary `params`: `W_proj`, `b_proj` (features to memory), `W_embed` (the vectors of
    the words), `W_vocab`, `b_vocab` (to scores), and for each block the names of
    [the transformer block](../layers/transformer.md) behind `layer0_`, `layer1_` and so on.

    Derivation: [Captioning transformer](../classifiers/captioning_transformer.md)

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017, section 3; the image as a memory of one vector, as
    in assignment 3 of the course.

    Examples:
        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningTransformer(words, input_dim=4, wordvec_dim=6, num_heads=2, dtype=np.float64, rng=0)
        >>> features, captions = np.array([[0.5, -1.0, 2.0, 0.0]]), np.array([[1, 3, 2, 0]])
        >>> net.params["W_vocab"][:] = 0  # no opinion
        >>> loss, grads = net.loss(features, captions)
        >>> round(float(loss / np.log(4)), 6)  # two words of four, "cat" and "<END>"
        2.0
        >>> net.sample(features, max_length=6).shape
        (1, 6)
    """

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        num_heads: int = 4,
        num_layers: int = 2,
        hidden_dim: int = 512,
        dtype: type = np.float32,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from normal distributions; the biases are 0, the scales of the normalizations 1.

        Args:
            word_to_idx: the number of each word; `<NULL>`, the padding, must be among them, and for `sample` also
                `<START>`; a caption ends at `<END>`.
            input_dim: how many features an image has.
            wordvec_dim: how many features a word has; the heads share them.
            num_heads: how many heads attention has.
            num_layers: how many blocks there are.
            hidden_dim: hidden units of the feed-forward networks.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: no `<NULL>`, a size below 1, heads that do not divide the features of a word, or a dtype that is
                no floating-point type.
        """
        if "<NULL>" not in word_to_idx:
            raise ValueError("word_to_idx: expected <NULL> among the words, the padding of short captions")
        sizes = {"input_dim": input_dim, "wordvec_dim": wordvec_dim, "num_heads": num_heads}
        for name, size in (sizes | {"num_layers": num_layers, "hidden_dim": hidden_dim}).items():
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        if wordvec_dim % num_heads:
            raise ValueError(f"expected num_heads that divides wordvec_dim, got {num_heads} and {wordvec_dim}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
        rng = np.random.default_rng(rng)
        V, W, H, E = len(word_to_idx), wordvec_dim, num_heads, wordvec_dim // num_heads

        self.num_layers = num_layers
        self.dtype = dtype
        self.word_to_idx = dict(word_to_idx)
        self.idx_to_word = {number: word for word, number in word_to_idx.items()}
        self.pe = positional_encoding_table(64, W)
        self._null = word_to_idx["<NULL>"]
        self._start = word_to_idx.get("<START>")
        self._end = word_to_idx.get("<END>")

        def drawn(inputs: int, *shape: int) -> np.ndarray:
            return rng.standard_normal(shape) / np.sqrt(inputs)

        params = {
            "W_embed": drawn(1, V, W),
            "W_proj": drawn(input_dim, input_dim, W),
            "b_proj": np.zeros(W),
            "W_vocab": drawn(W, W, V),
            "b_vocab": np.zeros(V),
        }
        for i in range(num_layers):
            for part in ("self", "cross"):
                for letter in "qkv":
                    params[f"layer{i}_{part}_w{letter}"] = drawn(W, W, H, E)
                    params[f"layer{i}_{part}_b{letter}"] = np.zeros((H, E))
                params[f"layer{i}_{part}_wo"] = drawn(W, H, E, W)
                params[f"layer{i}_{part}_bo"] = np.zeros(W)
            params[f"layer{i}_ff_w1"] = drawn(W, W, hidden_dim)
            params[f"layer{i}_ff_b1"] = np.zeros(hidden_dim)
            params[f"layer{i}_ff_w2"] = drawn(hidden_dim, hidden_dim, W)
            params[f"layer{i}_ff_b2"] = np.zeros(W)
            for part in ("self", "cross", "ff"):
                params[f"layer{i}_{part}_gamma"] = np.ones(W)
                params[f"layer{i}_{part}_beta"] = np.zeros(W)
        self.params: dict[str, np.ndarray] = {name: array.astype(dtype) for name, array in params.items()}

    def loss(self, features: np.ndarray, captions: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
        r"""The loss of `captions` for images with these `features`, and its gradients.

        The network reads all words but the last, and must say all words but the first.

        Args:
            features: (N, D) the features of each image; they are computed in the dtype of the parameters.
            captions: (N, T + 1) a caption of each image: the numbers of its words, filled up with `<NULL>`.

        Returns:
            loss: a number, the sum over the words that are not `<NULL>`, averaged over the N captions.
            grads: gradient of the loss with respect to each entry of `params`, under the same names and of the same
                shapes.

        Raises:
            ValueError: wrong shapes, words that are no integers or not in the vocabulary, or features that are no real
                numbers.

        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningTransformer(words, input_dim=2, wordvec_dim=6, num_heads=3, num_layers=1, rng=0)
        >>> loss, grads = net.loss(np.array([[0.5, -1.0]]), np.array([[1, 3, 2, 0]]))
        >>> grads["layer0_self_wq"].shape, grads["W_embed"].shape
        ((6, 3, 2), (4, 6))
        """
        if captions.ndim != 2 or captions.shape[1] < 2:
            raise ValueError(f"expected captions of shape (N, T + 1) with T >= 1, got {captions.shape}")
        if len(captions) != len(features):
            raise ValueError(f"expected a caption for each image, got {len(features)} and {len(captions)}")
        words, following = captions[:, :-1], captions[:, 1:]
        mask = following != self._null

        memory, proj_cache = _remember(self.params, features)
        s, (embed_cache, layer_caches, vocab_cache) = _read(self.params, self.pe, self.num_layers, memory, words)
        loss, ds = temporal_softmax_loss(s, following, mask)

        grads: dict[str, np.ndarray] = {}
        dx, grads["W_vocab"], grads["b_vocab"] = temporal_affine_backward(ds, vocab_cache)
        dmemory = np.zeros_like(memory)
        for i in reversed(range(self.num_layers)):
            dx, dmemory_here, layer_grads = transformer_decoder_layer_backward(dx, layer_caches[i])
            dmemory = dmemory + dmemory_here  # all blocks look at one memory
            grads |= {f"layer{i}_{name}": gradient for name, gradient in layer_grads.items()}
        grads["W_embed"] = word_embedding_backward(dx, embed_cache)  # a place that is added lets the gradient through
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dmemory[:, 0], proj_cache)
        return loss, grads

    def sample(self, features: np.ndarray, max_length: int = 30) -> np.ndarray:
        r"""Write a caption for each image, always taking the word with the largest score.

        The first word that the network reads is `<START>`; it is not part of what is returned. All that was written is
        read again for each further word.

        Args:
            features: (N, D) the features of each image.
            max_length: how many words to write at most; as many as you like.

        Returns:
            captions: (N, max_length) the numbers of the words; after `<END>` only `<NULL>`.

        Raises:
            ValueError: the vocabulary has no `<START>`, wrong shapes, or a `max_length` below 0.

        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningTransformer(words, input_dim=2, wordvec_dim=8)
        >>> net.params["b_vocab"][:] = [0, 0, 0, 99]  # nothing but cats
        >>> net.sample(np.array([[0.5, -1.0]]), max_length=4)
        array([[3, 3, 3, 3]])
        """
        if self._start is None:
            raise ValueError("word_to_idx: expected <START> among the words, to begin a caption with")
        if max_length < 0:
            raise ValueError(f"expected max_length >= 0, got {max_length}")
        memory, _ = _remember(self.params, features)
        captions = np.full((len(features), max_length + 1), self._null)
        captions[:, 0] = self._start
        done = np.zeros(len(features), bool)
        for t in range(max_length):
            s, _ = _read(self.params, self.pe, self.num_layers, memory, captions[:, : t + 1])
            word = s[:, -1].argmax(axis=1)
            captions[~done, t + 1] = word[~done]
            done |= word == self._end
            if done.all():
                break
        return captions[:, 1:]

    def save(self, fname: str | PathLike[str]) -> None:
        r"""Write the parameters to a file, in NumPy's npz format, without pickle.

        Args:
            fname: the file, under exactly this name.
        """
        with open(fname, "wb") as file:  # np.savez would add .npz to a name
            np.savez(file, **dict[str, Any](self.params))

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read what `save` wrote, for a network of the same sizes.

        Args:
            fname: the file.

        Raises:
            FileNotFoundError: there is no such file; the network stays as it was.
            ValueError: the file holds something else, or arrays of other shapes.
        """
        stored = np.load(fname, allow_pickle=False)
        arrays = {name: stored[name] for name in stored.files} if hasattr(stored, "files") else {}
        expected = {name: array.shape for name, array in self.params.items()}
        found = {name: array.shape for name, array in arrays.items()}
        if found != expected:
            raise ValueError(f"{fname}: expected parameters of the shapes {expected}, got {found or 'no parameters'}")
        self.params = arrays


def _remember(params: dict[str, np.ndarray], features: np.ndarray) -> tuple[np.ndarray, Any]:
    """The memory of each image, one vector: (N, 1, W)."""
    if features.dtype.kind == "f":
        features = features.astype(params["W_proj"].dtype, copy=False)
    memory, cache = affine_forward(features, params["W_proj"], params["b_proj"])
    return memory[:, None], cache


def _read(
    params: dict[str, np.ndarray], pe: np.ndarray, num_layers: int, memory: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, tuple[Any, list[Any], Any]]:
    """The scores of what may follow each word, and the caches."""
    T = words.shape[1]
    if len(pe) < T:
        pe = positional_encoding_table(T, pe.shape[1])
    x, embed_cache = word_embedding_forward(words, params["W_embed"])
    x, _ = positional_encoding_forward(x, pe)
    causal = np.tri(T, dtype=bool)
    layer_caches = []
    for i in range(num_layers):
        own = {n.removeprefix(f"layer{i}_"): array for n, array in params.items() if n.startswith(f"layer{i}_")}
        x, cache = transformer_decoder_layer_forward(x, memory, own, causal)
        layer_caches.append(cache)
    s, vocab_cache = temporal_affine_forward(x, params["W_vocab"], params["b_vocab"])
    return s, (embed_cache, layer_caches, vocab_cache)
