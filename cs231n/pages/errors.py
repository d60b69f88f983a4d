"""What is wrong with a page, and where: every complaint names file, line, column and the piece."""

from __future__ import annotations

from dataclasses import dataclass


class PageError(ValueError):
    """A page says something that cannot be read, or that nobody should have to guess.

    Attributes:
        file: the page, as it was named to the reader.
        line: line in the file, from 1.
        column: column in that line, from 1.
        message: what is wrong and what to write instead.
        piece: the text that is wrong, as it stands on the page.
    """

    def __init__(self, file: str, line: int, column: int, message: str, piece: str = "") -> None:
        self.file, self.line, self.column, self.message, self.piece = file, line, column, message, piece
        shown = f": `{piece}`" if piece else ""
        super().__init__(f"{file}:{line}:{column}: {message}{shown}")

    def __reduce__(self) -> tuple:  # pages are checked in worker processes, and errors travel back
        return type(self), (self.file, self.line, self.column, self.message, self.piece)


@dataclass(frozen=True)
class Source:
    """The text of a page. It turns character offsets into lines and columns."""

    path: str
    text: str

    def line(self, offset: int) -> int:
        return self.text.count("\n", 0, offset) + 1

    def error(self, offset: int, message: str, piece: str = "") -> PageError:
        offset = max(0, min(offset, len(self.text)))
        column = offset - self.text.rfind("\n", 0, offset)
        return PageError(self.path, self.line(offset), column, message, " ".join(piece.split()))


@dataclass(frozen=True)
class Snippet:
    """A formula on the page: ``tex`` begins at ``start`` in the file. Offsets in it count from its own beginning."""

    source: Source
    start: int
    tex: str

    def error(self, message: str, start: int, end: int | None = None) -> PageError:
        piece = self.tex[start:] if end is None else self.tex[start:end]
        return self.source.error(self.start + start, message, piece.strip())
