"""Expectations: what must be proved, what must never be, and the rules against the evaluator's enumeration."""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from types import ModuleType

import pytest

from cs231n.calculus import rules
from cs231n.calculus.algebra import Atom, Poly, Undecided, Var
from cs231n.calculus.context import Context, using
from cs231n.calculus.derivatives import differentiate
from cs231n.calculus.zero import is_zero
from cs231n.checking.evaluate import DomainError, Evaluator, Sample
from cs231n.checking.expectation import support
from cs231n.checking.verify import Checker, check_page
from cs231n.pages import parse_page
from cs231n.pages import tree as t
from cs231n.pages.lower import Lowering

FRONT = r"""---
title: Draws
description: A page about random quantities.
sizes: {D: inputs, M: outputs}
indices: {d e: D, m k: M}
tensors:
  W: {shape: [D, M], random: {mean: 0, variance: v, symmetric: true}}
  g: {shape: [D], random: {mean: '\mu', variance: s}}
  q: {shape: [D], random: {mean: 0, variance: v}}
  a: [D]
scalars: {v: positive, s: positive, mu: real, b: {random: {mean: 0, variance: s}}}
---

$$ u_m := \sum_d W_{dm} a_d $$

$$ z_m := \sum_d W_{dm} g_d $$

$$ y_m := z_m + b $$

$$ T_m := u_m - \sum_d W_{dm} a_d $$

$$ p_d := \mathbf 1[g_d > 0] $$

"""

