r"""Gated recurrent unit: one state, which each step replaces in part.

Derivation: [GRU](../layers/gru.md)
"""

from typing import NamedTuple

import numpy as np


class GruStepCache(NamedTuple):
    """What the backward of one step needs; `u` is what the old state offers to the candidate, before the reset."""

    x: np.ndarray
    prev_h: np.ndarray
    r: np.ndarray
    z: np.ndarray
    n: np.ndarray
    u: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


class GruCache(NamedTuple):
    """What the backward of a sequence needs.

    `h` (N, T + 1, H) begins with the first states; `gates` (T, N, 4H) holds r, z, n, u side by side.
    """

    x: np.ndarray
    h: np.ndarray
    gates: np.ndarray
    Wx: np.ndarray
    Wh: np.ndarray


def gru_step_forward(
    x: np.ndarray, prev_h: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, GruStepCache]:
    r"""One step: two gates and a candidate, then a mixture of the old state and the candidate.

    The reset gate acts after the product with the weights, as in PyTorch, Flax and cuDNN. The weights hold three blocks
    side by side, in the order r, z, n.

    Derivation: [GRU](../layers/gru.md)

    Source: Cho et al., Learning phrase representations using RNN encoder–decoder for statistical machine translation,
    EMNLP 2014, equations (5) to (8), where the reset gate acts before the product.

    Args:
        x: (N, D) the inputs of this time.
        prev_h: (N, H) the states before.
        Wx: (D, 3H) the weights of the input.
        Wh: (H, 3H) the weights of the state.
        b: (4H,) the biases of r and z, then that of the candidate outside the reset, then the one inside it.

    Returns:
        next_h: (N, H) the new states.
        cache: what `gru_step_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x, prev_h = np.array([[1.0]]), np.array([[0.5]])
    >>> Wx, Wh = np.array([[0.0, 0.0, 2.0]]), np.zeros((1, 3))
    >>> for z in (-50.0, 0.0, 50.0):  # replace the state, go half the way, keep it
    ...     next_h, cache = gru_step_forward(x, prev_h, Wx, Wh, b=np.array([0.0, z, 0.0, 0.0]))
    ...     print(next_h.round(4))
    [[0.964]]
    [[0.732]]
    [[0.5]]
    """
    _check(x, prev_h, Wx, Wh, b, axes="N, D", state="prev_h")
    H = prev_h.shape[1]
    ax = x @ Wx + b[: 3 * H]
    ah = prev_h @ Wh
    r = _sigmoid(ax[:, :H] + ah[:, :H])
    z = _sigmoid(ax[:, H : 2 * H] + ah[:, H : 2 * H])
    u = ah[:, 2 * H :] + b[3 * H :]
    n = np.tanh(ax[:, 2 * H :] + r * u)
    next_h = z * prev_h + (1 - z) * n
    return next_h, GruStepCache(x, prev_h, r, z, n, u, Wx, Wh)


