r"""The vanilla recurrent network: one small layer, applied again and again to its own output and the next input.

Derivation: [Recurrent network](../layers/rnn.md)
"""

from typing import NamedTuple

import numpy as np


class RnnStepCache(NamedTuple):
    """What the backward of one step needs; the slope of tanh is read from its output."""

    x: np.ndarray
    prev_h: np.ndarray
    next_h: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


class RnnCache(NamedTuple):
    """What the backward of a sequence needs; `h` has one time more than `x`, since it begins with the first state."""

    x: np.ndarray
    h: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


def rnn_step_forward(
    x: np.ndarray, prev_h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, RnnStepCache]:
    r"""One step: mix the input with the state before, and squash.

    Derivation: [Recurrent network](../layers/rnn.md)

    Source: Elman, Finding structure in time, Cognitive Science 14 (1990), figure 2; with tanh for the squashing.

    Args:
        x: (N, D) the inputs of this time.
        prev_h: (N, H) the states before.
        Wx: (D, H) the weights of the input.
        Wh: (H, H) the weights of the state; column j makes unit j.
        b: (H,) the biases.

    Returns:
        next_h: (N, H) the new states.
        cache: what `rnn_step_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x, prev_h = np.array([[1.0, -2.0]]), np.array([[0.5, 0.0, -0.5]])
    >>> Wx = np.array([[0.5, 0.0, 1.0], [0.0, 0.5, 0.5]])
    >>> Wh = np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> next_h, cache = rnn_step_forward(x, prev_h, Wx, Wh, b=np.zeros(3))
    >>> next_h.round(4)
    array([[ 0.4621, -0.4621, -0.4621]])
    """
    _check(x, prev_h, Wx, Wh, b, axes="N, D", state="prev_h")
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, RnnStepCache(x, prev_h, next_h, Wx, Wh)


