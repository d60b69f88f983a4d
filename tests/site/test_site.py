"""The built site holds every equation, with its verdict, and needs no other host."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlparse

import pytest

from cs231n.checking.verify import check_cached
from cs231n.pages import book_pages, book_root, read_page

from .conftest import mkdocs

pytestmark = pytest.mark.xdist_group("site")

PAGES = [path.relative_to(book_root()).with_suffix("").as_posix() for path in book_pages()]


class Reader(HTMLParser):
    """What a test wants to know of an HTML page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.displays = 0
        self.badges: Counter[str] = Counter()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        classes = given.get("class", "").split()
        if "id" in given:
            self.ids.append(given["id"])
        if tag in {"script", "img", "iframe", "source"} and "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in {"canonical", "prev", "next", "alternate"}:
            self.loads.append(given["href"])
        if tag == "math" and given.get("display") == "block":
            self.displays += 1
        self.badges.update(name for name in classes if name.startswith("proof--") or name == "eq__kind")


def html_of(site: Path, page: str) -> str:
    folder = site if page == "index" else site / page
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_no_display_escapes(site, page):
    """The displays that a reader sees are those that were checked, each of them, and no more."""
    path = book_root() / f"{page}.md"
    checked = check_cached(path).to_json()["statements"]
    displays = read_page(path).displays
    html = html_of(site, page)
    found = Reader(html)
    assert found.displays == len(displays)
    assert {s["display"] for s in checked if s["display"] is not None} == set(range(found.displays))
    assert "$$" not in re.sub(r'data-tex="[^"]*"|<code.*?</code>', "", html, flags=re.S)
    assert "arithmatex" not in html
    assert {display.anchor for display in displays if display.anchor} <= set(found.ids)


@pytest.mark.parametrize("page", PAGES)
def test_every_display_has_its_verdict(site, page):
    """One badge for the claims of a display, one for each mistake, a mark for a definition."""
    kinds: dict[int, set[str]] = {}
    mistakes = 0
    for statement in read_page(book_root() / f"{page}.md").statements:
        if statement.display is not None:
            kinds.setdefault(statement.display, set()).add(statement.kind)
            mistakes += statement.kind == "mistake"
    badges = Reader(html_of(site, page)).badges
    assert badges["proof--proved"] == sum("claim" in found for found in kinds.values())
    assert badges["proof--refuted"] == mistakes
    assert badges["proof--unchecked"] == sum("unchecked" in found for found in kinds.values())
    assert badges["eq__kind"] == sum(found == {"definition"} for found in kinds.values())
    assert badges["proof--failed"] == 0


def test_identifiers_are_unique(site):
    for file in site.rglob("*.html"):
        counted = Counter(Reader(file.read_text(encoding="utf-8")).ids)
        assert [name for name, count in counted.items() if count > 1] == [], file


def test_nothing_is_loaded_from_another_host(site):
    for file in site.rglob("*.html"):
        for target in Reader(file.read_text(encoding="utf-8")).loads:
            assert urlparse(target).netloc == "", f"{file} loads {target}"
    for file in site.rglob("assets/*.css"):
        assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", file.read_text(encoding="utf-8")), file


def test_the_font_is_small_and_its_licence_is_beside_it(site):
    fonts = site / "assets/fonts"
    (font,) = site.rglob("*.woff2")
    assert font.stat().st_size <= 250_000
    assert "GUST Font License" in (fonts / "GUST-FONT-LICENSE.txt").read_text(encoding="utf-8")
    assert "Latin Modern Math" in (fonts / "README-handbook-math.txt").read_text(encoding="utf-8")


def test_code_and_derivation_lead_to_each_other(site):
    assert "reference/layers/#cs231n.layers.batchnorm.batchnorm_backward" in html_of(site, "layers/batchnorm")
    assert '<a href="../../layers/batchnorm/">' in html_of(site, "reference/layers")


def test_listed_code_is_that_of_the_module(site):
    listed = re.sub(r"<[^>]+>", "", html_of(site, "layers/batchnorm"))
    assert "def batchnorm_backward(" in listed


def test_headings_hold_no_formulas(site):
    for page in PAGES:
        for heading in re.findall(r"<h[1-6][^>]*>.*?</h[1-6]>", html_of(site, page), re.S):
            assert "<math" not in heading, f"{page}: {heading}"


SMALL = r"""---
title: Centring
description: A page with one claim.
sizes: {N: examples, D: features}
indices: {i k: N, j l: D}
tensors: {x: [N, D], dout: [N, D]}
output: out
---

# Centring

$$ \mathrm{out}_{ij} \coloneqq x_{ij} - \frac{1}{N}\sum_k x_{kj} $$

$$ dx_{kl} = \mathrm{dout}_{kl} - \frac{1}{N}\sum_i \mathrm{dout}_{il} \tag{dx} $$
"""

#: What an author might do to the page, and what the build must then name.
SLIPS = {
    "a sign": (r"\mathrm{dout}_{kl} - ", r"\mathrm{dout}_{kl} + ", "index.md:14: dx this claim is false"),
    "an index": (r"\mathrm{dout}_{il}", r"\mathrm{dout}_{kl}", "index.md:14: dx this claim is false"),
    "a factor": (r"\frac{1}{N}\sum_i", r"\sum_i", "index.md:14: dx this claim is false"),
    "a name": (r"\mathrm{dout}_{il}", r"\mathrm{dott}_{il}", "index.md:14:"),
    "a blank line": ("\n\n$$ dx", "\nSo:\n$$ dx", "index.md:14"),
}


def build_small(folder: Path, root: Path, text: str) -> tuple[int, str]:
    (folder / "docs").mkdir()
    (folder / "docs/index.md").write_text(text, encoding="utf-8")
    (folder / "mkdocs.yml").write_text(
        f"INHERIT: {root / 'mkdocs.yml'}\n"
        f"theme: {{custom_dir: {root / 'overrides'}, favicon: '', logo: ''}}\n"
        "nav: [index.md]\nplugins: [search]\nwatch: []\nhooks: []\n"
    )
    done = mkdocs("build", "--strict", cwd=folder)
    return done.returncode, done.stdout + done.stderr


def test_a_good_page_builds(tmp_path, root):
    code, said = build_small(tmp_path, root, SMALL)
    assert code == 0, said


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_fails_the_strict_build_and_names_the_line(tmp_path, root, slip):
    before, after, named = SLIPS[slip]
    assert SMALL.count(before) == 1
    code, said = build_small(tmp_path, root, SMALL.replace(before, after))
    assert code != 0
    assert named in said
