r"""Numeric gradients by central differences, under the course's names.

The functions change `x` in place, one entry at a time, and put it back: the notebooks write `f = lambda _: loss(W)[0]`,
which looks at the array and not at its argument. `x` is put back even when `f` raises.

Never check with an incoming gradient of ones: batch normalization then has gradient 0 whatever its formula.
"""

from collections.abc import Callable

import numpy as np

__all__ = ["eval_numerical_gradient", "eval_numerical_gradient_array", "grad_check_sparse"]


def eval_numerical_gradient(
    f: Callable[[np.ndarray], float], x: np.ndarray, verbose: bool = True, h: float = 1e-5
) -> np.ndarray:
    r"""Numeric gradient of a function that returns one number.

    Args:
        f: takes `x`, returns a number.
        x: any shape, where to differentiate; changed during the call, the same afterwards.
        verbose: print each entry as it is found.
        h: the step. In half and single precision it is raised to the cube root of the rounding unit, below which
            rounding swamps the difference.

    Returns:
        gradient: the shape of `x`, in double precision.

    Raises:
        ValueError: `x` does not hold real numbers or cannot be written to, or `f` returns no single number.

    >>> x = np.array([[1.0, 2.0, -1.0], [0.5, 3.0, 0.0]])
    >>> eval_numerical_gradient(lambda x: (x**2).sum(), x, verbose=False).round(6)
    array([[ 2.,  4., -2.],
           [ 1.,  6.,  0.]])
    """
    _require_floats(x, h)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        gradient[index] = _slope(lambda: _number(f(x)), x, index, h)
        if verbose:
            print(index, gradient[index])  # noqa: T201  what `verbose` asks for
    return gradient


def eval_numerical_gradient_array(
    f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, df: np.ndarray | float, h: float = 1e-5
) -> np.ndarray:
    r"""Numeric gradient of a function that returns an array, for the incoming gradient `df`.

    Args:
        f: takes `x`, returns an array.
        x: any shape, where to differentiate; changed during the call, the same afterwards.
        df: the shape of `f(x)`, gradient of the loss with respect to it. Draw it at random.
        h: the step, as in `eval_numerical_gradient`.

    Returns:
        gradient: the shape of `x`, in double precision.

    Raises:
        ValueError: `x` does not hold real numbers or cannot be written to, or `df` has not the shape of `f(x)`.

    >>> x, df = np.array([1.0, 2.0, -1.0]), np.array([0.5, -0.25, 2.0])
    >>> eval_numerical_gradient_array(lambda x: x**2, x, df).round(6)
    array([ 1., -1., -4.])
    """
    _require_floats(x, h)
    expected = np.shape(f(x))
    if np.shape(df) not in (expected, ()):
        raise ValueError(f"expected df of the shape of f(x), {expected}, got {np.shape(df)}")
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        # A copy in double precision: f may return x itself, or the same buffer each time.
        gradient[index] = np.sum(_slope(lambda: np.array(f(x), dtype=np.float64), x, index, h) * df)
    return gradient


def grad_check_sparse(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    analytic_grad: np.ndarray,
    num_checks: int = 10,
    h: float = 1e-5,
    rng: np.random.Generator | int | None = None,
) -> None:
    r"""Print numeric beside analytic gradient at random entries: quick, where `x` has too many for all.

    Args:
        f: takes `x`, returns a number.
        x: any shape, where to differentiate; changed during the call, the same afterwards.
        analytic_grad: the shape of `x`, the gradient to be checked.
        num_checks: how many entries.
        h: the step, as in `eval_numerical_gradient`.
        rng: a generator or a seed, to choose the same entries again.

    Raises:
        ValueError: `x` does not hold real numbers or cannot be written to, or the shapes differ.

    >>> x = np.array([[1.0, 2.0, -1.0], [0.5, 3.0, 0.0]])
    >>> grad_check_sparse(lambda x: (x**3).sum(), x, 3 * x**2, num_checks=1, rng=0)  # doctest: +ELLIPSIS
    (1, 1) numerical: 27.000000 analytic: 27.000000, relative error: ...e-1...
    """
    _require_floats(x, h)
    if np.shape(analytic_grad) != x.shape:
        raise ValueError(f"expected analytic_grad of shape {x.shape}, got {np.shape(analytic_grad)}")
    rng = np.random.default_rng(rng)
    for _ in range(num_checks):
        index = tuple(int(rng.integers(size)) for size in x.shape)
        numeric = float(_slope(lambda: _number(f(x)), x, index, h))
        analytic = float(analytic_grad[index])
        scale = abs(numeric) + abs(analytic)
        error = abs(numeric - analytic) / scale if scale else 0.0  # both 0: they agree
        print(f"{index} numerical: {numeric:f} analytic: {analytic:f}, relative error: {error:e}")  # noqa: T201


def _require_floats(x: np.ndarray, h: float) -> None:
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        # An integer array would round x + h back to x, and the answer would be nonsense without any error.
        found = f"an array of dtype {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__
        raise ValueError(f"x: expected an array of floating-point numbers, got {found}")
    if not x.flags.writeable:
        raise ValueError("x: expected an array that can be written to (its entries are moved), got a read-only one")
    if not h > 0:
        raise ValueError(f"h: expected a positive step, got {h}")


def _slope(value: Callable[[], np.ndarray], x: np.ndarray, index: tuple[int, ...], h: float) -> np.ndarray:
    """Central difference of `value()` in the entry of `x` at `index`."""
    old = x[index]
    if x.dtype.itemsize < 8:
        h = max(h, float(np.cbrt(np.finfo(x.dtype).eps)) * max(1.0, abs(float(old))))
    try:
        x[index] = old + h
        above, right = float(x[index]), value()  # the step really taken: x + h is rounded to the dtype of x
        x[index] = old - h
        below, left = float(x[index]), value()
    finally:
        x[index] = old
    return (right - left) / (above - below)


def _number(value: object) -> np.ndarray:
    array = np.array(value, dtype=np.float64)
    if array.size != 1:
        raise ValueError(f"f: expected one number, got an array of shape {array.shape}; see the _array form")
    return array.reshape(())
