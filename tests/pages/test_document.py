r"""Where formulas are found in Markdown, and where none are."""

from __future__ import annotations

import pytest

from cs231n.pages.document import read_document
from cs231n.pages.errors import PageError, Source


def formulas(text: str) -> list[tuple[int | None, str]]:
    return [(f.display, f.snippet.tex.strip()) for f in read_document(Source("page.md", text)).formulas]


def test_displays_are_numbered_and_inlines_are_not() -> None:
    assert formulas("$$ a $$ text $b$\n\n$$\nc\n$$") == [(0, "a"), (None, "b"), (1, "c")]


@pytest.mark.parametrize(
    "text",
    [
        "```\n$$ a $$\n```",
        "```python\nprint('$a$')\n```",
        "~~~\n$$ a $$\n```\n$$ b $$\n~~~",
        "````\n```\n$$ a $$\n````",
        "text\n\n    $$ a $$\n\n    $b$\n",
        "`$a$` and ``$b` $c$``",
        "<!-- $$ a $$ -->",
        "<!-- note\n$$ a $$\n\n$b$ -->",
        "- item\n\n        $$ a $$",
        "- item\n\n    ```\n    $$ a $$\n    ```",
        '??? note "N"\n    ```\n    $a$\n    ```',
        r"it costs \$5 and \$6",
        "---\ntitle: $a$\n---\n",
    ],
)
def test_code_comments_and_prices_hold_no_formulas(text: str) -> None:
    assert formulas(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "- item\n\n    $$ a $$",
        "1. item\n\n    $$ a $$",
        "1. item\n   $$ a $$",
        '??? success "Solution"\n    $$ a $$',
        "!!! note\n\n    text\n\n    $$ a $$",
        '1. item\n\n    ??? success "Solution"\n\n        $$ a $$',
        "text\n    $$ a $$",
        "Note.[^1]\n\n[^1]: text\n\n    $$ a $$",
        "Term\n:   text\n\n    $$ a $$",
        "`code` $$ a $$ `code`",
        "<!-- $b$ --> $$ a $$",
        "`<!--` $$ a $$ `-->`",
        "a ` lonely tick\n\n$$ a $$ `",
        "```\ncode\n```\n$$ a $$",
        "x\n\n    code\n\ntext\n\n$$ a $$",
    ],
)
def test_lists_and_admonitions_hold_formulas(text: str) -> None:
    assert formulas(text) == [(0, "a")]


def test_the_tex_is_untouched_and_its_place_is_known() -> None:
    text = "one\n\n$$\n  a  \\\\\n  b\n$$\n"
    (formula,) = read_document(Source("page.md", text)).formulas
    assert formula.snippet.tex == "\n  a  \\\\\n  b\n"
    assert text[formula.snippet.start :].startswith(formula.snippet.tex)


def test_front_matter_is_text_with_its_place() -> None:
    document = read_document(Source("page.md", "---\ntitle: a\n---\n$b$"))
    assert document.front_matter is not None
    assert (document.front_matter.start, document.front_matter.tex) == (4, "title: a\n")
    assert read_document(Source("page.md", "text\n\n---\n\ntext")).front_matter is None


@pytest.mark.parametrize("text", ["$ a$", "$a $", "$", "a $b\n\nc$", "$$ a", "$$ a $ b $$"])
def test_what_is_not_closed_is_an_error(text: str) -> None:
    with pytest.raises(PageError):
        formulas(text)
