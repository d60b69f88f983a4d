"""Derivatives through time: adjoints of recurrences, alone and of those that stand on each other.

The true lines are proved for every length. The false ones must never be: the engine alone must not prove them,
whatever the numbers would say.
"""

from __future__ import annotations

import random

import pytest

from cs231n.calculus import rules
from cs231n.calculus.algebra import Poly, Undecided
from cs231n.calculus.context import using
from cs231n.checking.autodiff import gradients
from cs231n.checking.evaluate import Evaluator
from cs231n.checking.sampling import draw_sample
from cs231n.checking.verify import Checker, check_page
from cs231n.pages import PageError, parse_page
from cs231n.pages.lower import Lowering

RNN = r"""---
title: A recurrence
sizes: {N: examples, D: features, H: units, T: steps}
indices: {n m: N, e: D, i j k: H, s r: T}
times: {t u: T}
tensors: {x: [N, T, D], h0: [N, H], Wx: [D, H], Wh: [H, H], b: [H], dout: [N, T, H]}
output: out
---

$$ h_{0,nj} \coloneqq \mathrm{h0}_{nj} $$

$$ h_{t,nj} \coloneqq \tanh\Big(\sum_e x_{n,t-1,e}\,\mathrm{Wx}_{ej} + \sum_i h_{t-1,ni}\,\mathrm{Wh}_{ij} + b_j\Big)
\quad (t \ge 1) $$

$$ \mathrm{out}_{nsj} \coloneqq h_{s+1,nj} $$

"""

#: Gates of another name for each; two of four are enough to make the circle h → gate → c → h.
LSTM = r"""---
title: Recurrences that stand on each other
sizes: {H: units, T: steps}
indices: {i j k: H, s r: T}
times: {t u: T}
tensors: {x: [T, H], h0: [H], U: [H, H], V: [H, H], dout: [T, H]}
output: out
---

$$ h_{0,j} \coloneqq \mathrm{h0}_j $$

$$ c_{0,j} \coloneqq 0 $$

$$ F_{sj} \coloneqq \sigma\Big(x_{sj} + \sum_i h_{si} U_{ij}\Big) $$

$$ G_{sj} \coloneqq \tanh\Big(\sum_i h_{si} V_{ij}\Big) $$

$$ c_{tj} \coloneqq F_{t-1,j}\,c_{t-1,j} + G_{t-1,j} \quad (t \ge 1) $$

$$ h_{tj} \coloneqq F_{t-1,j}\,\tanh(c_{tj}) \quad (t \ge 1) $$

$$ \mathrm{out}_{sj} \coloneqq h_{s+1,j} $$

"""

SUM_H = r"\sum_k dh_{t+1,nk}(1 - h_{t+1,nk}^2)\,\mathrm{Wh}_{jk}"
UP = r"\mathbf 1[t \ge 1]\,\mathrm{dout}_{n,t-1,j}"

