import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.kl_divergence import kl_div_loss
from cs231n.losses.softmax import softmax_cross_entropy, softmax_loss

N, C = 4, 3


def draw():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 1, size=(N, C))
    return 2 * rng.normal(size=(N, C)), p / p.sum(axis=1, keepdims=True), rng.uniform(0.1, 1, size=(N, C))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("normalized", [True, False])
def test_it_is_the_sum_over_classes_and_the_mean_over_the_batch(normalized):
    x, p, u = draw()
    weights = p if normalized else u
    expected = (weights * np.log(weights / softmax(x))).sum(axis=1).mean()
    np.testing.assert_allclose(kl_div_loss(x, weights)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("normalized", [True, False])
def test_gradient_agrees_with_differences(normalized):
    x, p, u = draw()
    weights = p if normalized else u
    numeric = eval_numerical_gradient(lambda x: kl_div_loss(x, weights)[0], x, verbose=False)
    np.testing.assert_allclose(kl_div_loss(x, weights)[1], numeric, rtol=1e-7, atol=1e-9)


def test_gradient_is_the_one_of_cross_entropy():
    x, p, u = draw()
    for weights in (p, u):
        np.testing.assert_allclose(
            kl_div_loss(x, weights)[1], softmax_cross_entropy(x, weights)[1], rtol=1e-10, atol=1e-15
        )


def test_equal_distributions_have_no_divergence():
    _, p, _ = draw()
    loss, dx = kl_div_loss(np.log(p) + 5, p)
    np.testing.assert_allclose(loss, 0, atol=1e-15)
    np.testing.assert_allclose(dx, 0, atol=1e-15)


def test_it_is_not_symmetric_and_not_negative():
    x, p, _ = draw()
    q = softmax(x)
    there, back = kl_div_loss(x, p)[0], kl_div_loss(np.log(p), q)[0]
    assert there > 0
    assert back > 0
    assert abs(there - back) > 0.01


def test_zero_targets_add_nothing_and_labels_give_the_softmax_loss():
    x, _, _ = draw()
    y = np.array([2, 0, 1, 2])
    for ours, expected in zip(kl_div_loss(x, np.eye(C)[y]), softmax_loss(x, y), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_give_exact_losses_and_no_warning(dtype):
    x = np.array([[1e4, -1e4, 0], [0, 1e4, 1e4]], dtype)
    p = np.array([[0, 0.5, 0.5], [0, 0.5, 0.5]], dtype)
    loss, dx = kl_div_loss(x, p)
    np.testing.assert_allclose(loss, (1.5e4 - np.log(2)) / 2, rtol=1e-6)
    np.testing.assert_allclose(dx, np.array([[1, -0.5, -0.5], [0, 0, 0]]) / 2, atol=1e-7)
    assert loss.dtype == dx.dtype == dtype


def test_a_common_shift_changes_nothing():
    x, p, _ = draw()
    x = np.round(x * 64) / 64  # so that adding 1e4 is exact
    for a, b in zip(kl_div_loss(x, p), kl_div_loss(x + 1e4, p), strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_class_and_one_example():
    loss, dx = kl_div_loss(np.array([[3.0]]), np.array([[1.0]]))
    assert loss == 0
    assert dx == [[0]]


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, p, _ = draw()
    views = np.asfortranarray(x), np.repeat(p, 2, axis=1)[:, ::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_allclose(kl_div_loss(*views)[1], kl_div_loss(x, p)[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("x", "p", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"p of shape \(2, 3\), got \(3, 2\)"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), "p: expected real floating-point numbers, got dtype int64"),
        (np.zeros((2, 3)), np.full((2, 3), -0.25), r"targets p >= 0, got -0.25"),
        (np.zeros((2, 0)), np.zeros((2, 0)), r"C >= 1, got \(2, 0\)"),
        (np.zeros(3), np.zeros(3), r"x of shape \(N, C\).*got \(3,\)"),
    ],
)
def test_bad_input_is_named(x, p, message):
    with pytest.raises(ValueError, match=message):
        kl_div_loss(x, p)


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, p, u = draw()
    for weights in (p, u):
        tensor = torch.tensor(x, requires_grad=True)
        log_q = torch.log_softmax(tensor, dim=1)
        expected = torch.nn.functional.kl_div(log_q, torch.tensor(weights), reduction="batchmean")
        expected.backward()
        loss, dx = kl_div_loss(x, weights)
        np.testing.assert_allclose(loss, expected.item(), rtol=1e-12)
        np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-10, atol=1e-15)
