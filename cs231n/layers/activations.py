r"""Smooth and leaky activations: each acts on every number alone, so each backward multiplies by a slope.

Derivation: [Activations](../layers/activations.md)
"""

from typing import NamedTuple

import numpy as np


class ActivationCache(NamedTuple):
    """What a backward needs: the input or the output, whichever it reads the slope from, and the parameter if any."""

    kept: np.ndarray
    alpha: float = 1.0


def leaky_relu_forward(x: np.ndarray, alpha: float = 0.01) -> tuple[np.ndarray, ActivationCache]:
    r"""Keep positive numbers, multiply the others by the small slope `alpha`.

    Source: Maas, Hannun & Ng, Rectifier nonlinearities improve neural network acoustic models, 2013, section 2.

    Args:
        x: any shape.
        alpha: the slope of the negative side.

    Returns:
        out: the shape of `x`.
        cache: what `leaky_relu_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> leaky_relu_forward(np.array([-2.0, 0.0, 3.0]), 0.1)[0]
    array([-0.2,  0. ,  3. ])
    """
    _require("x", x)
    out = np.where(x > 0, x, alpha * x)
    return out, ActivationCache(x, alpha)


def leaky_relu_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is 1 where the input was positive, else `alpha` (also at exactly 0, a convention).

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `leaky_relu_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = leaky_relu_forward(np.array([-2.0, 0.0, 3.0]), 0.1)
    >>> leaky_relu_backward(np.array([5.0, -2.0, 0.7]), cache)
    array([ 0.5, -0.2,  0.7])
    """
    x, alpha = cache
    _require("dout", dout, x.shape)
    return np.where(x > 0, dout, alpha * dout)


def sigmoid_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""Squash every number into (0, 1).

    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986),
    equation (2).

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `sigmoid_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> sigmoid_forward(np.array([-1000.0, 0.0, 1000.0]))[0]
    array([0. , 0.5, 1. ])
    """
    _require("x", x)
    out = _sigmoid(x)
    return out, ActivationCache(out)


def sigmoid_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is out (1 − out): the output is kept, and the input is not needed.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `sigmoid_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = sigmoid_forward(np.array([-1000.0, 0.0, 1000.0]))
    >>> sigmoid_backward(np.array([3.0, 8.0, -1.0]), cache)
    array([ 0.,  2., -0.])
    """
    out, _ = cache
    _require("dout", dout, out.shape)
    return dout * out * (1 - out)


def tanh_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""Squash every number into (−1, 1).

    Source: LeCun, Bottou, Orr & Müller, Efficient backprop, 1998, section 4.4.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `tanh_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> tanh_forward(np.array([-1000.0, 0.0, 0.5]))[0].round(4)
    array([-1.    ,  0.    ,  0.4621])
    """
    _require("x", x)
    out = np.tanh(x)
    return out, ActivationCache(out)


def tanh_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is 1 − out², as a product, which keeps more digits near ±1.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `tanh_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = tanh_forward(np.array([-1000.0, 0.0]))
    >>> tanh_backward(np.array([3.0, 8.0]), cache)
    array([0., 8.])
    """
    out, _ = cache
    _require("dout", dout, out.shape)
    return dout * (1 - out) * (1 + out)


def gelu_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""Multiply every number by the probability that a normal number lies below it.

    The exact form, PyTorch's default; `gelu_tanh_forward` is the approximation.

    Source: Hendrycks & Gimpel, Gaussian error linear units, 2016, section 2.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `gelu_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> gelu_forward(np.array([-np.inf, -1.0, 0.0, 1.0]))[0].round(4) + 0
    array([ 0.    , -0.1587,  0.    ,  0.8413])
    """
    _require("x", x)
    out = np.maximum(x, -40) * _normal_cdf(x)
    return out, ActivationCache(x)


def gelu_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is the normal distribution function, plus x times the normal density.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `gelu_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = gelu_forward(np.array([-np.inf, 0.0, np.inf]))
    >>> gelu_backward(np.array([3.0, 8.0, -1.0]), cache) + 0
    array([ 0.,  4., -1.])
    """
    x, _ = cache
    _require("dout", dout, x.shape)
    u = _between(x, 40)
    density = np.exp(-(u**2) / 2) / (2 * np.pi) ** 0.5
    return dout * (_normal_cdf(x) + u * density)


def gelu_tanh_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""The GELU with its distribution function approximated by a hyperbolic tangent.

    GPT-2 and many after it use this form; weights trained with one form expect it.

    Source: Hendrycks & Gimpel (2016), section 2, the first approximation.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `gelu_tanh_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> gelu_tanh_forward(np.array([-np.inf, -1.0, 0.0, 1.0]))[0].round(4) + 0
    array([ 0.    , -0.1588,  0.    ,  0.8412])
    """
    _require("x", x)
    gate = _sigmoid(2 * _gelu_argument(_between(x, 40)))  # (1 + tanh v) / 2, without its cancellation
    out = np.maximum(x, -40) * gate
    return out, ActivationCache(x)


def gelu_tanh_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope of the approximation, which is not the slope of the exact form.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `gelu_tanh_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = gelu_tanh_forward(np.array([-np.inf, 0.0, np.inf]))
    >>> gelu_tanh_backward(np.array([3.0, 8.0, -1.0]), cache) + 0
    array([ 0.,  4., -1.])
    """
    x, _ = cache
    _require("dout", dout, x.shape)
    u = _between(x, 40)
    gate = _sigmoid(2 * _gelu_argument(u))
    inner = (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * u**2)
    return dout * (gate + 2 * u * gate * (1 - gate) * inner)


