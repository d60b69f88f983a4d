r"""A fully connected network with one hidden layer: affine, ReLU, affine, softmax.

As in the course, `from cs231n.classifiers.fc_net import *` brings the layers, the losses and their compositions too.

Derivation: [Two-layer network](../classifiers/fc_net.md)
"""

from os import PathLike
from typing import Any

import numpy as np

from cs231n import layer_utils, layers
from cs231n.layer_utils import *  # noqa: F403  what notebooks of the course expect to find here
from cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n.layers import *  # noqa: F403
from cs231n.layers import affine_backward, affine_forward, softmax_loss

__all__ = ["TwoLayerNet", *layer_utils.__all__, *layers.__all__]


class TwoLayerNet:
    r"""A classifier of vectors: its scores are `relu(X @ W1 + b1) @ W2 + b2`, its loss is softmax cross-entropy.

    The parameters are in the dictionary `params`, under the names `W1`, `b1`, `W2` and `b2`; a solver replaces them
    there. `reg` is the strength of the penalty on the weights.

    Derivation: [Two-layer network](../classifiers/fc_net.md)

    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986).

    Examples:
        >>> net = TwoLayerNet(input_dim=4, hidden_dim=5, num_classes=3, rng=0)
        >>> X, y = np.array([[0.5, -1.0, 2.0, 0.0], [1.0, 0.0, -3.0, 0.5]]), np.array([2, 0])
        >>> loss, grads = net.loss(X, y)
        >>> round(float(loss), 4)  # small weights: all classes equally likely, log 3
        1.0986
        >>> {name: grad.shape for name, grad in grads.items()}
        {'W1': (4, 5), 'b1': (5,), 'W2': (5, 3), 'b2': (3,)}
    """

    def __init__(
        self,
        input_dim: int = 3 * 32 * 32,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from a normal distribution; the biases are 0.

        Args:
            input_dim: how many numbers an example has.
            hidden_dim: how many hidden units there are.
            num_classes: how many classes there are.
            weight_scale: standard deviation of the weights at first.
            reg: strength of the penalty, half of it times the sum of all squared weights.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1, or a `dtype` that does not hold real numbers.
        """
        for name, size in (("input_dim", input_dim), ("hidden_dim", hidden_dim), ("num_classes", num_classes)):
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
        rng = np.random.default_rng(rng)
        self.reg = reg
        self.params: dict[str, np.ndarray] = {
            "W1": (weight_scale * rng.standard_normal((input_dim, hidden_dim))).astype(dtype),
            "b1": np.zeros(hidden_dim, dtype),
            "W2": (weight_scale * rng.standard_normal((hidden_dim, num_classes))).astype(dtype),
            "b2": np.zeros(num_classes, dtype),
        }

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        r"""The scores of `X`; with labels `y` the loss and its gradients instead.

        Args:
            X: (N, d_1, …, d_k) a batch of N examples, each with `input_dim` numbers; it is computed in the dtype of the
                parameters.
            y: (N,) the labels, integers from 0 to C − 1.

        Returns:
            scores: (N, C), only without `y`.
            loss: a number, the mean over the batch plus the penalty.
            grads: gradient of the loss with respect to each entry of `params`, under the same names and of the same
                shapes.

        Raises:
            ValueError: wrong shapes or labels, or an `X` that does not hold real numbers.

        >>> net = TwoLayerNet(input_dim=2, hidden_dim=3, num_classes=4, rng=0)
        >>> net.loss(np.array([[1.0, -1.0]])).shape
        (1, 4)
        """
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        if X.dtype.kind == "f":
            # or one batch in double precision would turn the parameters into it
            X = X.astype(W1.dtype, copy=False)
        h, hidden_cache = affine_relu_forward(X, W1, b1)
        s, scores_cache = affine_forward(h, W2, b2)
        if y is None:
            return s

        reg = W1.dtype.type(self.reg)
        data_loss, ds = softmax_loss(s, y)
        loss = data_loss + reg / 2 * ((W1**2).sum() + (W2**2).sum())

        dh, dW2, db2 = affine_backward(ds, scores_cache)
        _, dW1, db1 = affine_relu_backward(dh, hidden_cache)
        grads = {"W1": dW1 + reg * W1, "b1": db1, "W2": dW2 + reg * W2, "b2": db2}
        return loss, grads

    def save(self, fname: str | PathLike[str]) -> None:
        r"""Write the parameters to a file, in NumPy's npz format, without pickle.

        Args:
            fname: the file, under exactly this name.
        """
        with open(fname, "wb") as file:  # np.savez would add .npz to a name
            np.savez(file, **dict[str, Any](self.params))

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read the parameters that `save` wrote, for a network of the same sizes.

        Args:
            fname: the file.

        Raises:
            FileNotFoundError: there is no such file; the network stays as it was.
            ValueError: the file holds something else, or parameters of other shapes.
        """
        stored = np.load(fname, allow_pickle=False)
        params = {name: stored[name] for name in stored.files} if hasattr(stored, "files") else {}
        expected = {name: array.shape for name, array in self.params.items()}
        found = {name: array.shape for name, array in params.items()}
        if found != expected:
            raise ValueError(f"{fname}: expected parameters of the shapes {expected}, got {found or 'no parameters'}")
        self.params = params
