"""Every kind of change is made, at every place; changed claims fall."""

from dataclasses import replace
from fractions import Fraction

import pytest

from cs231n.checking.attack import Trials, attack
from cs231n.checking.mutants import Mutant, mutants, refute_mutants, refuted
from cs231n.pages import Div, Num, parse_page
from cs231n.pages.show import to_text

FRONT = r"""---
title: t
sizes: {N: rows, D: columns}
indices: {i k m: N, j l: D}
tensors: {x: [N, D], w: [D], A: [N, N], dout: [N, D]}
scalars: {epsilon: positive}
output: out
---
$$ \mu_j \coloneqq \frac1N \sum_i x_{ij} $$
$$ r_j \coloneqq \frac{1}{\sqrt{\frac1N\sum_i (x_{ij} - \mu_j)^2 + \epsilon}} $$
$$ \hat x_{ij} \coloneqq (x_{ij} - \mu_j) r_j $$
$$ \mathrm{out}_{ij} \coloneqq w_j \hat x_{ij} $$
"""
DX = (
    r"dx_{kl} = \frac{w_l r_l}{N}\Big(N \mathrm{dout}_{kl} - \sum_i \mathrm{dout}_{il}"
    r" - \hat x_{kl}\sum_i \mathrm{dout}_{il}\hat x_{il}\Big)"
)


def claim(text):
    page = parse_page(FRONT + f"$$ {text} $$\n")
    return page, next(s for s in page.statements if s.kind == "claim")


def sides(text):
    _, statement = claim(text)
    return {(to_text(m.left), to_text(m.right)) for m in mutants(statement)}


def rights(text):
    _, statement = claim(text)
    left = statement.left
    return {to_text(m.right) for m in mutants(statement) if m.left == left}


def test_terms_signs_and_constants():
    assert rights(r"\epsilon = \epsilon + 2 - 1") >= {
        r"2 - 1",
        r"\epsilon - 1",
        r"\epsilon + 2",
        r"-\epsilon + 2 - 1",
        r"\epsilon - 2 - 1",
        r"\epsilon + 2 + 1",
        r"\epsilon + 3 - 1",
        r"\epsilon + 2 - 2",
        r"-(\epsilon + 2 - 1)",
    }


def test_factors_exponents_and_roots():
    assert rights(r"\epsilon = \frac{2 \epsilon^3}{2\sqrt{\epsilon}}") >= {
        r"\frac{\epsilon^{3}}{2 \sqrt{\epsilon}}",
        r"\frac{2}{2 \sqrt{\epsilon}}",
        r"\frac{2 \epsilon^{3}}{\sqrt{\epsilon}}",
        r"\frac{2 \epsilon^{3}}{2}",
        r"\frac{2 \epsilon^{4}}{2 \sqrt{\epsilon}}",
        r"\frac{2 \epsilon^{-3}}{2 \sqrt{\epsilon}}",
        r"\frac{2 \epsilon}{2 \sqrt{\epsilon}}",
        r"\frac{3 \epsilon^{3}}{2 \sqrt{\epsilon}}",
        r"\frac{2 \epsilon^{3}}{2 \epsilon}",
        r"-\frac{2 \epsilon^{3}}{2 \sqrt{\epsilon}}",
    }
    assert rights(r"\epsilon = \frac{\epsilon}{N}") >= {r"\frac{1}{N}", r"\epsilon", r"\frac{\epsilon}{N - 1}"}


def test_indices_and_sums():
    made = rights(r"\sum_k A_{ik} A_{ki} = \sum_k A_{ik} A_{ki}")
    assert made >= {
        r"\sum_k A_{kk} A_{ki}",
        r"\sum_k A_{ii} A_{ki}",
        r"\sum_k A_{ki} A_{ki}",
        r"\sum_k A_{ik} A_{kk}",
        r"\sum_k A_{ik} A_{ii}",
        r"A_{ii} A_{ii}",
    }
    # j has no other index of its size in scope, so its sum stays.
    assert not any(r"\sum_j" not in s and s != "0" for s in rights(r"\sum_j x_{ij}^2 = \sum_j x_{ij} x_{ij}"))


