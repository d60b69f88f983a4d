r"""A network that writes captions: a recurrent network starts from the features of an image, and says word after word.

Derivation: [Captioning network](../classifiers/rnn.md)
"""

from os import PathLike
from typing import Any

import numpy as np

from cs231n.layers import (
    affine_backward,
    affine_forward,
    lstm_backward,
    lstm_forward,
    lstm_step_forward,
    rnn_backward,
    rnn_forward,
    rnn_step_forward,
    temporal_affine_backward,
    temporal_affine_forward,
    word_embedding_backward,
    word_embedding_forward,
)
from cs231n.losses import temporal_softmax_loss

__all__ = ["CaptioningRNN"]

#: For each cell the forward and the backward of a sequence, and how many blocks of H columns its weights have.
_CELLS: dict[str, tuple[Any, Any, int]] = {
    "rnn": (rnn_forward, rnn_backward, 1),
    "lstm": (lstm_forward, lstm_backward, 4),
}


class CaptioningRNN:
    r"""Describes an image by a sentence. It knows the image as a vector of features, and says one word after another.

    The features are mapped to the first hidden state. Then the recurrent network reads the caption so far, a word at a
    time, and each state gives a score to every word that may come next.

    The parameters are in the dictionary `params`: `W_proj`, `b_proj` (features to first state), `W_embed` (the vectors
    of the words), `Wx`, `Wh`, `b` (the recurrence), `W_vocab`, `b_vocab` (state to scores).

    Derivation: [Captioning network](../classifiers/rnn.md)

    Source: Vinyals, Toshev, Bengio & Erhan, Show and tell, CVPR 2015, equations 10 to 13; here, as in Karpathy &
    Fei-Fei, Deep visual-semantic alignments for generating image descriptions, CVPR 2015, the image is seen once, at
    the start.

    Examples:
        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningRNN(words, input_dim=4, wordvec_dim=3, hidden_dim=5, dtype=np.float64, rng=0)
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
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: type = np.float32,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from normal distributions; the biases are 0.

        Args:
            word_to_idx: the number of each word; `<NULL>`, the padding, must be among them, and for `sample` also
                `<START>`; a caption ends at `<END>`.
            input_dim: how many features an image has.
            wordvec_dim: how many features a word has.
            hidden_dim: how many hidden units there are.
            cell_type: 'rnn' or 'lstm'.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: an unknown cell, no `<NULL>`, a size below 1, or a dtype that is no floating-point type.
        """
        if cell_type not in _CELLS:
            raise ValueError(f"cell_type: expected one of {', '.join(_CELLS)}, got {cell_type!r}")
        if "<NULL>" not in word_to_idx:
            raise ValueError("word_to_idx: expected <NULL> among the words, the padding of short captions")
        for name, size in (("input_dim", input_dim), ("wordvec_dim", wordvec_dim), ("hidden_dim", hidden_dim)):
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
        rng = np.random.default_rng(rng)
        blocks = _CELLS[cell_type][2]
        V = len(word_to_idx)

        self.cell_type = cell_type
        self.dtype = dtype
        self.word_to_idx = dict(word_to_idx)
        self.idx_to_word = {number: word for word, number in word_to_idx.items()}
        self._null = word_to_idx["<NULL>"]
        self._start = word_to_idx.get("<START>")
        self._end = word_to_idx.get("<END>")
        drawn = {
            "W_embed": rng.standard_normal((V, wordvec_dim)) / 100,
            "W_proj": rng.standard_normal((input_dim, hidden_dim)) / np.sqrt(input_dim),
            "b_proj": np.zeros(hidden_dim),
            "Wx": rng.standard_normal((wordvec_dim, blocks * hidden_dim)) / np.sqrt(wordvec_dim),
            "Wh": rng.standard_normal((hidden_dim, blocks * hidden_dim)) / np.sqrt(hidden_dim),
            "b": np.zeros(blocks * hidden_dim),
            "W_vocab": rng.standard_normal((hidden_dim, V)) / np.sqrt(hidden_dim),
            "b_vocab": np.zeros(V),
        }
        self.params: dict[str, np.ndarray] = {name: array.astype(dtype) for name, array in drawn.items()}

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
        >>> net = CaptioningRNN(words, input_dim=2, wordvec_dim=3, hidden_dim=5, cell_type="lstm", rng=0)
        >>> loss, grads = net.loss(np.array([[0.5, -1.0]]), np.array([[1, 3, 2, 0]]))
        >>> grads["Wx"].shape, grads["W_embed"].shape
        ((3, 20), (4, 3))
        """
        if captions.ndim != 2 or captions.shape[1] < 2:
            raise ValueError(f"expected captions of shape (N, T + 1) with T >= 1, got {captions.shape}")
        if len(captions) != len(features):
            raise ValueError(f"expected a caption for each image, got {len(features)} and {len(captions)}")
        params, (forward, backward, _) = self.params, _CELLS[self.cell_type]
        words, following = captions[:, :-1], captions[:, 1:]
        mask = following != self._null

        h0, proj_cache = affine_forward(self._cast(features), params["W_proj"], params["b_proj"])
        x, embed_cache = word_embedding_forward(words, params["W_embed"])
        h, cell_cache = forward(x, h0, params["Wx"], params["Wh"], params["b"])
        s, vocab_cache = temporal_affine_forward(h, params["W_vocab"], params["b_vocab"])
        loss, ds = temporal_softmax_loss(s, following, mask)

        grads: dict[str, np.ndarray] = {}
        dh, grads["W_vocab"], grads["b_vocab"] = temporal_affine_backward(ds, vocab_cache)
        dx, dh0, grads["Wx"], grads["Wh"], grads["b"] = backward(dh, cell_cache)
        grads["W_embed"] = word_embedding_backward(dx, embed_cache)
        _, grads["W_proj"], grads["b_proj"] = affine_backward(dh0, proj_cache)
        return loss, grads

    def sample(self, features: np.ndarray, max_length: int = 30) -> np.ndarray:
        r"""Write a caption for each image, always taking the word with the largest score.

        The first word that the network reads is `<START>`; it is not part of what is returned.

        Args:
            features: (N, D) the features of each image.
            max_length: how many words to write at most.

        Returns:
            captions: (N, max_length) the numbers of the words; after `<END>` only `<NULL>`.

        Raises:
            ValueError: the vocabulary has no `<START>`, wrong shapes, or a `max_length` below 0.

        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningRNN(words, input_dim=2, wordvec_dim=3, hidden_dim=5)
        >>> net.params["b_vocab"][:] = [0, 0, 0, 9]  # nothing but cats
        >>> net.sample(np.array([[0.5, -1.0]]), max_length=4)
        array([[3, 3, 3, 3]])
        """
        if self._start is None:
            raise ValueError("word_to_idx: expected <START> among the words, to begin a caption with")
        if max_length < 0:
            raise ValueError(f"expected max_length >= 0, got {max_length}")
        params = self.params
        h, _ = affine_forward(self._cast(features), params["W_proj"], params["b_proj"])
        c = np.zeros_like(h)
        word = np.full(len(h), self._start)
        done = np.zeros(len(h), bool)
        captions = np.full((len(h), max_length), self._null)
        for t in range(max_length):
            x, _ = word_embedding_forward(word, params["W_embed"])
            if self.cell_type == "lstm":
                h, c, _ = lstm_step_forward(x, h, c, params["Wx"], params["Wh"], params["b"])
            else:
                h, _ = rnn_step_forward(x, h, params["Wx"], params["Wh"], params["b"])
            s, _ = affine_forward(h, params["W_vocab"], params["b_vocab"])
            word = s.argmax(axis=1)
            captions[~done, t] = word[~done]
            done |= word == self._end
            if done.all():
                break
        return captions

    def save(self, fname: str | PathLike[str]) -> None:
        r"""Write the parameters to a file, in NumPy's npz format, without pickle.

        Args:
            fname: the file, under exactly this name.
        """
        with open(fname, "wb") as file:  # np.savez would add .npz to a name
            np.savez(file, **dict[str, Any](self.params))

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read what `save` wrote, for a network of the same sizes and the same cell.

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

    def _cast(self, features: np.ndarray) -> np.ndarray:
        return features.astype(self.params["W_proj"].dtype, copy=False) if features.dtype.kind == "f" else features
