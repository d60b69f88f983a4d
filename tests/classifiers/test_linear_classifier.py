import importlib
import io
import pickle

import numpy as np
import pytest

from cs231n.classifiers import LinearSVM, Softmax
from cs231n.classifiers.linear_classifier import (
    LinearClassifier,
    softmax_loss_naive,
    softmax_loss_vectorized,
    svm_loss_naive,
    svm_loss_vectorized,
)
from cs231n.gradient_check import eval_numerical_gradient

N, D, C = 6, 5, 4
LOSSES = (svm_loss_naive, svm_loss_vectorized, softmax_loss_naive, softmax_loss_vectorized)
each_loss = pytest.mark.parametrize("loss_function", LOSSES)
each_classifier = pytest.mark.parametrize("kind", [LinearSVM, Softmax])


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return rng.normal(size=(D, C)), rng.normal(size=(N, D)), np.array([3, 0, 1, 1, 2, 3])


@pytest.fixture
def separable():
    """Three groups of points in a plane, far apart, and a feature that is always 1."""
    rng = np.random.default_rng(1)
    y = np.repeat([2, 0, 1], 20)
    corners = np.array([[5.0, 0.0], [-4.0, 3.0], [-4.0, -5.0]])
    return np.hstack([corners[y] + rng.normal(size=(60, 2)), np.ones((60, 1))]), y


def test_the_modules_of_the_course_hand_on_the_functions():
    for module, prefix in (("linear_svm", "svm"), ("softmax", "softmax")):
        names: dict[str, object] = {}
        exec(f"from cs231n.classifiers.{module} import *", names)
        for way in ("naive", "vectorized"):
            ours = importlib.import_module("cs231n.classifiers.linear_classifier")
            assert names[f"{prefix}_loss_{way}"] is getattr(ours, f"{prefix}_loss_{way}")


@each_loss
@pytest.mark.parametrize("reg", [0.0, 0.7])
def test_gradients_agree_with_differences(batch, loss_function, reg):
    # the SVM has no numeric check from its page: its gradient is a quantity of the page, not the gradient of its output
    W, X, y = batch
    s = X @ W
    margins = s - s[np.arange(N), y][:, None] + 1
    assert abs(margins).min() > 1e-3  # off the kinks
    numeric = eval_numerical_gradient(lambda _: loss_function(W, X, y, reg)[0], W, verbose=False)
    np.testing.assert_allclose(loss_function(W, X, y, reg)[1], numeric, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("naive", "vectorized"), [LOSSES[:2], LOSSES[2:]])
def test_loops_and_products_agree(batch, naive, vectorized):
    W, X, y = batch
    for mine, theirs in zip(naive(W, X, y, 0.3), vectorized(W, X, y, 0.3), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-14)


@each_loss
def test_the_penalty_has_no_half(batch, loss_function):
    W, X, y = batch
    (plain, dplain), (loss, dW) = (loss_function(W, X, y, reg) for reg in (0, 0.25))
    assert loss - plain == pytest.approx(0.25 * (W**2).sum())
    np.testing.assert_allclose(dW - dplain, 0.5 * W, atol=1e-14)


@each_loss
def test_small_weights_start_where_they_must(loss_function):
    rng = np.random.default_rng(2)
    W, X, y = 1e-6 * rng.normal(size=(8, 10)), rng.normal(size=(50, 8)), rng.integers(10, size=50)
    expected = 9 if "svm" in loss_function.__name__ else np.log(10)
    assert loss_function(W, X, y, 0.0)[0] == pytest.approx(expected, abs=1e-4)


@each_loss
def test_large_scores_and_many_classes(loss_function):
    # without the shift by the maximum softmax is NaN here; np.choose refuses 100 classes
    rng = np.random.default_rng(3)
    W, X, y = 300 * rng.normal(size=(D, 100)), rng.normal(size=(N, D)), rng.integers(100, size=N)
    loss, dW = loss_function(W, X, y, 1e-6)
    assert np.isfinite(loss)
    assert np.isfinite(dW).all()


