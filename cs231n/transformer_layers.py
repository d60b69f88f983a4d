r"""The course's PyTorch layers of transformers: `MultiHeadAttention` and `PositionalEncoding`.

With the same weights they give the same numbers as `cs231n.layers.multi_head_attention` and
`cs231n.layers.positional_encoding`; PyTorch makes the backward pass. The work is done on the device and in the
precision of what comes in.

Derivation: [Multi-head attention](../layers/multi_head_attention.md)
"""

from __future__ import annotations

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as missing:
    raise ImportError("cs231n.transformer_layers needs PyTorch: pip install -e '.[torch]'") from missing

from cs231n.layers.positional_encoding import positional_encoding_table

__all__ = ["MultiHeadAttention", "PositionalEncoding", "torch"]


class PositionalEncoding(nn.Module):
    """Adds to each vector of a sequence what tells its place, sines and cosines; then dropout.

    Sequences longer than `max_len` are taken too: the table grows.
    """

    def __init__(self, embed_dim: int, dropout: float = 0.1, max_len: int = 5000) -> None:
        """Make the table.

        Args:
            embed_dim: the number of features of a vector, even, as in the course.
            dropout: the probability to *drop* a number; in evaluation mode nothing is dropped.
            max_len: how many places are prepared.

        Raises:
            ValueError: an odd `embed_dim`, or no places.
        """
        super().__init__()
        if embed_dim % 2:
            raise ValueError(f"expected an even embed_dim, a sine and a cosine each, got {embed_dim}")
        self.dropout = nn.Dropout(p=dropout)
        self.pe = torch.from_numpy(positional_encoding_table(max_len, embed_dim))[None]  # float64, always

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the places: (N, S, D) → (N, S, D)."""
        S, D = x.shape[-2:]
        if self.pe.shape[1] < S:
            self.pe = torch.from_numpy(positional_encoding_table(2 * S, D))[None]
        out: torch.Tensor = self.dropout(x + self.pe[:, :S].to(x))
        return out


class MultiHeadAttention(nn.Module):
    """Each head projects its own queries, keys and values and attends; a last projection mixes what the heads found.

    Dropout strikes out single attention weights, behind the softmax.
    """

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.1) -> None:
        """Draw the weights, as `torch.nn.Linear` does.

        Args:
            embed_dim: the number of features of a vector; the heads share them.
            num_heads: how many heads there are.
            dropout: the probability to *drop* an attention weight; in evaluation mode none is dropped.

        Raises:
            ValueError: heads that do not divide the features.
        """
        super().__init__()
        if num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"expected num_heads that divides embed_dim, got {num_heads} and {embed_dim}")
        self.key = nn.Linear(embed_dim, embed_dim)
        self.query = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.attn_drop = nn.Dropout(dropout)
        self.n_head = num_heads
        self.emd_dim = embed_dim
        self.head_dim = embed_dim // num_heads

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Let each query look at the keys.

        Args:
            query: (N, S, E) the sequences that ask.
            key: (N, T, E) the sequences that are compared with.
            value: (N, T, E) the sequences that are answered from.
            attn_mask: (S, T), a row for each query: true, or not 0, where it may look at a key. Or any shape that
                broadcasts to (N, H, S, T). A query that may look at nothing finds zeros, and gets the bias of `proj`.

        Returns:
            out: (N, S, E).
        """
        N, S, E = query.shape
        q, k, v = (
            layer(x).reshape(N, -1, self.n_head, self.head_dim).transpose(1, 2)
            for layer, x in ((self.query, query), (self.key, key), (self.value, value))
        )
        s = (q / float(self.head_dim) ** 0.5) @ k.transpose(2, 3)
        if attn_mask is None:
            p = functional.softmax(s, dim=-1)
        else:
            hidden = (attn_mask == 0).to(s.device)
            # the lowest number and not −∞: with a row of −∞ softmax and its gradient are NaN
            p = functional.softmax(s.masked_fill(hidden, torch.finfo(s.dtype).min), dim=-1).masked_fill(hidden, 0)
        found = (self.attn_drop(p) @ v).transpose(1, 2).reshape(N, S, E)
        out: torch.Tensor = self.proj(found)
        return out
