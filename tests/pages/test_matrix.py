r"""Matrix notation is elaborated by the declared shapes into the same index notation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cs231n.pages import PageError, parse_page
from cs231n.pages import tree as t

Understood = Callable[[str], list[str]]

CLAIMS = [
    (r"dw = x^\top\,\mathrm{dout}", "d:w[j,c] = S_i{(x[i,j]*dout[i,c])}"),
    (r"dx = \mathrm{dout}\,w^\top", "d:x[i,j] = S_c{(dout[i,c]*w[j,c])}"),
    (r"d\rho = \operatorname{colsum}(\mathrm{dout})^\top", "d:rho[c] = S_i{dout[i,c]}"),
    (r"d\rho^\top = \mathbf 1^\top\mathrm{dout}", "d:rho[c] = S_i{(1*dout[i,c])}"),
    (r"d\mu = \operatorname{rowsum}(\mathrm{dout})", "d:mu[i] = S_c{dout[i,c]}"),
    (r"\mathrm{out} = xw + \mathbf 1_N\rho^\top + \mu\mathbf 1_C^\top", None),
    (r"\mathrm{out} = xw + \rho^\top + \mu", "out[i,c] = (S_j{(x[i,j]*w[j,c])} + rho[c] + mu[i])"),
    (r"x v = 2 x v", "S_j{(x[i,j]*v[j])} = (2*S_j{(x[i,j]*v[j])})"),
    (r"u^\top x v = \epsilon", "S_j{(S_i{(u[i]*x[i,j])}*v[j])} = epsilon"),
    (r"x \odot x = x^{\odot 2}", "(x[i,j]*x[i,j]) = (x[i,j]^2)"),
    (r"1 \oslash x = x \oslash x", "(1/x[i,j]) = (x[i,j]/x[i,j])"),
    (r"\frac{x}{N} = x/N", "(x[i,j]/N) = (x[i,j]/N)"),
    (r"\max(0, x) = x \odot \mathbf 1[x > 0]", "max(0, x[i,j]) = (x[i,j]*[x[i,j] > 0])"),
    (r"\exp(x) = e^{x} - |x| + \sqrt{x}", "exp(x[i,j]) = (exp(x[i,j]) + -abs(x[i,j]) + sqrt(x[i,j]))"),
    (r"x - \frac1N\mathbf 1\mathbf 1^\top x = 0", "(x[i,j] + -((1/N)*S_k{((1*1)*x[k,j])})) = 0"),
    (r"\operatorname{sum}(x) = \mathbf 1_N^\top x\mathbf 1", None),
    (r"\|x\|_F^2 = \operatorname{tr}(x^\top x)", "S_i{S_j{(x[i,j]^2)}} = S_l{S_k{(x[k,l]*x[k,l])}}"),
    (r"\|v\|^2 = v^\top v", "S_j{(v[j]^2)} = S_l{(v[l]*v[l])}"),
    (r"\operatorname{diag}(v) w = v \odot w", "S_l{((delta(j,l)*v[j])*w[l,c])} = (v[j]*w[j,c])"),
    (r"\operatorname{diag}(S) = u", "S[i,i] = u[i]"),
    (r"x = \mathbf 1_N v^\top", "x[i,j] = (1*v[j])"),
    (r"x = u\mathbf 1^\top", "x[i,j] = (u[i]*1)"),
    (r"u = \epsilon\mathbf 1", "u[i] = (epsilon*1)"),
    (r"S (S u) = S S u", None),
    (r"x \odot (u v^\top) = x \odot u \odot v^\top", "(x[i,j]*(u[i]*v[j])) = (x[i,j]*u[i]*v[j])"),
    (r"F \odot F = 2 F", "(F[i,j,c]*F[i,j,c]) = (2*F[i,j,c])"),
    (
        r"x = \begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
        "x[i,j] = cases(x[i,j] > 0: x[i,j]; else: 0)",
    ),
    (r"\sum_i u_i\, v = v \sum_i u_i", "S_i{(u[i]*v[j])} = (v[j]*S_i{u[i]})"),
]


@pytest.mark.parametrize(("tex", "meaning"), CLAIMS, ids=[tex for tex, _ in CLAIMS])
def test_claim(understood: Understood, tex: str, meaning: str | None) -> None:
    found = understood(f"$$ {tex} $$")
    assert len(found) == 1
    if meaning is not None:
        assert found == [meaning]


def test_no_letter_has_two_meanings(read: Callable[[str], t.Page]) -> None:
    """Each product gets a letter of its own, also when the declared ones are used up."""
    statement = read(r"$$ S S S S S u = S u \tag{powers} $$").statements[-1]
    left, right = statement.left, statement.right
    assert left is not None and right is not None
    bound = [node.index.name for node in left.walk() if isinstance(node, t.Sum)]
    assert len(bound) == len(set(bound)) == 5
    assert not set(bound) & {index.name for index in statement.free}


def test_the_letters_of_the_formula_itself_are_not_used_again(understood: Understood) -> None:
    (found,) = understood(r"$$ \sum_{i,k} S_{ik}\, S u = \sum_{i,k} S_{ik} (S u) $$")
    assert found == "S_i{S_k{(S[i,k]*S_i2{(S[m,i2]*u[i2])})}} = S_i{S_k{(S[i,k]*S_i2{(S[m,i2]*u[i2])})}}"


def test_definitions(understood: Understood) -> None:
    assert understood(r"$$ A \coloneqq x w $$") == ["A[i,c] := S_j{(x[i,j]*w[j,c])}"]
    assert understood(r"$$ A \coloneqq x v $$") == ["A[i] := S_j{(x[i,j]*v[j])}"]
    assert understood(r"$$ A \coloneqq u^\top x v $$") == ["A[] := S_j{(S_i{(u[i]*x[i,j])}*v[j])}"]


def test_a_matrix_definition_may_come_after_its_use(understood: Understood) -> None:
    found = understood("$$ B_{ic} = 2 A_{ic} $$\n\n$$ B \\coloneqq A + A $$\n\n$$ A \\coloneqq x w $$\n")
    assert found == ["B[i,c] = (2*A[i,c])", "B[i,c] := (A[i,c] + A[i,c])", "A[i,c] := S_j{(x[i,j]*w[j,c])}"]


def test_the_smallest_page() -> None:
    page = parse_page(
        "---\nsizes: {N: a, D: b, C: c}\nindices: {n: N, d: D, c: C}\n"
        "tensors: {X: [N, D], W: [D, C], dY: [N, C]}\noutput: Y\n---\n"
        "$$ Y \\coloneqq X W $$\n\n$$ dW = X^T\\,\\mathrm{dY} = X^\\top\\mathrm{dY} \\tag{dW} $$\n"
    )
    left = page.statements[1].left
    assert page.statements[2].left == page.statements[2].right
    assert isinstance(left, t.Grad) and [type(sub) for sub in left.subs] == [t.Index, t.Index]


@pytest.mark.parametrize(
    ("tex", "message"),
    [
        (r"x = x^\top", r"shapes do not match: \(N, D\) and \(D, N\)"),
        (r"x + v = x", r"shapes do not match: \(N, D\) and \(D, 1\)"),
        (r"x w = w x", r"matrix product: \(D, C\) and \(N, D\)"),
        (r"v v = v", r"matrix product: \(D, 1\) and \(D, 1\)"),
        (r"x \odot w = x", r"shapes do not match: \(N, D\) and \(D, C\)"),
        (r"x w \odot x = x", "needs brackets"),
        (r"x = v^\top", r"shapes do not match: \(N, D\) and \(1, D\)"),
        (r"F F = F", "needs rank 1 or 2"),
        (r"F^\top = F", "needs rank 1 or 2"),
        (r"\mathbf 1^\top\mathbf 1 = 3", "length of the ones is open"),
        (r"\operatorname{tr}(x) = 3", "needs a square matrix"),
        (r"\operatorname{sum}(3) = 3", "needs an array"),
        (r"\|x\| = 3", "which norm"),
        (r"\|x\|_2 = 3", "which norm"),
        (r"x^2 = x", "a power of an array"),
        (r"2^{x} = x", "an exponent is a single number"),
        (r"\frac{\partial\mathrm{out}}{\partial x} = 0", "of one entry"),
    ],
)
def test_what_does_not_fit_is_an_error(understood: Understood, tex: str, message: str) -> None:
    with pytest.raises(PageError, match=message):
        understood(f"$$ {tex} $$")
