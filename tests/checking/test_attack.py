"""False statements are refuted, true ones are not, and nothing is refuted by rounding."""

from dataclasses import replace

import mpmath
import pytest

from cs231n.checking.attack import Trials, attack, confirm
from cs231n.checking.evaluate import EvaluationError
from cs231n.pages import Entry, parse_page

FRONT = r"""---
title: t
sizes: {N: rows, D: columns, M: others}
indices: {i k m: N, j l: D, a: M}
tensors: {x: [N, D], w: [D], q: [N], dout: [N]}
scalars: {epsilon: positive, z: real}
output: out
---
$$ u_i \coloneqq \frac{1}{D}\sum_j x_{ij} $$
$$ v_i \coloneqq \frac{1}{D}\sum_j (x_{ij} - u_i)^2 $$
$$ \mathrm{out}_i \coloneqq \sum_j \max(0, x_{ij} - u_i) w_j + q_i $$
"""


def run(claim, **options):
    page = parse_page(FRONT + f"$$ {claim} $$\n")
    (statement,) = [s for s in page.statements if s.kind in ("claim", "mistake")]
    return attack(page, statement, Trials(page, **options))


TRUE = [
    r"v_i = \frac1D\sum_j x_{ij}^2 - u_i^2",
    r"\sum_j (x_{ij} - u_i) = 0",
    r"\frac{x_{ij}^2 - w_j^2}{x_{ij} - w_j} = x_{ij} + w_j",
    r"\log(e^{x_{ij}}) = x_{ij}",
    r"\sqrt{x_{ij}^2} = |x_{ij}|",
    r"\sum_i \delta_{ik} x_{ij} = x_{kj}",
    r"\sum_i \sum_k (\mathbf 1[q_i > q_k] + \mathbf 1[q_k > q_i]) = N^2 - N",
    r"dq_i = \mathrm{dout}_i",
    r"\frac{\partial \mathrm{out}_i}{\partial x_{ij}} = \mathbf 1[x_{ij} > u_i] w_j",
    r"\max(0, z) = z \qquad \text{for } z > 0",
    r"\max(0, z) = z \qquad \text{for } z = 0",
    r"\max(0, x_{ij}) = 0 \qquad \text{for } x_{ij} < 0, x_{ij} = 0",
    r"\sum_i q_i^0 = 3 \qquad \text{for } N = 3",
    r"\delta_{ik} = 1 \qquad \text{for } i = k",
]

FALSE = [
    r"v_i = \frac1D\sum_j x_{ij}^2 + u_i^2",
    r"\sqrt{x_{ij}^2} = x_{ij}",
    r"\sum_i \sum_k (\mathbf 1[q_i > q_k] + \mathbf 1[q_k > q_i]) = N^2",
    r"\frac{\mathrm d \mathrm{out}_i}{\mathrm d x_{ij}} = \mathbf 1[x_{ij} > u_i] w_j",
    r"\sum_a \delta_{ai} = 1",
    r"dq_i = 2 \mathrm{dout}_i",
    r"\max(0, z) = z \qquad \text{for } z < 0",
    r"\sum_i q_i^0 = 4 \qquad \text{for } N = 3",
    r"z + 10^{-12} = z",
    r"e^{-z^2 - 40} = 0",
]


@pytest.mark.parametrize("claim", TRUE)
def test_true_claims_stand(claim):
    result = run(claim)
    assert result.counterexample is None
    assert result.points >= 4
    assert not result.vacuous


@pytest.mark.parametrize("claim", FALSE)
def test_false_claims_fall(claim):
    assert run(claim).counterexample is not None


def test_the_counterexample_is_for_readers():
    found = run(r"x_{ij} + 1 \neq x_{ij}").counterexample
    assert set(found.sizes) == {"N", "D", "M"}
    assert set(found.at) == {"i", "j"}
    assert float(found.left) == pytest.approx(float(found.right) + 1, rel=1e-4)
    assert found.to_dict() == {"sizes": found.sizes, "at": found.at, "left": found.left, "right": found.right}


def test_fixed_sizes_are_used():
    assert run(r"\sum_i q_i^0 = 4 \qquad \text{for } N = 3").counterexample.sizes["N"] == 3


def test_comparing_nothing_but_zeros_is_vacuous():
    assert run(r"0 \cdot x_{ij} = 0 \cdot x_{ij} w_j").vacuous
    assert not run(r"\frac{\mathrm d v_i}{\mathrm d u_i} = 0").vacuous  # a claim that says 0


def test_undefined_and_unguarded_statements_are_errors():
    with pytest.raises(EvaluationError, match="no value at any"):
        run(r"\log(-\epsilon) = 1")
    with pytest.raises(EvaluationError, match="outside its range"):
        attack_unguarded()
    with pytest.raises(EvaluationError, match="found no point"):
        run(r"\max(0, z) = z \qquad \text{for } z > 1000")


def test_conditions_are_met_exactly_or_not_at_all():
    assert run(r"2 z = 1 \qquad \text{for } z = 1/2").counterexample is None
    with pytest.raises(EvaluationError, match="cannot set z"):
        run(r"e^z = 2 \qquad \text{for } z = \log(2)")


def attack_unguarded():
    # The reader refuses such a page, so the guard is taken away here.
    page = parse_page(FRONT + r"$$ \mathbf 1[i + 1 < N]\, q_{i+1} = q_i $$")
    claim = next(s for s in page.statements if s.kind == "claim")
    entry = next(e for e in claim.left.walk() if isinstance(e, Entry))
    attack(page, replace(claim, left=entry, right=entry), Trials(page))


def test_another_seed_draws_other_points():
    claim = r"x_{ij} + 1 \neq x_{ij}"
    assert run(claim).counterexample == run(claim).counterexample
    assert run(claim, seed=1).counterexample != run(claim).counterexample


def test_rounding_is_no_difference():
    def cancelling(digits):
        with mpmath.workdps(digits):
            big = mpmath.mpf(10) ** 30 / 3
            return (1 / mpmath.mpf(7) + big) - big, 1 / mpmath.mpf(7)

    assert confirm(cancelling) is None

    def different(digits):
        with mpmath.workdps(digits):
            return 1 / mpmath.mpf(7) + mpmath.mpf(10) ** -20, 1 / mpmath.mpf(7)

    assert confirm(different) is not None
