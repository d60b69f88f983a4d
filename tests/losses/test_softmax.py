import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.softmax import softmax_cross_entropy, softmax_loss

N, C = 4, 3


def draw():
    rng = np.random.default_rng(0)
    return 2 * rng.normal(size=(N, C)), np.array([2, 0, 1, 2]), rng.uniform(0.1, 1, size=(N, C))


def test_small_scores_give_the_logarithm_of_the_number_of_classes():
    x, y, _ = draw()
    assert abs(softmax_loss(1e-6 * x, y)[0] - np.log(C)) < 1e-5


def test_loss_is_the_mean_negative_log_probability():
    x, y, _ = draw()
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax_loss(x, y)[0], -np.mean([np.log(p[n, y[n]]) for n in range(N)]))


@pytest.mark.parametrize(("loss", "answer"), [(softmax_loss, 1), (softmax_cross_entropy, 2)])
def test_gradients_agree_with_differences(loss, answer):
    x, *answers = draw()  # the rows of the soft targets do not sum to 1
    answer = answers[answer - 1]
    numeric = eval_numerical_gradient(lambda x: loss(x, answer)[0], x, verbose=False)
    np.testing.assert_allclose(loss(x, answer)[1], numeric, rtol=1e-7, atol=1e-9)


def test_labels_are_targets_with_a_single_one():
    x, y, _ = draw()
    for a, b in zip(softmax_loss(x, y), softmax_cross_entropy(x, np.eye(C)[y]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("scale", [1e4, -1e4, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_give_exact_losses_and_no_warning(scale, dtype):
    # without taking off the maximum this is NaN
    x = np.array([[0, 1, 3], [2, 0, 5]], dtype) * dtype(scale)
    y = np.array([1, 2])
    loss, dx = softmax_loss(x, y)
    best = x.max(axis=1)
    np.testing.assert_allclose(loss, (best - x[[0, 1], y]).mean(), rtol=1e-6)
    np.testing.assert_allclose(dx, (np.eye(3)[x.argmax(axis=1)] - np.eye(3)[y]) / 2, atol=1e-7)


def test_a_common_shift_changes_nothing_even_in_float32():
    x, y, _ = draw()
    x = np.round(x * 64).astype(np.float32) / 64  # so that adding 1e4 is exact
    for a, b in zip(softmax_loss(x, y), softmax_loss(x + np.float32(1e4), y), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_impossible_class_has_probability_zero():
    loss, dx = softmax_loss(np.array([[0.0, -np.inf, 0.0]]), np.array([2]))
    np.testing.assert_allclose(loss, np.log(2))
    np.testing.assert_allclose(dx, [[0.5, 0, -0.5]])


def test_rows_of_the_gradient_sum_to_zero():
    x, y, targets = draw()
    np.testing.assert_allclose(softmax_loss(x, y)[1].sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(softmax_cross_entropy(x, targets)[1].sum(axis=1), 0, atol=1e-15)


def test_float32_stays_float32():
    x, y, targets = draw()
    for loss, dx in (
        softmax_loss(x.astype(np.float32), y),
        softmax_cross_entropy(x.astype(np.float32), targets.astype(np.float32)),
    ):
        assert loss.dtype == dx.dtype == np.float32


def test_more_classes_than_64_and_unsigned_labels():
    # np.choose, used in the text this project came from, has a limit on its choices
    x = np.random.default_rng(1).normal(size=(3, 100))
    a, b = softmax_loss(x, np.array([99, 5, 70])), softmax_loss(x, np.array([99, 5, 70], np.uint8))
    assert a[0] == b[0]
    assert (a[1] == b[1]).all()


def test_one_class_and_one_example():
    loss, dx = softmax_loss(np.array([[3.0]]), np.array([0]))
    assert loss == 0
    assert dx == [[0]]


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, y, targets = draw()
    views = np.asfortranarray(x), np.repeat(y, 2)[::2], np.ascontiguousarray(targets.T).T
    for view in views:
        view.flags.writeable = False
    np.testing.assert_allclose(softmax_loss(*views[:2])[1], softmax_loss(x, y)[1], rtol=1e-12)
    np.testing.assert_allclose(
        softmax_cross_entropy(views[0], views[2])[1], softmax_cross_entropy(x, targets)[1], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 3)), np.array([0, 3]), "labels from 0 to 2, got labels from 0 to 3"),
        (np.zeros((2, 3)), np.array([-1, 0]), "labels from 0 to 2, got labels from -1 to 0"),
        (np.zeros((2, 3)), np.array([0.0, 1.0]), "integer labels.*got dtype float64"),
        (np.zeros((2, 3)), np.array([[0], [1]]), r"shape \(2,\), got dtype int64 and shape \(2, 1\)"),
        (np.zeros((2, 3), int), np.array([0, 1]), "x: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3), np.array([0]), r"x of shape \(N, C\).*got \(3,\)"),
        (np.zeros((0, 3)), np.zeros(0, int), r"N >= 1.*got \(0, 3\)"),
    ],
)
def test_bad_labels_and_scores_are_named(x, y, message):
    with pytest.raises(ValueError, match=message):
        softmax_loss(x, y)


@pytest.mark.parametrize(
    ("x", "targets", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), r"targets of shape \(2, 3\), got \(3, 2\)"),
        (np.zeros((2, 3)), np.zeros((2, 3), int), "targets: expected real floating-point numbers, got dtype int64"),
        (np.zeros((2, 0)), np.zeros((2, 0)), r"C >= 1, got \(2, 0\)"),
    ],
)
def test_bad_targets_are_named(x, targets, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(x, targets)


@pytest.mark.torch
def test_pytorch_agrees_for_labels_and_for_soft_targets():
    import torch

    x, y, targets = draw()
    for (loss, dx), answer in ((softmax_loss(x, y), y), (softmax_cross_entropy(x, targets), targets)):
        tensor = torch.tensor(x, requires_grad=True)
        theirs = torch.nn.functional.cross_entropy(tensor, torch.tensor(answer))
        theirs.backward()
        np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
        np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-10, atol=1e-15)
