r"""A small convolutional network: one convolution, ReLU, max pooling, and two affine layers on top.

As in the course, `from cs231n.classifiers.cnn import *` brings the layers, the losses and their compositions too.

Derivation: [Convolutional network](../classifiers/cnn.md)
"""

from os import PathLike
from typing import Any

import numpy as np

from cs231n import layer_utils, layers
from cs231n.layer_utils import *  # noqa: F403  what notebooks of the course expect to find here
from cs231n.layer_utils import (
    affine_relu_backward,
    affine_relu_forward,
    conv_relu_pool_backward,
    conv_relu_pool_forward,
)
from cs231n.layers import *  # noqa: F403
from cs231n.layers import affine_backward, affine_forward, softmax_loss

__all__ = ["ThreeLayerConvNet", *layer_utils.__all__, *layers.__all__]


class ThreeLayerConvNet:
    r"""A classifier of images: convolution, ReLU, 2 × 2 max pooling, affine, ReLU, affine, softmax.

    The convolution has stride 1 and padding (`filter_size` − 1) // 2, so with an odd `filter_size` it keeps the size of
    the image. The pooling halves it; where a row or a column has no partner, it is left out.

    The parameters are in the dictionary `params`: `W1`, `b1` of the convolution, `W2`, `b2` of the hidden layer, `W3`,
    `b3` of the scores. `reg` is the strength of the penalty on the weights. `conv_param` and `pool_param` hold the
    geometry.

    Derivation: [Convolutional network](../classifiers/cnn.md)

    Source: LeCun, Bottou, Bengio & Haffner, Gradient-based learning applied to document recognition, 1998, section II.

    Examples:
        >>> net = ThreeLayerConvNet((1, 5, 7), num_filters=2, filter_size=3, hidden_dim=4, num_classes=3, rng=0)
        >>> X, y = np.random.default_rng(1).normal(size=(6, 1, 5, 7)), np.array([2, 0, 1, 1, 0, 2])
        >>> loss, grads = net.loss(X, y)
        >>> round(float(loss), 4)  # small weights: all classes equally likely, log 3
        1.0986
        >>> {name: grad.shape for name, grad in grads.items()}["W2"]  # 2 filters, images of 5 // 2 by 7 // 2
        (12, 4)
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (3, 32, 32),
        num_filters: int = 32,
        filter_size: int = 7,
        hidden_dim: int = 100,
        num_classes: int = 10,
        weight_scale: float = 1e-3,
        reg: float = 0.0,
        dtype: type = np.float32,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights from a normal distribution; the biases are 0.

        Args:
            input_dim: the sizes (C, H, W) of an image.
            num_filters: how many kernels the convolution has.
            filter_size: height and width of a kernel.
            hidden_dim: how many hidden units there are.
            num_classes: how many classes there are.
            weight_scale: standard deviation of the weights at first.
            reg: strength of the penalty, half of it times the sum of all squared weights.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1, an image too small for the kernel and the pooling, or a `dtype` that does not
                hold real numbers.
        """
        if len(input_dim) != 3:
            raise ValueError(f"expected input_dim = (channels, height, width), got {tuple(input_dim)}")
        sizes = {f"input_dim[{i}]": size for i, size in enumerate(input_dim)}
        sizes |= {"num_filters": num_filters, "filter_size": filter_size}
        sizes |= {"hidden_dim": hidden_dim, "num_classes": num_classes}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
        C, H, W = input_dim
        pad = (filter_size - 1) // 2
        self.conv_param: dict[str, int] = {"stride": 1, "pad": pad}
        self.pool_param: dict[str, int] = {"pool_height": 2, "pool_width": 2, "stride": 2}
        # what really comes out: H * W // 4 would be wrong for odd sizes, and for even kernels
        rows, columns = ((size + 2 * pad - filter_size + 1) // 2 for size in (H, W))
        if rows < 1 or columns < 1:
            raise ValueError(
                f"expected images that leave at least 2 x 2 pixels for the pooling, got {H} x {W} under kernels of "
                f"{filter_size} x {filter_size} with padding {pad}"
            )

        rng = np.random.default_rng(rng)
        self.reg = reg
        self.params: dict[str, np.ndarray] = {}
        shapes = [
            (num_filters, C, filter_size, filter_size),
            (num_filters * rows * columns, hidden_dim),
            (hidden_dim, num_classes),
        ]
        for i, (shape, biases) in enumerate(zip(shapes, (num_filters, hidden_dim, num_classes), strict=True), start=1):
            self.params[f"W{i}"] = (weight_scale * rng.standard_normal(shape)).astype(dtype)
            self.params[f"b{i}"] = np.zeros(biases, dtype)

    def loss(self, X: np.ndarray, y: np.ndarray | None = None) -> np.ndarray | tuple[float, dict[str, np.ndarray]]:
        r"""The scores of `X`; with labels `y` the loss and its gradients instead.

        Args:
            X: (N, C, H, W) a batch of N images; it is computed in the dtype of the parameters.
            y: (N,) the labels, integers from 0 to `num_classes` − 1.

        Returns:
            scores: (N, num_classes), only without `y`.
            loss: a number, the mean over the batch plus the penalty.
            grads: gradient of the loss with respect to each entry of `params`, under the same names and of the same
                shapes.

        Raises:
            ValueError: wrong shapes or labels, or an `X` that does not hold real numbers.

        >>> net = ThreeLayerConvNet((1, 4, 6), filter_size=3, num_classes=5, rng=0)
        >>> net.loss(np.ones((2, 1, 4, 6))).shape
        (2, 5)
        """
        W1, b1, W2, b2, W3, b3 = (self.params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
        if X.dtype.kind == "f":
            # or one batch in double precision would turn the parameters into it
            X = X.astype(W1.dtype, copy=False)
        v, conv_cache = conv_relu_pool_forward(X, W1, b1, self.conv_param, self.pool_param)
        h, hidden_cache = affine_relu_forward(v, W2, b2)  # flattens v
        s, scores_cache = affine_forward(h, W3, b3)
        if y is None:
            return s

        reg = W1.dtype.type(self.reg)
        data_loss, ds = softmax_loss(s, y)
        loss = data_loss + reg / 2 * ((W1**2).sum() + (W2**2).sum() + (W3**2).sum())

        dh, dW3, db3 = affine_backward(ds, scores_cache)
        dv, dW2, db2 = affine_relu_backward(dh, hidden_cache)  # as v again
        _, dW1, db1 = conv_relu_pool_backward(dv, conv_cache)
        grads: dict[str, Any] = {
            "W1": dW1 + reg * W1,
            "b1": db1,
            "W2": dW2 + reg * W2,
            "b2": db2,
            "W3": dW3 + reg * W3,
            "b3": db3,
        }
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
