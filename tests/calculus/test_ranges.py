"""Ranges, captures and names: what a page can hardly write, but the engine must still get right."""

from __future__ import annotations

from cs231n.calculus import rules
from cs231n.calculus.algebra import UNIT, Base, Poly, Var
from cs231n.calculus.rewriting import substitute
from cs231n.calculus.system import Defined, System
from cs231n.checking.verify import Checker
from cs231n.pages import parse_page

N, M = rules.size("N"), rules.size("M")
I, K, J = Var("i", N), Var("k", N), Var("j", M)


def at(v: Var) -> Poly:
    return rules.variable(v)


def summed(over: Var, body) -> Poly:
    v = rules.fresh(over)
    return rules.sum_over(body(at(v)), v)


def test_a_named_quantity_keeps_the_guard_of_its_range() -> None:
    named = Base("q", (N,), zero_outside=False, generic=False)
    guard = rules.in_range(at(I) + N - at(K), N)
    assert rules.multiply(guard, rules.entry(named, (at(I) + N - at(K),))).atoms() > guard.atoms()


def test_a_declared_tensor_absorbs_it() -> None:
    declared = Base("x", (N,))
    place = at(I) + N - at(K)
    assert rules.multiply(rules.in_range(place, N), rules.entry(declared, (place,))) == rules.entry(declared, (place,))


def test_a_guard_of_another_axis_stays() -> None:
    declared = Base("x", (M,))
    place = at(I) + N - at(K)
    guard = rules.in_range(place, N)
    assert rules.multiply(guard, rules.entry(declared, (place,))).atoms() > guard.atoms()


def test_opening_a_name_out_of_range_brings_its_guard() -> None:
    system = System()
    v = rules.fresh(I)
    base = Base("q", (N,), zero_outside=False, generic=False)
    system.define(Defined(base, (v,), UNIT))
    place = at(I) + N - at(K)
    assert system.unfold(system.entry("q", (place,)), "q") == rules.in_range(place, N)
    assert system.unfold(system.entry("q", (at(I),)), "q") == UNIT


def test_a_bound_index_is_never_captured() -> None:
    a = Base("A", (N, N))
    rows = summed(I, lambda i: rules.entry(a, (i, at(K))))
    (atom,) = rows.atoms()
    (bound,) = atom.bound
    put = substitute(rows, {K: at(bound)})
    assert put != summed(I, lambda i: rules.entry(a, (i, i)))
    assert bound in put.free


def test_an_index_is_its_name_and_its_range() -> None:
    assert Var("k", N) is not Var("k", M)
    assert Var("k", N) is K


def test_letters_do_not_matter() -> None:
    a = Base("A", (N, N))
    left = summed(I, lambda i: summed(K, lambda k: rules.entry(a, (i, k))))
    right = summed(K, lambda k: summed(I, lambda i: rules.entry(a, (i, k))))
    assert left == right


def test_a_sum_over_nothing_is_not_positive() -> None:
    page = parse_page(
        "---\ntitle: t\ndescription: d\nsizes: {P: {means: padding, least: 0}, N: rows}\n"
        "indices: {p q: P, i: N}\ntensors: {g: [P], u: [N]}\n---\n\n"
        r"$$ \mathbf 1[\sum_p \exp(g_p) > 0] = 1 $$"
        "\n\n"
        r"$$ \mathbf 1[\sum_i \exp(u_i) > 0] = 1 $$"
    )
    checker = Checker(page, mutate=False)
    padding, rows = page.statements
    assert not checker.prove(padding, padding.left, padding.right).proved  # type: ignore[arg-type]
    assert checker.prove(rows, rows.left, rows.right).proved  # type: ignore[arg-type]
