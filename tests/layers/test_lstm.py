import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.lstm import lstm_backward, lstm_forward, lstm_step_backward, lstm_step_forward

N, T, D, H = 2, 4, 3, 5
SHAPES = [(N, T, D, H), (1, 3, 2, 4), (2, 1, 3, 4), (2, 3, 1, 4), (3, 4, 2, 1), (1, 1, 1, 1)]


def draw(shape=(N, T, D, H), seed=0):
    """The five arguments of a sequence, and a gradient for each state."""
    N, T, D, H = shape
    rng = np.random.default_rng(seed)
    sizes = (N, T, D), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,), (N, T, H)
    *arguments, dh = (rng.normal(size=s) for s in sizes)
    return arguments, dh


def draw_step(shape=(N, T, D, H), seed=0):
    """The six arguments of a step, and a gradient for each of its two outputs."""
    (x, prev_h, *weights), dh = draw(shape, seed)
    rng = np.random.default_rng(seed + 1)
    prev_c, dnext_c = rng.normal(size=(2, *prev_h.shape))
    return [x[:, 0].copy(), prev_h, prev_c, *weights], (dh[:, 0].copy(), dnext_c)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_sequence_agree_with_differences(shape):
    arguments, dh = draw(shape)
    gradients = lstm_backward(dh, lstm_forward(*arguments)[1])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: lstm_forward(*arguments)[0], array, dh)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_step_agree_with_differences(shape):
    arguments, upstream = draw_step(shape)
    gradients = lstm_step_backward(*upstream, lstm_step_forward(*arguments)[2])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = sum(
            eval_numerical_gradient_array(lambda _, k=k: lstm_step_forward(*arguments)[k], array, upstream[k])
            for k in range(2)
        )
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_a_sequence_is_its_steps_from_a_cell_of_zeros_and_its_gradient_that_of_the_steps():
    (x, h0, *weights), dh = draw()
    h, cache = lstm_forward(x, h0, *weights)
    state, cell, caches = h0, np.zeros((N, H)), []
    for t in range(T):
        state, cell, step_cache = lstm_step_forward(x[:, t], state, cell, *weights)
        caches.append(step_cache)
        np.testing.assert_allclose(h[:, t], state, rtol=1e-12)
    back, back_c, dx = np.zeros((N, H)), np.zeros((N, H)), np.zeros_like(x)
    sums = [np.zeros_like(w) for w in weights]
    for t in reversed(range(T)):
        dx[:, t], back, back_c, *parts = lstm_step_backward(dh[:, t] + back, back_c, caches[t])
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    for ours, stepwise in zip(lstm_backward(dh, cache), (dx, back, *sums), strict=True):
        np.testing.assert_allclose(ours, stepwise, rtol=1e-11, atol=1e-13)


