r"""The normalizations as in `cs231n.layers`, faster: the same numbers up to rounding, block by block.

The plain layers go over the whole array a dozen times, and an array that no cache holds comes from memory each time.
Here each array comes once a pass; all steps of the formula are done on a block of it while the cache holds that block.

No digits are lost. A mean in float32 can be off by more than the standard deviation, so each block is centred first,
and what is left of its mean is kept as a second number. Between blocks the law of total variance holds: the variance
is the mean of the variances within the blocks plus the variance of their means.

Derivations: [Batch normalization](../layers/batchnorm.md), [Layer normalization](../layers/layernorm.md),
[Group normalization](../layers/groupnorm.md)
"""

from typing import NamedTuple

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.layers.batchnorm import BatchnormCache, batchnorm_backward_alt, batchnorm_forward
from cs231n.layers.groupnorm import SpatialGroupnormCache, spatial_groupnorm_backward, spatial_groupnorm_forward
from cs231n.layers.layernorm import LayernormCache, layernorm_backward, layernorm_forward
from cs231n.layers.spatial_batchnorm import (
    SpatialBatchnormCache,
    spatial_batchnorm_backward,
    spatial_batchnorm_forward,
)

__all__ = [
    "batchnorm_backward_fast",
    "batchnorm_forward_fast",
    "layernorm_backward_fast",
    "layernorm_forward_fast",
    "spatial_batchnorm_backward_fast",
    "spatial_batchnorm_forward_fast",
    "spatial_groupnorm_backward_fast",
    "spatial_groupnorm_forward_fast",
]


class NormFastCache(NamedTuple):
    """What the backwards need. The mean is `mu + left`, where `left` is what does not fit into the digits of `mu`."""

    x: np.ndarray
    mu: np.ndarray
    left: np.ndarray
    rstd: np.ndarray
    gamma: np.ndarray


# -------------------------------------------------------------------------------------------- over the batch


def batchnorm_forward_fast(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, NormFastCache | BatchnormCache]:
    r"""As `batchnorm_forward`: once over the rows for mean and variance, once for the output.

    Args:
        x: (N, D) a batch of N examples with D features.
        gamma: (D,) the scale of each feature.
        beta: (D,) the shift of each feature.
        bn_param: as for `batchnorm_forward`; it receives the running averages.

    Returns:
        out: (N, D) the normalized, scaled and shifted batch.
        cache: what `batchnorm_backward_fast` needs; it holds `x` itself, not a copy.

    Raises:
        ValueError: as `batchnorm_forward`.

    >>> x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 50.0]])
    >>> out, cache = batchnorm_forward_fast(x, np.array([1.0, 2.0]), np.array([0.0, 5.0]), {"mode": "train"})
    >>> out.mean(axis=0).round(6) + 0
    array([0., 5.])
    """
    if not _blocks.worthwhile(x, gamma, beta) or x.ndim != 2 or bn_param.get("mode") != "train":
        return batchnorm_forward(x, gamma, beta, bn_param)
    batchnorm_forward(x[:1], gamma, beta, dict(bn_param))  # refuses what does not fit
    N, D = x.shape
    rows = _blocks.length(D * x.itemsize)
    starts = range(0, N, rows)
    ones, block = np.ones(rows, x.dtype), np.empty((rows, D), x.dtype)

    sizes = np.array([[min(rows, N - i)] for i in starts])
    first, second, squares = np.empty((3, len(starts), D), x.dtype)
    with _blocks.long_rows(D):
        for k, i in enumerate(starts):
            n = min(rows, N - i)
            first[k] = ones[:n] @ x[i : i + n] / n
            c = np.subtract(x[i : i + n], first[k], out=block[:n])
            second[k] = ones[:n] @ c / n
            squares[k] = ones[:n] @ np.multiply(c, c, out=c)
    mu, left, var = _merged(first, second, squares, sizes)
    _move_averages(bn_param, mu, var)

    rstd = 1 / np.sqrt(var + x.dtype.type(bn_param.get("eps", 1e-5)))
    scale = gamma * rstd
    shift = beta - scale * left
    out = np.empty(x.shape, x.dtype)
    with _blocks.long_rows(D):
        for i in reversed(starts):  # the cache still holds the last rows
            o = np.subtract(x[i : i + rows], mu, out=out[i : i + rows])
            o *= scale
            o += shift
    return out, NormFastCache(x, mu, left, rstd, gamma)


