"""Property tests of derivatives and of the test for zero, on random pages.

The engine's adjoints, opened down to the inputs, have the values that the evaluator finds with dual numbers. And
whatever the engine proves equal has equal values: a claim and each of its mutants are tried.
"""

from __future__ import annotations

import random
from dataclasses import replace
from types import ModuleType

import pytest

from cs231n.calculus.algebra import Undecided
from cs231n.calculus.context import using
from cs231n.calculus.proof import prove_equal
from cs231n.checking.evaluate import DomainError, EvaluationError, Evaluator
from cs231n.checking.mutants import mutants
from cs231n.pages import tree as t
from cs231n.pages.lower import Lowering

#: Formulas in a block. Far more were tried when the rules were written; raise it when you change one.
SEEDS = 25


def random_page(formulas: ModuleType, rng: random.Random) -> t.Page:
    """h stands on the inputs, out on h and on the inputs; both have the shape of x."""
    index = {a: t.Index(a, n) for a, n in formulas.LETTERS.items()}
    maker = formulas.Maker(rng)
    maker_depth = rng.choice([2, 2, 3])
    h = t.Definition("h", (index["i"], index["j"]), maker.formula(("i", "j"), maker_depth))
    own = t.Entry("h", (index["i"], index["j"]))
    row = t.Sum(index["l"], t.Mul((t.Entry("h", (index["i"], index["l"])), maker.formula(("i", "j", "l"), 1))))
    body = rng.choice(
        [
            t.Mul((own, maker.formula(("i", "j"), 2))),
            t.Add((row, own)),
            t.Call("tanh", (t.Div(row, t.Num(formulas.Fraction(3))),)),
            t.Mul((t.Call("max", (own, maker.entry(("i", "j")))), maker.formula(("i", "j"), 1))),
            t.Div(own, t.Add((t.Num(formulas.Fraction(1)), t.Pow(row, t.Num(formulas.Fraction(2)))))),
        ]
    )
    out = t.Definition("out", (index["i"], index["j"]), body)
    declared = formulas.PAGE.declarations
    tensors = {**declared.tensors, "dout": t.TensorDecl("dout", declared.tensors["x"].shape)}
    return replace(
        formulas.PAGE,
        declarations=replace(declared, tensors=tensors, outputs=(t.Output("out", "dout"),)),
        definitions={"h": h, "out": out},
    )


def sample_with_upstream(formulas: ModuleType, rng: random.Random):
    point = formulas.sample(rng)
    shape = [(i, j) for i in range(point.sizes["N"]) for j in range(point.sizes["D"])]
    upstream = {key: formulas.Fraction(rng.randint(-2000, 2000) or 7, 997) for key in shape}
    return replace(point, values=point.values | {"dout": upstream})


@pytest.mark.parametrize("block", range(2))
def test_adjoints_have_the_values_of_dual_numbers(block: int, formulas: ModuleType) -> None:
    compared = 0
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        rng = random.Random(f"adjoint {seed}")
        page = random_page(formulas, rng)
        point = sample_with_upstream(formulas, rng)
        for name, letters in (("x", "kl"), ("u", "k"), ("w", "l"), ("e", "")):
            subs = tuple(t.Index(a, formulas.LETTERS[a]) for a in letters)
            try:
                lowering = Lowering(page)
                if not lowering.system.reaches_output(name):
                    continue
                with using(lowering.system.context):
                    adjoint = lowering.lower(t.Grad(name, subs))
                    while (opened := lowering.system.next_name(adjoint)) is not None:
                        adjoint = lowering.system.unfold(adjoint, opened)
                table = Evaluator(page, point).gradient(name)
            except (DomainError, Undecided):
                continue
            for key, expected in table.items():
                env = formulas.environment(point, dict(zip(letters, key, strict=True)), lowering)
                try:
                    got = formulas.value(adjoint, env)
                except OverflowError:
                    continue
                assert got == pytest.approx(float(expected), rel=1e-6, abs=1e-6), f"seed {seed}, d{name}{key}"
                compared += 1
    assert compared > 50


@pytest.mark.parametrize("block", range(2))
def test_what_is_proved_equal_has_equal_values(block: int, formulas: ModuleType) -> None:
    lowering = Lowering(formulas.PAGE)
    proved = 0
    for seed in range(block * SEEDS, block * SEEDS + SEEDS):
        rng = random.Random(f"mutants {seed}")
        tree = formulas.Maker(rng).formula(formulas.SCOPE, rng.choice([2, 3]))
        free = tuple(t.Index(a, formulas.LETTERS[a]) for a in formulas.SCOPE)
        claim = t.Statement("claim", 1, "", None, left=tree, right=tree, free=free)
        points = [formulas.sample(rng) for _ in range(3)]
        for mutant in rng.sample(made := mutants(claim, formulas.PAGE), min(12, len(made))):
            try:
                with using(lowering.system.context):
                    answer = prove_equal(lowering.system, lowering.lower(mutant.left), lowering.lower(mutant.right))
            except Undecided:
                continue
            if not answer.proved:
                continue
            proved += 1
            for point in points:
                evaluator = Evaluator(formulas.PAGE, point)
                for binding in evaluator.bindings(free):
                    try:
                        left, right = evaluator.value(mutant.left, binding), evaluator.value(mutant.right, binding)
                    except EvaluationError:
                        continue
                    assert left == pytest.approx(right, rel=1e-7, abs=1e-7), f"seed {seed}: {mutant.description}"
    assert proved > 5
