"""Every page of the book against the NumPy code it speaks of: ``pytest tests/test_code.py -k batchnorm``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec

import pytest

from cs231n.checking.compare import Check, Difference, checks
from cs231n.checking.symbolic import Mismatch
from cs231n.pages import PageError, book_pages, book_root, read_page
from cs231n.pages.tree import Page

CONCEPTS = ("layers", "losses", "optim", "classifiers", "generative", "visualization")


@cache
def page(name: str) -> Page | PageError:
    try:
        return read_page(book_root() / name)
    except PageError as error:
        return error


def marks(name: str, check: Check) -> list[pytest.MarkDecorator]:
    found = [pytest.mark.xdist_group(name)]
    if check.needs == "torch":
        found.append(pytest.mark.torch)
    elif check.needs is not None and find_spec(check.needs) is None:
        found.append(pytest.mark.skip(reason=f"{check.needs} is not installed (pip install -e '.[test]')"))
    return found


def items() -> Iterator[object]:
    """One item for each comparison, called ``layers/batchnorm.md code dx``."""
    for path in book_pages():
        name = path.relative_to(book_root()).as_posix()
        read = page(name)
        if isinstance(read, PageError):
            yield pytest.param(read, id=f"{name} cannot be read", marks=pytest.mark.xdist_group(name))
            continue
        for check in checks(read):
            yield pytest.param(check.run, id=check.name, marks=marks(name, check))


@pytest.mark.parametrize("run", list(items()))
def test_page_and_code_agree(run: Callable[[], object] | PageError) -> None:
    if isinstance(run, PageError):
        pytest.fail(str(run), pytrace=False)
    try:
        run()
    except (Difference, Mismatch) as difference:
        pytest.fail(str(difference), pytrace=False)


@pytest.mark.parametrize(
    "name", [p.relative_to(book_root()).as_posix() for p in book_pages() if p.parent.name in CONCEPTS]
)
def test_a_concept_page_speaks_of_its_code(name: str) -> None:
    read = page(name)
    if isinstance(read, PageError):
        pytest.fail(str(read), pytrace=False)
    module = "cs231n." + name.removesuffix(".md").replace("/", ".")
    assert any(call["call"].startswith(module + ".") for call in read.declarations.code)
