import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.svm import svm_loss

N, C = 5, 4


def draw():
    rng = np.random.default_rng(0)
    return 2 * rng.normal(size=(N, C)), np.array([2, 0, 3, 1, 2])


def by_loops(x, y):
    loss, dx = 0.0, np.zeros_like(x)
    for n in range(len(x)):
        for c in range(x.shape[1]):
            margin = x[n, c] - x[n, y[n]] + 1
            if c != y[n] and margin > 0:
                loss += margin / len(x)
                dx[n, c] += 1 / len(x)
                dx[n, y[n]] -= 1 / len(x)
    return loss, dx


def test_loops_agree():
    x, y = draw()
    for ours, expected in zip(svm_loss(x, y), by_loops(x, y), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_gradient_agrees_with_differences_away_from_the_kinks():
    x, y = draw()
    margins = x - x[np.arange(N), y][:, None] + 1
    assert abs(margins).min() > 1e-3
    numeric = eval_numerical_gradient(lambda x: svm_loss(x, y)[0], x, verbose=False)
    np.testing.assert_allclose(svm_loss(x, y)[1], numeric, atol=1e-9)


def test_the_right_class_gets_minus_the_count_of_violations():
    _, dx = svm_loss(np.array([[0.0, 0.5, 0.5, -3.0]]), np.array([0]))
    np.testing.assert_array_equal(dx, [[-2, 1, 1, 0]])


def test_a_margin_of_exactly_zero_costs_nothing_and_has_no_gradient():
    loss, dx = svm_loss(np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 3.0]]), np.array([0, 2]))
    assert loss == 0
    np.testing.assert_array_equal(dx, np.zeros((2, 3)))
    assert not np.signbit(dx).any()
    just_inside = np.nextafter(1.0, 2.0)
    np.testing.assert_array_equal(svm_loss(np.array([[2.0, just_inside]]), np.array([0]))[1], [[-1, 1]])


def test_equal_scores_cost_one_for_each_wrong_class():
    assert svm_loss(np.full((3, 10), 0.25), np.array([0, 9, 4]))[0] == 9


@pytest.mark.parametrize("classes", [63, 64, 65, 100, 1000])
def test_any_number_of_classes(classes):
    # np.choose, used in the text this project came from, fails from 64 classes on
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(3, classes)), np.array([0, classes // 2, classes - 1])
    for ours, expected in zip(svm_loss(x, y), by_loops(x, y), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-15)


def test_unsigned_labels_and_a_single_class():
    x, y = draw()
    np.testing.assert_array_equal(svm_loss(x, y.astype(np.uint8))[1], svm_loss(x, y)[1])
    loss, dx = svm_loss(np.array([[3.0]]), np.array([0]))
    assert loss == 0
    assert dx == [[0]]


def test_rows_of_the_gradient_sum_to_zero():
    np.testing.assert_allclose(svm_loss(*draw())[1].sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_and_dtype(dtype):
    x = np.array([[1e4, -1e4, 0], [1e4, -1e4, 0]], dtype)
    loss, dx = svm_loss(x, np.array([0, 1]))
    assert loss == (20001 + 10001) / 2
    np.testing.assert_array_equal(dx, [[0, 0, 0], [0.5, -1, 0.5]])
    assert loss.dtype == dx.dtype == dtype


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, y = draw()
    views = np.asfortranarray(x), np.repeat(y, 2)[::2]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_array_equal(svm_loss(*views)[1], svm_loss(x, y)[1])


def test_the_star_import_of_the_course_brings_it():
    namespace = {}
    exec("from cs231n.layers import *", namespace)
    assert namespace["svm_loss"] is svm_loss


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 3)), np.array([0, 3]), "labels from 0 to 2, got labels from 0 to 3"),
        (np.zeros((2, 3)), np.array([-1, 0]), "labels from 0 to 2, got labels from -1 to 0"),
        (np.zeros((2, 3)), np.array([0.0, 1.0]), "integer labels.*got dtype float64"),
        (np.zeros((2, 3)), np.array([True, False]), "integer labels.*got dtype bool"),
        (np.zeros((2, 3)), np.array([[0], [1]]), r"shape \(2,\), got dtype int64 and shape \(2, 1\)"),
        (np.zeros((2, 3), int), np.array([0, 1]), "x: expected real floating-point numbers, got dtype int64"),
        (np.zeros(3), np.array([0]), r"x of shape \(N, C\).*got \(3,\)"),
        (np.zeros((0, 3)), np.zeros(0, int), r"N >= 1.*got \(0, 3\)"),
    ],
)
def test_bad_input_is_named(x, y, message):
    with pytest.raises(ValueError, match=message):
        svm_loss(x, y)


@pytest.mark.torch
def test_pytorch_agrees_but_for_its_mean_over_the_classes():
    import torch

    x, y = draw()
    tensor = torch.tensor(x, requires_grad=True)
    theirs = torch.nn.functional.multi_margin_loss(tensor, torch.tensor(y)) * C
    theirs.backward()
    loss, dx = svm_loss(x, y)
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-12, atol=1e-15)
