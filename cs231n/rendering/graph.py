"""The computational graph of a page, drawn from its definitions as inline SVG.

A node is an input, a named quantity or an output; an arrow says that the one stands on the defining line of the
other. Under each node stands the gradient that flows back into it, as a link to the claim that gives its
formula. Colours come from the page (``currentColor`` and classes), so the picture follows dark mode. Links are
written ``xlink:href``, which every browser follows: scripts that rewrite all ``[href]`` of a page, as Material's
instant navigation does, cannot assign to that of an SVG element.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from cs231n.pages import tree
from cs231n.rendering import words

_INCH = 72.0  # Graphviz lays out in inches


@dataclass(frozen=True)
class Node:
    """A circle of the graph: what it is, where it is defined and where its gradient is claimed."""

    name: str
    kind: str  # 'input' | 'quantity' | 'output'
    shape: str
    anchor: str | None = None
    gradient: str | None = None  # anchor of the claim d<name> = …
    upstream: str | None = None  # the given gradient of an output
    follows: tuple[str, ...] = ()  # the names on its defining line
    local: dict[str, str] = field(default_factory=dict)  # name → anchor of the claim ∂self/∂name


def nodes(page: tree.Page) -> list[Node]:
    """The inputs and quantities from which the outputs of a page are computed, inputs first."""
    wanted = [output.name for output in page.declarations.outputs if output.name in page.definitions]
    follows: dict[str, tuple[str, ...]] = {}
    queue = list(wanted or page.definitions)
    while queue:
        name = queue.pop(0)
        if name in follows:
            continue
        definition = page.definitions.get(name)
        follows[name] = tuple(_names(definition.value, page)) if definition else ()
        queue += follows[name]
    inputs = [name for name in (*page.declarations.tensors, *page.declarations.labels) if name in follows]
    quantities = [name for name in page.definitions if name in follows]
    gradients, local = _claims(page, tree.Grad), _claims(page, tree.Partial)
    upstreams = {output.name: output.upstream for output in page.declarations.outputs}
    found = []
    for name in [*inputs, *quantities]:
        kind = "output" if name in wanted else "input" if name in inputs else "quantity"
        found.append(
            Node(
                name=name,
                kind=kind,
                shape=_shape(name, page),
                anchor=_defined_at(name, page),
                gradient=gradients.get((name, "")),
                upstream=upstreams.get(name),
                follows=follows[name],
                local={other: local[name, other] for other in follows[name] if (name, other) in local},
            )
        )
    return found


def _names(value: tree.Tree, page: tree.Page) -> Iterable[str]:
    """What stands on a defining line, each once. Scalars are constants of the layer and are left out."""
    entries = dict.fromkeys(node.name for node in value.walk() if isinstance(node, tree.Entry))
    declared = page.declarations.tensors
    return (name for name in entries if name not in declared or declared[name].shape)


def _shape(name: str, page: tree.Page) -> str:
    declared = page.declarations.tensors.get(name) or page.declarations.labels.get(name)
    if declared is not None:
        sizes = [_size(size) for size in declared.shape]
    else:
        sizes = [_size(index.size) for index in page.definitions[name].params]
    if not sizes:
        return "one number"
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def _size(size: tree.Tree) -> str:
    if isinstance(size, tree.Size):
        return words.name(size.name)
    if isinstance(size, tree.Mul):
        return "".join(map(_size, size.factors))  # 4H
    return str(size.value) if isinstance(size, tree.Num) else "…"


def _defined_at(name: str, page: tree.Page) -> str | None:
    for statement in page.statements:
        if statement.definition and statement.definition.name == name and statement.display is not None:
            return page.displays[statement.display].anchor
    return None


def _claims(page: tree.Page, kind: type[tree.Grad] | type[tree.Partial]) -> dict[tuple[str, str], str]:
    """The anchor of the first claim about each gradient (name, "") or each direct partial (of, wrt)."""
    found: dict[tuple[str, str], str] = {}
    for statement in page.statements:
        left = statement.left
        if statement.kind != "claim" or statement.display is None or not isinstance(left, kind):
            continue
        about = (left.name, "") if isinstance(left, tree.Grad) else (left.of.name, left.wrt.name)
        if anchor := page.displays[statement.display].anchor:
            found.setdefault(about, anchor)
    return found


# ----------------------------------------------------------------------------------------------------- layout


class LayoutError(RuntimeError):
    """Graphviz is missing or failed."""


def dot(text: str) -> str:
    """Lay out a graph: its ``-Tplain`` form. Uses the ``graphviz-pure`` of this environment, else a system ``dot``."""
    beside = shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
    program = beside or shutil.which("graphviz-pure") or shutil.which("dot")
    if program is None:
        raise LayoutError("to draw computational graphs install graphviz-pure (in the extra 'docs') or Graphviz")
    done = subprocess.run([program, "-Tplain"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LayoutError(f"{Path(program).name} failed: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True)
class Layout:
    """Positions in points, the origin at the top left."""

    width: float
    height: float
    boxes: dict[str, tuple[float, float, float, float]]  # centre x, y, width, height
    arrows: list[tuple[str, str, list[tuple[float, float]]]]


def layout(found: list[Node]) -> Layout:
    """Where nodes and arrows go."""
    lines = ["digraph {", "rankdir=LR; nodesep=0.3; ranksep=0.55;"]
    lines += ["node [shape=box, fixedsize=true];", "edge [arrowsize=0.6];"]
    for node in found:
        wide = max(9.5 * _length(words.name(node.name)), 6.2 * len(node.shape), 36) + 20
        tall = 68 if node.gradient or node.upstream else 48
        lines.append(f'"{node.name}" [width={wide / _INCH:.3f}, height={tall / _INCH:.3f}];')
    lines += [f'"{source}" -> "{node.name}";' for node in found for source in node.follows]
    plain = dot("\n".join([*lines, "}"])).splitlines()
    width = height = 0.0
    boxes: dict[str, tuple[float, float, float, float]] = {}
    arrows: list[tuple[str, str, list[tuple[float, float]]]] = []
    for line in plain:
        kind, *words_ = re.findall(r'"[^"]*"|\S+', line)
        parts = [word.strip('"') for word in words_]
        if kind == "graph":
            width, height = float(parts[1]) * _INCH, float(parts[2]) * _INCH
        elif kind == "node":
            x, y, w, h = (float(part) * _INCH for part in parts[1:5])
            boxes[parts[0]] = (x, height - y, w, h)
        elif kind == "edge":
            count = int(parts[2])
            numbers = [float(part) * _INCH for part in parts[3 : 3 + 2 * count]]
            points = [(x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
            arrows.append((parts[0], parts[1], points))
    return Layout(width, height, boxes, arrows)


def _length(text: str) -> int:
    return sum(1 for character in text if not "\u0300" <= character <= "\u036f")


# ---------------------------------------------------------------------------------------------------- picture


def figure(page: tree.Page) -> str:
    """The graph of a page as a ``<figure>``; it scrolls sideways where it is wider than the screen."""
    found = nodes(page)
    placed = layout(found)
    by_name = {node.name: node for node in found}
    margin = 6
    width, height = placed.width + 2 * margin, placed.height + 2 * margin
    arrows = "".join(
        _arrow(source, by_name[target], points) for source, target, points in placed.arrows if target in by_name
    )
    boxes = "".join(_box(by_name[name], place) for name, place in placed.boxes.items())
    outputs = words.listing([words.name(node.name) for node in found if node.kind == "output"])
    inputs = words.listing([words.name(node.name) for node in found if node.kind == "input"])
    title = f"Computational graph: {outputs or 'the quantities of this page'} from {inputs or 'nothing'}"
    described = ". ".join(
        f"{words.name(node.name)} {node.shape} from {words.listing([words.name(name) for name in node.follows])}"
        for node in found
        if node.follows
    )
    return (
        f'<figure class="graph" style="--width:{width:.0f}px" data-search-exclude>'
        f'<div class="graph__scroll" tabindex="0" role="group" aria-label="{escape(title)}">'
        f'<svg viewBox="{-margin} {-margin} {width:.1f} {height:.1f}" width="{width:.0f}" height="{height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title><desc>{escape(described)}</desc>'
        f"{arrows}{boxes}</svg></div>"
        "<figcaption>Forward along the arrows. Under each quantity, the gradient that comes back to it: follow it to "
        "its formula.</figcaption></figure>"
    )


def _arrow(source: str, target: Node, points: list[tuple[float, float]]) -> str:
    (x0, y0), *rest = points
    curves = " ".join(
        "C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in rest[position : position + 3])
        for position in range(0, len(rest), 3)
    )
    # The head is drawn here and not by a <marker>, which would not follow currentColor in print.
    (x1, y1), (x2, y2) = points[-2], points[-1]
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-6)
    dx, dy = (x2 - x1) / length, (y2 - y1) / length
    tip = (x2 + 6 * dx, y2 + 6 * dy)
    left, right = (x2 - 3 * dy, y2 + 3 * dx), (x2 + 3 * dy, y2 - 3 * dx)
    head = " ".join(f"{x:.1f},{y:.1f}" for x, y in (tip, left, right))
    path = f'<path d="M{x0:.1f} {y0:.1f} {curves}"/><polygon points="{head}"/>'
    anchor = target.local.get(source)
    if anchor is None:
        return f'<g class="graph__arrow">{path}</g>'
    middle = _middle(points)
    said = f"derivative of {words.name(target.name)} by {words.name(source)}"
    spot = f'<circle class="graph__dot" cx="{middle[0]:.1f}" cy="{middle[1]:.1f}" r="7"/>'
    return f'<g class="graph__arrow">{path}</g>' + _link(
        anchor, said, spot + _word("partial", "∂", middle[0], middle[1] + 3.4)
    )


def _middle(points: list[tuple[float, float]]) -> tuple[float, float]:
    """A point half way along: the middle of the middle Bézier piece."""
    pieces = (len(points) - 1) // 3
    start = 3 * (pieces // 2)
    if pieces % 2 == 0:
        return points[start]
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[start : start + 4]
    return ((x0 + 3 * x1 + 3 * x2 + x3) / 8, (y0 + 3 * y1 + 3 * y2 + y3) / 8)


def _box(node: Node, place: tuple[float, float, float, float]) -> str:
    x, y, width, height = place
    left, top = x - width / 2, y - height / 2
    name = words.name(node.name)
    rect = f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"/>'
    body = rect + _word("name", words.italic(node.name), x, top + 22) + _word("shape", node.shape, x, top + 38)
    if node.anchor:
        said = f"{name}, {node.shape}: its definition"
        body = _link(node.anchor, said, body)
    if node.gradient:
        said = f"the gradient d{name}: its formula"
        body += _link(node.gradient, said, _word("gradient", f"𝑑{words.italic(node.name)}", x, top + 58))
    elif node.upstream:
        body += _word("upstream", words.italic(node.upstream), x, top + 58)
    return f'<g class="graph__node graph__node--{node.kind}">{body}</g>'


def _link(anchor: str, said: str, body: str) -> str:
    return f'<a xlink:href="#{escape(anchor)}" aria-label="{escape(said)}"><title>{escape(said)}</title>{body}</a>'


def _word(kind: str, text: str, x: float, y: float) -> str:
    return f'<text class="graph__{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
