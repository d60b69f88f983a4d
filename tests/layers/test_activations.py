import math

import mpmath
import numpy as np
import pytest

from cs231n.checking.symbolic import check_backward_exactly, rationals
from cs231n.gradient_check import eval_numerical_gradient_array
from cs231n.layers import activations

#: Each pair of functions, and its parameter where it takes one.
PAIRS = {
    "leaky_relu": (0.125,),
    "sigmoid": (),
    "tanh": (),
    "gelu": (),
    "gelu_tanh": (),
    "silu": (),
    "softplus": (),
    "elu": (1.5,),
}
each = pytest.mark.parametrize("name", PAIRS)
LIMITS = {  # value and slope at −∞ and +∞
    "leaky_relu": (-np.inf, np.inf, 0.125, 1),
    "sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "gelu": (0, np.inf, 0, 1),
    "gelu_tanh": (0, np.inf, 0, 1),
    "silu": (0, np.inf, 0, 1),
    "softplus": (0, np.inf, 0, 1),
    "elu": (-1.5, np.inf, 0, 1),
}


def forward(name, x):
    return getattr(activations, f"{name}_forward")(x, *PAIRS[name])


def backward(name, dout, cache):
    return getattr(activations, f"{name}_backward")(dout, cache)


def definition(name, u):
    """In as many digits as mpmath works with."""
    inner = mpmath.sqrt(2 / mpmath.pi) * (u + mpmath.mpf("0.044715") * u**3)
    return {
        "leaky_relu": lambda: u if u > 0 else u / 8,
        "sigmoid": lambda: 1 / (1 + mpmath.exp(-u)),
        "tanh": lambda: mpmath.tanh(u),
        "gelu": lambda: u * mpmath.erfc(-u / mpmath.sqrt(2)) / 2,
        "gelu_tanh": lambda: u / (1 + mpmath.exp(-2 * inner)),
        "silu": lambda: u / (1 + mpmath.exp(-u)),
        "softplus": lambda: mpmath.log1p(mpmath.exp(u)),
        "elu": lambda: u if u > 0 else mpmath.expm1(u) * 3 / 2,
    }[name]()


def exactly(name, x):
    """Values and slopes at the numbers of x, rounded once."""
    with mpmath.workdps(60):
        numbers = [mpmath.mpf(float(v)) for v in x]
        values = [float(definition(name, u)) for u in numbers]
        slopes = [float(mpmath.diff(lambda v: definition(name, v), u, h=mpmath.mpf(10) ** -20)) for u in numbers]
    return np.array(values), np.array(slopes)


@each
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_values_and_slopes_are_those_of_the_definition_also_far_out(name, dtype):
    unit = np.finfo(dtype).eps
    x = np.concatenate([np.linspace(-12, 12, 97), [-80, -30, 0.001, -0.001, 30, 80, 500, -500]]).astype(dtype)
    x = x[x != 0]
    values, slopes = exactly(name, x)
    out, cache = forward(name, x)
    np.testing.assert_allclose(out, values, rtol=12 * unit, atol=4 * unit)
    np.testing.assert_allclose(
        backward(name, np.ones_like(x), cache), slopes, rtol=12 * unit, atol=(50 if dtype == np.float64 else 12) * unit
    )


