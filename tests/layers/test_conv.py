"""What is special about convolution: windows that overlap, steps that leave a remainder, images that are not square."""

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.conv import conv_backward_naive, conv_forward_naive

#: Sizes that all differ: images, channels, kernels, height, width, kernel height, kernel width.
N, C, F, H, W, R, Q = 2, 3, 4, 8, 7, 5, 2

#: stride, pad, dilation; with remainders, without, with windows that do not overlap, and one that is a single place
STEPS = [(1, 0, 1), (1, 2, 1), (2, 1, 1), (3, 2, 1), (7, 1, 1), (1, 1, 2), (2, 3, 2), (3, 1, 1)]


def draw(seed=0, n=N, c=C, f=F, h=H, w=W, r=R, q=Q):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, c, h, w)), rng.normal(size=(f, c, r, q)), rng.normal(size=f)


def param(stride, pad, dilation=1):
    return {"stride": stride, "pad": pad, "dilation": dilation}


def by_loops(x, w, b, stride, pad, dilation):
    """The definition, entry by entry, with no array operation in it."""
    n_images, channels, height, width = x.shape
    kernels, _, rows, columns = w.shape
    out_height = (height + 2 * pad - dilation * (rows - 1) - 1) // stride + 1
    out_width = (width + 2 * pad - dilation * (columns - 1) - 1) // stride + 1
    out = np.empty((n_images, kernels, out_height, out_width))
    for n, f, p, u in np.ndindex(out.shape):
        out[n, f, p, u] = b[f]
        for c, r, q in np.ndindex(channels, rows, columns):
            i, j = stride * p + dilation * r - pad, stride * u + dilation * q - pad
            if 0 <= i < height and 0 <= j < width:
                out[n, f, p, u] += x[n, c, i, j] * w[f, c, r, q]
    return out


@pytest.mark.parametrize("steps", STEPS)
def test_the_forward_is_the_definition(steps):
    x, w, b = draw()
    out, _ = conv_forward_naive(x, w, b, param(*steps))
    np.testing.assert_allclose(out, by_loops(x, w, b, *steps), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", STEPS)
def test_gradients_agree_with_differences(steps, upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(*steps))
    dout = upstream(*out.shape)
    for array, gradient in zip((x, w, b), conv_backward_naive(dout, cache), strict=True):
        numeric = eval_numerical_gradient_array(lambda _: conv_forward_naive(x, w, b, param(*steps))[0], array, dout)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_the_example_of_the_course_notebook():
    x = np.linspace(-0.1, 0.5, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    w = np.linspace(-0.2, 0.3, num=3 * 3 * 4 * 4).reshape(3, 3, 4, 4)
    b = np.linspace(-0.1, 0.2, num=3)
    out, _ = conv_forward_naive(x, w, b, {"stride": 2, "pad": 1})
    np.testing.assert_allclose(out[0, 0], [[-0.08759809, -0.10987781], [-0.18387192, -0.2109216]], atol=1e-8)


def test_rows_that_no_window_reaches_get_no_gradient(upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(2, 0))  # 8 rows, windows on rows 0–4 and 2–6
    dx, _, _ = conv_backward_naive(upstream(*out.shape), cache)
    assert out.shape[2] == 2
    assert not dx[:, :, 7].any()
    assert not dx[:, :, :, 6].any()
    assert dx[:, :, :7, :6].all()


def test_what_the_padding_would_get_is_cut_off(upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(1, 2))
    dout = upstream(*out.shape)
    wide, wide_cache = conv_forward_naive(np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2))), w, b, param(1, 0))
    np.testing.assert_allclose(out, wide, rtol=1e-12)
    dx, dw, db = conv_backward_naive(dout, cache)
    dx_wide, dw_wide, db_wide = conv_backward_naive(dout, wide_cache)
    np.testing.assert_allclose(dx, dx_wide[:, :, 2:-2, 2:-2], rtol=1e-12)
    np.testing.assert_allclose(dw, dw_wide, rtol=1e-12)
    np.testing.assert_array_equal(db, db_wide)


def test_the_gradient_of_x_is_a_convolution_with_the_kernel_turned_round(upstream):
    x, w, b = draw()
    s, pad, t = 2, 3, 2
    out, cache = conv_forward_naive(x, w, b, param(s, pad, t))
    dout = upstream(*out.shape)
    high, wide = H + 2 * pad + t * (R - 1), W + 2 * pad + t * (Q - 1)
    stretched = np.zeros((N, F, high, wide))
    stretched[:, :, t * (R - 1) :: s, t * (Q - 1) :: s][:, :, : out.shape[2], : out.shape[3]] = dout
    turned = w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    dx_bar, _ = conv_forward_naive(stretched, turned, np.zeros(C), param(1, 0, t))
    dx, _, _ = conv_backward_naive(dout, cache)
    np.testing.assert_allclose(dx, dx_bar[:, :, pad:-pad, pad:-pad], rtol=1e-10, atol=1e-12)