FALSE = {
    "square of the mean": r"$$ \mathbb E[g_d^2] = \mathbb E[g_d]^2 $$",
    "the mean of a square is the variance": r"$$ \mathbb E[g_d^2] = s $$",
    "dependent factors": r"$$ \mathbb E[g_d (g_d + 1)] = \mathbb E[g_d]\,\mathbb E[g_d + 1] $$",
    "a factor and its sign": r"$$ \mathbb E[\mathbf 1[g_d > 0] g_d] = \mathbb E[\mathbf 1[g_d > 0]]\,\mathbb E[g_d] $$",
    "a named factor that depends": r"$$ \mathbb E[u_m^2 z_m^2] = \mathbb E[u_m^2]\,\mathbb E[z_m^2] $$",
    "function of the mean": r"$$ \mathbb E[\exp(g_d)] = \exp(\mathbb E[g_d]) $$",
    "mean of an inverse": r"$$ \mathbb E[\frac{1}{1 + g_d^2}] = \frac{1}{1 + \mathbb E[g_d^2]} $$",
    "variance of the same entry twice": r"$$ \operatorname{Var}[g_d + g_d] = 2 \operatorname{Var}[g_d] $$",
    "variance of dependent terms": (
        r"$$ \operatorname{Var}[g_d + \sum_e g_e]"
        r" = \operatorname{Var}[g_d] + \operatorname{Var}[\sum_e g_e] $$"
    ),
    "variance is not linear": r"$$ \operatorname{Var}[2 g_d] = 2 \operatorname{Var}[g_d] $$",
    "two entries without a delta": r"$$ \mathbb E[W_{dm} W_{em}] = v $$",
    "two entries as if always different": r"$$ \mathbb E[g_d g_e] = \mu^2 $$",
    "half a delta": r"$$ \mathbb E[W_{dm} W_{ek}] = \delta_{de} v \qquad \text{for all } m, k $$",
    "one draw for all entries": r"$$ \mathbb E[u_m^2] = v \Big(\sum_d a_d\Big)^2 $$",
    "modulus": r"$$ \mathbb E[|W_{dm}|] = 0 $$",
    "odd power of a variable that is not symmetric": r"$$ \mathbb E[q_d^3] = 0 $$",
    "odd function of a variable that is not symmetric": r"$$ \mathbb E[\tanh(q_d)] = 0 $$",
    "half the second moment of a variable that is not symmetric": (
        r"$$ \mathbb E[\mathbf 1[q_d > 0] q_d^2] = \frac{1}{2} \mathbb E[q_d^2] $$"
    ),
    "half the mean of a variable that is not symmetric": r"$$ \mathbb E[\mathbf 1[b > 0]] = \frac{1}{2} $$",
    "half the mean where the mean is not zero": r"$$ \mathbb E[\mathbf 1[g_d > 0]] = \frac{1}{2} $$",
    "even function": r"$$ \mathbb E[\cos(W_{dm})] = 1 $$",
    "exponential": r"$$ \mathbb E[\exp(W_{dm})] = 1 $$",
    "fourth moment by the second": r"$$ \mathbb E[W_{dm}^4] = v^2 $$",
    "fourth moment of a Gaussian": r"$$ \mathbb E[W_{dm}^4] = 3 v^2 $$",
    "two rectified outputs": (
        r"$$ \mathbb E[\max(0, W_{dm}) \max(0, W_{em})] = \mathbb E[\max(0, W_{dm})]\,\mathbb E[\max(0, W_{em})] $$"
    ),
    "two signs": (
        r"$$ \mathbb E[\mathbf 1[W_{dm} > 0]\,\mathbf 1[W_{em} > 0]] = \frac{1}{4} \qquad \text{for all } m $$"
    ),
    "a number that is always zero": r"$$ \mathbb E[\mathbf 1[T_m > 0]] = \frac{1}{2} \qquad \text{for all } m $$",
    "a random quantity for its mean": r"$$ g_d = \mathbb E[g_d] $$",
    "a named quantity for its mean": r"$$ y_m = \mathbb E[y_m] $$",
    "a square for its mean": r"$$ u_m^2 = v \sum_d a_d^2 $$",
    "a random factor taken out": r"$$ \mathbb E[g_d g_e] = g_d\,\mathbb E[g_e] $$",
    "a case about one draw": r"$$ \mathbb E[g_d] = 1 \qquad \text{for } g_d = 1 $$",
    "a case about the sign of one draw": r"$$ \mathbb E[\mathbf 1[g_d > 0]] = 1 \qquad \text{for } g_d > 0 $$",
    "a case that one draw implies": r"$$ \mathbb E[|g_d|] = \mu \qquad \text{for } g_d > 0 $$",
    "a case about a named draw": r"$$ \mathbb E[\mathbf 1[z_m > 0] z_m] = 0 \qquad \text{for } z_m > 0 $$",
    "a case about one draw, behind a name": r"$$ \mathbb E[p_d] = 1 \qquad \text{for } g_d > 0 $$",
    "a case that turns with the sign": (
        r"$$ \mathbb E[(\max(0, u_m))^2] = \mathbb E[u_m^2] \qquad \text{for } u_m > 0 $$"
    ),
    "an entry and what is made of it": r"$$ \mathbb E[W_{dm} u_m] = 0 \qquad \text{for all } d, m $$",
    "an expectation that is 0 for some indices": (
        r"$$ \mathbf 1[\mathbb E[W_{dm} W_{em}^3] > 0] + \mathbf 1[-\mathbb E[W_{dm} W_{em}^3] > 0] = 1"
        r" \qquad \text{for all } d, e, m $$"
    ),
    "the shared bias": r"$$ \mathbb E[y_m y_k] = \delta_{mk}\Big(D v (\mu^2 + s) + s\Big) $$",
    "inner expectation as one draw": r"$$ \mathbb E[(g_d - \mathbb E[g_d])^2] = 0 $$",
    "an expectation is not sure to be anything but zero": (
        r"$$ \mathbf 1[\mathbb E[W_{dm}^4] - v^2 > 0] + \mathbf 1[v^2 - \mathbb E[W_{dm}^4] > 0] = 2 $$"
    ),
}

