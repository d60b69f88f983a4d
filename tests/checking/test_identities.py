import pytest
import sympy
from sympy import Abs, Rational, cos, erf, exp, log, pi, sin, sqrt, tanh

from cs231n.checking.identities import Field, Undecided, is_zero, reals

x, y = sympy.symbols("x y", real=True)
e = sympy.Symbol("e", positive=True)
AT = {x: reals.mpf(3) / 7, y: reals.mpf(-5) / 4, e: reals.mpf(1) / 3}

TRUE = [
    (x + y) ** 3 - x**3 - 3 * x**2 * y - 3 * x * y**2 - y**3,
    1 / (x - y) - (x + y) / (x**2 - y**2),
    1 / (1 + 1 / (x**2 + e)) - (x**2 + e) / (x**2 + e + 1),
    1 / sqrt(x**2 + e) - sqrt(x**2 + e) / (x**2 + e),
    sqrt((x**2 + e) / 3) * sqrt(3) - sqrt(x**2 + e),
    sqrt(x**2 / (x**2 + e)) - x / sqrt(x**2 + e),  # x > 0 at the sample
    sqrt(1 / (x**2 + e) + 1) - sqrt(x**2 + e + 1) / sqrt(x**2 + e),
    (x + e) ** Rational(1, 3) * (x + e) ** Rational(2, 3) - x - e,
    exp(x - y) - exp(x) / exp(y),
    exp((x + y) / 2) ** 2 - exp(x) * exp(y),
    1 / (1 + exp(-x)) - exp(x) / (1 + exp(x)),
    tanh(x / 2) - (exp(x) - 1) / (exp(x) + 1),
    sympy.diff(tanh(x), x) - 1 + tanh(x) ** 2,
    exp(-(x**2) / (2 * e**2)) * exp(x**2 / (2 * e**2)) - 1,
    exp(x / (e + 1)) * exp(-x / (1 + e)) - 1,
    sin(x * y) ** 2 + cos(x * y) ** 2 - 1,
    sympy.diff(log(x**2 + e), x) - 2 * x / (x**2 + e),
    sympy.diff(erf(x / sqrt(2)), x) - sqrt(2 / pi) * exp(-(x**2) / 2),
    Abs(x * y) + x * y,  # xy < 0 at the sample
    sqrt(x**2 + sqrt(y**2 + e)) ** 2 - x**2 - sqrt(y**2 + e),
]
FALSE = [
    1 / (x - y) - (x + y) / (x**2 + y**2),
    1 / sqrt(x**2 + e) - sqrt(x**2 + e) / (x**2 - e),
    sqrt(x**2 + e) - x - sqrt(e),
    exp(x - y) - exp(x) * exp(y),
    exp(x) + exp(y) - exp(x + y),
    tanh(x) - (exp(x) - 1) / (exp(x) + 1),
    sqrt(x**2 / (x**2 + e)) + x / sqrt(x**2 + e),
    sin(x) ** 2 - cos(x) ** 2 - 1,
    Abs(x * y) - x * y,
    sympy.diff(erf(x), x) - exp(-(x**2)),
    x * Rational(1, 10**20),
]


@pytest.mark.parametrize("expr", TRUE, ids=str)
def test_an_identity_is_proved(expr):
    assert is_zero(expr, Field(AT)) is True


@pytest.mark.parametrize("expr", FALSE, ids=str)
def test_a_false_identity_is_not(expr):
    assert is_zero(expr, Field(AT)) is False


def test_equality_at_the_sample_alone_proves_nothing():
    with pytest.raises(Undecided, match="no rule shows"):
        is_zero(x - Rational(3, 7), Field(AT))


def test_a_sign_read_off_the_sample_becomes_a_hypothesis():
    field = Field(AT)
    assert is_zero(Abs(x * y) + x * y, field)
    assert list(field.hypotheses) == ["x*y < 0"]


def test_a_function_without_a_rule_is_undecided_and_not_zero():
    with pytest.raises(Undecided, match="no rule for gamma"):
        is_zero(sympy.gamma(x) - sympy.gamma(x + 1) / x, Field(AT))


def test_dividing_by_a_hidden_zero_is_an_error():
    with pytest.raises(ZeroDivisionError):
        is_zero(1 / ((x + y) ** 2 - x**2 - 2 * x * y - y**2), Field(AT))
