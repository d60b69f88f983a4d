"""Finding the book and its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from cs231n.pages import book, book_pages, book_root, find_page, read_page

PAGE = "---\nsizes: {N: a}\nindices: {i: N}\ntensors: {x: [N]}\n---\n# T\n\n$$ x_i = x_i $$\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of its own, beside a package that is only a folder."""
    for name, text in {
        "docs/losses/one.md": PAGE,
        "docs/layers/two.md": PAGE,
        "docs/layers/three.md": PAGE,
        "docs/layers/one.md": PAGE,
        "docs/about.md": "# Words\n\nOnly words, and the size $N$.\n",
        "docs/theory.md": "# Claims\n\n$$ 1 + 1 = 2 $$\n",
        "docs/broken.md": "---\nsizes: [N]\n---\n",
        "mkdocs.yml": "nav:\n  - layers/three.md\n  - Two: layers/two.md\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(book, "__file__", str(tmp_path / "cs231n" / "pages" / "book.py"))
    return tmp_path


def test_the_checkout_comes_before_the_copy(shelf: Path) -> None:
    assert book_root() == shelf / "docs"
    (shelf / "mkdocs.yml").unlink()
    assert book_root() == shelf / "cs231n" / "_book"


def test_pages_in_reading_order(shelf: Path) -> None:
    names = [path.relative_to(shelf / "docs").as_posix() for path in book_pages()]
    assert names == ["layers/three.md", "layers/two.md", "layers/one.md", "losses/one.md", "broken.md", "theory.md"]


def test_find_page(shelf: Path) -> None:
    docs = shelf / "docs"
    assert find_page("two") == docs / "layers" / "two.md"
    assert find_page("layers/one") == docs / "layers" / "one.md"
    assert find_page("layers/one.md") == docs / "layers" / "one.md"
    assert find_page(str(docs / "about.md")) == docs / "about.md"
    assert find_page("about") == docs / "about.md"
    with pytest.raises(ValueError, match="several pages: layers/one, losses/one"):
        find_page("one")
    with pytest.raises(ValueError, match="no page four; the pages are layers/three"):
        find_page("four")
    with pytest.raises(ValueError, match=r"no file four\.md"):
        find_page("four.md")


def test_a_page_of_the_book_is_named_by_its_family(shelf: Path) -> None:
    assert read_page(shelf / "docs" / "layers" / "two.md").id == "layers/two"


@pytest.mark.parametrize("path", book_pages(), ids=lambda path: path.relative_to(book_root()).as_posix())
def test_every_page_of_this_book_is_read(path: Path) -> None:
    page = read_page(path)
    assert [display.number for display in page.displays] == list(range(len(page.displays)))
