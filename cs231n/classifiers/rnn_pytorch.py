r"""The network that writes captions, in PyTorch, with the interface of the course.

With the same weights it gives the same numbers as `cs231n.classifiers.rnn`; PyTorch makes the backward pass.

Derivation: [Captioning network](../classifiers/rnn.md)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cs231n.classifiers import rnn

try:
    import torch
except ImportError as missing:
    raise ImportError("cs231n.classifiers.rnn_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

from cs231n.rnn_layers_pytorch import (
    affine_forward,
    lstm_forward,
    lstm_step_forward,
    rnn_forward,
    rnn_step_forward,
    temporal_affine_forward,
    temporal_softmax_loss,
    word_embedding_forward,
)

__all__ = ["CaptioningRNN"]


class CaptioningRNN:
    """Describes an image by a sentence: `cs231n.classifiers.rnn.CaptioningRNN` with tensors.

    The parameters are in the dictionary `params`, under the names of the NumPy network. They are plain tensors; who
    trains asks for their gradients (`requires_grad_`), as the solver does. The work is done on their device and in
    their precision: move them, and the network has moved. Features and captions follow; NumPy arrays may be given, too.

    Derivation: [Captioning network](../classifiers/rnn.md)

    Examples:
        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningRNN(words, input_dim=2, wordvec_dim=3, hidden_dim=5, rng=0)
        >>> net.params["b_vocab"][3] = 9  # nothing but cats
        >>> net.sample(torch.tensor([[0.5, -1.0]]), max_length=4)
        tensor([[3, 3, 3, 3]])
    """

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int = 512,
        wordvec_dim: int = 128,
        hidden_dim: int = 128,
        cell_type: str = "rnn",
        dtype: torch.dtype = torch.float32,
        *,
        rng: np.random.Generator | int | None = None,
        device: Any = None,
    ) -> None:
        """Draw the weights: for a seed those of the NumPy network, rounded to `dtype`.

        Args:
            word_to_idx: the number of each word; `<NULL>`, the padding, must be among them, and for `sample` also
                `<START>`; a caption ends at `<END>`.
            input_dim: how many features an image has.
            wordvec_dim: how many features a word has.
            hidden_dim: how many hidden units there are.
            cell_type: 'rnn' or 'lstm'.
            dtype: type of the parameters, and so of everything computed from them.
            rng: NumPy's generator or a seed; without one the seed is drawn from PyTorch's generator, so that
                `torch.manual_seed` decides.
            device: where the parameters are; None: where PyTorch puts new tensors.

        Raises:
            ValueError: an unknown cell, no `<NULL>`, a size below 1, or a dtype that is no floating-point type.
        """
        if not dtype.is_floating_point:
            raise ValueError(f"expected a floating-point dtype, got {dtype}")
        if rng is None:
            rng = int(torch.randint(2**62, (), device="cpu"))
        drawn = rnn.CaptioningRNN(word_to_idx, input_dim, wordvec_dim, hidden_dim, cell_type, np.float64, rng=rng)
        self.cell_type = cell_type
        self.dtype = dtype
        self.word_to_idx = drawn.word_to_idx
        self.idx_to_word = drawn.idx_to_word
        self._null, self._start, self._end = drawn._null, drawn._start, drawn._end
        self.params: dict[str, torch.Tensor] = {
            name: torch.tensor(array, dtype=dtype, device=device) for name, array in drawn.params.items()
        }

    def loss(self, features: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        """The loss of `captions` for images with these `features`.

        The network reads all words but the last, and must say all words but the first.

        Args:
            features: (N, D) the features of each image.
            captions: (N, T + 1) a caption of each image: the numbers of its words, filled up with `<NULL>`.

        Returns:
            The loss: the sum over the words that are not `<NULL>`, averaged over the N captions. `backward()` on it
            fills the gradients of the parameters that ask for one.

        Raises:
            ValueError: wrong shapes, or words that are no integers.
            IndexError: a word is not in the vocabulary.
        """
        captions = torch.as_tensor(captions, device=self.params["W_embed"].device)
        if captions.is_floating_point():
            raise ValueError(f"expected captions as integers, got {captions.dtype}")
        if captions.ndim != 2 or captions.shape[1] < 2:
            raise ValueError(f"expected captions of shape (N, T + 1) with T >= 1, got {tuple(captions.shape)}")
        if len(captions) != len(features):
            raise ValueError(f"expected a caption for each image, got {len(features)} and {len(captions)}")
        params = self.params
        captions = captions.long()
        words, following = captions[:, :-1], captions[:, 1:]
        h0 = affine_forward(self._cast(features), params["W_proj"], params["b_proj"])
        x = word_embedding_forward(words, params["W_embed"])
        forward = lstm_forward if self.cell_type == "lstm" else rnn_forward
        h = forward(x, h0, params["Wx"], params["Wh"], params["b"])
        s = temporal_affine_forward(h, params["W_vocab"], params["b_vocab"])
        return temporal_softmax_loss(s, following, following != self._null)

    @torch.no_grad()
    def sample(self, features: torch.Tensor, max_length: int = 30) -> torch.Tensor:
        """Write a caption for each image, always taking the word with the largest score.

        The first word that the network reads is `<START>`; it is not part of what is returned.

        Args:
            features: (N, D) the features of each image.
            max_length: how many words to write at most.

        Returns:
            (N, max_length) the numbers of the words; after `<END>` only `<NULL>`.

        Raises:
            ValueError: the vocabulary has no `<START>`, or a `max_length` below 0.
        """
        if self._start is None:
            raise ValueError("word_to_idx: expected <START> among the words, to begin a caption with")
        if max_length < 0:
            raise ValueError(f"expected max_length >= 0, got {max_length}")
        params = self.params
        h = affine_forward(self._cast(features), params["W_proj"], params["b_proj"])
        c = torch.zeros_like(h)
        word = torch.full((len(h),), self._start, device=h.device)
        done = torch.zeros(len(h), dtype=torch.bool, device=h.device)
        captions = torch.full((len(h), max_length), self._null, device=h.device)
        for t in range(max_length):
            x = word_embedding_forward(word, params["W_embed"])
            if self.cell_type == "lstm":
                h, c = lstm_step_forward(x, h, c, params["Wx"], params["Wh"], params["b"])
            else:
                h = rnn_step_forward(x, h, params["Wx"], params["Wh"], params["b"])
            word = affine_forward(h, params["W_vocab"], params["b_vocab"]).argmax(dim=1)
            captions[:, t] = word.masked_fill(done, self._null)
            if self._end is not None:
                done |= word == self._end
            if done.all():
                break
        return captions

    def _cast(self, features: torch.Tensor) -> torch.Tensor:
        like = self.params["W_proj"]
        return torch.as_tensor(features, dtype=like.dtype, device=like.device)
