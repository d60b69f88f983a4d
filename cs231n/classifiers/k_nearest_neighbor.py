r"""The k-nearest-neighbour classifier: it learns its examples by heart, and asks the k nearest for a vote.

Derivation: [k nearest neighbours](../classifiers/k_nearest_neighbor.md)
"""

from typing import Any

import numpy as np


class KNearestNeighbor:
    r"""A classifier without parameters, with the Euclidean distance (L2).

    Derivation: [k nearest neighbours](../classifiers/k_nearest_neighbor.md)

    Source: Cover & Hart, Nearest neighbor pattern classification, IEEE Transactions on Information Theory 13 (1967).

    Examples:
        >>> knn = KNearestNeighbor()
        >>> knn.train(np.array([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]), np.array(["cat", "dog", "dog"]))
        >>> test = np.array([[0.0, 0.0], [4.0, 3.0]])
        >>> knn.compute_distances_no_loops(test).round(6)
        array([[ 0.      ,  5.      , 10.      ],
               [ 5.      ,  1.414214,  5.385165]])
        >>> knn.predict(test, k=1).tolist(), knn.predict(test, k=3).tolist()
        (['cat', 'dog'], ['dog', 'dog'])
    """

    def train(self, X: np.ndarray, y: np.ndarray) -> None:
        r"""Keep the examples; nothing is computed, and nothing copied.

        Args:
            X: (M, D) the training examples, one a row.
            y: (M,) their labels: numbers or strings, whatever can be sorted.

        Raises:
            ValueError: wrong shapes, no examples, or an `X` that does not hold real numbers.
        """
        _require_rows("X", X)
        if len(X) == 0:
            raise ValueError("expected at least 1 training example, got 0")
        if y.shape != (len(X),):
            raise ValueError(f"expected labels y of shape {(len(X),)}, one for each row of X, got {y.shape}")
        self.X_train, self.y_train = X, y

    def predict(self, X: np.ndarray, k: int = 1, num_loops: int = 0) -> np.ndarray:
        r"""The labels that the k nearest training examples vote for.

        Args:
            X: (N, D) the test examples.
            k: how many neighbours vote, at least 1 and at most M.
            num_loops: which of the three ways to compute the distances: with 0, 1 or 2 loops.

        Returns:
            y_pred: (N,) a label for each test example, of the dtype of the training labels.

        Raises:
            ValueError: `num_loops` is not 0, 1 or 2, `k` does not fit, or `X` does not.
        """
        ways = (self.compute_distances_no_loops, self.compute_distances_one_loop, self.compute_distances_two_loops)
        if num_loops not in (0, 1, 2):
            raise ValueError(f"expected num_loops 0, 1 or 2, got {num_loops}")
        return self.predict_labels(ways[num_loops](X), k)

    def compute_distances_two_loops(self, X: np.ndarray) -> np.ndarray:
        r"""All distances, pair by pair: the definition, and slow.

        Args:
            X: (N, D) the test examples.

        Returns:
            dists: (N, M) entry n, m is the distance from test example n to training example m.

        Raises:
            ValueError: `X` does not hold real numbers, or has not as many features as the training examples.
        """
        dists = self._empty(X)
        for n in range(X.shape[0]):
            for m in range(self.X_train.shape[0]):
                dists[n, m] = np.sqrt(((X[n] - self.X_train[m]) ** 2).sum())
        return dists

    def compute_distances_one_loop(self, X: np.ndarray) -> np.ndarray:
        r"""All distances, one test example at a time: M·D numbers in between.

        Args:
            X: (N, D) the test examples.

        Returns:
            dists: (N, M) the distances.

        Raises:
            ValueError: `X` does not hold real numbers, or has not as many features as the training examples.
        """
        dists = self._empty(X)
        for n in range(X.shape[0]):
            dists[n] = np.sqrt(((X[n] - self.X_train) ** 2).sum(axis=1))
        return dists

    def compute_distances_no_loops(self, X: np.ndarray) -> np.ndarray:
        r"""All distances at once, by one matrix product, which takes N·M numbers and no more.

        The square is multiplied out. Between points that nearly coincide the difference of large numbers may round to
        less than 0, and is then 0: no distance is NaN as long as no square overflows.

        Args:
            X: (N, D) the test examples.

        Returns:
            dists: (N, M) the distances.

        Raises:
            ValueError: `X` does not hold real numbers, or has not as many features as the training examples.
        """
        self._require_fitting(X)
        T = self.X_train
        dists = X @ T.T
        dists *= -2
        dists += np.vecdot(X, X)[:, np.newaxis]  # squared lengths, without an array of squares
        dists += np.vecdot(T, T)
        np.maximum(dists, 0, out=dists)  # rounding can leave less than 0, and the root of that is NaN
        return np.sqrt(dists, out=dists)

    def predict_labels(self, dists: np.ndarray, k: int = 1) -> np.ndarray:
        r"""The vote. Between labels with equally many votes the smaller one wins.

        Between equally distant examples at the border of the k nearest the one that comes first in the training data
        votes.

        Args:
            dists: (N, M) the distances to the training examples.
            k: how many neighbours vote, at least 1 and at most M.

        Returns:
            y_pred: (N,) a label for each row.

        Raises:
            ValueError: `k` or the shape of `dists` does not fit, or a distance is NaN.
        """
        M = len(self.y_train)
        if dists.ndim != 2 or dists.shape[1] != M:
            raise ValueError(f"expected dists of shape (N, {M}), got {dists.shape}")
        if not 1 <= k <= M:
            raise ValueError(f"expected 1 <= k <= {M}, the number of training examples, got {k}")
        if np.isnan(dists).any():
            raise ValueError(f"expected distances, got NaN in {np.isnan(dists).sum()} of {dists.size} places")
        # the k smallest of each row, without sorting all: those below the k-th, then the first of those equal to it
        kth = np.partition(dists, k - 1, axis=1)[:, k - 1, np.newaxis]
        nearest, level = dists < kth, dists == kth
        nearest |= level & (level.cumsum(axis=1) <= k - nearest.sum(axis=1, keepdims=True))

        labels, numbers = np.unique(self.y_train, return_inverse=True)  # sorted: number 0 is the smallest label
        rows, columns = np.nonzero(nearest)
        votes = np.zeros((len(dists), len(labels)), int)
        np.add.at(votes, (rows, numbers[columns]), 1)
        return labels[votes.argmax(axis=1)]  # the first of the largest

    def _empty(self, X: np.ndarray) -> np.ndarray:
        self._require_fitting(X)
        return np.empty((X.shape[0], self.X_train.shape[0]), np.result_type(X, self.X_train))

    def _require_fitting(self, X: Any) -> None:
        if not hasattr(self, "X_train"):
            raise ValueError("expected a classifier that has been trained, got one without examples: call train")
        _require_rows("X", X)
        if X.shape[1] != self.X_train.shape[1]:
            raise ValueError(f"expected X of shape (N, {self.X_train.shape[1]}), got {X.shape}")


def _require_rows(name: str, X: np.ndarray) -> None:
    if X.dtype.kind != "f":  # the squares of whole numbers in 8 bits wrap around, without any error
        raise ValueError(f"{name}: expected real floating-point numbers, got dtype {X.dtype}")
    if X.ndim != 2:
        raise ValueError(f"expected {name} of shape (examples, features), got {X.shape}; reshape images to rows")
