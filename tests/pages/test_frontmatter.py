"""What the front matter declares. Its errors are in test_errors.py."""

from __future__ import annotations

from fractions import Fraction

import pytest

from cs231n.pages import parse_page
from cs231n.pages.tree import (
    Add,
    Declarations,
    Entry,
    Index,
    LabelDecl,
    Mul,
    Num,
    Output,
    Relation,
    Size,
    SizeDecl,
    TensorDecl,
)


def declarations(front: str, body: str = "") -> Declarations:
    return parse_page(f"---\n{front}---\n{body}").declarations


def test_sizes() -> None:
    found = declarations("sizes: {N: examples, P: {means: padding, least: 0}, s: }\n").sizes
    assert found == {"N": SizeDecl("N", "examples", 1), "P": SizeDecl("P", "padding", 0), "s": SizeDecl("s", "", 1)}
    assert declarations("sizes: {N: {exact: 2}}\n").sizes == {"N": SizeDecl("N", "", 1, 2)}


def test_one_key_declares_several_indices() -> None:
    found = declarations("sizes: {N: a, D: b}\nindices: {i k m: N, 'j, l': D}\n").indices
    assert found == {name: Index(name, Size("N")) for name in "ikm"} | {name: Index(name, Size("D")) for name in "jl"}


def test_letters_that_other_yaml_readers_take_for_yes_and_no() -> None:
    found = declarations("sizes: {N: a}\nindices: {n y: N}\nscalars: {on: positive}\n")
    assert set(found.indices) == {"n", "y"}
    assert set(found.tensors) == {"on"}


def test_tensors() -> None:
    found = declarations(
        "sizes: {N: a, s: b, P: c, R: d}\n"
        "tensors:\n"
        "  x: [N, 's(P-1)+R', 3]\n"
        "  mask: {shape: [N], gradient: false, values: [0, 1/2, 1], means: kept}\n"
        "  v: {shape: [N], sign: nonnegative}\n"
    ).tensors
    length = Add((Mul((Size("s"), Add((Size("P"), Num(Fraction(-1)))))), Size("R")))
    assert found["x"].shape[0] == Size("N")
    assert found["x"].shape[2] == Num(Fraction(3))
    assert {type(part) for part in found["x"].shape[1].walk()} >= {
        type(part) for part in length.walk() if part is not length
    }
    assert found["mask"] == TensorDecl(
        "mask", (Size("N"),), "", False, (Fraction(0), Fraction(1, 2), Fraction(1)), "kept"
    )
    assert found["v"].sign == "nonnegative"


@pytest.mark.parametrize(
    ("written", "sign", "gradient"),
    [
        ("positive", "positive", True),
        ("real", "", True),
        ("", "", True),
        ("nonzero", "nonzero", True),
        ("{sign: positive, gradient: false}", "positive", False),
    ],
)
def test_scalars(written: str, sign: str, gradient: bool) -> None:
    assert declarations(f"scalars: {{p: {written}}}\n").tensors["p"] == TensorDecl("p", (), sign, gradient)


def test_labels() -> None:
    found = declarations("sizes: {N: a, C: b}\nlabels: {y: {shape: [N], classes: C, means: classes}}\n").labels
    assert found == {"y": LabelDecl("y", (Size("N"),), Size("C"), "classes")}


DEFINED = "$$ \\mathrm{out}_i \\coloneqq 2 x_i $$\n\n$$ L \\coloneqq \\sum_i x_i $$\n"
TENSORS = "sizes: {N: a}\nindices: {i: N}\ntensors: {x: [N], dout: [N], g: [N]}\n"


@pytest.mark.parametrize(
    ("key", "outputs"),
    [
        ("output: out", (Output("out", "dout"),)),
        ("outputs: {out: dout}", (Output("out", "dout"),)),
    ],
)
def test_outputs(key: str, outputs: tuple[Output, ...]) -> None:
    assert declarations(f"{TENSORS}{key}\n", DEFINED).outputs == outputs


def test_a_scalar_loss_has_no_incoming_gradient() -> None:
    front = "sizes: {N: a}\nindices: {i: N}\ntensors: {x: [N]}\noutput: L\n"
    assert declarations(front, "$$ L \\coloneqq \\sum_i x_i $$\n").outputs == (Output("L", None),)


def test_several_outputs_each_with_its_own_name_for_the_gradient() -> None:
    front = f"{TENSORS}outputs: {{out: dout, f: g}}\n"
    body = "$$ \\mathrm{out}_i \\coloneqq 2 x_i $$\n\n$$ f_i \\coloneqq x_i $$\n"
    assert declarations(front, body).outputs == (Output("out", "dout"), Output("f", "g"))


def test_assumptions_are_conditions_or_words() -> None:
    front = (
        "sizes: {N: a}\nindices: {i: N}\ntensors: {p: [N]}\n"
        "assume: [N > 1, '\\sum_i p_i = 1', 0 < p_i < 1, off the kink, no ties]\n"
    )
    found = declarations(front).assume
    size, total, below, above, *words = found
    assert size == Relation(">", Size("N"), Num(Fraction(1)))
    assert isinstance(total, Relation) and total.right == Num(Fraction(1))
    entry = Entry("p", (Index("i", Size("N")),))
    assert (below, above) == (Relation("<", Num(Fraction(0)), entry), Relation("<", entry, Num(Fraction(1))))
    assert words == ["off the kink", "no ties"]


def test_an_assumption_about_sizes_lets_a_subscript_fit() -> None:
    front = "sizes: {N: a, T: b}\nindices: {i: N, t: T}\ntensors: {g: [N]}\nassume: ['N \\ge T + 1']\n"
    assert declarations(front, "$$ g_{t+1} = g_{t+1} $$\n")


def test_the_code_map_is_kept_as_it_was_written() -> None:
    call = "{call: a.b, arguments: {x: x, p: {k: {value: 2}}, n: N}, returns: [out, _, {m: m2}], draws: {g: m2.field}}"
    found = declarations(f"{TENSORS}output: out\ncode: [{call}, {{call: a.c, arguments: {{m: m2}}}}]\n", DEFINED).code
    assert found[0] == {
        "call": "a.b",
        "arguments": {"x": "x", "p": {"k": {"value": 2}}, "n": "N"},
        "returns": ["out", "_", {"m": "m2"}],
        "draws": {"g": "m2.field"},
    }
    assert found[1]["arguments"] == {"m": "m2"}


def test_title_and_description() -> None:
    page = parse_page("---\ntitle: A title\ndescription: Words\n---\n# Another\n")
    assert (page.title, page.description) == ("A title", "Words")
    assert parse_page("# The heading\n", "some/page.md").title == "The heading"
    page = parse_page("", "some/page.md")
    assert (page.title, page.id) == ("page", "some/page")
