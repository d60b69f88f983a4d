"""The evaluator on small pages whose values are worked out by hand."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import pytest

from cs231n.checking.evaluate import DomainError, EvaluationError, Evaluator, OutOfRange, Sample
from cs231n.pages import Indicator, Mul, parse_page

CHAIN = r"""---
title: chain
sizes: {N: rows, D: columns}
indices: {i k: N, j l: D}
tensors: {x: [N, D], w: [D], dout: [N]}
output: out
---
$$ m_i \coloneqq \frac{1}{D}\sum_j x_{ij} $$
$$ c_{ij} \coloneqq x_{ij} - m_i $$
$$ \mathrm{out}_i \coloneqq \sum_j c_{ij}^2\, w_j $$
$$ \frac{\partial c_{ij}}{\partial x_{kl}} = \delta_{ik}\delta_{jl} \tag{direct} $$
$$ \frac{\mathrm d c_{ij}}{\mathrm d x_{kl}} = \delta_{ik}\big(\delta_{jl} - \tfrac1D\big) \tag{total} $$
$$ \frac{\partial c_{ij}}{\partial x_{ij}} = 1 \tag{diagonal} $$
$$ dx_{kl} = 0 \tag{dx} $$
$$ dm_k = 0 \tag{dm} $$
"""


def table(*rows):
    """Nested lists as a table of fractions."""
    flat = {}
    for key in itertools.product(*(range(n) for n in _shape(rows))):
        value = rows
        for k in key:
            value = value[k]
        flat[key] = Fraction(value)
    return flat


def _shape(rows):
    shape = []
    while isinstance(rows, (list, tuple)):
        shape.append(len(rows))
        rows = rows[0]
    return shape


def statement(page, anchor):
    return next(s for s in page.statements if s.anchor == anchor)


@pytest.fixture(scope="module")
def chain():
    page = parse_page(CHAIN)
    x = table([1, 2, 6], [4, -2, 1])
    return page, Evaluator(page, Sample({"N": 2, "D": 3}, {"x": x, "w": table(2, -1, 3), "dout": table(5, 7)}))


def test_values_by_hand(chain):
    _, evaluator = chain
    assert evaluator.table("m") == {(0,): 3.0, (1,): 1.0}
    assert evaluator.table("c") == {(0, 0): -2, (0, 1): -1, (0, 2): 3, (1, 0): 3, (1, 1): -3, (1, 2): 0}
    assert evaluator.table("out") == {(0,): 2 * 4 - 1 + 3 * 9, (1,): 2 * 9 - 9}


def test_gradients_by_hand(chain):
    page, evaluator = chain
    # dc_ij = dout_i · 2 c_ij w_j, dm_i = -Σ_j dc_ij, dx_ij = dc_ij + dm_i / D
    dc = {(0, 0): -40, (0, 1): 10, (0, 2): 90, (1, 0): 84, (1, 1): 42, (1, 2): 0}
    assert evaluator.gradient("c") == dc
    assert evaluator.gradient("m") == {(0,): -60, (1,): -126}
    assert evaluator.gradient("x") == {k: g - {0: 20, 1: 42}[k[0]] for k, g in dc.items()}
    assert evaluator.gradient("w") == {(0,): 5 * 4 + 7 * 9, (1,): 5 + 7 * 9, (2,): 5 * 9}
    assert evaluator.gradient("out") == {(0,): 5, (1,): 7}
    assert evaluator.value(statement(page, "dx").left, {"k": 1, "l": 1}) == 0
    assert evaluator.value(statement(page, "dm").left, {"k": 1}) == -126


def test_direct_and_total_partial_differ(chain):
    page, evaluator = chain
    binding = {"i": 0, "j": 1, "k": 0, "l": 1}
    assert evaluator.value(statement(page, "direct").left, binding) == 1
    assert evaluator.value(statement(page, "total").left, binding) == pytest.approx(2 / 3)
    for anchor in ("direct", "total"):
        claim = statement(page, anchor)
        for b in evaluator.bindings(claim.free):
            assert evaluator.value(claim.left, b) == pytest.approx(evaluator.value(claim.right, b))
    assert evaluator.value(statement(page, "diagonal").left, {"i": 1, "j": 2}) == 1


def test_fifty_digits_agree_with_doubles(chain):
    page, evaluator = chain
    total = statement(page, "total").left
    binding = {"i": 0, "j": 1, "k": 0, "l": 1}
    assert abs(evaluator.exact().value(total, binding) * 3 - 2) < 1e-48
    assert evaluator.exact() is evaluator.exact()


FUNCTIONS = r"""---
title: functions
sizes: {N: rows}
indices: {i k: N, n: N}
tensors: {x: {shape: [N], sign: positive}, z: [N], du: [N], dv: [N]}
scalars: {a: positive}
outputs: {u: du, v: dv}
---
$$ p_i \coloneqq \sqrt{x_i} + \log(x_i) + x_i^{a} + a^{z_i} + x_i^{-2} + \frac{1}{x_i + a} $$
$$ q_i \coloneqq \tanh(z_i) + \operatorname{sigmoid}(z_i) + \operatorname{softplus}(z_i) + \operatorname{erf}(z_i) $$
$$ s_i \coloneqq \sin(p_i) \cos(z_i) + |z_i| + \max(0, z_i - q_i, p_i) + \min(x_i, z_i) $$
$$ h_i \coloneqq \begin{cases} z_i^3 & \text{if } z_i > 0 \\ p_i q_i & \text{otherwise} \end{cases} $$
$$ u_i \coloneqq s_i\, \mathbf 1[z_i < x_i] + \max_n (z_n h_i) $$
$$ v_i \coloneqq e^{-h_i^2 / 10} \sum_n x_n s_n $$
$$ dx_k = 0 \tag{dx} $$
"""


def test_gradients_against_finite_differences_of_the_values():
    page = parse_page(FUNCTIONS)
    values = {
        "x": table("1.5", "0.75", "2.25"),
        "z": table("-0.625", "1.125", "0.375"),
        "du": table("1.25", "-0.5", "2"),
        "dv": table("0.75", "1.5", "-1"),
        "a": {(): Fraction("1.75")},
    }
    sample = Sample({"N": 3}, values)
    evaluator = Evaluator(page, sample)
    step = Fraction(1, 2**50)

    def loss(changed):
        exact = Evaluator(page, changed).exact()
        return sum(
            exact.table(name)[key] * values[up][key] for name, up in (("u", "du"), ("v", "dv")) for key in values[up]
        )

    for name in ("x", "z", "a"):
        for key in values[name]:
            up, down = (sample.replace(name, {key: values[name][key] + s}) for s in (step, -step))
            slope = (loss(up) - loss(down)) / (2 * step.numerator) * step.denominator
            assert evaluator.gradient(name)[key] == pytest.approx(float(slope), rel=1e-10), (name, key)
            assert abs(evaluator.exact().gradient(name)[key] - slope) < 1e-24


GUARDS = r"""---
title: guards
sizes: {N: samples, H: "length", R: window}
indices: {h: H, r: R, n m: N}
tensors: {x: [H], w: [R], s: [N]}
labels: {y: {shape: [N], classes: H}}
---
$$ o_h \coloneqq \sum_r w_r\, x_{h+r-1}\, \mathbf 1[0 \le h + r - 1 < H] $$
$$ g_n \coloneqq x_{y_n} $$
$$ c_h \coloneqq \sum_n \delta_{h,y_n} s_n $$
$$ f_n \coloneqq \frac{1}{s_n} + \log(s_n) $$
$$ t_n \coloneqq \sum_m \mathbf 1[m < n]\, s_m $$
"""


@pytest.fixture(scope="module")
def guards():
    values = {"x": table(1, 2, 3, 5), "w": table(10, 100), "s": table(-1, 0, 2)}
    page = parse_page(GUARDS)
    o = page.definitions["o"]
    # The reader refuses x_{h+r-1} without its guard, so it is taken away here.
    unguarded = replace(o.value, body=Mul(tuple(f for f in o.value.body.factors if not isinstance(f, Indicator))))
    page.definitions["b"] = replace(o, name="b", value=unguarded)
    return Evaluator(page, Sample({"N": 3, "H": 4, "R": 2}, values, {"y": {(0,): 3, (1,): 0, (2,): 3}}))


def test_a_false_guard_hides_a_read_outside_the_range(guards):
    assert guards.table("o") == {(0,): 100, (1,): 10 + 200, (2,): 20 + 300, (3,): 30 + 500}
    with pytest.raises(OutOfRange, match="x of shape"):
        guards.table("b")


def test_labels_are_indices(guards):
    assert guards.table("g") == {(0,): 5, (1,): 1, (2,): 5}
    assert guards.table("c") == {(0,): 0, (1,): 0, (2,): 0, (3,): 1}
    assert guards.table("t") == {(0,): 0, (1,): -1, (2,): -1}


def test_outside_the_domain(guards):
    for name in "f":
        with pytest.raises(DomainError):
            guards.table(name)


def test_what_cannot_be_evaluated(chain, guards):
    page, evaluator = chain
    with pytest.raises(EvaluationError, match="nothing"):
        evaluator.table("nothing")
    with pytest.raises(EvaluationError, match="declares no output"):
        guards.gradient("x")
    with pytest.raises(EvaluationError, match="no path"):
        evaluator.gradient("dout")
    with pytest.raises(ValueError, match="expected one of the inputs"):
        evaluator.sample.replace("m", {})
    with pytest.raises(EvaluationError, match="no value is given for the index 'l'"):
        evaluator.value(statement(page, "dx").left, {"k": 0})


SCALAR = r"""---
title: softmax
sizes: {N: samples, C: classes}
indices: {n: N, c k: C}
tensors: {x: [N, C]}
labels: {y: {shape: [N], classes: C}}
output: L
---
$$ p_{nc} \coloneqq \frac{e^{x_{nc}}}{\sum_k e^{x_{nk}}} $$
$$ L \coloneqq -\frac1N \sum_n \log(p_{n,y_n}) $$
$$ dx_{nc} = \frac{p_{nc} - \delta_{c,y_n}}{N} \tag{dx} $$
"""


def test_the_gradient_of_a_scalar_loss():
    page = parse_page(SCALAR)
    x = table([1, 2, "0.5"], [0, "-1.5", 3])
    evaluator = Evaluator(page, Sample({"N": 2, "C": 3}, {"x": x}, {"y": {(0,): 2, (1,): 2}}))
    total = [sum(math.exp(x[n, c]) for c in range(3)) for n in range(2)]
    for n, c in x:
        p = math.exp(x[n, c]) / total[n]
        assert evaluator.gradient("x")[n, c] == pytest.approx((p - (c == 2)) / 2)
        assert evaluator.value(statement(page, "dx").right, {"n": n, "c": c}) == pytest.approx((p - (c == 2)) / 2)


def test_nested_lists(chain):
    _, evaluator = chain
    assert evaluator.sample.nested("x") == [[1.0, 2.0, 6.0], [4.0, -2.0, 1.0]]