TRUE = {
    "mean": r"$$ \mathbb E[g_d] = \mu $$",
    "second moment": r"$$ \mathbb E[g_d^2] = \mu^2 + s $$",
    "variance": r"$$ \operatorname{Var}[g_d] = s $$",
    "variance by definition": r"$$ \operatorname{Var}[g_d] = \mathbb E[(g_d - \mathbb E[g_d])^2] $$",
    "shift and scale": r"$$ \operatorname{Var}[2 g_d + a_d] = 4 \operatorname{Var}[g_d] $$",
    "two entries": r"$$ \mathbb E[g_d g_e] = \mu^2 + \delta_{de} s $$",
    "same entry twice": r"$$ \operatorname{Var}[g_d + g_d] = 4 s $$",
    "sum of independent entries": r"$$ \operatorname{Var}[\sum_d g_d] = \sum_d \operatorname{Var}[g_d] $$",
    "mean of a sum": r"$$ \mathbb E[\sum_d a_d g_d] = \sum_d a_d\,\mathbb E[g_d] $$",
    "layer with a fixed input": r"$$ \mathbb E[u_m^2] = v \sum_d a_d^2 $$",
    "layer with a random input": r"$$ \operatorname{Var}[z_m] = D v\Big(\mu^2 + s\Big) $$",
    "outputs are uncorrelated": r"$$ \mathbb E[z_m z_k] = \delta_{mk} D v\,(\mu^2 + s) $$",
    "a shared bias": r"$$ \mathbb E[y_m y_k] = \delta_{mk} D v\,(\mu^2 + s) + s $$",
    "different tensors": r"$$ \mathbb E[\exp(g_d) \cos(q_d)] = \mathbb E[\exp(g_d)]\,\mathbb E[\cos(q_d)] $$",
    "half the second moment": r"$$ \mathbb E[(\max(0, u_m))^2] = \frac{1}{2} \mathbb E[u_m^2] $$",
    "half the second moment, random input": r"$$ \mathbb E[(\max(0, z_m))^2] = \frac{1}{2} \mathbb E[z_m^2] $$",
    "half the modulus": r"$$ \mathbb E[\max(0, u_m)] = \frac{1}{2} \mathbb E[|u_m|] $$",
    "odd power": r"$$ \mathbb E[u_m^3] = 0 $$",
    "odd function": r"$$ \mathbb E[\tanh(u_m)] = 0 $$",
    "half": r"$$ \mathbb E[\mathbf 1[u_m > 0]] = \frac{1}{2} $$",
    "what is not random": r"$$ \mathbb E[a_d^3] = a_d^3 $$",
    "an entry and what is made of it": r"$$ \mathbb E[W_{dm} u_m] = v a_d \qquad \text{for all } m $$",
    "an expectation is a number": r"$$ \mathbb E\big[b^2\,\mathbb E[|g_d|]\big] = s\,\mathbb E[|g_d|] $$",
    "matrix notation": r"$$ \mathbb E[W^\top g] = 0 $$",
    "for all values of what is random": r"$$ W_{dm}^2 - 1 = (W_{dm} - 1)(W_{dm} + 1) $$",
    "a case about one draw does not reach inside": (
        r"$$ \mathbb E[(\max(0, u_m))^2] = \frac{1}{2} \mathbb E[u_m^2] \qquad \text{for } u_m > 0 $$"
    ),
    "a case about what is not random reaches inside": r"$$ \mathbb E[|a_d| b^2] = a_d s \qquad \text{for } a_d > 0 $$",
    "a given variance": (
        r"$$ \mathbb E[(\max(0, u_m))^2] = \frac{1}{D} \sum_d a_d^2 \qquad \text{for } v = \frac{2}{D} $$"
    ),
}


def read(body: str) -> t.Page:
    return parse_page(FRONT + body)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_expectation_is_neither_proved_nor_passed(name: str) -> None:
    page = read(FALSE[name])
    checker = Checker(page, mutate=False)
    (claim,) = (s for s in page.statements if s.kind == "claim")
    assert not checker.prove(claim, claim.left, claim.right).proved  # type: ignore[arg-type]
    assert not checker.statement(claim).ok


