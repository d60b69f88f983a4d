"""A small page, verdicts for it without an engine, and a way to render them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown import Markdown

from cs231n.checking.verdicts import EXPECTED, PageResult, StatementResult
from cs231n.pages import read_page
from cs231n.rendering import BookExtension

PAGE = r"""---
title: Centring
sizes: {N: examples, D: features}
indices: {i k: N, j l: D}
tensors: {x: [N, D], dout: [N, D]}
output: out
---

# Centring

The mean, of length $D$ (for every $x_{ij}$), is

$$ \mu_j \coloneqq \frac{1}{N}\sum_k x_{kj} $$

$$ \mathrm{out}_{ij} \coloneqq x_{ij} - \mu_j $$

<!-- computational graph -->

$$ \frac{\partial\,\mathrm{out}_{ij}}{\partial \mu_j} = -1 \tag{arrow} $$

$$ d\mu_l = -\sum_i \mathrm{dout}_{il} \tag{dmu} $$

$$
\begin{aligned}
dx_{kl} &= \mathrm{dout}_{kl} + \frac{1}{N}\,d\mu_l \\
        &= \mathrm{dout}_{kl} - \frac{1}{N}\sum_i \mathrm{dout}_{il}
\end{aligned}
\tag{dx}
$$

$$ dx_{kl} \neq \mathrm{dout}_{kl} \tag{constant-mean} $$
"""


def settled(path: Path) -> PageResult:
    """A result in which everything is as the page says, without asking the engine."""
    page = read_page(path)
    results = []
    for s in page.statements:
        result = StatementResult(s.kind, s.line, s.latex, s.display, s.anchor, EXPECTED[s.kind], seconds=0.0251)
        if s.kind == "claim":
            result.mutants, result.mutants_refuted = 12, 11
            result.mutants_equivalent = [r"index `i` → `k` in `\sum_i`"]
            result.hypotheses = [r"\epsilon > 0", "off the kink"]
        if s.kind == "mistake":
            result.counterexample = {
                "sizes": {"N": 3, "D": 2},
                "at": {"k": 1, "l": 0},
                "left": "0.1234567890123",
                "right": "-0.4567890123",
            }
        results.append(result)
    return PageResult(page.id, str(path), results)


@pytest.fixture(name="settled")
def settled_fixture() -> Callable[[Path], PageResult]:
    return settled


@pytest.fixture
def page_text() -> str:
    return PAGE


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., str]:
    """``render(text)``: the HTML of a page; ``check`` gives other verdicts."""

    def render(text: str = PAGE, check: Callable[[Path], PageResult] = settled, *, source: bool = True) -> str:
        path = tmp_path / "centring.md"
        path.write_text(text, encoding="utf-8")
        md = Markdown(
            extensions=["attr_list", "footnotes", "tables", "toc", "pymdownx.arithmatex", "pymdownx.superfences",
                        "pymdownx.details", BookExtension(check=check)],
            extension_configs={
                "pymdownx.arithmatex": {"generic": True, "inline_syntax": ["dollar"], "block_syntax": ["dollar"]}
            },
        )  # fmt: skip
        if source:
            md.book_source = path  # type: ignore[attr-defined]
        return md.convert(re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S))

    return render
