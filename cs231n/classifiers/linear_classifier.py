r"""Linear classifiers: a score for each class is one product of data and weights; SVM and softmax differ in the loss.

The penalty on the weights is `reg` times the sum of their squares, without the half that the networks have.

Derivation: [Linear classifiers](../classifiers/linear_classifier.md)
"""

from os import PathLike

import numpy as np

from cs231n.losses import softmax_loss, svm_loss


def svm_loss_naive(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    r"""SVM loss of a linear classifier and its gradient, with loops over examples and classes.

    Derivation: [Linear classifiers](../classifiers/linear_classifier.md)

    Source: Weston & Watkins, Support vector machines for multi-class pattern recognition, ESANN 1999, section 3.

    Args:
        W: (D, C) the weights; column c makes the score of class c.
        X: (N, D) a batch of N examples.
        y: (N,) the labels, integers from 0 to C − 1.
        reg: strength of the penalty, `reg` times the sum of all squared weights.

    Returns:
        loss: a number, the mean over the batch plus the penalty.
        dW: (D, C) gradient of the loss with respect to `W`.

    Raises:
        ValueError: wrong shapes or labels, or an array that does not hold real numbers.

    >>> W, X = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]), np.array([[2.0, 1.0]])
    >>> loss, dW = svm_loss_naive(W, X, np.array([0]), reg=0.0)  # the scores are 2, 2, -1
    >>> float(loss)
    1.0
    >>> dW
    array([[-2.,  2.,  0.],
           [-1.,  1.,  0.]])
    """
    _require_batch(W, X, y)
    reg = W.dtype.type(reg)
    N, C = X.shape[0], W.shape[1]
    loss, dW = X.dtype.type(0), np.zeros_like(W)
    for n in range(N):
        s = X[n] @ W
        for c in range(C):
            margin = s[c] - s[y[n]] + 1
            if c != y[n] and margin > 0:
                loss += margin
                dW[:, c] += X[n]
                dW[:, y[n]] -= X[n]  # once for each class that comes too near
    return loss / N + reg * (W**2).sum(), dW / N + 2 * reg * W


def svm_loss_vectorized(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    r"""SVM loss of a linear classifier and its gradient, without loops.

    Derivation: [Linear classifiers](../classifiers/linear_classifier.md)

    Source: Weston & Watkins (1999), section 3.

    Args:
        W: (D, C) the weights; column c makes the score of class c.
        X: (N, D) a batch of N examples.
        y: (N,) the labels, integers from 0 to C − 1.
        reg: strength of the penalty, `reg` times the sum of all squared weights.

    Returns:
        loss: a number, the mean over the batch plus the penalty.
        dW: (D, C) gradient of the loss with respect to `W`.

    Raises:
        ValueError: wrong shapes or labels, or an array that does not hold real numbers.

    >>> W, X = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]]), np.array([[2.0, 1.0]])
    >>> float(svm_loss_vectorized(W, X, np.array([0]), reg=0.5)[0])  # 1, and half of 3.25
    2.625
    """
    _require_batch(W, X, y)
    reg = W.dtype.type(reg)
    data_loss, ds = svm_loss(X @ W, y)
    return data_loss + reg * (W**2).sum(), X.T @ ds + 2 * reg * W


def softmax_loss_naive(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    r"""Softmax loss of a linear classifier and its gradient, with loops over examples and classes.

    Derivation: [Linear classifiers](../classifiers/linear_classifier.md)

    Source: Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equations 6.29 and 6.33.

    Args:
        W: (D, C) the weights; column c makes the score of class c.
        X: (N, D) a batch of N examples.
        y: (N,) the labels, integers from 0 to C − 1.
        reg: strength of the penalty, `reg` times the sum of all squared weights.

    Returns:
        loss: a number, the mean over the batch plus the penalty.
        dW: (D, C) gradient of the loss with respect to `W`.

    Raises:
        ValueError: wrong shapes or labels, or an array that does not hold real numbers.

    >>> W, X = np.zeros((2, 4)), np.array([[2.0, -4.0]])
    >>> loss, dW = softmax_loss_naive(W, X, np.array([1]), reg=0.1)
    >>> round(float(loss), 6)  # all classes equally likely: log 4
    1.386294
    >>> dW
    array([[ 0.5, -1.5,  0.5,  0.5],
           [-1. ,  3. , -1. , -1. ]])
    """
    _require_batch(W, X, y)
    reg = W.dtype.type(reg)
    N, C = X.shape[0], W.shape[1]
    loss, dW = X.dtype.type(0), np.zeros_like(W)
    for n in range(N):
        s = X[n] @ W
        s = s - s.max()  # changes no probability, and no exponential overflows
        exps = np.exp(s)
        total = exps.sum()
        loss += np.log(total) - s[y[n]]
        for c in range(C):
            dW[:, c] += (exps[c] / total - int(c == y[n])) * X[n]
    return loss / N + reg * (W**2).sum(), dW / N + 2 * reg * W


def softmax_loss_vectorized(W: np.ndarray, X: np.ndarray, y: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
    r"""Softmax loss of a linear classifier and its gradient, without loops.

    Derivation: [Linear classifiers](../classifiers/linear_classifier.md)

    Source: Goodfellow, Bengio & Courville, Deep Learning, MIT Press 2016, equations 6.29 and 6.33.

    Args:
        W: (D, C) the weights; column c makes the score of class c.
        X: (N, D) a batch of N examples.
        y: (N,) the labels, integers from 0 to C − 1.
        reg: strength of the penalty, `reg` times the sum of all squared weights.

    Returns:
        loss: a number, the mean over the batch plus the penalty.
        dW: (D, C) gradient of the loss with respect to `W`.

    Raises:
        ValueError: wrong shapes or labels, or an array that does not hold real numbers.

    >>> W, X = np.zeros((2, 4)), np.array([[2.0, -4.0]])
    >>> softmax_loss_vectorized(W, X, np.array([1]), reg=0.1)[1]
    array([[ 0.5, -1.5,  0.5,  0.5],
           [-1. ,  3. , -1. , -1. ]])
    """
    _require_batch(W, X, y)
    reg = W.dtype.type(reg)
    data_loss, ds = softmax_loss(X @ W, y)
    return data_loss + reg * (W**2).sum(), X.T @ ds + 2 * reg * W


class LinearClassifier:
    r"""What `LinearSVM` and `Softmax` share: training by gradient descent, prediction, a file.

    `W` is None at first; then the (D, C) weights. There is no bias: append a feature that is always 1.

    Derivation: [Linear classifiers](../classifiers/linear_classifier.md)

    Examples:
        >>> X = np.array([[2.0, 1.0], [-1.0, 1.0], [1.0, 1.0], [-3.0, 1.0]])  # the last feature is 1
        >>> classifier = Softmax()
        >>> losses = classifier.train(X, np.array([1, 0, 1, 0]), learning_rate=0.5, rng=0)
        >>> len(losses), losses[-1] < losses[0]
        (100, True)
        >>> classifier.predict(X)
        array([1, 0, 1, 0])
    """

    W: np.ndarray | None = None

    def train(
        self,
        X: np.ndarray,
        y: np.ndarray,
        learning_rate: float = 1e-3,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> list[float]:
        r"""Stochastic gradient descent. A second call goes on from the weights of the first.

        Each batch is drawn with replacement: that is fast, and a batch may be larger than the data.

        Args:
            X: (N, D) the training examples.
            y: (N,) the labels, integers from 0 to C − 1; at the first call the largest one tells C.
            learning_rate: the length of a step.
            reg: strength of the penalty, `reg` times the sum of all squared weights.
            num_iters: how many steps.
            batch_size: examples in a batch.
            verbose: print the loss at every hundredth step.
            rng: a generator or a seed, for the first weights and the batches; NumPy's global state is never used.

        Returns:
            loss_history: the loss of each batch, before the step.

        Raises:
            ValueError: wrong shapes, labels or settings, or an `X` that does not hold real numbers.
        """
        for name, value, least in (("num_iters", num_iters, 0), ("batch_size", batch_size, 1)):
            if value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        if X.ndim != 2 or y.shape != X.shape[:1] or X.size == 0:
            raise ValueError(f"expected X (N, D) and y (N,) with N >= 1 and D >= 1, got X {X.shape} and y {y.shape}")
        rng = np.random.default_rng(rng)
        W = self.W
        if W is None:
            if y.dtype.kind not in "iu":
                raise ValueError(f"expected integer labels y, got dtype {y.dtype}")
            W = (1e-3 * rng.standard_normal((X.shape[1], int(y.max()) + 1))).astype(X.dtype)
        _require_batch(W, X, y)
        step = W.dtype.type(learning_rate)

        loss_history = []
        for iteration in range(num_iters):
            chosen = rng.integers(len(X), size=batch_size)
            self.W = W
            loss, dW = self.loss(X[chosen], y[chosen], reg)
            W = W - step * dW  # a new array: whoever holds the old one keeps it
            loss_history.append(float(loss))
            if verbose and iteration % 100 == 0:
                print(f"iteration {iteration} / {num_iters}: loss {loss:f}")  # noqa: T201  what `verbose` asks for
        self.W = W
        return loss_history

    def predict(self, X: np.ndarray) -> np.ndarray:
        r"""The class with the largest score; of equal ones the first.

        Args:
            X: (N, D) the examples.

        Returns:
            y_pred: (N,) the number of a class for each example.

        Raises:
            ValueError: the classifier has no weights yet, or `X` does not fit them.
        """
        W = self._weights()
        if X.ndim != 2 or X.shape[1] != W.shape[0]:
            raise ValueError(f"expected X of shape (N, {W.shape[0]}), got {X.shape}")
        return (X @ W).argmax(axis=1)

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        r"""The loss of a batch and its gradient; each kind of classifier has its own.

        Args:
            X_batch: (N, D) the examples.
            y_batch: (N,) their labels.
            reg: strength of the penalty.

        Returns:
            loss: a number.
            dW: (D, C) gradient with respect to the weights.

        Raises:
            NotImplementedError: always; take `LinearSVM` or `Softmax`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no loss: take LinearSVM or Softmax")

    def save(self, fname: str | PathLike[str]) -> None:
        r"""Write the weights to a file, in NumPy's npy format, without pickle.

        Args:
            fname: the file, under exactly this name.

        Raises:
            ValueError: there are no weights yet.
        """
        W = self._weights()
        with open(fname, "wb") as file:  # np.save would add .npy to a name
            np.save(file, W, allow_pickle=False)

    def load(self, fname: str | PathLike[str]) -> None:
        r"""Read the weights that `save` wrote.

        Args:
            fname: the file.

        Raises:
            FileNotFoundError: there is no such file; the classifier stays as it was.
            ValueError: the file holds something else.
        """
        W = np.load(fname, allow_pickle=False)
        if not isinstance(W, np.ndarray) or W.ndim != 2 or W.dtype.kind != "f":
            found = f"{W.dtype} of shape {W.shape}" if isinstance(W, np.ndarray) else "several arrays"
            raise ValueError(f"{fname}: expected weights, floating-point numbers of shape (D, C), got {found}")
        self.W = W

    def _weights(self) -> np.ndarray:
        if self.W is None:
            raise ValueError("expected a classifier that has been trained, got one without weights: call train or load")
        return self.W


class LinearSVM(LinearClassifier):
    r"""A linear classifier with the multiclass hinge loss.

    Examples:
        >>> classifier = LinearSVM()
        >>> classifier.W = np.array([[1.0, -1.0], [0.0, 0.5]])
        >>> classifier.predict(np.array([[1.0, 1.0], [0.0, 1.0]]))
        array([0, 1])
    """

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        r"""The loss of a batch and its gradient, by `svm_loss_vectorized`.

        Args:
            X_batch: (N, D) the examples.
            y_batch: (N,) their labels.
            reg: strength of the penalty, `reg` times the sum of all squared weights.

        Returns:
            loss: a number.
            dW: (D, C) gradient with respect to the weights.
        """
        return svm_loss_vectorized(self._weights(), X_batch, y_batch, reg)


class Softmax(LinearClassifier):
    r"""A linear classifier with the softmax cross-entropy loss.

    Examples:
        >>> classifier = Softmax()
        >>> classifier.W = np.zeros((3, 10))
        >>> loss, _ = classifier.loss(np.array([[1.0, 2.0, 3.0]]), np.array([7]), reg=0.1)
        >>> round(float(loss), 6)  # log 10
        2.302585
    """

    def loss(self, X_batch: np.ndarray, y_batch: np.ndarray, reg: float) -> tuple[float, np.ndarray]:
        r"""The loss of a batch and its gradient, by `softmax_loss_vectorized`.

        Args:
            X_batch: (N, D) the examples.
            y_batch: (N,) their labels.
            reg: strength of the penalty, `reg` times the sum of all squared weights.

        Returns:
            loss: a number.
            dW: (D, C) gradient with respect to the weights.
        """
        return softmax_loss_vectorized(self._weights(), X_batch, y_batch, reg)


def _require_batch(W: np.ndarray, X: np.ndarray, y: np.ndarray) -> None:
    for name, array in (("X", X), ("W", W)):
        if array.dtype.kind not in "fO":
            raise ValueError(f"{name}: expected real floating-point numbers, got dtype {array.dtype}")
    if X.ndim != 2 or W.ndim != 2 or X.shape[1] != W.shape[0] or X.shape[0] == 0 or W.shape[1] == 0:
        raise ValueError(f"expected W (D, C) and X (N, D) with N >= 1 and C >= 1, got W {W.shape} and X {X.shape}")
    N, C = X.shape[0], W.shape[1]
    if y.shape != (N,) or y.dtype.kind not in "iu":
        raise ValueError(f"expected integer labels y of shape {(N,)}, got dtype {y.dtype} and shape {y.shape}")
    if y.min() < 0 or y.max() >= C:
        raise ValueError(f"expected labels from 0 to {C - 1}, got labels from {y.min()} to {y.max()}")
