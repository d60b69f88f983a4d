import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.grn import grn_backward, grn_forward

SHAPE = N, H, W, C = 2, 3, 4, 5


def draw(seed=0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=shape[3]), rng.normal(size=shape[3]), rng.normal(size=shape)


def test_forward_agrees_with_loops():
    x, gamma, beta, _ = draw()
    out, _ = grn_forward(x, gamma, beta, {"eps": 0.25})
    for n in range(N):
        norms = [np.linalg.norm(x[n, :, :, c]) for c in range(C)]
        for c in range(C):
            ratio = norms[c] / (sum(norms) / C + 0.25)
            np.testing.assert_allclose(out[n, :, :, c], x[n, :, :, c] * (1 + gamma[c] * ratio) + beta[c])


@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 1, 1), (3, 1, 2, 1), (1, 2, 1, 4), (2, 1, 1, 3)])
def test_gradients_agree_with_differences(shape):
    x, gamma, beta, dout = draw(shape=shape)
    gradients = grn_backward(dout, grn_forward(x, gamma, beta, {"eps": 0.1})[1])
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: grn_forward(x, gamma, beta, {"eps": 0.1})[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_the_gradient_of_the_mean_is_summed_over_the_channels():
    # a public benchmark's reference keeps one term for each channel and does not add them
    x, gamma, beta, dout = draw()
    _, (_, g, s, _) = grn_forward(x, gamma, beta, {})
    dx = grn_backward(dout, grn_forward(x, gamma, beta, {})[1])[0]
    dr = gamma * (dout * x).sum(axis=(1, 2), keepdims=True)
    through = {}
    for name, ds in (("summed", -(dr * g / s**2).sum(axis=3, keepdims=True)), ("own only", -dr * g / s**2)):
        through[name] = dout * (1 + gamma * g / s) + (dr / s + ds / C) * x / g
    np.testing.assert_allclose(dx, through["summed"], atol=1e-12)
    assert abs(dx - through["own only"]).max() > 0.05


def test_at_the_start_the_layer_is_the_identity_and_hides_every_mistake():
    x, _, _, dout = draw()
    out, cache = grn_forward(x, np.zeros(C), np.zeros(C), {})
    dx, dgamma, _ = grn_backward(dout, cache)
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dx, dout)
    assert (dgamma != 0).all()


def test_images_do_not_mix():
    x, gamma, beta, dout = draw()
    out, cache = grn_forward(x, gamma, beta, {})
    alone, alone_cache = grn_forward(x[1:], gamma, beta, {})
    np.testing.assert_array_equal(out[1:], alone)
    np.testing.assert_array_equal(grn_backward(dout, cache)[0][1:], grn_backward(dout[1:], alone_cache)[0])


def test_a_dead_channel_gets_the_residual_only_and_no_nan():
    x, gamma, beta, dout = draw()
    x[0, :, :, 2] = 0
    _, cache = grn_forward(x, gamma, beta, {})
    dx, dgamma, _ = grn_backward(dout, cache)
    np.testing.assert_array_equal(dx[0, :, :, 2], dout[0, :, :, 2])
    assert np.isfinite(dx).all() and np.isfinite(dgamma).all()


def test_a_black_image_passes_through():
    _, gamma, beta, dout = draw()
    out, cache = grn_forward(np.zeros(SHAPE), gamma, beta, {})
    np.testing.assert_array_equal(out, np.broadcast_to(beta, SHAPE))
    np.testing.assert_array_equal(grn_backward(dout, cache)[0], dout)


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e5, 1e15])
def test_float32_images_of_every_usual_brightness_keep_their_digits(scale):
    x, gamma, beta, dout = draw(3)
    x = x * scale
    single = [a.astype(np.float32) for a in (x, gamma, beta, dout)]
    double = [a.astype(np.float64) for a in single]
    out, cache = grn_forward(*single[:3], {})
    exact, exact_cache = grn_forward(*double[:3], {})
    np.testing.assert_allclose(out, exact, rtol=1e-5, atol=1e-6 * scale)
    for gradient, expected in zip(grn_backward(single[3], cache), grn_backward(double[3], exact_cache), strict=True):
        size = np.abs(expected).max()
        np.testing.assert_allclose(gradient / size, expected / size, atol=2e-6)


def test_nan_stays_in_its_image():
    x, gamma, beta, dout = draw()
    x[0, 1, 1, 1] = np.nan
    out, cache = grn_forward(x, gamma, beta, {})
    dx, _, _ = grn_backward(dout, cache)
    assert np.isnan(out[0]).all() and np.isnan(dx[0]).all()
    assert np.isfinite(out[1]).all() and np.isfinite(dx[1]).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x, gamma, beta, dout = (a.astype(dtype) for a in draw())
    out, cache = grn_forward(x, gamma, beta, {"eps": np.float64(1e-3)})
    assert {a.dtype for a in (out, *cache, *grn_backward(dout, cache))} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, gamma, beta, dout = draw()
    plain = grn_backward(dout, grn_forward(x, gamma, beta, {})[1])
    channels_first = np.ascontiguousarray(dout.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta[:], channels_first
    for view in views:
        view.flags.writeable = False
    for gradient, expected in zip(grn_backward(views[3], grn_forward(*views[:3], {})[1]), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grn_param": {"epsilon": 1e-3}}, r"grn_param: expected eps, got \['epsilon'\]"),
        ({"x": np.zeros((H, W, C))}, r"x of shape \(N, H, W, C\) with C >= 1, got \(3, 4, 5\)"),
        ({"x": np.zeros((N, H, W, 0))}, r"C >= 1, got \(2, 3, 4, 0\)"),
        ({"gamma": np.zeros(H)}, r"gamma of shape \(5,\).*got \(3,\)"),
        ({"beta": np.zeros((1, 1, 1, C))}, r"beta of shape \(5,\).*got \(1, 1, 1, 5\)"),
        ({"x": np.zeros(SHAPE, np.uint8)}, "x: expected real floating-point numbers, got dtype uint8"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, beta, _ = draw()
    with pytest.raises(ValueError, match=message):
        grn_forward(**({"x": x, "gamma": gamma, "beta": beta, "grn_param": {}} | change))


def test_bad_dout_is_named():
    x, gamma, beta, dout = draw()
    _, cache = grn_forward(x, gamma, beta, {})
    with pytest.raises(ValueError, match=r"dout of shape \(2, 3, 4, 5\), got \(2, 5, 3, 4\)"):
        grn_backward(dout.transpose(0, 3, 1, 2), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        grn_backward(dout.astype(int), cache)


@pytest.mark.torch
def test_pytorch_agrees_also_at_a_dead_channel():
    import torch

    x, gamma, beta, dout = draw()
    x[0, :, :, 2] = 0
    image, scale, shift = (torch.tensor(a, requires_grad=True) for a in (x, gamma, beta))
    norm = torch.linalg.vector_norm(image, dim=(1, 2), keepdim=True)
    theirs = scale * (image * norm / (norm.mean(dim=-1, keepdim=True) + 1e-6)) + shift + image
    theirs.backward(torch.tensor(dout))
    ours, cache = grn_forward(x, gamma, beta, {})
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-12)
    for gradient, tensor in zip(grn_backward(dout, cache), (image, scale, shift), strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
