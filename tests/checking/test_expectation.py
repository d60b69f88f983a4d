"""The evaluator's expectations: every draw of a distribution with the declared moments."""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
import pytest

from cs231n.checking.attack import Trials
from cs231n.checking.evaluate import EvaluationError, Evaluator, Sample
from cs231n.checking.expectation import DRAWS, support
from cs231n.checking.mutants import Mutant, mutants, refute_mutants, refuted
from cs231n.checking.numbers import TooManyDraws
from cs231n.checking.sampling import draw_sample
from cs231n.checking.verify import check_page
from cs231n.pages import parse_page
from cs231n.pages import tree as t

FRONT = r"""---
sizes: {D: inputs, M: outputs}
indices: {d e: D, m: M}
tensors:
  W: {shape: [D, M], random: {mean: 0, variance: v, symmetric: true}}
  g: {shape: [D], random: {mean: '\mu', variance: s}}
  a: [D]
  dy: [M]
scalars: {v: positive, mu: real, s: nonnegative}
OUTPUT
---
"""


def read(body: str, output: str = "") -> t.Page:
    front = FRONT.replace("OUTPUT\n", f"output: {output}\n" if output else "")
    return parse_page((front if output else front.replace("  dy: [M]\n", "")) + body)


def value(formula: str, sample: Sample, body: str = "", output: str = "") -> float:
    page = read(f"{body}\n\n$$ {formula} = 0 $$\n", output)
    claim = page.statements[-1]
    assert claim.left is not None
    return float(Evaluator(page, sample).value(claim.left))


def sample(d: int = 3, m: int = 2, s: Fraction = Fraction(3, 7)) -> Sample:
    rng = random.Random(1)
    real = lambda: Fraction(rng.choice([-1, 1]) * rng.randint(300, 3000), 1024)  # noqa: E731
    return Sample(
        {"D": d, "M": m},
        {
            "W": {(i, j): real() for i in range(d) for j in range(m)},
            "g": {(i,): real() for i in range(d)},
            "a": {(i,): real() for i in range(d)},
            "dy": {(j,): real() for j in range(m)},
            "v": {(): Fraction(5, 3)},
            "mu": {(): Fraction(-1, 2)},
            "s": {(): s},
        },
    )


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("variance", [Fraction(1, 10**9), Fraction(2, 3), Fraction(1), Fraction(10**9)])
def test_a_support_has_its_moments(variance: Fraction, symmetric: bool) -> None:
    for chance in (Fraction(-7, 3), Fraction(1, 4), Fraction(2)):
        mean = Fraction(0) if symmetric else Fraction(5, 2)
        points = support(mean, variance, symmetric, chance)
        assert all(weight > 0 for _, weight in points)
        assert sum(weight for _, weight in points) == 1
        assert sum(weight * p for p, weight in points) == mean
        assert sum(weight * (p - mean) ** 2 for p, weight in points) == variance
        third = sum(weight * (p - mean) ** 3 for p, weight in points)
        assert (third == 0) == (symmetric or chance**2 == variance)
        if symmetric:
            assert dict(points) == {-p: weight for p, weight in points}
            assert sum(weight * p**4 for p, weight in points) != variance**2
            assert all(p != 0 for p, _ in points)


def test_a_variance_of_zero_is_a_constant_and_a_negative_one_an_error() -> None:
    assert support(Fraction(2), Fraction(0), False, Fraction(1)) == [(2, 1)]
    with pytest.raises(EvaluationError, match="never negative"):
        support(Fraction(2), Fraction(-1), False, Fraction(1))


def test_moments_of_entries() -> None:
    assert value(r"\sum_d \mathbb E[g_d]", sample()) == pytest.approx(-1.5)
    assert value(r"\sum_d \mathbb E[g_d^2]", sample()) == pytest.approx(3 * (1 / 4 + 3 / 7))
    assert value(r"\sum_d \sum_e \mathbb E[g_d g_e]", sample()) == pytest.approx(9 / 4 + 3 * 3 / 7)
    assert value(r"\sum_{d,m} \mathbb E[W_{dm}]", sample()) == pytest.approx(0, abs=1e-14)
    assert value(r"\sum_{d,m} \mathbb E[W_{dm}^2 g_d]", sample()) == pytest.approx(6 * 5 / 3 * -0.5)


def test_what_the_body_does_not_read_is_not_drawn() -> None:
    """W has 60 entries here; the formula reads one of them, and another where that is not positive."""
    body = r"""$$ p \coloneqq \sum_{d,m} \delta_{d,0} \delta_{m,0} W_{dm} $$

$$ q \coloneqq \sum_{d,m} \delta_{d,1} \delta_{m,0} W_{dm} $$
"""
    either = r"\mathbb E[\begin{cases} p & \text{if } p > 0 \\ q & \text{otherwise} \end{cases}]"
    large = sample(20, 3)
    assert value(either, large, body) == pytest.approx(value(r"\mathbb E[\max(0, p)]", large, body))


