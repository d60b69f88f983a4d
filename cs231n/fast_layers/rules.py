r"""The update rules as in `cs231n.optim`, faster: the same numbers up to rounding, some thousand parameters at a time.

A rule writes a dozen arrays as large as the parameter, and all but two or three only to read them again in the next
line. Here they are as large as a block, and stay in the cache.

Derivations: [Gradient descent](../optim/gradient_descent.md), [Adaptive step sizes](../optim/adaptive.md)
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from cs231n.fast_layers import _blocks
from cs231n.optim.adaptive import adam, rmsprop
from cs231n.optim.gradient_descent import sgd_momentum

__all__ = ["adam_fast", "rmsprop_fast", "sgd_momentum_fast"]


def sgd_momentum_fast(
    w: np.ndarray, dw: np.ndarray, config: dict | None = None, *, in_place: bool = False
) -> tuple[np.ndarray, dict]:
    r"""As `sgd_momentum`.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys of `sgd_momentum`.
        in_place: whether `w` and the arrays in `config` are overwritten; else they stay as they are.

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `velocity` is the new one.

    Raises:
        ValueError: as `sgd_momentum`.

    >>> config = {"learning_rate": 0.25, "momentum": 0.5, "velocity": np.array([1.0, -2.0])}
    >>> sgd_momentum_fast(np.array([1.0, 2.0]), np.array([0.5, -4.0]), config)[0]
    array([1.375, 2.   ])
    """
    if not (config and "velocity" in config and _fit(w, dw, config["velocity"])):
        return _whole(sgd_momentum, w, dw, config, in_place)
    config.update(sgd_momentum(_none(w), _none(w), {**config, "velocity": _none(w)})[1], velocity=config["velocity"])
    learning_rate, momentum = (w.dtype.type(config[name]) for name in ("learning_rate", "momentum"))

    velocity = config["velocity"]
    next_w, next_velocity = (w, velocity) if in_place else (np.empty_like(w), np.empty_like(w))
    for w_, dw_, v_, next_w_, next_v_, t, _ in _pieces(w, dw, velocity, next_w, next_velocity):
        np.multiply(learning_rate, dw_, out=t)
        np.multiply(momentum, v_, out=next_v_)
        next_v_ -= t
        np.add(w_, next_v_, out=next_w_)
    config["velocity"] = next_velocity
    return next_w, config


def rmsprop_fast(
    w: np.ndarray, dw: np.ndarray, config: dict | None = None, *, in_place: bool = False
) -> tuple[np.ndarray, dict]:
    r"""As `rmsprop`.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys of `rmsprop`.
        in_place: whether `w` and the arrays in `config` are overwritten; else they stay as they are.

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `cache` is the new one.

    Raises:
        ValueError: as `rmsprop`.

    >>> settings = {"learning_rate": 0.25, "decay_rate": 0.75}
    >>> rmsprop_fast(np.array([1.0, 2.0]), np.array([0.5, -4.0]), settings)[0].round(6)
    array([0.5, 2.5])
    """
    if not (config and "cache" in config and _fit(w, dw, config["cache"])):
        return _whole(rmsprop, w, dw, config, in_place)
    config.update(rmsprop(_none(w), _none(w), {**config, "cache": _none(w)})[1], cache=config["cache"])
    number = w.dtype.type
    learning_rate, epsilon = number(config["learning_rate"]), number(config["epsilon"])
    keep, new = number(config["decay_rate"]), number(1 - config["decay_rate"])

    old = config["cache"]
    next_w, cache = (w, old) if in_place else (np.empty_like(w), np.empty_like(w))
    for w_, dw_, old_, next_w_, cache_, t, u in _pieces(w, dw, old, next_w, cache):
        np.multiply(dw_, dw_, out=t)
        t *= new
        np.multiply(keep, old_, out=cache_)
        cache_ += t
        np.sqrt(cache_, out=t)
        t += epsilon
        np.multiply(learning_rate, dw_, out=u)
        u /= t
        np.subtract(w_, u, out=next_w_)
    config["cache"] = cache
    return next_w, config


def adam_fast(
    w: np.ndarray, dw: np.ndarray, config: dict | None = None, *, in_place: bool = False
) -> tuple[np.ndarray, dict]:
    r"""As `adam`, in the order of its authors: both corrections are in the learning rate, and one in epsilon.

    That is the same step with fewer operations, see the end of section 2 of Kingma & Ba (2015).

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys of `adam`.
        in_place: whether `w` and the arrays in `config` are overwritten; else they stay as they are.

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `m` and `v` are the new ones, its `t` is one more.

    Raises:
        ValueError: as `adam`.

    >>> adam_fast(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25})[0].round(6)
    array([0.75, 2.25])
    """
    if not (config and {"m", "v"} <= set(config) and _fit(w, dw, config["m"], config["v"])):
        return _whole(adam, w, dw, config, in_place)
    old_m, old_v = config["m"], config["v"]
    config.update(adam(_none(w), _none(w), {**config, "m": _none(w), "v": _none(w)})[1])  # counts the step
    number, t = w.dtype.type, config["t"]
    beta1, beta2 = number(config["beta1"]), number(config["beta2"])
    new1, new2 = number(1 - config["beta1"]), number(1 - config["beta2"])
    root = math.sqrt(1 - config["beta2"] ** t)
    rate = number(config["learning_rate"] * root / (1 - config["beta1"] ** t))
    epsilon = max(number(config["epsilon"] * root), np.finfo(w.dtype).smallest_subnormal)

    next_w, m, v = (w, old_m, old_v) if in_place else (np.empty_like(w), np.empty_like(w), np.empty_like(w))
    for w_, dw_, old_m_, old_v_, next_w_, m_, v_, a, b in _pieces(w, dw, old_m, old_v, next_w, m, v):
        np.multiply(new1, dw_, out=a)
        np.multiply(beta1, old_m_, out=m_)
        m_ += a
        np.multiply(dw_, dw_, out=a)
        a *= new2
        np.multiply(beta2, old_v_, out=v_)
        v_ += a
        np.sqrt(v_, out=a)
        a += epsilon
        np.multiply(rate, m_, out=b)
        b /= a
        np.subtract(w_, b, out=next_w_)
    config.update(m=m, v=v)
    return next_w, config


def _whole(
    rule: Callable[..., tuple[np.ndarray, dict]], w: np.ndarray, dw: np.ndarray, config: dict | None, in_place: bool
) -> tuple[np.ndarray, dict]:
    """The plain rule, and its results where they are wanted."""
    before = dict(config or {})
    next_w, config = rule(w, dw, config)
    if in_place:
        w[...] = next_w
        next_w = w
        for name, old in before.items():
            if isinstance(old, np.ndarray) and old.shape == w.shape:
                old[...] = config[name]
                config[name] = old
    return next_w, config


def _fit(w: np.ndarray, *others: np.ndarray) -> bool:
    """Whether blocks pay, and the arrays are one piece of memory each."""
    arrays = (w, *others)
    return all(
        isinstance(a, np.ndarray) and a.shape == w.shape and a.flags.c_contiguous for a in arrays
    ) and _blocks.worthwhile(*arrays)


def _none(w: np.ndarray) -> np.ndarray:
    """No parameters, of the type of `w`: a rule called with them checks its settings, and fills in what is missing."""
    return np.empty(0, w.dtype)


def _pieces(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """The same piece of each array, one piece after the other, and room for two pieces more."""
    flat = [a.reshape(-1) for a in arrays]
    step = _blocks.length(2 * flat[0].itemsize)
    room = np.empty((2, step), flat[0].dtype)
    for i in range(0, flat[0].size, step):
        pieces = [a[i : i + step] for a in flat]
        yield *pieces, *room[:, : len(pieces[0])]
