"""Every statement of the book, each its own item: ``pytest -m derivation -k batchnorm``."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from cs231n.checking.verdicts import PageResult, StatementResult
from cs231n.checking.verify import check_page
from cs231n.pages import PageError, book_pages, book_root, read_page
from cs231n.pages.tree import Grad, Num, Page, Size, Statement, Total

FAMILIES = ("layers", "losses", "optim", "classifiers", "generative", "visualization")


@cache
def page(name: str) -> Page | PageError:
    try:
        return read_page(book_root() / name)
    except PageError as error:
        return error


@cache
def checked(name: str) -> PageResult:
    """The verdicts on a page; its statements share this one run."""
    read = page(name)
    if isinstance(read, PageError):
        pytest.fail(str(read), pytrace=False)
    return check_page(read)


def on_pages() -> Iterator[ParameterSet]:
    for path in book_pages():
        name = path.relative_to(book_root()).as_posix()
        yield pytest.param(name, id=name)


def statements() -> Iterator[ParameterSet]:
    """One item for each claim, mistake and unchecked relation, called ``layers/batchnorm.md:57 dx``."""
    for path in book_pages():
        name = path.relative_to(book_root()).as_posix()
        read = page(name)
        if isinstance(read, PageError):
            yield pytest.param(name, -1, id=f"{name} cannot be read")
            continue
        taken: dict[str, int] = {}
        for number, statement in enumerate(read.statements):
            if statement.kind == "definition":
                continue
            label = f"{name}:{statement.line} {statement.anchor or statement.kind}"
            taken[label] = taken.get(label, 0) + 1
            if taken[label] > 1:
                label += f" {taken[label]}"
            yield pytest.param(name, number, id=label)


@pytest.mark.derivation
@pytest.mark.parametrize(("name", "number"), list(statements()))
def test_statement(name: str, number: int) -> None:
    result = checked(name)
    if result.error is not None:
        pytest.fail(result.error, pytrace=False)
    statement = result.statements[number]
    if not statement.ok:
        pytest.fail(f"docs/{name}:{statement.line}: {complaint(statement)}", pytrace=False)
    if statement.kind == "claim":
        read = page(name)
        assert isinstance(read, Page)
        enough_mutants(name, read.statements[number], statement)
        assert (statement.sizes == "fixed") == fixes_a_size(read.statements[number])


def complaint(statement: StatementResult) -> str:
    return f"{statement.kind} {statement.verdict}: {statement.message}\n{statement.latex}\n{statement.counterexample}"


def enough_mutants(name: str, statement: Statement, result: StatementResult) -> None:
    """A claim of which no altered copy is refuted says nothing; a gradient says more than "it is proportional to"."""
    sides = (statement.left, statement.right)
    gradient = any(isinstance(side, Grad) for side in sides)
    # "dx = 0" and "dL/dx = dH/dx" have hardly a site to change
    formula = any(not isinstance(side, Grad | Total | Num) for side in sides)
    least = 5 if gradient and formula else 1
    assert result.mutants_refuted >= least, (
        f"docs/{name}:{statement.line}: only {result.mutants_refuted} of {result.mutants} mutants refuted, "
        f"need {least}: {statement.latex}"
    )


@pytest.mark.derivation
@pytest.mark.parametrize("name", list(on_pages()))
def test_the_verdicts_are_those_of_the_page(name: str) -> None:
    """No statement is lost between reading and judging."""
    read = page(name)
    if isinstance(read, PageError):
        pytest.fail(str(read), pytrace=False)
    assert [(s.kind, s.line, s.latex) for s in checked(name).statements] == [
        (s.kind, s.line, s.latex) for s in read.statements
    ]


def fixes_a_size(statement: Statement) -> bool:
    """Is it claimed "for N = 3" only? A condition such as "for S = V" leaves all sizes open."""
    conditions = [c for case in statement.cases for c in case.conditions]
    return any(isinstance(c.left, Size) and c.op == "=" and isinstance(c.right, Num) for c in conditions)


@pytest.mark.parametrize("family", [*FAMILIES, "the whole book"])
def test_nearly_everything_is_claimed_for_all_sizes(family: str) -> None:
    """At least 95 % of the displayed relations; that each claim is proved is said by the items above."""
    pages = [page(path.relative_to(book_root()).as_posix()) for path in book_pages()]
    displayed = [
        statement
        for read in pages
        if isinstance(read, Page) and (family == "the whole book" or read.id.startswith(f"{family}/"))
        for statement in read.statements
        if statement.display is not None and statement.kind in ("claim", "unchecked")
    ]
    exceptions = [s for s in displayed if s.kind == "unchecked" or fixes_a_size(s)]
    assert len(exceptions) <= 0.05 * len(displayed), [f"{s.line}: {s.latex}" for s in exceptions]


@pytest.mark.derivation
@pytest.mark.parametrize("name", list(on_pages()))
def test_a_concept_page_tells_at_least_two_mistakes(name: str) -> None:
    read = page(name)
    if Path(name).parts[0] in FAMILIES and isinstance(read, Page):
        mistakes = [s for s in read.statements if s.kind == "mistake"]
        assert len(mistakes) >= 2


def test_the_book_is_found() -> None:
    names = {path.relative_to(book_root()).as_posix() for path in book_pages()}
    concepts = {"layers/affine.md", "layers/relu.md", "layers/batchnorm.md", "layers/dropout.md", "losses/softmax.md"}
    assert concepts <= names
