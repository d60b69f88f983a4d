"""What is written for messages reads back as the same formula."""

import pytest

from cs231n.pages import parse_page
from cs231n.pages.show import name_to_text, to_text

FRONT = r"""---
title: t
sizes: {N: rows, D: columns, s: stride, H: height}
indices: {i k m: N, j l: D, h: H, n: N}
tensors: {x: [N, D], w: [D], b: [H], dout: [N, D]}
scalars: {epsilon: positive}
labels: {y: {shape: [N], classes: D}}
output: out
---
$$ \mu_j \coloneqq \frac1N \sum_i x_{ij} $$
$$ \hat x_{ij} \coloneqq x_{ij} - \mu_j $$
$$ \mathrm{out}_{ij} \coloneqq w_j \hat x_{ij} $$
"""


def left_side(formula):
    page = parse_page(FRONT + f"$$ {formula} = {formula} $$\n")
    return next(s for s in page.statements if s.kind == "claim").left


@pytest.mark.parametrize(
    "formula",
    [
        r"\epsilon + 2 - 1",
        r"-(\epsilon - 1) - (2 - \epsilon)",
        r"\frac{x_{ij} - \mu_j}{\sqrt{\epsilon + 1}}",
        r"2 \cdot 3 \epsilon",
        r"(\epsilon + 1)^{2} \epsilon^{-1}",
        r"(-\epsilon)^{3}",
        r"(\epsilon^{2})^{3}",
        r"w_j \sum_i (x_{ij} + 1)",
        r"\Big(\sum_i x_{ij}\Big) w_j",
        r"\sum_i x_{ij} - \sum_i \hat x_{ij}^{2}",
        r"\Big(\sum_i x_{ij}\Big)^{2}",
        r"\max_i x_{ij} + \max(0, w_j) - \min(w_j, \epsilon, 1)",
        r"|w_j| + \exp(w_j) \log(\epsilon) - \tanh(w_j) \operatorname{sigmoid}(w_j)",
        r"\delta_{ik} \mathbf 1[x_{ij} > 0] x_{kj}",
        r"\mathbf 1[i + 1 < N] x_{i+1,j}",
        r"x_{n,y_n} \delta_{j,y_n}",
        r"\sum_h \mathbf 1[0 \le s h + i < H] b_{sh+i}",
        r"\begin{cases} w_j & \text{if } w_j > 0 \\ -w_j & \text{otherwise} \end{cases}",
        r"dx_{kl} + \frac{\partial \hat x_{ij}}{\partial x_{kl}} \frac{\mathrm d \mathrm{out}_{ij}}{\mathrm d x_{kl}}",
        r"d\hat x_{kl}\, d\mu_l",
        r"\frac{1}{2} - \frac{w_j}{2}",
    ],
)
def test_formulas_read_back(formula):
    tree = left_side(formula)
    assert left_side(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x", "x"),
        ("gamma", r"\gamma"),
        ("x_hat", r"\hat x"),
        ("mu_bar", r"\bar{\mu}"),
        ("rstd", r"\mathrm{rstd}"),
        ("running_mean", r"\mathrm{running\_mean}"),
    ],
)
def test_names(name, text):
    assert name_to_text(name) == text
