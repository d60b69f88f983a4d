"""Proof by induction: what must be proved, and false inductions that must fail, each at its goal."""

from __future__ import annotations

import random

import pytest

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, Poly, Var
from cs231n.calculus.context import using
from cs231n.calculus.induction import Hypothesis
from cs231n.calculus.rewriting import substitute
from cs231n.checking.verify import Checker, check_page
from cs231n.pages import parse_page
from cs231n.pages.lower import Lowering

FRONT = r"""---
title: Induction
sizes: {T: last step, D: parameters}
indices: {i j: D}
times: {t k: T}
tensors: {g: [T + 1, D], c: [D], A: [D, D], r: [T + 1]}
scalars: {beta: positive, eta: real}
EXTRA---

$$ m_{0,i} \coloneqq 0 $$

$$ m_{t,i} \coloneqq \beta\,m_{t-1,i} + (1 - \beta)\,g_{t,i} \quad (t \ge 1) $$

$$ a_{0,i} \coloneqq 0 $$

$$ a_{t,i} \coloneqq \beta\,a_{t-1,i} + (1 - \beta)\,c_i \quad (t \ge 1) $$

$$ n_0 \coloneqq 0 $$

$$ n_t \coloneqq n_{t-1} + 2t - 1 \quad (t \ge 1) $$

$$ h_{0,i} \coloneqq c_i $$

$$ h_{t,i} \coloneqq \sum_j A_{ij}\,h_{t-1,j} \quad (t \ge 1) $$

$$ p_{0,i} \coloneqq c_i $$

$$ p_{t,i} \coloneqq \sum_j A_{ij}\,p_{t-1,j} \quad (t \ge 1) $$

$$ s_t \coloneqq \sum_{k=1}^{t} r_k $$

$$ w_t \coloneqq 1 - \beta^t $$

$$ u_{0,i} \coloneqq 0 $$

$$ u_{t,i} \coloneqq u_{t-1,i} + s_t\,c_i \quad (t \ge 1) $$

"""
ON_T = r" \qquad \text{by induction on } t $$"


def read(claim: str, extra: str = ""):
    return parse_page(FRONT.replace("EXTRA", extra) + claim)


def proof(claim: str):
    """The engine's answer to the one claim, without any number."""
    page = read(claim)
    (statement,) = (s for s in page.statements if s.kind == "claim")
    return Checker(page, mutate=False).prove(statement, statement.left, statement.right)  # type: ignore[arg-type]


TRUE = {
    "an average unrolled": r"$$ m_{t,i} = (1 - \beta)\sum_{k=1}^{t}\beta^{t-k} g_{k,i}" + ON_T,
    "from its other side": r"$$ (1 - \beta)\sum_{k=1}^{t}\beta^{t-k} g_{k,i} = m_{t,i}" + ON_T,
    "a constant gradient": r"$$ a_{t,i} = (1 - \beta^t)\,c_i" + ON_T,
    "through a named factor": r"$$ a_{t,i} = w_t c_i" + ON_T,
    "a geometric sum": r"$$ (1 - \beta)\sum_{k=1}^{t}\beta^{t-k} = 1 - \beta^t" + ON_T,
    "a geometric sum from 0, less than t": r"$$ \sum_{k=0}^{t-1}\beta^k = \frac{1 - \beta^t}{1 - \beta}" + ON_T,
    "odd numbers": r"$$ n_t = t^2" + ON_T,
    "whole numbers": r"$$ \sum_{k=1}^{t} k = \frac{t(t + 1)}{2}" + ON_T,
    "two recurrences, coupled over an index": r"$$ h_{t,i} = p_{t,i}" + ON_T,
    "a sum that a named quantity holds": r"$$ u_{t,i} = c_i \sum_{k=1}^{t} (t + 1 - k)\,r_k" + ON_T,
    "two bounds": r"$$ \sum_{k=1}^{t} r_k = r_t\,\mathbf 1[t \ge 1] + \sum_{k=1}^{t-1} r_k" + ON_T,
}
AT_THE_BASE = {
    "a start of 1": r"$$ m_{t,i} = \beta^t + (1 - \beta)\sum_{k=1}^{t}\beta^{t-k} g_{k,i}" + ON_T,
    "one power too many": r"$$ a_{t,i} = (1 - \beta^{t+1})\,c_i" + ON_T,
    "squares and one": r"$$ n_t = t^2 + 1" + ON_T,
    "a sum from 0": r"$$ m_{t,i} = (1 - \beta)\sum_{k=0}^{t}\beta^{t-k} g_{k,i}" + ON_T,
}
IN_THE_STEP = {
    "the weights turned round": r"$$ m_{t,i} = (1 - \beta)\sum_{k=1}^{t}\beta^{k} g_{k,i}" + ON_T,
    "a sum that ends too early": r"$$ m_{t,i} = (1 - \beta)\sum_{k=1}^{t-1}\beta^{t-k} g_{k,i}" + ON_T,
    "a sum of all": r"$$ m_{t,i} = (1 - \beta)\,t\,\sum_{k=1}^{T}\beta^{T-k} g_{k,i}" + ON_T,
    "nothing happens": r"$$ m_{t,i} = 0" + ON_T,
    "the first step for ever": r"$$ a_{t,i} = t (1 - \beta)\,c_i" + ON_T,
    "twice the numbers": r"$$ n_t = 2t^2 - t" + ON_T,
    "true at 0 and 1 only": r"$$ n_t = t^2 + t(t - 1)" + ON_T,
    "another place": r"$$ h_{t,i} = \mathbf 1[t = 0]\,c_i" + ON_T,
}


@pytest.mark.parametrize("name", TRUE)
def test_a_true_claim_is_proved_for_all_times(name: str) -> None:
    assert proof(TRUE[name]).proved
    result = check_page(read(TRUE[name]))
    assert result.ok, [s.message for s in result.statements if not s.ok]


