import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.binary_cross_entropy import bce_loss, bce_with_logits_loss
from cs231n.losses.softmax import softmax_loss

SHAPES = [(), (1,), (7,), (3, 4), (2, 1, 3)]


def draw(shape=(7,)):
    rng = np.random.default_rng(0)
    return np.asarray(2 * rng.normal(size=shape)), np.asarray(rng.uniform(size=shape))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("shape", SHAPES)
def test_both_functions_are_the_mean_of_the_textbook_formula(shape):
    x, t = draw(shape)
    p = np.asarray(sigmoid(x))
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    np.testing.assert_allclose(bce_with_logits_loss(x, t)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(bce_loss(p, t)[0], expected, rtol=1e-12)
    assert bce_with_logits_loss(x, t)[1].shape == bce_loss(p, t)[1].shape == shape


def test_gradients_agree_with_differences():
    x, t = draw((3, 4))
    numeric = eval_numerical_gradient(lambda x: bce_with_logits_loss(x, t)[0], x, verbose=False)
    np.testing.assert_allclose(bce_with_logits_loss(x, t)[1], numeric, rtol=1e-7, atol=1e-10)
    p = sigmoid(x)
    numeric = eval_numerical_gradient(lambda p: bce_loss(p, t)[0], p, verbose=False)
    np.testing.assert_allclose(bce_loss(p, t)[1], numeric, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_give_exact_losses_and_no_warning(dtype):
    x = np.array([1e4, 1e4, -1e4, -1e4, 0], dtype)
    t = np.array([1, 0, 1, 0, 0.5], dtype)
    loss, dx = bce_with_logits_loss(x, t)
    np.testing.assert_allclose(loss, (0 + 1e4 + 1e4 + 0 + np.log(2)) / 5, rtol=1e-6)
    np.testing.assert_allclose(dx, np.array([0, 1, -1, 0, 0]) / 5, rtol=1e-6)
    assert loss.dtype == dx.dtype == dtype


def test_small_losses_keep_their_digits_in_float32():
    # log(1 + z) would give 0 for z below 6e-8
    loss, _ = bce_with_logits_loss(np.array([20.0], np.float32), np.array([1.0], np.float32))
    np.testing.assert_allclose(loss, np.exp(-20.0), rtol=1e-6)


def test_both_branches_of_the_sigmoid_meet_at_zero():
    x = np.array([-1e-9, -0.0, 0.0, 1e-9])
    np.testing.assert_allclose(bce_with_logits_loss(x, np.zeros(4))[1], 0.125, rtol=1e-8)


def test_it_is_softmax_with_a_second_score_of_zero():
    x, _ = draw()
    y = np.array([0, 1, 1, 0, 1, 0, 0])
    loss, dx = softmax_loss(np.stack([np.zeros(7), x], axis=1), y)
    ours, ours_dx = bce_with_logits_loss(x, y.astype(float))
    np.testing.assert_allclose(ours, loss, rtol=1e-12)
    np.testing.assert_allclose(ours_dx, dx[:, 1], rtol=1e-10)


def test_the_mean_is_over_all_entries():
    x, t = draw((3, 4))
    each = [bce_with_logits_loss(x[:, k], t[:, k]) for k in range(4)]
    loss, dx = bce_with_logits_loss(x, t)
    np.testing.assert_allclose(loss, np.mean([one for one, _ in each]), rtol=1e-12)
    np.testing.assert_allclose(dx, np.stack([one for _, one in each], axis=1) / 4, rtol=1e-12)


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, t = draw((3, 4))
    views = np.asfortranarray(x), np.repeat(t, 2, axis=1)[:, ::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_allclose(bce_with_logits_loss(*views)[1], bce_with_logits_loss(x, t)[1], rtol=1e-15)


@pytest.mark.parametrize(
    ("x", "t", "message"),
    [
        (np.zeros(3), np.zeros((3, 1)), r"t of shape \(3,\), got \(3, 1\)"),
        (np.zeros(3), np.zeros(3, int), "t: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3, bool), np.zeros(3), "x: expected real floating-point numbers, got dtype bool"),
        (np.zeros((0, 2)), np.zeros((0, 2)), r"at least one entry, got shape \(0, 2\)"),
    ],
)
def test_bad_input_is_named(x, t, message):
    with pytest.raises(ValueError, match=message):
        bce_with_logits_loss(x, t)
    with pytest.raises(ValueError, match=message.replace("x", "p", 1) if message.startswith("x") else message):
        bce_loss(x, t)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([0.0, 0.5], r"strictly between 0 and 1, got p from 0.0 to 0.5"),
        ([0.5, 1.0], r"strictly between 0 and 1, got p from 0.5 to 1.0"),
        ([0.5, np.nan], r"strictly between 0 and 1, got p from nan to nan"),
    ],
)
def test_rounded_probabilities_are_refused(p, message):
    with pytest.raises(ValueError, match=message):
        bce_loss(np.array(p), np.array([0.0, 1.0]))


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, t = draw((3, 4))
    for ours, theirs, start in (
        (bce_with_logits_loss, torch.nn.functional.binary_cross_entropy_with_logits, x),
        (bce_loss, torch.nn.functional.binary_cross_entropy, sigmoid(x)),
    ):
        tensor = torch.tensor(start, requires_grad=True)
        expected = theirs(tensor, torch.tensor(t))
        expected.backward()
        loss, gradient = ours(start, t)
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-10)