TRUE = {
    "backpropagation through time": (RNN, rf"dh_{{t,nj}} = {UP} + \mathbf 1[t < T] {SUM_H}"),
    "the last step": (RNN, r"dh_{T,nj} = \mathrm{dout}_{n,T-1,j}"),
    "the first state": (RNN, r"d\mathrm{h0}_{nj} = dh_{0,nj}"),
    "weights, by steps": (
        RNN,
        r"d\mathrm{Wh}_{ij} = \sum_{n,s} dh_{s+1,nj}(1 - h_{s+1,nj}^2)\,h_{s,ni}",
    ),
    "weights, by times": (
        RNN,
        r"d\mathrm{Wh}_{ij} = \sum_n\sum_{t=1}^{T} dh_{t,nj}(1 - h_{t,nj}^2)\,h_{t-1,ni}",
    ),
    "inputs": (RNN, r"dx_{nse} = \sum_j dh_{s+1,nj}(1 - h_{s+1,nj}^2)\,\mathrm{Wx}_{ej}"),
    "one step alone": (
        RNN,
        r"\frac{\partial h_{s+1,nj}}{\partial h_{s,ni}} = (1 - h_{s+1,nj}^2)\,\mathrm{Wh}_{ij} "
        r"\qquad \text{for all } n",
    ),
    "both paths into the cell": (
        LSTM,
        r"dc_{tj} = \mathbf 1[t \ge 1]\,dh_{tj} F_{t-1,j}(1 - (\tanh(c_{tj}))^2) + \mathbf 1[t < T]\,dc_{t+1,j} F_{tj}",
    ),
    "a gate of two uses": (LSTM, r"dF_{sj} = dc_{s+1,j}\,c_{sj} + dh_{s+1,j}\tanh(c_{s+1,j})"),
    "the state before the gates": (
        LSTM,
        r"dh_{tj} = \mathbf 1[t \ge 1]\,\mathrm{dout}_{t-1,j} + \mathbf 1[t < T]\sum_k \big("
        r"dF_{tk} F_{tk}(1 - F_{tk}) U_{jk} + dG_{tk}(1 - G_{tk}^2) V_{jk}\big)",
    ),
    "weights of a gate": (LSTM, r"dV_{ij} = \sum_s dc_{s+1,j}(1 - G_{sj}^2)\,h_{si}"),
}

FALSE = {
    "the upstream part alone": (RNN, rf"dh_{{t,nj}} = {UP}"),
    "the upstream part forgotten": (RNN, rf"dh_{{t,nj}} = \mathbf 1[t < T] {SUM_H}"),
    "upstream one step off": (
        RNN,
        rf"dh_{{t,nj}} = \mathbf 1[t < T]\,\mathrm{{dout}}_{{n,t,j}} + \mathbf 1[t < T] {SUM_H}",
    ),
    "weights transposed": (RNN, rf"dh_{{t,nj}} = {UP} + \mathbf 1[t < T] {SUM_H}".replace("_{jk}", "_{kj}")),
    "slope one step early": (
        RNN,
        rf"dh_{{t,nj}} = {UP} + \mathbf 1[t < T] {SUM_H}".replace("h_{t+1,nk}^2", "h_{t,nk}^2"),
    ),
    "slope forgotten": (
        RNN,
        rf"dh_{{t,nj}} = {UP} + \mathbf 1[t < T] {SUM_H}".replace("(1 - h_{t+1,nk}^2)", ""),
    ),
    "the state after the step": (
        RNN,
        r"d\mathrm{Wh}_{ij} = \sum_{n,s} dh_{s+1,nj}(1 - h_{s+1,nj}^2)\,h_{s+1,ni}",
    ),
    "one step too few": (
        RNN,
        r"d\mathrm{Wh}_{ij} = \sum_n\sum_{t=2}^{T} dh_{t,nj}(1 - h_{t,nj}^2)\,h_{t-1,ni}",
    ),
    "no step at all": (RNN, r"d\mathrm{h0}_{nj} = 0"),
    "the first gradient is that of the last": (RNN, r"dh_{0,nj} = dh_{T,nj}"),
    "nothing flows": (RNN, r"dh_{t,nj} = 0"),
    "one path into the cell": (LSTM, r"dc_{tj} = \mathbf 1[t < T]\,dc_{t+1,j} F_{tj}"),
    "the other path into the cell": (
        LSTM,
        r"dc_{tj} = \mathbf 1[t \ge 1]\,dh_{tj} F_{t-1,j}(1 - (\tanh(c_{tj}))^2)",
    ),
    "a use of the gate forgotten": (LSTM, r"dF_{sj} = dc_{s+1,j}\,c_{sj}"),
    "the cell after the step": (LSTM, r"dF_{sj} = dc_{s+1,j}\,c_{s+1,j} + dh_{s+1,j}\tanh(c_{s+1,j})"),
    "the gradient of h stops at the gates": (LSTM, r"dh_{tj} = \mathbf 1[t \ge 1]\,\mathrm{dout}_{t-1,j}"),
}


