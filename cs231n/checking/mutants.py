"""Mutants of a claim: copies with one thing changed, which must all turn out false.

A check that would also accept the claim with a sign flipped is worth little. So each claim is changed at every
applicable place of both sides, and each copy must be refuted by numbers, or proved equivalent by the engine.

What is changed: a term, factor, root, exponent or expectation is dropped; a sign is flipped; a constant is raised by
one; an exponent is raised or negated; a condition is reversed; a size N becomes N − 1; an index becomes another one in
scope of the same size, or two subscripts of one size change places; a sum (or maximum) is removed, its index becoming
another one in scope (a sum whose index has no other of its size in scope stays). A sum up to a time begins or ends one
step earlier (at 1, if it began at 0), and the base of a recurrence is raised by one under a claim by induction. Inside
derivatives only the indices change.

Not made are changes that are none or that no page can hold: a factor 1 dropped, a change of what is multiplied by 0,
an index changed so that the side no longer has the free indices of the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial

from cs231n.checking.attack import Point, Trials, confirm, differ
from cs231n.checking.evaluate import DomainError, EvaluationError, OnKink
from cs231n.checking.formulas import constant, free_indices
from cs231n.checking.numbers import TooManyDraws
from cs231n.pages import tree as t
from cs231n.pages.show import name_to_text, to_text


@dataclass(frozen=True)
class Mutant:
    """A claim ``left = right`` with one change, described for people."""

    description: str
    left: t.Tree
    right: t.Tree


_Variant = tuple[str, t.Tree]
_Scope = tuple[t.Index, ...]
_ONE = t.Num(Fraction(1))
_DERIVATIVES = (t.Grad, t.Partial, t.Total)
_INDEX = ("index ", "indices ")  # how the descriptions of changed indices begin
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "!=", "!=": "="}


def mutants(statement: t.Statement, page: t.Page | None = None) -> list[Mutant]:
    """All mutants of a claim, without repetitions."""
    left, right = statement.left, statement.right
    if left is None or right is None:
        return []
    seen = {(left, right)}
    found: list[Mutant] = []

    def add(description: str, new_left: t.Tree, new_right: t.Tree) -> None:
        if (new_left, new_right) not in seen:
            seen.add((new_left, new_right))
            found.append(Mutant(description, new_left, new_right))

    # The sign of a whole side: of one side only, since -a = b and a = -b are the same; against 0 it says nothing.
    if constant(left) != 0 and constant(right) != 0:
        two = t.Num(Fraction(2))
        if isinstance(right, _DERIVATIVES):
            add("sign of the left side flipped", _negated(left), right)
            add("left side doubled", t.Mul((two, left)), right)
        else:
            add("sign of the right side flipped", left, _negated(right))
            add("right side doubled", left, t.Mul((two, right)))
        if not isinstance(right, (t.Add, t.Num)):
            add("right side dropped", left, t.Num(Fraction(0)))
    if constant(left) == 0:
        add("left side 0 → 1", _ONE, right)
    if constant(right) == 0:
        add("right side 0 → 1", left, _ONE)
    for description, new in _side(left, statement.free):
        add(description, new, right)
    for description, new in _side(right, statement.free):
        add(description, left, new)
    if page is not None:
        for description, new in _entries(left, page):
            add(description, new, right)
        for description, new in _entries(right, page):
            add(description, left, new)
    return found


def base_mutants(page: t.Page, statement: t.Statement) -> Iterator[tuple[str, t.Page]]:
    """For a claim by induction: the page with the base of each recurrence that the claim reads raised by one."""
    todo = [side for side in (statement.left, statement.right) if side is not None and statement.induction is not None]
    seen: set[str] = set()
    while todo:
        for part in todo.pop().walk():
            if not isinstance(part, t.Entry) or part.name in seen or part.name not in page.definitions:
                continue
            seen.add(part.name)
            line = page.definitions[part.name]
            todo.append(line.value)
            if line.time is None or not isinstance(line.value, t.Cases):
                continue
            (now, start), step = line.value.branches
            raised = _ONE if _is_zero(start) else t.Add((start, _ONE))
            changed = replace(line, value=t.Cases(((now, raised), step)))
            what = f"base of `{name_to_text(line.name)}` → `{to_text(raised)}`"
            yield what, replace(page, definitions={**page.definitions, line.name: changed})


def refute_mutants(page: t.Page, statement: t.Statement, trials: Trials) -> tuple[int, list[Mutant]]:
    """How many mutants of the claim fail at some point, and those that do not."""
    made = mutants(statement, page)
    survivors = [m for m in made if not refuted(m, statement, trials)]
    return len(made) - len(survivors), survivors


def refuted(mutant: Mutant, statement: t.Statement, trials: Trials) -> bool:
    """True if the mutant is false at a point of the statement, is defined nowhere, or reads outside a range."""
    if statement.left is None or statement.right is None:
        raise ValueError(f"expected a claim, got a {statement.kind}")
    if mutant.left is statement.left:
        changed, kept, side = mutant.right, trials.formulas.program(statement.left), "left"
    else:
        changed, kept, side = mutant.left, trials.formulas.program(statement.right), "right"
    try:
        new = trials.formulas.compile(changed)
    except EvaluationError:  # no formula at all, as a subscript that is no integer
        return True

    def differs(point: Point) -> bool:
        def both(digits: int) -> tuple[object, object]:
            return point.run(new, digits), point.value(side, kept, digits)

        return differ(point.run(new), point.value(side, kept)) and confirm(both) is not None

    defined = False
    for more in (False, True):
        for point in trials.points(statement, more=more):
            try:
                if differs(point):
                    return True
                defined = True
            except TooManyDraws:  # it may well have a value
                defined = True
            except OnKink:
                continue
            except DomainError:
                if _defined(statement, point, trials):  # the claim has a value here, and its mutant none
                    return True
            except EvaluationError:  # as a read outside the range of a tensor: the change does not go unnoticed
                return True
    return not defined


def _defined(statement: t.Statement, point: Point, trials: Trials) -> bool:
    assert statement.left is not None and statement.right is not None
    try:
        point.both(trials.formulas.program(statement.left), trials.formulas.program(statement.right))
    except EvaluationError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------- the changes


def _side(side: t.Tree, scope: _Scope) -> Iterator[_Variant]:
    free = free_indices(side)
    for description, new in _variants(side, scope):
        if not description.startswith(_INDEX) or free_indices(new) == free:
            yield description, new


def _variants(tree: t.Tree, scope: _Scope, only_indices: bool = False) -> Iterator[_Variant]:
    """All copies of ``tree`` with one change at or below it; ``scope`` are the indices that may be used there."""
    if not only_indices:
        yield from _here(tree, scope)
    if isinstance(tree, (t.Entry, t.Grad)):
        yield from _swaps(tree)
    only_indices = only_indices or isinstance(tree, _DERIVATIVES)
    inner = scope
    if isinstance(tree, (t.Sum, t.SumTo, t.Extremum)):
        inner = (*(i for i in scope if i.name != tree.index.name), tree.index)
    context = None if isinstance(tree, (t.Add, t.Mul, t.Div, t.Sum, t.SumTo, t.Neg)) else tree
    zero = isinstance(tree, (t.Mul, t.Div, t.Pow)) and _is_zero(tree)
    for child, rebuild in _children(tree):
        if zero and not _is_zero(child):
            continue
        if isinstance(child, t.Index):
            for index in inner:
                if index.size == child.size and index.name != child.name:
                    where = "" if context is None else f" in `{to_text(context)}`"
                    yield f"index `{child.name}` → `{index.name}`{where}", rebuild(index)
        else:
            for description, new in _variants(child, inner, only_indices):
                yield description, rebuild(new)


def _here(tree: t.Tree, scope: _Scope) -> Iterator[_Variant]:
    """The changes of this very node."""
    match tree:
        case t.Num(value):
            value = Fraction(value)
            new = Fraction(value.numerator + 1, value.denominator)
            yield f"constant {value} → {new}", replace(tree, value=new)
        case t.Size(name):
            yield f"size `{name}` → `{name} - 1`", t.Add((tree, t.Neg(t.Num(Fraction(1)))))
        case t.Add(terms):
            for k, term in enumerate(terms):
                if _is_zero(term):
                    continue
                rest = terms[:k] + terms[k + 1 :]
                yield f"term `{to_text(term)}` dropped", rest[0] if len(rest) == 1 else replace(tree, terms=rest)
                flipped = (*terms[:k], _negated(term), *terms[k + 1 :])
                yield f"sign of the term `{to_text(term)}` flipped", replace(tree, terms=flipped)
        case t.Neg(arg) if not _is_zero(arg):
            yield f"sign of `{to_text(tree)}` flipped", arg
        case t.Mul(factors):
            for k, factor in enumerate(factors):
                if factor == _ONE or (_is_zero(tree) and not _is_zero(factor)):
                    continue
                rest = factors[:k] + factors[k + 1 :]
                yield f"factor `{to_text(factor)}` dropped", rest[0] if len(rest) == 1 else replace(tree, factors=rest)
        case t.Div(num, den) if not _is_zero(num):
            if constant(num) is None and not isinstance(num, t.Mul):
                yield f"factor `{to_text(num)}` dropped from a numerator", replace(tree, num=t.Num(Fraction(1)))
            if not isinstance(den, t.Mul):
                yield f"denominator `{to_text(den)}` dropped", num
        case t.Pow(base, exp) if not _is_zero(base):
            yield f"exponent of `{to_text(tree)}` dropped", base
            yield f"exponent of `{to_text(tree)}` negated", replace(tree, exp=_negated(exp))
            if constant(exp) is None:
                yield f"exponent of `{to_text(tree)}` raised by 1", replace(tree, exp=t.Add((exp, t.Num(Fraction(1)))))
        case t.Call("sqrt", (arg,)):
            yield f"root of `{to_text(arg)}` dropped", arg
        case t.Relation(op):
            yield f"condition `{to_text(tree)}` reversed", replace(tree, op=_REVERSED[op])
        case t.Expect(body):
            yield f"expectation of `{to_text(body)}` dropped", body
            if isinstance(body, t.Pow):
                yield (
                    f"power taken of the expectation of `{to_text(body.base)}`",
                    replace(body, base=t.Expect(body.base)),
                )
        case t.SumTo(index, low, high, body):
            yield f"sum over `{index.name}` from `{to_text(_shifted(low))}`", replace(tree, low=_shifted(low))
            less = _less(high)
            yield f"sum over `{index.name}` up to `{to_text(less)}`", replace(tree, high=less)
            if index not in free_indices(body):
                yield f"sum over `{index.name}` removed", body
            for other in scope:
                if other.size == index.size and other.name != index.name:
                    yield (
                        f"sum over `{index.name}` removed, `{index.name}` → `{other.name}`",
                        _renamed(body, index, other),
                    )
        case t.Sum(index, body) | t.Extremum(_, index, body):
            if isinstance(tree, t.Sum):
                yield f"sum over `{index.name}` → mean", t.Div(tree, index.size)
            what = "sum" if isinstance(tree, t.Sum) else "extremum"
            if index not in free_indices(body):
                yield f"{what} over `{index.name}` removed", body
            for other in scope:
                if other.size == index.size and other.name != index.name:
                    new_body = _renamed(body, index, other)
                    yield f"{what} over `{index.name}` removed, `{index.name}` → `{other.name}`", new_body


def _entries(tree: t.Tree, page: t.Page) -> Iterator[_Variant]:
    """Each entry squared, and each of a declared tensor replaced by that of another of the same shape."""
    tensors = page.declarations.tensors
    if isinstance(tree, t.Grad) or (isinstance(tree, t.Entry) and tree.name not in page.declarations.labels):
        yield f"`{to_text(tree)}` squared", t.Pow(tree, t.Num(Fraction(2)))
    if isinstance(tree, t.Entry) and tree.subs and tree.name in tensors:
        for other in tensors.values():
            if other.name != tree.name and other.shape == tensors[tree.name].shape:
                yield f"`{to_text(tree)}` → `{name_to_text(other.name)}`", replace(tree, name=other.name)
    if not isinstance(tree, (*_DERIVATIVES, t.Entry)):
        for child, rebuild in _children(tree):
            for description, new in _entries(child, page):
                yield description, rebuild(new)


def _is_zero(tree: t.Tree) -> bool:
    """True for what is 0 by the way it is written: 0, 0 · x, 0² …"""
    match tree:
        case t.Num(value):
            return value == 0
        case t.Neg(arg) | t.Div(arg, _):
            return _is_zero(arg)
        case t.Mul(factors):
            return any(map(_is_zero, factors))
        case t.Pow(base, exp):
            power = constant(exp)
            return _is_zero(base) and power is not None and power > 0
    return False


def _less(tree: t.Tree) -> t.Tree:
    """One less, as people write it: T for T + 1, t − 2 for t − 1."""
    terms = tree.terms if isinstance(tree, t.Add) else (tree,)
    number = Fraction(-1)
    rest: list[t.Tree] = []
    for term in terms:
        value = constant(term)
        if value is None:
            rest.append(term)
        else:
            number += value
    if number or not rest:
        rest.append(t.Num(number) if number >= 0 else t.Neg(t.Num(-number)))
    return rest[0] if len(rest) == 1 else t.Add(tuple(rest))


def _shifted(low: t.Tree) -> t.Tree:
    """Another first time: 1 for 0, and one earlier than any other."""
    return _ONE if constant(low) == 0 else _less(low)


def _negated(tree: t.Tree) -> t.Tree:
    if isinstance(tree, t.Neg):
        return tree.arg
    return t.Num(-tree.value) if isinstance(tree, t.Num) else t.Neg(tree)


def _swaps(tree: t.Entry | t.Grad) -> Iterator[_Variant]:
    subs = tree.subs
    for b in range(len(subs)):
        for a in range(b):
            first, second = subs[a], subs[b]
            if isinstance(first, t.Index) and isinstance(second, t.Index) and first.size == second.size:
                swapped = [*subs]
                swapped[a], swapped[b] = second, first
                what = f"`{first.name}` and `{second.name}` exchanged in `{to_text(tree)}`"
                yield f"indices {what}", replace(tree, subs=tuple(swapped))


def _renamed(tree: t.Tree, index: t.Index, other: t.Index) -> t.Tree:
    """``tree`` with every free ``index`` replaced by ``other``."""
    if isinstance(tree, t.Index):
        return other if tree == index else tree
    if isinstance(tree, (t.Sum, t.SumTo, t.Extremum)) and tree.index.name == index.name:
        return tree
    for k in range(sum(1 for _ in _children(tree))):
        child, rebuild = list(_children(tree))[k]  # of the tree as changed so far
        tree = rebuild(_renamed(child, index, other))
    return tree


def _children(tree: t.Tree) -> Iterator[tuple[t.Tree, Callable[[t.Tree], t.Tree]]]:
    """The parts of a formula that may change, each with a function that puts another in its place.

    Not among them: the index that a sum binds, and the range of an index.
    """
    if isinstance(tree, t.Index):
        return
    for f in fields(tree):
        value = getattr(tree, f.name)
        if f.name == "index" and isinstance(tree, (t.Sum, t.SumTo, t.Extremum)):
            continue
        if f.name in ("low", "high") and isinstance(tree, t.SumTo):
            continue  # these have changes of their own
        for part, put in _parts(value):
            yield part, partial(_put, tree, f.name, put)


def _put(tree: t.Tree, field: str, put: Callable[[t.Tree], object], new: t.Tree) -> t.Tree:
    return replace(tree, **{field: put(new)})  # type: ignore[arg-type]


def _parts(value: object) -> Iterator[tuple[t.Tree, Callable[[t.Tree], object]]]:
    if isinstance(value, t.Tree):
        yield value, lambda new: new
    elif isinstance(value, tuple):
        for k, item in enumerate(value):
            for part, put in _parts(item):
                yield part, partial(_put_item, value, k, put)


def _put_item(items: tuple[object, ...], k: int, put: Callable[[t.Tree], object], new: t.Tree) -> tuple[object, ...]:
    return (*items[:k], put(new), *items[k + 1 :])
