r"""The transformer that writes captions, in PyTorch, with the interface of the course.

With the same weights it gives the same numbers as `cs231n.classifiers.captioning_transformer`; PyTorch makes the
backward pass.

Derivation: [Captioning transformer](../classifiers/captioning_transformer.md)
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

try:
    import torch
    from torch import nn
except ImportError as missing:
    raise ImportError("cs231n.classifiers.transformer needs PyTorch: pip install -e '.[torch]'") from missing

from cs231n.transformer_layers import MultiHeadAttention, PositionalEncoding

__all__ = ["CaptioningTransformer", "TransformerDecoder", "TransformerDecoderLayer"]


class TransformerDecoderLayer(nn.Module):
    """Self-attention, cross-attention to a memory, and a feed-forward network, each with its sum and normalization.

    Examples:
        >>> layer = TransformerDecoderLayer(input_dim=6, num_heads=2).eval()
        >>> layer(torch.zeros(3, 5, 6), memory=torch.zeros(3, 1, 6)).shape
        torch.Size([3, 5, 6])
    """

    def __init__(self, input_dim: int, num_heads: int, dim_feedforward: int = 2048, dropout: float = 0.1) -> None:
        """Make the layers.

        Args:
            input_dim: W, the number of features of a word, and of the memory.
            num_heads: how many heads attention has.
            dim_feedforward: hidden units of the feed-forward network.
            dropout: the probability to *drop*, in attention weights, hidden units, and what each part says.
        """
        super().__init__()
        self.self_attn = MultiHeadAttention(input_dim, num_heads, dropout)
        self.multihead_attn = MultiHeadAttention(input_dim, num_heads, dropout)
        self.linear1 = nn.Linear(input_dim, dim_feedforward)
        self.dropout = nn.Dropout(dropout)
        self.linear2 = nn.Linear(dim_feedforward, input_dim)
        self.norm1 = nn.LayerNorm(input_dim)
        self.norm2 = nn.LayerNorm(input_dim)
        self.norm3 = nn.LayerNorm(input_dim)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)
        self.dropout3 = nn.Dropout(dropout)
        self.activation = nn.ReLU()

    def forward(self, tgt: torch.Tensor, memory: torch.Tensor, tgt_mask: torch.Tensor | None = None) -> torch.Tensor:
        """The words look at each other, then at the memory and at nothing else, then each thinks for itself.

        Args:
            tgt: (N, T, W) the words.
            memory: (N, S, W) what the words look at, of the width of a word.
            tgt_mask: (T, T) true where a word, the row, may look at another.

        Returns:
            out: (N, T, W).
        """
        tgt = self.norm1(tgt + self.dropout1(self.self_attn(tgt, tgt, tgt, tgt_mask)))
        tgt = self.norm2(tgt + self.dropout2(self.multihead_attn(tgt, memory, memory)))
        hidden = self.dropout(self.activation(self.linear1(tgt)))
        out: torch.Tensor = self.norm3(tgt + self.dropout3(self.linear2(hidden)))
        return out


class TransformerDecoder(nn.Module):
    """Several blocks in a row, which look at one memory.

    Examples:
        >>> decoder = TransformerDecoder(TransformerDecoderLayer(6, 2), num_layers=3)
        >>> decoder(torch.zeros(3, 5, 6), memory=torch.zeros(3, 1, 6)).shape
        torch.Size([3, 5, 6])
    """

    def __init__(self, decoder_layer: nn.Module, num_layers: int) -> None:
        """Copy a block.

        Args:
            decoder_layer: the block.
            num_layers: how many copies there are; each learns for itself.
        """
        super().__init__()
        self.layers = nn.ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers))
        self.num_layers = num_layers

    def forward(self, tgt: torch.Tensor, memory: torch.Tensor, tgt_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Go through all blocks.

        Args:
            tgt: (N, T, W) the words.
            memory: (N, S, W) what the words look at.
            tgt_mask: (T, T) true where a word, the row, may look at another.

        Returns:
            out: (N, T, W).
        """
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask=tgt_mask)
        return tgt