def engine_proves(front: str, claim: str) -> bool:
    page = parse_page(f"{front}$$ {claim} $$\n")
    statement = page.statements[-1]
    left, right = statement.left, statement.right
    return Checker(page, mutate=False).prove(statement, left, right, brief=True).proved  # type: ignore[arg-type]


@pytest.mark.parametrize("name", TRUE)
def test_a_true_line_is_proved_and_its_mutants_are_not(name: str) -> None:
    front, claim = TRUE[name]
    found = check_page(parse_page(f"{front}$$ {claim} $$\n")).statements[-1]
    assert found.verdict == "proved"
    assert found.ok, found.message
    assert found.mutants_refuted + len(found.mutants_equivalent) == found.mutants > 0


@pytest.mark.parametrize("name", FALSE)
def test_a_false_line_is_not(name: str) -> None:
    assert not engine_proves(*FALSE[name])


@pytest.mark.parametrize("front", [RNN, LSTM], ids=["alone", "on each other"])
def test_the_evaluator_has_the_gradients_of_differences(front: str) -> None:
    """Its dual numbers go through time: compared with central differences of the outputs, for inputs and for h0."""
    page = parse_page(front)
    sample = draw_sample(page, random.Random(3))
    step = 1e-6

    def loss(point) -> float:
        one = Evaluator(page, point)
        out, weights = one.table("out"), one.table("dout")
        return sum(float(out[key]) * float(weights[key]) for key in weights)

    for name in ("h0", "x"):
        gradient = Evaluator(page, sample).gradient(name)
        for key, value in list(sample.values[name].items())[:6]:
            up, down = (sample.replace(name, {key: float(value) + d}) for d in (step, -step))
            assert float(gradient[key]) == pytest.approx((loss(up) - loss(down)) / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("front", [RNN, LSTM], ids=["alone", "on each other"])
def test_another_library_has_the_same_gradients(front: str) -> None:
    page = parse_page(front)
    sample = draw_sample(page, random.Random(4))
    one = Evaluator(page, sample)
    for name, theirs in gradients(page, sample, "autograd").items():
        ours = one.gradient(name)
        assert all(float(ours[key]) == pytest.approx(theirs[key], rel=1e-9, abs=1e-12) for key in ours)
        assert theirs.any()


def test_a_plain_table_is_not_read_at_one_time_only() -> None:
    """w_t is made for all t, also while the recurrence is at one of them."""
    lines = r"""$$ w_t := t + 1 $$

$$ h_0 := x_0 $$

$$ h_t := h_{t-1} w_t + h_{t-1}^2 w_{t-1} \quad (t \ge 1) $$

$$ L := h_T $$
"""
    page = parse_page(FRONT.replace("---\n\n", "output: L\n---\n\n") + lines)
    sample = draw_sample(page, random.Random(5))
    theirs, ours = gradients(page, sample, "autograd")["x"], Evaluator(page, sample).gradient("x")
    assert [float(ours[key]) for key in sorted(ours)] == pytest.approx(theirs)


def test_the_gradient_of_a_state_counts_all_later_steps() -> None:
    """It is that of a number added to the state: what h0 has at time 0."""
    page = parse_page(RNN)
    sample = draw_sample(page, random.Random(3))
    one = Evaluator(page, sample)
    states, first = one.gradient("h"), one.gradient("h0")
    assert all(states[0, *key] == pytest.approx(value) for key, value in first.items())
    assert any(value for value in first.values())


def test_total_derivatives_through_time_are_undecided() -> None:
    lowering = Lowering(parse_page(RNN))
    system, zero = lowering.system, Poly.number(0)
    t = rules.variable(lowering.index(lowering.page.definitions["h"].params[0]))
    with using(system.context):
        with pytest.raises(Undecided, match="total derivatives through the recurrence"):
            system.total("h", (zero,) * 3, "b", (zero,))
        with pytest.raises(Undecided, match="which line of the recurrence"):
            system.partial("h", (t, zero, zero), "b", (zero,))
        with pytest.raises(Undecided, match="one step earlier"):
            system.partial("h", (Poly.number(3), zero, zero), "h", (Poly.number(1), zero, zero))


FRONT = r"""---
sizes: {T: steps, H: units}
indices: {s: T, j: H}
times: {t: T}
tensors: {x: [T + 1], y: [T]}
---

"""


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (r"a_s := b_s $$ $$ b_s := a_s", "defined by itself"),
        (
            r"h_0 := 1 $$ $$ h_t := 2 c_t \quad (t \ge 1) $$ $$ c_0 := 1 $$ $$ c_t := h_t \quad (t \ge 1)",
            "back in time",
        ),
        (
            r"h_0 := 1 $$ $$ h_t := c_{t-1} \quad (t \ge 1) $$ $$ c_0 := h_0 $$ $$ c_t := h_t \quad (t \ge 1)",
            "the base of c",
        ),
        (
            r"h_0 := 1 $$ $$ h_t := c_{t-1} \quad (t \ge 1) $$ $$ c_0 := 2 $$"
            r" $$ c_t := \mathbf 1[t < T] h_{t+1} \quad (t \ge 1)",
            "at the same time or a fixed number of steps earlier",
        ),
        (
            r"h_0 := 1 $$ $$ h_t := g_0 + x_t \quad (t \ge 1) $$ $$ g_s := y_s h_s",
            "at the same time or a fixed number of steps earlier",
        ),
    ],
    ids=["no time", "at once", "bases", "the future", "another clock"],
)
def test_what_stands_on_itself_is_refused(lines: str, message: str) -> None:
    blocks = "\n\n".join(f"$$ {line.strip()} $$" for line in lines.split("$$") if line.strip())
    with pytest.raises(PageError, match=message):
        parse_page(FRONT + blocks)


