r"""The rectified linear unit: positive numbers pass, the others become zero.

Derivation: [ReLU](../layers/relu.md)
"""

from typing import NamedTuple

import numpy as np


class ReluCache(NamedTuple):
    """What the backward needs: the input, of which only the sign is read."""

    x: np.ndarray


def relu_forward(x: np.ndarray) -> tuple[np.ndarray, ReluCache]:
    r"""Replace every negative number by zero.

    A maximum, not a product with a 0/1 mask: the product of −inf and 0 would be NaN. A NaN stays a NaN.

    Derivation: [ReLU](../layers/relu.md)

    Source: Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010, section 2;
    Glorot, Bordes & Bengio, Deep sparse rectifier neural networks, AISTATS 2011, section 3.

    Args:
        x: any shape.

    Returns:
        out: the shape of `x`.
        cache: what `relu_backward` needs.

    Raises:
        ValueError: `x` does not hold real numbers.

    >>> relu_forward(np.array([[-1.5, 2.0, 0.0], [3.0, -np.inf, 0.5]]))[0]
    array([[0. , 2. , 0. ],
           [3. , 0. , 0.5]])
    """
    if x.dtype.kind not in "fO":
        raise ValueError(f"x: expected real floating-point numbers, got dtype {x.dtype}")
    out = np.maximum(x, 0)
    return out, ReluCache(x)


def relu_backward(dout: np.ndarray, cache: ReluCache) -> np.ndarray:
    r"""Pass the gradient where the input was positive, stop it elsewhere.

    At exactly 0 there is no derivative; 0 is taken, a value between the slopes of the two sides.

    Derivation: [ReLU](../layers/relu.md)

    Source: Glorot, Bordes & Bengio (2011), section 3.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `relu_forward` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> _, cache = relu_forward(np.array([-1.5, 2.0, 0.0]))
    >>> relu_backward(np.array([0.3, -0.7, 0.9]), cache)
    array([ 0. , -0.7,  0. ])
    """
    (x,) = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x.shape:
        raise ValueError(f"expected dout of shape {x.shape}, got {dout.shape}")
    return np.where(x > 0, dout, 0)
