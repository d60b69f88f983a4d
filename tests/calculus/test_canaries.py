"""False statements that must never be proved, each with what forbids it.

Every line here was once "proved" by a sketch of the engine. The engine alone must not prove it, whatever the
evaluator would say; where the page already refuses to be read, that is as good. Beside each stands a true neighbour
that must be proved, so that a canary cannot die of an engine that proves nothing.
"""

from __future__ import annotations

import pytest

from cs231n.calculus.algebra import Undecided
from cs231n.checking.verify import Checker, check_page
from cs231n.pages import PageError, parse_page

FRONT = r"""---
title: Canary
description: A page that is wrong.
sizes:
  {N: rows, M: columns, n: fewer, H: height, h: less, s: stride, P: windows, R: window,
   G: {means: padding, least: 0}}
indices: {i k m: N, j l: M, a b: n, p q: P, r: R, t: H, z: h, o S: G}
tensors:
  {x: [N, M], A: [N, N], B: [N, n], C: [H, h], u: [N], w: [N], v: [M], g: [P], K: [R], f: [H],
   pos: {shape: [N], sign: positive}, mask: {shape: [N], gradient: false, values: [0, 1]},
   sign: {shape: [N], gradient: false, values: [-1, 1]},
   pg: {shape: [P], sign: positive}, pad: {shape: [G], sign: positive}}
scalars: {c: real, e: positive}
labels: {y: {shape: [N], classes: M}}
EXTRA
---

# Canary

"""


def read(body: str, extra: str = ""):
    return parse_page(FRONT.replace("EXTRA\n", extra + "\n" if extra else "") + body)


def proved_by_the_engine(body: str, extra: str = "") -> bool:
    """Does the engine, without any number, prove every claim of the page?"""
    page = read(body, extra)
    checker = Checker(page, mutate=False)
    claims = [s for s in page.statements if s.kind == "claim"]
    assert claims
    return all(checker.prove(s, s.left, s.right).proved for s in claims)  # type: ignore[arg-type]


DEAD = "$$ T := \\sum_k \\max(0, u_k) w_k $$\n\n"

