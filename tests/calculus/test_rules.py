"""Property test of the rewrite rules: a normal form has the value of the formula it was made from.

Random formulas of the pages' tree form go two ways: through the engine's constructors, which apply the rules, and
through the independent evaluator, which applies none. A tiny reader of normal forms, below, compares them.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections import Counter
from fractions import Fraction

import pytest

from cs231n.calculus import rules
from cs231n.calculus.algebra import Atom, Poly, Undecided
from cs231n.calculus.context import Context, using
from cs231n.calculus.rewriting import split_sigmoids
from cs231n.calculus.zero import is_zero, one_denominator
from cs231n.checking.evaluate import DomainError, Evaluator, Sample
from cs231n.pages import tree as t
from cs231n.pages.lower import Lowering

N, D = t.Size("N"), t.Size("D")
LETTERS = {"i": N, "k": N, "m": N, "j": D, "l": D}
PAGE = t.Page(
    path="rules.md",
    id="rules",
    title="",
    description="",
    declarations=t.Declarations(
        sizes={"N": t.SizeDecl("N"), "D": t.SizeDecl("D"), "s": t.SizeDecl("s")},
        indices={a: t.Index(a, n) for a, n in LETTERS.items()},
        tensors={
            "x": t.TensorDecl("x", (N, D)),
            "A": t.TensorDecl("A", (N, N)),
            "u": t.TensorDecl("u", (N,)),
            "w": t.TensorDecl("w", (D,)),
            "p": t.TensorDecl("p", (N,), sign="positive"),
            "e": t.TensorDecl("e", (), sign="positive"),
        },
        labels={"y": t.LabelDecl("y", (N,), D)},
    ),
    displays=(),
    statements=(),
    definitions={},
    text="",
)


# ------------------------------------------------------------------------------- the value of a normal form, naively


def value(p: Poly, env: dict) -> float:
    return math.fsum(float(c) * math.prod(power(a, e, env) for a, e in sorted_atoms(m)) for m, c in p.terms.items())


def sorted_atoms(m: frozenset) -> list:
    return sorted(m, key=lambda ae: (not ae[0].is_indicator, ae[0].key))


def power(a: Atom, e: object, env: dict) -> float:
    base = atom_value(a, env)
    return base if e == 1 else base ** float(e)  # type: ignore[arg-type]


def entry_value(a: Atom, env: dict) -> float:
    base, subs = a.data
    key = tuple(round(value(s, env)) for s in subs)
    return float(env[base.name].get(key, 0.0))  # declared tensors are 0 outside


def atom_value(a: Atom, env: dict) -> float:
    d = a.data
    match a.kind:
        case "size":
            return env["sizes"][d[0]]
        case "prime":
            return d[0]
        case "pi":
            return math.pi
        case "var":
            return env[d[0]]
        case "entry":
            return entry_value(a, env)
        case "delta":
            return float(round(value(d[0], env)) == 0)
        case "inrange":
            return float(0 <= round(value(d[0], env)) < round(value(d[1], env)))
        case "nonneg":
            return float(round(value(d[0], env)) >= 0)
        case "pos":
            return float(value(d[0], env) > 0)
        case "sum":
            ranges = [range(round(value(v.size, env))) for v in d[0]]
            return math.fsum(value(d[1], env | dict(zip(d[0], at, strict=True))) for at in itertools.product(*ranges))
        case "exp":
            return math.exp(value(d[0], env))
        case "log":
            return math.log(value(d[0], env))
        case "base":
            return value(d[0], env)
        case "fn":
            u = value(d[1], env)
            return (1 + math.tanh(u / 2)) / 2 if d[0] == "sigmoid" else getattr(math, d[0])(u)
        case "max":
            return max(value(d[1], env | {d[0]: k}) for k in range(round(value(d[0].size, env))))
        case "argmax":
            values = [value(d[1], env | {d[0]: k}) for k in range(round(value(d[0].size, env)))]
            return float(round(value(d[2], env)) == values.index(max(values)))
    raise AssertionError(a.kind)


# ------------------------------------------------------------------------------------------------- random formulas


class Maker:
    """Random formulas in the letters that are in scope."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def letter(self, scope: tuple[str, ...], size: t.Size) -> t.Index | None:
        fit = [a for a in scope if LETTERS[a] == size]
        return t.Index(self.rng.choice(fit), size) if fit else None

    def entry(self, scope: tuple[str, ...]) -> t.Tree:
        row, other, column = self.letter(scope, N), self.letter(scope, N), self.letter(scope, D)
        options: list[t.Tree] = [t.Entry("e")]
        if row:
            options += [t.Entry("u", (row,)), t.Entry("p", (row,)), t.Entry("w", (t.Entry("y", (row,)),))]
            options += [t.Entry("A", (row, other))] if other else []
            options += [t.Entry("x", (row, column))] * 2 if column else [t.Entry("x", (row, t.Entry("y", (row,))))]
        if column:
            options.append(t.Entry("w", (column,)))
        return self.rng.choice(options)

    def mark(self, scope: tuple[str, ...], depth: int) -> t.Tree:
        row, other, column = self.letter(scope, N), self.letter(scope, N), self.letter(scope, D)
        square = t.Pow(self.entry(scope), t.Num(Fraction(2)))
        options: list[t.Tree] = [
            t.Indicator(t.Relation(">", self.formula(scope, depth - 1), self.entry(scope))),
            t.Indicator(t.Relation(">", square, t.Num(Fraction(0)))),
        ]
        if row and other:
            options += [t.Delta(row, other), t.Delta(row, t.Add((other, t.Num(Fraction(1)))))]
            options += [t.Indicator(t.Relation(self.rng.choice(["<=", "<", ">=", ">", "!="]), row, other))]
        if row and column:
            options.append(t.Delta(column, t.Entry("y", (row,))))
        if row:
            shifted = t.Add((t.Mul((t.Size("s"), row)), t.Num(Fraction(-1))))
            low, high = t.Relation("<=", t.Num(Fraction(0)), shifted), t.Relation("<", shifted, N)
            inside = t.Indicator(t.Both((low, high)))
            options.append(t.Mul((inside, t.Entry("u", (shifted,)))))
        return self.rng.choice(options)

    def positive(self, scope: tuple[str, ...], depth: int) -> t.Tree:
        square = t.Pow(self.formula(scope, depth - 1), t.Num(Fraction(2)))
        row = self.letter(scope, N)
        options: list[t.Tree] = [t.Add((square, t.Entry("e"))), t.Call("exp", (self.small(scope, depth - 1),))]
        options += [t.Add((t.Num(Fraction(1)), t.Call("exp", (self.small(scope, depth - 1),)))), t.Entry("e")]
        options += [t.Mul((t.Entry("p", (row,)), t.Entry("e")))] if row else []
        return self.rng.choice(options)

    def small(self, scope: tuple[str, ...], depth: int) -> t.Tree:
        """Something to exponentiate."""
        return t.Div(self.formula(scope, min(depth, 1)), t.Num(Fraction(4)))

    def formula(self, scope: tuple[str, ...], depth: int) -> t.Tree:
        if depth <= 0:
            return self.rng.choice(
                [self.entry(scope), self.entry(scope), t.Num(Fraction(self.rng.randint(1, 3), 2)), N]
            )
        part = lambda: self.formula(scope, depth - 1)  # noqa: E731
        free = [a for a in LETTERS if a not in scope]
        make = self.rng.choice(
            [
                "add",
                "add",
                "mul",
                "mul",
                "neg",
                "square",
                "sum",
                "sum",
                "sum",
                "mark",
                "div",
                "root",
                "fn",
                "max",
                "over",
            ]
        )
        match make:
            case "add":
                return t.Add((part(), part()))
            case "mul":
                return t.Mul((part(), part()))
            case "neg":
                return t.Neg(part())
            case "square":
                return t.Pow(part(), t.Num(Fraction(2)))
            case "sum" | "over" if free:
                a = self.rng.choice(free)
                index, body = t.Index(a, LETTERS[a]), self.formula((*scope, a), depth - 1)
                return t.Sum(index, body) if make == "sum" else t.Extremum(self.rng.choice(["max", "min"]), index, body)
            case "mark":
                return t.Mul((self.mark(scope, depth), part()))
            case "div":
                return t.Div(part(), self.positive(scope, depth))
            case "root":
                base = self.positive(scope, depth)
                square = t.Pow(self.entry(scope), t.Num(Fraction(2)))
                exponent = t.Num(self.rng.choice([Fraction(-1, 2), Fraction(3, 2), Fraction(-3, 2)]))
                return self.rng.choice([t.Call("sqrt", (base,)), t.Pow(base, exponent), t.Call("sqrt", (square,))])
            case "fn":
                fn = self.rng.choice(["exp", "log", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "abs"])
                return t.Call(fn, (self.positive(scope, depth) if fn == "log" else self.small(scope, depth),))
            case "max":
                return t.Call(self.rng.choice(["max", "min"]), (part(), self.entry(scope)))
        return part()


