r"""Long short-term memory: a recurrent step with a second state, the cell, which is kept and added to, not squashed.

Derivation: [LSTM](../layers/lstm.md)
"""

from typing import NamedTuple

import numpy as np


class LstmStepCache(NamedTuple):
    """What the backward of one step needs: its inputs, the four gates, and the squashed new cell."""

    x: np.ndarray
    prev_h: np.ndarray
    prev_c: np.ndarray
    i: np.ndarray
    f: np.ndarray
    o: np.ndarray
    g: np.ndarray
    tanh_c: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


class LstmCache(NamedTuple):
    """What the backward of a sequence needs.

    `h` (N, T + 1, H) and `c` (T + 1, N, H) begin with the first states; `gates` (T, N, 4H) holds i, f, o, g side by
    side, and `tanh_c` (T, N, H) the squashed cells.
    """

    x: np.ndarray
    h: np.ndarray
    c: np.ndarray
    gates: np.ndarray
    tanh_c: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


def lstm_step_forward(
    x: np.ndarray, prev_h: np.ndarray, prev_c: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, LstmStepCache]:
    r"""One step: four gates from the input and the state before, then the new cell, then the new state.

    The weights hold four blocks side by side, in the order i, f, o, g.

    Derivation: [LSTM](../layers/lstm.md)

    Source: Hochreiter & Schmidhuber, Long short-term memory, Neural Computation 9 (1997); the forget gate of Gers,
    Schmidhuber & Cummins, Learning to forget, Neural Computation 12 (2000).

    Args:
        x: (N, D) the inputs of this time.
        prev_h: (N, H) the states before.
        prev_c: (N, H) the cells before.
        Wx: (D, 4H) the weights of the input.
        Wh: (H, 4H) the weights of the state.
        b: (4H,) the biases.

    Returns:
        next_h: (N, H) the new states.
        next_c: (N, H) the new cells.
        cache: what `lstm_step_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x, prev_h, prev_c = np.array([[1.0]]), np.array([[0.0]]), np.array([[2.0]])
    >>> Wx, Wh = np.array([[0.0, 0.0, 0.0, 0.5]]), np.zeros((1, 4))
    >>> next_h, next_c, cache = lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b=np.array([-50.0, 50.0, 0.0, 0.0]))
    >>> next_c, next_h.round(4)  # nothing written, nothing forgotten, half shown
    (array([[2.]]), array([[0.482]]))
    """
    _check(x, prev_h, Wx, Wh, b, axes="N, D", state="prev_h")
    _require("prev_c", prev_c, prev_h.shape)
    H = prev_h.shape[1]
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = _sigmoid(a[:, :H]), _sigmoid(a[:, H : 2 * H]), _sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H :])
    next_c = f * prev_c + i * g
    tanh_c = np.tanh(next_c)
    next_h = o * tanh_c
    return next_h, next_c, LstmStepCache(x, prev_h, prev_c, i, f, o, g, tanh_c, Wx, Wh)