@each_loss
def test_dtype_layout_and_read_only_arrays(batch, loss_function):
    W, X, y = batch
    loss, dW = loss_function(W, X, y, 0.3)
    views = [np.asfortranarray(W), np.repeat(X, 2, axis=0)[::2], np.repeat(y, 2)[::2]]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_allclose(loss_function(*views, 0.3)[1], dW, rtol=1e-12)
    single, dsingle = loss_function(W.astype(np.float32), X.astype(np.float32), y, np.float64(0.3))
    assert single.dtype == dsingle.dtype == np.float32
    assert single == pytest.approx(loss, rel=1e-5)


@each_loss
def test_sizes_of_one(loss_function):
    loss, dW = loss_function(np.array([[2.0]]), np.array([[3.0]]), np.array([0]), 0.5)
    assert loss == 2  # one class: it cannot be wrong, and 0.5 · 4 is left
    np.testing.assert_array_equal(dW, [[2.0]])


@each_classifier
def test_training_separates_what_can_be_separated(separable, kind):
    X, y = separable
    classifier = kind()
    history = classifier.train(X, y, learning_rate=0.05, reg=1e-3, num_iters=300, batch_size=30, rng=0)
    assert len(history) == 300
    assert history[0] == pytest.approx(2 if kind is LinearSVM else np.log(3), abs=0.1)
    assert np.mean(history[-20:]) < 0.2
    np.testing.assert_array_equal(classifier.predict(X), y)


@each_classifier
def test_steps_go_against_the_gradient(batch, kind):
    # a batch as large as one example has no choice, so the step is known
    W, X, y = batch
    classifier = kind()
    classifier.W = W
    classifier.train(X[:1], y[:1], learning_rate=0.1, reg=0.3, num_iters=1, batch_size=1)
    np.testing.assert_allclose(classifier.W, W - 0.1 * classifier_gradient(kind, W, X[:1], y[:1], 0.3), rtol=1e-12)


def classifier_gradient(kind, W, X, y, reg):
    return (svm_loss_naive if kind is LinearSVM else softmax_loss_naive)(W, X, y, reg)[1]


def test_a_batch_may_be_larger_than_the_data_and_repeats_examples(separable):
    X, y = separable
    seen: list[np.ndarray] = []

    class Watching(Softmax):
        def loss(self, X_batch, y_batch, reg):
            seen.append(X_batch)
            return super().loss(X_batch, y_batch, reg)

    Watching().train(X[:5], y[:5], num_iters=3, batch_size=12, rng=0)
    assert [len(batch) for batch in seen] == [12, 12, 12]
    Watching().train(X, y, num_iters=1, batch_size=60, rng=0)
    assert len(np.unique(seen[-1][:, 0])) < 60


def test_a_second_call_goes_on(separable):
    X, y = separable
    classifier = Softmax()
    classifier.train(X, y, num_iters=50, learning_rate=0.05, rng=0)
    before = classifier.W
    kept = before.copy()
    history = classifier.train(X, y, num_iters=1, batch_size=1000, learning_rate=0.05, rng=0)
    assert history[0] < 0.9
    np.testing.assert_array_equal(before, kept)  # a new array each step


def test_first_weights_are_small_and_as_many_as_the_labels_say(separable):
    X, y = separable
    classifier = Softmax()
    assert classifier.train(X.astype(np.float32), y + 4, num_iters=0) == []
    assert classifier.W.shape == (3, 7)
    assert classifier.W.dtype == np.float32
    assert 0 < abs(classifier.W).max() < 0.01


@each_classifier
def test_float32_stays_float32_in_training(separable, kind):
    X, y = separable
    classifier = kind()
    classifier.train(X.astype(np.float32), y, learning_rate=np.float64(0.01), reg=np.float64(0.1), num_iters=3)
    assert classifier.W.dtype == np.float32


def test_a_seed_fixes_a_run_and_the_global_state_stays(separable):
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    runs = []
    for seed in (1, 1, 2, None, None):
        classifier = Softmax()
        runs.append((classifier.train(*separable, num_iters=5, rng=seed), classifier.W))
    np.testing.assert_array_equal(runs[0][1], runs[1][1])
    assert runs[0][0] == runs[1][0] != runs[2][0]
    assert (runs[3][1] != runs[4][1]).any()
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


def test_the_loss_is_printed_when_asked_for(separable, capsys):
    Softmax().train(*separable, num_iters=201)
    assert capsys.readouterr().out == ""
    Softmax().train(*separable, num_iters=201, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"iteration {i} / 201" for i in (0, 100, 200)]