def test_the_blocks_are_i_f_o_g():
    (x, prev_h, prev_c, Wx, Wh, b), _ = draw_step()
    next_h, next_c, cache = lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b)
    a = x @ Wx + prev_h @ Wh + b
    i, f, o = (1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) for k in range(3))
    np.testing.assert_allclose(next_c, f * prev_c + i * np.tanh(a[:, 3 * H :]), rtol=1e-12)
    np.testing.assert_allclose(next_h, o * np.tanh(next_c), rtol=1e-12)
    for found, expected in zip((cache.i, cache.f, cache.o), (i, f, o), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_cell_collects_two_paths():
    arguments, (dnext_h, dnext_c) = draw_step()
    _, _, cache = lstm_step_forward(*arguments)
    both = lstm_step_backward(dnext_h, dnext_c, cache)
    only_h = lstm_step_backward(dnext_h, 0 * dnext_c, cache)
    only_c = lstm_step_backward(0 * dnext_h, dnext_c, cache)
    for total, one, other in zip(both, only_h, only_c, strict=True):
        np.testing.assert_allclose(total, one + other, rtol=1e-10, atol=1e-13)
        assert np.abs(one).max() > 1e-3 and np.abs(other).max() > 1e-3


def test_an_open_forget_gate_hands_the_gradient_of_the_cell_on_untouched():
    arguments, (dnext_h, dnext_c) = draw_step()
    arguments[-1][H : 2 * H] = 1000  # forget nothing
    arguments[-1][2 * H : 3 * H] = -1000  # show nothing
    _, next_c, cache = lstm_step_forward(*arguments)
    np.testing.assert_allclose(next_c, arguments[2] + cache.i * cache.g, rtol=1e-12)
    np.testing.assert_array_equal(lstm_step_backward(dnext_h, dnext_c, cache)[2], dnext_c)


def test_the_callers_gradients_are_not_changed_and_a_second_call_gives_the_same():
    # seed, no. 14: dnext_c was updated in place, and a second call with the same arrays gave another answer
    arguments, (dnext_h, dnext_c) = draw_step()
    _, _, cache = lstm_step_forward(*arguments)
    kept = dnext_h.copy(), dnext_c.copy()
    first = lstm_step_backward(dnext_h, dnext_c, cache)
    np.testing.assert_array_equal(dnext_h, kept[0])
    np.testing.assert_array_equal(dnext_c, kept[1])
    for once, again in zip(first, lstm_step_backward(dnext_h, dnext_c, cache), strict=True):
        np.testing.assert_array_equal(once, again)


def test_read_only_arrays_are_accepted():
    arguments, upstream = draw_step()
    for array in (*arguments, *upstream):
        array.flags.writeable = False
    lstm_step_backward(*upstream, lstm_step_forward(*arguments)[2])


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    arguments, dh = draw()
    plain_h, cache = lstm_forward(*arguments)
    plain = lstm_backward(dh, cache)
    views = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arguments]
    views[0] = np.asfortranarray(arguments[0])
    dh_view = np.ascontiguousarray(dh.transpose(1, 2, 0)).transpose(2, 0, 1)
    for view in (*views, dh_view):
        view.flags.writeable = False
    h, cache = lstm_forward(*views)
    np.testing.assert_allclose(h, plain_h, rtol=1e-12)
    for _ in range(2):  # the second call gives the same
        for gradient, expected in zip(lstm_backward(dh_view, cache), plain, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    # seed, no. 20: buffers of float64 made every float32 model float64
    arguments, dh = draw()
    arguments, dh = [a.astype(dtype) for a in arguments], dh.astype(dtype)
    h, cache = lstm_forward(*arguments)
    x, h0, *weights = arguments
    next_h, next_c, step_cache = lstm_step_forward(x[:, 0], h0, dh[:, 1], *weights)
    gradients = *lstm_backward(dh, cache), *lstm_step_backward(dh[:, 0], dh[:, 2], step_cache)
    assert {a.dtype for a in (h, next_h, next_c, *cache, *step_cache, *gradients)} == {np.dtype(dtype)}


def test_large_inputs_saturate_and_do_not_overflow():
    (x, *rest), dh = draw()
    for dtype in (np.float32, np.float64):
        inputs = [a.astype(dtype) for a in (1e30 * x, *rest)]
        with np.errstate(all="raise", under="ignore"):
            h, cache = lstm_forward(*inputs)
            gradients = lstm_backward(dh.astype(dtype), cache)
        assert np.isfinite(h).all() and all(np.isfinite(g).all() for g in gradients)
        assert set(np.unique(cache.gates)) <= {-1, 0, 1}


def test_a_nearly_closed_gate_keeps_its_digits():
    # (1 + tanh(a/2)) / 2 has an absolute error, and is 0 here
    x = np.array([[1.0]], np.float32)
    Wx, b = np.array([[-30.0, 0.0, 0.0, 1.0]], np.float32), np.zeros(4, np.float32)
    _, next_c, _ = lstm_step_forward(x, 0 * x, 0 * x, Wx, 0 * Wx, b)
    assert next_c[0, 0] == pytest.approx(np.exp(-30.0) * np.tanh(1.0), rel=1e-5)


def test_nan_passes_through_the_gates():
    # seed, no. 28: its sigmoid made 1 of NaN
    arguments, upstream = draw_step()
    arguments[0][1, 0] = np.nan
    next_h, next_c, cache = lstm_step_forward(*arguments)
    for array in (next_h, next_c, cache.i, cache.f, cache.o, cache.g):
        assert np.isnan(array[1]).all() and np.isfinite(array[0]).all()
    dx, dprev_h, dprev_c, *_ = lstm_step_backward(*upstream, cache)
    for array in (dx, dprev_h, dprev_c):
        assert np.isnan(array[1]).all() and np.isfinite(array[0]).all()


def test_a_sequence_of_length_zero_gives_its_start_back():
    (x, h0, *weights), dh = draw()
    h, cache = lstm_forward(x[:, :0], h0, *weights)
    dx, dh0, dWx, dWh, db = lstm_backward(dh[:, :0], cache)
    assert h.shape == (N, 0, H) and dx.shape == (N, 0, D)
    assert not dh0.any() and not dWx.any() and not dWh.any() and not db.any()


@pytest.mark.parametrize(
    ("index", "array", "message"),
    [
        (0, np.zeros((N, D)), r"x of shape \(N, T, D\), got \(2, 3\)"),
        (1, np.zeros((N + 1, H)), r"h0 of shape \(N, H\) with N = 2, got \(3, 5\)"),
        (2, np.zeros((D, H)), r"Wx of shape \(3, 20\), got \(3, 5\)"),
        (3, np.zeros((4 * H, H)), r"Wh of shape \(5, 20\), got \(20, 5\)"),
        (4, np.zeros(H), r"b of shape \(20,\), got \(5,\)"),
        (0, np.zeros((N, T, D), int), "x: expected real floating-point numbers, got dtype int64"),
        (4, np.zeros(4 * H, bool), "b: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(index, array, message):
    arguments, _ = draw()
    arguments[index] = array
    with pytest.raises(ValueError, match=message):
        lstm_forward(*arguments)


def test_bad_input_of_a_step_is_named():
    (x, prev_h, prev_c, *weights), (dnext_h, dnext_c) = draw_step()
    with pytest.raises(ValueError, match=r"prev_c of shape \(2, 5\), got \(5, 2\)"):
        lstm_step_forward(x, prev_h, prev_c.T, *weights)
    _, _, cache = lstm_step_forward(x, prev_h, prev_c, *weights)
    with pytest.raises(ValueError, match=r"dnext_c of shape \(2, 5\), got \(1, 5\)"):
        lstm_step_backward(dnext_h, dnext_c[:1], cache)
    with pytest.raises(ValueError, match=r"dnext_h: expected real floating-point numbers, got dtype int64"):
        lstm_step_backward(dnext_h.astype(int), dnext_c, cache)


def test_bad_dh_is_named():
    arguments, dh = draw()
    _, cache = lstm_forward(*arguments)
    with pytest.raises(ValueError, match=r"dh of shape \(2, 4, 5\), got \(4, 2, 5\)"):
        lstm_backward(dh.transpose(1, 0, 2), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    (x, h0, Wx, Wh, b), dh = draw()
    order = np.r_[: 2 * H, 3 * H : 4 * H, 2 * H : 3 * H]  # PyTorch: i, f, g, o
    layer = torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(Wx.T[order]))
        layer.weight_hh_l0.copy_(torch.tensor(Wh.T[order]))
        layer.bias_ih_l0.copy_(torch.tensor(b[order]))
        layer.bias_hh_l0.zero_()
    x_, h0_ = torch.tensor(x, requires_grad=True), torch.tensor(h0[None], requires_grad=True)
    theirs, _ = layer(x_, (h0_, torch.zeros_like(h0_)))
    theirs.backward(torch.tensor(dh))
    ours, cache = lstm_forward(x, h0, Wx, Wh, b)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)
    dx, dh0, dWx, dWh, db = lstm_backward(dh, cache)
    for gradient, expected in (
        (dx, x_.grad),
        (dh0, h0_.grad[0]),
        (dWx[:, order], layer.weight_ih_l0.grad.T),
        (dWh[:, order], layer.weight_hh_l0.grad.T),
        (db[order], layer.bias_ih_l0.grad),
    ):
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-8, atol=1e-12)
