"""The results in words: a line for the terminal, the table of the page, and everything as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.racing import Result


def line(result: Result) -> str:
    """What happened, for someone who watches."""
    times = ", ".join(f"{who} {1e3 * result.median(who):.1f}" for who in result.seconds)
    goals = f"goals {result.goals.peer:.2f} and {result.goals.torch:.2f}"
    against = [result.ratio(result.ours, result.best_peer), result.ratio(result.ours, "torch")]
    ratios = " and ".join("–" if ratio is None else f"{ratio:.2f}" for ratio in against)
    return f"{result.name}: {ratios} ({goals}); {result.share():.0%} of the {result.limit}; ms: {times}"


def machine() -> dict[str, str]:
    """The processor and the libraries in general terms: no names of hosts or people, no paths."""
    blas: Any = np.show_config(mode="dicts")
    blas = blas.get("Build Dependencies", {}).get("blas", {})
    found = {
        "processor": f"one of {os.cpu_count()} cores ({_model()}{platform.machine()})",
        "Python": platform.python_version(),
        "NumPy": f"{np.__version__} with {blas.get('name', 'an unknown BLAS')} {blas.get('version', '')}".strip(),
    }
    for module in ("autograd", "torch"):
        try:
            found[module] = version(module)
        except PackageNotFoundError:
            found[module] = "not installed"
    return found


def _model() -> str:
    """The name of the processor, where Linux tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [row.partition(":")[2].strip() for row in lines if row.startswith("model name")]
    except OSError:
        return ""
    return f"{names[0]}, " if names else ""


#: Between these two lines of the page stands the table.
MARKS = "<!-- table of python -m benchmarks -->", "<!-- end of the table -->"


def write(page: Path, results: Sequence[Result], rounds: int) -> None:
    """Put the table into the page, in the place of the one that stands there."""
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n{markdown(results, rounds)}{MARKS[1]}{after}", encoding="utf-8")


def markdown(results: Sequence[Result], rounds: int) -> str:
    """The table. A goal stands behind its ratio, in brackets; a goal that was missed is bold."""
    rows = [
        "",
        "| workload | ms | of best peer | of PyTorch | plain form | of the limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in results:
        limit = f"{r.share():.0%} {r.limit}"
        if r.goals.product is not None:
            limit = f"{_mark(r.share(), 1 / r.goals.product, least=True)} {r.limit}"
        rows.append(
            f"| {r.name.replace('_', ' ')}<br>{r.size} | {1e3 * r.median(r.ours):.1f} "
            f"| {_mark(r.ratio(r.ours, r.best_peer), r.goals.peer)} "
            f"| {_mark(r.ratio(r.ours, 'torch'), r.goals.torch)} | {r.ratio('plain', r.best_peer):.2f} | {limit} |"
        )
    about = "; ".join(f"{name} {what}" for name, what in machine().items() if name != "processor")
    rows += ["", f"*{rounds} rounds on {machine()['processor']}{_load()}. {about}.*", ""]
    return "\n".join(rows)


def _load() -> str:
    """How much else the machine has to do; 1 is this command itself."""
    try:
        return f", at a load of {os.getloadavg()[0]:.1f}"
    except (AttributeError, OSError):
        return ""


def _mark(ratio: float | None, goal: float, least: bool = False) -> str:
    if ratio is None:
        return "–"
    text = f"{ratio:.0%}\N{NO-BREAK SPACE}({goal:.0%})" if least else f"{ratio:.2f}\N{NO-BREAK SPACE}({goal:.2f})"
    return text if (ratio >= goal if least else ratio <= goal) else f"**{text}**"


def to_json(results: Sequence[Result], rounds: int) -> str:
    """Every measured time, and what follows from it."""
    found = [
        {
            "workload": r.name,
            "size": r.size,
            "ours": r.ours,
            "best_peer": r.best_peer,
            "of_best_peer": r.ratio(r.ours, r.best_peer),
            "of_torch": r.ratio(r.ours, "torch"),
            "plain_of_best_peer": r.ratio("plain", r.best_peer),
            "goals": vars(r.goals),
            "share_of_limit": r.share(),
            "limit": r.limit,
            "limit_seconds": r.limit_seconds,
            "seconds": r.seconds,
        }
        for r in results
    ]
    return json.dumps({"machine": machine(), "rounds": rounds, "results": found}, indent=1, ensure_ascii=False) + "\n"
