"""The fast layers give what the naive ones give, ties and float32 included, and do not hold the whole batch at once."""

import tracemalloc

import numpy as np
import pytest

from cs231n.fast_layers import (
    conv,
    conv_backward_fast,
    conv_forward_fast,
    max_pool_backward_fast,
    max_pool_forward_fast,
)
from cs231n.layers.conv import conv_backward_naive, conv_forward_naive
from cs231n.layers.pooling import max_pool_backward_naive, max_pool_forward_naive

#: images, channels, height, width; kernels, kernel height, kernel width; stride, pad, dilation
CONVOLUTIONS = [
    pytest.param((3, 4, 8, 7), (5, 3, 2), (1, 0, 1), id="gather"),
    pytest.param((3, 4, 8, 7), (5, 3, 2), (1, 1, 1), id="gather, padded in one direction, cut in the other"),
    pytest.param((3, 4, 3, 4), (2, 2, 3), (1, 4, 1), id="gather, padding larger than the kernel"),
    pytest.param((3, 4, 9, 8), (5, 3, 2), (1, 2, 3), id="gather, dilated"),
    pytest.param((3, 2, 8, 7), (5, 3, 4), (1, 1, 1), id="scatter, many kernels"),
    pytest.param((3, 2, 8, 7), (5, 2, 3), (1, 5, 2), id="scatter, many kernels, much padding, dilated"),
    pytest.param((3, 4, 8, 7), (5, 3, 2), (2, 1, 1), id="stride with a remainder"),
    pytest.param((3, 4, 9, 7), (2, 5, 3), (3, 2, 2), id="stride with a remainder, dilated"),
    pytest.param((3, 4, 9, 8), (2, 2, 1), (4, 0, 1), id="windows with gaps"),
    pytest.param((2, 3, 5, 4), (4, 5, 4), (1, 0, 1), id="one window"),
    pytest.param((1, 1, 1, 1), (1, 1, 1), (1, 0, 1), id="sizes of one"),
    pytest.param((2, 3, 5, 4), (6, 1, 1), (2, 0, 1), id="1 × 1 with a stride"),
]

WINDOWS = [(2, 2, 2), (3, 2, 1), (3, 2, 2), (2, 3, 4), (5, 4, 3), (1, 1, 1), (1, 1, 2), (8, 7, 1), (1, 3, 2), (3, 1, 1)]


def conv_inputs(rng, images, kernels, dtype=np.float64):
    (n, c, h, w), (f, r, q) = images, kernels
    shapes = (n, c, h, w), (f, c, r, q), (f,)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def conv_param(stride, pad, dilation):
    return {"stride": stride, "pad": pad, "dilation": dilation}


def pool_param(pool_height, pool_width, stride):
    return {"pool_height": pool_height, "pool_width": pool_width, "stride": stride}


@pytest.mark.parametrize("entries", [1, 300, 1 << 18])  # images in one step: one, a few (with a rest), all
@pytest.mark.parametrize(("images", "kernels", "steps"), CONVOLUTIONS)
def test_convolution_is_the_naive_one(images, kernels, steps, entries, rng, upstream, monkeypatch):
    monkeypatch.setattr(conv, "_ENTRIES", entries)
    x, w, b = conv_inputs(rng, images, kernels)
    out, cache = conv_forward_fast(x, w, b, conv_param(*steps))
    expected, naive_cache = conv_forward_naive(x, w, b, conv_param(*steps))
    np.testing.assert_allclose(out, expected, rtol=1e-11, atol=1e-12)
    dout = upstream(*out.shape)
    naive = conv_backward_naive(dout, naive_cache)
    for gradient, wanted in zip(conv_backward_fast(dout, cache), naive, strict=True):
        assert gradient.shape == wanted.shape
        np.testing.assert_allclose(gradient, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("images", "kernels", "steps"), CONVOLUTIONS)
def test_float32_stays_float32_and_keeps_its_digits(images, kernels, steps, rng, upstream):
    x, w, b = conv_inputs(rng, images, kernels, np.float32)
    x += 100  # far from 0
    out, cache = conv_forward_fast(x, w, b, conv_param(*steps))
    dout = upstream(*out.shape, dtype=np.float32)
    results = [out, *conv_backward_fast(dout, cache)]
    assert {a.dtype for a in results} == {np.dtype(np.float32)}
    exact, exact_cache = conv_forward_naive(*(a.astype(float) for a in (x, w, b)), conv_param(*steps))
    for result, wanted in zip(results, [exact, *conv_backward_naive(dout.astype(float), exact_cache)], strict=True):
        np.testing.assert_allclose(result, wanted, rtol=0, atol=4e-6 * max(1, abs(wanted).max()))


@pytest.mark.parametrize("steps", [(1, 1, 1), (2, 1, 1)])
def test_the_matrix_of_windows_does_not_grow_with_the_batch(steps, rng, upstream):
    w, b = rng.normal(size=(8, 8, 3, 3)), rng.normal(size=8)
    peaks = []
    for images in (16, 64):
        x = rng.normal(size=(images, 8, 32, 32))
        tracemalloc.start()
        out, cache = conv_forward_fast(x, w, b, conv_param(*steps))
        dx, _, _ = conv_backward_fast(upstream(*out.shape), cache)
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * out.nbytes - dx.nbytes)
        tracemalloc.stop()
    windows_of_batch = 9 * 64 * 8 * 32 * 32 * 8
    assert peaks[1] < peaks[0] + windows_of_batch / 10


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("equal", [False, True])
def test_pooling_is_the_naive_one_ties_included(window, dtype, equal, rng, upstream):
    x = rng.normal(size=(3, 2, 8, 7)).astype(dtype)
    if equal:
        x = np.maximum(0, np.round(x))  # as behind a ReLU: many windows hold nothing but zeros
    out, cache = max_pool_forward_fast(x, pool_param(*window))
    expected, naive_cache = max_pool_forward_naive(x, pool_param(*window))
    np.testing.assert_array_equal(out, expected)
    dout = upstream(*out.shape, dtype=dtype)
    dx = max_pool_backward_fast(dout, cache)
    assert out.dtype == dx.dtype == dtype
    wanted = max_pool_backward_naive(dout, naive_cache)
    np.testing.assert_allclose(dx, wanted, rtol=1e-6 if dtype == np.float32 else 1e-13, atol=1e-7)
    np.testing.assert_array_equal(dx != 0, wanted != 0)


