r"""Time letters, recurrences, sums up to a time, and claims by induction: how they are read, and what is refused.

In the pages below ``«…»`` marks the piece that the message must name.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from cs231n.checking.evaluate import Evaluator, Sample
from cs231n.checking.mutants import mutants
from cs231n.checking.sampling import draw_sample
from cs231n.pages import Entry, PageError, SumTo, parse_page
from cs231n.pages.show import to_text

FRONT = r"""---
sizes: {T: last step, D: parameters}
indices: {i j: D}
times: {t k: T}
tensors: {g: [T + 1, D], r: [T + 1]}
scalars: {beta: positive}
---

"""
RECURRENCE = "$$ m_{0,i} := 0 $$\n\n$$ m_{t,i} := \\beta m_{t-1,i} + g_{t,i} \\quad (t \\ge 1) $$\n\n"


def test_a_recurrence_has_two_lines() -> None:
    page = parse_page(FRONT + RECURRENCE)
    line = page.definitions["m"]
    assert [p.name for p in line.params] == ["t", "i"]
    assert line.axis == 0
    start, step = line.cases
    assert to_text(start) == "0"
    assert to_text(step) == r"\beta m_{t - 1,i} + g_{ti}"
    assert [(s.kind, s.anchor) for s in page.statements] == [("definition", None), ("definition", "m")]


@pytest.mark.parametrize("condition", [r"\quad (t \ge 1)", r"\qquad \text{for } t \ge 1", r"\quad (t \geq 1)"])
def test_the_condition_of_a_step_may_be_written_in_words(condition: str) -> None:
    text = RECURRENCE.replace(r"\quad (t \ge 1)", condition)
    assert parse_page(FRONT + text).definitions == parse_page(FRONT + RECURRENCE).definitions


def test_the_lines_may_stand_in_any_order_and_the_time_anywhere() -> None:
    text = "$$ q_{i,t} := q_{i,t-1} + 1 \\quad (t \\ge 1) $$\n\n$$ q_{i,0} := \\sum_t g_{t,i} $$"
    line = parse_page(FRONT + text).definitions["q"]
    assert line.axis == 1


def test_a_sum_up_to_a_time() -> None:
    page = parse_page(FRONT + r"$$ s_t := \sum_{k=1}^{t} \beta^{t-k} r_k $$")
    value = page.definitions["s"].value
    assert isinstance(value, SumTo)
    assert to_text(value) == r"\sum_{k=1}^{t} \beta^{t - k} r_k"
    assert parse_page(FRONT + f"$$ s_t := {to_text(value)} $$").definitions["s"].value == value


def test_values() -> None:
    """By plain loops: m_3 = β²g_1 + βg_2 + g_3, an empty sum is 0."""
    text = RECURRENCE + "$$ s_t := \\sum_{k=1}^{t} \\beta^{t-k} g_{k,0} $$\n\n$$ c_t := \\sum_{k=0}^{t-1} r_k $$"
    page = parse_page(FRONT + text)
    gradients = {(t, 0): Fraction(10**t) for t in range(4)}
    point = Sample(
        {"T": 3, "D": 1}, {"g": gradients, "r": {(t,): Fraction(t + 1) for t in range(4)}, "beta": {(): Fraction(1, 2)}}
    )
    found = Evaluator(page, point)
    assert found.table("m") == {(0, 0): 0, (1, 0): 10, (2, 0): 105, (3, 0): 1052.5}
    assert found.table("s") == {(t,): value for (t, _), value in found.table("m").items()}
    assert found.table("c") == {(0,): 0, (1,): 1, (2,): 3, (3,): 6}


def test_a_sample_has_a_first_a_last_and_a_middle_step() -> None:
    import random

    page = parse_page(FRONT + RECURRENCE)
    assert {draw_sample(page, random.Random(seed)).sizes["T"] for seed in range(20)} == {3, 4, 5}


def test_the_bounds_of_a_sum_are_changed() -> None:
    page = parse_page(FRONT + r"$$ \sum_{k=1}^{t} r_k = \sum_{k=0}^{t-1} r_{k+1} \qquad \text{by induction on } t $$")
    (claim,) = page.statements
    made = {to_text(m.left) for m in mutants(claim)} | {to_text(m.right) for m in mutants(claim)}
    assert {r"\sum_{k=0}^{t} r_k", r"\sum_{k=1}^{t - 1} r_k", r"r_t"} <= made
    assert {r"\sum_{k=1}^{t - 1} r_{k + 1}", r"\sum_{k=0}^{t - 2} r_{k + 1}"} <= made


def test_induction_is_part_of_the_claim() -> None:
    page = parse_page(FRONT + RECURRENCE + r"$$ m_{t,i} = 0 \qquad \text{by induction on } t \tag{zero} $$")
    claim = page.statements[-1]
    assert claim.induction is not None and claim.induction.name == "t"
    assert claim.latex.endswith(r"\text{by induction on } t")
    assert isinstance(claim.left, Entry)


PLAIN_STEP = r"$$ m_{t,i} := \beta m_{t-1,i} \quad (t \ge 1) $$"
ERRORS = {
    "no base": (f"«m_{{t,i}}»{PLAIN_STEP[10:]}", "has a step and no base"),
    "no step": (r"$$ «m_{0,i}» := 0 $$", "has a base and no step"),
    "two bases": (RECURRENCE + r"$$ «m_{0,i}» := 1 $$", "has a second base"),
    "two steps": (RECURRENCE + r"$$ «m_{t,i}» := 1 \quad (t \ge 1) $$", "already defined"),
    "a step without its condition": (
        "$$ m_{0,i} := 0 $$\n\n$$ «m_{t,i}» := \\beta m_{0,i} $$", r"write \quad (t \ge 1)"),
    "two steps back": (
        "$$ m_{0,i} := 0 $$\n\n$$ m_{t,i} := \\mathbf 1[t \\ge 2] «m_{t-2,i}» \\quad (t \\ge 1) $$",
        "one step earlier only"),
    "the same time": (
        "$$ m_{0,i} := 0 $$\n\n$$ m_{t,i} := m_{t-1,i} + «m_{t,i}» \\quad (t \\ge 1) $$", "one step earlier only"),
    "all times": (
        "$$ m_{0,i} := 0 $$\n\n$$ m_{t,i} := \\sum_k «m_{k,i}» \\quad (t \\ge 1) $$", "one step earlier only"),
    "the first time": (
        "$$ m_{0,i} := 0 $$\n\n$$ m_{t,i} := «m_{0,i}» + 1 \\quad (t \\ge 1) $$", "one step earlier only"),
    "a base by itself": (
        "$$ m_{0,i} := «m_{1,i}» $$\n\n$$ m_{t,i} := m_{t-1,i} \\quad (t \\ge 1) $$", "reads m itself"),
    "other letters": (
        "$$ «m_{0,j}» := 0 $$\n\n$$ m_{t,i} := m_{t-1,i} \\quad (t \\ge 1) $$", "other subscripts than its step"),
    "another condition": (
        "$$ m_{0,i} := 0 $$\n\n$$ «m_{t,i}» := 1 \\qquad \\text{for } t \\ge 2 $$", r"write \quad (t \ge 1)"),
    "a letter of its own": (
        "$$ m_{0,i} := r_«k» $$\n\n$$ m_{t,i} := m_{t-1,i} \\quad (t \\ge 1) $$", "stands on the right side only"),
    "before the first time": (r"$$ r_t = r_{«t-1»} $$", "not always inside its axis"),
    "a letter that is no time": (
        RECURRENCE + r"$$ m_{t,i} = 0 \qquad \text{by induction on } «i» $$", "is none"),
    "a letter that is not there": (
        RECURRENCE + r"$$ m_{t,i} = 0 \qquad \text{by induction on } «k» $$", "not free in the relation"),
    "no letter": (
        RECURRENCE + r"$$ m_{t,i} = 0 \qquad \text{by induction on } «t + 1» $$", "one time letter"),
    "a mistake by induction": (
        RECURRENCE + r"$$ m_{t,i} \neq 0 \qquad \text{by induction on } «t» $$", "only a claim"),
    "a definition by induction": (r"$$ s_t := r_t \qquad \text{by induction on } «t» $$", "only a claim"),
    "induction with cases": (
        RECURRENCE + r"$$ m_{t,i} = 0 \qquad \text{for } t \ge 1 \qquad \text{by induction on } «t» $$", "no cases"),
    "the letter inside the words": (
        RECURRENCE + r"$$ m_{t,i} = 0 \qquad «\text{by induction on t}» $$", "outside"),
    "a sum past the end": (r"$$ s_t := \sum_{k=1}^«{t+1}» r_k $$", "ends at T"),
    "a sum from before the start": (r"$$ s_t := \sum_{k=«0-1»}^{t} r_k $$", "begins at 0"),
    "a bound that is no time": (r"$$ s_i := \sum_{k=1}^«{i}» r_k $$", "ends at T"),
    "a sum up to its own letter": (r"$$ s_t := \sum_{«k=1»}^{k} r_k $$", "own bound"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_meant_is_an_error(name: str) -> None:
    body, message = ERRORS[name]
    if not body.startswith("$$"):
        body = "$$ " + body
    marked = FRONT + body
    start = marked.index("«")
    piece = " ".join(marked[start + 1 : marked.index("»")].strip("{}").split())
    with pytest.raises(PageError) as caught:
        parse_page(marked.replace("«", "").replace("»", ""), "wrong.md")
    error = caught.value
    assert message in error.message, str(error)
    assert error.line == marked.count("\n", 0, start) + 1, str(error)
    assert error.piece.strip("{}") == piece, str(error)
