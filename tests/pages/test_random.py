"""Random tensors in the front matter, and expectations in formulas."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from cs231n.pages import PageError, parse_page
from cs231n.pages import tree as t
from cs231n.pages.show import to_text

FRONT = r"""---
sizes: {D: inputs, M: outputs}
indices: {d e: D, m: M}
tensors:
  W: {shape: [D, M], random: {mean: 0, variance: v, symmetric: true}}
  g: {shape: [D], random: {mean: '\mu', variance: '\frac{2}{D}'}}
  a: [D]
scalars: {v: positive, mu: real, b: {random: {mean: 1/2, variance: 0.25}}}
---
"""

ZERO = t.Num(Fraction(0))


def read(formula: str) -> t.Statement:
    return parse_page(FRONT + f"$$ {formula} $$\n").statements[0]


def test_moments_are_declared() -> None:
    tensors = parse_page(FRONT).declarations.tensors
    assert tensors["W"].random == t.Moments(ZERO, t.Entry("v"), True)
    assert tensors["g"].random == t.Moments(t.Entry("mu"), t.Div(t.Num(Fraction(2)), t.Size("D")))
    assert tensors["b"] == t.TensorDecl(
        "b", (), random=t.Moments(t.Div(t.Num(Fraction(1)), t.Num(Fraction(2))), t.Num(Fraction(1, 4)))
    )
    assert tensors["a"].random is None


@pytest.mark.parametrize(
    "formula",
    [
        r"\mathbb E[g_d^2]",
        r"\mathbb{E}[g_d^2]",
        r"\mathbb E \Big[ g_d^2 \Big]",
        r"\mathbb{ E }\left[ g_d^{2} \right]",
    ],
)
def test_ways_to_write_an_expectation(formula: str) -> None:
    square = t.Pow(t.Entry("g", (t.Index("d", t.Size("D")),)), t.Num(Fraction(2)))
    assert read(f"{formula} = g_d").left == t.Expect(square)


def test_a_power_behind_the_bracket_is_one_of_the_expectation() -> None:
    found = read(r"\mathbb E[b]^2 = 3").left
    assert found == t.Pow(t.Expect(t.Entry("b")), t.Num(Fraction(2)))


def test_a_variance_is_the_mean_of_the_square_minus_the_square_of_the_mean() -> None:
    assert read(r"\operatorname{Var}[b] = 3").left == read(r"\mathbb E[b^2] - (\mathbb E[b])^2 = 3").left


def test_an_array_is_averaged_entry_by_entry() -> None:
    left = read(r"\mathbb E[W^\top a] = 0").left
    assert isinstance(left, t.Expect) and isinstance(left.body, t.Sum)


@pytest.mark.parametrize(
    "formula",
    [
        r"\mathbb E[g_d^{2}]^{2} b",
        r"\mathbb E[\sum_e W_{em} a_e] + \mathbb E[(g_d + b)^{2}] - g_d",
        r"\sum_d \mathbb E[g_d \mathbf 1[g_d > 0]] a_d",
        r"\mathbb E[(b - \mathbb E[b])^{2}]",
    ],
)
def test_expectations_read_back(formula: str) -> None:
    tree = read(f"{formula} = {formula}").left
    assert tree is not None
    assert read(f"{to_text(tree)} = {to_text(tree)}").left == tree


def failure(text: str) -> PageError:
    """Read a page with one piece between « and »: the error must point at it."""
    piece = re.search("«(.*?)»", text)
    assert piece
    clean = text.replace("«", "").replace("»", "")
    with pytest.raises(PageError) as caught:
        parse_page(clean)
    error = caught.value
    assert error.line == text[: piece.start()].count("\n") + 1, error
    assert error.column == piece.start() - text.rfind("\n", 0, piece.start()), error
    return error


FORMULAS = {
    "round brackets": (r"«\mathbb E»(b) = 0", "square brackets"),
    "no brackets": (r"«\mathbb E» b = 0", "square brackets"),
    "nothing at all": (r"b «\mathbb E» = 0", "square brackets"),
    "power on the sign": (r"«\mathbb E^2»[b] = 0", "square brackets"),
    "over what": (r"«\mathbb E_g»[b] = 0", "over all random"),
    "subscript behind": (r"«\mathbb E»[W]_{dm} = 0", "square brackets"),
    "variance in round brackets": (r"«\operatorname{Var}»(b) = 0", r"\\operatorname\{Var\}\[…\]"),
    "two arguments": (r"\mathbb E[«b, b»] = 0", "one expression"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_that_cannot_be_meant(name: str) -> None:
    formula, message = FORMULAS[name]
    assert re.search(message, str(failure(FRONT + f"$$ {formula} $$\n")))


FRONTS = {
    "unknown key": (
        "tensors: {g: {shape: [D], random: {mean: 0, variance: 1, «law»: normal}}}",
        "the keys are mean, variance, symmetric",
    ),
    "no mean": ("tensors: {g: {shape: [D], «random»: {variance: 1}}}", "needs mean"),
    "no variance": ("scalars: {g: {«random»: {mean: 0}}}", "needs variance"),
    "not a mapping": ("tensors: {g: {shape: [D], random: «normal»}}", "must be a mapping"),
    "symmetric around another number": (
        "tensors: {g: {shape: [D], random: {mean: 1, variance: 1, «symmetric»: true}}}",
        "has the mean 0",
    ),
    "symmetric is no flag": (
        "tensors: {g: {shape: [D], random: {mean: 0, variance: 1, symmetric: «often»}}}",
        "true or false",
    ),
    "negative variance": ("tensors: {g: {shape: [D], random: {mean: 0, variance: «-1»}}}", "never negative"),
    "variance of unknown sign": (
        "tensors: {g: {shape: [D], random: {mean: 0, variance: «v»}}}\nscalars: {v: real}",
        "declare its scalars positive",
    ),
    "variance of a difference": (
        "tensors: {g: {shape: [D], random: {mean: 0, variance: «v - 1»}}}\nscalars: {v: positive}",
        "declare its scalars positive",
    ),
    "undeclared name": ("tensors: {g: {shape: [D], random: {mean: «q», variance: 1}}}", "neither declared"),
    "an index": ("indices: {d: D}\ntensors: {g: {shape: [D], random: {mean: «d», variance: 1}}}", "made of numbers"),
    "a function": (
        "tensors: {g: {shape: [D], random: {mean: 0, variance: «'\\exp(v)'»}}}\nscalars: {v: real}",
        "made of numbers",
    ),
    "a random moment": (
        "tensors: {g: {shape: [D], random: {mean: «b», variance: 1}}}\nscalars: {b: {random: {mean: 0, variance: 1}}}",
        "b is not one",
    ),
    "an entry": (
        "indices: {d: D}\ntensors: {a: [D], g: {shape: [D], random: {mean: «a_d», variance: 1}}}",
        "made of numbers",
    ),
    "a sign": ("tensors: {g: {shape: [D], «sign»: positive, random: {mean: 1, variance: 1}}}", "has no sign"),
    "values": ("tensors: {g: {shape: [D], «values»: [0, 1], random: {mean: 1, variance: 1}}}", "has no values"),
    "an assumption": (
        "indices: {d: D}\ntensors: {g: {shape: [D], random: {mean: 1, variance: 1}}}\nassume: [«g_d > 0»]",
        "nothing is assumed about random",
    ),
}


@pytest.mark.parametrize("name", FRONTS)
def test_front_matter_that_cannot_be_meant(name: str) -> None:
    front, message = FRONTS[name]
    assert re.search(message, str(failure(f"---\nsizes: {{D: inputs}}\n{front}\n---\n")))


def test_an_assumption_about_a_named_quantity_that_is_random() -> None:
    text = FRONT.replace("scalars:", "assume: [«h > 0»]\nscalars:") + r"$$ h \coloneqq \sum_d g_d a_d $$" + "\n"
    assert "nothing is assumed about random" in str(failure(text))


def test_an_expectation_may_be_assumed() -> None:
    text = FRONT.replace("scalars:", "assume: ['h > 0']\nscalars:") + r"$$ h \coloneqq \mathbb E[b^2] a_d a_d - 0 $$"
    parse_page(text.replace("a_d a_d", r"\sum_d a_d^2"))


def test_an_expectation_where_nothing_is_random() -> None:
    text = "---\nsizes: {D: inputs}\nindices: {d: D}\ntensors: {a: [D]}\n---\n$$ «\\mathbb E»[a_d] = 0 $$\n"
    assert "nothing on this page is random" in str(failure(text))
