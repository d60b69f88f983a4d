r"""Group normalization: give every group of channels of every image mean 0 and variance 1, then scale and shift.

Derivation: [Group normalization](../layers/groupnorm.md)
"""

from typing import NamedTuple

import numpy as np


class GroupnormCache(NamedTuple):
    """What the backward needs; `rstd` holds one number for each group of each image, with ε inside the root."""

    x_hat: np.ndarray
    rstd: np.ndarray
    gamma: np.ndarray


class SpatialGroupnormCache(NamedTuple):
    """The cache of the grouped arrays, and the shape in which the caller holds the scale and the shift."""

    grouped: GroupnormCache
    param_shape: tuple[int, ...]


def groupnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, gn_param: dict
) -> tuple[np.ndarray, GroupnormCache]:
    r"""Normalize each group of `x`, then scale its channels by `gamma` and shift them by `beta`.

    Here the channels have two axes, the group and the place in the group. `spatial_groupnorm_forward` takes images as
    they are. A group is normalized by its own numbers only, so training and test are the same.

    Derivation: [Group normalization](../layers/groupnorm.md)

    Source: Wu & He, Group normalization, ECCV 2018, equations (1), (2), (6) and (7).

    Args:
        x: (N, G, S, H, W) N images with G groups of S channels each.
        gamma: (G, S) the scale of each channel.
        beta: (G, S) the shift of each channel.
        gn_param: a dictionary that may hold `eps` (added to the variance, 1e-5) and `mode` ('train' or 'test', which
            make no difference).

    Returns:
        out: (N, G, S, H, W) normalized over the last three axes, scaled and shifted.
        cache: what `groupnorm_backward` needs.

    Raises:
        ValueError: wrong shape, mode or key, or an array that does not hold real numbers.

    >>> x = np.array([1.0, 2.0, 6.0, 3.0, 10.0, 30.0, 50.0, 70.0]).reshape(1, 2, 2, 1, 2)
    >>> out, cache = groupnorm_forward(x, np.ones((2, 2)), np.zeros((2, 2)), {"eps": 1e-9})
    >>> out.mean(axis=(2, 3, 4)).round(6) + 0, out.std(axis=(2, 3, 4)).round(6)
    (array([[0., 0.]]), array([[1., 1.]]))
    """
    for name, array in (("x", x), ("gamma", gamma), ("beta", beta)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if x.ndim != 5 or 0 in x.shape[1:]:
        raise ValueError(f"expected x of shape (N, G, S, H, W) with G, S, H, W >= 1, got {x.shape}")
    for name, array in (("gamma", gamma), ("beta", beta)):
        if array.shape != x.shape[1:3]:
            raise ValueError(f"expected {name} of shape {x.shape[1:3]}, one number for each channel, got {array.shape}")
    if unknown := set(gn_param) - {"eps", "mode"}:
        raise ValueError(f"gn_param: expected eps, mode, got {sorted(unknown)}")
    if gn_param.get("mode", "train") not in ("train", "test"):
        raise ValueError(f"gn_param['mode']: expected 'train' or 'test', got {gn_param['mode']!r}")
    eps = x.dtype.type(gn_param.get("eps", 1e-5))

    c = x - x.mean(axis=(2, 3, 4), keepdims=True)  # centre before squaring: mean(x²) − mean(x)² cancels
    c = c - c.mean(axis=(2, 3, 4), keepdims=True)  # 0 but for the rounding of the mean, which can exceed the spread
    var = (c**2).mean(axis=(2, 3, 4), keepdims=True)
    rstd = 1 / np.sqrt(var + eps)
    x_hat = c * rstd
    out = gamma[:, :, None, None] * x_hat + beta[:, :, None, None]
    return out, GroupnormCache(x_hat, rstd, gamma)


def groupnorm_backward(dout: np.ndarray, cache: GroupnormCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients, from two sums over the positions of each channel of each image.

    Added up over the images the two sums are `dbeta` and `dgamma`. Weighted with `gamma` and added up over the channels
    of a group they are what has to be taken out of `dx`.

    Derivation: [Group normalization](../layers/groupnorm.md)

    Source: Wu & He (2018), equations (1), (2), (6) and (7), differentiated.

    Args:
        dout: (N, G, S, H, W) gradient of the loss with respect to `out`.
        cache: what `groupnorm_forward` returned.

    Returns:
        dx: (N, G, S, H, W) gradient with respect to `x`.
        dgamma: (G, S) gradient with respect to `gamma`.
        dbeta: (G, S) gradient with respect to `beta`.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.array([1.0, 2.0, 6.0, 3.0, 10.0, 30.0, 50.0, 70.0]).reshape(1, 2, 2, 1, 2)
    >>> _, cache = groupnorm_forward(x, np.array([[1.0, 2.0], [3.0, -1.0]]), np.zeros((2, 2)), {})
    >>> dx, dgamma, dbeta = groupnorm_backward(np.linspace(-1, 2.5, 8).reshape(x.shape) ** 2, cache)
    >>> dx.sum(axis=(2, 3, 4)).round(12) + 0, dbeta
    (array([[0., 0.]]), array([[ 1.25,  0.25],
           [ 3.25, 10.25]]))
    """
    x_hat, rstd, gamma = cache
    if dout.dtype.kind not in "fO":
        raise ValueError(f"dout: expected real floating-point numbers, got dtype {dout.dtype}")
    if dout.shape != x_hat.shape:
        raise ValueError(f"expected dout of shape {x_hat.shape}, got {dout.shape}")

    s = dout.sum(axis=(3, 4))  # (N, G, S)
    t = (dout * x_hat).sum(axis=(3, 4))
    dbeta = s.sum(axis=0)
    dgamma = t.sum(axis=0)

    M = x_hat.shape[2] * x_hat.shape[3] * x_hat.shape[4]  # the numbers in a group
    mean = (gamma * s).sum(axis=2) / M
    along = (gamma * t).sum(axis=2) / M
    dx_hat = gamma[:, :, None, None] * dout
    dx = rstd * (dx_hat - mean[:, :, None, None, None] - x_hat * along[:, :, None, None, None])
    return dx, dgamma, dbeta


def spatial_groupnorm_forward(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, G: int, gn_param: dict
) -> tuple[np.ndarray, SpatialGroupnormCache]:
    r"""Normalize each group of channels of each image: channels 0 to C/G − 1 are the first group, and so on.

    With G = 1 the whole image is normalized (layer normalization of an image), with G = C each channel by itself
    (instance normalization).

    Derivation: [Group normalization](../layers/groupnorm.md)

    Source: Wu & He, Group normalization, ECCV 2018, equation (7) and figure 3.

    Args:
        x: (N, C, H, W) N images with C channels.
        gamma: (1, C, 1, 1) as in the course, or (C,): the scale of each channel.
        beta: the shift of each channel, in the shape of `gamma`.
        G: the number of groups, a divisor of C.
        gn_param: a dictionary that may hold `eps` (added to the variance, 1e-5) and `mode` ('train' or 'test', which
            make no difference).

    Returns:
        out: (N, C, H, W) the normalized, scaled and shifted images.
        cache: what `spatial_groupnorm_backward` needs.

    Raises:
        ValueError: wrong shape, mode or key, G does not divide C, or an array that does not hold real numbers.

    >>> x = np.arange(24.0).reshape(2, 6, 1, 2) ** 2
    >>> out, cache = spatial_groupnorm_forward(x, np.ones((1, 6, 1, 1)), np.zeros((1, 6, 1, 1)), 2, {"eps": 1e-9})
    >>> out[:, :3].mean(axis=(1, 2, 3)).round(6) + 0, out[:, :3].std(axis=(1, 2, 3)).round(6)
    (array([0., 0.]), array([1., 1.]))
    """
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"expected x of shape (N, C, H, W) with C, H, W >= 1, got {x.shape}")
    N, C, H, W = x.shape
    if not isinstance(G, (int, np.integer)) or G < 1 or C % G:
        raise ValueError(f"expected a number of groups G that divides the {C} channels of x, got {G!r}")
    if gamma.shape not in ((1, C, 1, 1), (C,)):
        raise ValueError(f"expected gamma of shape {(1, C, 1, 1)} or {(C,)}, got {gamma.shape}")
    if beta.shape != gamma.shape:
        raise ValueError(f"expected beta of shape {gamma.shape}, as gamma, got {beta.shape}")

    groups = G, C // G
    out, grouped = groupnorm_forward(x.reshape(N, *groups, H, W), gamma.reshape(groups), beta.reshape(groups), gn_param)
    return out.reshape(x.shape), SpatialGroupnormCache(grouped, gamma.shape)


def spatial_groupnorm_backward(
    dout: np.ndarray, cache: SpatialGroupnormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients for images: those of `groupnorm_backward`, with the two axes of the channels made one again.

    Derivation: [Group normalization](../layers/groupnorm.md)

    Source: Wu & He (2018), equation (7), differentiated.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to `out`.
        cache: what `spatial_groupnorm_forward` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dgamma: gradient with respect to `gamma`, in its shape.
        dbeta: gradient with respect to `beta`, in its shape.

    Raises:
        ValueError: `dout` has not the shape of `x`, or does not hold real numbers.

    >>> x = np.arange(24.0).reshape(2, 6, 1, 2) ** 2
    >>> _, cache = spatial_groupnorm_forward(x, np.linspace(1, 2, 6), np.zeros(6), 2, {})
    >>> dx, dgamma, dbeta = spatial_groupnorm_backward(np.cos(x), cache)
    >>> dx.shape, dgamma.shape, abs(dx[:, :3].sum(axis=(1, 2, 3))).max() < 1e-12
    ((2, 6, 1, 2), (6,), np.True_)
    """
    grouped, param_shape = cache
    N, G, S, H, W = grouped.x_hat.shape
    if dout.shape != (N, G * S, H, W):
        raise ValueError(f"expected dout of shape {(N, G * S, H, W)}, got {dout.shape}")
    dx, dgamma, dbeta = groupnorm_backward(dout.reshape(grouped.x_hat.shape), grouped)
    return dx.reshape(dout.shape), dgamma.reshape(param_shape), dbeta.reshape(param_shape)
