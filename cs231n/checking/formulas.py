"""Compiles a formula to Python source: one lambda of the free indices, plain loops for sums.

The source mentions only names that `cs231n.checking.evaluate.Evaluator` provides: ``t_x`` the table of x,
``s_N`` and ``n_N`` a size as a number and as an integer, ``c_1_2`` the constant 1/2, ``g1_x`` the adjoint of x,
``mean_7`` an expectation as a function of its free indices, and the functions of
`cs231n.checking.numbers.Numbers`. So one program runs in doubles, in 50 digits and in dual numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import count
from types import CodeType

from cs231n.checking.numbers import EvaluationError
from cs231n.pages import tree as t


@dataclass
class Program:
    """A compiled formula.

    ``reads`` are the tables it may read, those in ``outside`` also outside expectations; ``derivatives`` the derivative
    tables it needs; ``means`` its expectations: what stands inside, and the names of its free indices.
    """

    source: str
    code: CodeType
    constants: dict[str, Fraction]
    derivatives: dict[str, tuple[str, ...]]  # table: (name) or (of, wrt)
    reads: frozenset[str]
    outside: frozenset[str] = frozenset()
    means: dict[str, tuple[Program, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def holds_derivatives(self) -> bool:
        """Also inside an expectation?"""
        return bool(self.derivatives) or any(inside.holds_derivatives for inside, _ in self.means.values())


_numbers = count()
_CONDITIONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "=": "eq", "!=": "ne"}
_PYTHON = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "==", "!=": "!="}


def identifier(name: str) -> str:
    """``name`` as a part of a Python identifier, different names staying different."""
    return re.sub(r"[^0-9A-Za-z_]", lambda m: f"_{ord(m[0]):x}_", name)


def derivative_table(kind: str, names: tuple[str, ...]) -> str:
    """The name of a table of derivatives: kind g ∂L/∂name, p ∂of/∂wrt on one line, d of/d wrt through all lines."""
    return f"{kind}{len(names[0])}_" + "_".join(map(identifier, names))  # the length keeps a_b, c and a, b_c apart


def constant(tree: t.Tree) -> Fraction | None:
    """The value of a formula made of numbers only, else None."""
    match tree:
        case t.Num(value):
            return Fraction(value)
        case t.Neg(arg):
            negated = constant(arg)
            return None if negated is None else -negated
        case t.Div(num, den):
            top, bottom = constant(num), constant(den)
            return top / bottom if top is not None and bottom else None
    return None


def compile_formula(tree: t.Tree, parameters: tuple[str, ...], labels: frozenset[str] | set[str]) -> Program:
    """Compile ``tree``, whose free indices are ``parameters``; ``labels`` are the names of integer tensors."""
    writer = _Writer(labels)
    body = writer.number(tree)
    source = f"lambda {', '.join('i_' + identifier(p) for p in parameters)}: {body}"
    module = compile(source, "<formula>", "eval")
    code = next(c for c in module.co_consts if isinstance(c, CodeType))
    inside = [name for program, _ in writer.means.values() for name in program.reads]
    reads, outside = frozenset([*writer.reads, *inside]), frozenset(writer.reads)
    return Program(source, code, writer.constants, writer.derivatives, reads, outside, writer.means)


def _is_constant_like(tree: t.Tree) -> bool:
    """Made of numbers and sizes only."""
    return not any(isinstance(n, (t.Entry, t.Index, t.Grad, t.Partial, t.Total)) for n in tree.walk())


@lru_cache(maxsize=4096)
def _mean(body: t.Tree, labels: frozenset[str]) -> tuple[str, Program, tuple[str, ...]]:
    """What stands in an expectation, compiled. Equal ones have one name, so that a page goes through its draws once."""
    parameters = tuple(sorted(i.name for i in free_indices(body)))
    return f"mean_{next(_numbers)}", compile_formula(body, parameters, labels), parameters


@dataclass
class _Writer:
    labels: frozenset[str] | set[str]
    constants: dict[str, Fraction] = field(default_factory=dict)
    derivatives: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    means: dict[str, tuple[Program, tuple[str, ...]]] = field(default_factory=dict)

    # -------------------------------------------------------------------------------------------- numbers

    def number(self, tree: t.Tree) -> str:
        value = constant(tree)
        if value is not None:
            return self.constant(value)
        match tree:
            case t.Size(name):
                return f"s_{identifier(name)}"
            case t.Index():
                return f"F({self.integer(tree)})"
            case t.Entry(name, subs):
                return f"F({self.integer(tree)})" if name in self.labels else self.entry(name, subs)
            case t.Add(terms):
                return "(" + "".join(self.term(term) for term in terms).removeprefix("+") + ")"
            case t.Neg(arg):
                return f"(-{self.number(arg)})"
            case t.Div(num, den) if not _is_constant_like(den):
                return f"({self.number(num)}/{self.number(den)})"
            case t.Mul() | t.Div():
                return self.product(tree)
            case t.Pow(base, exp):
                return self.power(base, exp)
            case t.Call(fn, args):
                return self.call(fn, args)
            case t.Sum(index, body):
                return f"vsum([{self.number(body)} {self.loop(index)}])"
            case t.SumTo(index, low, high, body):
                letter = f"i_{identifier(index.name)}"
                steps = f"range({self.integer(low)}, {self.integer(high)} + 1)"
                return f"vsum([{self.number(body)} for {letter} in {steps}])"
            case t.Extremum(fn, index, body):
                return f"v{fn}([{self.number(body)} {self.loop(index)}])"
            case t.Indicator() | t.Delta():
                return f"({self.constant(1)} if {self.guard(tree)} else {self.constant(0)})"
            case t.Cases(branches):
                return self.cases(branches)
            case t.Expect(body):
                return self.mean(body)
            case t.Grad(name, subs):
                table = derivative_table("g", (name,))
                self.derivatives[table] = (name,)
                return f"{table}[{self.subscripts(subs)}]"
            case t.Partial(of, wrt) | t.Total(of, wrt):
                kind = "p" if isinstance(tree, t.Partial) else "d"
                table = derivative_table(kind, (of.name, wrt.name))
                self.derivatives[table] = (of.name, wrt.name)
                return f"{table}[{self.subscripts(of.subs + wrt.subs)}]"
        raise EvaluationError(f"expected a number, got {type(tree).__name__}")

    def constant(self, value: Fraction | int) -> str:
        value = Fraction(value)
        name = f"c_{value.numerator}_{value.denominator}".replace("-", "m")
        self.constants[name] = value
        return name

    def entry(self, name: str, subs: tuple[t.Tree, ...]) -> str:
        self.reads.add(name)
        return f"t_{identifier(name)}[{self.subscripts(subs)}]"

    def subscripts(self, subs: tuple[t.Tree, ...]) -> str:
        return "".join(self.integer(s) + "," for s in subs) or "()"

    def term(self, term: t.Tree) -> str:
        if isinstance(term, t.Neg) and constant(term) is None:
            return "-" + self.number(term.arg)
        return "+" + self.number(term)

    def product(self, tree: t.Tree) -> str:
        """A product is 0 where one of its indicators is, whatever its other factors are there."""
        guards: list[t.Tree] = []
        top: list[t.Tree] = []
        bottom: list[t.Tree] = []
        sign = self.factors(tree, guards, top, bottom)
        numerator = "*".join(self.number(f) for f in top) or self.constant(1)
        text = f"({sign}{numerator}"
        if len(bottom) == 1:
            text += f"/{self.number(bottom[0])}"
        elif bottom:
            text += f"/({'*'.join(self.number(f) for f in bottom)})"
        if guards:
            guards.sort(key=lambda g: not self.is_cheap(g))  # integer conditions first: they guard the reads of others
            text += f" if {' and '.join(self.guard(g) for g in guards)} else {self.constant(0)}"
        return text + ")"

    def factors(self, tree: t.Tree, guards: list[t.Tree], top: list[t.Tree], bottom: list[t.Tree]) -> str:
        match tree:
            case t.Indicator() | t.Delta():
                guards.append(tree)
            case t.Mul(factors):
                signs = [self.factors(f, guards, top, bottom) for f in factors]
                return "-" * (signs.count("-") % 2)
            case t.Neg(arg) if constant(tree) is None:
                return "" if self.factors(arg, guards, top, bottom) else "-"
            # Any other denominator stays with its numerator: it may be 0, and 0/0 is no 0.
            case t.Div(num, den) if constant(tree) is None and _is_constant_like(den):
                bottom.append(den)
                return self.factors(num, guards, top, bottom)
            case _:
                top.append(tree)
        return ""

    def is_cheap(self, guard: t.Tree) -> bool:
        return not any(isinstance(n, t.Entry) and n.name not in self.labels for n in guard.walk())

    def power(self, base: t.Tree, exp: t.Tree) -> str:
        text = self.number(base)
        value = constant(exp)
        if value is not None and value.denominator == 1:
            return f"({text}**({value.numerator}))"
        if value == Fraction(1, 2):
            return f"sqrt({text})"
        if value == Fraction(-1, 2):
            return f"({self.constant(1)}/sqrt({text}))"
        if self.is_integer(exp):
            return f"({text}**({self.integer(exp)}))"
        return f"rpow({text}, {self.number(exp)})"

    def call(self, fn: str, args: tuple[t.Tree, ...]) -> str:
        if fn not in t.FUNCTIONS:
            raise EvaluationError(f"unknown function {fn}")
        python = {"abs": "fabs", "max": "vmax", "min": "vmin"}.get(fn, fn)
        return f"{python}({', '.join(self.number(a) for a in args)})"

    def mean(self, body: t.Tree) -> str:
        name, program, parameters = _mean(body, frozenset(self.labels))
        self.means[name] = program, parameters
        return f"{name}({', '.join('i_' + identifier(p) for p in parameters)})"

    def cases(self, branches: tuple[tuple[t.Tree | None, t.Tree], ...]) -> str:
        text = ""
        for condition, value in branches:
            if condition is None:
                return f"({text}{self.number(value)})"
            text += f"{self.number(value)} if {self.condition(condition)} else "
        return f"({text}no_branch())"

    def loop(self, index: t.Index) -> str:
        return f"for i_{identifier(index.name)} in range({self.integer(index.size)})"

    # ---------------------------------------------------------------------------- integers and conditions

    def is_integer(self, tree: t.Tree) -> bool:
        match tree:
            case t.Num(value):
                return Fraction(value).denominator == 1
            case t.Size() | t.Index():
                return True
            case t.Entry(name):
                return name in self.labels
            case t.Add() | t.Neg() | t.Mul():
                return all(self.is_integer(c) for c in tree.children())
            case t.Pow(base, t.Num(value)):
                return self.is_integer(base) and value.denominator == 1 and value >= 0
        return False

    def integer(self, tree: t.Tree) -> str:
        match tree:
            case t.Num(value) if Fraction(value).denominator == 1:
                return f"{value.numerator}" if value >= 0 else f"({value.numerator})"
            case t.Size(name):
                return f"n_{identifier(name)}"
            case t.Index(name):
                return f"i_{identifier(name)}"
            case t.Entry(name, subs) if name in self.labels:
                return self.entry(name, subs)
            case t.Add(terms):
                return "(" + "+".join(self.integer(term) for term in terms) + ")"
            case t.Neg(arg):
                return f"(-{self.integer(arg)})"
            case t.Mul(factors):
                return "(" + "*".join(self.integer(f) for f in factors) + ")"
            case t.Pow(base, t.Num(value)) if self.is_integer(tree):
                return f"({self.integer(base)}**{value.numerator})"
        raise EvaluationError(f"expected an integer formula of sizes and indices, got {type(tree).__name__}")

    def guard(self, tree: t.Tree) -> str:
        if isinstance(tree, t.Delta):
            return f"{self.integer(tree.left)}=={self.integer(tree.right)}"
        assert isinstance(tree, t.Indicator)
        return self.condition(tree.condition)

    def condition(self, tree: t.Tree) -> str:
        match tree:
            case t.Both(conditions):
                return "(" + " and ".join(self.condition(c) for c in conditions) + ")"
            case t.Relation(op, left, right):
                if self.is_integer(left) and self.is_integer(right):
                    return f"{self.integer(left)}{_PYTHON[op]}{self.integer(right)}"
                return f"{_CONDITIONS[op]}({self.number(left)}, {self.number(right)})"
        raise EvaluationError(f"expected a condition, got {type(tree).__name__}")


def compile_condition(tree: t.Tree, parameters: tuple[str, ...], labels: frozenset[str] | set[str]) -> Program:
    """Compile a condition to a program whose value is 1 or 0."""
    return compile_formula(t.Indicator(tree), parameters, labels)


def free_indices(tree: t.Tree) -> frozenset[t.Index]:
    """The indices that ``tree`` uses and does not bind."""
    match tree:
        case t.Index():
            return frozenset({tree})
        case t.Sum(index, body) | t.Extremum(_, index, body):
            return frozenset(i for i in free_indices(body) if i.name != index.name)
        case t.SumTo(index, low, high, body):
            inside = frozenset(i for i in free_indices(body) if i.name != index.name)
            return inside | free_indices(low) | free_indices(high)
    out: frozenset[t.Index] = frozenset()
    for child in tree.children():
        out |= free_indices(child)
    return out