@pytest.mark.parametrize("name", TRUE)
def test_a_true_expectation_is_proved(name: str) -> None:
    result = check_page(read(TRUE[name]))
    assert result.ok, [s.message for s in result.statements]


def test_the_hypotheses_are_printed() -> None:
    found = check_page(read(TRUE["half the second moment"]), mutate=False).statements[-1]
    assert {"W is symmetric", "independent draws", "off the kink"} <= set(found.hypotheses)
    assert check_page(read(TRUE["second moment"]), mutate=False).statements[-1].hypotheses == ["s > 0"]


GRADIENTS = r"""---
title: Gradients
sizes: {D: inputs, M: outputs}
indices: {d e: D, m k: M}
tensors:
  W: {shape: [D, M], random: {mean: 0, variance: v}}
  x: [D]
  dy: [M]
scalars: {v: positive}
output: OUTPUT
---
$$ y_m := \sum_d W_{dm} x_d $$

$$ L := \sum_m \mathbb E[y_m^2] $$

"""


def test_gradients_stand_inside_expectations() -> None:
    body = r"$$ \mathbb E[dx_d^2] = v \sum_m dy_m^2 $$" + "\n\n" + r"$$ \mathbb E[dx_d] = 0 $$"
    assert check_page(parse_page(GRADIENTS.replace("OUTPUT", "y") + body)).ok


@pytest.mark.parametrize("value", ["0", r"2 v M x_d"])
def test_an_expectation_has_no_derivative(value: str) -> None:
    page = parse_page(GRADIENTS.replace("OUTPUT", "L").replace("  dy: [M]\n", "") + f"$$ dx_d = {value} $$")
    claim = page.statements[-1]
    proof = Checker(page).prove(claim, claim.left, claim.right)  # type: ignore[arg-type]
    assert not proof.proved and "not differentiated" in proof.reason
    assert not check_page(page).ok


def test_what_has_no_rule_of_differentiation_is_undecided() -> None:
    strange = Poly.atom(Atom("power", rules.entry(Lowering(read("")).system.bases["v"]), Poly.number(2)))
    with pytest.raises(Undecided, match="no derivative is known"):
        differentiate(strange, "v", ())


# ------------------------------------------------------------------------------------------ the rules, by numbers


@pytest.fixture(scope="module")
def page(formulas: ModuleType) -> t.Page:
    """The page of the property test of all rules, with a symmetric and another random tensor."""
    declared = formulas.PAGE.declarations
    symmetric = t.Moments(t.Num(Fraction(0)), t.Entry("e"), True)
    shifted = t.Moments(t.Num(Fraction(1, 3)), t.Div(t.Num(Fraction(2)), t.Size("N")))
    tensors = declared.tensors | {
        "g": t.TensorDecl("g", (formulas.D,), random=symmetric),
        "r": t.TensorDecl("r", (formulas.N,), random=shifted),
    }
    return replace(formulas.PAGE, declarations=replace(declared, tensors=tensors))


@pytest.fixture(scope="module")
def lowering(page: t.Page) -> Lowering:
    return Lowering(page)


