import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers.relu import relu_backward, relu_forward


def test_infinities_leave_no_nan():
    # a product with a 0/1 mask would give −inf · 0 = NaN
    x = np.array([-np.inf, -1.0, 2.0, np.inf])
    out, cache = relu_forward(x)
    np.testing.assert_array_equal(out, [0, 0, 2, np.inf])
    np.testing.assert_array_equal(relu_backward(np.array([np.inf, -np.inf, np.inf, -3.0]), cache), [0, 0, np.inf, -3])


def test_blocked_gradients_are_plain_zeros_not_negative_ones():
    _, cache = relu_forward(np.array([-1.0, -2.0]))
    assert not np.signbit(relu_backward(np.array([-3.0, 4.0]), cache)).any()


def test_nan_stays_nan():
    assert np.isnan(relu_forward(np.array([np.nan, 1.0]))[0][0])


def test_the_gradient_at_zero_is_zero():
    _, cache = relu_forward(np.array([0.0, -0.0]))
    np.testing.assert_array_equal(relu_backward(np.array([1.5, -2.5]), cache), [0, 0])


def test_gradient_agrees_with_differences_away_from_the_kink():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 2, size=(2, 3, 5)) * rng.choice([-1, 1], size=(2, 3, 5))
    dout = rng.normal(size=x.shape)
    dx = relu_backward(dout, relu_forward(x)[1])
    numeric = eval_numerical_gradient_array(lambda x: relu_forward(x)[0], x, dout)
    np.testing.assert_allclose(dx, numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5)])
def test_shape_and_dtype_are_kept(dtype, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)[()]
    x = np.asarray(x)
    out, cache = relu_forward(x)
    dx = relu_backward(np.full_like(x, -0.5), cache)
    assert (out.shape, out.dtype, dx.shape, dx.dtype) == (shape, dtype, shape, dtype)


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    rng = np.random.default_rng(2)
    x, dout = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    views = np.asfortranarray(x), np.repeat(dout, 2, axis=0)[::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(
        relu_backward(views[1], relu_forward(views[0])[1]), relu_backward(dout, relu_forward(x)[1])
    )


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        relu_forward(np.arange(3))
    _, cache = relu_forward(np.array([[1.0, 2.0, 3.0]]))
    with pytest.raises(ValueError, match=r"dout of shape \(1, 3\), got \(3,\)"):
        relu_backward(np.array([0.5, 2.0, -1.0]), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype bool"):
        relu_backward(np.array([[True, False, True]]), cache)


@pytest.mark.torch
def test_pytorch_agrees_also_at_the_kink():
    import torch

    x, dout = np.array([[-1.5, 0.0, 2.0], [3.0, -0.0, -0.25]]), np.array([[0.5, -2.0, 1.5], [0.75, 3.0, -1.0]])
    tensor = torch.tensor(x, requires_grad=True)
    torch.relu(tensor).backward(torch.tensor(dout))
    np.testing.assert_array_equal(relu_backward(dout, relu_forward(x)[1]), tensor.grad.numpy())
