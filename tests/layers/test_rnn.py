import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.affine import affine_backward, affine_forward
from cs231n.layers.rnn import rnn_backward, rnn_forward, rnn_step_backward, rnn_step_forward

N, T, D, H = 2, 4, 3, 5
SHAPES = [(N, T, D, H), (1, 3, 2, 4), (2, 1, 3, 4), (2, 3, 1, 4), (3, 4, 2, 1), (1, 1, 1, 1)]


def draw(shape=(N, T, D, H), seed=0):
    """The five arguments of a sequence, and a gradient for each state."""
    N, T, D, H = shape
    rng = np.random.default_rng(seed)
    sizes = (N, T, D), (N, H), (D, H), (H, H), (H,), (N, T, H)
    *arguments, dh = (rng.normal(size=s) for s in sizes)
    return arguments, dh


def draw_step(shape=(N, T, D, H), seed=0):
    (x, *rest), dh = draw(shape, seed)
    return [x[:, 0].copy(), *rest], dh[:, 0].copy()


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_sequence_agree_with_differences(shape):
    arguments, dh = draw(shape)
    gradients = rnn_backward(dh, rnn_forward(*arguments)[1])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: rnn_forward(*arguments)[0], array, dh)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_of_a_step_agree_with_differences(shape):
    arguments, dnext_h = draw_step(shape)
    gradients = rnn_step_backward(dnext_h, rnn_step_forward(*arguments)[1])
    for array, gradient in zip(arguments, gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: rnn_step_forward(*arguments)[0], array, dnext_h)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_a_sequence_is_its_steps_and_its_gradient_that_of_the_steps():
    (x, h0, *weights), dh = draw()
    h, cache = rnn_forward(x, h0, *weights)
    state, caches = h0, []
    for t in range(T):
        state, step_cache = rnn_step_forward(x[:, t], state, *weights)
        caches.append(step_cache)
        np.testing.assert_allclose(h[:, t], state, rtol=1e-12)
    back, dx, sums = np.zeros((N, H)), np.zeros_like(x), [np.zeros_like(w) for w in weights]
    for t in reversed(range(T)):
        dx[:, t], back, *parts = rnn_step_backward(dh[:, t] + back, caches[t])
        sums = [total + part for total, part in zip(sums, parts, strict=True)]
    for ours, stepwise in zip(rnn_backward(dh, cache), (dx, back, *sums), strict=True):
        np.testing.assert_allclose(ours, stepwise, rtol=1e-11, atol=1e-13)


