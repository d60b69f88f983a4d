r"""The course's loops of SimCLR: training with the contrastive loss, a linear classifier, nearest neighbours.

Data are moved to the device on which the model is. Means are over the examples that were really there, so a short last
batch counts for what it holds.

Derivation: [Contrastive loss](../losses/contrastive.md)
"""

from __future__ import annotations

from typing import Any

from cs231n.simclr.contrastive_loss import simclr_loss_vectorized

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError as missing:
    raise ImportError("cs231n.simclr.utils needs PyTorch: pip install -e '.[torch]'") from missing

__all__ = ["test", "train", "train_val"]


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device


def train(
    model: nn.Module,
    data_loader: Any,
    train_optimizer: torch.optim.Optimizer,
    epoch: int,
    epochs: int,
    batch_size: int = 32,
    temperature: float = 0.5,
    device: Any = "cuda",
) -> float:
    """One epoch of contrastive training.

    Args:
        model: images → (features, embeddings).
        data_loader: gives (views, other views, labels); the labels are not used.
        train_optimizer: the optimizer of the model.
        epoch: the number of this epoch; not used, notebooks pass it.
        epochs: the number of epochs; not used.
        batch_size: not used: each batch is as large as it is.
        temperature: the temperature of the loss.
        device: not used: the work is done where the model is.

    Returns:
        The mean loss over all examples.
    """
    model.train()
    where = _device(model)
    total, seen = 0.0, 0
    for left, right, _ in data_loader:
        _, out_left = model(left.to(where))
        _, out_right = model(right.to(where))
        loss = simclr_loss_vectorized(out_left, out_right, temperature, device=where)
        train_optimizer.zero_grad()
        loss.backward()
        train_optimizer.step()
        total += loss.item() * len(left)
        seen += len(left)
    return total / seen


def train_val(
    model: nn.Module,
    data_loader: Any,
    train_optimizer: torch.optim.Optimizer | None,
    epoch: int,
    epochs: int,
    device: Any = "cuda",
) -> tuple[float, float, float]:
    """One epoch of an ordinary classifier: training, or with no optimizer only a measurement.

    Args:
        model: images → scores.
        data_loader: gives (images, labels).
        train_optimizer: the optimizer of the model, or None.
        epoch: the number of this epoch; not used, notebooks pass it.
        epochs: the number of epochs; not used.
        device: not used: the work is done where the model is.

    Returns:
        The mean loss, and the percentages of labels that have the best score or one of the five best.
    """
    model.train(train_optimizer is not None)
    where = _device(model)
    total, first, five, seen = 0.0, 0, 0, 0
    with torch.set_grad_enabled(train_optimizer is not None):
        for data, target in data_loader:
            data, target = data.to(where), target.to(where)
            scores = model(data)
            loss = functional.cross_entropy(scores, target)
            if train_optimizer is not None:
                train_optimizer.zero_grad()
                loss.backward()
                train_optimizer.step()
            total += loss.item() * len(data)
            seen += len(data)
            right = scores.topk(min(5, scores.shape[1]), dim=1).indices == target[:, None]
            first += int(right[:, :1].sum())
            five += int(right.sum())
    return total / seen, 100 * first / seen, 100 * five / seen


def test(
    model: nn.Module,
    memory_data_loader: Any,
    test_data_loader: Any,
    epoch: int,
    epochs: int,
    c: int,
    temperature: float = 0.5,  # noqa: PT028
    k: int = 200,  # noqa: PT028
    device: Any = "cuda",  # noqa: PT028
) -> tuple[float, float]:
    """How well nearest neighbours classify by the features: a label gets the votes of the k most similar images.

    Args:
        model: images → (features, embeddings).
        memory_data_loader: gives (images, other views, labels) that are known.
        test_data_loader: gives (images, other views, labels) to be told.
        epoch: the number of this epoch; not used, notebooks pass it.
        epochs: the number of epochs; not used.
        c: the number of classes.
        temperature: a vote counts the exponential of the similarity divided by this.
        k: the number of neighbours that vote, at most all.
        device: not used: the work is done where the model is.

    Returns:
        The percentages of labels that have most votes, or are among the five with most.
    """
    model.eval()
    where = _device(model)
    first, five, seen = 0, 0, 0
    with torch.no_grad():
        known = [(model(data.to(where))[0], target.to(where)) for data, _, target in memory_data_loader]
        bank, labels = torch.cat([feature for feature, _ in known]), torch.cat([target for _, target in known])
        for data, _, target in test_data_loader:
            feature = model(data.to(where))[0]
            similar, who = (feature @ bank.T).topk(min(k, len(bank)), dim=1)
            weight = ((similar - similar[:, :1]) / temperature).exp()  # relative to the nearest: nothing overflows
            votes = feature.new_zeros(len(data), c).scatter_add_(1, labels[who], weight)
            right = votes.topk(min(5, c), dim=1).indices == target.to(where)[:, None]
            first += int(right[:, :1].sum())
            five += int(right.sum())
            seen += len(data)
    return 100 * first / seen, 100 * five / seen


# pytest would take the course's names for tests where a test imports them
_function: Any
for _function in (test, train, train_val):
    _function.__test__ = False
del _function