def test_only_indices_change_inside_derivatives():
    made = sides(r"\sum_i \frac{\partial \hat x_{ij}}{\partial x_{kl}} = \delta_{jl} r_j \qquad \text{for all } k")
    assert {left for left, _ in made} == {
        r"\sum_i \frac{\partial \hat x_{ij}}{\partial x_{kl}}",
        r"\sum_i \frac{\partial \hat x_{kj}}{\partial x_{kl}}",
        r"\frac{\partial \hat x_{kj}}{\partial x_{kl}}",
        r"\frac{\sum_i \frac{\partial \hat x_{ij}}{\partial x_{kl}}}{N}",
    }
    # Without its δ the right side loses an index, but an index is not changed so that it does.
    assert {right for _, right in made} == {
        r"\delta_{jl} r_j",
        r"-\delta_{jl} r_j",
        r"2 \delta_{jl} r_j",
        r"0",
        r"r_j",
        r"\delta_{jl}",
        r"\delta_{jl} r_l",
        r"\delta_{ll} r_j",
    }


def test_subscripts_that_are_no_integers_fall():
    page, statement = claim(r"w_j = w_j")
    half = replace(statement.right, subs=(Div(statement.right.subs[0], Num(Fraction(2))),))
    assert refuted(Mutant("a half", statement.left, half), statement, Trials(page))
    assert not refuted(Mutant("none", statement.left, replace(statement.right)), statement, Trials(page))


def test_cases():
    made = rights(
        r"\epsilon = \begin{cases} \epsilon & \text{if } \epsilon > 0 \\ -\epsilon & \text{otherwise} \end{cases}"
    )
    assert r"\begin{cases} \epsilon & \text{if } \epsilon < 0 \\ -\epsilon & \text{otherwise} \end{cases}" in made
    assert r"\begin{cases} \epsilon & \text{if } \epsilon > 0 \\ \epsilon & \text{otherwise} \end{cases}" in made


def test_conditions():
    made = rights(r"\epsilon = \mathbf 1[\epsilon > 0] \epsilon")
    assert made >= {r"\mathbf 1[\epsilon < 0] \epsilon", r"\mathbf 1[\epsilon > 1] \epsilon", r"\epsilon"}


def test_no_mutant_twice_and_none_is_the_claim():
    _, statement = claim(DX)
    made = mutants(statement)
    pairs = [(m.left, m.right) for m in made]
    assert len(set(pairs)) == len(pairs)
    assert (statement.left, statement.right) not in pairs


def test_changes_that_are_none_are_not_made():
    made = sides(r"\sum_k dx_{kl} = 0")
    assert {right for left, right in made if left == r"\sum_k \frac{\partial L}{\partial x_{kl}}"} == {"1"}
    assert not any(left.startswith("-") for left, _ in made)
    assert rights(r"\epsilon = 1 \cdot \epsilon + (\epsilon - 2) \cdot 0^2") == {
        r"-(1 \epsilon + (\epsilon - 2) \cdot 0^{2})",
        r"2 (1 \epsilon + (\epsilon - 2) \cdot 0^{2})",
        r"(\epsilon - 2) \cdot 0^{2}",
        r"-1 \epsilon + (\epsilon - 2) \cdot 0^{2}",
        r"1 + (\epsilon - 2) \cdot 0^{2}",
        r"2 \epsilon + (\epsilon - 2) \cdot 0^{2}",
        r"1 \epsilon + (\epsilon - 2)",
        r"1 \epsilon + (\epsilon - 2) \cdot 1^{2}",
    }


def test_all_mutants_of_a_gradient_fall():
    page, statement = claim(DX)
    refuted, survivors = refute_mutants(page, statement, Trials(page))
    assert survivors == []
    assert refuted >= 20


