r"""Gradient descent: plain, with momentum, and with Nesterov's momentum.

Each rule takes a parameter, its gradient and a dictionary, and returns the next parameter and the dictionary. No array
is changed in place. The dictionary keeps the state: it receives the missing settings and the new velocity, as
notebooks of the course expect.

Derivation: [Gradient descent](../optim/gradient_descent.md)
"""

import numpy as np


def sgd(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step against the gradient.

    Derivation: [Gradient descent](../optim/gradient_descent.md)

    Source: Robbins & Monro, A stochastic approximation method, Annals of Mathematical Statistics 22 (1951).

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the key `learning_rate` (1e-2).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step.

    Raises:
        ValueError: different shapes, an unknown key, or an array that does not hold real numbers.

    >>> sgd(np.array([1.0, 2.0]), np.array([0.5, -4.0]), {"learning_rate": 0.25})[0]
    array([0.875, 3.   ])
    """
    for name, array in (("w", w), ("dw", dw)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if dw.shape != w.shape:
        raise ValueError(f"expected dw of shape {w.shape}, got {dw.shape}")
    config = {} if config is None else config
    if unknown := set(config) - {"learning_rate"}:
        raise ValueError(f"config: expected learning_rate, got {sorted(unknown)}")
    learning_rate = w.dtype.type(config.setdefault("learning_rate", 1e-2))

    next_w = w - learning_rate * dw
    return next_w, config


def sgd_momentum(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step along a velocity that remembers earlier gradients.

    The velocity holds the learning rate: it is `momentum` times the old one minus `learning_rate` times the gradient.

    Derivation: [Gradient descent](../optim/gradient_descent.md)

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, USSR Computational Mathematics and
    Mathematical Physics 4 (1964); Sutskever et al., On the importance of initialization and momentum in deep learning,
    ICML 2013, equations 1 and 2.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys `learning_rate` (1e-2), `momentum` (0.9) and `velocity` (the shape of `w`,
            zeros at first).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `velocity` is a new array.

    Raises:
        ValueError: different shapes, an unknown key, or an array that does not hold real numbers.

    >>> config = {"learning_rate": 0.25, "momentum": 0.5, "velocity": np.array([1.0, -2.0])}
    >>> next_w, config = sgd_momentum(np.array([1.0, 2.0]), np.array([0.5, -4.0]), config)
    >>> next_w, config["velocity"]
    (array([1.375, 2.   ]), array([0.375, 0.   ]))
    """
    for name, array in (("w", w), ("dw", dw)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if dw.shape != w.shape:
        raise ValueError(f"expected dw of shape {w.shape}, got {dw.shape}")
    config = {} if config is None else config
    if unknown := set(config) - {"learning_rate", "momentum", "velocity"}:
        raise ValueError(f"config: expected learning_rate, momentum, velocity, got {sorted(unknown)}")
    learning_rate = w.dtype.type(config.setdefault("learning_rate", 1e-2))
    momentum = w.dtype.type(config.setdefault("momentum", 0.9))
    velocity = np.asanyarray(config.get("velocity", np.zeros_like(w)), w.dtype)
    if velocity.shape != w.shape:
        raise ValueError(f"expected config['velocity'] of shape {w.shape}, got {velocity.shape}")

    next_velocity = momentum * velocity - learning_rate * dw
    next_w = w + next_velocity
    config["velocity"] = next_velocity
    return next_w, config


def sgd_nesterov(w: np.ndarray, dw: np.ndarray, config: dict | None = None) -> tuple[np.ndarray, dict]:
    r"""A step with Nesterov's momentum, in the form that needs the gradient at `w` itself.

    Here `w` is the look-ahead point: where the velocity alone would carry the parameter of Nesterov's own form.

    Derivation: [Gradient descent](../optim/gradient_descent.md)

    Source: Nesterov, A method of solving a convex programming problem with convergence rate O(1/k²), Soviet Mathematics
    Doklady 27 (1983); Bengio, Boulanger-Lewandowski & Pascanu, Advances in optimizing recurrent networks, ICASSP 2013,
    section 3.5.

    Args:
        w: any shape, the parameter.
        dw: the shape of `w`, gradient of the loss with respect to `w`.
        config: a dictionary with the keys `learning_rate` (1e-2), `momentum` (0.9) and `velocity` (the shape of `w`,
            zeros at first).

    Returns:
        next_w: the shape of `w`, the parameter after the step.
        config: the dictionary for the next step; its `velocity` is a new array.

    Raises:
        ValueError: different shapes, an unknown key, or an array that does not hold real numbers.

    >>> config = {"learning_rate": 0.25, "momentum": 0.5, "velocity": np.array([1.0, -2.0])}
    >>> next_w, config = sgd_nesterov(np.array([1.0, 2.0]), np.array([0.5, -4.0]), config)
    >>> next_w, config["velocity"]
    (array([1.0625, 3.    ]), array([0.375, 0.   ]))
    """
    for name, array in (("w", w), ("dw", dw)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if dw.shape != w.shape:
        raise ValueError(f"expected dw of shape {w.shape}, got {dw.shape}")
    config = {} if config is None else config
    if unknown := set(config) - {"learning_rate", "momentum", "velocity"}:
        raise ValueError(f"config: expected learning_rate, momentum, velocity, got {sorted(unknown)}")
    learning_rate = w.dtype.type(config.setdefault("learning_rate", 1e-2))
    momentum = w.dtype.type(config.setdefault("momentum", 0.9))
    velocity = np.asanyarray(config.get("velocity", np.zeros_like(w)), w.dtype)
    if velocity.shape != w.shape:
        raise ValueError(f"expected config['velocity'] of shape {w.shape}, got {velocity.shape}")

    next_velocity = momentum * velocity - learning_rate * dw
    next_w = w + momentum * next_velocity - learning_rate * dw
    config["velocity"] = next_velocity
    return next_w, config
