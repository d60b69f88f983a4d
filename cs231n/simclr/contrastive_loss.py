r"""The course's PyTorch functions for the loss of SimCLR: the same numbers as `cs231n.losses.contrastive`.

Rows of length 1e-8 and less count as zero, as there, and logarithms of sums are taken from the largest exponent.
Tensors stay on the device on which they are.

Derivation: [Contrastive loss](../losses/contrastive.md)
"""

from __future__ import annotations

from typing import Any

import numpy as np

try:
    import torch
except ImportError as missing:
    raise ImportError("cs231n.simclr.contrastive_loss needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = [
    "compute_sim_matrix",
    "rel_error",
    "sim",
    "sim_positive_pairs",
    "simclr_loss_naive",
    "simclr_loss_vectorized",
]


def _unit(z: torch.Tensor) -> torch.Tensor:
    """The rows with length 1; a row of length 1e-8 or less becomes zero, and gets no gradient."""
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    there = length > 1e-8
    return z * (there / torch.where(there, length, torch.ones_like(length)))


def sim(z_i: torch.Tensor, z_j: torch.Tensor) -> torch.Tensor:
    """The cosine of the angle between two vectors, of shape (D,) or (1, D): one number."""
    return (_unit(z_i.reshape(-1)) * _unit(z_j.reshape(-1))).sum()


def simclr_loss_naive(out_left: torch.Tensor, out_right: torch.Tensor, tau: float) -> torch.Tensor:
    """The loss pair by pair, as equation (1) of the paper reads.

    Args:
        out_left: (N, D) the embeddings of one view of N examples.
        out_right: (N, D) the embeddings of the other view.
        tau: number, the temperature.

    Returns:
        The mean over all 2N rows.
    """
    N = len(out_left)
    out = torch.cat([out_left, out_right])
    total = out.new_zeros(())
    for i in range(2 * N):
        partner = (i + N) % (2 * N)
        others = [sim(out[i], out[k]) / tau for k in range(2 * N) if k != i]
        total = total + torch.logsumexp(torch.stack(others), dim=0) - sim(out[i], out[partner]) / tau
    return total / (2 * N)


def sim_positive_pairs(out_left: torch.Tensor, out_right: torch.Tensor) -> torch.Tensor:
    """(N, 1): the cosine of each left row with its right row."""
    return (_unit(out_left) * _unit(out_right)).sum(dim=1, keepdim=True)


def compute_sim_matrix(out: torch.Tensor) -> torch.Tensor:
    """(A, D) → (A, A): the cosines of all rows with all rows."""
    unit = _unit(out)
    return unit @ unit.T


def simclr_loss_vectorized(
    out_left: torch.Tensor, out_right: torch.Tensor, tau: float, device: Any = "cuda"
) -> torch.Tensor:
    """The loss with one matrix of similarities; the numbers of `simclr_loss_naive`.

    Args:
        out_left: (N, D) the embeddings of one view of N examples.
        out_right: (N, D) the embeddings of the other view.
        tau: number, the temperature.
        device: not used: the work is done where the embeddings are. Notebooks pass it.

    Returns:
        The mean over all 2N rows.
    """
    out = torch.cat([out_left, out_right])
    itself = torch.eye(len(out), dtype=torch.bool, device=out.device)
    scores = (compute_sim_matrix(out) / tau).masked_fill(itself, -torch.inf)
    positive = sim_positive_pairs(out_left, out_right) / tau
    return torch.logsumexp(scores, dim=1).mean() - positive.mean()


def rel_error(x: Any, y: Any) -> float:
    """The largest relative difference of two arrays or tensors."""
    x, y = (np.asarray(a.detach().cpu() if isinstance(a, torch.Tensor) else a) for a in (x, y))
    return float(np.max(np.abs(x - y) / np.maximum(1e-8, np.abs(x) + np.abs(y))))
