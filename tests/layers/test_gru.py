import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.gru import gru_backward, gru_forward, gru_step_backward, gru_step_forward

N, T, D, H = 2, 4, 3, 5
SHAPES = [(N, T, D, H), (1, 3, 2, 4), (2, 1, 3, 4), (2, 3, 1, 4), (3, 4, 2, 1), (1, 1, 1, 1)]


def draw(shape=(N, T, D, H), seed=0):
    """The five arguments of a sequence, and a gradient for each state."""
    N, T, D, H = shape
    rng = np.random.default_rng(seed)
    sizes = (N, T, D), (N, H), (D, 3 * H), (H, 3 * H), (4 * H,), (N, T, H)
    *arguments, dh = (rng.normal(size=s) for s in sizes)
    return arguments, dh


def draw_step(shape=(N, T, D, H), seed=0):
    (x, *rest), dh = draw(shape, seed)
    return [x[:, 0].copy(), *rest], dh[:, 0].copy()


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_sequence_agree_with_differences(shape):
    arguments, dh = draw(shape)
    gradients = gru_backward(dh, gru_forward(*arguments)[1])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: gru_forward(*arguments)[0], array, dh)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_step_agree_with_differences(shape):
    arguments, dnext_h = draw_step(shape)
    gradients = gru_step_backward(dnext_h, gru_step_forward(*arguments)[1])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: gru_step_forward(*arguments)[0], array, dnext_h)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_a_sequence_is_its_steps_and_its_gradient_that_of_the_steps():
    (x, h0, *weights), dh = draw()
    h, cache = gru_forward(x, h0, *weights)
    state, caches = h0, []
    for t in range(T):
        state, step_cache = gru_step_forward(x[:, t], state, *weights)
        caches.append(step_cache)
        np.testing.assert_allclose(h[:, t], state, rtol=1e-12)
    back, dx, sums = np.zeros((N, H)), np.zeros_like(x), [np.zeros_like(w) for w in weights]
    for t in reversed(range(T)):
        dx[:, t], back, *parts = gru_step_backward(dh[:, t] + back, caches[t])
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    for ours, stepwise in zip(gru_backward(dh, cache), (dx, back, *sums), strict=True):
        np.testing.assert_allclose(ours, stepwise, rtol=1e-11, atol=1e-13)


def test_the_blocks_are_r_z_n_and_the_reset_acts_after_the_product():
    (x, prev_h, Wx, Wh, b), _ = draw_step()
    next_h, _ = gru_step_forward(x, prev_h, Wx, Wh, b)
    r, z = (1 / (1 + np.exp(-(x @ Wx + prev_h @ Wh)[:, k : k + H] - b[k : k + H])) for k in (0, H))
    n = np.tanh(x @ Wx[:, 2 * H :] + b[2 * H : 3 * H] + r * (prev_h @ Wh[:, 2 * H :] + b[3 * H :]))
    np.testing.assert_allclose(next_h, z * prev_h + (1 - z) * n, rtol=1e-12)


