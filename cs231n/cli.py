"""The command ``cs231n``: ``prove`` checks the book, one concept, or a page of your own; ``train`` trains.

Exit status: 0 if everything is as the pages say, 1 if not, 2 if the command itself makes no sense, 130 after Ctrl-C.
"""

from __future__ import annotations

import difflib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import cs231n
from cs231n.checking.verdicts import EXPECTED, PageResult, StatementResult
from cs231n.training.captions_cli import captions
from cs231n.training.cli import app as train
from cs231n.training.generative_cli import gan, simclr

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A derivation handbook whose pages are their own proof.",
)
train.command()(captions)
train.command()(gan)
train.command()(simclr)
app.add_typer(train, name="train")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cs231n {cs231n.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """A derivation handbook whose pages are their own proof."""


@app.command()
def prove(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CONCEPT|FILE.md",
            help="A concept of the book (batchnorm, layers/batchnorm) or any Markdown file in the dialect. "
            "Without an argument: the whole book.",
            show_default=False,
        ),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all results to FILE, as JSON.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Worker processes; 0: one for each core.")
    ] = 0,
) -> None:
    """Prove every claim, refute every mistake, refute every mutant.

    Exits with status 0 only if every claim is proved, every mistake is refuted, and every mutant of a claim is
    refuted or proved equivalent to it.
    """
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = 160  # a log has no width of its own
    started = time.perf_counter()
    try:
        paths = _resolve(what or [])
        if json_file is not None and not json_file.absolute().parent.is_dir():
            raise ValueError(f"--json: no such folder: {json_file.parent}")
        results = _check_all(paths, jobs or os.cpu_count() or 1, err)
    except ValueError as error:
        err.print(Text(str(error)), soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        err.print("Interrupted; nothing was written.")
        raise typer.Exit(130) from None
    seconds = time.perf_counter() - started

    for result in results:
        _print_page(result, out)
    totals = _totals(results, seconds)
    out.print(Text(_summary(totals), style="green" if totals["ok"] else "bold red"), soft_wrap=True)
    if json_file is not None:
        _write_json({"pages": [result.to_json() for result in results], "totals": totals}, json_file)
    if not totals["ok"]:
        raise typer.Exit(1)


# ------------------------------------------------------------------------------------------ which pages


def _resolve(names: Sequence[str]) -> list[Path]:
    """The pages that the arguments name, each once, in the order given; all pages of the book without arguments."""
    from cs231n.pages import book_pages, find_page

    if not names:
        return book_pages()
    paths: dict[Path, None] = {}
    for name in names:
        try:
            paths[find_page(name)] = None
        except ValueError as error:
            raise ValueError(_with_near_names(name, str(error))) from None
    return list(paths)


def _with_near_names(name: str, reason: str) -> str:
    """Why a page was not found, and which names are nearly the one that was asked for."""
    from cs231n.pages import book_pages
    from cs231n.pages.book import page_id

    ids = [page_id(path) for path in book_pages()]
    by_name = {key: page for page in ids for key in (page, page.rpartition("/")[2])}
    near = dict.fromkeys(by_name[key] for key in difflib.get_close_matches(name, by_name, n=5, cutoff=0.6))
    return f"{reason}\nDid you mean {' or '.join(near)}?" if near else reason


# ------------------------------------------------------------------------------------------ checking


def _check(path: Path) -> PageResult:
    """Check one page, in a worker; a page that cannot be read becomes a result that says why."""
    from cs231n.checking.verify import check_page
    from cs231n.pages import PageError, read_page
    from cs231n.pages.book import page_id

    started = time.perf_counter()
    try:
        return check_page(read_page(path))
    except (PageError, OSError) as error:
        message = str(error)
    except Exception as error:  # one page must not take the others' results with it
        message = f"{path}: internal error, please report it: {type(error).__name__}: {error}"
    return PageResult(
        page=page_id(path), path=str(path), statements=[], error=message, seconds=time.perf_counter() - started
    )


def _ignore_interrupts() -> None:
    """Ctrl-C reaches the whole process group; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Deliver Ctrl-C after the block only. Workers started in it never see one, not even while they are importing."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _check_all(paths: Sequence[Path], jobs: int, err: Console) -> list[PageResult]:
    """Check all pages, several at a time, with a bar on a terminal."""
    bar = Progress(
        TextColumn("proving"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    results: dict[Path, PageResult] = {}
    with bar:
        task = bar.add_task("", total=len(paths))
        for path, result in _results(paths, min(jobs, len(paths))):
            results[path] = result
            bar.update(task, advance=1, description=result.page)
    return [results[path] for path in paths]


def _results(paths: Sequence[Path], jobs: int) -> Iterator[tuple[Path, PageResult]]:
    """Each page with its result, as they become ready."""
    if jobs <= 1:
        for path in paths:
            yield path, _check(path)
        return
    # spawn: the progress bar runs a thread, and forking a process that has threads can hang it
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_ignore_interrupts)
    try:
        # the longest pages first, so that no worker is left with one at the end
        order = sorted(paths, key=lambda path: path.stat().st_size, reverse=True)
        with _interrupts_held():
            futures = {pool.submit(_check, path): path for path in order}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()


# ------------------------------------------------------------------------------------------ telling


#: How wide the column of hypotheses may become; less on a narrow terminal.
_WHERE = 24


def _print_page(result: PageResult, out: Console) -> None:
    """A page's table, then what is wrong with it in words."""
    if result.error is not None:
        out.print(Text(result.error, style="bold red"), soft_wrap=True)
        out.print()
        return
    defined = sum(s.kind == "definition" for s in result.statements)
    table = Table(
        title=f"{result.page} · {defined} definition{'s' * (defined != 1)} · {result.seconds:.1f} s",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    limit = _WHERE if out.width >= 120 else _WHERE - 10
    shown = [statement for statement in result.statements if statement.kind != "definition" or not statement.ok]
    rows = [
        (
            str(statement.line),
            statement.anchor or "",
            " ".join(statement.latex.split()),
            _verdict(statement),
            _where(statement.hypotheses, limit),
            _mutants(statement),
            f"{1000 * statement.seconds:.0f}",
        )
        for statement in shown
    ]
    # the relation gets what the other columns leave of the line
    heads = ("line", "name", "relation", "verdict", "where", "mutants", "ms")
    widths = [
        max(len(line) for row in (heads, *rows) for line in row[column].split("\n")) for column in range(len(heads))
    ]
    widths[4] = min(widths[4], limit)
    left = max(8, out.width - sum(widths[:2] + widths[3:]) - 2 * (len(heads) - 1))
    table.add_column("line", justify="right", style="dim", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("relation", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("where", width=widths[4])
    table.add_column("mutants", justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    for statement, (line, name, relation, verdict, where, mutants, milliseconds) in zip(shown, rows, strict=True):
        cut = relation if len(relation) <= left else relation[: left - 1] + "…"
        style = "green" if statement.ok else "bold red"
        table.add_row(line, name, Text(cut), Text(verdict, style), Text(where), mutants, milliseconds)
    out.print(table)
    for statement in result.statements:
        if not statement.ok:
            out.print(Text(f"{result.path}:{statement.line}: {_trouble(statement)}", style="bold red"), soft_wrap=True)
    out.print()


def _where(hypotheses: Sequence[str], limit: int) -> str:
    """The hypotheses side by side, or one below the other where that is too wide."""
    line = ", ".join(hypotheses)
    return line if len(line) <= limit else ",\n".join(hypotheses)


def _verdict(statement: StatementResult) -> str:
    if statement.kind == "claim" and statement.verdict == "proved" and statement.sizes == "fixed":
        return "proved, sizes fixed"
    return statement.verdict


def _mutants(statement: StatementResult) -> str:
    if not statement.mutants:
        return ""
    same = len(statement.mutants_equivalent)
    return f"{statement.mutants_refuted}/{statement.mutants}" + (f" ({same} equal)" if same else "")


def _trouble(statement: StatementResult) -> str:
    """Why a statement is not as the page says."""
    expected = EXPECTED[statement.kind]
    if statement.verdict != expected:
        text = f"{statement.verdict}, but the page makes it a {statement.kind} ({expected})"
    else:
        left = statement.mutants - statement.mutants_refuted - len(statement.mutants_equivalent)
        text = f"{statement.verdict}, but {left} of its {statement.mutants} mutants are neither refuted nor equivalent"
    if statement.message:
        text += f": {statement.message}"
    point = statement.counterexample
    if point and statement.kind == "claim" and str(point.get("left")) not in statement.message:
        text += f"\n    {_point(point)}"
    return f"{text}\n    {' '.join(statement.latex.split())}"


def _point(counterexample: dict[str, Any]) -> str:
    """A counterexample in words: ``at N = 3, D = 2, k = 1: left side 0.123, right side 0.456``."""
    where = counterexample.get("sizes", {}) | counterexample.get("at", {})
    at = ", ".join(f"{name} = {value}" for name, value in where.items())
    sides = f"left side {counterexample.get('left')}, right side {counterexample.get('right')}"
    return f"at {at}: {sides}" if at else sides


def _totals(results: Iterable[PageResult], seconds: float) -> dict[str, Any]:
    """The last entry of the JSON: counts over all pages."""
    results = list(results)
    statements = [statement for result in results for statement in result.statements]
    totals: dict[str, Any] = {
        "ok": all(result.ok for result in results),
        "pages": len(results),
        "errors": sum(result.error is not None for result in results),
        "statements": len(statements),
    }
    for kind, verdict in EXPECTED.items():
        of_kind = [statement for statement in statements if statement.kind == kind]
        totals[f"{kind}s" if kind != "unchecked" else kind] = len(of_kind)
        if kind in ("claim", "mistake"):
            totals[f"{kind}s_{verdict}"] = sum(statement.verdict == verdict for statement in of_kind)
    totals["not_ok"] = sum(not statement.ok for statement in statements)
    totals["mutants"] = sum(statement.mutants for statement in statements)
    totals["mutants_refuted"] = sum(statement.mutants_refuted for statement in statements)
    totals["mutants_equivalent"] = sum(len(statement.mutants_equivalent) for statement in statements)
    totals["seconds"] = round(seconds, 3)
    return totals


def _summary(totals: dict[str, Any]) -> str:
    counts = (
        f"{totals['pages']} page{'s' * (totals['pages'] != 1)}: "
        f"{totals['claims_proved']} of {totals['claims']} claims proved, "
        f"{totals['mistakes_refuted']} of {totals['mistakes']} mistakes refuted, "
        f"{totals['mutants_refuted']} of {totals['mutants']} mutants refuted "
        f"({totals['mutants_equivalent']} equivalent), {totals['seconds']:.1f} s"
    )
    if totals["errors"]:
        counts += f"; {totals['errors']} could not be read"
    if totals["not_ok"]:
        counts += f"; {totals['not_ok']} statement{'s' * (totals['not_ok'] != 1)} not as the page says"
    return counts


def _write_json(data: dict[str, Any], path: Path) -> None:
    """Write all or nothing: a reader never finds half a file, and a failure leaves the old one."""
    handle, temporary = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2, ensure_ascii=False, allow_nan=False)
            file.write("\n")
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes a file that only its owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
