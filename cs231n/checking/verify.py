"""Checks a page: attacks each statement with numbers, proves it for all sizes, and tries its mutants."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from functools import cache
from importlib import metadata
from pathlib import Path

from cs231n.calculus.algebra import Undecided
from cs231n.calculus.context import using
from cs231n.calculus.induction import prove_by_induction
from cs231n.calculus.proof import Proof, prove_equal
from cs231n.calculus.rewriting import substitute
from cs231n.checking.attack import Trials, attack
from cs231n.checking.mutants import Mutant, base_mutants, mutants, refute_mutants
from cs231n.checking.numbers import EvaluationError
from cs231n.checking.verdicts import PageResult, StatementResult
from cs231n.pages import read_page
from cs231n.pages import tree as t
from cs231n.pages.lower import Lowering
from cs231n.pages.show import name_to_text


def check_page(page: t.Page, *, mutate: bool = True) -> PageResult:
    """Check every statement of a page.

    Args:
        page: the parsed page.
        mutate: also try the mutants of each claim.

    Returns:
        The verdicts, in the order of the page.
    """
    return Checker(page, mutate=mutate).result()


class Checker:
    """One page's samples and definitions, shared by all its statements."""

    def __init__(self, page: t.Page, *, mutate: bool = True):
        self.page = page
        self.mutate = mutate
        self._trials: Trials | None = None
        self._lowerings: dict[tuple[tuple[str, int], ...], Lowering] = {}

    @property
    def trials(self) -> Trials:
        if self._trials is None:
            self._trials = Trials(self.page)
        return self._trials

    def result(self, known: dict[str, StatementResult] | None = None) -> PageResult:
        """The verdicts of the page; those in ``known``, by `statement_key`, are taken from there."""
        started = time.perf_counter()
        context = page_key(self.page)
        results = []
        for s in self.page.statements:
            key = statement_key(s, context)
            if known is not None and key in known:
                found = replace(known[key], line=s.line, latex=s.latex, display=s.display, anchor=s.anchor)
            else:
                found = self.statement(s)
                if known is not None:
                    known[key] = found
            results.append(found)
        return PageResult(self.page.id, self.page.path, results, None, time.perf_counter() - started)

    def statement(self, s: t.Statement) -> StatementResult:
        """The verdict on one statement."""
        self._prepare(s)
        started = time.perf_counter()
        out = StatementResult(s.kind, s.line, s.latex, s.display, s.anchor)
        if s.kind == "definition":
            self._definition(s, out)
        elif s.kind == "unchecked":
            out.verdict = "unchecked"
        else:
            self._relation(s, out)
        out.seconds = time.perf_counter() - started
        return out

    def _prepare(self, s: t.Statement) -> None:
        """Draw samples and read the definitions, once a page: the time of a statement is its own."""
        try:
            self.lowering()
            if s.kind in ("claim", "mistake"):
                self.trials.points(s)
        except (EvaluationError, Undecided):
            pass  # it happens again where it is reported

    def _definition(self, s: t.Statement, out: StatementResult) -> None:
        out.verdict = "defined"
        assert s.definition is not None
        try:
            self.lowering()
            out.hypotheses = self._hypotheses((s.definition.value,))
        except Undecided as reason:
            out.verdict, out.message = "undecided", str(reason)

    def _relation(self, s: t.Statement, out: StatementResult) -> None:
        assert s.left is not None and s.right is not None
        if any(_fixed(case) for case in s.cases):
            out.sizes = "fixed"
        try:
            found = attack(self.page, s, self.trials)
        except EvaluationError as error:
            out.message = str(error)
            return
        proof = self.prove(
            s, s.left, s.right, brief=found.counterexample is not None
        )  # no long search for a false line
        if found.counterexample is not None:
            out.verdict, out.counterexample = "refuted", found.counterexample.to_dict()
            if proof.proved:
                out.message = "refuted by numbers and yet proved: an error of the engine, please report it"
            elif s.kind == "claim":
                out.message = f"the two sides differ: {describe(out.counterexample)}"
            return
        if not proof.proved:
            out.message = f"not proved: {proof.reason}"
            return
        out.verdict = "proved"
        out.hypotheses = sorted({*proof.hypotheses, *self._hypotheses((s.left, s.right))})
        if s.kind == "mistake":
            out.message = "this is marked as a mistake, but it is true"
        elif found.vacuous and t.Num(Fraction(0)) not in (s.left, s.right):
            out.message = "every sample compares 0 with 0, so the numbers say nothing"
        elif self.mutate:
            self._mutants(s, out)

    def _mutants(self, s: t.Statement, out: StatementResult) -> None:
        out.mutants = len(mutants(s, self.page))
        out.mutants_refuted, survivors = refute_mutants(self.page, s, self.trials)
        undecided: list[Mutant] = []
        for m in survivors:
            if self.prove(s, m.left, m.right).proved:
                out.mutants_equivalent.append(m.description)
            else:
                undecided.append(m)
        self._bases(s, out, undecided)
        if undecided:
            out.message = "neither refuted nor proved equivalent: " + "; ".join(m.description for m in undecided)
        elif out.mutants and not out.mutants_refuted:
            out.message = "no change of it is refuted, so it says nothing"

    def _bases(self, s: t.Statement, out: StatementResult, undecided: list[Mutant]) -> None:
        """The mutants of a claim by induction that change the base of a recurrence, and so the page."""
        assert s.left is not None and s.right is not None
        for what, page in base_mutants(self.page, s):
            out.mutants += 1
            if attack(page, s, Trials(page)).counterexample is not None:
                out.mutants_refuted += 1
            elif Checker(page, mutate=False).prove(s, s.left, s.right).proved:
                out.mutants_equivalent.append(what)
            else:
                undecided.append(Mutant(what, s.left, s.right))

    # ---------------------------------------------------------------------------------------------------- proving

    def lowering(self, fixed: dict[str, int] | None = None) -> Lowering:
        key = tuple(sorted((fixed or {}).items()))
        if key not in self._lowerings:
            self._lowerings[key] = Lowering(self.page, fixed)
        return self._lowerings[key]

    def prove(self, s: t.Statement, left: t.Tree, right: t.Tree, brief: bool = False) -> Proof:
        """Prove left = right in each of the statement's cases."""
        hypotheses: set[str] = set()
        opened: dict[str, None] = {}
        for case in s.cases or (t.Case(),):
            fixed = _fixed(case)
            others = tuple(c for c in case.conditions if not _fixes(c))
            try:
                lowering = self.lowering(fixed)
                with using(lowering.system.context) as context:
                    context.used.clear()
                    sides = lowering.lower(left), lowering.lower(right)
                    if s.induction is None:
                        moved, others = lowering.later_times(others)
                        sides = substitute(sides[0], moved), substitute(sides[1], moved)
                        proof = prove_equal(lowering.system, *sides, lowering.given(others), brief)
                    else:
                        proof = prove_by_induction(lowering.system, *sides, lowering.index(s.induction))
            except Undecided as reason:
                return Proof(False, reason=str(reason))
            if not proof.proved:
                return proof
            hypotheses |= set(proof.hypotheses)
            opened |= dict.fromkeys(proof.opened)
        return Proof(True, tuple(sorted(hypotheses)), tuple(opened))

    def _hypotheses(self, roots: tuple[t.Tree, ...]) -> list[str]:
        """The conditions that are left, and the declared signs of the names that occur."""
        signs = self.lowering().signs
        words = {c.words() for c in signs.conditions(*roots)}
        for x in signs.with_definitions(roots):
            if isinstance(x, t.Entry | t.Grad):
                sign = signs.assumed.get(x.name) or getattr(self.page.declarations.tensors.get(x.name), "sign", "")
                if sign:
                    words.add(f"{name_to_text(x.name)} {_SIGN[sign]}")
        return sorted(words)


