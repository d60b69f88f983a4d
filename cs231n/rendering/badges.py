"""The small print under a formula: what was proved, for which sizes, under which hypotheses, how fast.

Each display of a page gets one badge for all its statements. A proved claim says so in one quiet line which
unfolds; a mistake shows where it fails; a definition has a very small mark; what is not checked says why.
Whoever reads without scripts sees the same: the unfolding is ``<details>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from cs231n.pages import tree
from cs231n.rendering import mathml, words

if TYPE_CHECKING:
    from cs231n.checking.verdicts import StatementResult


@dataclass(frozen=True)
class Checked:
    """A statement of the page beside its verdict."""

    statement: tree.Statement
    result: StatementResult


def failure(result: StatementResult) -> str:
    """Why this statement must fail the build, in a sentence; empty if all is well."""
    if result.ok:
        return ""
    if result.kind == "mistake" and result.verdict != "refuted":
        reason = f"this mistake is not refuted but {result.verdict}"
    elif result.kind == "claim" and result.verdict == "refuted":
        reason = f"this claim is false {counterexample(result)}".rstrip()
    else:
        reason = f"this {result.kind} is {result.verdict}"
    return f"{reason}: {result.message}" if result.message else reason


def counterexample(result: StatementResult) -> str:
    """Where a statement is false and by how much: "at N = 3, D = 2, k = 1: left 0.12, right 0.45"."""
    found = result.counterexample
    if not found:
        return ""
    places = {**found.get("sizes", {}), **found.get("at", {})}
    where = ", ".join(f"{words.name(str(key))} = {value}" for key, value in places.items())
    pair = [str(found.get(side, "")) for side in ("left", "right")]
    # as few digits as show that the two differ
    digits = next((n for n in range(3, 8) if words.number(pair[0], n) != words.number(pair[1], n)), 8)
    left, right = (words.number(side, digits) for side in pair)
    # a point may be a poor witness, and the checker hands on the first digits of each side only
    sides = f"left {left}, right {right}" if left != right else f"left and right part only after {left}"
    return f"at {where}: {sides}" if where else sides


def sizes(statements: Iterable[tree.Statement], page: tree.Page) -> str:
    """The sizes a claim speaks of, in the order in which the page declares them."""
    seen = {
        node.name
        for statement in statements
        for side in (statement.left, statement.right, *statement.free)
        if side is not None
        for node in side.walk()
        if isinstance(node, tree.Size)
    }
    return ", ".join(words.name(name) for name in page.declarations.sizes if name in seen)


def badge(checked: Sequence[Checked], page: tree.Page) -> str:
    """The HTML under one display; nothing under a definition, which is marked beside its name."""
    claims = [c for c in checked if c.result.kind == "claim"]
    mistakes = [c for c in checked if c.result.kind == "mistake"]
    unchecked = [c for c in checked if c.result.kind == "unchecked"]
    failed = [c for c in checked if failure(c.result)]
    if failed:
        said = "; ".join(failure(c.result) for c in failed)
        return f'<p class="proof proof--failed"><b>not proved</b> {escape(said)}</p>'
    parts = []
    if claims:
        parts.append(_proved(claims, page))
    parts += [_refuted(mistake, page) for mistake in mistakes]
    if unchecked:
        reason = unchecked[0].statement.reason or unchecked[0].result.message
        parts.append(f'<p class="proof proof--unchecked"><b>not checked:</b> {escape(reason)}</p>')
    return "".join(parts)


def inline_mark(checked: Checked, page: tree.Page) -> str:
    """The mark after a relation in running text: a small tick that says more when pointed at."""
    result = checked.result
    if problem := failure(result):
        return f'<span class="tick tick--failed">not proved: {escape(problem)}</span>'
    if result.kind == "claim":
        said = f"{_scope(result.sizes == 'fixed', sizes([checked.statement], page))} · {words.duration(result.seconds)}"
    elif result.kind == "mistake":
        said = f"refuted {counterexample(result)}"
    else:
        return ""
    return f'<span class="tick" role="img" aria-label="{escape(said)}" title="{escape(said)}">✓</span>'


def _hypotheses(results: Iterable[StatementResult]) -> list[str]:
    return list(dict.fromkeys(text for result in results for text in result.hypotheses))


def _is_relation(text: str) -> bool:
    return re.search(r"[<>=≤≥≠]|\\(?:ge|le|ne|lt|gt)", text) is not None


def _maths(tex: str) -> str:
    """TeX in the small print; where it cannot be drawn, as it is written."""
    try:
        return "".join(mathml.inline(tex))
    except mathml.FormulaError:
        return f"<code>{escape(tex)}</code>"


def _hypothesis(text: str) -> str:
    """A hypothesis, in HTML: a relation in TeX, or words as "off the kink"."""
    return _maths(text) if _is_relation(text) else escape(text)


def _prose(text: str) -> str:
    """A sentence with TeX between backticks, in HTML."""
    pieces = text.split("`")
    return "".join(_maths(piece) if odd % 2 else escape(piece) for odd, piece in enumerate(pieces))


def _where(hypotheses: Sequence[str]) -> str:
    """The hypotheses in a few words: "where ε > 0, off the kink"."""
    if len(hypotheses) > 3:
        return f"under {len(hypotheses)} hypotheses"
    relations = [_hypothesis(text) for text in hypotheses if _is_relation(text)]
    others = [_hypothesis(text) for text in hypotheses if not _is_relation(text)]
    return "where " * bool(relations) + _listed(relations + others)


def _listed(hypotheses: Sequence[str]) -> str:
    """Hypotheses with commas; no line begins with one, though it may after a formula."""
    *first, last = hypotheses
    return "".join(f'<span class="nb">{text},</span> ' for text in first) + last


def _proved(claims: Sequence[Checked], page: tree.Page) -> str:
    results = [c.result for c in claims]
    names = sizes((c.statement for c in claims), page)
    scope = _scope(any(result.sizes == "fixed" for result in results), names)
    if len(claims) > 1:
        scope = f"{len(claims)} equalities {scope}"
    hypotheses = _hypotheses(results)
    summary = [f"<b>{escape(scope)}</b>"]
    if hypotheses:
        summary.append(_where(hypotheses))
    time = words.duration(sum(result.seconds for result in results))
    line = f'{" · ".join(summary)}<span class="proof__time"> · {time}</span>'
    return _details("proved", line, _rows(claims, page, hypotheses))


def _scope(fixed: bool, names: str) -> str:
    if fixed:
        return "proved at this size only"
    return f"proved for all {names}" if names else "proved"


def _refuted(mistake: Checked, page: tree.Page) -> str:
    result = mistake.result
    # a letter stays on the line of its value
    where = re.sub(r" = |(?<=left) |(?<=right) ", lambda m: m[0].replace(" ", "\u00a0"), counterexample(result))
    summary = f"<b>refuted</b> {escape(where)}"
    found = result.counterexample or {}
    rows = []
    if found:
        left, right = (words.number(str(found.get(side, "")), 8) for side in ("left", "right"))
        rows.append(("The two sides", f"left {escape(left)}, right {escape(right)}"))
    if result.hypotheses:
        rows.append(("Where", _listed([*map(_hypothesis, result.hypotheses)])))
    rows.append(_command(page, result))
    return _details("refuted", summary, rows)


def _rows(claims: Sequence[Checked], page: tree.Page, hypotheses: list[str]) -> list[tuple[str, str]]:
    rows = [("Where", _listed([*map(_hypothesis, hypotheses)]) if hypotheses else "everywhere, for all real entries")]
    for position, claim in enumerate(claims, start=1):
        label = f"Equality {position}" if len(claims) > 1 else "Proof"
        rows.append((label, f"{words.duration(claim.result.seconds)}; {_mutants(claim.result)}"))
    rows.append(_command(page, claims[0].result))
    return rows


def _mutants(result: StatementResult) -> str:
    if not result.mutants:
        return "no mutants were tried"
    text = f"{result.mutants_refuted} of {result.mutants} mutants refuted"
    if result.mutants_equivalent:
        same = "".join(f"<li>{_prose(mutant)}</li>" for mutant in result.mutants_equivalent)
        text += f", {len(result.mutants_equivalent)} proved to say the same:<ul>{same}</ul>"
    return text


def _command(page: tree.Page, result: StatementResult) -> tuple[str, str]:
    concept = page.id.rpartition("/")[2]
    return ("Check it again", f"<code>cs231n prove {escape(concept)}</code> (line {result.line})")


def _details(kind: str, summary: str, rows: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"<dt>{term}</dt><dd>{text}</dd>" for term, text in rows)
    return f'<details class="proof proof--{kind}"><summary>{summary}</summary><dl>{body}</dl></details>'