@pytest.mark.parametrize(
    ("text", "survivor"),
    [
        (r"\mu_j \cdot 1^2 = \mu_j", r"exponent of `1^{2}` dropped"),
        (r"\delta_{ik} x_{ij} = \delta_{ik} x_{kj}", r"index `k` → `i` in `x_{kj}`"),
    ],
)
def test_equivalent_mutants_survive_for_the_prover(text, survivor):
    page, statement = claim(text)
    _, survivors = refute_mutants(page, statement, Trials(page))
    assert survivor in [m.description for m in survivors]


def test_a_mutant_that_reads_outside_the_range_or_is_nowhere_defined_falls():
    page, statement = claim(r"\sum_i x_{ij} = \sum_i \mathbf 1[i < N] x_{ij}")
    _, survivors = refute_mutants(page, statement, Trials(page))
    assert [m.description for m in survivors] == [r"factor `\mathbf 1[i < N]` dropped"]
    page, statement = claim(r"\log(\epsilon) = \log(\epsilon)")
    assert refute_mutants(page, statement, Trials(page))[1] == []


CONVOLUTION = r"""---
title: convolution
sizes: {N: a, C: channels, F: filters, R: window, s: stride, P: outputs, H: height, p: {means: padding, least: 0}}
indices: {n: N, c: C, f: F, r: R, q: P, h: H}
tensors: {x: [N, C, H], w: [F, C, R], dout: [N, F, P]}
output: out
assume: ["H = s(P-1) + R - 2p"]
---
$$ \mathrm{out}_{nfq} \coloneqq \sum_c \sum_r w_{fcr} x_{n,c,sq+r-p} \mathbf 1[0 \le sq+r-p < H] $$
$$ dw_{fcr} = \sum_n \sum_q \mathrm{dout}_{nfq} x_{n,c,sq+r-p} \mathbf 1[0 \le sq+r-p < H] $$
$$ dx_{nch} = \sum_f \sum_q \sum_r \mathrm{dout}_{nfq} w_{fcr} \delta_{h,sq+r-p} $$
"""
POOLING = r"""---
title: pooling
sizes: {N: a, R: window, s: stride, P: outputs, H: height}
indices: {n: N, r: R, q: P, h: H}
tensors: {x: [N, H], dout: [N, P]}
output: out
assume: ["H = s(P-1) + R", "no ties"]
---
$$ \mathrm{out}_{nq} \coloneqq \max_r x_{n,sq+r} $$
$$ dx_{nh} = \sum_q \sum_r \mathrm{dout}_{nq} \mathbf 1[x_{n,sq+r} = \mathrm{out}_{nq}] \delta_{h,sq+r} $$
"""
HINGE = r"""---
title: hinge
sizes: {N: samples, C: classes}
indices: {n: N, c k: C}
tensors: {x: [N, C]}
labels: {y: {shape: [N], classes: C}}
output: L
assume: ["off the kink"]
---
$$ L \coloneqq \frac1N \sum_n \sum_c \mathbf 1[c \neq y_n] \max(0, x_{nc} - x_{n,y_n} + 1) $$
$$
dx_{nc} = \frac1N \Big(\mathbf 1[c \neq y_n]\mathbf 1[x_{nc} - x_{n,y_n} + 1 > 0]
- \delta_{c,y_n} \sum_k \mathbf 1[k \neq y_n]\mathbf 1[x_{nk} - x_{n,y_n} + 1 > 0]\Big)
$$
"""


@pytest.mark.parametrize("text", [CONVOLUTION, POOLING, HINGE], ids=["convolution", "pooling", "hinge"])
def test_gradients_with_guards_kinks_and_labels(text):
    page = parse_page(text)
    trials = Trials(page)
    claims = [s for s in page.statements if s.kind == "claim"]
    assert claims
    for statement in claims:
        assert attack(page, statement, trials).counterexample is None
        refuted, survivors = refute_mutants(page, statement, trials)
        assert refuted >= 10
        assert [m.description for m in survivors] == []
