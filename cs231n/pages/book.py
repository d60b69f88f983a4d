"""Where the book is, and which of its files are pages with something to check."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from cs231n.pages.document import read_document
from cs231n.pages.errors import PageError, Source
from cs231n.pages.frontmatter import load
from cs231n.pages.layout import lay_out
from cs231n.pages.page import parse_page
from cs231n.pages.tree import Page

#: The families in reading order; a page of none of them comes last.
FAMILIES = ("foundations", "layers", "losses", "optim", "classifiers", "generative", "visualization")


def book_root() -> Path:
    """The folder of the pages: ``docs/`` of the checkout in which the package lies, else the copy in the wheel."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    if (checkout / "mkdocs.yml").is_file() and (checkout / "docs").is_dir():
        return checkout / "docs"
    return package / "_book"


def read_page(path: str | Path) -> Page:
    """Read a page from its file.

    Raises:
        PageError: what is wrong with it, and where.
        OSError: there is no such file.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as wrong:
        raise PageError(str(path), 1, 1, f"the file is not UTF-8 text ({wrong.reason} at byte {wrong.start})") from None
    return _parsed(text, str(path), page_id(path))


@lru_cache(maxsize=128)
def _parsed(text: str, path: str, page: str) -> Page:
    """A page is read by its renderer and by its checker; the second finds it here."""
    return parse_page(text, path, page)


def page_id(path: Path) -> str:
    """``layers/batchnorm`` for a page of the book, the bare name for any other file."""
    full, root = path.resolve(), book_root().resolve()
    if full.is_relative_to(root):
        return full.relative_to(root).with_suffix("").as_posix()
    return path.stem


def find_page(name: str) -> Path:
    """The file of ``batchnorm`` (where the bare name is unique), ``layers/batchnorm`` or ``some/file.md``.

    Raises:
        ValueError: no page has that name, or several have.
    """
    path = Path(name)
    if path.suffix == ".md":
        if path.is_file():
            return path
        if (book_root() / path).is_file():
            return book_root() / path
        raise ValueError(f"there is no file {name}")
    root = book_root()
    if (root / f"{name}.md").is_file():
        return root / f"{name}.md"
    pages = book_pages()
    found = [page for page in pages if page.stem == name] if "/" not in name else []
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(page_id(page) for page in found)
        raise ValueError(f"{name} is the name of several pages: {ids}")
    ids = ", ".join(page_id(page) for page in pages)
    raise ValueError(f"there is no page {name}; the pages are {ids}")


def book_pages() -> list[Path]:
    """All pages of the book that declare or state something, in reading order."""
    root = book_root()
    order = _navigation(root)
    pages = [path for path in root.rglob("*.md") if _states_something(path)]

    def place(path: Path) -> tuple[int, int, str]:
        name = path.relative_to(root).as_posix()
        family = name.split("/")[0]
        listed = order.index(name) if name in order else len(order)
        return listed, FAMILIES.index(family) if family in FAMILIES else len(FAMILIES), name

    return sorted(pages, key=place)


def _navigation(root: Path) -> list[str]:
    """The files in the order of the site's navigation, where its configuration is at hand."""
    config = root.parent / "mkdocs.yml"
    if not config.is_file():
        return []
    return re.findall(r"([\w./-]+\.md)\b", config.read_text(encoding="utf-8"))


def _states_something(path: Path) -> bool:
    try:
        source = Source(str(path), path.read_text(encoding="utf-8"))
        document = read_document(source)
        if document.front_matter and _DECLARING & set(load(document.front_matter).value):
            return True
        return any(f.display is not None or lay_out(f.snippet, inline=True).chains for f in document.formulas)
    except (PageError, UnicodeDecodeError):
        return True  # so that reading it shows what is wrong


_DECLARING = {"sizes", "tensors", "scalars", "labels", "indices", "output", "outputs", "assume", "code"}