def batchnorm_backward_fast(
    dout: np.ndarray, cache: NormFastCache | BatchnormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""As `batchnorm_backward_alt`: once over the rows for the sums, once for `dx`.

    Args:
        dout: (N, D) gradient of the loss with respect to `out`.
        cache: what `batchnorm_forward_fast` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.
        dbeta: (D,) gradient with respect to `beta`.

    Raises:
        ValueError: as `batchnorm_backward_alt`.

    >>> x = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 50.0]])
    >>> _, cache = batchnorm_forward_fast(x, np.array([1.0, 2.0]), np.zeros(2), {"mode": "train"})
    >>> batchnorm_backward_fast(np.array([[0.1, -1.0], [0.7, 2.0], [-0.4, 0.5]]), cache)[2]
    array([0.4, 1.5])
    """
    if not isinstance(cache, NormFastCache):
        return batchnorm_backward_alt(dout, cache)
    x, mu, left, rstd, gamma = cache
    if dout.shape != x.shape or dout.dtype != x.dtype:
        return batchnorm_backward_alt(dout, BatchnormCache((x - mu - left) * rstd, rstd, gamma, "train"))
    N, D = x.shape
    rows = _blocks.length(D * x.itemsize)
    starts = range(0, N, rows)
    ones, block = np.ones(rows, x.dtype), np.empty((rows, D), x.dtype)

    sums, along = np.empty((2, len(starts), D), x.dtype)
    with _blocks.long_rows(D):
        for k, i in enumerate(starts):
            d = dout[i : i + rows]
            c = np.subtract(x[i : i + rows], mu, out=block[: len(d)])
            sums[k] = ones[: len(d)] @ d
            along[k] = ones[: len(d)] @ np.multiply(c, d, out=c)
    dbeta = sums.sum(axis=0)
    dgamma = rstd * (along.sum(axis=0) - left * dbeta)

    scale = gamma * rstd
    slope = -scale * rstd * (dgamma / N)
    shift = -scale * (dbeta / N) - slope * left
    dx = np.empty(x.shape, x.dtype)
    with _blocks.long_rows(D):
        for i in reversed(starts):
            d = np.multiply(dout[i : i + rows], scale, out=dx[i : i + rows])
            c = np.subtract(x[i : i + rows], mu, out=block[: len(d)])
            c *= slope
            d += c
            d += shift
    return dx, dgamma, dbeta


def spatial_batchnorm_forward_fast(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, bn_param: dict
) -> tuple[np.ndarray, NormFastCache | SpatialBatchnormCache]:
    r"""As `spatial_batchnorm_forward`: once over the images for mean and variance, once for the output.

    Args:
        x: (N, C, H, W) N images with C channels.
        gamma: (C,) the scale of each channel.
        beta: (C,) the shift of each channel.
        bn_param: as for `spatial_batchnorm_forward`; it receives the running averages.

    Returns:
        out: (N, C, H, W) the normalized, scaled and shifted images.
        cache: what `spatial_batchnorm_backward_fast` needs; it holds `x` itself, not a copy.

    Raises:
        ValueError: as `spatial_batchnorm_forward`.

    >>> x = np.arange(24.0).reshape(2, 3, 2, 2) ** 2
    >>> out, _ = spatial_batchnorm_forward_fast(x, np.ones(3), np.array([0.0, 5.0, 7.0]), {"mode": "train"})
    >>> out.mean(axis=(0, 2, 3)).round(6) + 0
    array([0., 5., 7.])
    """
    if not _blocks.worthwhile(x, gamma, beta) or x.ndim != 4 or bn_param.get("mode") != "train":
        return spatial_batchnorm_forward(x, gamma, beta, bn_param)
    spatial_batchnorm_forward(x[:1], gamma, beta, dict(bn_param))  # refuses what does not fit
    N, C, H, W = x.shape
    P = H * W
    images = _blocks.length(C * P * x.itemsize)
    ones, block = np.ones(P, x.dtype), np.empty((images, C, P), x.dtype)

    first, second, squares = np.empty((3, N, C), x.dtype)
    with _blocks.long_rows(P):
        for i in range(0, N, images):
            here = slice(i, i + images)
            image = x[here].reshape(-1, C, P)
            first[here] = image @ ones / P
            c = np.subtract(image, first[here, :, None], out=block[: len(image)])
            second[here] = c @ ones / P
            squares[here] = np.vecdot(c, c)
    mu, left, var = _merged(first, second, squares, np.full((N, 1), P))
    _move_averages(bn_param, mu, var)

    rstd = 1 / np.sqrt(var + x.dtype.type(bn_param.get("eps", 1e-5)))
    scale = gamma * rstd
    shift = beta - scale * left
    out = np.empty((N, C, P), x.dtype)
    with _blocks.long_rows(P):
        for i in reversed(range(0, N, images)):  # the cache still holds the last images
            o = np.subtract(x[i : i + images].reshape(-1, C, P), mu[:, None], out=out[i : i + images])
            o *= scale[:, None]
            o += shift[:, None]
    return out.reshape(x.shape), NormFastCache(x, mu, left, rstd, gamma)


def spatial_batchnorm_backward_fast(
    dout: np.ndarray, cache: NormFastCache | SpatialBatchnormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""As `spatial_batchnorm_backward`: once over the images for the sums, once for `dx`.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to `out`.
        cache: what `spatial_batchnorm_forward_fast` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dgamma: (C,) gradient with respect to `gamma`.
        dbeta: (C,) gradient with respect to `beta`.

    Raises:
        ValueError: as `spatial_batchnorm_backward`.

    >>> x = np.arange(24.0).reshape(2, 3, 2, 2) ** 2
    >>> _, cache = spatial_batchnorm_forward_fast(x, np.array([1.0, 2.0, 3.0]), np.zeros(3), {"mode": "train"})
    >>> spatial_batchnorm_backward_fast(np.cos(x), cache)[0].sum(axis=(0, 2, 3)).round(12) + 0
    array([0., 0., 0.])
    """
    if not isinstance(cache, NormFastCache):
        return spatial_batchnorm_backward(dout, cache)
    x, mu, left, rstd, gamma = cache
    if dout.shape != x.shape or dout.dtype != x.dtype:
        x_hat = (x - mu[:, None, None] - left[:, None, None]) * rstd[:, None, None]
        return spatial_batchnorm_backward(dout, SpatialBatchnormCache(x_hat, rstd, gamma, "train"))
    N, C, H, W = x.shape
    P = H * W
    images = _blocks.length(C * P * x.itemsize)
    ones, block = np.ones(P, x.dtype), np.empty((images, C, P), x.dtype)

    sums, along = np.empty((2, N, C), x.dtype)
    with _blocks.long_rows(P):
        for i in range(0, N, images):
            here = slice(i, i + images)
            d = dout[here].reshape(-1, C, P)
            c = np.subtract(x[here].reshape(-1, C, P), mu[:, None], out=block[: len(d)])
            sums[here] = d @ ones
            along[here] = np.vecdot(c, d)
    dbeta = sums.sum(axis=0)
    dgamma = rstd * (along.sum(axis=0) - left * dbeta)

    M = N * P
    scale = gamma * rstd
    slope = -scale * rstd * (dgamma / M)
    shift = -scale * (dbeta / M) - slope * left
    dx = np.empty((N, C, P), x.dtype)
    with _blocks.long_rows(P):
        for i in reversed(range(0, N, images)):
            d = np.multiply(dout[i : i + images].reshape(-1, C, P), scale[:, None], out=dx[i : i + images])
            c = np.subtract(x[i : i + images].reshape(-1, C, P), mu[:, None], out=block[: len(d)])
            c *= slope[:, None]
            d += c
            d += shift[:, None]
    return dx.reshape(x.shape), dgamma, dbeta