FALSE = {
    # deltas: a contracted delta leaves a guard unless its range is proved
    "delta over another range": r"$$ \sum_i \delta_{ij} = 1 $$",
    "delta with a number": r"$$ \sum_i \delta_{i,5} = 1 $$",
    "delta under a stride": r"$$ \sum_t \delta_{t,sp+r} = 1 $$",
    "padding-blind average pooling": r"$$ \sum_p g_p \sum_r \delta_{t,sp+r} = \sum_p g_p $$",
    "a window taken for the whole": (
        r"$$ \sum_r \mathbf 1[0 \le t - r < P]\,g_{t-r} = \sum_p g_p \qquad \text{for all } t $$"
    ),
    "a kernel turned the wrong way": (
        r"$$ \sum_r \mathbf 1[0 \le t - r < P]\,g_{t-r} K_r = \sum_p \mathbf 1[0 \le t + p < R]\,g_p K_{t+p} $$"
    ),
    "guard lost in exp": (
        r"$$ \sum_r \delta_{t,sp+r} \exp(K_r)"
        r" = \exp(f_t) \sum_r \delta_{t,sp+r}\exp(K_r - f_t) + \sum_r \delta_{t,sp+r} - 1 $$"
    ),
    "delta squared in exp": r"$$ \sum_i \exp(\delta_{ik}) = N e^{1} $$",
    "delta by delta": r"$$ \frac{\delta_{ik}}{\delta_{ik}} (u_i + u_k) = u_i + u_k $$",
    "two ranges, one letter each": r"$$ \sum_i \sum_j \delta_{ij} = N $$",
    # names and captures
    "contraction captured by an inner sum": r"$$ \sum_i \delta_{ik} \exp(\sum_m A_{im}) = \exp(A_{kk}) $$",
    "diagonal for a double sum": r"$$ \sum_i u_i \sum_k w_k = N \sum_i u_i w_i $$",
    "square of a sum": r"$$ \Big(\sum_i u_i\Big)^2 = \sum_i u_i^2 $$",
    "transposed": r"$$ \sum_i A_{ik} = \sum_i A_{ki} $$",
    # sizes
    "sizes N and n": r"$$ \sum_{i,a} B_{ia} = \sum_i \sum_a B_{ia} + N - n $$",
    "sizes H and h": r"$$ \sum_t 1 = \sum_z 1 $$",
    # domains: conditions are collected before anything is simplified away
    "root of a square": r"$$ \sqrt{u_i^2} = u_i $$",
    "log of a product": r"$$ \log(u_i^2) = 2\log(u_i) + c - c + 0 \cdot c + \log(1) + u_i - u_i + 1 $$",
    "log of a square": r"$$ \log(u_i^2 w_i^2) = 2 \log(u_i^2) + 2\log(w_i^2) $$",
    "cube of a root": r"$$ (u_i^2)^{\frac{3}{2}} = u_i^3 $$",
    "root of a quotient": r"$$ \sqrt{u_i^2 w_i^2} = u_i w_i $$",
    # kinks
    "kink on the diagonal": r"$$ \sum_i \sum_k \Big(\mathbf 1[u_i > u_k] + \mathbf 1[u_k > u_i]\Big) = N^2 $$",
    "kink in a label": r"$$ \sum_j \Big(\mathbf 1[x_{ij} > x_{i,y_i}] + \mathbf 1[x_{i,y_i} > x_{ij}]\Big) = M $$",
    "kink against the mean": r"$$ \mathbf 1[u_i > \frac1N \sum_k u_k] + \mathbf 1[\frac1N \sum_k u_k > u_i] = 1 $$",
    "kink of a clipped value": r"$$ \mathbf 1[\max(0, u_i) > 0] + \mathbf 1[-\max(0, u_i) > 0] = 1 $$",
    "kink of a factor that may be 0": r"$$ \mathbf 1[(N - 3) u_i > 0] + \mathbf 1[(3 - N) u_i > 0] = 1 $$",
    "maxima do not add": r"$$ \max_i (u_i + w_i) = \max_i u_i + \max_i w_i $$",
    "a maximum is no sum": r"$$ \max(u_i, w_i) = u_i + w_i $$",
    # sums that only look alike
    "row sums by column weights": r"$$ \sum_{i,k} A_{ik} u_i = \sum_{i,k} A_{ik} u_k $$",
    "power by a free base": r"$$ u_i^0 = 2 $$",
    "a square may be 0": r"$$ \mathbf 1[(u_i - u_k)^2 > 0] = 1 \qquad \text{for all } i, k $$",
    "a positive tensor is 0 beyond its range": (
        r"$$ \mathbf 1[\mathbf 1[0 \le t-r < P]\,\mathrm{pg}_{t-r} > 0] = 1 \qquad \text{for all } t, r $$"
    ),
    "and so is a sum of it": (
        r"$$ \mathbf 1[\sum_r \mathbf 1[0 \le t-r < P]\,\mathrm{pg}_{t-r} > 0] = 1 \qquad \text{for all } t $$"
    ),
    "a dead sum of masked weights": (
        r"$$ \mathbf 1[\sum_k \mathbf 1[u_k > c]\,w_k > 0] + \mathbf 1[-\sum_k \mathbf 1[u_k > c]\,w_k > 0] = 1 $$"
    ),
    "a dead layer": DEAD + "$$ \\mathbf 1[T > 0] + \\mathbf 1[-T > 0] = 1 $$",
    "the square of a dead layer": DEAD + "$$ \\mathbf 1[T^2 > 0] = 1 $$",
    "a dead layer at its kink": DEAD + "$$ \\mathbf 1[T \\ge 0] = \\mathbf 1[T > 0] $$",
    "the square of a sum of ReLUs": r"$$ \mathbf 1[\Big(\sum_k \max(0, u_k)\Big)^2 > 0] = 1 $$",
    "the maximum of ReLUs": (r"$$ \mathbf 1[\max_k \max(0, u_k) > 0] + \mathbf 1[-\max_k \max(0, u_k) > 0] = 1 $$"),
    "some indicator holds": r"$$ \mathbf 1[\sum_i \mathbf 1[u_i > 0] > 0] = 1 $$",
    "division by a mask": r"$$ \mathbf 1[\mathrm{mask}_i > 0]\,\frac{u_i}{\mathrm{mask}_i} = u_i $$",
    "masks tie": r"$$ \sum_i \mathbf 1[\mathrm{mask}_i = \max_k \mathrm{mask}_k] = 1 $$",
    "signs tie": r"$$ \sum_i \mathbf 1[\mathrm{sign}_i = \max_k \mathrm{sign}_k] = 1 $$",
    "ReLUs tie": "$$ T_i := \\max(0, u_i) $$\n\n$$ \\sum_i \\mathbf 1[T_i = \\max_k T_k] = 1 $$",
    "division by an index": r"$$ \sum_i \frac{i}{i} = N $$",
    "an empty range has no maximiser": r"$$ \sum_o \mathbf 1[\mathrm{pad}_o = \max_S \mathrm{pad}_S] = 1 $$",
    "what holds under one indicator holds under another": (
        r"$$ \exp(\mathbf 1[u_i > 0]\,\mathbf 1[w_i > 0]) = \exp(\mathbf 1[u_i > 0]) $$"
    ),
    "what holds at one place of a sum holds at all": (
        r"$$ \sum_i \exp\Big(\mathbf 1[u_i > 0] \sum_k \mathbf 1[u_k > 0]\Big)"
        r" = \sum_i \exp(\mathbf 1[u_i > 0] N) $$"
    ),
    "a mask is no sign": r"$$ \mathrm{sign}_i^2 = \mathrm{sign}_i $$",
    "a mask may be 0 where something is positive": (
        r"$$ \mathbf 1[\mathrm{mask}_i u_i > 0] + \mathbf 1[-\mathrm{mask}_i u_i > 0] = 1 $$"
    ),
    "one for an indicator": r"$$ \mathbf 1[u_i > 0] = 1 $$",
    "mean of a ratio": r"$$ \sum_i \frac{u_i}{pos_i} = \frac{\sum_i u_i}{\sum_i pos_i} $$".replace(
        "pos_i", r"\mathrm{pos}_i"
    ),
    "softplus is not relu": r"$$ \operatorname{softplus}(u_i) = \max(0, u_i) $$",
    "sigmoid is odd": r"$$ \operatorname{sigmoid}(-u_i) = -\operatorname{sigmoid}(u_i) $$",
    "erf is even": r"$$ \operatorname{erf}(-u_i) = \operatorname{erf}(u_i) $$",
    "named quantity that is 0": (
        "$$ T := \\sum_i (u_i - \\frac1N \\sum_k u_k) $$\n\n$$ \\mathbf 1[T > 0] + \\mathbf 1[-T > 0] = 1 $$"
    ),
    # angles
    "angles subtract": r"$$ \cos(u_i + w_k) = \cos(u_i)\cos(w_k) + \sin(u_i)\sin(w_k) $$",
    "sines add": r"$$ \sin(u_i + w_k) = \sin(u_i) + \sin(w_k) $$",
    "a double angle": r"$$ \sin(2u_i) = \sin(u_i)\cos(u_i) $$",
    "half an angle": r"$$ (\cos(u_i/2))^2 = \frac{1 - \cos(u_i)}{2} $$",
}

