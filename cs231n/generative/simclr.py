r"""SimCLR: an encoder that learns from pairs of views which pictures belong together, without a single label.

Derivation: [SimCLR](../generative/simclr.md)
"""

from typing import Any

import numpy as np

from cs231n.layer_utils import affine_relu_backward, affine_relu_forward
from cs231n.layers import affine_backward, affine_forward
from cs231n.losses import nt_xent_loss


class SimCLRNet:
    r"""An encoder of two affine layers with ReLU, and on it a projection head: affine, ReLU, affine.

    The loss looks at what the head makes of two views of each picture. What is kept after training is the encoder. The
    parameters are in the dictionary `params`: `W1` to `b2` of the encoder, `W3` to `b4` of the head.

    Derivation: [SimCLR](../generative/simclr.md)

    Source: Chen, Kornblith, Norouzi & Hinton, A simple framework for contrastive learning of visual representations,
    ICML 2020, section 2.1 and algorithm 1.

    Examples:
        >>> net = SimCLRNet(input_dim=6, hidden_dim=8, feature_dim=5, head_dim=4, rng=0)
        >>> views = np.random.default_rng(1).normal(size=(6, 6))  # two of each of three pictures
        >>> loss, grads = net.loss(views, np.array([3, 4, 5, 0, 1, 2]), tau=0.5)
        >>> net.features(views).shape, grads["W4"].shape
        ((6, 5), (5, 4))
    """

    def __init__(
        self,
        input_dim: int = 64,
        hidden_dim: int = 256,
        feature_dim: int = 128,
        head_dim: int = 32,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights with variance 2 over the number of inputs; the biases are 0.

        Args:
            input_dim: how many pixels a picture has.
            hidden_dim: how many hidden units the encoder has.
            feature_dim: how many features it gives, and hidden units of the head.
            head_dim: length of an embedding, the output of the head.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1, or a `dtype` that does not hold real numbers.
        """
        dims = {"input_dim": input_dim, "hidden_dim": hidden_dim, "feature_dim": feature_dim, "head_dim": head_dim}
        for name, size in dims.items():
            if size < 1:
                raise ValueError(f"expected {name} >= 1, got {size}")
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
        rng = np.random.default_rng(rng)
        widths = [input_dim, hidden_dim, feature_dim, feature_dim, head_dim]
        self.params: dict[str, np.ndarray] = {}
        for i in range(1, 5):
            inputs, outputs = widths[i - 1 : i + 1]
            self.params[f"W{i}"] = ((2 / inputs) ** 0.5 * rng.standard_normal((inputs, outputs))).astype(dtype)
            self.params[f"b{i}"] = np.zeros(outputs, dtype)

    def features(self, X: np.ndarray) -> np.ndarray:
        r"""What the encoder makes of pictures, for whatever comes after the training.

        Args:
            X: (N, d_1, …, d_k) pictures, each with `input_dim` numbers.

        Returns:
            h: (N, feature_dim) the features, never negative.

        Raises:
            ValueError: wrong shape, or pictures that do not hold real numbers.
        """
        h, _ = self._encode(X)
        return h

    def embeddings(self, X: np.ndarray) -> np.ndarray:
        r"""What the head makes of the features; the loss looks at its directions, and nothing else needs it.

        Args:
            X: (N, d_1, …, d_k) pictures, each with `input_dim` numbers.

        Returns:
            z: (N, head_dim) the embeddings, of any length.

        Raises:
            ValueError: wrong shape, or pictures that do not hold real numbers.
        """
        h, _ = self._encode(X)
        z, _ = self._project(h)
        return z

    def loss(self, X: np.ndarray, partner: np.ndarray, tau: float) -> tuple[float, dict[str, np.ndarray]]:
        r"""The contrastive loss of a batch of views, and its gradients.

        Args:
            X: (A, d_1, …, d_k) the views of all pictures, in any order; two views of N pictures make A = 2N.
            partner: (A,) for each view the number of the other view of the same picture.
            tau: number, the temperature, positive.

        Returns:
            loss: a number, the mean over the views.
            grads: gradient of the loss with respect to each entry of `params`, under the same names.

        Raises:
            ValueError: wrong shapes, a partner that is no other view, pictures that do not hold real numbers, or a
                temperature that is not positive.
        """
        h, (first, second) = self._encode(X)
        z, (third, fourth) = self._project(h)
        loss, dz = nt_xent_loss(z, partner, tau)

        grads: dict[str, np.ndarray] = {}
        dq, grads["W4"], grads["b4"] = affine_backward(dz, fourth)
        dh, grads["W3"], grads["b3"] = affine_relu_backward(dq, third)
        dg, grads["W2"], grads["b2"] = affine_relu_backward(dh, second)
        _, grads["W1"], grads["b1"] = affine_relu_backward(dg, first)
        return loss, grads

    def _encode(self, X: np.ndarray) -> tuple[np.ndarray, tuple[Any, Any]]:
        p = self.params
        if X.dtype.kind == "f":
            # or one batch in double precision would turn the parameters into it
            X = X.astype(p["W1"].dtype, copy=False)
        g, first = affine_relu_forward(X, p["W1"], p["b1"])
        h, second = affine_relu_forward(g, p["W2"], p["b2"])
        return h, (first, second)

    def _project(self, h: np.ndarray) -> tuple[np.ndarray, tuple[Any, Any]]:
        p = self.params
        q, third = affine_relu_forward(h, p["W3"], p["b3"])
        z, fourth = affine_forward(q, p["W4"], p["b4"])
        return z, (third, fourth)


def random_views(
    X: np.ndarray,
    rng: np.random.Generator,
    *,
    shift: float = 1.0,
    turn: float = 0.2,
    scale: float = 0.15,
    contrast: float = 0.3,
    noise: float = 0.05,
) -> np.ndarray:
    r"""Another view of each picture: moved, turned, resized, with other contrast, and with noise.

    Each pixel of the view looks up where it comes from and mixes the four pixels around that place; outside of the
    picture there is 0.

    Derivation: [SimCLR](../generative/simclr.md#two-views)

    Source: Chen, Kornblith, Norouzi & Hinton (2020), section 3, and appendix A for their augmentations of photographs.

    Args:
        X: (N, H, W) pictures, with 0 for the background.
        rng: where the chances come from.
        shift: how far a picture may move in each direction, in pixels.
        turn: how far it may be turned in each direction, in radians.
        scale: by how much it may grow or shrink; 0.1 for a tenth.
        contrast: by how much it may become stronger or weaker.
        noise: standard deviation of what is added to each pixel.

    Returns:
        views: (N, H, W) one view of each picture, in the dtype of `X`.

    Raises:
        ValueError: wrong shape, or pictures that do not hold real numbers.

    >>> X = np.zeros((1, 3, 3))
    >>> X[0, 1, 1] = 1.0
    >>> view = random_views(X, np.random.default_rng(0), noise=0.0)
    >>> view.shape, bool(view.sum() > 0)
    ((1, 3, 3), True)
    >>> same = random_views(X, np.random.default_rng(0), shift=0, turn=0, scale=0, contrast=0, noise=0)
    >>> bool((same == X).all())
    True
    """
    if X.ndim != 3 or 0 in X.shape:
        raise ValueError(f"expected pictures X of shape (N, H, W) without an empty axis, got {X.shape}")
    if X.dtype.kind != "f":
        raise ValueError(f"X: expected real floating-point numbers, got dtype {X.dtype}")
    N, H, W = X.shape

    def draw(reach: float) -> np.ndarray:
        return rng.uniform(-reach, reach, size=(N, 1, 1))

    down, aside, angle = draw(shift), draw(shift), draw(turn)
    grow, strength = 1 + draw(scale), 1 + draw(contrast)
    i, j = np.arange(H)[:, None] - (H - 1) / 2, np.arange(W) - (W - 1) / 2
    c, s = np.cos(angle) / grow, np.sin(angle) / grow
    u = c * i - s * j + down + (H - 1) / 2  # where each pixel of the view comes from
    v = s * i + c * j + aside + (W - 1) / 2

    framed = np.zeros((N, H + 2, W + 2))  # a frame of zeros, on which everything outside falls
    framed[:, 1:-1, 1:-1] = X
    u, v = np.clip(u + 1, 0, H + 1), np.clip(v + 1, 0, W + 1)
    top, left = np.minimum(u.astype(int), H), np.minimum(v.astype(int), W)
    a, b, n = u - top, v - left, np.arange(N)[:, None, None]
    view = (1 - a) * ((1 - b) * framed[n, top, left] + b * framed[n, top, left + 1])
    view += a * ((1 - b) * framed[n, top + 1, left] + b * framed[n, top + 1, left + 1])
    view = strength * view + noise * rng.standard_normal((N, H, W))
    return view.astype(X.dtype)
