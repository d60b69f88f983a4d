import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.batchnorm import batchnorm_backward, batchnorm_forward
from cs231n.layers.spatial_batchnorm import spatial_batchnorm_backward, spatial_batchnorm_forward

N, C, H, W = 2, 3, 4, 5


def draw(seed=0, shape=(N, C, H, W)):
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=shape) + 3
    return x, rng.normal(size=shape[1]), rng.normal(size=shape[1]), rng.normal(size=shape)


def running(seed=1):
    rng = np.random.default_rng(seed)
    return {"running_mean": rng.normal(size=C), "running_var": rng.uniform(0.5, 2, size=C)}


def test_every_channel_is_normalized_with_the_biased_variance():
    x, gamma, beta, _ = draw()
    out, _ = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train", "eps": 0.0})
    np.testing.assert_allclose(out.mean(axis=(0, 2, 3)), beta)
    np.testing.assert_allclose(out.std(axis=(0, 2, 3)), abs(gamma))


@pytest.mark.parametrize("mode", ["train", "test"])
def test_it_is_batchnorm_of_the_positions_with_the_channels_last(mode):
    x, gamma, beta, dout = draw()
    spatial_param, flat_param = ({"mode": mode, "momentum": 0.7, "eps": 1e-3, **running()} for _ in range(2))
    out, cache = spatial_batchnorm_forward(x, gamma, beta, spatial_param)
    flat, flat_cache = batchnorm_forward(x.transpose(0, 2, 3, 1).reshape(-1, C), gamma, beta, flat_param)
    np.testing.assert_allclose(out.transpose(0, 2, 3, 1).reshape(-1, C), flat, rtol=1e-11, atol=1e-13)
    dx, dgamma, dbeta = spatial_batchnorm_backward(dout, cache)
    expected = batchnorm_backward(dout.transpose(0, 2, 3, 1).reshape(-1, C), flat_cache)
    np.testing.assert_allclose(dx.transpose(0, 2, 3, 1).reshape(-1, C), expected[0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(dgamma, expected[1])
    np.testing.assert_allclose(dbeta, expected[2])
    for name in ("running_mean", "running_var"):
        assert spatial_param[name].shape == (C,)
        np.testing.assert_allclose(spatial_param[name], flat_param[name])


def test_a_reshape_without_transpose_mixes_the_channels():
    x, gamma, beta, _ = draw()
    out, _ = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    mixed, _ = batchnorm_forward(x.reshape(-1, C), gamma, beta, {"mode": "train"})
    assert mixed.reshape(x.shape).shape == out.shape
    assert abs(mixed.reshape(x.shape) - out).mean() > 0.1


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("shape", [(N, C, H, W), (1, C, 2, 3), (3, C, 1, 1), (1, C, 1, 1)])
def test_gradients_agree_with_differences(mode, shape):
    x, gamma, beta, dout = draw(shape=shape)

    def out(_=None):
        return spatial_batchnorm_forward(x, gamma, beta, {"mode": mode, "eps": 1e-2, **running()})

    gradients = spatial_batchnorm_backward(dout, out()[1])
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: out()[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_running_statistics_are_replaced_and_not_changed():
    x, gamma, beta, _ = draw()
    bn_param = {"mode": "train", "momentum": 0.7, **running()}
    before = dict(bn_param)
    spatial_batchnorm_forward(x, gamma, beta, bn_param)
    np.testing.assert_array_equal(before["running_mean"], running()["running_mean"])
    np.testing.assert_allclose(bn_param["running_mean"], 0.7 * before["running_mean"] + 0.3 * x.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(bn_param["running_var"], 0.7 * before["running_var"] + 0.3 * x.var(axis=(0, 2, 3)))


def test_test_mode_uses_the_running_statistics_and_leaves_them_alone():
    x, gamma, beta, _ = draw()
    bn_param = {"mode": "test", **running()}
    before = dict(bn_param)
    out, _ = spatial_batchnorm_forward(x, gamma, beta, bn_param)
    for c in range(C):
        mean, var = bn_param["running_mean"][c], bn_param["running_var"][c]
        np.testing.assert_allclose(out[:, c], gamma[c] * (x[:, c] - mean) / np.sqrt(var + 1e-5) + beta[c])
    assert all(bn_param[name] is before[name] for name in before)


def test_one_number_is_beta_and_has_no_gradient():
    x, gamma, beta, dout = draw(shape=(1, C, 1, 1))
    out, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    np.testing.assert_array_equal(out[0, :, 0, 0], beta)
    np.testing.assert_array_equal(spatial_batchnorm_backward(dout, cache)[0], np.zeros_like(x))


def test_float32_far_from_zero_keeps_its_digits():
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(8, C, 16, 16)) + 1e4).astype(np.float32)
    gamma, beta, dout = (rng.normal(size=s).astype(np.float32) for s in (C, C, x.shape))
    out, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    exact, exact_cache = spatial_batchnorm_forward(*(a.astype(np.float64) for a in (x, gamma, beta)), {"mode": "train"})
    np.testing.assert_allclose(out, exact, atol=2e-5)
    ours = spatial_batchnorm_backward(dout, cache)[0]
    np.testing.assert_allclose(ours, spatial_batchnorm_backward(dout.astype(np.float64), exact_cache)[0], atol=2e-5)


@pytest.mark.parametrize("mode", ["train", "test"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype, mode):
    x, gamma, beta, dout = (a.astype(dtype) for a in draw())
    bn_param = {"mode": mode, "eps": np.float64(1e-3), "momentum": np.float64(0.9), **running()}
    out, cache = spatial_batchnorm_forward(x, gamma, beta, bn_param)
    arrays = out, *cache[:3], *spatial_batchnorm_backward(dout, cache)
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, gamma, beta, dout = draw()
    plain = spatial_batchnorm_backward(dout, spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})[1])
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta[:], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    _, cache = spatial_batchnorm_forward(*views[:3], {"mode": "train"})
    for gradient, expected in zip(spatial_batchnorm_backward(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn_param": {}}, r"bn_param\['mode'\]: expected 'train' or 'test', got None"),
        ({"bn_param": {"mode": "eval"}}, "expected 'train' or 'test', got 'eval'"),
        ({"bn_param": {"mode": "train", "epsilon": 1}}, r"expected mode, eps, .*, got \['epsilon'\]"),
        (
            {"bn_param": {"mode": "test", "running_var": np.zeros((1, C))}},
            r"running_var of shape \(3,\), one number for each channel of x, got \(1, 3\)",
        ),
        ({"x": np.zeros((N, C))}, r"x of shape \(N, C, H, W\) with N, H, W >= 1, got \(2, 3\)"),
        ({"x": np.zeros((0, C, H, W))}, r"N, H, W >= 1, got \(0, 3, 4, 5\)"),
        ({"gamma": np.zeros(W)}, r"gamma of shape \(3,\), one number for each channel of x, got \(5,\)"),
        ({"beta": np.zeros((1, C, 1, 1))}, r"beta of shape \(3,\).*got \(1, 3, 1, 1\)"),
        ({"x": np.zeros((N, C, H, W), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"gamma": np.zeros(C, bool)}, "gamma: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, beta, _ = draw()
    good = {"x": x, "gamma": gamma, "beta": beta, "bn_param": {"mode": "train"}}
    with pytest.raises(ValueError, match=message):
        spatial_batchnorm_forward(**(good | change))


def test_bad_dout_is_named():
    x, gamma, beta, dout = draw()
    _, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    with pytest.raises(ValueError, match=r"dout of shape \(2, 3, 4, 5\), got \(5, 4, 3, 2\)"):
        spatial_batchnorm_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        spatial_batchnorm_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, gamma, beta, dout = draw()
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    theirs = torch.nn.functional.batch_norm(inputs[0], None, None, inputs[1], inputs[2], training=True)
    theirs.backward(torch.tensor(dout))
    ours, cache = spatial_batchnorm_forward(x, gamma, beta, {"mode": "train"})
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    for gradient, tensor in zip(spatial_batchnorm_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-8, atol=1e-11)
