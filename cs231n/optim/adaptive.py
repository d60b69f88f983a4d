r"""Update rules with a step of its own size for each parameter: AdaGrad, RMSProp, Adam and AdamW.

Each rule takes a parameter, its gradient and a dictionary, and returns the next parameter and the dictionary. No array
is changed in place. The dictionary keeps the state: it receives the missing settings and the new state, as notebooks of
the course expect.

Derivation: [Adaptive step sizes](../optim/adaptive.md)
"""

import numpy as np


def adagrad(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step divided by the root of the sum of all squared gradients so far.

    Derivation: [Adaptive step sizes](../optim/adaptive.md)

    Source: Duchi, Hazan & Singer, Adaptive subgradient methods for online learning and stochastic optimization, JMLR 12
    (2011), section 1.1, the diagonal form of the update.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys `learning_rate` (1e-2), `epsilon` (1e-8) and `cache` (the shape of `w`, sum
            of the squared gradients, zeros at first).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `cache` is a new array.

    Raises:
        ValueError: different shapes, an unknown key, an array that does not hold real numbers, or an epsilon that is
            not positive in the type of `w`.

    >>> adagrad(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25})[0].round(6)
    array([0.75, 2.25])
    """
    config = _settings(w, dw, config, {"learning_rate": 1e-2, "epsilon": 1e-8}, ("cache",))
    learning_rate, epsilon = w.dtype.type(config["learning_rate"]), w.dtype.type(config["epsilon"])

    cache = config["cache"] + dw * dw
    next_w = w - learning_rate * dw / (np.sqrt(cache) + epsilon)
    config["cache"] = cache
    return next_w, config


def rmsprop(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step divided by the root of a moving average of the squared gradients.

    Derivation: [Adaptive step sizes](../optim/adaptive.md)

    Source: Tieleman & Hinton, Neural networks for machine learning, lecture 6.5, Coursera (2012).

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys `learning_rate` (1e-2), `decay_rate` (0.99), `epsilon` (1e-8) and `cache`
            (the shape of `w`, average of the squared gradients, zeros at first).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `cache` is a new array.

    Raises:
        ValueError: different shapes, an unknown key, an array that does not hold real numbers, or an epsilon that is
            not positive in the type of `w`.

    >>> settings = {"learning_rate": 0.25, "decay_rate": 0.75}
    >>> rmsprop(np.array([1.0, 2.0]), np.array([0.5, -4.0]), settings)[0].round(6)
    array([0.5, 2.5])
    """
    defaults = {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8}
    config = _settings(w, dw, config, defaults, ("cache",))
    learning_rate, epsilon = w.dtype.type(config["learning_rate"]), w.dtype.type(config["epsilon"])
    keep, new = w.dtype.type(config["decay_rate"]), w.dtype.type(1 - config["decay_rate"])

    cache = keep * config["cache"] + new * (dw * dw)
    next_w = w - learning_rate * dw / (np.sqrt(cache) + epsilon)
    config["cache"] = cache
    return next_w, config


def adam(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step along the average gradient, divided by the root of the average square, both corrected for their start.

    Derivation: [Adaptive step sizes](../optim/adaptive.md)

    Source: Kingma & Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys `learning_rate` (1e-3), `beta1` (0.9), `beta2` (0.999), `epsilon` (1e-8), `m`
            and `v` (the shape of `w`, averages of the gradients and of their squares, zeros at first) and `t` (the
            number of steps made so far, 0 at first).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `m` and `v` are new arrays, its `t` is one more.

    Raises:
        ValueError: different shapes, an unknown key, an array that does not hold real numbers, an epsilon that is not
            positive in the type of `w`, or a `t` that is no number of steps.

    >>> next_w, config = adam(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25})
    >>> next_w.round(6), config["t"]
    (array([0.75, 2.25]), 1)
    """
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0}
    config = _settings(w, dw, config, defaults, ("m", "v"))
    learning_rate, epsilon = w.dtype.type(config["learning_rate"]), w.dtype.type(config["epsilon"])
    direction, scale = _moments(w, dw, config)

    next_w = w - learning_rate * direction / (np.sqrt(scale) + epsilon)
    return next_w, config


def adamw(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""Adam with weight decay beside the step, not inside the gradient.

    Derivation: [Adaptive step sizes](../optim/adaptive.md)

    Source: Loshchilov & Hutter, Decoupled weight decay regularization, ICLR 2019, algorithm 2, with a decay that is
    multiplied by the learning rate.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss without its penalty, with respect to `w`.
        config: a dictionary with the keys of `adam` and `weight_decay` (1e-2).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `m` and `v` are new arrays, its `t` is one more.

    Raises:
        ValueError: as `adam`.

    >>> next_w, _ = adamw(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25, "weight_decay": 0.5})
    >>> next_w.round(6)
    array([0.625, 2.   ])
    """
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 1e-2, "t": 0}
    config = _settings(w, dw, config, defaults, ("m", "v"))
    learning_rate, epsilon = w.dtype.type(config["learning_rate"]), w.dtype.type(config["epsilon"])
    weight_decay = w.dtype.type(config["weight_decay"])
    direction, scale = _moments(w, dw, config)

    next_w = w - learning_rate * (direction / (np.sqrt(scale) + epsilon) + weight_decay * w)
    return next_w, config


def _moments(w: np.ndarray, dw: np.ndarray, config: dict) -> tuple[np.ndarray, np.ndarray]:
    """Count the step, update both averages in the dictionary, and return them corrected for their start at zero."""
    beta1, beta2, t = config["beta1"], config["beta2"], config["t"] + 1
    number = w.dtype.type  # after 1 - beta, which would lose digits in float32

    m = number(beta1) * config["m"] + number(1 - beta1) * dw
    v = number(beta2) * config["v"] + number(1 - beta2) * (dw * dw)
    config.update(m=m, v=v, t=t)
    return m / number(1 - beta1**t), v / number(1 - beta2**t)


def _settings(w: np.ndarray, dw: np.ndarray, config: dict | None, defaults: dict, state: tuple[str, ...]) -> dict:
    """Check the arrays and the dictionary, and fill in what is missing."""
    for name, array in (("w", w), ("dw", dw)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if dw.shape != w.shape:
        raise ValueError(f"expected dw of shape {w.shape}, got {dw.shape}")
    config = {} if config is None else config
    if unknown := set(config) - {*defaults, *state}:
        raise ValueError(f"config: expected {', '.join([*defaults, *state])}, got {sorted(unknown)}")
    for name in state:
        value = np.asanyarray(config.get(name, np.zeros_like(w)), w.dtype)
        if value.shape != w.shape:
            raise ValueError(f"expected config[{name!r}] of shape {w.shape}, got {value.shape}")
        config[name] = value
    for name, value in defaults.items():
        config.setdefault(name, value)
    epsilon, t = config["epsilon"], config.get("t", 0)
    if w.dtype.kind == "f" and not w.dtype.type(epsilon) > 0:
        raise ValueError(f"config['epsilon']: expected a number that is positive in {w.dtype}, got {epsilon}")
    if isinstance(t, bool) or not isinstance(t, (int, np.integer)) or t < 0:
        raise ValueError(f"config['t']: expected the number of steps made so far, got {t!r}")
    return config
