r"""Generative adversarial networks: a generator makes pictures from noise, a discriminator scores pictures.

Both players come in two kinds, made of affine layers and made of convolutions.

Derivation: [Generative adversarial network](../generative/gan.md)
"""

from typing import Any, NamedTuple

import numpy as np

from cs231n.fast_layers import conv_backward_fast, conv_forward_fast
from cs231n.layers import (
    affine_backward,
    affine_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    tanh_backward,
    tanh_forward,
)
from cs231n.losses import (
    gan_discriminator_loss,
    gan_generator_loss,
    gan_minimax_generator_loss,
    ls_discriminator_loss,
    ls_generator_loss,
)

#: For each game the loss of the discriminator and the loss of the generator.
_GAMES: dict[str, tuple[Any, Any]] = {
    "vanilla": (gan_discriminator_loss, gan_generator_loss),
    "minimax": (gan_discriminator_loss, gan_minimax_generator_loss),
    "ls": (ls_discriminator_loss, ls_generator_loss),
}
_UP = {"stride": 2, "pad": 1}  # with kernels of 4 x 4: twice or half the size, exactly


class ConvTransposeCache(NamedTuple):
    """What the backward of a transposed convolution needs."""

    x: np.ndarray
    w: np.ndarray
    stride: int
    pad: int