def sample(rng: random.Random) -> Sample:
    n, d, s = rng.sample([1, 2, 3, 4], 3)
    real = lambda: Fraction(rng.choice([-1, 1]) * rng.randint(100, 2000), 997)  # noqa: E731
    return Sample(
        sizes={"N": n, "D": d, "s": s},
        values={
            "x": {(i, j): real() for i in range(n) for j in range(d)},
            "A": {(i, j): real() for i in range(n) for j in range(n)},
            "u": {(i,): real() for i in range(n)},
            "w": {(j,): real() for j in range(d)},
            "p": {(i,): abs(real()) for i in range(n)},
            "e": {(): abs(real())},
        },
        labels={"y": {(i,): rng.randrange(d) for i in range(n)}},
    )


def environment(point: Sample, binding: dict[str, int], lowering: Lowering) -> dict:
    env: dict = {"sizes": point.sizes}
    env |= {name: {k: float(v) for k, v in table.items()} for name, table in point.values.items()}
    env |= point.labels
    for letter, at in binding.items():
        env[lowering.index(t.Index(letter, LETTERS[letter]))] = at
    return env


SCOPE = ("i", "j")


def trial(seed: int, lowering: Lowering) -> tuple[t.Tree, Poly, float, float] | None:
    """One random formula, its normal form, and the two values; None where it has no value or is too large."""
    rng = random.Random(seed)
    tree = Maker(rng).formula(SCOPE, rng.choice([2, 3, 3, 4]))
    point = sample(rng)
    binding = {a: rng.randrange(point.sizes[LETTERS[a].name]) for a in SCOPE}
    try:
        expected = float(Evaluator(PAGE, point).value(tree, binding))
        normal = lowering.lower(tree)
        return tree, normal, expected, value(normal, environment(point, binding, lowering))
    except (DomainError, Undecided, OverflowError):
        return None


