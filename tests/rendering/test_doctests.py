"""An example in a docstring is a listing, not a quotation."""

from __future__ import annotations

import pytest
from markdown import Markdown

from cs231n.rendering import BookExtension


def render(text: str) -> str:
    return Markdown(extensions=["pymdownx.highlight", "pymdownx.superfences", BookExtension()]).convert(text)


@pytest.mark.parametrize("after", ["", "\n\nMore words."])
def test_an_example_becomes_a_listing(after: str) -> None:
    html = render(f"Words.\n>>> 1 + 1\n2\n>>> 'a' < 'b'  # and more\nTrue{after}")
    assert "blockquote" not in html
    assert html.count('<div class="highlight"') == 1
    assert "<p>Words.</p>" in html and ("<p>More words.</p>" in html) == bool(after)
    assert "pycon" not in html.partition("<code>")[2]  # no fence is left in the text


def test_two_examples_are_two_listings() -> None:
    assert render(">>> 1\n1\n\nand\n\n>>> 2\n2").count('<div class="highlight"') == 2


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_what_is_fenced_already_stays(fence: str) -> None:
    html = render(f"{fence}pycon\n>>> 1\n1\n\n>>> 2\n2\n{fence}\n\nWords.")
    assert html.count('<div class="highlight"') == 1
    assert "```" not in html and "~~~~" not in html


def test_a_quotation_stays_one() -> None:
    assert "<blockquote>" in render("> He said so.")