def _merged(
    first: np.ndarray, second: np.ndarray, squares: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and variance of everything, from those of blocks.

    Args:
        first: (K, D) the mean of each block, rounded.
        second: (K, D) what is left of the mean after `first` was taken off.
        squares: (K, D) the sum of squares after `first` was taken off.
        sizes: (K, 1) how many numbers a block has.

    Returns:
        mu: (D,) the mean, rounded.
        left: (D,) what is left of it.
        var: (D,) the variance, divided by the number of numbers.
    """
    dtype, count = first.dtype, sizes.sum()
    means = first.astype(float) + second
    mean = (sizes * means).sum(axis=0) / count
    within = squares - sizes * second.astype(float) ** 2
    var = (within + sizes * (means - mean) ** 2).sum(axis=0) / count
    mu = mean.astype(dtype)
    return mu, (mean - mu).astype(dtype), np.maximum(var, 0).astype(dtype)


def _move_averages(bn_param: dict, mu: np.ndarray, var: np.ndarray) -> None:
    dtype = mu.dtype
    momentum = dtype.type(bn_param.get("momentum", 0.9))
    for name, batch in (("running_mean", mu), ("running_var", var)):
        running = np.asanyarray(bn_param.get(name, np.zeros(batch.shape)), dtype)
        bn_param[name] = momentum * running + (1 - momentum) * batch


# -------------------------------------------------------------------------------------- over each example


def layernorm_forward_fast(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, ln_param: dict
) -> tuple[np.ndarray, NormFastCache | LayernormCache]:
    r"""As `layernorm_forward`, a few rows at a time.

    Args:
        x: (N, D), or (…, D) with any axes in front: D features of each example.
        gamma: (D,) the scale of each feature.
        beta: (D,) the shift of each feature.
        ln_param: a dictionary that may hold `eps` (added to the variance, 1e-5).

    Returns:
        out: the shape of `x`, normalized over the last axis, scaled and shifted.
        cache: what `layernorm_backward_fast` needs; it holds `x` itself, not a copy.

    Raises:
        ValueError: as `layernorm_forward`.

    >>> x = np.array([[1.0, 2.0, 6.0, 3.0], [10.0, 30.0, 50.0, 70.0]])
    >>> out, cache = layernorm_forward_fast(x, np.ones(4), np.zeros(4), {"eps": 1e-9})
    >>> out.mean(axis=1).round(6) + 0, out.std(axis=1).round(6)
    (array([0., 0.]), array([1., 1.]))
    """
    if not _blocks.worthwhile(x, gamma, beta) or x.ndim == 0:
        return layernorm_forward(x, gamma, beta, ln_param)
    D = x.shape[-1]
    flat = x.reshape(-1, D)
    layernorm_forward(flat[:1], gamma, beta, ln_param)  # refuses what does not fit
    N, eps = len(flat), x.dtype.type(ln_param.get("eps", 1e-5))
    rows = _blocks.length(D * x.itemsize)
    ones, block = np.ones(D, x.dtype), np.empty((rows, D), x.dtype)

    out = np.empty((N, D), x.dtype)
    mu, left, rstd = np.empty((3, N, 1), x.dtype)
    with _blocks.long_rows(D):
        for i in range(0, N, rows):
            here = slice(i, i + rows)
            mu[here, 0] = flat[here] @ ones / D
            c = np.subtract(flat[here], mu[here], out=block[: len(mu[here])])
            left[here, 0] = c @ ones / D
            c -= left[here]
            rstd[here, 0] = 1 / np.sqrt(np.vecdot(c, c) / D + eps)
            c *= rstd[here]
            o = np.multiply(c, gamma, out=out[here])
            o += beta
    return out.reshape(x.shape), NormFastCache(x, mu, left, rstd, gamma)


def layernorm_backward_fast(
    dout: np.ndarray, cache: NormFastCache | LayernormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""As `layernorm_backward`, a few rows at a time.

    Args:
        dout: the shape of `x`, gradient of the loss with respect to `out`.
        cache: what `layernorm_forward_fast` returned.

    Returns:
        dx: the shape of `x`, gradient with respect to `x`.
        dgamma: (D,) gradient with respect to `gamma`.
        dbeta: (D,) gradient with respect to `beta`.

    Raises:
        ValueError: as `layernorm_backward`.

    >>> x = np.array([[1.0, 2.0, 6.0], [10.0, 30.0, 50.0]])
    >>> _, cache = layernorm_forward_fast(x, np.array([1.0, 2.0, -1.0]), np.zeros(3), {})
    >>> layernorm_backward_fast(np.array([[0.1, -1.0, 0.5], [0.7, 2.0, -0.5]]), cache)[2]
    array([0.8, 1. , 0. ])
    """
    if not isinstance(cache, NormFastCache):
        return layernorm_backward(dout, cache)
    x, mu, left, rstd, gamma = cache
    D = x.shape[-1]
    flat = x.reshape(-1, D)
    if dout.shape != x.shape or dout.dtype != x.dtype:
        x_hat = ((flat - mu - left) * rstd).reshape(x.shape)
        return layernorm_backward(dout, LayernormCache(x_hat, rstd.reshape(*x.shape[:-1], 1), gamma))
    douts, N = dout.reshape(-1, D), len(flat)
    rows = _blocks.length(D * x.itemsize)
    ones, block, other = np.ones(rows, x.dtype), np.empty((rows, D), x.dtype), np.empty((rows, D), x.dtype)

    dx = np.empty((N, D), x.dtype)
    dbeta, dgamma = np.zeros((2, D))
    with _blocks.long_rows(D):
        for i in range(0, N, rows):
            here = slice(i, i + rows)
            d, scale = douts[here], rstd[here]
            x_hat = np.subtract(flat[here], mu[here], out=block[: len(d)])
            x_hat -= left[here]
            x_hat *= scale
            dbeta += ones[: len(d)] @ d
            dgamma += ones[: len(d)] @ np.multiply(d, x_hat, out=other[: len(d)])
            along = other[: len(d)] @ gamma / D
            mean = d @ gamma / D
            dx_hat = np.multiply(d, gamma, out=dx[here])
            dx_hat -= mean[:, None]
            x_hat *= along[:, None]
            dx_hat -= x_hat
            dx_hat *= scale
    return dx.reshape(x.shape), dgamma.astype(x.dtype), dbeta.astype(x.dtype)


def spatial_groupnorm_forward_fast(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, G: int, gn_param: dict
) -> tuple[np.ndarray, NormFastCache | SpatialGroupnormCache]:
    r"""As `spatial_groupnorm_forward`, one image at a time, or a few small ones.

    Args:
        x: (N, C, H, W) N images with C channels.
        gamma: (1, C, 1, 1) as in the course, or (C,): the scale of each channel.
        beta: the shift of each channel, in the shape of `gamma`.
        G: the number of groups, a divisor of C.
        gn_param: as for `spatial_groupnorm_forward`.

    Returns:
        out: (N, C, H, W) the normalized, scaled and shifted images.
        cache: what `spatial_groupnorm_backward_fast` needs; it holds `x` itself, not a copy.

    Raises:
        ValueError: as `spatial_groupnorm_forward`.

    >>> x = np.arange(24.0).reshape(2, 6, 1, 2) ** 2
    >>> out, _ = spatial_groupnorm_forward_fast(x, np.ones((1, 6, 1, 1)), np.zeros((1, 6, 1, 1)), 2, {"eps": 1e-9})
    >>> out[:, :3].mean(axis=(1, 2, 3)).round(6) + 0, out[:, :3].std(axis=(1, 2, 3)).round(6)
    (array([0., 0.]), array([1., 1.]))
    """
    if not _blocks.worthwhile(x, gamma, beta) or x.ndim != 4:
        return spatial_groupnorm_forward(x, gamma, beta, G, gn_param)
    spatial_groupnorm_forward(x[:1], gamma, beta, G, gn_param)  # refuses what does not fit
    N, C, H, W = x.shape
    P, M, eps = H * W, C // G * H * W, x.dtype.type(gn_param.get("eps", 1e-5))
    images = _blocks.length(C * P * x.itemsize)
    ones, block = np.ones(M, x.dtype), np.empty((images, G, M), x.dtype)

    out = np.empty((N, C, P), x.dtype)
    mu, left, rstd = np.empty((3, N, G, 1), x.dtype)
    with _blocks.long_rows(P):
        for i in range(0, N, images):
            here = slice(i, i + images)
            group = x[here].reshape(-1, G, M)
            mu[here, :, 0] = group @ ones / M
            c = np.subtract(group, mu[here], out=block[: len(group)])
            left[here, :, 0] = c @ ones / M
            c -= left[here]
            rstd[here, :, 0] = 1 / np.sqrt(np.vecdot(c, c) / M + eps)
            scale = gamma.reshape(G, -1) * rstd[here]
            o = np.multiply(c.reshape(-1, C, P), scale.reshape(-1, C, 1), out=out[here])
            o += beta.reshape(C, 1)
    return out.reshape(x.shape), NormFastCache(x, mu, left, rstd, gamma)


def spatial_groupnorm_backward_fast(
    dout: np.ndarray, cache: NormFastCache | SpatialGroupnormCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""As `spatial_groupnorm_backward`, one image at a time, or a few small ones.

    Args:
        dout: (N, C, H, W) gradient of the loss with respect to `out`.
        cache: what `spatial_groupnorm_forward_fast` returned.

    Returns:
        dx: (N, C, H, W) gradient with respect to `x`.
        dgamma: gradient with respect to `gamma`, in its shape.
        dbeta: gradient with respect to `beta`, in its shape.

    Raises:
        ValueError: as `spatial_groupnorm_backward`.

    >>> x = np.arange(24.0).reshape(2, 6, 1, 2) ** 2
    >>> _, cache = spatial_groupnorm_forward_fast(x, np.linspace(1, 2, 6), np.zeros(6), 2, {})
    >>> dx, dgamma, dbeta = spatial_groupnorm_backward_fast(np.cos(x), cache)
    >>> dx.shape, dgamma.shape, abs(dx[:, :3].sum(axis=(1, 2, 3))).max() < 1e-12
    ((2, 6, 1, 2), (6,), np.True_)
    """
    if not isinstance(cache, NormFastCache):
        return spatial_groupnorm_backward(dout, cache)
    x, mu, left, rstd, gamma = cache
    (N, C, H, W), G = x.shape, mu.shape[1]
    if dout.shape != x.shape or dout.dtype != x.dtype:
        plain = spatial_groupnorm_forward(x, gamma, np.zeros_like(gamma), G, {})[1]
        grouped = plain.grouped._replace(rstd=rstd.reshape(N, G, 1, 1, 1))
        shape = grouped.x_hat.shape
        x_hat = (((x.reshape(N, G, -1) - mu) - left) * rstd).reshape(shape)
        return spatial_groupnorm_backward(dout, SpatialGroupnormCache(grouped._replace(x_hat=x_hat), gamma.shape))
    P, S, M = H * W, C // G, C // G * H * W
    images = _blocks.length(C * P * x.itemsize)
    ones, block = np.ones(P, x.dtype), np.empty((images, G, M), x.dtype)
    weights = gamma.reshape(G, S)

    dx = np.empty((N, C, P), x.dtype)
    dbeta, dgamma = np.zeros((2, G, S))
    with _blocks.long_rows(P):
        for i in range(0, N, images):
            here = slice(i, i + images)
            d = dout[here].reshape(-1, C, P)
            c = np.subtract(x[here].reshape(-1, G, M), mu[here], out=block[: len(d)])
            c -= left[here]
            sums = (d @ ones).reshape(-1, G, S)
            along = np.vecdot(c.reshape(-1, C, P), d).reshape(-1, G, S) * rstd[here]
            dbeta += sums.sum(axis=0)
            dgamma += along.sum(axis=0)
            mean = (weights * sums).sum(axis=2, keepdims=True) / M
            slope = (weights * along).sum(axis=2, keepdims=True) / M
            c *= slope * rstd[here]
            c += mean
            c *= rstd[here]
            o = np.multiply(d, (weights * rstd[here]).reshape(-1, C, 1), out=dx[here])
            o -= c.reshape(-1, C, P)
    shape, dtype = gamma.shape, x.dtype
    return dx.reshape(x.shape), dgamma.reshape(shape).astype(dtype), dbeta.reshape(shape).astype(dtype)