def test_a_kept_state_hands_its_gradient_on_untouched():
    arguments, dnext_h = draw_step()
    arguments[-1][H : 2 * H] = 1000
    next_h, cache = gru_step_forward(*arguments)
    np.testing.assert_array_equal(next_h, arguments[1])
    dx, dprev_h, dWx, dWh, db = gru_step_backward(dnext_h, cache)
    np.testing.assert_array_equal(dprev_h, dnext_h)
    assert not dx.any() and not dWx.any() and not dWh.any() and not db.any()


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    arguments, dh = draw()
    plain_h, cache = gru_forward(*arguments)
    plain = gru_backward(dh, cache)
    views = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arguments]
    views[0] = np.asfortranarray(arguments[0])
    dh_view = np.ascontiguousarray(dh.transpose(1, 2, 0)).transpose(2, 0, 1)
    for view in (*views, dh_view):
        view.flags.writeable = False
    h, cache = gru_forward(*views)
    np.testing.assert_allclose(h, plain_h, rtol=1e-12)
    for _ in range(2):  # the second call gives the same
        for gradient, expected in zip(gru_backward(dh_view, cache), plain, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


def test_the_steps_accept_read_only_arrays_and_give_the_same_twice():
    arguments, dnext_h = draw_step()
    for array in (*arguments, dnext_h):
        array.flags.writeable = False
    _, cache = gru_step_forward(*arguments)
    for once, again in zip(gru_step_backward(dnext_h, cache), gru_step_backward(dnext_h, cache), strict=True):
        np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    arguments, dh = draw()
    arguments, dh = [a.astype(dtype) for a in arguments], dh.astype(dtype)
    h, cache = gru_forward(*arguments)
    next_h, step_cache = gru_step_forward(arguments[0][:, 0], *arguments[1:])
    gradients = *gru_backward(dh, cache), *gru_step_backward(dh[:, 0], step_cache)
    assert {a.dtype for a in (h, next_h, *cache, *step_cache, *gradients)} == {np.dtype(dtype)}


def test_large_inputs_saturate_and_do_not_overflow():
    (x, *rest), dh = draw()
    for dtype in (np.float32, np.float64):
        inputs = [a.astype(dtype) for a in (1e30 * x, *rest)]
        with np.errstate(all="raise", under="ignore"):
            h, cache = gru_forward(*inputs)
            gradients = gru_backward(dh.astype(dtype), cache)
        assert np.isfinite(h).all() and all(np.isfinite(g).all() for g in gradients)


def test_nan_passes_through_the_gates_and_stays_in_its_sequence():
    (x, *rest), dh = draw()
    x[1, 2, 0] = np.nan
    h, cache = gru_forward(x, *rest)
    assert np.isnan(h[1, 2:]).all() and np.isfinite(h[1, :2]).all() and np.isfinite(h[0]).all()
    assert np.isnan(cache.gates[2, 1, : 3 * H]).all()
    dx, dh0, *_ = gru_backward(dh, cache)
    assert np.isnan(dx[1]).all() and np.isfinite(dx[0]).all() and np.isfinite(dh0[0]).all()


def test_a_sequence_of_length_zero_gives_its_start_back():
    (x, h0, *weights), dh = draw()
    h, cache = gru_forward(x[:, :0], h0, *weights)
    dx, dh0, dWx, dWh, db = gru_backward(dh[:, :0], cache)
    assert h.shape == (N, 0, H) and dx.shape == (N, 0, D)
    assert not dh0.any() and not dWx.any() and not dWh.any() and not db.any()


@pytest.mark.parametrize(
    ("index", "array", "message"),
    [
        (0, np.zeros((N, D)), r"x of shape \(N, T, D\), got \(2, 3\)"),
        (1, np.zeros((N + 1, H)), r"h0 of shape \(N, H\) with N = 2, got \(3, 5\)"),
        (2, np.zeros((D, 4 * H)), r"Wx of shape \(3, 15\), got \(3, 20\)"),
        (3, np.zeros((H, H)), r"Wh of shape \(5, 15\), got \(5, 5\)"),
        (4, np.zeros(3 * H), r"b of shape \(20,\), got \(15,\)"),
        (0, np.zeros((N, T, D), int), "x: expected real floating-point numbers, got dtype int64"),
        (1, np.zeros((N, H), bool), "h0: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(index, array, message):
    arguments, _ = draw()
    arguments[index] = array
    with pytest.raises(ValueError, match=message):
        gru_forward(*arguments)


def test_bad_gradients_are_named():
    arguments, dh = draw()
    _, cache = gru_forward(*arguments)
    with pytest.raises(ValueError, match=r"dh of shape \(2, 4, 5\), got \(4, 2, 5\)"):
        gru_backward(dh.transpose(1, 0, 2), cache)
    step, dnext_h = draw_step()
    _, cache = gru_step_forward(*step)
    with pytest.raises(ValueError, match=r"dnext_h of shape \(2, 5\), got \(1, 5\)"):
        gru_step_backward(dnext_h[:1], cache)


@pytest.mark.torch
def test_pytorch_agrees_and_its_four_biases_are_ours():
    import torch

    (x, h0, Wx, Wh, b), dh = draw()
    layer = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(Wx.T))
        layer.weight_hh_l0.copy_(torch.tensor(Wh.T))
        layer.bias_ih_l0.copy_(torch.tensor(b[: 3 * H]))
        layer.bias_hh_l0.copy_(torch.tensor(np.r_[np.zeros(2 * H), b[3 * H :]]))
    x_, h0_ = torch.tensor(x, requires_grad=True), torch.tensor(h0[None], requires_grad=True)
    theirs, _ = layer(x_, h0_)
    theirs.backward(torch.tensor(dh))
    ours, cache = gru_forward(x, h0, Wx, Wh, b)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)
    dx, dh0, dWx, dWh, db = gru_backward(dh, cache)
    for gradient, expected in (
        (dx, x_.grad),
        (dh0, h0_.grad[0]),
        (dWx, layer.weight_ih_l0.grad.T),
        (dWh, layer.weight_hh_l0.grad.T),
        (db[: 3 * H], layer.bias_ih_l0.grad),
        (db[3 * H :], layer.bias_hh_l0.grad[2 * H :]),
    ):
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-8, atol=1e-12)
