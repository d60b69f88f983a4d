"""Update rules: each takes a parameter, its gradient and its settings, and returns what the next step needs."""

from cs231n.optim.adaptive import adagrad, adam, adamw, rmsprop
from cs231n.optim.gradient_descent import sgd, sgd_momentum, sgd_nesterov

__all__ = ["adagrad", "adam", "adamw", "rmsprop", "sgd", "sgd_momentum", "sgd_nesterov"]