def formula(formulas: ModuleType, rng: random.Random) -> t.Tree:
    """A random formula about expectations in the letters i and j."""

    class Maker(formulas.Maker):
        def entry(self, scope: tuple[str, ...]) -> t.Tree:
            row, column = self.letter(scope, formulas.N), self.letter(scope, formulas.D)
            options = [t.Entry("r", (row,))] if row else []
            options += [t.Entry("g", (column,))] if column else []
            return self.rng.choice(options) if options and self.rng.random() < 0.6 else super().entry(scope)

    make = Maker(rng)

    def mean(scope: tuple[str, ...]) -> t.Tree:
        polynomial = t.Pow(make.formula(scope, 1), t.Num(Fraction(rng.choice([1, 2, 2, 3]))))
        return t.Expect(rng.choice([polynomial, make.formula(scope, rng.choice([2, 3]))]))

    def drawn(name: str, letter: str, size: t.Size) -> t.Tree:
        """A function of one entry."""
        entry = t.Entry(name, (t.Index(letter, size),))
        power = t.Pow(entry, t.Num(Fraction(rng.choice([1, 2]))))
        mark = t.Indicator(t.Relation(">", t.Mul((entry, t.Entry("e"))), t.Num(Fraction(0))))
        return rng.choice([entry, power, mark, t.Call(rng.choice(["tanh", "sin", "exp", "abs"]), (entry,))])

    match rng.choice(["plain", "weighed", "sum", "centred", "product", "product", "output"]):
        case "product":
            first, second = drawn("g", "j", formulas.D), drawn("r", rng.choice("ik"), formulas.N)
            product = t.Expect(t.Mul((first, second, drawn("g", "l", formulas.D))))
            return t.Sum(t.Index("k", formulas.N), t.Sum(t.Index("l", formulas.D), product))
        case "output":
            row, column = t.Index("i", formulas.N), t.Index("l", formulas.D)
            output = t.Sum(column, t.Mul((t.Entry("g", (column,)), t.Entry("x", (row, column)))))
            rectified = t.Call("max", (t.Num(Fraction(0)), output))
            return t.Expect(t.Pow(rng.choice([output, rectified]), t.Num(Fraction(rng.choice([1, 2, 3])))))
        case "weighed":
            return t.Mul((make.entry(("i", "j")), mean(("i", "j"))))
        case "sum":
            return t.Sum(t.Index("k", formulas.N), t.Mul((t.Entry("u", (t.Index("k", formulas.N),)), mean(("j", "k")))))
        case "centred":
            part = make.formula(("i", "j"), 1)
            return t.Expect(t.Pow(t.Add((part, t.Neg(t.Expect(part)))), t.Num(Fraction(2))))
    return mean(("i", "j"))


def point(formulas: ModuleType, rng: random.Random) -> Sample:
    drawn = formulas.sample(rng)
    sizes = drawn.sizes | dict(zip("ND", rng.choice([(1, 2), (2, 1), (2, 2)]), strict=True))
    small = lambda table: {k: v for k, v in table.items() if all(a < 2 for a in k)}  # noqa: E731
    real = lambda: Fraction(rng.choice([-1, 1]) * rng.randint(100, 2000), 997)  # noqa: E731
    values = {name: small(table) for name, table in drawn.values.items()}
    full = {
        "x": {(i, j): real() for i in range(sizes["N"]) for j in range(sizes["D"])},
        "A": {(i, k): real() for i in range(sizes["N"]) for k in range(sizes["N"])},
        "u": {(i,): real() for i in range(sizes["N"])},
        "w": {(j,): real() for j in range(sizes["D"])},
        "p": {(i,): abs(real()) for i in range(sizes["N"])},
        "g": {(j,): real() for j in range(sizes["D"])},
        "r": {(i,): real() for i in range(sizes["N"])},
    }
    labels = {"y": {(i,): rng.randrange(sizes["D"]) for i in range(sizes["N"])}}
    return Sample(sizes, values | full, labels)


class Reader:
    """The value of a normal form, its expectations by going through all draws of both tensors."""

    def __init__(self, formulas: ModuleType, sample: Sample):
        self.formulas, self.plain = formulas, formulas.atom_value
        e, n = sample.values["e"][()], sample.sizes["N"]
        drawn = [("g", k, support(Fraction(0), e, True, v)) for k, v in sample.values["g"].items()]
        drawn += [("r", k, support(Fraction(1, 3), Fraction(2, n), False, v)) for k, v in sample.values["r"].items()]
        self.drawn = drawn

    def atom(self, a: Atom, env: dict) -> float:
        if a.kind != "expect":
            return self.plain(a, env)
        total = 0.0
        for draw in itertools.product(*(points for _, _, points in self.drawn)):
            inner, weight = dict(env) | {"g": {}, "r": {}}, 1.0
            for (name, key, _), (value, chance) in zip(self.drawn, draw, strict=True):
                inner[name][key] = float(value)
                weight *= float(chance)
            total += weight * self.formulas.value(a.data[0], inner)
        return total