@pytest.mark.parametrize("name", AT_THE_BASE)
def test_a_claim_that_passes_its_step_falls_at_its_base(name: str) -> None:
    found = proof(AT_THE_BASE[name])
    assert not found.proved
    assert "at the base, t = 0" in found.reason
    assert not check_page(read(AT_THE_BASE[name])).ok


def test_such_a_claim_does_pass_its_step() -> None:
    """The canaries above die of their base, and of nothing else: with the base changed the same claims are proved."""
    for name in ("a start of 1", "squares and one"):
        text = FRONT
        for start in (r"m_{0,i} \coloneqq ", r"n_0 \coloneqq "):
            text = text.replace(start + "0", start + "1")
        assert check_page(parse_page(text.replace("EXTRA", "") + AT_THE_BASE[name])).ok


@pytest.mark.parametrize("name", IN_THE_STEP)
def test_a_claim_that_passes_its_base_falls_in_its_step(name: str) -> None:
    found = proof(IN_THE_STEP[name])
    assert not found.proved
    assert "in the step" in found.reason
    assert not check_page(read(IN_THE_STEP[name])).ok


def test_the_hypothesis_is_used_at_its_own_time_only() -> None:
    lowering = Lowering(read(TRUE["a constant gradient"]))
    system = lowering.system
    size = rules.size("T")
    now, i = Var("t", size), Var("i", rules.size("D"))
    at, place = rules.variable(now), rules.variable(i)
    entry = system.entry("a", (at, place))
    with using(system.context):
        hypothesis = Hypothesis.of(system, entry - Poly.number(7), now)
        assert hypothesis is not None
        assert hypothesis.apply(entry) == Poly.number(7)
        elsewhere = system.entry("a", (at, rules.variable(Var("j", rules.size("D")))))
        assert hypothesis.apply(elsewhere) == Poly.number(7)  # the claim is for all i
        for other in (at + UNIT, at - UNIT, Poly.number(0), rules.variable(Var("k", size + UNIT))):
            untouched = system.entry("a", (other, place))
            assert hypothesis.apply(untouched) == untouched
        outside = system.entry("a", (at, place + UNIT))
        guard = rules.in_range(place + UNIT, rules.size("D"))
        assert hypothesis.apply(outside) == guard.scale(7) + rules.multiply(UNIT - guard, outside)


def test_a_recurrence_opens_where_its_line_is_known() -> None:
    lowering = Lowering(read(TRUE["odd numbers"]))
    system = lowering.system
    any_time = rules.variable(Var("t", rules.size("T") + UNIT))
    later = rules.variable(Var("t", rules.size("T")))
    with using(system.context):
        assert system.next_name(system.entry("n", (any_time,))) is None
        assert system.next_name(system.entry("n", (later,))) is None
        assert not system.unfold(system.entry("n", (Poly.number(0),)), "n").terms
        opened = system.unfold(system.entry("n", (later + UNIT,)), "n")
        assert opened == system.entry("n", (later,)) + later.scale(2) + UNIT


def test_without_induction_a_closed_form_is_not_proved() -> None:
    assert not proof(r"$$ n_t = t^2 $$").proved


@pytest.mark.parametrize(
    ("claim", "true"),
    [
        (r"$$ m_{t,i} - m_{t-1,i} = (1 - \beta)\,(g_{t,i} - m_{t-1,i}) \qquad \text{for } t \ge 1 $$", True),
        (r"$$ m_{t,i} - m_{t-1,i} = (1 - \beta)\,g_{t,i} \qquad \text{for } t \ge 1 $$", False),
        (r"$$ m_{1,i} = (1 - \beta)\,g_{1,i} $$", True),
        (r"$$ m_{1,i} = g_{1,i} $$", False),
        (r"$$ n_t = 4 n_{t-2} \qquad \text{for } t \ge 2 $$", False),
        (r"$$ n_t = n_{t-2} + 4t - 4 \qquad \text{for } t \ge 2 $$", True),
    ],
)
def test_single_steps_need_no_induction(claim: str, true: bool) -> None:
    assert proof(claim).proved is true
    assert check_page(read(claim), mutate=False).ok is true


def test_the_base_of_a_recurrence_is_among_the_mutants() -> None:
    """A difference of two times does not see the base; the closed form does."""
    closed = next(s for s in check_page(read(TRUE["odd numbers"])).statements if s.kind == "claim")
    assert closed.mutants == closed.mutants_refuted
    page = read(r"$$ n_t - n_0 = t^2" + ON_T)
    blind = next(s for s in check_page(page).statements if s.kind == "claim")
    assert blind.ok
    assert any("base of `n`" in what for what in blind.mutants_equivalent)


def test_peeling_keeps_the_value() -> None:
    """1[e ≥ 0] = 1[e − 1 ≥ 0] + δ(e), and all forms that a condition takes where its range is known."""
    size = rules.size("T") + UNIT
    t, k = Var("t", size), Var("k", size)
    rng = random.Random(0)
    for _ in range(200):
        a, b, c = rng.choice((1, -1, 0)), rng.choice((1, -1, 0)), rng.randint(-3, 3)
        e = rules.variable(t).scale(a) + rules.variable(k).scale(b) + Poly.number(c)
        forms = [rules.nonneg(e), rules.peel(e)[0] + rules.peel(e)[1]]
        for _ in range(4):
            last = rng.randint(1, 4)
            at = {t: rng.randint(0, last), k: rng.randint(0, last)}
            expected = int(a * at[t] + b * at[k] + c >= 0)
            names = {v: Poly.number(n) for v, n in at.items()}
            for form in forms:
                assert substitute(form, names).constant == expected