DERIVATIVES = {
    "the diagonal of a partial": (
        "$$ Z_i := u_i \\sum_k u_k $$\n\n$$ \\mathrm{out}_i := Z_i $$\n\n"
        "$$ \\frac{\\partial Z_i}{\\partial u_i} = \\sum_k u_k $$"
    ),
    # the gradient is 0 wherever u is negative, at several places at once
    "gradients have ties": (
        "$$ \\mathrm{out}_i := \\max(0, u_i) $$\n\n$$ \\sum_i \\mathbf 1[du_i = \\max_k du_k] = 1 $$"
    ),
    "a path forgotten": ("$$ T := \\sum_i u_i $$\n\n$$ \\mathrm{out}_i := u_i T $$\n\n$$ du_k = \\mathrm{dout}_k T $$"),
    "direct for total": (
        "$$ T := \\sum_i u_i $$\n\n$$ \\mathrm{out}_i := u_i T $$\n\n"
        "$$ \\frac{\\mathrm d\\,\\mathrm{out}_i}{\\mathrm d u_k} = \\delta_{ik} T $$"
    ),
    "total for direct": (
        "$$ T := \\sum_i u_i $$\n\n$$ \\mathrm{out}_i := u_i T $$\n\n"
        "$$ \\frac{\\partial\\,\\mathrm{out}_i}{\\partial u_k} = \\delta_{ik} T + u_i $$"
    ),
    "a path through an assumed sum": (
        "$$ Z_i := \\sum_k \\sum_j A_{ik} x_{kj} $$\n\n$$ \\mathrm{out}_i := Z_i^2 + x_{i,0} $$\n\n"
        "$$ dx_{kj} = \\mathrm{dout}_k \\delta_{j,0} $$"
    ),
    "gradient zero": "$$ \\mathrm{out}_i := u_i^3 $$\n\n$$ du_k = 0 $$",
}

