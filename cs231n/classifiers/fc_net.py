r"""Fully connected networks: with one hidden layer (affine, ReLU, affine, softmax), and with any number of them.

As in the course, `from cs231n.classifiers.fc_net import *` brings the layers, the losses and their compositions too.

Derivation: [Two-layer network](../classifiers/fc_net.md)
"""

from os import PathLike
from typing import Any

import numpy as np

from cs231n import layer_utils, layers
from cs231n.layer_utils import *  # noqa: F403  what notebooks of the course expect to find here
from cs231n.layer_utils import (
    affine_bn_relu_backward,
    affine_bn_relu_forward,
    affine_ln_relu_backward,
    affine_ln_relu_forward,
    affine_relu_backward,
    affine_relu_forward,
)
from cs231n.layers import *  # noqa: F403
from cs231n.layers import affine_backward, affine_forward, dropout_backward, dropout_forward, softmax_loss

__all__ = ["FullyConnectedNet", "TwoLayerNet", *layer_utils.__all__, *layers.__all__]

#: For each normalization the forward of a hidden layer, the backward that belongs to it, and its parameters.
_HIDDEN: dict[str | None, tuple[Any, Any, tuple[str, ...]]] = {
    None: (affine_relu_forward, affine_relu_backward, ("W", "b")),
    "batchnorm": (affine_bn_relu_forward, affine_bn_relu_backward, ("W", "b", "gamma", "beta")),
    "layernorm": (affine_ln_relu_forward, affine_ln_relu_backward, ("W", "b", "gamma", "beta")),
}


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
        _require_settings(dtype, input_dim=input_dim, hidden_dim=hidden_dim, num_classes=num_classes)
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
        _write(fname, self.params)

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read the parameters that `save` wrote, for a network of the same sizes.

        Args:
            fname: the file.

        Raises:
            FileNotFoundError: there is no such file; the network stays as it was.
            ValueError: the file holds something else, or parameters of other shapes.
        """
        self.params = _read(fname, self.params)


class FullyConnectedNet:
    r"""A classifier of vectors with any number of hidden layers, none included.

    Each hidden layer is affine, then batch or layer normalization if wanted, then ReLU, then dropout if wanted. The
    last layer is affine, and the loss is softmax cross-entropy with a penalty on the weights of all affine layers.

    The parameters are in the dictionary `params`: `W1`, `b1` and so on up to the last layer, `gamma1`, `beta1` for the
    hidden layers with normalization. `bn_params` holds the settings and running averages of the normalizations.

    Derivation: [Two-layer network](../classifiers/fc_net.md#any-number-of-layers)

    Source: Rumelhart, Hinton & Williams (1986); for the order of the layers Ioffe & Szegedy, Batch normalization, ICML
    2015, section 3.2.

    Examples:
        >>> net = FullyConnectedNet([5, 6], input_dim=4, num_classes=3, normalization="batchnorm", seed=0)
        >>> X, y = np.array([[0.5, -1.0, 2.0, 0.0], [1.0, 0.0, -3.0, 0.5]]), np.array([2, 0])
        >>> loss, grads = net.loss(X, y)
        >>> loss.dtype, sorted(grads) == sorted(net.params)
        (dtype('float32'), True)
        >>> sorted(grads)
        ['W1', 'W2', 'W3', 'b1', 'b2', 'b3', 'beta1', 'beta2', 'gamma1', 'gamma2']
    """

    def __init__(
        self,
        hidden_dims: list[int] | tuple[int, ...],
        input_dim: int = 3 * 32 * 32,
        num_classes: int = 10,
        dropout_keep_ratio: float = 1,
        normalization: str | None = None,
        reg: float = 0.0,
        weight_scale: float = 1e-2,
        dtype: type = np.float32,
        seed: int | None = None,
        *,
        dropout: float | None = None,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from a normal distribution; biases and shifts are 0, scales are 1.

        Args:
            hidden_dims: how many units each hidden layer has; empty for a linear classifier.
            input_dim: how many numbers an example has.
            num_classes: how many classes there are.
            dropout_keep_ratio: the probability to **keep** a unit; 1 for no dropout.
            normalization: 'batchnorm', 'layernorm' or None.
            reg: strength of the penalty, half of it times the sum of all squared weights.
            weight_scale: standard deviation of the weights at first.
            dtype: type of the parameters, and so of everything computed from them.
            seed: fixes the weights, and the dropout masks to the same ones at every call, as a gradient check needs;
                masks of different layers still differ. Without it every call draws new masks.
            dropout: the older name of `dropout_keep_ratio`; at most one of them can be given.
            rng: a generator or a seed for the weights, and for the masks if there is no `seed`. NumPy's global state is
                never used.

        Raises:
            ValueError: a size below 1, a ratio that is no probability above 0, an unknown normalization, or a `dtype`
                that does not hold real numbers.
        """
        sizes = {f"hidden_dims[{i}]": size for i, size in enumerate(hidden_dims)}
        _require_settings(dtype, input_dim=input_dim, num_classes=num_classes, **sizes)
        if normalization not in _HIDDEN:
            raise ValueError(f"expected normalization None, 'batchnorm' or 'layernorm', got {normalization!r}")
        if dropout is not None:
            if dropout_keep_ratio != 1:
                raise ValueError(
                    f"expected one of dropout_keep_ratio and dropout, got {dropout_keep_ratio} and {dropout}"
                )
            dropout_keep_ratio = dropout
        if not 0 < dropout_keep_ratio <= 1:
            raise ValueError(f"expected a probability to keep a unit, 0 < p <= 1, got {dropout_keep_ratio}")
        self.normalization = normalization
        self.dropout_keep_ratio = dropout_keep_ratio
        self.reg = reg
        self.seed = seed
        self.num_layers = len(hidden_dims) + 1
        self._rng = rng = np.random.default_rng(seed if rng is None else rng)

        dims = [input_dim, *hidden_dims, num_classes]
        self.params: dict[str, np.ndarray] = {}
        self.bn_params: list[dict[str, Any]] = []
        for i in range(1, self.num_layers + 1):
            self.params[f"W{i}"] = (weight_scale * rng.standard_normal((dims[i - 1], dims[i]))).astype(dtype)
            self.params[f"b{i}"] = np.zeros(dims[i], dtype)
            if normalization is None or i == self.num_layers:
                continue
            self.params[f"gamma{i}"] = np.ones(dims[i], dtype)
            self.params[f"beta{i}"] = np.zeros(dims[i], dtype)
            averages = {"running_mean": np.zeros(dims[i], dtype), "running_var": np.zeros(dims[i], dtype)}
            self.bn_params.append({"mode": "train", **averages} if normalization == "batchnorm" else {})

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        r"""The scores of `X`, in test mode; with labels `y` the loss and its gradients instead, in training mode.

        In training mode batch normalization moves its running averages, and dropout draws.

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

        >>> net = FullyConnectedNet([], input_dim=2, num_classes=4, seed=0)
        >>> net.loss(np.array([[1.0, -1.0]])).shape
        (1, 4)
        """
        last, keep, params = self.num_layers, self.dropout_keep_ratio, self.params
        forward, backward, names = _HIDDEN[self.normalization]  # side by side: they belong together
        mode = "test" if y is None else "train"
        dtype = params["W1"].dtype
        h = X.astype(dtype, copy=False) if X.dtype.kind == "f" else X
        if keep < 1:
            masks = self._rng if self.seed is None else np.random.default_rng([self.seed, 1])
            dropout_param = {"mode": mode, "p": keep, "rng": masks}  # one stream, so that no two layers agree

        caches = []
        for i in range(1, last):
            arguments: list[Any] = [params[f"{name}{i}"] for name in names]
            if self.normalization == "batchnorm":
                self.bn_params[i - 1]["mode"] = mode
            if self.normalization is not None:
                arguments.append(self.bn_params[i - 1])
            h, hidden_cache = forward(h, *arguments)
            dropout_cache = None
            if keep < 1:
                h, dropout_cache = dropout_forward(h, dropout_param)
            caches.append((hidden_cache, dropout_cache))
        s, scores_cache = affine_forward(h, params[f"W{last}"], params[f"b{last}"])
        if y is None:
            return s

        data_loss, ds = softmax_loss(s, y)
        grads: dict[str, np.ndarray] = {}
        dh, grads[f"W{last}"], grads[f"b{last}"] = affine_backward(ds, scores_cache)
        for i in range(last - 1, 0, -1):
            hidden_cache, dropout_cache = caches[i - 1]
            if dropout_cache is not None:
                dh = dropout_backward(dh, dropout_cache)
            dh, *found = backward(dh, hidden_cache)
            grads.update({f"{name}{i}": grad for name, grad in zip(names, found, strict=True)})

        reg, loss = dtype.type(self.reg), data_loss
        for i in range(1, last + 1):
            W = params[f"W{i}"]
            loss = loss + reg / 2 * (W**2).sum()
            grads[f"W{i}"] = grads[f"W{i}"] + reg * W
        return loss, grads

    def save(self, fname: str | PathLike[str]) -> None:
        r"""Write parameters and running averages to a file, in NumPy's npz format, without pickle.

        Args:
            fname: the file, under exactly this name.
        """
        _write(fname, self.params | self._averages())

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read what `save` wrote, for a network of the same sizes and the same normalization.

        Args:
            fname: the file.

        Raises:
            FileNotFoundError: there is no such file; the network stays as it was.
            ValueError: the file holds something else, or arrays of other shapes.
        """
        stored = _read(fname, self.params | self._averages())
        if self.normalization == "batchnorm":
            for i, bn_param in enumerate(self.bn_params, start=1):
                bn_param.update({name: stored.pop(f"{name}{i}") for name in ("running_mean", "running_var")})
        self.params = stored

    def _averages(self) -> dict[str, np.ndarray]:
        if self.normalization != "batchnorm":
            return {}
        return {
            f"{name}{i}": bn_param[name]
            for i, bn_param in enumerate(self.bn_params, start=1)
            for name in ("running_mean", "running_var")
        }


class SelfTrainingNet(TwoLayerNet):
    r"""The two-layer network of the course until 2020, there `neural_net.TwoLayerNet`: it trains itself.

    It differs from `TwoLayerNet` in its penalty, which is `reg` times the sum of all squared weights, *without a half*,
    and in that `reg` is told to each call.

    Derivation: [Two-layer network](../classifiers/fc_net.md#the-network-that-trains-itself)

    Examples:
        >>> X, y = np.array([[3.0, 0.0], [0.0, 2.0], [-2.0, -1.0]]), np.array([0, 1, 2])
        >>> net = SelfTrainingNet(2, 10, 3, std=0.1, rng=0)
        >>> history = net.train(X, y, X, y, learning_rate=0.5, batch_size=3, rng=0)
        >>> net.predict(X), history["val_acc_history"][-1]
        (array([0, 1, 2]), 1.0)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        std: float = 1e-4,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from a normal distribution; the biases are 0.

        Args:
            input_size: how many numbers an example has.
            hidden_size: how many hidden units there are.
            output_size: how many classes there are.
            std: standard deviation of the weights at first.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.
        """
        super().__init__(input_size, hidden_size, output_size, std, dtype=dtype, rng=rng)

    def loss(
        self, X: np.ndarray, y: np.ndarray | None = None, reg: float = 0.0
    ) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        r"""The scores of `X`; with labels `y` the loss and its gradients instead.

        Args:
            X: (N, d_1, …, d_k) a batch of N examples, each with `input_size` numbers.
            y: (N,) the labels, integers from 0 to C − 1.
            reg: strength of the penalty, `reg` times the sum of all squared weights.

        Returns:
            scores: (N, C), only without `y`.
            loss: a number, the mean over the batch plus the penalty.
            grads: gradient of the loss with respect to each entry of `params`.
        """
        self.reg = 2 * reg  # there is a half in the other class
        return super().loss(X, y)

    def train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        X_val: np.ndarray,
        y_val: np.ndarray,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 5e-6,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> dict[str, list[float]]:
        r"""Stochastic gradient descent. Each batch is drawn with replacement.

        Args:
            X: (N, d_1, …, d_k) the training examples.
            y: (N,) their labels.
            X_val: (M, d_1, …, d_k) the validation examples.
            y_val: (M,) their labels.
            learning_rate: the length of a step at first.
            learning_rate_decay: the factor on it once an epoch, that is in N / `batch_size` steps; as in the course,
                for the first time after the first step.
            reg: strength of the penalty, `reg` times the sum of all squared weights.
            num_iters: how many steps.
            batch_size: examples in a batch; may be larger than N.
            verbose: print the loss at every hundredth step.
            rng: a generator or a seed; NumPy's global state is never used.

        Returns:
            history: a dictionary: `loss_history`, the loss of each batch; `train_acc_history` and `val_acc_history`,
                the accuracy on the batch and on the validation data, once an epoch.

        Raises:
            ValueError: wrong shapes, labels or settings.
        """
        for name, value, least in (("num_iters", num_iters, 0), ("batch_size", batch_size, 1), ("examples", len(X), 1)):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        if len(X) != len(y) or len(X_val) != len(y_val):
            raise ValueError(
                f"expected a label for each example, got {len(X)} examples and {len(y)} labels, for validation "
                f"{len(X_val)} and {len(y_val)}"
            )
        rng = np.random.default_rng(rng)
        epoch = max(len(X) // batch_size, 1)
        history: dict[str, list[float]] = {"loss_history": [], "train_acc_history": [], "val_acc_history": []}
        for iteration in range(num_iters):
            chosen = rng.integers(len(X), size=batch_size)
            loss, grads = self.loss(X[chosen], y[chosen], reg)
            step = self.params["W1"].dtype.type(learning_rate)
            self.params = {name: w - step * grads[name] for name, w in self.params.items()}
            history["loss_history"].append(float(loss))
            if verbose and iteration % 100 == 0:
                print(f"iteration {iteration} / {num_iters}: loss {loss:f}")  # noqa: T201  what `verbose` asks for
            if iteration % epoch == 0:
                history["train_acc_history"].append(float((self.predict(X[chosen]) == y[chosen]).mean()))
                history["val_acc_history"].append(float((self.predict(X_val) == y_val).mean()))
                learning_rate *= learning_rate_decay
        return history

    def predict(self, X: np.ndarray) -> np.ndarray:
        r"""The class with the largest score; of equal ones the first.

        Args:
            X: (N, d_1, …, d_k) the examples.

        Returns:
            y_pred: (N,) the number of a class for each example.
        """
        scores: Any = self.loss(X)
        return scores.argmax(axis=1)


def _require_settings(dtype: type, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"expected {name} >= 1, got {size}")
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")


def _write(fname: str | PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    with open(fname, "wb") as file:  # np.savez would add .npz to a name
        np.savez(file, **dict[str, Any](arrays))


def _read(fname: str | PathLike[str], like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file, with the names and shapes of those in `like`."""
    stored = np.load(fname, allow_pickle=False)
    arrays = {name: stored[name] for name in stored.files} if hasattr(stored, "files") else {}
    expected = {name: array.shape for name, array in like.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise ValueError(f"{fname}: expected parameters of the shapes {expected}, got {found or 'no parameters'}")
    return arrays
