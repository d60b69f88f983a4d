import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.batchnorm import batchnorm_backward, batchnorm_backward_alt, batchnorm_forward

N, D = 5, 3
BACKWARDS = [batchnorm_backward, batchnorm_backward_alt]


def draw(seed=0, n=N, d=D):
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(n, d)) + 3
    return x, rng.normal(size=d), rng.normal(size=d), rng.normal(size=(n, d))


def test_training_normalizes_every_column_with_the_biased_variance():
    x, gamma, beta, _ = draw()
    out, _ = batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 0.0})
    np.testing.assert_allclose(out.mean(axis=0), beta)
    np.testing.assert_allclose(out.std(axis=0), abs(gamma))  # std divides by N


def test_epsilon_stands_inside_the_root():
    x, gamma, beta, _ = draw()
    out, cache = batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 0.5})
    np.testing.assert_allclose(cache.rstd, 1 / np.sqrt(x.var(axis=0) + 0.5))
    np.testing.assert_allclose(out, gamma * (x - x.mean(axis=0)) * cache.rstd + beta)


def test_running_statistics_have_shape_d_and_follow_the_momentum():
    # the text this project came from kept them as (1, D)
    x, gamma, beta, _ = draw()
    x2 = draw(1)[0]
    bn_param = {"mode": "train", "momentum": 0.7}
    batchnorm_forward(x, gamma, beta, bn_param)
    batchnorm_forward(x2, gamma, beta, bn_param)
    assert bn_param["running_mean"].shape == bn_param["running_var"].shape == (D,)
    np.testing.assert_allclose(bn_param["running_mean"], 0.7 * 0.3 * x.mean(axis=0) + 0.3 * x2.mean(axis=0))
    np.testing.assert_allclose(bn_param["running_var"], 0.7 * 0.3 * x.var(axis=0) + 0.3 * x2.var(axis=0))


def test_arrays_in_bn_param_are_replaced_and_not_changed():
    x, gamma, beta, _ = draw()
    mean, var = np.full(D, 0.5), np.full(D, 2.0)
    bn_param = {"mode": "train", "running_mean": mean, "running_var": var}
    batchnorm_forward(x, gamma, beta, bn_param)
    np.testing.assert_array_equal(mean, np.full(D, 0.5))
    np.testing.assert_array_equal(var, np.full(D, 2.0))
    assert bn_param["running_mean"] is not mean


def test_test_mode_uses_the_running_statistics_and_leaves_them_alone():
    # the text this project came from printed a test mode that ignores them
    x, gamma, beta, _ = draw()
    mean, var = np.array([1.0, -2.0, 4.0]), np.array([0.5, 3.0, 2.0])
    bn_param = {"mode": "test", "running_mean": mean, "running_var": var}
    out, _ = batchnorm_forward(x, gamma, beta, bn_param)
    np.testing.assert_allclose(out, gamma * (x - mean) / np.sqrt(var + 1e-5) + beta)
    assert bn_param["running_mean"] is mean
    assert bn_param["running_var"] is var


@pytest.mark.parametrize("backward", BACKWARDS)
@pytest.mark.parametrize("mode", ["train", "test"])
def test_gradients_agree_with_differences(mode, backward):
    x, gamma, beta, dout = draw()
    bn_param = {"mode": mode, "running_mean": np.array([1.0, -2.0, 4.0]), "running_var": np.array([0.5, 3.0, 2.0])}
    gradients = backward(dout, batchnorm_forward(x, gamma, beta, dict(bn_param))[1])
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = eval_numerical_gradient_array(
            lambda _: batchnorm_forward(x, gamma, beta, dict(bn_param))[0], array, dout
        )
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-9)


def test_changing_the_mode_after_the_forward_does_not_change_the_backward():
    x, gamma, beta, dout = draw()
    bn_param = {"mode": "train"}
    _, cache = batchnorm_forward(x, gamma, beta, bn_param)
    before = batchnorm_backward(dout, cache)[0]
    bn_param["mode"] = "test"
    np.testing.assert_array_equal(batchnorm_backward(dout, cache)[0], before)


