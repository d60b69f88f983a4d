r"""The layers of recurrent captioning in PyTorch, under the names that they have in the course.

The numbers are those of the NumPy chapters; PyTorch makes the backward pass. So each function returns its output alone,
without a cache. Work is done on the device and in the precision of what comes in.

Derivations: [Recurrent network](../layers/rnn.md), [LSTM](../layers/lstm.md), [Word embedding](../layers/embedding.md),
[Temporal affine layer](../layers/temporal.md), [Temporal softmax](../losses/temporal_softmax.md)
"""

from __future__ import annotations

try:
    import torch
    from torch.nn import functional
except ImportError as missing:
    raise ImportError("cs231n.rnn_layers_pytorch needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = [
    "affine_forward",
    "lstm_forward",
    "lstm_step_forward",
    "rnn_forward",
    "rnn_step_forward",
    "temporal_affine_forward",
    "temporal_softmax_loss",
    "torch",  # notebooks find it here
    "word_embedding_forward",
]


def affine_forward(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(N, …) → (N, M): multiply each example, laid out as one row, by `w` (D, M), and add `b` (M,)."""
    _require("b", b, w.shape[1:])
    return x.flatten(1) @ w + b


def rnn_step_forward(
    x: torch.Tensor, prev_h: torch.Tensor, Wx: torch.Tensor, Wh: torch.Tensor, b: torch.Tensor
) -> torch.Tensor:
    """One step of a plain recurrent network.

    Args:
        x: (N, D) the inputs of this time.
        prev_h: (N, H) the states before.
        Wx: (D, H) the weights of the input.
        Wh: (H, H) the weights of the state.
        b: (H,) the biases.

    Returns:
        (N, H) the new states.

    Raises:
        ValueError: the shapes of the states or biases do not fit; PyTorch itself would repeat them.
    """
    _require("prev_h", prev_h, (x.shape[0], Wh.shape[0]))
    _require("b", b, Wx.shape[1:])
    return torch.tanh(x @ Wx + prev_h @ Wh + b)


def rnn_forward(x: torch.Tensor, h0: torch.Tensor, Wx: torch.Tensor, Wh: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A whole sequence: the same weights at every step. The inputs of all times are multiplied at once.

    Args:
        x: (N, T, D) N sequences of T inputs.
        h0: (N, H) the states before the first input.
        Wx: (D, H) the weights of the input.
        Wh: (H, H) the weights of the state.
        b: (H,) the biases.

    Returns:
        (N, T, H) the states after each input.

    Raises:
        ValueError: as in `rnn_step_forward`.
    """
    _require("h0", h0, (x.shape[0], Wh.shape[0]))
    _require("b", b, Wx.shape[1:])
    h, states = h0, []
    for a in (x @ Wx + b).unbind(dim=1):
        h = torch.tanh(a + h @ Wh)
        states.append(h)
    return _sequence(states, h0)


def lstm_step_forward(
    x: torch.Tensor,
    prev_h: torch.Tensor,
    prev_c: torch.Tensor,
    Wx: torch.Tensor,
    Wh: torch.Tensor,
    b: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of an LSTM. The weights hold four blocks side by side, in the order i, f, o, g.

    PyTorch's own `nn.LSTM` has them in another order; see [conventions](../conventions.md).

    Args:
        x: (N, D) the inputs of this time.
        prev_h: (N, H) the states before.
        prev_c: (N, H) the cells before.
        Wx: (D, 4H) the weights of the input.
        Wh: (H, 4H) the weights of the state.
        b: (4H,) the biases.

    Returns:
        next_h: (N, H) the new states.
        next_c: (N, H) the new cells.

    Raises:
        ValueError: the shapes of states, cells or biases do not fit; PyTorch itself would repeat them.
    """
    _require("prev_h", prev_h, (x.shape[0], Wh.shape[0]))
    _require("prev_c", prev_c, prev_h.shape)
    _require("b", b, (4 * prev_h.shape[1],))
    return _gates(x @ Wx + b + prev_h @ Wh, prev_c)


def lstm_forward(
    x: torch.Tensor, h0: torch.Tensor, Wx: torch.Tensor, Wh: torch.Tensor, b: torch.Tensor
) -> torch.Tensor:
    """A whole sequence of LSTM steps; the cells start at 0.

    Args:
        x: (N, T, D) N sequences of T inputs.
        h0: (N, H) the states before the first input.
        Wx: (D, 4H) the weights of the input.
        Wh: (H, 4H) the weights of the state.
        b: (4H,) the biases.

    Returns:
        (N, T, H) the states after each input.

    Raises:
        ValueError: as in `lstm_step_forward`.
    """
    _require("h0", h0, (x.shape[0], Wh.shape[0]))
    _require("b", b, (4 * h0.shape[1],))
    h, c, states = h0, torch.zeros_like(h0), []
    for a in (x @ Wx + b).unbind(dim=1):
        h, c = _gates(a + h @ Wh, c)
        states.append(h)
    return _sequence(states, h0)


def word_embedding_forward(x: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """Replace each word by its row of the table.

    Args:
        x: (N, T), or any shape: the words, integers from 0 to V − 1.
        W: (V, D) the table.

    Returns:
        (N, T, D), the shape of `x` and one more axis: the vectors of the words.

    Raises:
        IndexError: a word is negative or too large. (Indexing, `W[x]`, would count negative words from the end.)
    """
    return functional.embedding(x, W)


def temporal_affine_forward(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(N, T, D) → (N, T, M): the same affine map, with `w` (D, M) and `b` (M,), at every position."""
    _require("b", b, w.shape[1:])
    return x @ w + b


def temporal_softmax_loss(x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, verbose: bool = False) -> torch.Tensor:
    """Cross-entropy at every position that counts: summed over the positions, averaged over the sequences.

    A position whose mask is 0 has no part in it: its scores may be infinite or NaN, its word may be anything, and its
    gradient is 0. (With a loss that is multiplied by the mask, 0 · NaN would be NaN.)

    Args:
        x: (N, T, V) the scores of V words, at T positions of N sequences.
        y: (N, T) the right words, integers from 0 to V − 1.
        mask: (N, T) which positions count: true or 1 for those that do, false or 0 for padding. Other numbers weigh.
        verbose: not used; notebooks pass it.

    Returns:
        The loss, one number with a graph behind it.

    Raises:
        ValueError: the shapes of `y` and `mask` are not (N, T).
    """
    _require("y", y, x.shape[:-1])
    _require("mask", mask, x.shape[:-1])
    left_out = mask == 0
    scores = x.masked_fill(left_out[..., None], 0)  # the gradient passes where nothing was filled in
    words = y.long().masked_fill(left_out, 0)
    log_p = functional.log_softmax(scores, dim=-1).gather(-1, words[..., None])[..., 0]
    return (mask.to(x.dtype) * -log_p).sum() / len(x)


def _gates(a: torch.Tensor, prev_c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """From the four blocks to the new state and the new cell."""
    i, f, o, g = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * prev_c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def _sequence(states: list[torch.Tensor], h0: torch.Tensor) -> torch.Tensor:
    """The states side by side, (N, T, H); T may be 0."""
    return torch.stack(states, dim=1) if states else h0.new_zeros(len(h0), 0, h0.shape[1])


def _require(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise ValueError(f"expected {name} of shape {tuple(shape)}, got {tuple(tensor.shape)}")
