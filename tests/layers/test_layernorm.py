import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.batchnorm import batchnorm_backward, batchnorm_forward
from cs231n.layers.layernorm import layernorm_backward, layernorm_forward

N, D = 4, 6


def draw(seed=0, shape=(N, D)):
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=shape) + 3
    return x, rng.normal(size=shape[-1]), rng.normal(size=shape[-1]), rng.normal(size=shape)


def test_every_row_is_normalized_with_the_biased_variance():
    x, gamma, beta, _ = draw()
    out, cache = layernorm_forward(x, gamma, beta, {"eps": 0.0})
    np.testing.assert_allclose((out - beta) / gamma, cache.x_hat, rtol=1e-9)
    np.testing.assert_allclose(cache.x_hat.mean(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(cache.x_hat.std(axis=1), 1)  # std divides by D


def test_epsilon_stands_inside_the_root_and_is_1e_5_if_not_given():
    x, gamma, beta, _ = draw()
    _, cache = layernorm_forward(x, gamma, beta, {"eps": 0.5})
    np.testing.assert_allclose(cache.rstd[:, 0], 1 / np.sqrt(x.var(axis=1) + 0.5))
    _, cache = layernorm_forward(x, gamma, beta, {})
    np.testing.assert_allclose(cache.rstd[:, 0], 1 / np.sqrt(x.var(axis=1) + 1e-5))


def test_the_company_of_an_example_does_not_matter():
    x, gamma, beta, dout = draw()
    out, cache = layernorm_forward(x, gamma, beta, {})
    alone, alone_cache = layernorm_forward(x[2:3], gamma, beta, {})
    np.testing.assert_array_equal(out[2:3], alone)
    np.testing.assert_array_equal(
        layernorm_backward(dout, cache)[0][2:3], layernorm_backward(dout[2:3], alone_cache)[0]
    )


@pytest.mark.parametrize("shape", [(N, D), (D,), (2, 3, 5), (1, 4), (3, 2)])
def test_gradients_agree_with_differences(shape):
    x, gamma, beta, dout = draw(shape=shape)
    gradients = layernorm_backward(dout, layernorm_forward(x, gamma, beta, {"eps": 1e-3})[1])
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = eval_numerical_gradient_array(
            lambda _: layernorm_forward(x, gamma, beta, {"eps": 1e-3})[0], array, dout
        )
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_it_is_batchnorm_of_the_transpose_once_gamma_is_in_the_gradient():
    x, gamma, beta, dout = draw()
    _, cache = layernorm_forward(x, gamma, beta, {})
    x_hat, bn_cache = batchnorm_forward(x.T, np.ones(N), np.zeros(N), {"mode": "train"})
    np.testing.assert_allclose(cache.x_hat, x_hat.T, rtol=1e-12)
    dx = layernorm_backward(dout, cache)[0]
    np.testing.assert_allclose(dx, batchnorm_backward((dout * gamma).T, bn_cache)[0].T, atol=1e-14)
    # with gamma put in afterwards it is another function: the classic mistake
    assert abs(dx - gamma * batchnorm_backward(dout.T, bn_cache)[0].T).max() > 0.1


def test_the_batchnorm_backward_on_its_cache_is_wrong():
    # the text this project came from calls it in its sandwich; the shapes fit by broadcasting
    x, gamma, beta, dout = draw()
    x_hat, rstd, _ = layernorm_forward(x, gamma, beta, {})[1]
    wrong = gamma * rstd / N * (N * dout - dout.sum(axis=0) - x_hat * (dout * x_hat).sum(axis=0))
    right = layernorm_backward(dout, layernorm_forward(x, gamma, beta, {})[1])[0]
    assert wrong.shape == right.shape
    assert np.linalg.norm(wrong - right) > np.linalg.norm(right) / 2


def test_rows_sum_to_zero_and_a_single_feature_has_no_gradient():
    x, gamma, beta, dout = draw()
    dx = layernorm_backward(dout, layernorm_forward(x, gamma, beta, {})[1])[0]
    np.testing.assert_allclose(dx.sum(axis=1), 0, atol=1e-14)
    x, gamma, beta, dout = draw(shape=(N, 1))
    out, cache = layernorm_forward(x, gamma, beta, {})
    np.testing.assert_array_equal(out, np.broadcast_to(beta, (N, 1)))
    np.testing.assert_array_equal(layernorm_backward(dout, cache)[0], np.zeros((N, 1)))


@pytest.mark.parametrize("d", [7, 512, 4096])
def test_float32_rows_far_from_zero_keep_their_digits(d):
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(3, d)) + 1e4).astype(np.float32)
    x[1] = 10000.123  # a constant row: exactly beta
    gamma, beta, dout = (rng.normal(size=s).astype(np.float32) for s in (d, d, (3, d)))
    out, cache = layernorm_forward(x, gamma, beta, {})
    exact, exact_cache = layernorm_forward(*(a.astype(np.float64) for a in (x, gamma, beta)), {})
    np.testing.assert_allclose(out, exact, atol=1e-5)
    np.testing.assert_array_equal(out[1], beta)
    rows = [0, 2]  # in the constant row 1/√ε multiplies the rounding of dout
    gradient = layernorm_backward(dout, cache)[0]
    expected = layernorm_backward(dout.astype(np.float64), exact_cache)[0]
    np.testing.assert_allclose(gradient[rows], expected[rows], atol=2e-6 * d**0.5)


