import re
import xml.etree.ElementTree as ET

import pytest

from cs231n.pages import parse_page
from cs231n.rendering import graph


@pytest.fixture
def page(page_text):
    return parse_page(page_text, "centring.md")


def test_nodes_are_what_the_output_is_computed_from(page):
    found = {node.name: node for node in graph.nodes(page)}
    assert set(found) == {"x", "mu", "out"}  # dout is no input of the forward pass
    assert found["x"].kind == "input"
    assert found["out"].kind == "output"
    assert set(found["out"].follows) == {"x", "mu"}
    assert found["mu"].shape == "(D,)"
    assert found["out"].shape == "(N, D)"


def test_gradients_and_partials_lead_to_their_claims(page):
    found = {node.name: node for node in graph.nodes(page)}
    assert found["mu"].gradient == "dmu"
    assert found["x"].gradient == "dx"
    assert found["out"].local == {"mu": "arrow"}
    assert found["out"].upstream == "dout"


def test_the_picture_is_valid_accessible_and_uses_the_colours_of_the_page(page):
    figure = graph.figure(page)
    svg = ET.fromstring(re.search(r"<svg.*</svg>", figure)[0].replace("xlink:href", "href"))  # type: ignore[index]
    names = {element.tag.rpartition("}")[2] for element in svg.iter()}
    assert {"title", "desc", "path", "rect", "text"} <= names
    assert not re.search(r"#[0-9a-f]{3,6}\"|black|white", figure.replace('href="#', ""))
    links = {element.get("href") for element in svg.iter() if element.tag.endswith("}a")}
    assert links == {"#dmu", "#dx", "#arrow", "#mu", "#out"}


def test_names_are_drawn_as_in_formulas():
    front = "---\nsizes: {N: examples}\nindices: {i: N}\ntensors: {x: [N]}\noutput: L\n---\n"
    text = front + r"$$ \ell_i := x_i^2 $$" + "\n\n" + r"$$ L := \sum_i \ell_i $$"
    figure = graph.figure(parse_page(text, "sum.md"))
    assert re.findall(r'<text class="graph__name"[^>]*>([^<]*)<', figure) == ["𝑥", "ℓ", "𝐿"]
    assert "ell" not in re.sub(r'href="#ell"', "", figure)


def test_a_multiple_of_a_size_is_written_out():
    front = "---\nsizes: {N: rows, H: units}\nindices: {i: N, p: 4H}\ntensors: {x: [N, 4H]}\noutput: L\n---\n"
    text = front + r"$$ y_{ip} := x_{ip}^2 $$" + "\n\n" + r"$$ L := \sum_{i,p} y_{ip} $$"
    found = {node.name: node for node in graph.nodes(parse_page(text, "y.md"))}
    assert found["x"].shape == found["y"].shape == "(N, 4H)"


def test_links_stand_on_the_page(render):
    html = render()
    for anchor in re.findall(r'xlink:href="#([\w-]+)"', html):
        assert f'id="{anchor}"' in html


def test_every_node_is_inside_the_picture(page):
    placed = graph.layout(graph.nodes(page))
    for x, y, width, height in placed.boxes.values():
        assert x - width / 2 + 0.1 >= 0
        assert x + width / 2 <= placed.width + 0.1
        assert y - height / 2 + 0.1 >= 0
        assert y + height / 2 <= placed.height + 0.1
    assert len(placed.arrows) == 3


def test_a_system_dot_is_used_where_graphviz_pure_is_missing(monkeypatch, tmp_path):
    asked = []

    def which(name, path=None):
        asked.append(name)
        return None

    monkeypatch.setattr(graph.shutil, "which", which)
    with pytest.raises(graph.LayoutError, match="graphviz-pure"):
        graph.dot("digraph {}")
    assert asked[-1] == "dot"


def test_a_graph_that_cannot_be_laid_out_says_so():
    with pytest.raises(graph.LayoutError, match="failed"):
        graph.dot("digraph {")
