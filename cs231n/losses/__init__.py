"""Losses: each function returns the loss and its gradient with respect to the scores."""

from cs231n.losses.softmax import softmax_cross_entropy, softmax_loss

__all__ = ["softmax_cross_entropy", "softmax_loss"]