def silu_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""Multiply every number by its sigmoid; also called swish.

    Source: Hendrycks & Gimpel (2016); Ramachandran, Zoph & Le, Searching for activation functions, 2017.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `silu_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> silu_forward(np.array([-np.inf, -1.0, 0.0, 1.0]))[0].round(4) + 0
    array([ 0.    , -0.2689,  0.    ,  0.7311])
    """
    _require("x", x)
    out = np.maximum(x, -800) * _sigmoid(x)
    return out, ActivationCache(x)


def silu_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is the sigmoid, plus x times the slope of the sigmoid.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `silu_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = silu_forward(np.array([-np.inf, 0.0, np.inf]))
    >>> silu_backward(np.array([3.0, 8.0, -1.0]), cache) + 0
    array([ 0.,  4., -1.])
    """
    x, _ = cache
    _require("dout", dout, x.shape)
    s = _sigmoid(x)
    return dout * (s + _between(x, 800) * s * (1 - s))


def softplus_forward(x: np.ndarray) -> tuple[np.ndarray, ActivationCache]:
    r"""A ReLU with its corner rounded off: log(1 + exp(x)).

    Source: Dugas et al., Incorporating second-order functional knowledge, NIPS 2000.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `softplus_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> softplus_forward(np.array([-1000.0, 0.0, 1000.0]))[0].round(4)
    array([0.000e+00, 6.931e-01, 1.000e+03])
    """
    _require("x", x)
    out = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    return out, ActivationCache(x)


def softplus_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is the sigmoid of the input.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `softplus_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = softplus_forward(np.array([-1000.0, 0.0, 1000.0]))
    >>> softplus_backward(np.array([3.0, 8.0, -1.0]), cache)
    array([ 0.,  4., -1.])
    """
    x, _ = cache
    _require("dout", dout, x.shape)
    return dout * _sigmoid(x)


def elu_forward(x: np.ndarray, alpha: float = 1.0) -> tuple[np.ndarray, ActivationCache]:
    r"""Keep positive numbers, bend the others down to −`alpha` along an exponential.

    Source: Clevert, Unterthiner & Hochreiter, Fast and accurate deep network learning by ELUs, ICLR 2016, section 3.

    Args:
        x: any shape.
        alpha: how far below zero the function goes.

    Returns:
        out: the shape of `x`.
        cache: what `elu_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> elu_forward(np.array([-1000.0, 0.0, 3.0]), 2.0)[0]
    array([-2.,  0.,  3.])
    """
    _require("x", x)
    out = np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))
    return out, ActivationCache(x, alpha)


def elu_backward(dout: np.ndarray, cache: ActivationCache) -> np.ndarray:
    r"""The slope is 1 where the input was positive, else `alpha` exp(x).

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `elu_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = elu_forward(np.array([-1000.0, 0.0, 3.0]), 2.0)
    >>> elu_backward(np.array([5.0, 0.5, 0.7]), cache)
    array([0. , 1. , 0.7])
    """
    x, alpha = cache
    _require("dout", dout, x.shape)
    return np.where(x > 0, dout, dout * (alpha * np.exp(np.minimum(x, 0))))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)) with an exponent that is never positive, so that nothing overflows."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _between(x: np.ndarray, bound: float) -> np.ndarray:
    """`x` cut at ±`bound`: beyond, the slope is 0 or 1 in every floating-point type, and infinity times 0 is NaN."""
    return np.minimum(np.maximum(x, -bound), bound)


def _gelu_argument(u: np.ndarray) -> np.ndarray:
    """The polynomial inside the hyperbolic tangent of the GELU."""
    return (2 / np.pi) ** 0.5 * (u + 0.044715 * u**3)


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    """The probability that a normal number is below `x`, with relative accuracy far into the lower tail.

    NumPy has no error function. With z = |x|/√2, (1 + 2z) exp(z²) erfc(z) is smooth on all of [0, ∞) and is a short
    Chebyshev series in (z − 3)/(z + 3): Shepherd & Laframboise, Mathematics of Computation 36 (1981), 249–253.
    """
    wide = _between(x, 40).astype(np.result_type(x.dtype, np.float32))
    z = np.abs(wide) * 0.5**0.5
    series = np.polynomial.chebyshev.chebval((z - 3) / (z + 3), np.array(_ERFC, z.dtype))
    tail = np.exp(-(wide**2) / 2) * series / (2 + 4 * z)
    return np.where(wide > 0, 1 - tail, tail).astype(x.dtype)


# fmt: off
_ERFC = (
    1.17756257419656, 0.005353904539615676, -0.09377550342284209, 0.05436652555744322, -0.018976596707845208,
    0.004453426061462712, -0.0006335531710553147, 1.7661719523171593e-05, 1.2841532864056671e-05,
    -2.0072285659059913e-06, -1.807522790414837e-07, 7.549828343825093e-08, 1.885668523838603e-09,
    -2.699519049798364e-09, -1.460079119939105e-11, 1.0361607445969489e-10, 1.475715976623473e-12,
    -4.277340064396911e-12, -2.07922492859799e-13, 1.8134502003176963e-13, 1.973425574544739e-14,
    -7.287943737592673e-15, -1.5169878690228116e-15, 2.3514112258781403e-16, 1.0006111691821667e-16,
)
# fmt: on


def _require(name: str, array: np.ndarray, shape: tuple[int, ...] | None = None) -> None:
    if array.dtype.kind not in "fO":
        raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