@pytest.mark.parametrize("name", ["sigmoid", "gelu", "gelu_tanh", "silu", "softplus", "elu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_values_keep_their_relative_accuracy(name, dtype):
    # 1 + erf, 1 + tanh, log(1 + exp) and exp − 1 lose all digits here
    tail = np.linspace(-12, -4, 33) if name != "gelu_tanh" else np.linspace(-7, -4, 33)
    x = np.concatenate([tail if name != "elu" else [], -np.logspace(-6, -3, 5)]).astype(dtype)
    values, _ = exactly(name, x)
    np.testing.assert_allclose(forward(name, x)[0], values, rtol=600 * np.finfo(dtype).eps, atol=0)


def test_the_distribution_function_against_the_error_function_of_the_standard_library():
    x = np.linspace(-38, 38, 3001)
    expected = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    np.testing.assert_allclose(forward("gelu", x)[0], x * expected, rtol=1e-12, atol=1e-300)


@each
def test_gradients_agree_with_differences(name):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 3, size=(2, 3, 5)) * rng.choice([-1, 1], size=(2, 3, 5))
    dout = rng.normal(size=x.shape)
    dx = backward(name, dout, forward(name, x)[1])
    numeric = eval_numerical_gradient_array(lambda x: forward(name, x)[0], x, dout)
    np.testing.assert_allclose(dx, numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", [n for n in PAIRS if "gelu" not in n])  # their constants are rounded decimals
def test_the_backward_is_exactly_the_derivative_of_the_forward(name):
    def run(x, dout):
        out, cache = forward(name, x)
        return {"out": out, "dx": backward(name, dout, cache)}

    inputs = {"x": rationals((2, 3), 5), "dout": rationals((2, 3), 6)}
    assert (inputs["x"] > 0).any() and (inputs["x"] < 0).any()
    report = check_backward_exactly(run, inputs, outputs={"out": "dout"}, gradients={"dx": "x"})
    assert report.entries == 6


@each
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_infinities_and_the_largest_numbers_give_the_limits(name, dtype):
    big = np.finfo(dtype).max
    low, high, slope_low, slope_high = LIMITS[name]
    out, cache = forward(name, np.array([-np.inf, np.inf, -big, big], dtype))
    dx = backward(name, np.array([1, 1, 1, 1], dtype), cache)
    np.testing.assert_array_equal(out[:2], [low, high])
    np.testing.assert_allclose(out[2:], [-big / 8 if name == "leaky_relu" else low, min(high, big)], atol=1e-30)
    np.testing.assert_array_equal(dx, [slope_low, slope_high] * 2)


@each
def test_nan_stays_nan(name):
    out, cache = forward(name, np.array([np.nan, 1.0]))
    assert np.isnan(out[0]) and np.isfinite(out[1])
    dx = backward(name, np.array([1.0, 1.0]), cache)
    assert np.isfinite(dx[1])
    if name != "leaky_relu":  # whose mask, as that of a ReLU, is false at NaN
        assert np.isnan(dx[0])


@pytest.mark.parametrize(("name", "at_zero"), [("leaky_relu", 0.125), ("elu", 1.5), ("softplus", 0.5), ("tanh", 1)])
def test_the_slope_at_zero_is_the_left_one(name, at_zero):
    _, cache = forward(name, np.array([0.0, -0.0]))
    np.testing.assert_array_equal(backward(name, np.array([2.0, -4.0]), cache), [2 * at_zero, -4 * at_zero])


def test_the_two_gelus_differ_and_not_by_much():
    x = np.linspace(-6, 6, 1001)
    (exact, exact_cache), (close, close_cache) = forward("gelu", x), forward("gelu_tanh", x)
    assert 4e-4 < abs(exact - close).max() < 5e-4
    ones = np.ones_like(x)
    assert 5e-4 < abs(backward("gelu", ones, exact_cache) - backward("gelu_tanh", ones, close_cache)).max() < 1e-3


@each
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5)])
def test_shape_and_dtype_are_kept(name, dtype, shape):
    x = np.asarray(np.random.default_rng(0).normal(size=shape)).astype(dtype)
    out, cache = forward(name, x)
    dx = backward(name, np.full_like(x, -0.5), cache)
    assert (out.shape, out.dtype, dx.shape, dx.dtype) == (shape, dtype, shape, dtype)


@each
def test_memory_layout_does_not_matter_and_nothing_is_changed(name):
    rng = np.random.default_rng(2)
    x, dout = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    views = np.asfortranarray(x), np.repeat(dout, 2, axis=0)[::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(
        backward(name, views[1], forward(name, views[0])[1]), backward(name, dout, forward(name, x)[1])
    )


@each
def test_bad_input_is_named(name):
    with pytest.raises(ValueError, match="x: expected real floating-point numbers, got dtype int64"):
        forward(name, np.arange(3))
    _, cache = forward(name, np.array([[1.0, 2.0, 3.0]]))
    with pytest.raises(ValueError, match=r"dout of shape \(1, 3\), got \(3,\)"):
        backward(name, np.array([0.5, 2.0, -1.0]), cache)
    with pytest.raises(ValueError, match="dout: expected real floating-point numbers, got dtype bool"):
        backward(name, np.array([[True, False, True]]), cache)


@pytest.mark.torch
@each
def test_pytorch_agrees(name):
    import torch
    from torch.nn import functional

    theirs = {
        "leaky_relu": lambda t: functional.leaky_relu(t, 0.125),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": functional.gelu,
        "gelu_tanh": lambda t: functional.gelu(t, approximate="tanh"),
        "silu": functional.silu,
        "softplus": functional.softplus,
        "elu": lambda t: functional.elu(t, 1.5),
    }[name]
    rng = np.random.default_rng(3)
    x, dout = np.concatenate([3 * rng.normal(size=40), [0.0, -0.0, 30.0, -30.0]]), rng.normal(size=44)
    tensor = torch.tensor(x, requires_grad=True)
    result = theirs(tensor)
    result.backward(torch.tensor(dout))
    out, cache = forward(name, x)
    tolerance = 1e-8 if name == "softplus" else 1e-12  # theirs is the identity above 20
    np.testing.assert_allclose(out, result.detach().numpy(), rtol=tolerance, atol=1e-13)
    np.testing.assert_allclose(backward(name, dout, cache), tensor.grad.numpy(), rtol=tolerance, atol=1e-13)