@pytest.mark.parametrize("n", [7, 256, 4096])
def test_float32_data_far_from_zero_keep_their_digits(n):
    # A sum of n numbers near 1e4 in float32 is off by more than their standard deviation of 1.
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(n, 3)) + 1e4).astype(np.float32)
    x[:, 1] = 10000.123  # a constant column: exactly beta
    gamma, beta = np.array([1.3, -0.7, 2.0], np.float32), np.array([0.5, 0.25, -1.0], np.float32)
    dout = rng.normal(size=x.shape).astype(np.float32)
    bn_param, exact_param = {"mode": "train"}, {"mode": "train"}
    out, cache = batchnorm_forward(x, gamma, beta, bn_param)
    exact, exact_cache = batchnorm_forward(*(a.astype(np.float64) for a in (x, gamma, beta)), exact_param)
    np.testing.assert_allclose(out, exact, atol=1e-5)
    np.testing.assert_array_equal(out[:, 1], beta[1])
    np.testing.assert_allclose(bn_param["running_mean"], exact_param["running_mean"], rtol=5e-7)
    np.testing.assert_allclose(bn_param["running_var"], exact_param["running_var"], rtol=1e-5, atol=1e-7)
    for backward in BACKWARDS:
        columns = [0, 2]  # in the constant column 1/√ε multiplies the rounding of dout
        for gradient, expected in zip(
            backward(dout, cache), backward(dout.astype(np.float64), exact_cache), strict=True
        ):
            np.testing.assert_allclose(gradient[..., columns], expected[..., columns], atol=2e-6 * n**0.5)


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_whatever_the_type_of_the_parameters(mode, dtype):
    x, gamma, beta, dout = (a.astype(dtype) for a in draw())
    bn_param = {
        "mode": mode,
        "eps": np.float64(1e-3),
        "momentum": np.float64(0.8),
        "running_mean": np.zeros(D),
        "running_var": np.full(D, 2.0),
    }
    out, cache = batchnorm_forward(x, gamma, beta, bn_param)
    arrays = [out, *batchnorm_backward(dout, cache), *batchnorm_backward_alt(dout, cache)]
    if mode == "train":
        arrays += [bn_param["running_mean"], bn_param["running_var"]]
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


def test_a_batch_of_one_gives_beta_and_no_gradient_to_x():
    x, gamma, beta, dout = draw(n=1)
    out, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    np.testing.assert_array_equal(out, beta[None])
    for backward in BACKWARDS:
        np.testing.assert_allclose(backward(dout, cache)[0], 0, atol=1e-12)


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, gamma, beta, dout = draw()
    plain = batchnorm_backward(dout, batchnorm_forward(x, gamma, beta, {"mode": "train"})[1])
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta[:], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    _, cache = batchnorm_forward(*views[:3], {"mode": "train"})
    for gradient, expected in zip(batchnorm_backward(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn_param": {"mode": "Train"}}, "expected 'train' or 'test', got 'Train'"),
        ({"bn_param": {}}, "expected 'train' or 'test', got None"),
        ({"bn_param": {"mode": "train", "epsilon": 1e-3}}, r"got \['epsilon'\]"),
        (
            {"bn_param": {"mode": "test", "running_mean": np.zeros((1, D))}},
            r"running_mean of shape \(3,\).*got \(1, 3\)",
        ),
        ({"x": np.zeros((2, 3, 4))}, r"x of shape \(N, D\) with N >= 1, got \(2, 3, 4\)"),
        ({"x": np.zeros((0, D))}, r"N >= 1, got \(0, 3\)"),
        ({"gamma": np.zeros(D + 1)}, r"gamma of shape \(3,\).*got \(4,\)"),
        ({"beta": np.zeros(1)}, r"beta of shape \(3,\).*got \(1,\)"),
        ({"x": np.zeros((N, D), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"gamma": np.zeros(D, bool)}, "gamma: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, beta, _ = draw()
    with pytest.raises(ValueError, match=message):
        batchnorm_forward(**({"x": x, "gamma": gamma, "beta": beta, "bn_param": {"mode": "train"}} | change))


@pytest.mark.parametrize("backward", BACKWARDS)
def test_bad_dout_is_named(backward):
    x, gamma, beta, dout = draw()
    _, cache = batchnorm_forward(x, gamma, beta, {"mode": "train"})
    with pytest.raises(ValueError, match=r"dout of shape \(5, 3\), got \(3, 5\)"):
        backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        backward(dout.astype(int), cache)


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["train", "test"])
def test_pytorch_agrees_but_for_its_conventions(mode):
    """Its momentum is 1 − ours, and it feeds the running variance with N / (N − 1) times the batch variance."""
    import torch

    x, gamma, beta, dout = draw()
    mean, var = np.array([1.0, -2.0, 4.0]), np.array([0.5, 3.0, 2.0])
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    running_mean, running_var = torch.tensor(mean), torch.tensor(var)
    out = torch.nn.functional.batch_norm(
        inputs[0], running_mean, running_var, inputs[1], inputs[2], training=mode == "train", momentum=0.1, eps=1e-5
    )
    out.backward(torch.tensor(dout))
    bn_param = {"mode": mode, "momentum": 0.9, "running_mean": mean, "running_var": var}
    ours, cache = batchnorm_forward(x, gamma, beta, bn_param)
    np.testing.assert_allclose(ours, out.detach().numpy(), rtol=1e-10)
    for gradient, tensor in zip(batchnorm_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(bn_param["running_mean"], running_mean.numpy(), rtol=1e-12)
    if mode == "train":
        theirs = (running_var.numpy() - 0.9 * var) * (N - 1) / N + 0.9 * var
        np.testing.assert_allclose(bn_param["running_var"], theirs, rtol=1e-12)