@pytest.fixture(scope="module")
def lowering() -> Lowering:
    return Lowering(PAGE)


@pytest.mark.parametrize("block", range(8))
def test_a_normal_form_has_the_value_of_its_formula(block: int, lowering: Lowering) -> None:
    compared = 0
    with using(lowering.system.context):
        for seed in range(block * 150, block * 150 + 150):
            found = trial(seed, lowering)
            if found is None:
                continue
            tree, normal, expected, got = found
            compared += 1
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-6), f"seed {seed}: {tree}\n{normal}"
            assert is_zero(normal - lowering.lower(tree)), f"seed {seed}: the same formula twice is not equal to itself"
    assert compared > 100


def test_one_denominator_only_multiplies(lowering: Lowering) -> None:
    """What is left over one denominator is 0 exactly where the formula is."""
    with using(lowering.system.context):
        for seed in range(200):
            found = trial(seed, lowering)
            if found is None:
                continue
            _, normal, expected, _ = found
            cleared = one_denominator(normal)
            assert bool(cleared.terms) or abs(expected) < 1e-6


def test_sigmoids_may_be_written_by_exponentials(lowering: Lowering) -> None:
    with using(lowering.system.context):
        for seed in range(400):
            found = trial(seed, lowering)
            if found is None or "sigmoid" not in found[1].key:
                continue
            rng = random.Random(seed)
            Maker(rng).formula(SCOPE, rng.choice([2, 3, 3, 4]))
            point = sample(rng)
            binding = {a: rng.randrange(point.sizes[LETTERS[a].name]) for a in SCOPE}
            env = environment(point, binding, lowering)
            assert value(split_sigmoids(found[1]), env) == pytest.approx(found[2], rel=1e-6, abs=1e-6)


def test_every_rule_is_exercised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The property test above is a test of a rule only if the rule is applied in it."""
    applied: Counter[str] = Counter()
    for name, function in rules.RULES.items():
        home = sys.modules[function.__module__]

        def counted(*args: object, _name: str = name, _function: object = function) -> object:
            applied[_name] += 1
            return _function(*args)  # type: ignore[operator]

        for module in (home, rules):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, counted)
    lowering = Lowering(PAGE)
    with using(Context()):
        for seed in range(600):
            found = trial(seed, lowering)
            if found is not None:
                is_zero(found[1])
                split_sigmoids(found[1])
    elsewhere = {
        "argmax",
        "argmax_of_one",
        "maximiser",
        "one_maximiser",
        "short_range",
        "inner_sum_is_told",
    }  # max pooling, fixed sizes
    elsewhere |= {"peel", "sum_between"}  # test_induction.py, test_recurrences.py
    elsewhere |= {"expect", "expect_sums", "independent", "moments", "symmetric"}  # test_expectation.py
    assert set(rules.RULES) - set(applied) <= elsewhere