_SIGN = {"positive": "> 0", "nonnegative": r"\ge 0", "nonzero": r"\neq 0"}


def _fixes(c: t.Relation) -> bool:
    return c.op == "=" and isinstance(c.left, t.Size) and isinstance(c.right, t.Num)


def _fixed(case: t.Case) -> dict[str, int]:
    return {c.left.name: int(c.right.value) for c in case.conditions if _fixes(c)}  # type: ignore[attr-defined]


def describe(counterexample: dict) -> str:
    """A counterexample in words."""
    where = [f"{name} = {value}" for part in ("sizes", "at") for name, value in counterexample[part].items()]
    return f"at {', '.join(where)}: {counterexample['left']} and {counterexample['right']}"


# ----------------------------------------------------------------------------------------------------------- caching


def check_cached(path: str | os.PathLike[str]) -> PageResult:
    """Check a page, taking from the checkout's cache what was proved before of the same text by the same engine.

    A statement is looked up by itself and by the declarations and definitions of its page, so an edit of the prose
    costs nothing and an edit of one claim costs that claim.
    """
    page = read_page(Path(path))
    folder = _cache_folder()
    if folder is None:
        return check_page(page)
    file = folder / f"{hashlib.sha256(page.path.encode()).hexdigest()[:16]}.json"
    known = _load(file)
    before = set(known)
    result = Checker(page).result(known)
    if set(known) != before:
        _store(file, known)
    return result


def page_key(page: t.Page) -> str:
    """All that the verdict on a statement depends on besides itself."""
    definitions = sorted(page.definitions.items())
    return hashlib.sha256(f"{engine_key()} {page.declarations!r} {definitions!r}".encode()).hexdigest()


def statement_key(s: t.Statement, context: str) -> str:
    what = (s.kind, s.definition, s.left, s.right, s.free, s.cases, s.reason, s.induction)
    return hashlib.sha256(f"{context} {what!r}".encode()).hexdigest()


@cache
def engine_key() -> str:
    """The source of everything that makes a verdict, and the versions of what it stands on."""
    digest = hashlib.sha256()
    for package in ("sympy", "lark", "mpmath"):
        digest.update(f"{package} {metadata.version(package)}".encode())
    for file in _sources():
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    root = Path(__file__).parent.parent
    for part in ("calculus", "pages", "checking"):
        yield from sorted(p for p in (root / part).rglob("*") if p.suffix in (".py", ".lark"))


def _cache_folder() -> Path | None:
    """``.cache/verdicts`` of a checkout; an installed package keeps no cache."""
    root = Path(__file__).parents[2]
    return root / ".cache" / "verdicts" if (root / "mkdocs.yml").is_file() else None


def _load(file: Path) -> dict[str, StatementResult]:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        return {key: StatementResult(**value) for key, value in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # no cache, or one of another version: check again


def _store(file: Path, known: dict[str, StatementResult]) -> None:
    """Write the whole file beside the old one, then swap, so that a stop in between leaves a whole file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({key: asdict(value) for key, value in known.items()}, stream)
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


__all__ = ["Checker", "check_cached", "check_page", "describe", "engine_key"]