TRUE = {
    "a mask of zeros and ones": r"$$ \mathrm{mask}_i^3 u_i = \mathrm{mask}_i u_i $$",
    "delta over its own range": r"$$ \sum_i \delta_{ik} = 1 $$",
    "delta and a tensor": r"$$ \sum_i \delta_{ik} u_i = u_k $$",
    "delta in exp": r"$$ \sum_i \exp(\delta_{ik}) = N - 1 + e^{1} $$".replace("e^{1}", r"\exp(1)"),
    "a label is in range": r"$$ \sum_j \delta_{j,y_i} x_{ij} = x_{i,y_i} $$",
    "a window from its other side": (
        r"$$ \sum_r \mathbf 1[0 \le t - r < P]\,g_{t-r} K_r = \sum_p \mathbf 1[0 \le t - p < R]\,g_p K_{t-p} $$"
    ),
    "average pooling with its guard": (
        r"$$ \sum_p g_p \sum_r \delta_{t,sp+r} = \sum_p g_p\,\mathbf 1[0 \le t - sp < R] $$"
    ),
    "beyond the end": r"$$ \sum_i \delta_{i,k+N} u_i = 0 $$",
    "root of a square": r"$$ \sqrt{u_i^2} = |u_i| $$",
    "log of positives": r"$$ \log(\mathrm{pos}_i e) = \log(\mathrm{pos}_i) + \log(e) $$",
    "kink": r"$$ \mathbf 1[u_i > 0] + \mathbf 1[-u_i > 0] = 1 $$",
    "a square is positive off its zeros": r"$$ \mathbf 1[u_i^2 > 0] = 1 $$",
    "an indicator inside an indicator": (
        "$$ T_i := \\max(0, u_i) $$\n\n$$ \\mathbf 1[T_i^2 > 0] = \\mathbf 1[T_i > 0] $$"
    ),
    "moduli": r"$$ |u_i| = \max(0, u_i) + \max(0, -u_i) $$",
    "angles add": r"$$ \cos(u_i + w_k) = \cos(u_i)\cos(w_k) - \sin(u_i)\sin(w_k) $$",
    "a triple angle": r"$$ \sin(3u_i) = 3\sin(u_i) - 4(\sin(u_i))^3 $$",
    "tanh by exponentials": r"$$ \tanh(u_i) = \frac{\exp(u_i) - \exp(-u_i)}{\exp(u_i) + \exp(-u_i)} $$",
    "softplus and sigmoid": r"$$ \log(\operatorname{sigmoid}(u_i)) = -\operatorname{softplus}(-u_i) $$",
    "sine and cosine": r"$$ (\sin(u_i))^2 + (\cos(u_i))^2 = 1 $$",
    "fourth moment": (
        r"$$ \sum_k (u_k - \frac1N \sum_i u_i)^3 = \sum_k u_k^3 - \frac3N \sum_i u_i \sum_k u_k^2"
        r" + \frac{2}{N^2} \Big(\sum_i u_i\Big)^3 $$"
    ),
    "sums of fractions": r"$$ \sum_i \frac{1}{1 + \exp(u_i)} + \sum_i \frac{1}{1 + \exp(-u_i)} = N $$",
    "shift of a maximum": r"$$ \max_i (u_i + c) = c + \max_i u_i $$",
    "masks": r"$$ \sum_k \mathbf 1[k \le i] A_{ik} + \sum_k \mathbf 1[k > i] A_{ik} = \sum_k A_{ik} $$",
}


