"""Samples keep what the front matter promises."""

import random
from fractions import Fraction

import pytest

from cs231n.checking.sampling import draw_sample
from cs231n.pages import parse_page


def page(front, body=""):
    return parse_page(f"---\ntitle: t\n{front}\n---\n{body}\n")


def samples(parsed, count=30, **options):
    rng = random.Random(5)
    return [draw_sample(parsed, rng, **options) for _ in range(count)]


BASIC = r"""
sizes: {N: rows, D: columns, P: {means: padding, least: 0}}
indices: {i: N, j: D}
tensors:
  x: [N, D]
  m: {shape: [N], gradient: false, values: [0, 1]}
  v: {shape: [D], sign: positive}
  u: {shape: [D], sign: nonnegative}
scalars: {epsilon: positive, a: nonzero}
labels: {y: {shape: [N], classes: D}}
"""


def test_declarations():
    drawn = samples(page(BASIC))
    for s in drawn:
        n, d, p = (s.sizes[k] for k in "NDP")
        assert 2 <= n <= 6
        assert 2 <= d <= 6
        assert n != d
        assert p >= 0
        assert set(s.values["x"]) == {(i, j) for i in range(n) for j in range(d)}
        assert set(s.values["m"].values()) == {0, 1}
        assert all(v > 0 for v in s.values["v"].values())
        assert all(v >= 0 for v in s.values["u"].values())
        assert s.values["epsilon"][()] > 0
        assert s.values["a"][()] != 0
        assert all(0 <= y < d for y in s.labels["y"].values())
        x = list(s.values["x"].values())
        assert len(set(x)) == len(x)
        assert min(x) < 0 < max(x)
        assert all(abs(v) >= Fraction(1, 4) for v in x)
        assert all(Fraction(float(v)) == v for v in x), "exact in double precision"
    assert len({tuple(s.sizes.values()) for s in drawn}) > 5
    assert {s.sizes["P"] for s in drawn} >= {0, 1, 2}
    assert {s.values["a"][()] > 0 for s in drawn} == {True, False}


def test_the_same_seed_gives_the_same_sample():
    assert samples(page(BASIC), 3) == samples(page(BASIC), 3)


def test_size_assumptions():
    parsed = page(
        "sizes: {N: a, H: height, P: outputs, s: stride, R: window}\nindices: {h: H, p: P}\ntensors: {x: [H]}\n"
        r'assume: ["H = s(P-1)+R", "N > 4", "s < R"]'
    )
    for s in samples(parsed):
        size = s.sizes
        assert size["H"] == size["s"] * (size["P"] - 1) + size["R"]
        assert size["N"] > 4
        assert size["s"] < size["R"]
        assert len(s.values["x"]) == size["H"]


def test_fixed_sizes():
    assert all(s.sizes["N"] == 3 for s in samples(page(BASIC), fixed={"N": 3}))
    with pytest.raises(ValueError, match="got Q"):
        samples(page(BASIC), fixed={"Q": 3})


def test_value_assumptions():
    parsed = page(
        "sizes: {N: rows, C: classes}\nindices: {n: N, c: C}\n"
        "tensors: {p: {shape: [N, C], sign: positive}, q: [C], t: [N], b: [N]}\nscalars: {alpha: real, beta: real}\n"
        r'assume: ["\\sum_c p_{nc} = 1", "0 < q_c < 1", "t_n > 50", "\\beta = 1 - \\alpha", "b_n = 2 t_n"]'
    )
    for s in samples(parsed, 10):
        n, c = s.sizes["N"], s.sizes["C"]
        p = s.values["p"]
        assert all(v > 0 for v in p.values())
        for i in range(n):
            assert sum(p[i, j] for j in range(c)) == 1
        assert all(0 < v < 1 for v in s.values["q"].values())
        assert all(v > 50 for v in s.values["t"].values())
        assert s.values["beta"][()] == 1 - s.values["alpha"][()]
        assert all(s.values["b"][k] == 2 * v for k, v in s.values["t"].items())


def test_assumptions_about_named_quantities_are_met_by_trying_again():
    parsed = page(
        'sizes: {N: rows}\nindices: {n: N}\ntensors: {x: [N]}\nassume: ["m > 0.5"]',
        r"$$ m \coloneqq \frac1N \sum_n x_n $$",
    )
    for s in samples(parsed, 10):
        assert sum(s.values["x"].values()) / s.sizes["N"] > Fraction(1, 2)


def test_points_off_kinks_and_ties_on_both_sides():
    parsed = page(
        "sizes: {N: rows, D: columns}\nindices: {n: N, j: D}\ntensors: {x: [N, D], dout: [N, D]}\noutput: out",
        r"$$ m_n \coloneqq \max_j x_{nj} $$ $$ \mathrm{out}_{nj} \coloneqq \max(0, x_{nj}) + |x_{nj}|\, m_n $$",
    )
    for s in samples(parsed, 10):
        x = s.values["x"].values()
        assert min(x) < 0 < max(x)


@pytest.mark.parametrize(
    ("assume", "piece"),
    [('"N < 1"', "N < 1"), ('"x_n^2 < 0"', "no value of x"), (r'"\\sum_n x_n^2 < -1"', "x_n"), ('"N = N + 1"', "N")],
)
def test_assumptions_nobody_can_meet_are_named(assume, piece):
    parsed = page(f"sizes: {{N: rows}}\nindices: {{n: N}}\ntensors: {{x: [N]}}\nassume: [{assume}]")
    with pytest.raises(ValueError, match=piece.replace("+", r"\+")):
        samples(parsed, 1)


def test_sizes_that_an_assumption_moves_far_away():
    for bound in ("N > 12", "N < 2"):
        parsed = page(f'sizes: {{N: rows}}\nindices: {{n: N}}\ntensors: {{x: [N]}}\nassume: ["{bound}"]')
        assert all((s.sizes["N"] > 12) == (bound == "N > 12") for s in samples(parsed, 5))


def test_a_tensor_of_many_axes_stays_small():
    parsed = page(
        "sizes: {A: a, B: b, C: c, D: d, E: e}\nindices: {i: A}\ntensors: {x: [A, B, C, D, E]}",
    )
    drawn = samples(parsed, 20)
    assert all(len(s.values["x"]) <= 400 for s in drawn)
    for first in "ABCD":
        assert any(s.sizes[first] != s.sizes["E"] for s in drawn)


def test_windows_overlap_and_paddings_are_wide():
    parsed = page(
        "sizes: {H: height, P: outputs, s: stride, R: window, p: {means: padding, least: 0}}\n"
        'indices: {h: H, q: P, r: R}\ntensors: {x: [H]}\nassume: ["H = s(P-1) + R - 2p"]'
    )
    drawn = samples(parsed)
    assert sum(s.sizes["s"] < s.sizes["R"] for s in drawn) > len(drawn) / 2
    assert {s.sizes["p"] for s in drawn} >= {0, 2}


def test_numbers_that_inputs_are_compared_with_are_passed_on_both_sides():
    parsed = page(
        "sizes: {N: rows}\nindices: {n: N}\ntensors: {x: [N]}",
        r"$$ r_n \coloneqq \min(60, \max(0, x_n)) $$",
    )
    values = [v for s in samples(parsed) for v in s.values["x"].values()]
    assert sum(v > 60 for v in values) > 5
    assert sum(55 < v < 60 for v in values) > 5
    assert sum(v < 0 for v in values) > 5
