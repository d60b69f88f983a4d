import numpy as np
import pytest

from cs231n.gradient_check import eval_numerical_gradient, eval_numerical_gradient_array, grad_check_sparse


def cube(x):
    return (x**3).sum()


def all_three(x):
    yield lambda: eval_numerical_gradient(cube, x, verbose=False)
    yield lambda: eval_numerical_gradient_array(lambda x: x**3, x, 0.5)
    yield lambda: grad_check_sparse(cube, x, x)


@pytest.mark.parametrize("dtype", [int, np.uint8, bool, complex, object])
def test_arrays_of_no_real_numbers_are_refused_with_their_dtype(dtype):
    # an integer array used to give about 50000 where 2 is right
    x = np.array([1, 0, 1]).astype(dtype)
    for call in all_three(x):
        with pytest.raises(ValueError, match=f"got an array of dtype {x.dtype}"):
            call()


def test_lists_and_read_only_arrays_are_refused():
    with pytest.raises(ValueError, match="got list"):
        eval_numerical_gradient(cube, [1.0, 2.0], verbose=False)
    x = np.array([1.0, 2.0])
    x.flags.writeable = False
    for call in all_three(x):
        with pytest.raises(ValueError, match="read-only"):
            call()


def test_the_array_itself_is_moved_because_notebooks_ignore_the_argument():
    W = np.array([[1.0, -2.0, 0.5], [3.0, 1.5, -1.0]])
    gradient = eval_numerical_gradient(lambda _: cube(W), W, verbose=False)
    np.testing.assert_allclose(gradient, 3 * W**2, rtol=1e-8)
    df = np.array([[0.5, -1.0, 2.0], [0.25, 3.0, -0.5]])
    gradient = eval_numerical_gradient_array(lambda _: W**3, W, df)
    np.testing.assert_allclose(gradient, 3 * W**2 * df, rtol=1e-8)


def test_the_array_is_put_back_exactly():
    x = np.random.default_rng(0).normal(size=(3, 4))
    before = x.copy()
    for call in all_three(x):
        call()
    np.testing.assert_array_equal(x, before)


def test_the_array_is_put_back_when_f_raises():
    x = np.array([1.0, 2.0, 3.0])

    def fragile(x):
        if x[1] != 2.0:
            raise RuntimeError("too far")
        return x.sum()

    for call in (
        lambda: eval_numerical_gradient(fragile, x, verbose=False),
        lambda: eval_numerical_gradient_array(fragile, x, 0.5),
        lambda: grad_check_sparse(fragile, x, x, num_checks=50),
    ):
        with pytest.raises(RuntimeError, match="too far"):
            call()
        np.testing.assert_array_equal(x, [1, 2, 3])


def test_views_are_moved_in_their_base():
    base = np.arange(1.0, 13.0).reshape(3, 4)
    view = base.T[::2]
    gradient = eval_numerical_gradient(lambda _: cube(base), view, verbose=False)
    np.testing.assert_allclose(gradient, 3 * view**2, rtol=1e-8)


def test_f_may_return_its_argument_or_the_same_buffer_each_time():
    x, df = np.array([1.0, -2.0, 0.5]), np.array([0.5, 2.0, -1.0])
    np.testing.assert_allclose(eval_numerical_gradient_array(lambda x: x, x, df), df)
    buffer = np.zeros(3)
    np.testing.assert_allclose(eval_numerical_gradient_array(lambda x: np.multiply(x, 2, out=buffer), x, df), 2 * df)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 1e-3), (np.float16, 6e-2)])
def test_low_precision_is_differenced_with_a_step_it_can_represent(dtype, digits):
    x = np.array([0.5, -1.25, 40.0, 3.0], dtype)
    numeric = eval_numerical_gradient(lambda x: np.sin(x / 8).sum(), x, verbose=False)
    assert numeric.dtype == np.float64
    np.testing.assert_allclose(numeric, np.cos(x.astype(float) / 8) / 8, rtol=digits)


def test_the_step_really_taken_is_the_one_divided_by():
    x = np.array([4096.0])  # the spacing of float64 there is large against h
    numeric = eval_numerical_gradient(lambda x: float(x[0]), x, verbose=False, h=3e-12)
    np.testing.assert_allclose(numeric, [1.0], rtol=1e-15)


def test_entries_of_a_scalar_array_and_of_an_empty_one():
    np.testing.assert_allclose(eval_numerical_gradient(cube, np.array(2.0), verbose=False), 12, rtol=1e-8)
    assert eval_numerical_gradient(cube, np.zeros((0, 3)), verbose=False).shape == (0, 3)


def test_a_df_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape of f\(x\), \(2, 3\), got \(3, 2\)"):
        eval_numerical_gradient_array(lambda x: x**2, np.zeros((2, 3)), np.zeros((3, 2)))


def test_a_function_with_several_numbers_is_refused_where_one_is_needed():
    with pytest.raises(ValueError, match=r"one number, got an array of shape \(3,\)"):
        eval_numerical_gradient(lambda x: x**2, np.zeros(3), verbose=False)


@pytest.mark.parametrize("h", [0, -1e-5, float("nan")])
def test_a_step_that_is_not_positive_is_refused(h):
    with pytest.raises(ValueError, match="positive step"):
        eval_numerical_gradient(cube, np.ones(2), verbose=False, h=h)


def test_the_sparse_check_prints_one_line_an_entry_and_sees_a_wrong_gradient(capsys):
    x = np.random.default_rng(0).uniform(1, 2, size=(4, 5))
    grad_check_sparse(cube, x, 3 * x**2, num_checks=6, rng=1)
    grad_check_sparse(cube, x, 2 * x**2, num_checks=4, rng=1)
    errors = [float(line.rsplit(" ", 1)[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(errors) == 10
    assert max(errors[:6]) < 1e-8
    assert min(errors[6:]) > 0.1


def test_two_zero_gradients_agree(capsys):
    # used to divide 0 by 0
    grad_check_sparse(lambda x: 1.0, np.ones((2, 3)), np.zeros((2, 3)), num_checks=2)
    assert capsys.readouterr().out.count("relative error: 0.000000e+00") == 2


def test_the_sparse_check_refuses_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"analytic_grad of shape \(2, 3\), got \(3, 2\)"):
        grad_check_sparse(cube, np.ones((2, 3)), np.ones((3, 2)))


def test_verbose_prints_every_entry_and_quiet_nothing(capsys):
    eval_numerical_gradient(cube, np.ones((2, 3)))
    assert len(capsys.readouterr().out.splitlines()) == 6
    eval_numerical_gradient(cube, np.ones((2, 3)), verbose=False)
    assert capsys.readouterr().out == ""
