"""The results in words: a line for the terminal, the table of the page, and everything as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
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
        "processor": f"{platform.machine()}, {_model()}{os.cpu_count()} cores, of which one is used",
        "Python": platform.python_version(),
        "NumPy": f"{np.__version__} with {blas.get('name', 'an unknown BLAS')} {blas.get('version', '')}".strip(),
    }
    for module in ("autograd", "torch"):
        try:
            from importlib.metadata import version

            found[module] = version(module)
        except ImportError:
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


def markdown(results: Sequence[Result], rounds: int) -> str:
    """The table. A goal stands behind its ratio, in brackets; a goal that was missed is bold."""
    rows = [
        "<!-- made by `python -m benchmarks --markdown`, not by hand -->",
        "",
        "| workload | ms | of the best peer | of PyTorch | plain form | of the limit |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for r in results:
        plain = r.ratio("plain", r.best_peer)
        limit = f"{r.share():.0%} {r.limit}"
        product = r.goals.product
        if product is not None:
            limit = f"{_mark(1 / r.share(), product)} {limit}"
        rows.append(
            f"| {r.name.replace('_', ' ')} {r.size} | {1e3 * r.median(r.ours):.1f} "
            f"| {_mark(r.ratio(r.ours, r.best_peer), r.goals.peer)} {r.best_peer} "
            f"| {_mark(r.ratio(r.ours, 'torch'), r.goals.torch)} | {plain:.2f} | {limit} |"
        )
    about = "; ".join(f"{name} {what}" for name, what in machine().items() if name != "processor")
    rows += ["", f"{rounds} rounds. {machine()['processor']}. {about}.", ""]
    return "\n".join(rows)


def _mark(ratio: float | None, goal: float) -> str:
    if ratio is None:
        return "–"
    text = f"{ratio:.2f} ({goal:.2f})"
    return text if ratio <= goal else f"**{text}**"


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