def trial(
    formulas: ModuleType, page: t.Page, lowering: Lowering, seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[t.Tree, Poly, float, float] | None:
    rng = random.Random(seed)
    tree, sample = formula(formulas, rng), point(formulas, rng)
    binding = {a: rng.randrange(sample.sizes[formulas.LETTERS[a].name]) for a in ("i", "j")}
    try:
        expected = float(Evaluator(page, sample).value(tree, binding))
        normal = lowering.lower(tree)
    except (DomainError, Undecided):
        return None
    with monkeypatch.context() as patch:
        reader = Reader(formulas, sample)
        patch.setattr(formulas, "atom_value", reader.atom)
        return tree, normal, expected, formulas.value(normal, formulas.environment(sample, binding, lowering))


@pytest.mark.parametrize("block", range(4))
def test_a_normal_form_has_the_expectation_of_its_formula(
    block: int, formulas: ModuleType, page: t.Page, lowering: Lowering, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    with using(lowering.system.context):
        for seed in range(block * 75, block * 75 + 75):
            found = trial(formulas, page, lowering, seed, monkeypatch)
            if found is None:
                continue
            tree, normal, expected, got = found
            compared += 1
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-6), f"seed {seed}: {tree}\n{normal}"
            assert is_zero(normal - lowering.lower(tree)), f"seed {seed}: the same formula twice is not equal to itself"
    assert compared > 50


def test_every_rule_is_exercised(
    formulas: ModuleType, page: t.Page, lowering: Lowering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule for expectations changes something in the property test above."""
    changed: Counter[str] = Counter()
    home = sys.modules[rules.expect.__module__]
    names = [name for name, function in rules.RULES.items() if function.__module__ == home.__name__]
    assert set(names) == {"expect", "expect_sums", "independent", "moments", "symmetric"}
    for name in names:
        function = rules.RULES[name]

        def counted(*args: object, _name: str = name, _function: object = function) -> object:
            result = _function(*args)  # type: ignore[operator]
            changed[_name] += result is not None
            return result

        for module in (home, rules):
            monkeypatch.setattr(module, name, counted)
    with using(lowering.system.context):
        for seed in range(150):
            try:
                lowering.lower(formula(formulas, random.Random(seed)))
            except Undecided:
                continue
    assert all(changed[name] > 5 for name in names), changed


def test_what_is_known_of_one_draw_is_not_known_of_all(lowering: Lowering) -> None:
    g = rules.entry(lowering.system.bases["g"], (rules.variable(Var("j", rules.size("D"))),))
    with using(Context(facts=[(g, True)])):
        assert rules.expect(Poly.atom(Atom("pos", g))) == Poly.number(Fraction(1, 2))


def test_the_mean_of_an_entry_out_of_range_is_zero(lowering: Lowering) -> None:
    """A declared tensor is 0 outside its range, and so are its moments."""
    n = rules.size("N")
    i, k = (rules.variable(Var(name, n)) for name in "ik")
    r = lowering.system.bases["r"]
    with using(lowering.system.context):
        below = i - Poly.number(1)
        assert rules.expect(rules.entry(r, (below,))) == rules.in_range(below, n).scale(Fraction(1, 3))
        assert rules.expect(rules.entry(r, (i,))) == Poly.number(Fraction(1, 3))
        both = rules.expect(rules.multiply(rules.entry(r, (below,)), rules.entry(r, (k - Poly.number(1),))))
        guards = rules.multiply(rules.in_range(below, n), rules.in_range(k - Poly.number(1), n))
        inside = Poly.number(Fraction(1, 9)) + rules.multiply(rules.delta(i - k), rules.power(n, -1).scale(2))
        assert both == rules.multiply(guards, inside)
