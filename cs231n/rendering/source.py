"""The one place that knows how a builder tells which file is being rendered.

MkDocs strips the front matter before any Markdown extension runs, so an extension that needs it must read the
file again. MkDocs hands the file to its own tree processor ``relpath``; another builder or a test sets
``md.book_source`` instead.
"""

from __future__ import annotations

from pathlib import Path

from markdown import Markdown


def source_path(md: Markdown) -> Path | None:
    """The Markdown file being rendered, or None for text without one (a docstring, a fragment)."""
    given = getattr(md, "book_source", None)
    if given is not None:
        return Path(given)
    # mkdocs.structure.pages registers its processor under this name for every page it renders.
    # mkdocstrings hands it on to the Markdown of docstrings, which it marks by processors of its own.
    if "relpath" not in md.treeprocessors or "mkdocstrings_ids" in md.treeprocessors:
        return None
    path = getattr(getattr(md.treeprocessors["relpath"], "file", None), "abs_src_path", None)
    return Path(path) if path else None
