import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.layernorm import layernorm_backward, layernorm_forward
from cs231n.layers.rmsnorm import rmsnorm_backward, rmsnorm_forward

N, D = 4, 6


def draw(seed=0, shape=(N, D)):
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=shape) + 1, rng.normal(size=shape[-1]), rng.normal(size=shape)


def test_every_row_gets_root_mean_square_one_and_keeps_its_mean():
    x, gamma, _ = draw()
    out, cache = rmsnorm_forward(x, gamma, {"eps": 0.0})
    np.testing.assert_allclose((cache.x_hat**2).mean(axis=1), 1)
    np.testing.assert_allclose(cache.x_hat.mean(axis=1), x.mean(axis=1) * cache.rrms[:, 0])
    np.testing.assert_allclose(out, gamma * cache.x_hat)


def test_epsilon_stands_inside_the_root_and_is_1e_5_if_not_given():
    x, gamma, _ = draw()
    ms = (x**2).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(rmsnorm_forward(x, gamma, {"eps": 0.5})[1].rrms, 1 / np.sqrt(ms + 0.5))
    np.testing.assert_allclose(rmsnorm_forward(x, gamma, {})[1].rrms, 1 / np.sqrt(ms + 1e-5))


@pytest.mark.parametrize("shape", [(N, D), (D,), (2, 3, 5), (1, 4), (3, 1)])
def test_gradients_agree_with_differences(shape):
    x, gamma, dout = draw(shape=shape)
    gradients = rmsnorm_backward(dout, rmsnorm_forward(x, gamma, {"eps": 1e-3})[1])
    for array, gradient in zip((x, gamma), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: rmsnorm_forward(x, gamma, {"eps": 1e-3})[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_the_weight_gets_a_gradient():
    # fused kernels in the wild returned none
    x, gamma, dout = draw()
    _, cache = rmsnorm_forward(x, gamma, {})
    dgamma = rmsnorm_backward(dout, cache)[1]
    np.testing.assert_allclose(dgamma, [sum(dout[i, k] * cache.x_hat[i, k] for i in range(N)) for k in range(D)])
    assert (dgamma != 0).all()


def test_on_centred_rows_it_is_layernorm_and_its_gradient_that_of_layernorm_before_centring():
    x, gamma, dout = draw()
    centred = x - x.mean(axis=1, keepdims=True)
    out, cache = rmsnorm_forward(centred, gamma, {})
    layer, layer_cache = layernorm_forward(x, gamma, np.zeros(D), {})
    np.testing.assert_allclose(out, layer, rtol=1e-9, atol=1e-12)
    dcentred = rmsnorm_backward(dout, cache)[0]
    dx = dcentred - dcentred.mean(axis=1, keepdims=True)  # the backward of centring
    np.testing.assert_allclose(dx, layernorm_backward(dout, layer_cache)[0], atol=1e-13)


def test_no_gradient_along_the_input_without_epsilon():
    x, gamma, dout = draw()
    dx = rmsnorm_backward(dout, rmsnorm_forward(x, gamma, {"eps": 0.0})[1])[0]
    np.testing.assert_allclose((dx * x).sum(axis=1), 0, atol=1e-13)
    assert abs(dx.sum(axis=1)).min() > 1e-3  # and it need not sum to zero


def test_a_zero_row_gives_zero_and_a_finite_slope():
    x, gamma, dout = draw()
    x[1] = 0
    out, cache = rmsnorm_forward(x, gamma, {"eps": 1e-4})
    np.testing.assert_array_equal(out[1], np.zeros(D))
    np.testing.assert_allclose(rmsnorm_backward(dout, cache)[0][1], gamma * dout[1] * 100)


def test_float32_rows_of_every_usual_size_keep_their_digits():
    rng = np.random.default_rng(1)
    scales = np.array([[1e-12], [1e-3], [1.0], [1e4], [1e15]])
    x = (scales * rng.normal(size=(5, 257))).astype(np.float32)
    gamma, dout = rng.normal(size=257).astype(np.float32), rng.normal(size=(5, 257)).astype(np.float32)
    out, cache = rmsnorm_forward(x, gamma, {})
    exact, exact_cache = rmsnorm_forward(x.astype(np.float64), gamma.astype(np.float64), {})
    np.testing.assert_allclose(out, exact, rtol=3e-6)
    dx, expected = rmsnorm_backward(dout, cache)[0], rmsnorm_backward(dout.astype(np.float64), exact_cache)[0]
    size = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(dx / size, expected / size, atol=1e-5)


def test_nan_stays_in_its_row():
    x, gamma, dout = draw()
    x[1, 2] = np.nan
    out, cache = rmsnorm_forward(x, gamma, {})
    dx, dgamma = rmsnorm_backward(dout, cache)
    assert np.isnan(out[1]).all() and np.isnan(dx[1]).all() and np.isnan(dgamma).all()
    assert np.isfinite(np.delete(out, 1, axis=0)).all() and np.isfinite(np.delete(dx, 1, axis=0)).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x, gamma, dout = (a.astype(dtype) for a in draw())
    out, cache = rmsnorm_forward(x, gamma, {"eps": np.float64(1e-3)})
    assert {a.dtype for a in (out, *cache, *rmsnorm_backward(dout, cache))} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    # a fused kernel read a transposed dout with the strides of x
    x, gamma, dout = draw()
    plain = rmsnorm_backward(dout, rmsnorm_forward(x, gamma, {})[1])
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    for gradient, expected in zip(rmsnorm_backward(views[2], rmsnorm_forward(*views[:2], {})[1]), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rms_param": {"epsilon": 1e-3}}, r"rms_param: expected eps, got \['epsilon'\]"),
        ({"x": np.zeros(())}, r"x of shape \(\.\.\., D\) with D >= 1, got \(\)"),
        ({"x": np.zeros((2, 0))}, r"D >= 1, got \(2, 0\)"),
        ({"gamma": np.zeros(N)}, r"gamma of shape \(6,\).*got \(4,\)"),
        ({"x": np.zeros((N, D), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"gamma": np.zeros(D, bool)}, "gamma: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, _ = draw()
    with pytest.raises(ValueError, match=message):
        rmsnorm_forward(**({"x": x, "gamma": gamma, "rms_param": {}} | change))


def test_bad_dout_is_named():
    x, gamma, dout = draw()
    _, cache = rmsnorm_forward(x, gamma, {})
    with pytest.raises(ValueError, match=r"dout of shape \(4, 6\), got \(6, 4\)"):
        rmsnorm_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        rmsnorm_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, gamma, dout = draw(shape=(2, 3, 5))
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma)]
    theirs = torch.nn.functional.rms_norm(inputs[0], (5,), inputs[1], eps=1e-5)
    theirs.backward(torch.tensor(dout))
    ours, cache = rmsnorm_forward(x, gamma, {})
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)
    for gradient, tensor in zip(rmsnorm_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
