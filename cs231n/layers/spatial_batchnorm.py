r"""Spatial batch normalization: give every channel mean 0 and variance 1 over all images and positions.

Derivation: [Spatial batch normalization](../layers/spatial_batchnorm.md)
"""

from typing import NamedTuple

import numpy as np


class SpatialBatchnormCache(NamedTuple):
    """What the backward needs; `rstd` holds one number for each channel, with ε inside the root."""

    x_hat: np.ndarray
    rstd: np.ndarray
    gamma: np.ndarray
    mode: str


def spatial_batchnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, SpatialBatchnormCache]:
    r"""Normalize each channel of `x` over images, rows and columns, then scale it by `gamma` and shift it by `beta`.

    In training the mean and the (biased) variance are those of the batch, and the running averages kept in `bn_param`
    move towards them: `running = momentum * running + (1 - momentum) * batch`. In test mode the running averages are
    used and stay as they are. Arrays are never changed in place: `bn_param` receives new ones, of shape (C,).

    Derivation: [Spatial batch normalization](../layers/spatial_batchnorm.md)

    Source: Ioffe & Szegedy, Batch normalization, ICML 2015, algorithm 1 and section 3.2.

    Args:
        x: (N, C, H, W) N images with C channels.
        gamma: (C,) the scale of each channel.
        beta: (C,) the shift of each channel.
        bn_param: a dictionary with the keys `mode` ('train' or 'test', required), `eps` (added to the variance, 1e-5),
            `momentum` (0.9), `running_mean` and `running_var` ((C,) each, zeros at first).

    Returns:
        out: (N, C, H, W) the normalized, scaled and shifted images.
        cache: what `spatial_batchnorm_backward` needs, in either mode.

    Raises:
        ValueError: wrong shape, mode or key, or an array that does not hold real numbers.

    >>> x = np.arange(24.0).reshape(2, 3, 2, 2) ** 2
    >>> out, cache = spatial_batchnorm_forward(x, np.ones(3), np.array([0.0, 5.0, 7.0]), {"mode": "train", "eps": 1e-9})
    >>> out.mean(axis=(0, 2, 3)).round(6) + 0, out.std(axis=(0, 2, 3)).round(6)
    (array([0., 5., 7.]), array([1., 1., 1.]))
    """
    for name, array in (("x", x), ("gamma", gamma), ("beta", beta)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 4 or 0 in (x.shape[0], *x.shape[2:]):
        raise ValueError(f"expected x of shape (N, C, H, W) with N, H, W >= 1, got {x.shape}")
    C = x.shape[1]
    if unknown := set(bn_param) - {"mode", "eps", "momentum", "running_mean", "running_var"}:
        raise ValueError(f"bn_param: expected mode, eps, momentum, running_mean, running_var, got {sorted(unknown)}")
    mode = bn_param.get("mode")
    if mode not in ("train", "test"):
        raise ValueError(f"bn_param['mode']: expected 'train' or 'test', got {mode!r}")
    eps = x.dtype.type(bn_param.get("eps", 1e-5))
    momentum = x.dtype.type(bn_param.get("momentum", 0.9))
    running_mean = np.asanyarray(bn_param.get("running_mean", np.zeros(C)), x.dtype)
    running_var = np.asanyarray(bn_param.get("running_var", np.zeros(C)), x.dtype)
    for name, array in (("gamma", gamma), ("beta", beta), ("running_mean", running_mean), ("running_var", running_var)):
        if array.shape != (C,):
            raise ValueError(f"expected {name} of shape {(C,)}, one number for each channel of x, got {array.shape}")

    if mode == "train":
        mu = x.mean(axis=(0, 2, 3))
        c = x - mu[:, None, None]  # centre before squaring: mean(x²) − mean(x)² cancels when the mean is large
        left = c.mean(axis=(0, 2, 3))  # 0 but for the rounding of mu, which in float32 can exceed the spread
        mu, c = mu + left, c - left[:, None, None]
        var = (c**2).mean(axis=(0, 2, 3))
        bn_param["running_mean"] = momentum * running_mean + (1 - momentum) * mu
        bn_param["running_var"] = momentum * running_var + (1 - momentum) * var
    else:
        c = x - running_mean[:, None, None]
        var = running_var
    rstd = 1 / np.sqrt(var + eps)
    x_hat = c * rstd[:, None, None]
    out = gamma[:, None, None] * x_hat + beta[:, None, None]
    return out, SpatialBatchnormCache(x_hat, rstd, gamma, mode)


def spatial_batchnorm_backward(
    dout: np.ndarray, cache: SpatialBatchnormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients in closed form: those of batch normalization, with images and positions for examples.

    Derivation: [Spatial batch normalization](../layers/spatial_batchnorm.md)

    Source: Ioffe & Szegedy (2015), section 3, the chain rule after algorithm 1, and section 3.2.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to `out`.
        cache: what `spatial_batchnorm_forward` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dgamma: (C,) gradient with respect to `gamma`.
        dbeta: (C,) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.arange(24.0).reshape(2, 3, 2, 2) ** 2
    >>> _, cache = spatial_batchnorm_forward(x, np.array([1.0, 2.0, 3.0]), np.zeros(3), {"mode": "train"})
    >>> dx, dgamma, dbeta = spatial_batchnorm_backward(np.cos(x), cache)
    >>> dx.sum(axis=(0, 2, 3)).round(12) + 0, dgamma.shape, dbeta.shape
    (array([0., 0., 0.]), (3,), (3,))
    """
    x_hat, rstd, gamma, mode = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    dbeta = dout.sum(axis=(0, 2, 3))
    dgamma = (dout * x_hat).sum(axis=(0, 2, 3))
    scale = (gamma * rstd)[:, None, None]
    if mode == "test":  # the running averages are constants: one path only
        return dout * scale, dgamma, dbeta

    M = dout.shape[0] * dout.shape[2] * dout.shape[3]  # the numbers in a channel
    dx = scale * (dout - (dbeta / M)[:, None, None] - x_hat * (dgamma / M)[:, None, None])
    return dx, dgamma, dbeta
