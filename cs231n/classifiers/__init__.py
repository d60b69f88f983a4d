"""Whole networks: each holds its parameters, and returns a loss with the gradient of every one of them."""

from cs231n.classifiers.fc_net import TwoLayerNet

__all__ = ["TwoLayerNet"]