def lstm_step_backward(
    dnext_h: np.ndarray, dnext_c: np.ndarray, cache: LstmStepCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients of one step. The new cell is used twice, so what arrives at it by both ways is added.

    Derivation: [LSTM](../layers/lstm.md)

    Source: Gers, Schmidhuber & Cummins (2000); Greff et al., LSTM: a search space odyssey, IEEE TNNLS 28 (2017),
    section II, without the peepholes.

    Args:
        dnext_h: (N, H) gradient of the loss with respect to `next_h`.
        dnext_c: (N, H) gradient of the loss with respect to `next_c` by the paths that do not lead through `next_h`.
        cache: what `lstm_step_forward` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dprev_h: (N, H) gradient with respect to `prev_h`.
        dprev_c: (N, H) gradient with respect to `prev_c`.
        dWx: (D, 4H) gradient with respect to `Wx`.
        dWh: (H, 4H) gradient with respect to `Wh`.
        db: (4H,) gradient with respect to `b`.

    Raises:
        ValueError: `dnext_h` or `dnext_c` has not the shape of the states, or does not hold real numbers.

    >>> x, prev_h, prev_c = np.array([[1.0]]), np.array([[0.0]]), np.array([[2.0]])
    >>> Wx, Wh = np.array([[0.0, 0.0, 0.0, 0.5]]), np.zeros((1, 4))
    >>> _, _, cache = lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b=np.array([-50.0, 50.0, 0.0, 0.0]))
    >>> dprev_c = lstm_step_backward(np.array([[0.0]]), np.array([[3.0]]), cache)[2]
    >>> dprev_c  # an open forget gate lets the whole gradient through
    array([[3.]])
    """
    x, prev_h, prev_c, i, f, o, g, tanh_c, Wx, Wh = cache
    _require("dnext_h", dnext_h, tanh_c.shape)
    _require("dnext_c", dnext_c, tanh_c.shape)
    dc = dnext_c + dnext_h * o * (1 - tanh_c) * (1 + tanh_c)  # a new array: the caller's stays as it is
    dprev_c = dc * f
    dai = dc * g * i * (1 - i)
    daf = dc * prev_c * f * (1 - f)
    dao = dnext_h * tanh_c * o * (1 - o)
    dag = dc * i * (1 - g) * (1 + g)
    da = np.concatenate((dai, daf, dao, dag), axis=1)

    dx = da @ Wx.T
    dprev_h = da @ Wh.T
    dWx = x.T @ da
    dWh = prev_h.T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dprev_c, dWx, dWh, db


def lstm_forward(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, LstmCache]:
    r"""Run a whole sequence, with the same weights at every step; the cells start at 0.

    Only the product with the state must wait for the step before. The inputs of all times are multiplied at once.

    Derivation: [LSTM](../layers/lstm.md)

    Source: Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000).

    Args:
        x: (N, T, D) N sequences of T inputs.
        h0: (N, H) the states before the first input.
        Wx: (D, 4H) the weights of the input, four blocks in the order i, f, o, g.
        Wh: (H, 4H) the weights of the state.
        b: (4H,) the biases.

    Returns:
        h: (N, T, H) the states after each input.
        cache: what `lstm_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])  # written at the first step, kept without loss, half of it shown
    >>> Wx, Wh = np.array([[100.0, 0.0, 0.0, 0.5]]), np.zeros((1, 4))
    >>> h, cache = lstm_forward(x, np.zeros((1, 1)), Wx, Wh, b=np.array([-50.0, 50.0, 0.0, 0.0]))
    >>> h[0, :, 0].round(4)
    array([0.2159, 0.2159, 0.2159])
    """
    _check(x, h0, Wx, Wh, b, axes="N, T, D", state="h0")
    (N, T, D), H = x.shape, h0.shape[1]
    gates = (x.transpose(1, 0, 2).reshape(T * N, D) @ Wx + b).reshape(T, N, 4 * H)
    h = np.zeros_like(x, shape=(N, T + 1, H))
    c = np.zeros_like(x, shape=(T + 1, N, H))
    tanh_c = np.zeros_like(x, shape=(T, N, H))
    h[:, 0] = h0
    for t in range(T):
        a = gates[t] + h[:, t] @ Wh
        gates[t, :, : 3 * H] = _sigmoid(a[:, : 3 * H])
        gates[t, :, 3 * H :] = np.tanh(a[:, 3 * H :])
        i, f, o, g = (gates[t, :, k * H : (k + 1) * H] for k in range(4))
        c[t + 1] = f * c[t] + i * g
        tanh_c[t] = np.tanh(c[t + 1])
        h[:, t + 1] = o * tanh_c[t]
    return h[:, 1:].copy(), LstmCache(x, h, c, gates, tanh_c, Wx, Wh)


def lstm_backward(
    dh: np.ndarray, cache: LstmCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""Backpropagation through time: two gradients walk back from the last step, that of the state and of the cell.

    Derivation: [LSTM](../layers/lstm.md)

    Source: Greff et al. (2017), section II, without the peepholes.

    Args:
        dh: (N, T, H) gradient of the loss with respect to each state by the paths that leave the network at its
            own time; what comes back from later times is added here.
        cache: what `lstm_forward` returned.

    Returns:
        dx: (N, T, D) gradient with respect to `x`.
        dh0: (N, H) gradient with respect to `h0`.
        dWx: (D, 4H) gradient with respect to `Wx`.
        dWh: (H, 4H) gradient with respect to `Wh`.
        db: (4H,) gradient with respect to `b`.

    Raises:
        ValueError: `dh` has not the shape of the states, or does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])
    >>> Wx, Wh = np.array([[100.0, 0.0, 0.0, 0.5]]), np.zeros((1, 4))
    >>> _, cache = lstm_forward(x, np.zeros((1, 1)), Wx, Wh, b=np.array([-50.0, 50.0, 0.0, 0.0]))
    >>> dx, dh0, dWx, dWh, db = lstm_backward(np.array([[[0.0], [0.0], [2.0]]]), cache)  # only the end matters
    >>> dx[0, :, 0].round(4)  # all of it reaches the first input
    array([0.3199, 0.    , 0.    ])
    """
    x, h, c, gates, tanh_c, Wx, Wh = cache
    (N, T, D), H = x.shape, h.shape[2]
    _require("dh", dh, (N, T, H))
    da = np.zeros_like(gates)
    dprev_h = np.zeros_like(x, shape=(N, H))
    dprev_c = np.zeros_like(x, shape=(N, H))
    for t in reversed(range(T)):
        i, f, o, g = (gates[t, :, k * H : (k + 1) * H] for k in range(4))
        dnext_h = dh[:, t] + dprev_h
        dc = dprev_c + dnext_h * o * (1 - tanh_c[t]) * (1 + tanh_c[t])
        dprev_c = dc * f
        da[t, :, :H] = dc * g * i * (1 - i)
        da[t, :, H : 2 * H] = dc * c[t] * f * (1 - f)
        da[t, :, 2 * H : 3 * H] = dnext_h * tanh_c[t] * o * (1 - o)
        da[t, :, 3 * H :] = dc * i * (1 - g) * (1 + g)
        dprev_h = da[t] @ Wh.T

    da = da.reshape(T * N, 4 * H)
    dx = (da @ Wx.T).reshape(T, N, D).transpose(1, 0, 2).copy()
    dWx = x.transpose(1, 0, 2).reshape(T * N, D).T @ da
    dWh = h[:, :-1].transpose(1, 0, 2).reshape(T * N, H).T @ da
    db = da.sum(axis=0)
    return dx, dprev_h, dWx, dWh, db


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)); where the exponential overflows to infinity, the quotient is 0, as it should be."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def _check(x: np.ndarray, h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, axes: str, state: str) -> None:
    """The shapes fit each other, and all hold real numbers."""
    if x.ndim != axes.count(",") + 1:
        raise ValueError(f"expected x of shape ({axes}), got {x.shape}")
    if h.ndim != 2 or h.shape[0] != x.shape[0]:
        raise ValueError(f"expected {state} of shape (N, H) with N = {x.shape[0]}, got {h.shape}")
    D, H = x.shape[-1], h.shape[1]
    shapes = {"x": x.shape, state: h.shape, "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    for (name, shape), array in zip(shapes.items(), (x, h, Wx, Wh, b), strict=True):
        _require(name, array, shape)


def _require(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype.kind not in "fO":
        raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