class CaptioningTransformer(nn.Module):
    """Describes an image by a sentence: a decoder reads the words so far, and looks at the image.

    Derivation: [Captioning transformer](../classifiers/captioning_transformer.md)

    Examples:
        >>> words = {"<NULL>": 0, "<START>": 1, "<END>": 2, "cat": 3}
        >>> net = CaptioningTransformer(words, input_dim=2, wordvec_dim=8)
        >>> net(torch.tensor([[0.5, -1.0]]), torch.tensor([[1, 3, 2]])).shape
        torch.Size([1, 3, 4])
        >>> _ = net.output.bias.data.copy_(torch.tensor([0.0, 0.0, 0.0, 99.0]))  # nothing but cats
        >>> net.sample(np.array([[0.5, -1.0]]), max_length=4)
        array([[3, 3, 3, 3]])
    """

    def __init__(
        self,
        word_to_idx: dict[str, int],
        input_dim: int,
        wordvec_dim: int,
        num_heads: int = 4,
        num_layers: int = 2,
        max_length: int = 50,
    ) -> None:
        """Draw all weights from a normal distribution of standard deviation 0.02; biases are 0.

        Args:
            word_to_idx: the number of each word, with `<NULL>`, `<START>` and `<END>`.
            input_dim: how many features an image has.
            wordvec_dim: how many features a word has.
            num_heads: how many heads attention has.
            num_layers: how many blocks there are.
            max_length: for so many words places are prepared; longer captions are taken too.

        Raises:
            ValueError: no `<NULL>`, or heads that do not divide the features of a word.
        """
        super().__init__()
        if "<NULL>" not in word_to_idx:
            raise ValueError("word_to_idx: expected <NULL> among the words, the padding of short captions")
        self.vocab_size = len(word_to_idx)
        self._null = word_to_idx["<NULL>"]
        self._start = word_to_idx.get("<START>")
        self._end = word_to_idx.get("<END>")
        self.visual_projection = nn.Linear(input_dim, wordvec_dim)
        self.embedding = nn.Embedding(self.vocab_size, wordvec_dim, padding_idx=self._null)
        self.positional_encoding = PositionalEncoding(wordvec_dim, max_len=max_length)
        self.transformer = TransformerDecoder(TransformerDecoderLayer(wordvec_dim, num_heads), num_layers)
        self.output = nn.Linear(wordvec_dim, self.vocab_size)
        self.apply(_init_weights)  # behind the last layer, which is drawn like the others

    def forward(self, features: torch.Tensor, captions: torch.Tensor) -> torch.Tensor:
        """Score what may follow each word.

        Args:
            features: (N, D) the features of each image.
            captions: (N, T) the words that are read.

        Returns:
            scores: (N, T, V).
        """
        T = captions.shape[1]
        words = self.positional_encoding(self.embedding(captions))
        memory = self.visual_projection(features)[:, None]
        causal = torch.ones(T, T, dtype=torch.bool, device=words.device).tril()
        scores: torch.Tensor = self.output(self.transformer(words, memory, tgt_mask=causal))
        return scores

    @torch.no_grad()
    def sample(self, features: torch.Tensor | np.ndarray, max_length: int = 30) -> np.ndarray:
        """Write a caption for each image, always taking the word with the largest score; nothing is dropped.

        Args:
            features: (N, D) the features of each image.
            max_length: how many words to write at most; as many as you like.

        Returns:
            captions: (N, max_length) the numbers of the words; after `<END>` only `<NULL>`.

        Raises:
            ValueError: the vocabulary has no `<START>`, or a `max_length` below 0.
        """
        if self._start is None:
            raise ValueError("word_to_idx: expected <START> among the words, to begin a caption with")
        if max_length < 0:
            raise ValueError(f"expected max_length >= 0, got {max_length}")
        features = torch.as_tensor(features).to(self.output.weight)
        captions = torch.full((len(features), max_length + 1), self._null, device=features.device)
        captions[:, 0] = self._start
        done = torch.zeros(len(features), dtype=torch.bool, device=features.device)
        training = self.training
        self.eval()
        try:
            for t in range(max_length):
                word = self(features, captions[:, : t + 1])[:, -1].argmax(dim=1)
                captions[~done, t + 1] = word[~done]
                if self._end is not None:
                    done |= word == self._end
                if done.all():
                    break
        finally:
            self.train(training)
        written: np.ndarray = captions[:, 1:].cpu().numpy()
        return written


def _init_weights(module: Any) -> None:
    """Small normal weights; the padding stays a row of zeros."""
    if isinstance(module, nn.Linear | nn.Embedding):
        module.weight.data.normal_(mean=0.0, std=0.02)
        if isinstance(module, nn.Linear):
            module.bias.data.zero_()
        elif module.padding_idx is not None:
            module.weight.data[module.padding_idx] = 0
