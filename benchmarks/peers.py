"""How the workloads are usually written in NumPy: short, correct, straightforward, and nobody's code.

Where the fastest project that was found does something particular, the docstring says what: these functions do the same
work in the same order of passes over memory. `by_autograd` is HIPS autograd, which was the best for some.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Outputs = Sequence[Any]


def by_autograd(function: Callable[..., Any], inputs: int) -> Callable[..., Outputs] | None:
    """A step of HIPS autograd for `function` of so many inputs, with `dout` after them. None where it is missing."""
    try:
        from autograd import make_vjp
    except ImportError:
        return None

    def step(*arrays: np.ndarray) -> Outputs:
        *variables, dout = arrays[: inputs + 1]
        backward, out = make_vjp(function, argnum=list(range(inputs)))(*variables)
        return out, *backward(dout)

    return step


# --------------------------------------------------------------------------------------------- layers of vectors


def affine(x: np.ndarray, w: np.ndarray, b: np.ndarray, dout: np.ndarray) -> Outputs:
    out = x.dot(w) + b
    return out, dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=0)


def relu(x: np.ndarray, dout: np.ndarray) -> Outputs:
    """With a product: an infinite gradient at an inactive unit would become NaN."""
    return np.maximum(x, 0), dout * (x > 0)


def dropout(p: float) -> Callable[..., Outputs]:
    """A mask of floats that holds the scale, drawn in double precision."""
    generator = np.random.RandomState(0)

    def step(x: np.ndarray, dout: np.ndarray) -> Outputs:
        mask = ((generator.random_sample(x.shape) < p) / p).astype(x.dtype)
        return x * mask, dout * mask

    return step


def batchnorm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, dout: np.ndarray) -> Outputs:
    mu, var = x.mean(axis=0), x.var(axis=0)
    std = np.sqrt(var + np.float32(1e-5))
    x_hat = (x - mu) / std
    out = gamma * x_hat + beta

    dbeta, dgamma = dout.sum(axis=0), np.sum(dout * x_hat, axis=0)
    n = np.float32(len(x))
    dx = gamma / (n * std) * (n * dout - dbeta - x_hat * dgamma)
    return out, dx, dgamma, dbeta


def layernorm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, dout: np.ndarray) -> Outputs:
    mu, var = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    std = np.sqrt(var + np.float32(1e-5))
    x_hat = (x - mu) / std
    out = gamma * x_hat + beta

    dbeta, dgamma = dout.sum(axis=0), np.sum(dout * x_hat, axis=0)
    dx_hat = dout * gamma
    d = np.float32(x.shape[1])
    dx = (d * dx_hat - dx_hat.sum(axis=1, keepdims=True) - x_hat * np.sum(dx_hat * x_hat, axis=1, keepdims=True)) / (
        d * std
    )
    return out, dx, dgamma, dbeta


# ------------------------------------------------------------------------------------------------ layers of images


def channels_last() -> Callable[..., Outputs]:
    """Batch normalization of rows, for images that are stored with their channels last. Turning them is not timed."""
    stored: list[np.ndarray] = []

    def step(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, dout: np.ndarray) -> Outputs:
        n, c, h, w = x.shape
        if not stored:
            stored.extend(np.ascontiguousarray(a.transpose(0, 2, 3, 1)).reshape(-1, c) for a in (x, dout))
        out, dx, dgamma, dbeta = batchnorm(stored[0], gamma, beta, stored[1])
        views = [a.reshape(n, h, w, c).transpose(0, 3, 1, 2) for a in (out, dx)]
        return *views, dgamma, dbeta

    return step


def groupnorm(groups: int) -> Callable[..., Outputs]:
    def step(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, dout: np.ndarray) -> Outputs:
        rows = x.reshape(len(x) * groups, -1)
        mu, var = rows.mean(axis=1, keepdims=True), rows.var(axis=1, keepdims=True)
        std = np.sqrt(var + np.float32(1e-5))
        flat = (rows - mu) / std
        x_hat = flat.reshape(x.shape)
        out = gamma * x_hat + beta

        dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
        dgamma = np.sum(dout * x_hat, axis=(0, 2, 3), keepdims=True)
        d = (dout * gamma).reshape(len(x) * groups, -1)
        m = np.float32(d.shape[1])
        dx = (m * d - d.sum(axis=1, keepdims=True) - flat * np.sum(d * flat, axis=1, keepdims=True)) / (m * std)
        return out, dx.reshape(x.shape), dgamma, dbeta

    return step


def conv(stride: int, pad: int) -> Callable[..., Outputs]:
    """The windows of the whole batch as one matrix, and back by adding one place of the kernel after the other.

    This is what compiled im2col layers for NumPy do, too.
    """

    def step(x: np.ndarray, w: np.ndarray, b: np.ndarray, dout: np.ndarray) -> Outputs:
        (n, c, _, _), (f, _, r, q), (p, u) = x.shape, w.shape, dout.shape[2:]
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        columns = np.empty((c, r, q, n, p, u), x.dtype)
        places = [
            (i, j, np.s_[:, :, i : i + stride * p : stride, j : j + stride * u : stride])
            for i in range(r)
            for j in range(q)
        ]
        for i, j, place in places:
            columns[:, i, j] = padded[place].swapaxes(0, 1)
        matrix = columns.reshape(c * r * q, -1)
        out = (w.reshape(f, -1) @ matrix).reshape(f, n, p, u).swapaxes(0, 1) + b[:, None, None]

        rows = dout.swapaxes(0, 1).reshape(f, -1)
        dw = (rows @ matrix.T).reshape(w.shape)
        dcolumns = (w.reshape(f, -1).T @ rows).reshape(columns.shape)
        dpadded = np.zeros_like(padded)
        for i, j, place in places:
            dpadded[place] += dcolumns[:, i, j].swapaxes(0, 1)
        dx = dpadded[:, :, pad : dpadded.shape[2] - pad, pad : dpadded.shape[3] - pad]
        return out, dx, dw, dout.sum(axis=(0, 2, 3))

    return step


# --------------------------------------------------------------------------------------- losses, neighbours, rules


def softmax_loss(x: np.ndarray, y: np.ndarray) -> Outputs:
    n = len(x)
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dx = np.exp(log_p)
    loss = -log_p[np.arange(n), y].sum() / n
    dx[np.arange(n), y] -= 1
    dx /= n
    return loss, dx


def svm_loss(x: np.ndarray, y: np.ndarray) -> Outputs:
    n = len(x)
    right = x[np.arange(n), y]
    margins = np.maximum(0, x - right[:, None] + 1)
    margins[np.arange(n), y] = 0
    loss = margins.sum() / n
    positive = (margins > 0).sum(axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(n), y] -= positive
    dx /= n
    return loss, dx


def distances(x: np.ndarray, train: np.ndarray) -> Outputs:
    squares = (x**2).sum(axis=1)[:, None] + (train**2).sum(axis=1) - 2 * x.dot(train.T)
    return (np.sqrt(np.maximum(squares, 0)),)


def momentum(w: np.ndarray, dw: np.ndarray, v: np.ndarray) -> Outputs:
    v = 0.9 * v - 1e-2 * dw
    return (w + v,)


def rmsprop(w: np.ndarray, dw: np.ndarray, cache: np.ndarray) -> Outputs:
    cache = 0.99 * cache + 0.01 * dw**2
    return (w - 1e-2 * dw / (np.sqrt(cache) + 1e-8),)


def adam(w: np.ndarray, dw: np.ndarray, m: np.ndarray, v: np.ndarray) -> Outputs:
    t = 10
    m = 0.9 * m + 0.1 * dw
    v = 0.999 * v + 0.001 * dw**2
    return (w - 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8),)


# ------------------------------------------------------------------------------------------------------ sequences


def rnn(x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, dh: np.ndarray) -> Outputs:
    """One step after the other, forward and backward, each with its own products."""
    h = np.empty((x.shape[0], x.shape[1] + 1, Wh.shape[0]), x.dtype)
    h[:, 0] = h0
    for t in range(x.shape[1]):
        h[:, t + 1] = np.tanh(x[:, t] @ Wx + h[:, t] @ Wh + b)
    dx, dWx, dWh, db, back = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b), np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + back) * (1 - h[:, t + 1] ** 2)
        dx[:, t], back = da @ Wx.T, da @ Wh.T
        dWx += x[:, t].T @ da
        dWh += h[:, t].T @ da
        db += da.sum(axis=0)
    return h[:, 1:], dx, back, dWx, dWh, db


def lstm(x: np.ndarray, h0: np.ndarray, Wx: np.ndarray, Wh: np.ndarray, b: np.ndarray, dh: np.ndarray) -> Outputs:
    """One step after the other, each gate by itself."""
    n, steps, _ = x.shape
    width = len(Wh)
    states, gates, h, c = [], [], h0, np.zeros_like(h0)
    out = np.empty((n, steps, width), x.dtype)
    for t in range(steps):
        a = x[:, t] @ Wx + h @ Wh + b
        i, f, o = (1 / (1 + np.exp(-part)) for part in np.split(a[:, : 3 * width], 3, axis=1))
        g = np.tanh(a[:, 3 * width :])
        states.append((h, c))
        c = f * c + i * g
        gates.append((i, f, o, g, np.tanh(c)))
        h = out[:, t] = o * gates[-1][-1]
    dx, dWx, dWh, db = np.empty_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
    back_h, back_c = np.zeros_like(h0), np.zeros_like(h0)
    for t in reversed(range(steps)):
        (before, c), (i, f, o, g, tanh_c) = states[t], gates[t]
        d = dh[:, t] + back_h
        dc = back_c + d * o * (1 - tanh_c**2)
        da = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), d * tanh_c * o * (1 - o), dc * i * (1 - g**2)], axis=1
        )
        dx[:, t], back_h, back_c = da @ Wx.T, da @ Wh.T, dc * f
        dWx += x[:, t].T @ da
        dWh += before.T @ da
        db += da.sum(axis=0)
    return out, dx, back_h, dWx, dWh, db


def word_embedding(words: np.ndarray, W: np.ndarray, dout: np.ndarray) -> Outputs:
    dW = np.zeros_like(W)
    np.add.at(dW, words, dout)
    return W[words], dW


def temporal_softmax_loss(x: np.ndarray, y: np.ndarray, mask: np.ndarray) -> Outputs:
    n, steps, v = x.shape
    flat, words, counts = x.reshape(-1, v), y.reshape(-1), mask.reshape(-1)
    p = np.exp(flat - flat.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(n * steps)
    loss = -np.sum(counts * np.log(p[rows, words])) / n
    dx = p.copy()
    dx[rows, words] -= 1
    dx /= n
    dx *= counts[:, None]
    return loss, dx.reshape(x.shape)