def test_too_many_draws_are_an_error() -> None:
    with pytest.raises(TooManyDraws, match="20 random entries"):
        value(r"\mathbb E[\sum_d g_d]", sample(20, 1))
    assert DRAWS < 2**20


def test_named_quantities_are_drawn_with_what_they_are_made_of() -> None:
    body = r"""$$ u_m \coloneqq \sum_d W_{dm} a_d $$

$$ T \coloneqq \sum_m \mathbb E[u_m^2] $$

$$ h_m \coloneqq u_m^2 - T $$
"""
    at = sample(2, 1)
    expected = 5 / 3 * sum(float(x) ** 2 for x in at.values["a"].values())
    assert value("T", at, body) == pytest.approx(expected)
    assert value(r"\sum_m \mathbb E[h_m]", at, body) == pytest.approx(0, abs=1e-12)
    assert value(r"\mathbb E[T]", at, body) == pytest.approx(expected)


def test_an_expectation_inside_an_expectation_is_a_number() -> None:
    centred = value(r"\sum_d \mathbb E[(g_d - \mathbb E[g_d])^2]", sample())
    assert centred == pytest.approx(9 / 7)
    assert value(r"\sum_d \operatorname{Var}[g_d]", sample()) == pytest.approx(9 / 7)
    deep = r"\sum_d \mathbb E[(g_d - \mathbb E[g_d - \mathbb E[g_d]])^2]"
    assert value(deep, sample()) == pytest.approx(3 * (1 / 4 + 3 / 7))


def test_gradients_are_taken_in_each_draw() -> None:
    body = r"$$ y_m \coloneqq \sum_d W_{dm} a_d $$"
    at = sample(2, 2)
    expected = 2 * 5 / 3 * sum(float(x) ** 2 for x in at.values["dy"].values())
    assert value(r"\sum_d \mathbb E[da_d^2]", at, body, "y") == pytest.approx(expected)


def test_what_is_not_random_is_what_it_was() -> None:
    """The sample's own values of random tensors stand outside expectations, and only there."""
    at = sample()
    assert value(r"\sum_d (g_d - \mathbb E[g_d])", at) == pytest.approx(float(sum(at.values["g"].values())) + 1.5)


def test_fifty_digits_agree_with_doubles() -> None:
    page = read(r"$$ \mathbb E[\tanh(\sum_d W_{dm} g_d + 1)] = 0 $$" + "\n")
    claim = page.statements[-1]
    assert claim.left is not None
    evaluator = Evaluator(page, sample(2, 2))
    exact = evaluator.exact(50).value(claim.left, {"m": 0})
    assert float(exact) == pytest.approx(evaluator.value(claim.left, {"m": 0}), rel=1e-13)
    assert mpmath.nstr(exact, 20) != mpmath.nstr(mpmath.mpf(float(exact)), 20)


def test_the_derivative_of_an_expectation_is_an_error() -> None:
    page = read(r"$$ L \coloneqq \sum_d \mathbb E[g_d^2] a_d $$" + "\n\n" + r"$$ da_d = 1 $$" + "\n", "L")
    claim = page.statements[-1]
    with pytest.raises(EvaluationError, match="cannot be differentiated"):
        Evaluator(page, sample()).value(claim.left, {"d": 0})  # type: ignore[arg-type]


def test_samples_of_random_pages_are_small() -> None:
    """Some are small enough for all entries of W and g together; some have two sizes that differ."""
    page = read(r"$$ \mathbb E[g_d] = \mu $$")
    sizes = [draw_sample(page, random.Random(seed)).sizes for seed in range(40)]
    assert all(max(s.values()) <= 3 for s in sizes)
    assert any(4 ** (s["D"] * s["M"]) * 2 ** s["D"] <= DRAWS and s["D"] > 1 < s["M"] for s in sizes)
    assert any(set(s.values()) == {2, 3} for s in sizes)


def test_mutants_drop_expectations_and_move_powers() -> None:
    page = read(r"$$ \mathbb E[g_d^2] = \mu^2 + s $$")
    claim = page.statements[-1]
    described = [m.description for m in mutants(claim, page)]
    assert "expectation of `g_d^{2}` dropped" in described
    assert "power taken of the expectation of `g_d`" in described
    count, survivors = refute_mutants(page, claim, Trials(page))
    assert count == len(described) and not survivors


def test_a_mutant_that_is_too_costly_is_not_counted_as_refuted() -> None:
    body = r"$$ \mathbb E[\sum_d W_{dm}] = 0 $$"
    page = read(body)
    at = sample(3, 3)
    d, m = t.Index("d", t.Size("D")), t.Index("m", t.Size("M"))
    costly = t.Expect(t.Sum(d, t.Sum(m, t.Entry("W", (d, m)))))
    (claim,) = page.statements
    assert claim.right is not None
    assert not refuted(Mutant("all entries", costly, claim.right), claim, Trials(page, samples=[at] * 4))


def test_a_mistake_shows_its_counterexample() -> None:
    result = check_page(read(r"$$ \mathbb E[g_d^2] \neq \mathbb E[g_d]^2 $$")).statements[-1]
    assert result.ok and result.verdict == "refuted" and result.counterexample is not None