def gru_step_backward(
    dnext_h: np.ndarray, cache: GruStepCache
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""The gradients of one step. What leaves the candidate passes the reset gate on its way to the state's weights.

    Derivation: [GRU](../layers/gru.md)

    Source: the chain rule on the equations of Cho et al. (2014), with the reset after the product.

    Args:
        dnext_h: (N, H) gradient of the loss with respect to `next_h`.
        cache: what `gru_step_forward` returned.

    Returns:
        dx: (N, D) gradient with respect to `x`.
        dprev_h: (N, H) gradient with respect to `prev_h`.
        dWx: (D, 3H) gradient with respect to `Wx`.
        dWh: (H, 3H) gradient with respect to `Wh`.
        db: (4H,) gradient with respect to `b`.

    Raises:
        ValueError: `dnext_h` has not the shape of the states, or does not hold real numbers.

    >>> x, prev_h, Wx, Wh = np.array([[1.0]]), np.array([[0.5]]), np.array([[0.0, 0.0, 2.0]]), np.zeros((1, 3))
    >>> _, cache = gru_step_forward(x, prev_h, Wx, Wh, b=np.array([0.0, 50.0, 0.0, 0.0]))
    >>> dprev_h = gru_step_backward(np.array([[3.0]]), cache)[1]
    >>> dprev_h  # a state that is kept hands its gradient on
    array([[3.]])
    """
    x, prev_h, r, z, n, u, Wx, Wh = cache
    _require("dnext_h", dnext_h, n.shape)
    dan = dnext_h * (1 - z) * (1 - n) * (1 + n)
    daz = dnext_h * (prev_h - n) * z * (1 - z)
    dar = dan * u * r * (1 - r)
    du = dan * r
    da = np.concatenate((dar, daz, dan), axis=1)  # for what comes from x
    ds = np.concatenate((dar, daz, du), axis=1)  # for what comes from the state

    dx = da @ Wx.T
    dprev_h = dnext_h * z + ds @ Wh.T
    dWx = x.T @ da
    dWh = prev_h.T @ ds
    db = np.concatenate((da.sum(axis=0), du.sum(axis=0)))
    return dx, dprev_h, dWx, dWh, db


def gru_forward(
    x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, GruCache]:
    r"""Run a whole sequence, with the same weights at every step.

    Only the product with the state must wait for the step before. The inputs of all times are multiplied at once.

    Derivation: [GRU](../layers/gru.md)

    Source: Cho et al. (2014), equations (5) to (8), with the reset after the product.

    Args:
        x: (N, T, D) N sequences of T inputs.
        h0: (N, H) the states before the first input.
        Wx: (D, 3H) the weights of the input, three blocks in the order r, z, n.
        Wh: (H, 3H) the weights of the state.
        b: (4H,) the biases of r and z, then that of the candidate outside the reset, then the one inside it.

    Returns:
        h: (N, T, H) the states after each input.
        cache: what `gru_backward` needs.

    Raises:
        ValueError: the shapes do not fit each other, or an array does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])  # the first input opens the state; the others leave it closed
    >>> Wx, Wh = np.array([[0.0, -100.0, 2.0]]), np.zeros((1, 3))
    >>> h, cache = gru_forward(x, np.zeros((1, 1)), Wx, Wh, b=np.array([0.0, 50.0, 0.0, 0.0]))
    >>> h[0, :, 0].round(4)
    array([0.964, 0.964, 0.964])
    """
    _check(x, h0, Wx, Wh, b, axes="N, T, D", state="h0")
    (N, T, D), H = x.shape, h0.shape[1]
    ax = (x.transpose(1, 0, 2).reshape(T * N, D) @ Wx + b[: 3 * H]).reshape(T, N, 3 * H)
    h = np.zeros_like(x, shape=(N, T + 1, H))
    gates = np.zeros_like(x, shape=(T, N, 4 * H))
    h[:, 0] = h0
    for t in range(T):
        r, z, n, u = (gates[t, :, k * H : (k + 1) * H] for k in range(4))
        ah = h[:, t] @ Wh
        gates[t, :, : 2 * H] = _sigmoid(ax[t, :, : 2 * H] + ah[:, : 2 * H])
        u[...] = ah[:, 2 * H :] + b[3 * H :]
        n[...] = np.tanh(ax[t, :, 2 * H :] + r * u)
        h[:, t + 1] = z * h[:, t] + (1 - z) * n
    return h[:, 1:].copy(), GruCache(x, h, gates, Wx, Wh)


def gru_backward(dh: np.ndarray, cache: GruCache) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    r"""Backpropagation through time: walk back from the last step, and add up what the weights get at each.

    Derivation: [GRU](../layers/gru.md)

    Source: the chain rule on the equations of Cho et al. (2014), with the reset after the product.

    Args:
        dh: (N, T, H) gradient of the loss with respect to each state by the paths that leave the network at its
            own time; what comes back from later times is added here.
        cache: what `gru_forward` returned.

    Returns:
        dx: (N, T, D) gradient with respect to `x`.
        dh0: (N, H) gradient with respect to `h0`.
        dWx: (D, 3H) gradient with respect to `Wx`.
        dWh: (H, 3H) gradient with respect to `Wh`.
        db: (4H,) gradient with respect to `b`.

    Raises:
        ValueError: `dh` has not the shape of the states, or does not hold real numbers.

    >>> x = np.array([[[1.0], [0.0], [0.0]]])
    >>> Wx, Wh = np.array([[0.0, -100.0, 2.0]]), np.zeros((1, 3))
    >>> _, cache = gru_forward(x, np.zeros((1, 1)), Wx, Wh, b=np.array([0.0, 50.0, 0.0, 0.0]))
    >>> dx, dh0, dWx, dWh, db = gru_backward(np.array([[[0.0], [0.0], [2.0]]]), cache)  # only the end matters
    >>> dx[0, :, 0].round(4) + 0  # all of it reaches the first input
    array([0.2826, 0.    , 0.    ])
    """
    x, h, gates, Wx, Wh = cache
    (N, T, D), H = x.shape, h.shape[2]
    _require("dh", dh, (N, T, H))
    da = np.zeros_like(gates)  # side by side: of r, z, n, and of u
    dprev_h = np.zeros_like(x, shape=(N, H))
    Wh_r_z, Wh_n = Wh[:, : 2 * H], Wh[:, 2 * H :]
    for t in reversed(range(T)):
        r, z, n, u = (gates[t, :, k * H : (k + 1) * H] for k in range(4))
        dar, daz, dan, du = (da[t, :, k * H : (k + 1) * H] for k in range(4))
        dnext_h = dh[:, t] + dprev_h
        dan[...] = dnext_h * (1 - z) * (1 - n) * (1 + n)
        daz[...] = dnext_h * (h[:, t] - n) * z * (1 - z)
        dar[...] = dan * u * r * (1 - r)
        du[...] = dan * r
        dprev_h = dnext_h * z + da[t, :, : 2 * H] @ Wh_r_z.T + du @ Wh_n.T

    da = da.reshape(T * N, 4 * H)
    rows = x.transpose(1, 0, 2).reshape(T * N, D)
    states = h[:, :-1].transpose(1, 0, 2).reshape(T * N, H)
    dx = (da[:, : 3 * H] @ Wx.T).reshape(T, N, D).transpose(1, 0, 2).copy()
    dWx = rows.T @ da[:, : 3 * H]
    dWh = np.concatenate((states.T @ da[:, : 2 * H], states.T @ da[:, 3 * H :]), axis=1)
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
    shapes = {"x": x.shape, state: h.shape, "Wx": (D, 3 * H), "Wh": (H, 3 * H), "b": (4 * H,)}
    for (name, shape), array in zip(shapes.items(), (x, h, Wx, Wh, b), strict=True):
        _require(name, array, shape)


def _require(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype.kind not in "fO":
        raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {array.shape}")