@pytest.mark.parametrize("name", FALSE)
def test_a_false_statement_is_not_proved(name: str) -> None:
    try:
        assert not proved_by_the_engine(FALSE[name])
    except Undecided:
        return


@pytest.mark.parametrize("name", FALSE)
def test_a_false_statement_fails_its_page(name: str) -> None:
    assert not check_page(read(FALSE[name])).ok


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_false_derivative_is_not_proved(name: str) -> None:
    extra = "output: out\nassume: ['\\sum_j x_{ij} = 1']" if "assumed" in name else "output: out"
    body = DERIVATIVES[name]
    front = FRONT
    try:
        page = parse_page(front.replace("u: [N],", "u: [N], dout: [N],").replace("EXTRA", extra) + body)
    except PageError:
        pytest.fail("this canary must reach the engine")
    checker = Checker(page, mutate=False)
    claims = [s for s in page.statements if s.kind == "claim"]
    assert not any(checker.prove(s, s.left, s.right).proved for s in claims)  # type: ignore[arg-type]
    assert not check_page(page).ok


@pytest.mark.parametrize("name", TRUE)
def test_its_true_neighbour_is_proved(name: str) -> None:
    assert proved_by_the_engine(TRUE[name])
    assert check_page(read(TRUE[name]), mutate=False).ok


PAGE_ERRORS = {
    "an upper bound that is another size": r"$$ \sum_{i=1}^{M} u_i = \sum_{i=1}^{N} u_i $$",
    "an upper bound that is less": r"$$ \sum_{i=1}^{N-1} u_i = \sum_{i=1}^{N} u_i $$",
    "axes swapped": r"$$ \sum_i x_{ji} = \sum_i x_{ji} $$",
    "a diagonal that does not exist": r"$$ \sum_i x_{ii} = \sum_k x_{kk} $$",
    "a definition twice": "$$ q_i := u_i $$\n\n$$ q_i := w_i $$\n\n$$ q_i = w_i $$",
    "a tensor defined": "$$ u_i := 0 $$\n\n$$ u_i = 0 $$",
    "a free index that is no parameter": "$$ q_i := u_i w_k $$\n\n$$ \\sum_k q_i = \\sum_k u_i w_k $$",
    "different free indices": r"$$ u_i = w_k $$",
    "a line without a known relation": r"$$ u_i < w_i $$",
    "division before a product": r"$$ u_i/w_i u_i = u_i^2/w_i $$",
    "an index that depends on a tensor": r"$$ u_{w_i} = u_i $$",
}


@pytest.mark.parametrize("name", PAGE_ERRORS)
def test_a_statement_that_cannot_be_meant_is_an_error(name: str) -> None:
    with pytest.raises(PageError):
        read(PAGE_ERRORS[name])


def test_a_true_statement_marked_as_a_mistake_fails() -> None:
    body = r"$$ \tanh(u_i) \neq \frac{\exp(u_i) - \exp(-u_i)}{\exp(u_i) + \exp(-u_i)} $$"
    result = check_page(read(body))
    assert not result.ok
    assert result.statements[0].verdict == "proved"


def test_an_adjoint_cannot_be_defined() -> None:
    body = "$$ \\mathrm{out}_i := u_i^3 $$\n\n$$ du_i := 0 $$\n\n$$ du_i = 0 $$"
    with pytest.raises(PageError):
        parse_page(FRONT.replace("u: [N],", "u: [N], dout: [N],").replace("EXTRA", "output: out") + body)