@each_classifier
def test_weights_survive_saving_and_loading(batch, kind, tmp_path):
    W, X, _ = batch
    classifier, other = kind(), kind()
    classifier.W = W
    classifier.save(tmp_path / "softmax.npy")
    classifier.save(tmp_path / "best")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "softmax.npy"]
    for name in ("softmax.npy", "best"):
        other.load(tmp_path / name)
        np.testing.assert_array_equal(other.predict(X), classifier.predict(X))


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_unpickled(tmp_path):
    classifier = Softmax()
    pickled = io.BytesIO()
    np.save(pickled, np.array({"W": 1}, dtype=object), allow_pickle=True)  # as the course saves
    (tmp_path / "pickled.npy").write_bytes(pickled.getvalue())
    np.save(tmp_path / "flat.npy", np.zeros(3))
    np.savez(tmp_path / "several.npz", W=np.zeros((2, 2)))
    for name, message in (
        ("pickled.npy", "allow_pickle"),
        ("flat.npy", r"shape \(D, C\), got float64 of shape \(3,\)"),
        ("several.npz", "got several arrays"),
    ):
        with pytest.raises(ValueError, match=message):
            classifier.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        classifier.load(tmp_path / "missing")
    assert classifier.W is None


@each_loss
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda W, X, y: (W, X, y + 1), "labels from 0 to 3, got labels from 1 to 4"),
        (lambda W, X, y: (W, X, y.astype(float)), "integer labels.*got dtype float64"),
        (lambda W, X, y: (W, X, y[:3]), r"y of shape \(6,\).*shape \(3,\)"),
        (lambda W, X, y: (W.T, X, y), r"W \(D, C\) and X \(N, D\).*got W \(4, 5\) and X \(6, 5\)"),
        (lambda W, X, y: (W, X.reshape(N, D, 1), y), r"X \(6, 5, 1\)"),
        (lambda W, X, y: (W, X[:0], y[:0]), "N >= 1"),
        (lambda W, X, y: (W, X.astype(np.uint8), y), "X: expected real floating-point numbers, got dtype uint8"),
        (lambda W, X, y: (W.astype(int), X, y), "W: expected real floating-point numbers, got dtype int64"),
    ],
)
def test_bad_batches_are_named(batch, loss_function, change, message):
    with pytest.raises(ValueError, match=message):
        loss_function(*change(*batch), 0.1)


def test_bad_settings_and_untrained_classifiers_are_named(separable):
    X, y = separable
    with pytest.raises(ValueError, match="num_iters >= 0, got -1"):
        Softmax().train(X, y, num_iters=-1)
    with pytest.raises(ValueError, match="batch_size >= 1, got 0"):
        Softmax().train(X, y, batch_size=0)
    with pytest.raises(ValueError, match=r"got X \(60, 3\) and y \(59,\)"):
        Softmax().train(X, y[1:])
    with pytest.raises(ValueError, match="X: expected real floating-point numbers, got dtype int64"):
        Softmax().train(X.astype(int), y)
    with pytest.raises(ValueError, match="integer labels y, got dtype float64"):
        Softmax().train(X, y.astype(float))
    with pytest.raises(ValueError, match="labels from 0 to 2, got labels from -1 to 2"):
        Softmax().train(X, np.where(y == 0, -1, y))
    with pytest.raises(ValueError, match="without weights: call train or load"):
        Softmax().predict(X)
    classifier = Softmax()
    classifier.train(X, y, num_iters=1)
    with pytest.raises(ValueError, match=r"X of shape \(N, 3\), got \(60, 2\)"):
        classifier.predict(X[:, 1:])
    with pytest.raises(NotImplementedError, match="take LinearSVM or Softmax"):
        LinearClassifier().loss(X, y, 0.0)


@pytest.mark.torch
def test_pytorch_agrees(batch):
    import torch

    W, X, y = batch
    weights = torch.tensor(W, requires_grad=True)
    penalty = 0.3 * (weights**2).sum()
    total = torch.nn.functional.cross_entropy(torch.tensor(X) @ weights, torch.tensor(y)) + penalty
    total.backward()
    loss, dW = softmax_loss_vectorized(W, X, y, 0.3)
    assert loss == pytest.approx(total.item(), rel=1e-12)
    np.testing.assert_allclose(dW, weights.grad.numpy(), rtol=1e-10, atol=1e-12)