def test_each_line_comes_after_those_it_uses_at_the_same_time() -> None:
    definitions = parse_page(LSTM).definitions
    assert list(definitions) == ["c", "h", "F", "G", "out"]
    assert {name: d.clock and d.clock.name for name, d in definitions.items()} == {
        "c": "t",
        "h": "t",
        "F": "s",
        "G": "s",
        "out": None,
    }


def test_a_sign_found_under_a_hypothesis_does_not_stay() -> None:
    """b is positive if a is, but a is not: 1 − 3b is negative after one step."""
    lines = r"""$$ a_0 := 1 $$

$$ a_t := a_{t-1} - 3\,b_{t-1} \quad (t \ge 1) $$

$$ b_0 := 1 $$

$$ b_t := a_t \quad (t \ge 1) $$

"""
    signs = Lowering(parse_page(FRONT + lines)).signs
    assert signs.of_name("a") == signs.of_name("b") == ""
    positive = lines.replace(r"- 3\,b_{t-1}", "+ 3 b_{t-1}")
    signs = Lowering(parse_page(FRONT + positive)).signs
    assert signs.of_name("a") == signs.of_name("b") == "positive"


def test_the_maximum_of_a_recurrence_has_ties() -> None:
    """h is 0 for many j at once, so the maximiser is not one of them only."""
    lines = r"""$$ h_{0,j} := x_0 $$

$$ h_{t,j} := \max(0, h_{t-1,j} - x_t) \quad (t \ge 1) $$

$$ L := \max_j h_{T,j} $$

$$ \sum_j \mathbf 1[h_{T,j} = \max_k h_{T,k}] = 1 $$
"""
    text = (FRONT + lines).replace("indices: {s: T, j: H}", "indices: {s: T, j k: H}")
    page = parse_page(text)
    claim = page.statements[-1]
    assert not Checker(page, mutate=False).prove(claim, claim.left, claim.right).proved  # type: ignore[arg-type]
