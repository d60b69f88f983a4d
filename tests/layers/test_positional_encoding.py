import math

import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.positional_encoding import (
    positional_encoding_backward,
    positional_encoding_forward,
    positional_encoding_table,
)

N, T, D, M = 2, 3, 5, 7


def draw(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, T, D)), rng.normal(size=(M, D)), rng.normal(size=(N, T, D))


@pytest.mark.parametrize(("length", "features"), [(4, 6), (4, 5), (3, 1), (1, 2), (50, 7)])
def test_the_table_is_the_formula(length, features):
    # an odd number of features has broken many copies of this table
    pe = positional_encoding_table(length, features)
    assert pe.shape == (length, features)
    for t in range(length):
        for d in range(features):
            angle = t / 10000 ** (2 * (d // 2) / features)
            assert math.isclose(pe[t, d], math.cos(angle) if d % 2 else math.sin(angle), abs_tol=1e-12)


def test_moving_on_turns_each_pair():
    pe = positional_encoding_table(40, 8)
    for k in (1, 5, 17):
        rates = 10000.0 ** (-np.arange(0, 8, 2) / 8)
        c, s = np.cos(k * rates), np.sin(k * rates)
        np.testing.assert_allclose(pe[k:, 0::2], pe[:-k, 0::2] * c + pe[:-k, 1::2] * s, atol=1e-12)
        np.testing.assert_allclose(pe[k:, 1::2], pe[:-k, 1::2] * c - pe[:-k, 0::2] * s, atol=1e-12)


def test_inner_products_depend_on_the_distance_only():
    pe = positional_encoding_table(30, 6)
    table = pe @ pe.T
    for k in range(30):
        np.testing.assert_allclose(np.diagonal(table, k), table[0, k], atol=1e-12)
    np.testing.assert_allclose(np.diagonal(table), 3)


@pytest.mark.parametrize("front", [(), (N,), (2, 3)])
def test_gradients_agree_with_differences(front):
    rng = np.random.default_rng(3)
    x, pe, dout = rng.normal(size=(*front, T, D)), rng.normal(size=(M, D)), rng.normal(size=(*front, T, D))
    gradients = positional_encoding_backward(dout, positional_encoding_forward(x, pe)[1])
    for array, gradient in zip((x, pe), gradients, strict=True):
        numeric = eval_numerical_gradient_array(lambda _: positional_encoding_forward(x, pe)[0], array, dout)
        assert gradient.shape == array.shape
        np.testing.assert_allclose(gradient, numeric, rtol=1e-7, atol=1e-9)
    assert not gradients[1][T:].any()


def test_the_shape_of_the_course_serves_as_well():
    x, pe, _ = draw()
    np.testing.assert_array_equal(positional_encoding_forward(x, pe[None])[0], positional_encoding_forward(x, pe)[0])


def test_the_gradient_of_the_tokens_is_a_copy():
    x, pe, dout = draw()
    dx, _ = positional_encoding_backward(dout, positional_encoding_forward(x, pe)[1])
    dx[...] = 0
    assert dout.all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_of_the_tokens_is_kept(dtype):
    x, _, dout = (a.astype(dtype) for a in draw())
    out, cache = positional_encoding_forward(x, positional_encoding_table(M, D))
    assert {out.dtype, *(a.dtype for a in positional_encoding_backward(dout, cache))} == {np.dtype(dtype)}


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, pe, dout = draw()
    out, cache = positional_encoding_forward(x, pe)
    views = [np.asfortranarray(a) for a in (x, pe, dout)]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(positional_encoding_forward(views[0], views[1])[0], out)
    for one, other in zip(
        positional_encoding_backward(views[2], cache), positional_encoding_backward(dout, cache), strict=True
    ):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize(
    ("x", "pe", "message"),
    [
        (np.zeros((N, M + 1, D)), np.zeros((M, D)), "a row for each of 8 positions, got 7"),
        (np.zeros((N, T, D)), np.zeros((M, D + 1)), r"pe of shape \(M, D\), got \(2, 3, 5\) and \(7, 6\)"),
        (np.zeros(D), np.zeros((M, D)), r"got \(5,\) and \(7, 5\)"),
        (np.zeros((N, T, D)), np.zeros((2, M, D)), r"got \(2, 3, 5\) and \(2, 7, 5\)"),
        (np.zeros((N, T, D), int), np.zeros((M, D)), "x: expected real floating-point numbers, got dtype int64"),
    ],
)
def test_bad_input_is_named(x, pe, message):
    with pytest.raises(ValueError, match=message):
        positional_encoding_forward(x, pe)


def test_bad_sizes_and_gradients_are_named():
    with pytest.raises(ValueError, match="at least one position and one feature, got 0 and 4"):
        positional_encoding_table(0, 4)
    x, pe, dout = draw()
    _, cache = positional_encoding_forward(x, pe)
    with pytest.raises(ValueError, match=r"with T at most 7, got \(2, 9, 5\)"):
        positional_encoding_backward(np.zeros((N, 9, D)), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype int64"):
        positional_encoding_backward(dout.astype(int), cache)