def test_the_gradient_of_w_is_a_convolution_with_stride_and_dilation_exchanged(upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(3, 1, 2))
    dout = upstream(*out.shape)
    images = x.transpose(1, 0, 2, 3)  # channels in the place of images, and images in that of channels
    exchanged, _ = conv_forward_naive(images, dout.transpose(1, 0, 2, 3), np.zeros(F), param(2, 1, 3))
    _, dw, _ = conv_backward_naive(dout, cache)
    np.testing.assert_allclose(dw, exchanged[:, :, :R, :Q].transpose(1, 0, 2, 3), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(dtype, upstream):
    x, w, b = (a.astype(dtype) for a in draw())
    out, cache = conv_forward_naive(x, w, b, param(2, 1))
    gradients = conv_backward_naive(upstream(*out.shape, dtype=dtype), cache)
    assert {a.dtype for a in (out, *gradients)} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed(upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(2, 2))
    dout = upstream(*out.shape)
    plain = conv_backward_naive(dout, cache)
    views = [np.ascontiguousarray(a.T).T for a in (x, w, b, dout)]
    for view in views:
        view.flags.writeable = False
    out_again, cache = conv_forward_naive(*views[:3], param(2, 2))
    np.testing.assert_allclose(out_again, out, rtol=1e-12)
    for gradient, expected in zip(conv_backward_naive(views[3], cache), plain, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def test_sizes_of_one(upstream):
    x, w, b = draw(n=1, c=1, f=1, h=1, w=1, r=1, q=1)
    out, cache = conv_forward_naive(x, w, b, param(1, 0))
    np.testing.assert_allclose(out, x * w + b)
    dout = upstream(1, 1, 1, 1)
    dx, dw, db = conv_backward_naive(dout, cache)
    np.testing.assert_allclose([dx, dw, db.reshape(1, 1, 1, 1)], [dout * w, dout * x, dout])


def test_changing_the_parameters_after_the_forward_does_not_change_the_backward(upstream):
    x, w, b = draw()
    conv_param = param(2, 1)
    out, cache = conv_forward_naive(x, w, b, conv_param)
    dout = upstream(*out.shape)
    before = conv_backward_naive(dout, cache)
    conv_param["stride"] = 1
    x[:] = 0
    for gradient, expected in zip(conv_backward_naive(dout, cache), before, strict=True):
        np.testing.assert_array_equal(gradient, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_param": {"pad": 0}}, r"conv_param\['stride'\]: expected a whole number, at least 1, got None"),
        ({"conv_param": {"stride": 2}}, r"conv_param\['pad'\]: expected a whole number, at least 0, got None"),
        ({"conv_param": param(0, 0)}, r"conv_param\['stride'\].*at least 1, got 0"),
        ({"conv_param": param(1, -1)}, r"conv_param\['pad'\].*at least 0, got -1"),
        ({"conv_param": param(1.5, 0)}, r"conv_param\['stride'\].*got 1.5"),
        ({"conv_param": {"stride": 1, "padding": 0}}, r"expected stride, pad, dilation, got \['padding'\]"),
        ({"conv_param": param(1, 0, 3)}, r"padded image \(8, 7\), got kernels that reach \(13, 4\)"),
        ({"x": np.zeros((N, C, H))}, r"x of shape \(N, C, H, W\) without an empty axis, got \(2, 3, 8\)"),
        ({"x": np.zeros((0, C, H, W))}, r"without an empty axis, got \(0, 3, 8, 7\)"),
        ({"w": np.zeros((F, C + 1, R, Q))}, r"w of shape \(F, 3, R, Q\).*got \(4, 4, 5, 2\)"),
        ({"b": np.zeros((F, 1))}, r"b of shape \(4,\).*got \(4, 1\)"),
        ({"x": np.zeros((N, C, H, W), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"b": np.zeros(F, bool)}, "b: expected real floating-point numbers, got dtype bool"),
    ],
)
def test_bad_input_is_named(change, message):
    x, w, b = draw()
    with pytest.raises(ValueError, match=message):
        conv_forward_naive(**({"x": x, "w": w, "b": b, "conv_param": param(1, 0)} | change))


def test_bad_dout_is_named(upstream):
    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(1, 0))
    with pytest.raises(ValueError, match=r"dout of shape \(2, 4, 4, 6\), got \(2, 4, 6, 4\)"):
        conv_backward_naive(upstream(2, 4, 6, 4), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        conv_backward_naive(upstream(*out.shape).astype(int), cache)


@pytest.mark.torch
@pytest.mark.parametrize("steps", STEPS)
def test_pytorch_agrees(steps, upstream):
    import torch

    x, w, b = draw()
    out, cache = conv_forward_naive(x, w, b, param(*steps))
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, w, b)]
    stride, pad, dilation = steps
    theirs = torch.nn.functional.conv2d(*tensors, stride=stride, padding=pad, dilation=dilation)
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    dout = upstream(*out.shape)
    theirs.backward(torch.tensor(dout))
    for gradient, tensor in zip(conv_backward_naive(dout, cache), tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)