def test_a_redeclared_letter_is_another_index() -> None:
    """No memory crosses from one page to the next: the letter k runs over N on one, over M on the other."""
    other = FRONT.replace("i k m: N, j l: M", "i m: N, j l k: M")
    assert proved_by_the_engine(r"$$ \sum_k 1 = N $$")
    page = parse_page(other.replace("EXTRA\n", "") + r"$$ \sum_k 1 = N $$")
    checker = Checker(page, mutate=False)
    (claim,) = page.statements
    assert not checker.prove(claim, claim.left, claim.right).proved  # type: ignore[arg-type]


def test_a_refuted_claim_shows_where() -> None:
    result = check_page(read(FALSE["square of a sum"])).statements[0]
    assert result.verdict == "refuted"
    assert result.counterexample is not None and result.counterexample["sizes"]["N"] > 1


def test_a_condition_that_is_left_is_printed() -> None:
    result = check_page(read(r"$$ \frac{u_i}{u_i} = 1 $$"), mutate=False).statements[0]
    assert result.verdict == "proved"
    assert any(
        r"u_{i} \neq 0" in h or "u_{i} ≠ 0" in h or "u_i ≠ 0" in h or r"u_i \neq 0" in h for h in result.hypotheses
    )


@pytest.mark.parametrize(
    ("claim", "condition"),
    [
        (r"\frac{1}{u_0}\cdot\frac{u_i^2}{u_i^2} = \frac{1}{u_0} \qquad \text{for all } i", "u_i^2"),
        (r"\frac{\sum_o \mathrm{pad}_o}{\sum_o \mathrm{pad}_o} = 1", "pad"),
    ],
)
def test_a_condition_on_one_entry_is_none_on_all(claim: str, condition: str) -> None:
    result = check_page(read(f"$$ {claim} $$"), mutate=False).statements[0]
    printed = [h.replace("{", "").replace("}", "") for h in result.hypotheses if "0" in h]
    assert not result.ok or any(condition in h and ("≠" in h or "neq" in h) for h in printed), result


def test_a_denominator_that_a_window_may_miss_is_printed() -> None:
    body = (
        "$$ T_t := (1+c)^2 - 2c - c^2 - 1 + \\sum_r \\mathbf 1[0 \\le t-r < P]\\,\\mathrm{pg}_{t-r} $$\n\n"
        "$$ V_t := \\frac{1}{T_t} \\sum_r \\mathbf 1[0 \\le t-r < P]\\,\\mathrm{pg}_{t-r} $$\n\n$$ V_t = 1 $$"
    )
    result = check_page(read(body), mutate=False).statements[-1]
    assert not result.ok or any("T" in h for h in result.hypotheses)


def test_a_condition_that_no_point_satisfies_is_an_error() -> None:
    body = r"$$ \frac{u_k}{\sum_i (u_i - \frac1N \sum_m u_m)} = \frac{w_k}{\sum_i (u_i - \frac1N \sum_m u_m)} $$"
    result = check_page(read(body))
    assert not result.ok
    page = read(body)
    claim = page.statements[0]
    assert not Checker(page).prove(claim, claim.left, claim.right).proved  # type: ignore[arg-type]


def test_what_one_case_says_is_forgotten_in_the_next() -> None:
    """An adjoint is kept for all claims of a page; the case it was first needed in must not stay in it."""
    body = (
        "$$ \\mathrm{out}_i := \\max(0, c) u_i $$\n\n"
        "$$ dc = \\sum_i \\mathrm{dout}_i u_i \\qquad \\text{for } c > 0 $$\n\n"
        "$$ dc = \\sum_i \\mathrm{dout}_i u_i $$\n\n"
        "$$ dc = 0 \\qquad \\text{for } c < 0 $$"
    )
    page = parse_page(FRONT.replace("u: [N],", "u: [N], dout: [N],").replace("EXTRA", "output: out") + body)
    checker = Checker(page, mutate=False)
    claims = [s for s in page.statements if s.kind == "claim"]
    answers = [checker.prove(s, s.left, s.right).proved for s in claims]  # type: ignore[arg-type]
    assert answers == [True, False, True]
    assert [checker.statement(s).verdict for s in claims] == ["proved", "refuted", "proved"]