def test_a_step_is_an_affine_layer_on_input_and_state_side_by_side():
    (x, prev_h, Wx, Wh, b), dnext_h = draw_step()
    next_h, cache = rnn_step_forward(x, prev_h, Wx, Wh, b)
    a, affine_cache = affine_forward(np.hstack((x, prev_h)), np.vstack((Wx, Wh)), b)
    np.testing.assert_allclose(next_h, np.tanh(a), rtol=1e-12)
    both, weights, bias = affine_backward(dnext_h * (1 - next_h**2), affine_cache)
    dx, dprev_h, dWx, dWh, db = rnn_step_backward(dnext_h, cache)
    np.testing.assert_allclose(np.hstack((dx, dprev_h)), both, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(np.vstack((dWx, dWh)), weights, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(db, bias, rtol=1e-10)


def test_a_state_does_not_know_the_future():
    (x, *rest), dh = draw()
    h, _ = rnn_forward(x, *rest)
    later = x.copy()
    later[:, 2:] += 1
    changed, _ = rnn_forward(later, *rest)
    np.testing.assert_array_equal(changed[:, :2], h[:, :2])
    dh[:, 2:] = 0  # a loss on the first two states does not reach the later inputs
    dx = rnn_backward(dh, rnn_forward(x, *rest)[1])[0]
    assert (dx[:, 2:] == 0).all() and (dx[:, :2] != 0).all()


def test_the_gradient_goes_on_to_the_step_before():
    # wishes: learners stop at the border of the step
    (x, *rest), dh = draw()
    dh[:, :-1] = 0
    dx, dh0, *_ = rnn_backward(dh, rnn_forward(x, *rest)[1])
    assert (dx != 0).all() and (dh0 != 0).all()


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    arguments, dh = draw()
    plain_h, cache = rnn_forward(*arguments)
    plain = rnn_backward(dh, cache)
    views = [np.repeat(a, 2, axis=-1)[..., ::2] for a in arguments]
    views[0] = np.asfortranarray(arguments[0])
    dh_view = np.ascontiguousarray(dh.transpose(1, 2, 0)).transpose(2, 0, 1)
    for view in (*views, dh_view):
        view.flags.writeable = False
    h, cache = rnn_forward(*views)
    np.testing.assert_allclose(h, plain_h, rtol=1e-12)
    for _ in range(2):  # the second call gives the same
        for gradient, expected in zip(rnn_backward(dh_view, cache), plain, strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


def test_the_steps_accept_read_only_arrays_and_give_the_same_twice():
    arguments, dnext_h = draw_step()
    for array in (*arguments, dnext_h):
        array.flags.writeable = False
    _, cache = rnn_step_forward(*arguments)
    for once, again in zip(rnn_step_backward(dnext_h, cache), rnn_step_backward(dnext_h, cache), strict=True):
        np.testing.assert_array_equal(once, again)


def test_changing_the_states_that_were_returned_does_not_change_the_gradients():
    arguments, dh = draw()
    h, cache = rnn_forward(*arguments)
    before = rnn_backward(dh, cache)
    h *= 0
    for gradient, expected in zip(rnn_backward(dh, cache), before, strict=True):
        np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    # seed, no. 20: buffers of float64 made every float32 model float64
    arguments, dh = draw()
    arguments, dh = [a.astype(dtype) for a in arguments], dh.astype(dtype)
    h, cache = rnn_forward(*arguments)
    step_h, step_cache = rnn_step_forward(arguments[0][:, 0], *arguments[1:])
    arrays = h, step_h, *cache, *rnn_backward(dh, cache), *rnn_step_backward(dh[:, 0], step_cache)
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


def test_float32_keeps_its_digits_near_saturation():
    # 1 − tanh² loses digits near ±1, (1 − tanh)(1 + tanh) does not
    x, one = np.full((1, 1), 5.0, np.float32), np.full((1, 1), 1.0, np.float32)
    _, cache = rnn_step_forward(x, 0 * one, one, one, 0 * one[0])
    h = float(cache.next_h[0, 0])
    assert rnn_step_backward(one, cache)[0][0, 0] == pytest.approx((1 - h) * (1 + h), rel=1e-6)


def test_large_inputs_saturate_and_do_not_overflow():
    (x, *rest), dh = draw()
    with np.errstate(all="raise", under="ignore"):
        h, cache = rnn_forward(1e30 * x, *rest)
        gradients = rnn_backward(dh, cache)
    np.testing.assert_array_equal(np.abs(h), 1.0)
    assert all((g == 0).all() for g in gradients)


def test_nan_stays_in_its_sequence_and_does_not_go_back_in_time():
    (x, *rest), dh = draw()
    x[1, 2, 0] = np.nan
    h, cache = rnn_forward(x, *rest)
    assert np.isnan(h[1, 2:]).all() and np.isfinite(h[1, :2]).all() and np.isfinite(h[0]).all()
    dx, dh0, *weights = rnn_backward(dh, cache)
    assert np.isnan(dx[1]).all() and np.isfinite(dx[0]).all() and np.isfinite(dh0[0]).all()
    assert all(np.isnan(w).any() for w in weights)


def test_a_sequence_of_length_zero_gives_its_start_back():
    (x, h0, *weights), dh = draw()
    h, cache = rnn_forward(x[:, :0], h0, *weights)
    dx, dh0, dWx, dWh, db = rnn_backward(dh[:, :0], cache)
    assert h.shape == (N, 0, H) and dx.shape == (N, 0, D)
    assert not dh0.any() and not dWx.any() and not dWh.any() and not db.any()


@pytest.mark.parametrize(
    ("index", "array", "message"),
    [
        (0, np.zeros((N, D)), r"x of shape \(N, T, D\), got \(2, 3\)"),
        (1, np.zeros((N + 1, H)), r"h0 of shape \(N, H\) with N = 2, got \(3, 5\)"),
        (1, np.zeros(H), r"h0 of shape \(N, H\) with N = 2, got \(5,\)"),
        (2, np.zeros((H, D)), r"Wx of shape \(3, 5\), got \(5, 3\)"),
        (3, np.zeros((H, D)), r"Wh of shape \(5, 5\), got \(5, 3\)"),
        (4, np.zeros((1, H)), r"b of shape \(5,\), got \(1, 5\)"),
        (0, np.zeros((N, T, D), int), "x: expected real floating-point numbers, got dtype int64"),
        (3, np.zeros((H, H), bool), "Wh: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(index, array, message):
    arguments, _ = draw()
    arguments[index] = array
    with pytest.raises(ValueError, match=message):
        rnn_forward(*arguments)


def test_bad_input_of_a_step_is_named():
    (x, prev_h, *weights), dnext_h = draw_step()
    with pytest.raises(ValueError, match=r"x of shape \(N, D\), got \(2, 1, 3\)"):
        rnn_step_forward(x[:, None], prev_h, *weights)
    with pytest.raises(ValueError, match=r"prev_h of shape \(N, H\) with N = 2, got \(1, 5\)"):
        rnn_step_forward(x, prev_h[:1], *weights)
    _, cache = rnn_step_forward(x, prev_h, *weights)
    with pytest.raises(ValueError, match=r"dnext_h of shape \(2, 5\), got \(5, 2\)"):
        rnn_step_backward(dnext_h.T, cache)


def test_bad_dh_is_named():
    arguments, dh = draw()
    _, cache = rnn_forward(*arguments)
    with pytest.raises(ValueError, match=r"dh of shape \(2, 4, 5\), got \(4, 2, 5\)"):
        rnn_backward(dh.transpose(1, 0, 2), cache)
    with pytest.raises(ValueError, match="dh: expected real floating-point numbers, got dtype int64"):
        rnn_backward(dh.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    (x, h0, Wx, Wh, b), dh = draw()
    layer = torch.nn.RNN(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor(Wx.T))
        layer.weight_hh_l0.copy_(torch.tensor(Wh.T))
        layer.bias_ih_l0.copy_(torch.tensor(b))
        layer.bias_hh_l0.zero_()
    inputs = torch.tensor(x, requires_grad=True), torch.tensor(h0[None], requires_grad=True)
    theirs, _ = layer(*inputs)
    theirs.backward(torch.tensor(dh))
    ours, cache = rnn_forward(x, h0, Wx, Wh, b)
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)
    dx, dh0, dWx, dWh, db = rnn_backward(dh, cache)
    for gradient, expected in (
        (dx, inputs[0].grad),
        (dh0, inputs[1].grad[0]),
        (dWx, layer.weight_ih_l0.grad.T),
        (dWh, layer.weight_hh_l0.grad.T),
        (db, layer.bias_ih_l0.grad),
    ):
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-8, atol=1e-12)
