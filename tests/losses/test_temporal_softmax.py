import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient
from cs231n.losses.softmax import softmax_loss
from cs231n.losses.temporal_softmax import temporal_softmax_loss

N, T, V = 3, 5, 4


def draw(seed=0):
    rng = np.random.default_rng(seed)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 1, 0, 1]], bool)
    return 2 * rng.normal(size=(N, T, V)), rng.integers(V, size=(N, T)), mask


@pytest.mark.parametrize(
    ("T", "kept", "expected"), [(1, 1.0, 2.3), (10, 1.0, 23.0), (5000, 0.1, 2.3 * 500)], ids=["one", "ten", "a tenth"]
)
def test_the_sum_is_over_time_and_the_mean_over_the_batch(T, kept, expected):
    # the check of the notebook: 10 words, small scores, so each counted word costs log 10
    rng = np.random.default_rng(0)
    x, y = 1e-3 * rng.normal(size=(20, T, 10)), rng.integers(10, size=(20, T))
    loss, dx = temporal_softmax_loss(x, y, rng.random((20, T)) <= kept)
    np.testing.assert_allclose(loss, expected, rtol=0.02)
    np.testing.assert_allclose(np.abs(dx).sum(axis=2).max(), 1.8 / 20, rtol=0.01)  # and not divided by T as well


def test_it_is_the_softmax_loss_of_each_position_added_up():
    x, y, mask = draw()
    loss, dx = temporal_softmax_loss(x, y, mask)
    total = 0.0
    for n, t in np.ndindex(N, T):
        if mask[n, t]:
            one, done = softmax_loss(x[n, t][None], y[n, t][None])
            total += one
            np.testing.assert_allclose(dx[n, t], done[0] / N, rtol=1e-12, atol=1e-15)
        else:
            np.testing.assert_array_equal(dx[n, t], np.zeros(V))
    np.testing.assert_allclose(loss, total / N)


@pytest.mark.parametrize("kind", [bool, int, float])
def test_the_gradient_agrees_with_differences(kind):
    x, y, mask = draw()
    mask = mask.astype(kind) * (1 if kind is bool else 2)  # other numbers weigh
    numeric = eval_numerical_gradient(lambda x: temporal_softmax_loss(x, y, mask)[0], x, verbose=False)
    np.testing.assert_allclose(temporal_softmax_loss(x, y, mask)[1], numeric, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("wild", [np.inf, -np.inf, np.nan, 1e308, -1e308])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_under_the_mask_never_matter(wild, dtype):
    # the starter code computes log 0 there, and 0 times infinity is NaN
    x, y, mask = draw()
    expected = temporal_softmax_loss(x.astype(dtype), y, mask)
    with np.errstate(over="ignore"):
        x[~mask] = dtype(wild)
        x[1, 3, 2] = -x[1, 3, 2]
        x = x.astype(dtype)
    y[~mask] = -100  # what PyTorch calls ignore_index
    for a, b in zip(temporal_softmax_loss(x, y, mask), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("scale", [1e4, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores_give_exact_losses_and_no_warning(scale, dtype):
    x = np.array([[[0, 1, 3], [2, 0, 5], [1, 1, 0]]], dtype) * dtype(scale)
    loss, dx = temporal_softmax_loss(x, np.array([[1, 2, 0]]), np.array([[True, True, False]]))
    np.testing.assert_allclose(loss, 2 * scale, rtol=1e-6)
    np.testing.assert_allclose(dx[0], [[0, -1, 1], [0, 0, 0], [0, 0, 0]], atol=1e-7)


def test_a_batch_without_a_word_that_counts():
    x, y, mask = draw()
    loss, dx = temporal_softmax_loss(x, y, np.zeros_like(mask))
    assert loss == 0
    np.testing.assert_array_equal(dx, np.zeros_like(x))


def test_more_padding_changes_nothing():
    x, y, mask = draw()
    loss, dx = temporal_softmax_loss(x, y, mask)
    x, y, mask = (np.concatenate([a, np.zeros_like(a)], axis=1) for a in (x, y, mask))
    longer, dlonger = temporal_softmax_loss(x, y, mask)
    np.testing.assert_allclose(longer, loss)  # a mean over T would be half of it
    np.testing.assert_allclose(dlonger[:, :T], dx)


def test_sizes_of_one():
    loss, dx = temporal_softmax_loss(np.array([[[3.0]]]), np.array([[0]]), np.array([[True]]))
    assert loss == 0 and dx == [[[0]]]


def test_it_prints_only_when_asked(capsys):
    x, y, mask = draw()
    temporal_softmax_loss(x, y, mask)
    assert capsys.readouterr().out == ""
    temporal_softmax_loss(x, y, mask, verbose=True)
    assert capsys.readouterr().out == "dx_flat:  (15, 4)\n"


@pytest.mark.parametrize("mask_dtype", [bool, np.uint8, np.float64])
def test_float32_stays_float32(mask_dtype):
    x, y, mask = draw()
    loss, dx = temporal_softmax_loss(x.astype(np.float32), y, mask.astype(mask_dtype))
    assert loss.dtype == dx.dtype == np.float32
    empty, _ = temporal_softmax_loss(x.astype(np.float32), y, np.zeros_like(mask, mask_dtype))
    assert empty.dtype == np.float32


def test_memory_layout_does_not_matter_and_nothing_is_changed():
    x, y, mask = draw()
    views = np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2), np.asfortranarray(y), mask.T.copy().T
    for view in views:
        view.flags.writeable = False
    for a, b in zip(temporal_softmax_loss(*views), temporal_softmax_loss(x, y, mask), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((N * T, V))}, r"x of shape \(N, T, V\).*got \(15, 4\)"),
        ({"x": np.zeros((N, T, 0))}, r"V >= 1, got \(3, 5, 0\)"),
        ({"x": np.zeros((N, T, V), int)}, "x: expected real floating-point numbers, got dtype int64"),
        ({"y": np.zeros((T, N), int)}, r"words y of shape \(3, 5\), got dtype int64 and shape \(5, 3\)"),
        ({"y": np.zeros((N, T))}, "integer words.*got dtype float64"),
        ({"y": np.full((N, T), V)}, "words from 0 to 3, got words from 4 to 4"),
        ({"y": np.full((N, T), -1)}, "words from 0 to 3, got words from -1 to -1"),
        ({"mask": np.ones((N, 1), bool)}, r"mask of shape \(3, 5\), got dtype bool and shape \(3, 1\)"),
        ({"mask": np.full((N, T), "yes")}, "mask of shape.*got dtype <U3"),
    ],
)
def test_bad_input_is_named(change, message):
    x, y, mask = draw()
    with pytest.raises(ValueError, match=message):
        temporal_softmax_loss(**({"x": x, "y": y, "mask": mask} | change))


@pytest.mark.torch
def test_pytorch_agrees():
    import torch

    x, y, mask = draw()
    y[~mask] = -100
    tensor = torch.tensor(x, requires_grad=True)
    rows = tensor.reshape(N * T, V), torch.tensor(y.reshape(-1))
    theirs = torch.nn.functional.cross_entropy(*rows, ignore_index=-100, reduction="sum") / N
    theirs.backward()
    loss, dx = temporal_softmax_loss(x, y, mask)
    np.testing.assert_allclose(loss, theirs.item(), rtol=1e-12)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-10, atol=1e-15)
