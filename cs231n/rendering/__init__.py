"""Turns the pages of the book into HTML: MathML, verdict badges, computational graphs, code listings.

These are Python-Markdown extensions, so any builder that runs Python-Markdown can use them; nothing here is a
hook of MkDocs. Name ``cs231n.rendering`` among the Markdown extensions, after ``pymdownx.arithmatex``.
"""

from typing import Any

from cs231n.rendering.extension import BookExtension

__all__ = ["BookExtension", "makeExtension"]


def makeExtension(**options: Any) -> BookExtension:
    """What Python-Markdown calls for ``cs231n.rendering`` in its list of extensions."""
    return BookExtension(**options)