class Generator:
    r"""From noise to pictures: affine, ReLU, affine, hyperbolic tangent.

    The parameters are in the dictionary `params`, under the names `W1`, `b1`, `W2` and `b2`.

    Derivation: [Generative adversarial network](../generative/gan.md)

    Source: Goodfellow et al., Generative adversarial networks, NeurIPS 2014, section 3.

    Examples:
        >>> net = Generator(noise_dim=3, hidden_dim=5, output_dim=4, rng=0)
        >>> x, cache = net.forward(np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -3.0]]))
        >>> x.shape, bool(abs(x).max() < 1)
        ((2, 4), True)
    """

    def __init__(
        self,
        noise_dim: int = 16,
        hidden_dim: int = 128,
        output_dim: int = 64,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights with variance 2 over the number of inputs; the biases are 0.

        Args:
            noise_dim: how many numbers a picture is made from.
            hidden_dim: how many hidden units there are.
            output_dim: how many pixels a picture has.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1, or a `dtype` that does not hold real numbers.
        """
        _require(dtype, noise_dim=noise_dim, hidden_dim=hidden_dim, output_dim=output_dim)
        rng = np.random.default_rng(rng)
        self.params: dict[str, np.ndarray] = {
            "W1": _weights(rng, (noise_dim, hidden_dim), noise_dim, dtype),
            "b1": np.zeros(hidden_dim, dtype),
            "W2": _weights(rng, (hidden_dim, output_dim), hidden_dim, dtype),
            "b2": np.zeros(output_dim, dtype),
        }

    def forward(self, z: np.ndarray) -> tuple[np.ndarray, tuple]:
        r"""Make one picture from each row of noise.

        Args:
            z: (N, noise_dim) the noise.

        Returns:
            x: (N, output_dim) the pictures, from −1 to 1.
            cache: what `backward` needs.

        Raises:
            ValueError: wrong shape, or noise that does not hold real numbers.
        """
        p = self.params
        a, first = affine_forward(_as(z, p["W1"]), p["W1"], p["b1"])
        h, bend = relu_forward(a)
        t, second = affine_forward(h, p["W2"], p["b2"])
        x, squash = tanh_forward(t)
        return x, (first, bend, second, squash)

    def backward(self, dx: np.ndarray, cache: tuple) -> dict[str, np.ndarray]:
        r"""What the pictures should change, taken down to the parameters.

        Args:
            dx: (N, output_dim) gradient of the loss with respect to the pictures, from a discriminator.
            cache: what `forward` returned.

        Returns:
            grads: gradient of the loss with respect to each entry of `params`, under the same names.

        Raises:
            ValueError: `dx` has not the shape of the pictures.
        """
        first, bend, second, squash = cache
        dt = tanh_backward(dx, squash)
        dh, dW2, db2 = affine_backward(dt, second)
        da = relu_backward(dh, bend)
        _, dW1, db1 = affine_backward(da, first)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


class Discriminator:
    r"""From pictures to scores, large for "real": affine, leaky ReLU, affine.

    The parameters are in the dictionary `params`, under the names `W1`, `b1`, `W2` and `b2`.

    Derivation: [Generative adversarial network](../generative/gan.md)

    Source: Goodfellow et al. (2014), section 3; the leaky ReLU as in Radford, Metz & Chintala, 2016, section 3.

    Examples:
        >>> net = Discriminator(input_dim=4, hidden_dim=5, rng=0)
        >>> scores, cache = net.forward(np.array([[0.5, -1.0, 0.0, 0.25], [1.0, 0.0, -1.0, 0.5]]))
        >>> dx, grads = net.backward(np.array([[1.0], [-1.0]]), cache)
        >>> scores.shape, dx.shape, grads["W1"].shape
        ((2, 1), (2, 4), (4, 5))
    """

    def __init__(
        self,
        input_dim: int = 64,
        hidden_dim: int = 128,
        slope: float = 0.2,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights with variance 2 over the number of inputs; the biases are 0.

        Args:
            input_dim: how many pixels a picture has.
            hidden_dim: how many hidden units there are.
            slope: slope of the leaky ReLU on its negative side.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1, or a `dtype` that does not hold real numbers.
        """
        _require(dtype, input_dim=input_dim, hidden_dim=hidden_dim)
        rng = np.random.default_rng(rng)
        self.slope = slope
        self.params: dict[str, np.ndarray] = {
            "W1": _weights(rng, (input_dim, hidden_dim), input_dim, dtype),
            "b1": np.zeros(hidden_dim, dtype),
            "W2": _weights(rng, (hidden_dim, 1), hidden_dim, dtype),
            "b2": np.zeros(1, dtype),
        }

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, tuple]:
        r"""Give each picture a score.

        Args:
            x: (N, d_1, …, d_k) the pictures, real or not, each with `input_dim` numbers.

        Returns:
            scores: (N, 1) one for each picture.
            cache: what `backward` needs.

        Raises:
            ValueError: wrong shape, or pictures that do not hold real numbers.
        """
        p = self.params
        a, first = affine_forward(_as(x, p["W1"]), p["W1"], p["b1"])
        h, bend = leaky_relu_forward(a, p["W1"].dtype.type(self.slope))
        scores, second = affine_forward(h, p["W2"], p["b2"])
        return scores, (first, bend, second)

    def backward(self, dscores: np.ndarray, cache: tuple) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        r"""The gradient of a loss of the scores; who trains the generator uses `dx`, who trains this, the others.

        Args:
            dscores: (N, 1) gradient of the loss with respect to the scores.
            cache: what `forward` returned.

        Returns:
            dx: the shape of the pictures, gradient with respect to them.
            grads: gradient with respect to each entry of `params`, under the same names.

        Raises:
            ValueError: `dscores` has not the shape of the scores.
        """
        first, bend, second = cache
        dh, dW2, db2 = affine_backward(dscores, second)
        da = leaky_relu_backward(dh, bend)
        dx, dW1, db1 = affine_backward(da, first)
        return dx, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


