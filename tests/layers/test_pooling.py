"""What is special about pooling: ties, windows that overlap, entries under no window."""

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.pooling import (
    avg_pool_backward_naive,
    avg_pool_forward_naive,
    max_pool_backward_naive,
    max_pool_forward_naive,
)

N, C, H, W = 2, 3, 8, 7
POOLS = [
    pytest.param(max_pool_forward_naive, max_pool_backward_naive, np.max, id="max"),
    pytest.param(avg_pool_forward_naive, avg_pool_backward_naive, np.mean, id="average"),
]

#: height and width of the window, stride: tiling, overlapping, with gaps, with remainders, one entry, the whole image
WINDOWS = [(2, 7, 2), (3, 2, 1), (3, 2, 2), (2, 3, 4), (5, 4, 3), (1, 1, 1), (8, 7, 1)]


def param(pool_height, pool_width, stride):
    return {"pool_height": pool_height, "pool_width": pool_width, "stride": stride}


@pytest.fixture
def x(rng):
    return rng.permutation(N * C * H * W).reshape(N, C, H, W) / 100.0  # no ties, and no two entries nearly equal


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
@pytest.mark.parametrize("window", WINDOWS)
def test_the_forward_is_the_definition(forward, backward, reduce, window, x):
    rows, columns, stride = window
    expected = np.empty((N, C, (H - rows) // stride + 1, (W - columns) // stride + 1))
    for n, c, p, u in np.ndindex(expected.shape):
        seen = x[n, c, stride * p : stride * p + rows, stride * u : stride * u + columns]
        expected[n, c, p, u] = reduce(seen)
    np.testing.assert_allclose(forward(x, param(*window))[0], expected, rtol=1e-13)


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
@pytest.mark.parametrize("window", WINDOWS)
def test_gradients_agree_with_differences(forward, backward, reduce, window, x, upstream):
    out, cache = forward(x, param(*window))
    dout = upstream(*out.shape)
    numeric = eval_numerical_gradient_array(lambda _: forward(x, param(*window))[0], x, dout)
    np.testing.assert_allclose(backward(dout, cache), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
def test_what_comes_in_is_handed_on(forward, backward, reduce, x, upstream):
    out, cache = forward(x, param(3, 2, 2))
    dout = upstream(*out.shape)
    dx = backward(dout, cache)
    np.testing.assert_allclose([dx.sum(), (x * dx).sum()], [dout.sum(), (out * dout).sum()])


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
def test_entries_under_no_window_get_no_gradient(forward, backward, reduce, x, upstream):
    out, cache = forward(x, param(5, 4, 3))  # rows 0–4 and 3–7, columns 0–3 and 3–6
    assert out.shape == (N, C, 2, 2)
    out, cache = forward(x, param(2, 2, 3))  # rows 0–1, 3–4, 6–7 and columns 0–1, 3–4
    dx = backward(upstream(*out.shape), cache)
    assert not dx[:, :, 2].any()
    assert not dx[:, :, 5].any()
    assert not dx[:, :, :, [2, 5, 6]].any()


def test_an_entry_that_wins_in_several_windows_collects_from_all():
    # A published solution of the course assigns; windows that tile the image do not show it.
    x = np.zeros((1, 1, 1, 5))
    x[0, 0, 0, 2] = 1.0
    _, cache = max_pool_forward_naive(x, param(1, 3, 1))
    dx = max_pool_backward_naive(np.array([1.0, 20.0, 300.0]).reshape(1, 1, 1, 3), cache)
    np.testing.assert_array_equal(dx.ravel(), [0, 0, 321, 0, 0])


def test_the_first_of_equal_entries_wins_row_by_row():
    x = np.array([[0.0, 2.0, 2.0], [2.0, 1.0, 2.0]]).reshape(1, 1, 2, 3)
    _, cache = max_pool_forward_naive(x, param(2, 3, 1))
    assert cache.winner.item() == 1
    dx = max_pool_backward_naive(np.full((1, 1, 1, 1), 7.0), cache)
    np.testing.assert_array_equal(dx[0, 0], [[0, 7, 0], [0, 0, 0]])
    _, cache = max_pool_forward_naive(np.zeros((1, 1, 4, 4)), param(2, 2, 2))
    assert not cache.winner.any()


def test_the_largest_may_be_negative_and_nan_is_shown():
    x = np.full((1, 1, 3, 3), -4.0)
    x[0, 0, 2, 2] = -1.0
    assert max_pool_forward_naive(x, param(3, 3, 1))[0].item() == -1
    x[0, 0, 1, 0] = np.nan
    assert np.isnan(max_pool_forward_naive(x, param(3, 3, 1))[0]).all()


def test_the_example_of_the_course_notebook():
    x = np.linspace(-0.3, 0.4, num=2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    out, _ = max_pool_forward_naive(x, param(2, 2, 2))
    np.testing.assert_allclose(out[0, 0], [[-0.26315789, -0.24842105], [-0.20421053, -0.18947368]], atol=1e-8)


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept(forward, backward, reduce, dtype, x, upstream):
    out, cache = forward(x.astype(dtype), param(3, 2, 2))
    dx = backward(upstream(*out.shape, dtype=dtype), cache)
    assert out.dtype == dx.dtype == dtype


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
def test_memory_layout_does_not_matter_and_nothing_is_changed(forward, backward, reduce, x, upstream):
    out, cache = forward(x, param(3, 2, 2))
    dout = upstream(*out.shape)
    views = [np.ascontiguousarray(a.T).T for a in (x, dout)]
    for view in views:
        view.flags.writeable = False
    again, cache_again = forward(views[0], param(3, 2, 2))
    np.testing.assert_allclose(again, out, rtol=1e-13)
    np.testing.assert_allclose(backward(views[1], cache_again), backward(dout, cache), rtol=1e-13)


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
def test_a_single_entry(forward, backward, reduce):
    out, cache = forward(np.full((1, 1, 1, 1), 3.0), param(1, 1, 2))
    assert out.item() == 3
    assert backward(np.full((1, 1, 1, 1), -2.5), cache).item() == -2.5


def test_the_output_may_be_changed_afterwards():
    x = np.arange(4.0).reshape(1, 1, 2, 2)
    out, _ = max_pool_forward_naive(x, param(1, 1, 1))
    out[:] = 0
    np.testing.assert_array_equal(x.ravel(), [0, 1, 2, 3])


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pool_param": {"pool_height": 2, "pool_width": 2}}, r"\['stride'\]: expected a whole number.*got None"),
        ({"pool_param": param(0, 2, 1)}, r"\['pool_height'\]: expected a whole number, at least 1, got 0"),
        ({"pool_param": param(2, 2.0, 1)}, r"\['pool_width'\].*got 2.0"),
        ({"pool_param": {**param(2, 2, 1), "pad": 1}}, r"expected pool_height, pool_width, stride, got \['pad'\]"),
        ({"pool_param": param(9, 2, 1)}, r"fits into the image \(8, 7\), got \(9, 2\)"),
        ({"x": np.zeros((C, H, W))}, r"x of shape \(N, C, H, W\) without an empty axis, got \(3, 8, 7\)"),
        ({"x": np.zeros((N, C, 0, W))}, r"without an empty axis, got \(2, 3, 0, 7\)"),
        ({"x": np.zeros((N, C, H, W), int)}, "x: expected real floating-point numbers, got dtype int64"),
    ],
)
def test_bad_input_is_named(forward, backward, reduce, change, message):
    with pytest.raises(ValueError, match=message):
        forward(**({"x": np.zeros((N, C, H, W)), "pool_param": param(2, 2, 2)} | change))


@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
def test_bad_dout_is_named(forward, backward, reduce, x, upstream):
    out, cache = forward(x, param(2, 3, 2))
    with pytest.raises(ValueError, match=r"dout of shape \(2, 3, 4, 3\), got \(2, 3, 3, 4\)"):
        backward(upstream(N, C, 3, 4), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype bool"):
        backward(upstream(*out.shape) > 0, cache)


@pytest.mark.torch
@pytest.mark.parametrize(("forward", "backward", "reduce"), POOLS)
@pytest.mark.parametrize("window", WINDOWS)
def test_pytorch_agrees_ties_included(forward, backward, reduce, window, x, upstream):
    import torch

    rows, columns, stride = window
    pool = torch.nn.functional.max_pool2d if reduce is np.max else torch.nn.functional.avg_pool2d
    coarse = np.floor(x)  # many entries are equal
    out, cache = forward(coarse, param(*window))
    dout = upstream(*out.shape)
    tensor = torch.tensor(coarse, requires_grad=True)
    theirs = pool(tensor, (rows, columns), stride)
    theirs.backward(torch.tensor(dout))
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(backward(dout, cache), tensor.grad.numpy(), rtol=1e-12, atol=1e-14)
