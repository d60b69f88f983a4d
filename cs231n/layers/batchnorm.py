r"""Batch normalization: give every feature mean 0 and variance 1 over the batch, then scale and shift it.

Derivation: [Batch normalization](../layers/batchnorm.md)
"""

from typing import NamedTuple

import numpy as np


class BatchnormCache(NamedTuple):
    """What the backwards need; `rstd` is the inverse standard deviation, with ε inside the root."""

    x_hat: np.ndarray
    rstd: np.ndarray
    gamma: np.ndarray
    mode: str


def batchnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, BatchnormCache]:
    r"""Normalize each column of `x`, then scale it by `gamma` and shift it by `beta`.

    In training the mean and the (biased) variance are those of the batch, and the running averages kept in `bn_param`
    move towards them: `running = momentum * running + (1 - momentum) * batch`. In test mode the running averages are
    used and stay as they are. Arrays are never changed in place: `bn_param` receives new ones, of shape (D,).

    Derivation: [Batch normalization](../layers/batchnorm.md)

    Source: Ioffe & Szegedy, Batch normalization, ICML 2015, algorithm 1.

    Args:
        x: (N, D) a batch of N examples with D features.
        gamma: (D,) the scale of each feature.
        beta: (D,) the shift of each feature.
        bn_param: a dictionary with the keys `mode` ('train' or 'test', required), `eps` (added to the variance, 1e-5),
            `momentum` (0.9), `running_mean` and `running_var` ((D,) each, zeros at first).

    Returns:
        out: (N, D) the normalized, scaled and shifted batch.
        cache: what `batchnorm_backward` and `batchnorm_backward_alt` need, in either mode.

    Raises:
        ValueError: wrong shape, mode or key, or an array that does not hold real numbers.

    >>> x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 50.0]])
    >>> out, cache = batchnorm_forward(x, np.array([1.0, 2.0]), np.array([0.0, 5.0]), {"mode": "train", "eps": 1e-8})
    >>> out.mean(axis=0).round(6) + 0, out.std(axis=0).round(6)
    (array([0., 5.]), array([1., 2.]))
    """
    for name, array in (("x", x), ("gamma", gamma), ("beta", beta)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 2 or x.shape[0] == 0:
        raise ValueError(f"expected x of shape (N, D) with N >= 1, got {x.shape}")
    D = x.shape[1]
    if unknown := set(bn_param) - {"mode", "eps", "momentum", "running_mean", "running_var"}:
        raise ValueError(f"bn_param: expected mode, eps, momentum, running_mean, running_var, got {sorted(unknown)}")
    mode = bn_param.get("mode")
    if mode not in ("train", "test"):
        raise ValueError(f"bn_param['mode']: expected 'train' or 'test', got {mode!r}")
    eps = x.dtype.type(bn_param.get("eps", 1e-5))
    momentum = x.dtype.type(bn_param.get("momentum", 0.9))
    running_mean = np.asanyarray(bn_param.get("running_mean", np.zeros(D)), x.dtype)
    running_var = np.asanyarray(bn_param.get("running_var", np.zeros(D)), x.dtype)
    for name, array in (("gamma", gamma), ("beta", beta), ("running_mean", running_mean), ("running_var", running_var)):
        if array.shape != (D,):
            raise ValueError(f"expected {name} of shape {(D,)}, one number for each column of x, got {array.shape}")

    if mode == "train":
        mu = x.mean(axis=0)
        c = x - mu  # centre before squaring: mean(x²) − mean(x)² cancels when the mean is large
        left = c.mean(axis=0)  # 0 but for the rounding of mu, which in float32 can exceed the standard deviation
        mu, c = mu + left, c - left
        var = (c**2).mean(axis=0)
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mu
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    else:
        c = x - running_mean
        var = running_var
    rstd = 1 / np.sqrt(var + eps)
    x_hat = c * rstd
    out = gamma * x_hat + beta
    return out, BatchnormCache(x_hat, rstd, gamma, mode)


def batchnorm_backward(dout: np.ndarray, cache: BatchnormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients, node by node along the computational graph of the forward.

    Derivation: [Batch normalization](../layers/batchnorm.md)

    Source: Ioffe & Szegedy (2015), section 3, the chain rule after algorithm 1.

    Args:
        dout: (N, D) gradient of the loss with respect to `out`.
        cache: what `batchnorm_forward` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.
        dbeta: (D,) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 50.0]])
    >>> _, cache = batchnorm_forward(x, np.array([1.0, 2.0]), np.zeros(2), {"mode": "train"})
    >>> dx, dgamma, dbeta = batchnorm_backward(np.array([[0.1, -1.0], [0.7, 2.0], [-0.4, 0.5]]), cache)
    >>> dx.sum(axis=0).round(12) + 0, dbeta
    (array([0., 0.]), array([0.4, 1.5]))
    """
    x_hat, rstd, gamma, mode = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    dbeta = dout.sum(axis=0)
    dgamma = (dout * x_hat).sum(axis=0)
    dx_hat = dout * gamma
    if mode == "test":  # the running averages are constants: one path only
        return dx_hat * rstd, dgamma, dbeta

    N = dout.shape[0]
    c = x_hat / rstd
    drstd = (dx_hat * c).sum(axis=0)
    dvar = drstd * -(rstd**3) / 2
    dmu = -(dx_hat * rstd).sum(axis=0)  # the path through var carries Σ (x − mu) = 0
    dx = dx_hat * rstd + dvar * 2 * c / N + dmu / N
    return dx, dgamma, dbeta


def batchnorm_backward_alt(dout: np.ndarray, cache: BatchnormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The same gradients in closed form: take the mean and the part along `x_hat` out of `dout`, then rescale.

    Derivation: [Batch normalization](../layers/batchnorm.md)

    Source: the simplification of Ioffe & Szegedy (2015), section 3.

    Args:
        dout: (N, D) gradient of the loss with respect to `out`.
        cache: what `batchnorm_forward` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.
        dbeta: (D,) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 50.0]])
    >>> _, cache = batchnorm_forward(x, np.array([1.0, 2.0]), np.zeros(2), {"mode": "train"})
    >>> dout = np.array([[0.1, -1.0], [0.7, 2.0], [-0.4, 0.5]])
    >>> bool(np.allclose(batchnorm_backward_alt(dout, cache)[0], batchnorm_backward(dout, cache)[0]))
    True
    """
    x_hat, rstd, gamma, mode = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    dbeta = dout.sum(axis=0)
    dgamma = (dout * x_hat).sum(axis=0)
    if mode == "test":
        return dout * (gamma * rstd), dgamma, dbeta

    N = dout.shape[0]
    dx = gamma * rstd * (dout - dbeta / N - x_hat * (dgamma / N))
    return dx, dgamma, dbeta