def test_an_infinite_gradient_or_entry_stays_where_it_is():
    x = np.array([1.0, 3.0, 2.0, -np.inf, -np.inf, -5.0]).reshape(1, 1, 1, 6)
    out, cache = max_pool_forward_fast(x, pool_param(1, 3, 3))
    dx = max_pool_backward_fast(np.array([np.inf, 2.0]).reshape(out.shape), cache)
    np.testing.assert_array_equal(dx.ravel(), [0, np.inf, 0, 0, 0, 2])
    x[0, 0, 0, 3:] = -np.inf
    out, cache = max_pool_forward_fast(x, pool_param(1, 3, 3))
    dx = max_pool_backward_fast(np.array([1.5, 2.0]).reshape(out.shape), cache)
    np.testing.assert_array_equal(dx.ravel(), [0, 1.5, 0, 2, 0, 0])


def test_a_window_with_nan_shows_it_and_its_gradient_stays_finite():
    # a gradient that is shared among the entries equal to the maximum is 0 / 0 here: NaN equals nothing
    x = np.array([[1.0, np.nan, 4.0, 5.0], [0.0, 2.0, 6.0, 3.0]]).reshape(1, 1, 2, 4)
    dout = np.array([3.0, -7.0]).reshape(1, 1, 1, 2)
    out, cache = max_pool_forward_fast(x, pool_param(2, 2, 2))
    np.testing.assert_array_equal(out.ravel(), [np.nan, 6])
    dx = max_pool_backward_fast(dout, cache)
    assert dx[..., :2].sum() == 3
    np.testing.assert_array_equal(dx[0, 0, :, 2:], [[0, 0], [-7, 0]])
    np.testing.assert_array_equal(dx, max_pool_backward_naive(dout, max_pool_forward_naive(x, pool_param(2, 2, 2))[1]))


@pytest.mark.parametrize("steps", [(1, 1, 1), (2, 1, 1)])
def test_memory_layout_does_not_matter_and_nothing_is_changed(steps, rng, upstream):
    x, w, b = conv_inputs(rng, (3, 4, 8, 7), (5, 3, 2))
    out, cache = conv_forward_fast(x, w, b, conv_param(*steps))
    dout = upstream(*out.shape)
    plain = conv_backward_fast(dout, cache)
    pooled, pool_cache = max_pool_forward_fast(x, pool_param(3, 2, 2))
    dpooled = upstream(*pooled.shape)
    plain_pool = max_pool_backward_fast(dpooled, pool_cache)
    views = [np.ascontiguousarray(a.T).T for a in (x, w, b, dout, dpooled)]
    for view in views:
        view.flags.writeable = False
    again, cache = conv_forward_fast(*views[:3], conv_param(*steps))
    np.testing.assert_allclose(again, out, rtol=1e-12)
    for gradient, expected in zip(conv_backward_fast(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)
    _, pool_cache = max_pool_forward_fast(views[0], pool_param(3, 2, 2))
    np.testing.assert_array_equal(max_pool_backward_fast(views[4], pool_cache), plain_pool)


def test_bad_input_is_named(rng, upstream):
    x, w, b = conv_inputs(rng, (3, 4, 8, 7), (5, 3, 2))
    with pytest.raises(ValueError, match=r"w of shape \(F, 4, R, Q\).*got \(5, 3, 3, 2\)"):
        conv_forward_fast(x, w[:, :3], b, conv_param(1, 0, 1))
    with pytest.raises(ValueError, match=r"conv_param\['stride'\].*got None"):
        conv_forward_fast(x, w, b, {"pad": 0})
    out, cache = conv_forward_fast(x, w, b, conv_param(1, 0, 1))
    with pytest.raises(ValueError, match=r"dout of shape \(3, 5, 6, 6\), got \(3, 5, 6, 5\)"):
        conv_backward_fast(upstream(*out.shape)[..., 1:], cache)
    with pytest.raises(ValueError, match=r"fits into the image \(8, 7\), got \(2, 8\)"):
        max_pool_forward_fast(x, pool_param(2, 8, 1))
    _, pool_cache = max_pool_forward_fast(x, pool_param(2, 3, 2))
    with pytest.raises(ValueError, match=r"dout of shape \(3, 4, 4, 3\), got \(3, 4, 3, 4\)"):
        max_pool_backward_fast(upstream(3, 4, 3, 4), pool_cache)


@pytest.mark.torch
@pytest.mark.parametrize(("images", "kernels", "steps"), CONVOLUTIONS)
def test_pytorch_agrees(images, kernels, steps, rng, upstream):
    import torch

    arrays = conv_inputs(rng, images, kernels)
    out, cache = conv_forward_fast(*arrays, conv_param(*steps))
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    theirs = torch.nn.functional.conv2d(*tensors, stride=steps[0], padding=steps[1], dilation=steps[2])
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    dout = upstream(*out.shape)
    theirs.backward(torch.tensor(dout))
    for gradient, tensor in zip(conv_backward_fast(dout, cache), tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
