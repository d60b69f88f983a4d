"""Classifiers. A network holds its parameters, and returns a loss with the gradient of every one of them."""

from cs231n.classifiers.cnn import ThreeLayerConvNet
from cs231n.classifiers.fc_net import FullyConnectedNet, TwoLayerNet
from cs231n.classifiers.k_nearest_neighbor import KNearestNeighbor
from cs231n.classifiers.linear_classifier import LinearSVM, Softmax

__all__ = ["FullyConnectedNet", "KNearestNeighbor", "LinearSVM", "Softmax", "ThreeLayerConvNet", "TwoLayerNet"]