class ConvGenerator:
    r"""From noise to pictures of one channel: affine, ReLU, transposed convolution, ReLU, another, hyperbolic tangent.

    Each transposed convolution doubles height and width. `params` holds `W1`, `b1` of the affine layer, and `W2`, `b2`
    and `W3`, `b3` of the kernels.

    Derivation: [Generative adversarial network](../generative/gan.md#transposed-convolution)

    Source: Radford, Metz & Chintala, Unsupervised representation learning with deep convolutional generative
    adversarial networks, ICLR 2016, section 3; without its batch normalization.

    Examples:
        >>> net = ConvGenerator(noise_dim=3, filters=4, size=8, rng=0)
        >>> x, cache = net.forward(np.ones((2, 3)))
        >>> x.shape
        (2, 1, 8, 8)
    """

    def __init__(
        self,
        noise_dim: int = 16,
        filters: int = 16,
        size: int = 8,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights with variance 2 over the number of inputs that one output sees; the biases are 0.

        Args:
            noise_dim: how many numbers a picture is made from.
            filters: how many channels there are before the last layer; twice as many before that.
            size: height and width of a picture, a multiple of 4.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1 or not a multiple of 4, or a `dtype` that does not hold real numbers.
        """
        _require(dtype, noise_dim=noise_dim, filters=filters, size=size)
        if size % 4:
            raise ValueError(f"expected a size that is a multiple of 4, got {size}")
        rng = np.random.default_rng(rng)
        self.shape = (2 * filters, size // 4, size // 4)
        inside = 2 * filters * (size // 4) ** 2
        self.params: dict[str, np.ndarray] = {
            "W1": _weights(rng, (noise_dim, inside), noise_dim, dtype),
            "b1": np.zeros(inside, dtype),
            "W2": _weights(rng, (2 * filters, filters, 4, 4), 8 * filters, dtype),
            "b2": np.zeros(filters, dtype),
            "W3": _weights(rng, (filters, 1, 4, 4), 4 * filters, dtype),
            "b3": np.zeros(1, dtype),
        }

    def forward(self, z: np.ndarray) -> tuple[np.ndarray, tuple]:
        r"""Make one picture from each row of noise.

        Args:
            z: (N, noise_dim) the noise.

        Returns:
            x: (N, 1, size, size) the pictures, from −1 to 1.
            cache: what `backward` needs.

        Raises:
            ValueError: wrong shape, or noise that does not hold real numbers.
        """
        p = self.params
        a, first = affine_forward(_as(z, p["W1"]), p["W1"], p["b1"])
        h, bend = relu_forward(a.reshape(-1, *self.shape))
        a, second = conv_transpose_forward(h, p["W2"], p["b2"], _UP)
        h, fold = relu_forward(a)
        t, third = conv_transpose_forward(h, p["W3"], p["b3"], _UP)
        x, squash = tanh_forward(t)
        return x, (first, bend, second, fold, third, squash)

    def backward(self, dx: np.ndarray, cache: tuple) -> dict[str, np.ndarray]:
        r"""What the pictures should change, taken down to the parameters.

        Args:
            dx: (N, 1, size, size) gradient of the loss with respect to the pictures, from a discriminator.
            cache: what `forward` returned.

        Returns:
            grads: gradient of the loss with respect to each entry of `params`, under the same names.

        Raises:
            ValueError: `dx` has not the shape of the pictures.
        """
        first, bend, second, fold, third, squash = cache
        dt = tanh_backward(dx, squash)
        dh, dW3, db3 = conv_transpose_backward(dt, third)
        da = relu_backward(dh, fold)
        dh, dW2, db2 = conv_transpose_backward(da, second)
        da = relu_backward(dh, bend)
        _, dW1, db1 = affine_backward(da.reshape(len(da), -1), first)
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


class ConvDiscriminator:
    r"""From pictures of one channel to scores: convolution, leaky ReLU, twice, then affine.

    Each convolution halves height and width, instead of a pooling. `params` holds `W1`, `b1` and `W2`, `b2` of the
    kernels, and `W3`, `b3` of the scores.

    Derivation: [Generative adversarial network](../generative/gan.md#transposed-convolution)

    Source: Radford, Metz & Chintala (2016), section 3; without its batch normalization.

    Examples:
        >>> net = ConvDiscriminator(filters=4, size=8, rng=0)
        >>> scores, cache = net.forward(np.ones((2, 1, 8, 8)))
        >>> scores.shape
        (2, 1)
    """

    def __init__(
        self,
        filters: int = 16,
        size: int = 8,
        slope: float = 0.2,
        *,
        dtype: type = np.float64,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        r"""Draw the weights with variance 2 over the number of inputs; the biases are 0.

        Args:
            filters: how many kernels the first convolution has; the second has twice as many.
            size: height and width of a picture, a multiple of 4.
            slope: slope of the leaky ReLU on its negative side.
            dtype: type of the parameters, and so of everything computed from them.
            rng: a generator or a seed; NumPy's global state is never used.

        Raises:
            ValueError: a size below 1 or not a multiple of 4, or a `dtype` that does not hold real numbers.
        """
        _require(dtype, filters=filters, size=size)
        if size % 4:
            raise ValueError(f"expected a size that is a multiple of 4, got {size}")
        rng = np.random.default_rng(rng)
        self.slope = slope
        inside = 2 * filters * (size // 4) ** 2
        self.params: dict[str, np.ndarray] = {
            "W1": _weights(rng, (filters, 1, 4, 4), 16, dtype),
            "b1": np.zeros(filters, dtype),
            "W2": _weights(rng, (2 * filters, filters, 4, 4), 16 * filters, dtype),
            "b2": np.zeros(2 * filters, dtype),
            "W3": _weights(rng, (inside, 1), inside, dtype),
            "b3": np.zeros(1, dtype),
        }

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, tuple]:
        r"""Give each picture a score.

        Args:
            x: (N, 1, size, size) the pictures, real or not.

        Returns:
            scores: (N, 1) one for each picture.
            cache: what `backward` needs.

        Raises:
            ValueError: wrong shape, or pictures that do not hold real numbers.
        """
        p = self.params
        slope = p["W1"].dtype.type(self.slope)
        a, first = conv_forward_fast(_as(x, p["W1"]), p["W1"], p["b1"], _UP)
        h, bend = leaky_relu_forward(a, slope)
        a, second = conv_forward_fast(h, p["W2"], p["b2"], _UP)
        h, fold = leaky_relu_forward(a, slope)
        scores, third = affine_forward(h, p["W3"], p["b3"])  # flattens h
        return scores, (first, bend, second, fold, third)

    def backward(self, dscores: np.ndarray, cache: tuple) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        r"""The gradient of a loss of the scores; who trains the generator uses `dx`, who trains this, the others.

        Args:
            dscores: (N, 1) gradient of the loss with respect to the scores.
            cache: what `forward` returned.

        Returns:
            dx: (N, 1, size, size) gradient with respect to the pictures.
            grads: gradient with respect to each entry of `params`, under the same names.

        Raises:
            ValueError: `dscores` has not the shape of the scores.
        """
        first, bend, second, fold, third = cache
        dh, dW3, db3 = affine_backward(dscores, third)
        da = leaky_relu_backward(dh, fold)
        dh, dW2, db2 = conv_backward_fast(da, second)
        da = leaky_relu_backward(dh, bend)
        dx, dW1, db1 = conv_backward_fast(da, first)
        return dx, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


def discriminator_step(
    generator: Any, discriminator: Any, real: np.ndarray, z: np.ndarray, game: str = "vanilla"
) -> tuple[float, dict[str, np.ndarray]]:
    r"""The loss of the discriminator and its gradients. The fakes are constants: nothing goes back into the generator.

    Args:
        generator: a `Generator` or `ConvGenerator`; only its `forward` is used.
        discriminator: a `Discriminator` or `ConvDiscriminator` for pictures of that shape.
        real: (N, …) real pictures.
        z: (M, noise_dim) noise for M fakes.
        game: 'vanilla', 'minimax' or 'ls'.

    Returns:
        loss: a number.
        grads: gradient of the loss with respect to each entry of `discriminator.params`.

    Raises:
        ValueError: an unknown game, or arrays that do not fit the networks.

    >>> G, D = Generator(3, 5, 4, rng=0), Discriminator(4, 5, rng=1)
    >>> D.params["W2"][:] = 0  # it knows nothing: all scores are 0
    >>> loss, grads = discriminator_step(G, D, np.ones((6, 4)), np.ones((2, 3)))
    >>> round(float(loss), 4)  # log 4
    1.3863
    """
    loss_of_scores, _ = _game(game)
    fake, _ = generator.forward(z)
    real_scores, real_cache = discriminator.forward(real)
    fake_scores, fake_cache = discriminator.forward(fake)
    loss, dreal, dfake = loss_of_scores(real_scores, fake_scores)
    _, grads = discriminator.backward(dreal, real_cache)
    _, others = discriminator.backward(dfake, fake_cache)
    return loss, {name: grads[name] + others[name] for name in grads}


def generator_step(
    generator: Any, discriminator: Any, z: np.ndarray, game: str = "vanilla"
) -> tuple[float, dict[str, np.ndarray]]:
    r"""The loss of the generator and its gradients, which come through the discriminator; that one stays as it is.

    Args:
        generator: a `Generator` or `ConvGenerator`.
        discriminator: a `Discriminator` or `ConvDiscriminator` for pictures of that shape.
        z: (N, noise_dim) noise for N fakes.
        game: 'vanilla' (the loss that does not saturate), 'minimax' (the one that does) or 'ls'.

    Returns:
        loss: a number.
        grads: gradient of the loss with respect to each entry of `generator.params`.

    Raises:
        ValueError: an unknown game, or arrays that do not fit the networks.

    >>> G, D = Generator(3, 5, 4, rng=0), Discriminator(4, 5, rng=1)
    >>> loss, grads = generator_step(G, D, np.ones((2, 3)))
    >>> {name: grad.shape for name, grad in grads.items()}
    {'W1': (3, 5), 'b1': (5,), 'W2': (5, 4), 'b2': (4,)}
    """
    _, loss_of_scores = _game(game)
    fake, fake_cache = generator.forward(z)
    scores, scores_cache = discriminator.forward(fake)
    loss, dscores = loss_of_scores(scores)
    dfake, _ = discriminator.backward(dscores, scores_cache)  # its own gradients belong to the other game
    return loss, generator.backward(dfake, fake_cache)


def conv_transpose_forward(
    x: np.ndarray, w: np.ndarray, b: np.ndarray, conv_param: dict
) -> tuple[np.ndarray, ConvTransposeCache]:
    r"""Each pixel prints a copy of the kernel, as strong as it is; copies that overlap add up.

    Up to the bias it is the backward of a convolution with the same kernels, with respect to its input.

    Derivation: [Generative adversarial network](../generative/gan.md#transposed-convolution)

    Source: Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016, section 4.

    Args:
        x: (N, F, P, U) N pictures of F channels.
        w: (F, C, R, Q) a kernel for each channel of the input and of the output, in the order of the convolution whose
            backward this is.
        b: (C,) the bias of each channel of the output.
        conv_param: a dictionary with the keys `stride` (the step between two copies, at least 1) and `pad` (rows and
            columns that are cut off on each side, at least 0).

    Returns:
        out: (N, C, H, W), with H = stride (P − 1) + R − 2 pad, and W likewise.
        cache: what `conv_transpose_backward` needs.

    Raises:
        ValueError: wrong shape or key, nothing left after cutting, or an array that does not hold real numbers.

    >>> x = np.array([[[[1.0, 10.0]]]])
    >>> w = np.array([[[[1.0, 2.0, 3.0]]]])
    >>> conv_transpose_forward(x, w, np.zeros(1), {"stride": 2, "pad": 0})[0]
    array([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    for name, array in (("x", x), ("w", w), ("b", b)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 4 or 0 in x.shape:
        raise ValueError(f"expected x of shape (N, F, P, U) without an empty axis, got {x.shape}")
    N, F, P, U = x.shape
    if w.ndim != 4 or w.shape[0] != F or 0 in w.shape:
        raise ValueError(f"expected w of shape ({F}, C, R, Q) for an x with {F} channels, got {w.shape}")
    _, C, R, Q = w.shape
    if b.shape != (C,):
        raise ValueError(f"expected b of shape {(C,)}, one number for each channel of the output, got {b.shape}")
    if set(conv_param) != {"stride", "pad"}:
        raise ValueError(f"conv_param: expected stride and pad, got {sorted(conv_param)}")
    s, pad = conv_param["stride"], conv_param["pad"]
    A, B = s * (P - 1) + R, s * (U - 1) + Q
    if s < 1 or pad < 0 or 2 * pad >= min(A, B):
        raise ValueError(f"expected stride >= 1 and a pad that leaves something of {(A, B)}, got {s} and {pad}")

    copies = np.tensordot(x, w, axes=(1, 0))  # (N, P, U, C, R, Q), one product
    out = np.zeros_like(x, shape=(N, C, A, B))
    for r, q in np.ndindex(R, Q):
        out[:, :, r : r + s * P : s, q : q + s * U : s] += copies[..., r, q].transpose(0, 3, 1, 2)
    out = out[:, :, pad : A - pad, pad : B - pad] + b[:, None, None]
    return out, ConvTransposeCache(x, w, s, pad)


def conv_transpose_backward(dout: np.ndarray, cache: ConvTransposeCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients: with respect to the input it is a convolution of `dout` with the same kernels.

    Derivation: [Generative adversarial network](../generative/gan.md#transposed-convolution)

    Source: Dumoulin & Visin (2016), section 4.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to `out`.
        cache: what `conv_transpose_forward` returned.

    Returns:
        dx: (N, F, P, U) gradient with respect to `x`.
        dw: (F, C, R, Q) gradient with respect to `w`.
        db: (C,) gradient with respect to `b`.

    Raises:
        ValueError: `dout` has not the shape of `out`, or does not hold real numbers.

    >>> x, w = np.array([[[[1.0, 10.0]]]]), np.array([[[[1.0, 2.0, 3.0]]]])
    >>> _, cache = conv_transpose_forward(x, w, np.zeros(1), {"stride": 2, "pad": 0})
    >>> conv_transpose_backward(np.array([[[[1.0, 0.0, 1.0, 0.0, 0.0]]]]), cache)
    (array([[[[4., 1.]]]]), array([[[[11.,  0.,  1.]]]]), array([2.]))
    """
    x, w, s, pad = cache
    (N, _, P, U), (_, C, R, Q) = x.shape, w.shape
    A, B = s * (P - 1) + R, s * (U - 1) + Q
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != (N, C, A - 2 * pad, B - 2 * pad):
        raise ValueError(f"expected dout of shape {(N, C, A - 2 * pad, B - 2 * pad)}, got {dout.shape}")
    whole = np.zeros_like(dout, shape=(N, C, A, B))
    whole[:, :, pad : A - pad, pad : B - pad] = dout
    seen = np.zeros_like(dout, shape=(N, P, U, C, R, Q))  # what each pixel has printed on
    for r, q in np.ndindex(R, Q):
        seen[..., r, q] = whole[:, :, r : r + s * P : s, q : q + s * U : s].transpose(0, 2, 3, 1)
    dx = np.tensordot(seen, w, axes=((3, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    dw = np.tensordot(x, seen, axes=((0, 2, 3), (0, 1, 2)))
    return dx, dw, dout.sum(axis=(0, 2, 3))


def _game(game: str) -> tuple[Any, Any]:
    if game not in _GAMES:
        raise ValueError(f"game: expected one of {', '.join(_GAMES)}, got {game!r}")
    return _GAMES[game]


def _as(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """In the dtype of the parameters, or one batch in double precision would turn them into it."""
    return x.astype(w.dtype, copy=False) if x.dtype.kind == "f" else x


def _weights(rng: np.random.Generator, shape: tuple[int, ...], inputs: int, dtype: type) -> np.ndarray:
    return ((2 / inputs) ** 0.5 * rng.standard_normal(shape)).astype(dtype)


def _require(dtype: type, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"expected {name} >= 1, got {size}")
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"expected a floating-point dtype, got {np.dtype(dtype)}")
