"""What the README and the pages show as Python runs, in one namespace for each document, top to bottom.

A page prepares names that its reader already has in mind in an HTML comment that no reader sees::

    <!-- invisible-code-block: python
    x = np.random.default_rng(0).normal(size=(5, 3))
    -->

A ``python`` fence is run; a ``pycon`` fence is a doctest. An example that is meant to fail says so with
``<!-- skip: next "a reason" -->``. One that needs PyTorch or JAX says so on the line before, ``<!-- torch -->`` or
``<!-- jax -->``: it runs in a second test of the document, which carries the marker of that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sybil import Document
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.example import Example
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.typing import Parser

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: how people open a fence of Python, right or wrong
FENCE = re.compile(r"^[ \t]*(?:```+|~~~+) *\{?\.?(?:py|python3?|pycon)\b[^\n]*$", re.MULTILINE | re.IGNORECASE)

#: what may stand on the line before a fence
FRAMEWORK = re.compile(r"<!-- (torch|jax) -->\s*\Z")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def run_pycon(example: Example) -> str | None:
    """A ``pycon`` fence: each ``>>>`` of it in turn; a wrong answer raises."""
    for region in DocTestStringParser(DocTestEvaluator())(example.parsed, example.path):
        inner = Example(example.document, example.line, example.column, region, example.namespace)
        inner.evaluate()
    return None


PARSERS: list[Parser] = [PythonCodeBlockParser(), CodeBlockParser("pycon", run_pycon), SkipParser()]


def read(text: str, path: str) -> Document:
    document = Document(text, path)
    for parser in PARSERS:
        for region in parser(document):
            document.add(region)
    return document


def framework_of(example: Example) -> str | None:
    match = FRAMEWORK.search(example.document.text, 0, example.start)
    return match and match[1]


def runs() -> Iterator[object]:
    """Each document by itself, and once more with each framework that it uses."""
    for path in DOCUMENTS:
        yield pytest.param(path, None, id=name_of(path))
        text = path.read_text(encoding="utf-8")
        for framework in ("torch", "jax"):
            if f"<!-- {framework} -->" in text:
                mark = getattr(pytest.mark, framework)
                yield pytest.param(path, framework, id=f"{name_of(path)} {framework}", marks=mark)


@pytest.mark.parametrize(("path", "framework"), list(runs()))
def test_the_python_of_a_document_runs(path: Path, framework: str | None) -> None:
    document = read(path.read_text(encoding="utf-8"), str(path))
    document.namespace["np"] = np
    for example in document.examples():
        if framework_of(example) in (None, framework):
            example.evaluate()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_each_mark_of_a_framework_belongs_to_a_fence(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    marked = [example for example in read(text, str(path)).examples() if framework_of(example)]
    assert len(marked) == len(re.findall(r"<!--\s*(?:torch|pytorch|jax)\b", text, re.IGNORECASE))


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_no_fence_of_python_is_overlooked(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        assert re.fullmatch(r"\s*(```+|~~~+)(python|pycon)", match.group()), f"{name_of(path)}:{line}: would not be run"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_no_hidden_test_shows_on_the_page(path: Path) -> None:
    """Inside of a list or a solution, Markdown prints a comment of several lines as text."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        assert not re.match(r" +<!--(?!.*-->)", line), f"{name_of(path)}:{number}: put it behind the list"


def test_a_wrong_pycon_fence_fails() -> None:
    (example,) = read("```pycon\n>>> 1 + 1\n3\n```\n", "page.md").examples()
    with pytest.raises(AssertionError, match="Expected"):
        example.evaluate()


def test_the_page_in_the_readme_is_proved(tmp_path: Path) -> None:
    from cs231n.checking.verify import check_page
    from cs231n.pages import read_page

    fence = re.search(r"^```markdown\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert fence is not None
    mine = tmp_path / "mine.md"
    mine.write_text(fence.group(1), encoding="utf-8")
    result = check_page(read_page(mine))
    assert result.ok, result
    assert [statement.kind for statement in result.statements] == ["definition", "claim", "mistake"]


def test_links_of_the_readme_lead_somewhere() -> None:
    """On GitHub, where README is read; the links inside the pages are checked by the strict build."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_commands_of_the_readme_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("pip install -e '.[docs]'", "pip install -e '.[test]'"):
        assert command in README
        assert command in ci
