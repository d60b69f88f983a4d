"""What a check says of a page, for the command line, the site and the tests."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

#: What each kind of statement must come out as.
EXPECTED = {"definition": "defined", "claim": "proved", "mistake": "refuted", "unchecked": "unchecked"}


@dataclass
class StatementResult:
    """The verdict on one relation sign.

    Attributes:
        kind: 'definition', 'claim', 'mistake' or 'unchecked'.
        line: the line of the page it stands on.
        latex: its TeX.
        display: the number of its ``$$ … $$`` on the page, from 0; None for an inline relation.
        anchor: its permanent name.
        verdict: 'proved', 'refuted', 'undecided', 'unchecked' or 'defined'.
        sizes: 'all', or 'fixed' if it is claimed at fixed sizes only.
        hypotheses: what it rests on, in words.
        seconds: how long attack, proof and mutants took.
        mutants: how many mutants were tried.
        mutants_refuted: how many of them a number refutes.
        mutants_equivalent: those that are proved to say the same, in words.
        counterexample: where the two sides differ, if they do.
        message: why it is undecided, or what is wrong.
    """

    kind: str
    line: int
    latex: str
    display: int | None = None
    anchor: str | None = None
    verdict: str = "undecided"
    sizes: str = "all"
    hypotheses: list[str] = field(default_factory=list)
    seconds: float = 0.0
    mutants: int = 0
    mutants_refuted: int = 0
    mutants_equivalent: list[str] = field(default_factory=list)
    counterexample: dict[str, Any] | None = None
    message: str = ""

    @property
    def ok(self) -> bool:
        """Is it what the page says it is, with no mutant left over?"""
        return self.verdict == EXPECTED[self.kind] and not self.message


@dataclass
class PageResult:
    """The verdicts on a page, in the order of the page; ``error`` if it could not be read."""

    page: str
    path: str
    statements: list[StatementResult]
    error: str | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None and all(s.ok for s in self.statements)

    def to_json(self) -> dict[str, Any]:
        out = asdict(self)
        if self.error is None:
            del out["error"]
        for statement in out["statements"]:
            if statement["verdict"] == "defined":  # a definition claims nothing that could be checked
                statement["verdict"] = "unchecked"
        return out
