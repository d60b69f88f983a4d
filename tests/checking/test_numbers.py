"""Dual numbers against finite differences at 50 digits, domains and kinks of the functions."""

import math

import pytest

from cs231n.checking.numbers import EXACT, FLOAT, DomainError, Dual, EvaluationError, OnKink, real

REAL = real(50)
STEP = REAL.make(1) / 10**15

ANY = (-1.7, -0.3, 0.25, 2.5)
POSITIVE = (0.25, 1.5, 3.75)
SMOOTH = {
    "sqrt": POSITIVE,
    "log": POSITIVE,
    **dict.fromkeys(("exp", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "fabs"), ANY),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("numbers", [FLOAT, REAL], ids=lambda n: n.name)
def test_derivatives_of_functions(name, numbers):
    plain, dual = REAL.functions[name], numbers.with_duals()[name]
    for point in SMOOTH[name]:
        u = REAL.functions["F"](point)
        expected = (plain(u + STEP) - plain(u - STEP)) / (2 * STEP)
        result = dual(Dual(numbers.functions["F"](point), {(0,): 1, (1,): 2}))
        assert abs(result.v - plain(u)) < 1e-14
        assert abs(result.d[0,] - expected) < 1e-13
        assert abs(result.d[1,] - 2 * expected) < 1e-13
        assert dual(numbers.functions["F"](point)) == numbers.functions[name](numbers.functions["F"](point))


@pytest.mark.parametrize(("base", "exponent"), [(1.25, 2.5), (0.5, -1.5), (2.0, 3.0)])
def test_derivatives_of_real_powers(base, exponent):
    power, plain = FLOAT.with_duals()["rpow"], REAL.functions["rpow"]
    a, b = REAL.functions["F"](base), REAL.functions["F"](exponent)
    by_base = (plain(a + STEP, b) - plain(a - STEP, b)) / (2 * STEP)
    by_exponent = (plain(a, b + STEP) - plain(a, b - STEP)) / (2 * STEP)
    result = power(Dual(base, {(0,): 1.0}), Dual(exponent, {(1,): 1.0}))
    assert abs(result.v - plain(a, b)) < 1e-13
    assert abs(result.d[0,] - by_base) < 1e-13
    assert abs(result.d[1,] - by_exponent) < 1e-13
    assert abs(power(Dual(base, {(0,): 1.0}), exponent).d[0,] - by_base) < 1e-13


def test_arithmetic_of_duals():
    x, y = Dual(3.0, {(0,): 1.0}), Dual(4.0, {(1,): 1.0})
    assert (x * y + 2 * x - y / x).v == 3 * 4 + 6 - 4 / 3
    assert (x * y).d == {(0,): 4.0, (1,): 3.0}
    assert (x / y).d == {(0,): 0.25, (1,): -3 / 16}
    assert (1 / x).d == {(0,): -1 / 9}
    assert (5 - x).d == {(0,): -1.0}
    assert (x - 5).v == -2
    assert (-x / 2).d == {(0,): -0.5}
    assert (x**3).d == {(0,): 27.0}
    assert (x**-1).d == {(0,): -1 / 9}
    assert (x**0).d == {}
    assert (x - x).d == {}
    assert (x + y - x).d == {(1,): 1.0}
    assert FLOAT.with_duals()["vsum"]([x, y, 1.0, -x]).d == {(1,): 1.0}


def test_extrema_take_the_derivative_of_the_maximiser():
    dual = FLOAT.with_duals()
    x, y = Dual(3.0, {(0,): 1.0}), Dual(4.0, {(1,): 1.0})
    assert dual["vmax"](x, y).d == {(1,): 1.0}
    assert dual["vmin"]([x, y, 7.0]).d == {(0,): 1.0}
    assert dual["vmax"](0.0, -x) == 0.0
    with pytest.raises(OnKink):
        dual["vmax"](x, Dual(3.0, {(1,): 1.0}))
    with pytest.raises(OnKink):
        dual["vmax"](0.0, Dual(1e-9, {(1,): 1.0}))
    with pytest.raises(OnKink):
        dual["fabs"](Dual(0.0, {(1,): 1.0}))
    dual["vmax"](0.0, x - x)  # x - x is the number 0, not a variable at its kink


def test_conditions_near_their_boundary():
    plain, dual = FLOAT.functions, FLOAT.with_duals()
    assert plain["gt"](1.0, 0.0)
    assert not plain["gt"](0.0, 0.0)  # exactly 0 is a value
    assert plain["eq"](0.25, 0.25)
    with pytest.raises(OnKink):
        plain["gt"](1e-9, 0.0)
    with pytest.raises(OnKink):
        dual["gt"](Dual(0.0, {(0,): 1.0}), 0.0)
    assert dual["gt"](Dual(1.0, {(0,): 1.0}), 0.0)


@pytest.mark.parametrize("numbers", [FLOAT, REAL], ids=lambda n: n.name)
@pytest.mark.parametrize(
    ("name", "arguments"), [("log", (0,)), ("log", (-1,)), ("sqrt", (-1,)), ("rpow", (-2, 0.5)), ("rpow", (0, -0.5))]
)
def test_domains(numbers, name, arguments):
    with pytest.raises((ValueError, ZeroDivisionError)):
        numbers.functions[name](*map(numbers.functions["F"], arguments))


def test_infinite_slopes_are_outside_the_domain():
    dual = FLOAT.with_duals()
    with pytest.raises(ZeroDivisionError):
        dual["sqrt"](Dual(0.0, {(0,): 1.0}))
    with pytest.raises(DomainError):
        dual["rpow"](Dual(0.0, {(0,): 1.0}), 0.5)
    assert dual["rpow"](Dual(0.0, {(0,): 1.0}), 1.5).d in ({}, {(0,): 0.0})


def test_stable_in_double():
    f = FLOAT.functions
    assert f["sigmoid"](-800.0) == pytest.approx(0.0, abs=1e-300)
    assert f["sigmoid"](800.0) == 1.0
    assert f["softplus"](800.0) == 800.0
    assert f["softplus"](-40.0) == pytest.approx(math.exp(-40.0))


def test_exact_numbers_refuse_irrational_values():
    with pytest.raises(EvaluationError):
        EXACT.functions["exp"](EXACT.make(1))
    assert EXACT.functions["rpow"](EXACT.make(3), EXACT.make(2)) == 9
