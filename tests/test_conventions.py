"""The tables of docs/conventions.md, row by row, where the framework is installed.

Each test names the row it belongs to. ONNX and Flux are not run here; the page names the versions that were read.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from cs231n.layers.batchnorm import batchnorm_forward


def normalized(x: np.ndarray, axis: int, *, ddof: int = 0, inside: float = 0.0, outside: float = 0.0) -> np.ndarray:
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / (np.sqrt(x.var(axis=axis, ddof=ddof, keepdims=True) + inside) + outside)


def default(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


@pytest.fixture
def x(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(2.0, 0.1, size=(6, 4))  # a spread small enough for the place of ε to show


# PyTorch


@pytest.mark.torch
def test_torch_variances_are_unbiased_by_default_and_normalization_is_not(x: np.ndarray) -> None:
    import torch

    assert np.allclose(torch.tensor(x).var(dim=0), x.var(axis=0, ddof=1))
    assert np.allclose(torch.tensor(x).std(dim=0), x.std(axis=0, ddof=1))
    assert np.allclose(torch.tensor(x).var(dim=0, correction=0), x.var(axis=0))
    layer = torch.nn.BatchNorm1d(4, dtype=torch.float64)
    assert np.allclose(layer(torch.tensor(x)).detach(), normalized(x, 0, inside=1e-5), rtol=1e-12)


@pytest.mark.torch
def test_torch_running_statistics(x: np.ndarray) -> None:
    import torch

    layer = torch.nn.BatchNorm1d(4, dtype=torch.float64)
    assert layer.momentum == 0.1 and layer.eps == 1e-5
    assert torch.equal(layer.running_mean, torch.zeros(4)) and torch.equal(layer.running_var, torch.ones(4))
    layer(torch.tensor(x))
    assert np.allclose(layer.running_mean, 0.1 * x.mean(axis=0))
    assert np.allclose(layer.running_var, 0.9 + 0.1 * x.var(axis=0, ddof=1))
    with pytest.raises(ValueError, match="more than 1 value"):
        layer(torch.tensor(x[:1]))


@pytest.mark.torch
def test_torch_layer_and_rms_norm(x: np.ndarray) -> None:
    import torch

    layer, rms = torch.nn.LayerNorm(4, dtype=torch.float64), torch.nn.RMSNorm(4, dtype=torch.float64)
    assert layer.eps == 1e-5 and rms.eps is None
    assert np.allclose(layer(torch.tensor(x)).detach(), normalized(x, 1, inside=1e-5), rtol=1e-12)
    small = 1e-8 * x  # so that the machine epsilon counts
    expected = small / np.sqrt((small**2).mean(axis=1, keepdims=True) + np.finfo(np.float64).eps)
    assert np.allclose(rms(torch.tensor(small)).detach(), expected, rtol=1e-12)
    assert torch.nn.GroupNorm(2, 4).weight.shape == (4,) and torch.nn.GroupNorm(2, 4).eps == 1e-5


@pytest.mark.torch
def test_torch_dropout_names_the_probability_to_drop() -> None:
    import torch

    out = torch.nn.functional.dropout(torch.full((10_000,), 3.0), p=0.2)
    assert set(out.unique().tolist()) == {0.0, 3.75}
    assert abs((out == 0).double().mean() - 0.2) < 0.03
    assert default(torch.nn.Dropout, "p") == 0.5


@pytest.mark.torch
def test_torch_layouts(rng: np.random.Generator) -> None:
    import torch

    assert torch.nn.Linear(3, 5).weight.shape == (5, 3)
    conv = torch.nn.Conv2d(3, 5, (2, 4))
    assert conv.weight.shape == (5, 3, 2, 4)
    assert conv(torch.zeros(7, 3, 8, 9)).shape == (7, 5, 7, 6)  # no padding
    image, kernel = rng.normal(size=(1, 1, 2, 3)), rng.normal(size=(1, 1, 2, 3))
    got = torch.nn.functional.conv2d(torch.tensor(image), torch.tensor(kernel))
    assert np.allclose(got, (image * kernel).sum())  # a correlation: the kernel is not turned


@pytest.mark.torch
def test_torch_pooling() -> None:
    import torch

    image = torch.arange(1.0, 26.0).reshape(1, 1, 5, 5)
    assert torch.nn.functional.max_pool2d(image, 2).shape == (1, 1, 2, 2)  # the stride is the window
    assert torch.nn.functional.avg_pool2d(image, 2, padding=1)[0, 0, 0, 0] == 1 / 4  # zeros of the padding count


@pytest.mark.torch
def test_torch_losses(rng: np.random.Generator) -> None:
    import torch
    import torch.nn.functional as F

    scores, labels = torch.tensor(rng.normal(size=(6, 4))), torch.tensor([0, 3, 1, 1, 2, 0])
    log_p = torch.log_softmax(scores, dim=1)
    assert torch.allclose(F.cross_entropy(scores, labels), -log_p[torch.arange(6), labels].mean())
    assert F.cross_entropy(torch.zeros(6, 4, 2, 3), torch.zeros(6, 2, 3, dtype=torch.long)).shape == ()
    a, b = torch.tensor(rng.normal(size=(6, 4))), torch.tensor(rng.normal(size=(6, 4)))
    assert torch.allclose(F.mse_loss(a, b), ((a - b) ** 2).sum() / 24)

    p = torch.softmax(a, dim=1)
    divergence = (p * (p.log() - log_p)).sum()
    with pytest.warns(UserWarning, match="batchmean"):
        assert torch.allclose(F.kl_div(log_p, p), divergence / 24)
    assert torch.allclose(F.kl_div(log_p, p, reduction="batchmean"), divergence / 6)


@pytest.mark.torch
def test_torch_activations() -> None:
    import torch
    import torch.nn.functional as F

    one = torch.tensor(1.0, dtype=torch.float64)
    assert torch.allclose(F.gelu(one), (1 + torch.erf(one / 2**0.5)) / 2)
    assert not torch.allclose(F.gelu(one), F.gelu(one, approximate="tanh"), atol=1e-5)
    assert F.leaky_relu(-one) == -0.01

    def slope(function: Any) -> float:
        at = torch.zeros((), requires_grad=True)
        (gradient,) = torch.autograd.grad(function(at), at)
        return float(gradient)

    assert slope(torch.relu) == 0
    assert slope(lambda v: torch.maximum(v, torch.zeros(()))) == 0.5
    assert slope(torch.abs) == 0


@pytest.mark.torch
def test_torch_ties_of_a_maximum() -> None:
    import torch

    row = torch.tensor([1.0, 3.0, 3.0], requires_grad=True)
    assert torch.autograd.grad(row.amax(), row)[0].tolist() == [0, 0.5, 0.5]
    assert torch.autograd.grad(row.max(), row)[0].tolist() == [0, 0.5, 0.5]
    assert sorted(torch.autograd.grad(row.max(dim=0).values, row)[0].tolist()) == [0, 0, 1]


@pytest.mark.torch
def test_torch_optimizers() -> None:
    import torch

    def steps(make: Any, gradients: list[float], start: float = 1.0) -> float:
        w = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        optimizer = make([w])
        for gradient in gradients:
            w.grad = torch.full_like(w, gradient)
            optimizer.step()
        return w.item()

    g, lr, eps = 1e-8, 0.1, 1e-8
    # Adam: at the first step both corrected moments are exact, so ε counts in full only if it comes after
    assert np.isclose(1 - steps(lambda p: torch.optim.Adam(p, lr=lr), [g]), lr * g / (g + eps), rtol=1e-6)
    got = 1 - steps(lambda p: torch.optim.RMSprop(p, lr=lr), [g])
    assert np.isclose(got, lr * g / (np.sqrt(0.01 * g * g) + 1e-8), rtol=1e-6)  # alpha 0.99, outside the root
    # momentum: the rate stands outside the velocity
    got = 1 - steps(lambda p: torch.optim.SGD(p, lr=lr, momentum=0.9), [2.0, 3.0])
    assert np.isclose(got, lr * 2 + lr * (0.9 * 2 + 3))
    # decay: the gradient of ½ λ w²; AdamW shrinks by rate times decay, 0.01 by default
    assert np.isclose(steps(lambda p: torch.optim.SGD(p, lr=lr, weight_decay=0.3), [0.0], 5.0), 5 - lr * 0.3 * 5)
    assert np.isclose(steps(lambda p: torch.optim.AdamW(p, lr=lr), [0.0], 5.0), 5 * (1 - lr * 0.01))


@pytest.mark.torch
def test_torch_lstm_and_gru_gates(rng: np.random.Generator) -> None:
    import torch

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    x, h, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    lstm = torch.nn.LSTMCell(3, 5, dtype=torch.float64)
    assert lstm.weight_ih.shape == (20, 3)
    w, u, b, b2 = (p.detach().numpy() for p in (lstm.weight_ih, lstm.weight_hh, lstm.bias_ih, lstm.bias_hh))
    i, f, g, o = np.split(x @ w.T + h @ u.T + b + b2, 4, axis=1)
    next_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    next_h = sigmoid(o) * np.tanh(next_c)
    got_h, got_c = lstm(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    assert np.allclose(got_h.detach(), next_h) and np.allclose(got_c.detach(), next_c)

    gru = torch.nn.GRUCell(3, 5, dtype=torch.float64)
    w, u, b, b2 = (p.detach().numpy() for p in (gru.weight_ih, gru.weight_hh, gru.bias_ih, gru.bias_hh))
    (xr, xz, xn), (hr, hz, hn) = np.split(x @ w.T + b, 3, axis=1), np.split(h @ u.T + b2, 3, axis=1)
    new = np.tanh(xn + sigmoid(xr + hr) * hn)  # reset after the product
    z = sigmoid(xz + hz)
    assert np.allclose(gru(torch.tensor(x), torch.tensor(h)).detach(), (1 - z) * new + z * h)
    assert torch.nn.LSTM(3, 5)(torch.zeros(7, 4, 3))[0].shape == (7, 4, 5)  # time first
    assert default(torch.nn.RNNBase, "batch_first") is False


@pytest.mark.torch
def test_torch_has_two_meanings_of_a_boolean_mask(rng: np.random.Generator) -> None:
    import torch

    q, k, v = (torch.tensor(rng.normal(size=(1, n, 4))) for n in (2, 3, 3))
    only_first = torch.tensor([[True, False, False]] * 2)
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=only_first)
    assert torch.allclose(out, v[:, :1].expand(1, 2, 4))  # True: takes part

    layer = torch.nn.MultiheadAttention(4, 1, batch_first=True, dtype=torch.float64)
    _, weights = layer(q, k, v, attn_mask=only_first)
    assert torch.equal(weights[0, :, 0], torch.zeros(2, dtype=torch.float64))  # True: kept out


# JAX, with Flax and Optax


@pytest.fixture
def in_float64() -> Any:
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


@pytest.mark.jax
@pytest.mark.usefixtures("in_float64")
def test_jax_variances_are_biased_by_default(x: np.ndarray) -> None:
    import jax.numpy as jnp

    assert np.allclose(jnp.var(x, axis=0), x.var(axis=0, ddof=0))
    assert np.allclose(jnp.std(x, axis=0), x.std(axis=0, ddof=0))
    assert np.allclose(jnp.var(x, axis=0, ddof=1), x.var(axis=0, ddof=1))


@pytest.mark.jax
def test_flax_normalization(x: np.ndarray) -> None:
    from flax import nnx

    x = x.astype(np.float32)  # Flax keeps its statistics so
    exact = x.astype(np.float64)
    batch = nnx.BatchNorm(4, use_fast_variance=False, rngs=nnx.Rngs(0))
    assert batch.momentum == 0.99 and batch.epsilon == 1e-5
    assert not np.any(batch.mean[...]) and np.all(batch.var[...] == 1)
    assert np.allclose(batch(x), normalized(exact, 0, inside=1e-5), rtol=1e-5, atol=1e-5)
    assert np.allclose(batch.mean[...], 0.01 * exact.mean(axis=0), rtol=1e-5)
    assert np.allclose(batch.var[...], 0.99 + 0.01 * exact.var(axis=0), rtol=1e-6)

    assert nnx.GroupNorm(4, num_groups=2, rngs=nnx.Rngs(0)).scale.shape == (4,)
    layer = nnx.LayerNorm(4, use_fast_variance=False, rngs=nnx.Rngs(0))
    assert layer.epsilon == nnx.RMSNorm(4, rngs=nnx.Rngs(0)).epsilon == 1e-6
    assert np.allclose(layer(x), normalized(exact, 1, inside=1e-6), rtol=1e-5, atol=1e-5)


@pytest.mark.jax
def test_flax_computes_the_variance_in_one_pass(rng: np.random.Generator) -> None:
    from flax import nnx

    far = (10_000 + rng.normal(size=(500, 2))).astype(np.float32)
    fast, careful = (nnx.BatchNorm(2, use_fast_variance=fast, rngs=nnx.Rngs(0)) for fast in (True, False))
    truth = normalized(far.astype(np.float64), 0, inside=1e-5)
    assert np.abs(careful(far) - truth).max() < 0.01
    assert np.abs(fast(far) - truth).max() > 0.1
    assert default(nnx.BatchNorm.__init__, "use_fast_variance") is True


@pytest.mark.jax
def test_flax_dropout_and_layouts(rng: np.random.Generator) -> None:
    import jax.numpy as jnp
    from flax import nnx

    out = nnx.Dropout(0.2, rngs=nnx.Rngs(0))(jnp.full(10_000, 3.0))
    assert set(np.unique(out).tolist()) == {0.0, 3.75} and abs((out == 0).mean() - 0.2) < 0.03
    assert nnx.Linear(3, 5, rngs=nnx.Rngs(0)).kernel.shape == (3, 5)
    conv = nnx.Conv(3, 5, (2, 4), rngs=nnx.Rngs(0))
    assert conv.kernel.shape == (2, 4, 3, 5)
    assert conv(jnp.zeros((7, 8, 9, 3))).shape == (7, 8, 9, 5)  # padded to the same size, channels last
    one = nnx.Conv(1, 1, (2, 3), padding="VALID", rngs=nnx.Rngs(0))
    window = rng.normal(size=(1, 2, 3, 1)).astype(np.float32)
    expected = (window[0, ..., 0] * one.kernel[..., 0, 0]).sum()
    assert np.allclose(one(window), expected, atol=1e-5)  # a correlation: the kernel is not turned
    image = jnp.arange(1.0, 26.0).reshape(1, 5, 5, 1)
    assert nnx.max_pool(image, (2, 2)).shape == (1, 4, 4, 1)  # stride 1
    padded = nnx.avg_pool(image, (2, 2), padding=((1, 1), (1, 1)))
    assert padded[0, 0, 0, 0] == 1 / 4


@pytest.mark.jax
def test_optax_losses_do_not_reduce(rng: np.random.Generator) -> None:
    import jax
    import optax

    scores, labels = rng.normal(size=(6, 4)).astype(np.float32), np.array([0, 3, 1, 1, 2, 0])
    log_p = jax.nn.log_softmax(scores)
    got = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
    assert np.allclose(got, -log_p[np.arange(6), labels], atol=1e-5)
    assert np.allclose(optax.softmax_cross_entropy(scores, np.eye(4, dtype=np.float32)[labels]), got, atol=1e-5)
    assert list(inspect.signature(optax.softmax_cross_entropy).parameters)[:2] == ["logits", "labels"]
    a, b = (rng.normal(size=(6, 4)).astype(np.float32) for _ in range(2))
    assert np.allclose(optax.squared_error(a, b), (a - b) ** 2, atol=1e-5)
    assert np.allclose(optax.l2_loss(a, b), (a - b) ** 2 / 2, atol=1e-5)
    p = jax.nn.softmax(a)
    assert np.allclose(optax.kl_divergence(log_p, p), (p * (np.log(p) - log_p)).sum(axis=1), atol=1e-5)
    assert optax.sigmoid_binary_cross_entropy(a, (b > 0).astype(np.float32)).shape == (6, 4)


@pytest.mark.jax
@pytest.mark.usefixtures("in_float64")
def test_jax_activations_and_ties() -> None:
    import jax
    import jax.numpy as jnp

    assert not np.isclose(jax.nn.gelu(1.0), jax.nn.gelu(1.0, approximate=False), atol=1e-5)
    assert default(jax.nn.gelu, "approximate") is True
    assert jax.nn.leaky_relu(-1.0) == -0.01
    assert jax.grad(jax.nn.relu)(0.0) == 0
    assert jax.grad(lambda v: jnp.maximum(v, 0.0))(0.0) == 0.5
    assert jax.grad(jnp.abs)(0.0) == 1  # the slope from the right
    assert jax.grad(jnp.max)(jnp.array([1.0, 3.0, 3.0])).tolist() == [0, 0.5, 0.5]


@pytest.mark.jax
@pytest.mark.usefixtures("in_float64")
def test_optax_optimizers() -> None:
    import jax.numpy as jnp
    import optax

    def steps(rule: Any, gradients: list[float], start: float = 1.0) -> float:
        w = jnp.array(start)
        state = rule.init(w)
        for gradient in gradients:
            update, state = rule.update(jnp.array(gradient), state, w)
            w = optax.apply_updates(w, update)
        return float(w)

    g, lr, eps = 1e-8, 0.1, 1e-8
    assert np.isclose(1 - steps(optax.adam(lr), [g]), lr * g / (g + eps), rtol=1e-6)
    assert np.isclose(1 - steps(optax.adam(lr, eps=0, eps_root=1e-16), [g]), lr * g / np.sqrt(g * g + 1e-16), rtol=1e-6)
    assert np.isclose(1 - steps(optax.rmsprop(lr), [g]), lr * g / np.sqrt(0.1 * g * g + 1e-8), rtol=1e-6)  # inside
    assert np.isclose(1 - steps(optax.sgd(lr, momentum=0.9), [2.0, 3.0]), lr * 2 + lr * (0.9 * 2 + 3))
    assert np.isclose(steps(optax.adamw(lr), [0.0], 5.0), 5 * (1 - lr * 1e-4))


@pytest.mark.jax
@pytest.mark.usefixtures("in_float64")
def test_flax_lstm_and_gru_gates(rng: np.random.Generator) -> None:
    import jax.numpy as jnp
    from flax import nnx

    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    x, h, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    cell = nnx.OptimizedLSTMCell(3, 5, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    w, u, b = (np.asarray(p[...]) for p in (cell.dense_i.kernel, cell.dense_h.kernel, cell.dense_h.bias))
    assert w.shape == (3, 20) and cell.dense_i.bias is None
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
    next_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    (got_c, got_h), _ = cell((jnp.array(c), jnp.array(h)), jnp.array(x))  # the state is (c, h)
    assert np.allclose(got_c, next_c) and np.allclose(got_h, sigmoid(o) * np.tanh(next_c))
    assert default(nnx.RNN.__init__, "time_major") is False

    gru = nnx.GRUCell(3, 5, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    (xr, xz, xn), (hr, hz, hn) = (np.split(part, 3, axis=1) for part in (gru.dense_i(x), gru.dense_h(h)))
    new = np.tanh(xn + sigmoid(xr + hr) * hn)  # reset after the product
    z = sigmoid(xz + hz)
    assert np.allclose(gru(jnp.array(h), jnp.array(x))[0], (1 - z) * new + z * h)


@pytest.mark.jax
@pytest.mark.usefixtures("in_float64")
def test_jax_attention_mask(rng: np.random.Generator) -> None:
    import jax
    import jax.numpy as jnp

    q, k, v = (jnp.array(rng.normal(size=(1, n, 1, 4))) for n in (2, 3, 3))  # batch, time, heads, depth
    out = jax.nn.dot_product_attention(q, k, v, mask=jnp.array([[[[True, False, False]] * 2]]))
    assert np.allclose(out, np.broadcast_to(v[:, :1], (1, 2, 1, 4)))  # True: takes part


# here


def test_ours(x: np.ndarray) -> None:
    bn_param: dict[str, Any] = {"mode": "train"}
    out, _ = batchnorm_forward(x, np.array([1.0] * 4), np.zeros(4), bn_param)
    assert np.allclose(out, normalized(x, 0, inside=1e-5), rtol=1e-12)
    assert np.allclose(bn_param["running_mean"], 0.1 * x.mean(axis=0))
    assert np.allclose(bn_param["running_var"], 0.1 * x.var(axis=0))