def rnn_step_backward(
    dnext_h: np.ndarray, cache: RnnStepCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients of one step: through the slope of tanh, then as in an affine layer with two inputs.

    Derivation: [Recurrent network](../layers/rnn.md)

    Source: Rumelhart, Hinton & Williams, Learning representations by back-propagating errors, Nature 323 (1986),
    equations 6 and 7; with the slope of tanh.

    Args:
        dnext_h: (N, H) gradient of the loss with respect to `next_h`, over all paths.
        cache: what `rnn_step_forward` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dprev_h: (N, H) gradient with respect to `prev_h`.
        dWx: (D, H) gradient with respect to `Wx`.
        dWh: (H, H) gradient with respect to `Wh`.
        db: (H,) gradient with respect to `b`.

    Raises:
        ValueError: `dnext_h` has not the shape of `next_h`, or does not hold real numbers.

    >>> x, prev_h, Wx, Wh = np.array([[1.0, -2.0]]), np.zeros((1, 1)), np.zeros((2, 1)), np.array([[3.0]])
    >>> _, cache = rnn_step_forward(x, prev_h, Wx, Wh, b=np.zeros(1))
    >>> dx, dprev_h, dWx, dWh, db = rnn_step_backward(np.array([[0.5]]), cache)
    >>> dprev_h, dWx
    (array([[1.5]]), array([[ 0.5],
           [-1. ]]))
    """
    x, prev_h, next_h, Wx, Wh = cache
    _require("dnext_h", dnext_h, next_h.shape)
    da = dnext_h * (1 - next_h) * (1 + next_h)
    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dWx = x.T @ da
    dWh = prev_h.T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def rnn_forward(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, RnnCache]:
    r"""Run a whole sequence: the same weights at every step, each state made from the one before.

    Only the product with the state must wait for the step before. The inputs of all times are multiplied at once.

    Derivation: [Recurrent network](../layers/rnn.md)

    Source: Elman (1990), figure 2; with tanh for the squashing.

    Args:
        x: (N, T, D) N sequences of T inputs.
        h0: (N, H) the states before the first input.
        Wx: (D, H) the weights of the input.
        Wh: (H, H) the weights of the state; column j makes unit j.
        b: (H,) the biases.

    Returns:
        h: (N, T, H) the states after each input.
        cache: what `rnn_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])  # a push, then nothing
    >>> h, cache = rnn_forward(x, np.zeros((1, 1)), Wx=np.array([[0.5]]), Wh=np.array([[0.9]]), b=np.zeros(1))
    >>> h[0, :, 0].round(4)
    array([0.4621, 0.3935, 0.34  ])
    """
    _check(x, h0, Wx, Wh, b, axes="N, T, D", state="h0")
    (N, T, D), H = x.shape, h0.shape[1]
    a = (x.reshape(N * T, D) @ Wx + b).reshape(N, T, H)
    h = np.zeros_like(x, shape=(N, T + 1, H))
    h[:, 0] = h0
    for t in range(T):
        h[:, t + 1] = np.tanh(a[:, t] + h[:, t] @ Wh)
    return h[:, 1:].copy(), RnnCache(x, h, Wx, Wh)


def rnn_backward(dh: np.ndarray, cache: RnnCache) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""Backpropagation through time: walk back from the last step, and add up what the weights get at each.

    Derivation: [Recurrent network](../layers/rnn.md)

    Source: Werbos, Backpropagation through time: what it does and how to do it, Proc. IEEE 78 (1990), section II.

    Args:
        dh: (N, T, H) gradient of the loss with respect to each state by the paths that leave the network at its
            own time; what comes back from later times is added here.
        cache: what `rnn_forward` returned.

    Returns:
        dx: (N, T, D) gradient with respect to `x`.
        dh0: (N, H) gradient with respect to `h0`.
        dWx: (D, H) gradient with respect to `Wx`.
        dWh: (H, H) gradient with respect to `Wh`.
        db: (H,) gradient with respect to `b`.

    Raises:
        ValueError: `dh` has not the shape of the states, or does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])
    >>> _, cache = rnn_forward(x, np.zeros((1, 1)), Wx=np.array([[0.5]]), Wh=np.array([[0.9]]), b=np.zeros(1))
    >>> dx, dh0, dWx, dWh, db = rnn_backward(np.array([[[0.0], [0.0], [2.0]]]), cache)  # only the end matters
    >>> dx[0, :, 0].round(4)  # the longer ago, the less
    array([0.4761, 0.6727, 0.8844])
    """
    x, h, Wx, Wh = cache
    (N, T, D), H = x.shape, h.shape[2]
    _require("dh", dh, (N, T, H))
    da = (1 - h[:, 1:]) * (1 + h[:, 1:])
    dprev_h = np.zeros_like(h, shape=(N, H))
    for t in reversed(range(T)):
        da[:, t] = da[:, t] * (dh[:, t] + dprev_h)
        dprev_h = da[:, t] @ Wh.T

    da = da.reshape(N * T, H)
    dx = (da @ Wx.T).reshape(N, T, D)
    dWx = x.reshape(N * T, D).T @ da
    dWh = h[:, :-1].reshape(N * T, H).T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def _check(x: np.ndarray, h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, axes: str, state: str) -> None:
    """The shapes fit each other, and all hold real numbers."""
    if x.ndim != axes.count(",") + 1:
        raise ValueError(f"expected x of shape ({axes}), got {x.shape}")
    if h.ndim != 2 or h.shape[0] != x.shape[0]:
        raise ValueError(f"expected {state} of shape (N, H) with N = {x.shape[0]}, got {h.shape}")
    D, H = x.shape[-1], h.shape[1]
    shapes = {"x": x.shape, state: h.shape, "Wx": (D, H), "Wh": (H, H), "b": (H,)}
    for (name, shape), array in zip(shapes.items(), (x, h, Wx, Wh, b), strict=True):
        _require(name, array, shape)


def _require(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype.kind not in "fO":
        raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
