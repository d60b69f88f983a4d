import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.groupnorm import (
    groupnorm_backward,
    groupnorm_forward,
    spatial_groupnorm_backward,
    spatial_groupnorm_forward,
)
from cs231n.layers.layernorm import layernorm_backward, layernorm_forward

N, C, H, W, G = 2, 12, 6, 5, 3  # and C / G = 4: all sizes differ


def draw(seed=0, shape=(N, C, H, W), flat=False):
    rng = np.random.default_rng(seed)
    param = (shape[1],) if flat else (1, shape[1], 1, 1)
    x = 2 * rng.normal(size=shape) + 3
    return x, rng.normal(size=param), rng.normal(size=param), rng.normal(size=shape)


def test_every_group_is_normalized_with_the_biased_variance():
    x, gamma, beta, _ = draw()
    out, _ = spatial_groupnorm_forward(x, gamma, beta, G, {"eps": 0.0})
    groups = ((out - beta) / gamma).reshape(N, G, -1)
    np.testing.assert_allclose(groups.mean(axis=2), 0, atol=1e-14)
    np.testing.assert_allclose(groups.std(axis=2), 1)


def test_against_a_loop_that_asks_each_channel_for_its_group():
    x, gamma, beta, _ = draw()
    out, _ = spatial_groupnorm_forward(x, gamma, beta, G, {"eps": 1e-3})
    for n in range(N):
        for c in range(C):
            group = c // (C // G)
            mine = x[n, [k for k in range(C) if k // (C // G) == group]]
            expected = gamma[0, c] * (x[n, c] - mine.mean()) / np.sqrt(mine.var() + 1e-3) + beta[0, c]
            np.testing.assert_allclose(out[n, c], expected)


def test_interleaved_groups_are_something_else():
    x, gamma, beta, _ = draw()
    wrong = x.reshape(N, C // G, G, H, W).swapaxes(1, 2)
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    assert abs(cache.grouped.rstd.ravel() - 1 / wrong.std(axis=(2, 3, 4)).ravel()).max() > 0.01
    assert out.shape == x.shape


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((N, C, H, W), G), ((2, 6, 1, 3), 6), ((3, 4, 2, 1), 1), ((1, 4, 2, 3), 2), ((2, 4, 1, 1), 2), ((2, 3, 1, 1), 3)],
)
@pytest.mark.parametrize("flat", [False, True])
def test_gradients_agree_with_differences(shape, groups, flat):
    x, gamma, beta, dout = draw(shape=shape, flat=flat)
    gradients = spatial_groupnorm_backward(dout, spatial_groupnorm_forward(x, gamma, beta, groups, {"eps": 1e-2})[1])
    for array, gradient in zip((x, gamma, beta), gradients, strict=True):
        numeric = eval_numerical_gradient_array(
            lambda _: spatial_groupnorm_forward(x, gamma, beta, groups, {"eps": 1e-2})[0], array, dout
        )
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_one_group_is_layer_normalization_of_the_image():
    x, gamma, beta, dout = draw()
    out, cache = spatial_groupnorm_forward(x, gamma, beta, 1, {})
    row_gamma, row_beta = (np.broadcast_to(a, (1, C, H, W)).ravel() for a in (gamma, beta))
    rows, row_cache = layernorm_forward(x.reshape(N, -1), row_gamma, row_beta, {})
    np.testing.assert_allclose(out, rows.reshape(x.shape), rtol=1e-12, atol=1e-12)
    dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
    row_dx, row_dgamma, row_dbeta = layernorm_backward(dout.reshape(N, -1), row_cache)
    np.testing.assert_allclose(dx, row_dx.reshape(x.shape), atol=1e-13)
    np.testing.assert_allclose(dgamma, row_dgamma.reshape(1, C, H, W).sum(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(dbeta, row_dbeta.reshape(1, C, H, W).sum(axis=(2, 3), keepdims=True))


def test_as_many_groups_as_channels_normalize_each_channel():
    x, gamma, beta, dout = draw()
    out, cache = spatial_groupnorm_forward(x, gamma, beta, C, {"eps": 0.0})
    centred = x - x.mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(out, gamma * centred / x.std(axis=(2, 3), keepdims=True) + beta, atol=1e-12)
    np.testing.assert_allclose(spatial_groupnorm_backward(dout, cache)[0].sum(axis=(2, 3)), 0, atol=1e-12)


def test_the_company_of_an_image_does_not_matter():
    x, gamma, beta, dout = draw()
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    alone, alone_cache = spatial_groupnorm_forward(x[1:], gamma, beta, G, {})
    np.testing.assert_array_equal(out[1:], alone)
    np.testing.assert_array_equal(
        spatial_groupnorm_backward(dout, cache)[0][1:], spatial_groupnorm_backward(dout[1:], alone_cache)[0]
    )


def test_the_scale_belongs_to_the_channel():
    x, gamma, beta, dout = draw()
    x_hat = spatial_groupnorm_forward(x, np.ones_like(gamma), np.zeros_like(beta), G, {})[0]
    _, dgamma, dbeta = spatial_groupnorm_backward(dout, spatial_groupnorm_forward(x, gamma, beta, G, {})[1])
    np.testing.assert_allclose(dgamma, (dout * x_hat).sum(axis=(0, 2, 3), keepdims=True))
    np.testing.assert_allclose(dbeta, dout.sum(axis=(0, 2, 3), keepdims=True))
    per_group = dgamma.reshape(G, -1)
    assert per_group.std(axis=1).min() > 0.1  # one number for each group would lose this


def test_a_group_of_one_number_is_beta_and_has_no_gradient():
    x, gamma, beta, dout = draw(shape=(N, 3, 1, 1))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, 3, {})
    np.testing.assert_array_equal(out, np.broadcast_to(beta, x.shape))
    np.testing.assert_array_equal(spatial_groupnorm_backward(dout, cache)[0], np.zeros_like(x))


def test_float32_far_from_zero_keeps_its_digits():
    rng = np.random.default_rng(3)
    x = (rng.normal(size=(N, C, 16, 16)) + 1e4).astype(np.float32)
    gamma, beta, dout = (rng.normal(size=s).astype(np.float32) for s in (C, C, x.shape))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    exact, exact_cache = spatial_groupnorm_forward(*(a.astype(np.float64) for a in (x, gamma, beta)), G, {})
    np.testing.assert_allclose(out, exact, atol=2e-5)
    ours = spatial_groupnorm_backward(dout, cache)[0]
    np.testing.assert_allclose(ours, spatial_groupnorm_backward(dout.astype(np.float64), exact_cache)[0], atol=2e-5)


@pytest.mark.parametrize("mode", ["train", "test"])
def test_the_mode_makes_no_difference(mode):
    # the course's notebook hands over {"mode": "train"}
    x, gamma, beta, _ = draw()
    given = {"mode": mode}
    out, _ = spatial_groupnorm_forward(x, gamma, beta, G, given)
    np.testing.assert_array_equal(out, spatial_groupnorm_forward(x, gamma, beta, np.int64(G), {})[0])
    assert given == {"mode": mode}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x, gamma, beta, dout = (a.astype(dtype) for a in draw())
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {"eps": np.float64(1e-3)})
    arrays = out, *cache.grouped, *spatial_groupnorm_backward(dout, cache)
    assert {a.dtype for a in arrays} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, gamma, beta, dout = draw(flat=True)
    plain = spatial_groupnorm_backward(dout, spatial_groupnorm_forward(x, gamma, beta, G, {})[1])
    views = np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta[:], np.ascontiguousarray(dout.T).T
    for view in views:
        view.flags.writeable = False
    _, cache = spatial_groupnorm_forward(*views[:3], G, {})
    for gradient, expected in zip(spatial_groupnorm_backward(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def test_no_images_give_no_gradient():
    x, gamma, beta, dout = draw(shape=(0, C, H, W))
    out, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    dx, dgamma, dbeta = spatial_groupnorm_backward(dout, cache)
    assert out.shape == dx.shape == (0, C, H, W)
    np.testing.assert_array_equal([dgamma, dbeta], np.zeros((2, *gamma.shape)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"G": 5}, "groups G that divides the 12 channels of x, got 5"),
        ({"G": 0}, "groups G that divides the 12 channels of x, got 0"),
        ({"G": 3.0}, r"groups G that divides the 12 channels of x, got 3\.0"),
        ({"gn_param": {"epsilon": 1}}, r"gn_param: expected eps, mode, got \['epsilon'\]"),
        ({"gn_param": {"mode": "eval"}}, r"gn_param\['mode'\]: expected 'train' or 'test', got 'eval'"),
        ({"x": np.zeros((N, C, H))}, r"x of shape \(N, C, H, W\) with C, H, W >= 1, got \(2, 12, 6\)"),
        ({"x": np.zeros((N, C, 0, W))}, r"C, H, W >= 1, got \(2, 12, 0, 5\)"),
        ({"gamma": np.zeros(G)}, r"gamma of shape \(1, 12, 1, 1\) or \(12,\), got \(3,\)"),
        ({"beta": np.zeros(C)}, r"beta of shape \(1, 12, 1, 1\), as gamma, got \(12,\)"),
        ({"x": np.zeros((N, C, H, W), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"beta": np.zeros((1, C, 1, 1), complex)}, "beta: expected real floating-point numbers, got dtype complex128"),
    ],
)
def test_bad_input_is_named(change, message):
    x, gamma, beta, _ = draw()
    with pytest.raises(ValueError, match=message):
        spatial_groupnorm_forward(**({"x": x, "gamma": gamma, "beta": beta, "G": G, "gn_param": {}} | change))


def test_bad_grouped_input_is_named():
    x, gamma = np.zeros((N, G, 4, H, W)), np.zeros((G, 4))
    with pytest.raises(ValueError, match=r"x of shape \(N, G, S, H, W\) with G, S, H, W >= 1, got \(2, 12, 6, 5\)"):
        groupnorm_forward(np.zeros((N, C, H, W)), gamma, gamma, {})
    with pytest.raises(ValueError, match=r"beta of shape \(3, 4\), one number for each channel, got \(3,\)"):
        groupnorm_forward(x, gamma, gamma[:, 0], {})
    _, cache = groupnorm_forward(x, gamma, gamma, {})
    with pytest.raises(ValueError, match=r"dout of shape \(2, 3, 4, 6, 5\), got \(2, 12, 6, 5\)"):
        groupnorm_backward(np.zeros((N, C, H, W)), cache)


def test_bad_dout_is_named():
    x, gamma, beta, dout = draw()
    _, cache = spatial_groupnorm_forward(x, gamma, beta, G, {})
    with pytest.raises(ValueError, match=r"dout of shape \(2, 12, 6, 5\), got \(5, 6, 12, 2\)"):
        spatial_groupnorm_backward(dout.T, cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        spatial_groupnorm_backward(dout.astype(int), cache)


@pytest.mark.torch
@pytest.mark.parametrize("groups", [1, G, C])
def test_pytorch_agrees(groups):
    import torch

    x, gamma, beta, dout = draw(flat=True)
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, gamma, beta)]
    theirs = torch.nn.functional.group_norm(inputs[0], groups, inputs[1], inputs[2])
    theirs.backward(torch.tensor(dout))
    ours, cache = spatial_groupnorm_forward(x, gamma, beta, groups, {})
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    for gradient, tensor in zip(spatial_groupnorm_backward(dout, cache), inputs, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-8, atol=1e-11)
