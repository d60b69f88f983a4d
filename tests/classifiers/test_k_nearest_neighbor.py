import numpy as np
import pytest

from cs231n.classifiers import KNearestNeighbor

WAYS = ("compute_distances_two_loops", "compute_distances_one_loop", "compute_distances_no_loops")
N, M, D = 4, 7, 5


def trained(X, y):
    knn = KNearestNeighbor()
    knn.train(X, y)
    return knn


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, D)), rng.normal(size=(M, D)), np.array([2, 0, 1, 1, 2, 0, 2])


@pytest.mark.parametrize("way", WAYS)
def test_distances_entry_by_entry(data, way):
    X, T, y = data
    dists = getattr(trained(T, y), way)(X)
    assert dists.shape == (N, M)
    for n in range(N):
        for m in range(M):
            assert dists[n, m] == pytest.approx(sum((X[n, d] - T[m, d]) ** 2 for d in range(D)) ** 0.5, rel=1e-13)


@pytest.mark.parametrize("offset", [0.0, 128.0, 1e4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_distance_is_nan_between_points_that_coincide(dtype, offset):
    # the text this project came from takes the root of a slightly negative number: 20 of 50 were NaN
    X = (np.random.default_rng(1).normal(size=(50, 30)) + offset).astype(dtype)
    squares = (X**2).sum(axis=1)[:, None] + (X**2).sum(axis=1) - 2 * X @ X.T
    assert (squares < 0).any()  # so there is something to clip
    knn = trained(X, np.arange(50))
    dists = knn.compute_distances_no_loops(X)
    assert not np.isnan(dists).any()
    assert dists.dtype == dtype
    # the squares are right but for a few rounding units of the squared lengths
    error = abs(dists**2 - knn.compute_distances_two_loops(X) ** 2).max()
    assert error < 16 * np.finfo(dtype).eps * (X**2).sum(axis=1).max()


@pytest.mark.parametrize("way", WAYS)
def test_dtype_layout_and_read_only_arrays(data, way):
    X, T, y = data
    expected = getattr(trained(T, y), way)(X)
    views = [np.asfortranarray(X), np.repeat(T, 2, axis=0)[::2], np.repeat(y, 2)[::2]]
    for view in views:
        view.flags.writeable = False
    np.testing.assert_allclose(getattr(trained(views[1], views[2]), way)(views[0]), expected, rtol=1e-13)
    single = getattr(trained(T.astype(np.float32), y), way)(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_sizes_of_one_and_no_test_examples(way):
    knn = trained(np.array([[3.0]]), np.array([7]))
    np.testing.assert_array_equal(getattr(knn, way)(np.array([[-1.0]])), [[4.0]])
    assert getattr(knn, way)(np.zeros((0, 1))).shape == (0, 1)


def test_between_equal_votes_the_smaller_label_wins():
    # not the nearest one: the row has the distances 0, 1, 2, 3
    dists = np.array([[0.0, 1.0, 2.0, 3.0]])
    knn = trained(np.zeros((4, 1)), np.array([5, 3, 3, 5]))
    assert [int(knn.predict_labels(dists, k)[0]) for k in (1, 2, 3, 4)] == [5, 3, 3, 3]


@pytest.mark.parametrize(
    "labels",
    [np.array([-4, 10**12, -4]), np.array(["b", "aa", "b"]), np.array([0.5, 2.5, 0.5]), np.array([True, False, True])],
)
def test_any_labels(labels):
    knn = trained(np.array([[0.0], [1.0], [5.0]]), labels)
    predicted = knn.predict(np.array([[0.9], [4.0]]))
    np.testing.assert_array_equal(predicted, labels[[1, 2]])
    assert predicted.dtype == labels.dtype
    assert knn.predict(np.array([[0.9]]), k=3)[0] == labels[0]


def test_a_vote_by_hand(data):
    X, T, y = data
    knn = trained(T, y)
    for k in range(1, M + 1):
        expected = []
        for x in X:
            order = sorted(range(M), key=lambda m: ((x - T[m]) ** 2).sum())
            votes = [int(y[m]) for m in order[:k]]
            expected.append(min(votes, key=lambda label: (-votes.count(label), label)))
        for loops in (0, 1, 2):
            np.testing.assert_array_equal(knn.predict(X, k=k, num_loops=loops), expected)


def test_equally_distant_examples_vote_in_the_order_of_the_training_data():
    knn = trained(np.array([[1.0], [-1.0], [1.0]]), np.array([9, 1, 1]))
    assert knn.predict(np.array([[0.0]]), k=1)[0] == 9
    assert knn.predict(np.array([[0.0]]), k=2)[0] == 1
    # many at the same distance, some nearer, some farther, infinities: the order of a stable sort
    rng = np.random.default_rng(3)
    dists = rng.integers(4, size=(40, 30)).astype(float)
    dists[dists == 3] = np.inf
    knn = trained(np.zeros((30, 1)), np.arange(30) % 4)
    for k in range(1, 31):
        nearest = dists.argsort(axis=1, kind="stable")[:, :k] % 4
        np.testing.assert_array_equal(knn.predict_labels(dists, k), [np.bincount(row).argmax() for row in nearest])


def test_the_distances_are_not_changed(data):
    X, T, y = data
    knn = trained(T, y)
    dists = knn.compute_distances_no_loops(X)
    dists.flags.writeable = False
    knn.predict_labels(dists, 3)


def test_one_neighbour_knows_every_training_example(data):
    _, T, y = data
    np.testing.assert_array_equal(trained(T, y).predict(T), y)


def test_the_examples_are_kept_not_copied(data):
    _, T, y = data
    knn = trained(T, y)
    assert knn.X_train is T
    assert knn.y_train is y


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((2, 3), np.uint8), np.zeros(2), "X: expected real floating-point numbers, got dtype uint8"),
        (np.zeros((2, 3, 1)), np.zeros(2), r"X of shape \(examples, features\), got \(2, 3, 1\)"),
        (np.zeros((2, 3)), np.zeros(3), r"labels y of shape \(2,\).*got \(3,\)"),
        (np.zeros((0, 3)), np.zeros(0), "at least 1 training example, got 0"),
    ],
)
def test_bad_training_data_are_named(X, y, message):
    with pytest.raises(ValueError, match=message):
        KNearestNeighbor().train(X, y)


def test_bad_questions_are_named(data):
    X, T, y = data
    knn = trained(T, y)
    with pytest.raises(ValueError, match="num_loops 0, 1 or 2, got 3"):
        knn.predict(X, num_loops=3)
    for k in (0, M + 1):
        with pytest.raises(ValueError, match=rf"1 <= k <= {M}.*got {k}"):
            knn.predict(X, k=k)
    with pytest.raises(ValueError, match=r"dists of shape \(N, 7\), got \(4, 6\)"):
        knn.predict_labels(np.zeros((N, M - 1)))
    with pytest.raises(ValueError, match="got NaN in 1 of 7 places"):
        knn.predict_labels(np.array([[0, 1, np.nan, 3, 4, 5, 6]]))
    for way in WAYS:
        with pytest.raises(ValueError, match=r"X of shape \(N, 5\), got \(4, 4\)"):
            getattr(knn, way)(X[:, 1:])
        with pytest.raises(ValueError, match="trained, got one without examples"):
            getattr(KNearestNeighbor(), way)(X)
    with pytest.raises(ValueError, match="got dtype int64"):
        knn.predict(X.astype(int))
