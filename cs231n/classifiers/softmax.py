"""The course's module name: hands on the softmax loss of the linear classifiers."""

from cs231n.classifiers.linear_classifier import softmax_loss_naive, softmax_loss_vectorized

__all__ = ["softmax_loss_naive", "softmax_loss_vectorized"]
