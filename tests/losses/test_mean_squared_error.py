import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.mean_squared_error import mse_loss

SHAPES = [(), (1,), (5,), (5, 3), (1, 3), (2, 3, 4)]


def draw(shape=(5, 3)):
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_is_over_all_entries_and_there_is_no_half(shape):
    x, t = draw(shape)
    loss, dx = mse_loss(x, t)
    np.testing.assert_allclose(loss, np.mean((x - t) ** 2), rtol=1e-12)
    np.testing.assert_allclose((dx * (x - t)).sum(), 2 * loss, rtol=1e-12)
    assert dx.shape == shape


def test_gradient_agrees_with_differences():
    x, t = draw()
    numeric = eval_numerical_gradient(lambda x: mse_loss(x, t)[0], x, verbose=False)
    np.testing.assert_allclose(mse_loss(x, t)[1], numeric, rtol=1e-7, atol=1e-10)


def test_perfect_predictions():
    x, _ = draw()
    loss, dx = mse_loss(x, x.copy())
    assert loss == 0
    assert (dx == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_predictions_and_dtype(dtype):
    x = np.array([[1e4, -1e4]], dtype)
    loss, dx = mse_loss(x, -x)
    assert loss == 4e8
    np.testing.assert_array_equal(dx, [[2e4, -2e4]])
    assert loss.dtype == dx.dtype == dtype


def test_nearly_equal_numbers_keep_their_digits():
    # x² − 2 x t + t² has none left
    x = np.array([1e8 + 1, 1e8 + 2])
    assert mse_loss(x, np.array([1e8, 1e8]))[0] == 2.5


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, t = draw()
    views = np.asfortranarray(x), np.repeat(t, 2, axis=1)[:, ::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(mse_loss(*views)[1], mse_loss(x, t)[1])


@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        (np.zeros((3, 1)), np.zeros(3), r"t of shape \(3, 1\), got \(3,\)"),
        (np.zeros(3), np.zeros(3, int), "t: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3, bool), np.zeros(3), "x: expected real floating-point numbers, got dtype bool"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"at least one entry, got shape \(0, 2\)"),
    ],
)
def test_bad_input_is_named(x, t, message):
    with pytest.raises(ValueError, match=message):
        mse_loss(x, t)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, t = draw()
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.mse_loss(tensor, torch.tensor(t))
    expected.backward()
    loss, dx = mse_loss(x, t)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-12)