def test_nan_stays_in_its_row():
    x, gamma, beta, dout = draw()
    x[1, 2] = np.nan
    out, cache = layernorm_forward(x, gamma, beta, {})
    dx, dgamma, dbeta = layernorm_backward(dout, cache)
    assert np.isnan(out[1]).all() and np.isnan(dx[1]).all() and np.isnan(dgamma).all()
    assert np.isfinite(np.delete(out, 1, axis=0)).all() and np.isfinite(np.delete(dx, 1, axis=0)).all()
    assert np.isfinite(dbeta).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x, gamma, beta, dout = (a.astype(dtype) for a in draw())
    out, cache = layernorm_forward(x, gamma, beta, {"eps": np.float64(1e-3)})
    assert {a.dtype for a in (out, *cache, *layernorm_backward(dout, cache))} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, gamma, beta, dout = draw()
    plain = layernorm_backward(dout, layernorm_forward(x, gamma, beta, {})[1])
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta[:], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    _, cache = layernorm_forward(*views[:3], {})
    for gradient, expected in zip(layernorm_backward(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)


def test_no_examples_give_no_gradient():
    out, cache = layernorm_forward(np.zeros((0, 3)), np.ones(3), np.ones(3), {})
    dx, dgamma, dbeta = layernorm_backward(np.zeros((0, 3)), cache)
    assert out.shape == dx.shape == (0, 3)
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ln_param": {"mode": "train"}}, r"ln_param: expected eps, got \['mode'\]"),
        ({"x": np.zeros(())}, r"x of shape \(\.\.\., D\) with D >= 1, got \(\)"),
        ({"x": np.zeros((2, 0))}, r"D >= 1, got \(2, 0\)"),
        ({"gamma": np.zeros(N)}, r"gamma of shape \(6,\).*got \(4,\)"),
        ({"beta": np.zeros((1, D))}, r"beta of shape \(6,\).*got \(1, 6\)"),
        ({"x": np.zeros((N, D), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"gamma": np.zeros(D, complex)}, "gamma: expected real floating-point numbers, got dtype complex128"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, beta, _ = draw()
    with pytest.raises(ValueError, match=message):
        layernorm_forward(**({"x": x, "gamma": gamma, "beta": beta, "ln_param": {}} | change))


def test_bad_dout_is_named():
    x, gamma, beta, dout = draw()
    _, cache = layernorm_forward(x, gamma, beta, {})
    with pytest.raises(ValueError, match=r"dout of shape \(4, 6\), got \(6, 4\)"):
        layernorm_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        layernorm_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, gamma, beta, dout = draw(shape=(2, 3, 5))
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    theirs = torch.nn.functional.layer_norm(inputs[0], (5,), inputs[1], inputs[2])
    theirs.backward(torch.tensor(dout))
    ours, cache = layernorm_forward(x, gamma, beta, {})
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10)
    for gradient, tensor in zip(layernorm_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
