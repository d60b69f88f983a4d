"""One concept, one name, three places: a page, a module, a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ("layers", "losses", "optim", "classifiers", "generative", "visualization")

#: Modules inside a family that only hand on names, so that the course's import paths work. No page, no test.
FACADES: frozenset[str] = frozenset({"classifiers/linear_svm", "classifiers/neural_net", "classifiers/softmax"})

#: A chapter for tensors of PyTorch, where the course has it so. Its page is that of the chapter; a test outside of the
#: families compares the two.
PYTORCH: frozenset[str] = frozenset({"classifiers/rnn_pytorch", "classifiers/transformer"})


def names(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern)}


def rooms(family: str) -> dict[str, set[str]]:
    code = {name for name in names(ROOT / "cs231n" / family, "*.py") if not name.startswith("_")}
    return {
        "page": names(ROOT / "docs" / family, "*.md") - {"index"},
        "code": {name for name in code if f"{family}/{name}" not in FACADES | PYTORCH},
        "test": {name.removeprefix("test_") for name in names(ROOT / "tests" / family, "test_*.py")},
    }


CONCEPTS = sorted(f"{family}/{name}" for family in FAMILIES for room in rooms(family).values() for name in room)


@pytest.mark.parametrize("concept", dict.fromkeys(CONCEPTS))
def test_a_concept_has_its_three_rooms(concept: str) -> None:
    family, name = concept.split("/")
    missing = [room for room, present in rooms(family).items() if name not in present]
    assert not missing, f"{concept} lacks its {' and '.join(missing)}"


def test_the_first_page_lists_every_concept() -> None:
    """And the contents do; that they name only what exists is the strict build's business."""
    pages = {f"{family}/{page.stem}.md" for family in FAMILIES for page in (ROOT / "docs" / family).glob("*.md")}
    table = (ROOT / "docs" / "index.md").read_text(encoding="utf-8").partition("\n## The pages\n")[2]
    assert pages - set(re.findall(r"\]\(([\w/]+\.md)\)", table)) == set()
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    assert pages - set(re.findall(r": ([\w/]+\.md)$", nav, re.MULTILINE)) == set()


def test_the_concepts_are_found() -> None:
    assert {"layers/affine", "layers/relu", "layers/batchnorm", "layers/dropout", "losses/softmax"} <= set(CONCEPTS)


def test_every_folder_belongs_to_a_known_family() -> None:
    """A misspelt family would escape the rule above."""
    others = {"assets", "foundations", "reference"}
    folders = {path.name for path in (ROOT / "docs").iterdir() if any(path.glob("*.md"))}
    assert folders <= {*FAMILIES, *others}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_module_is_called_what_its_function_is_called(family: str) -> None:
    """Or links would resolve to the module."""
    for path in (ROOT / "cs231n" / family).glob("*.py"):
        functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert path.stem not in functions


def test_a_facade_only_hands_on_names() -> None:
    for facade in FACADES:
        body = ast.parse((ROOT / "cs231n" / f"{facade}.py").read_text()).body
        assert all(isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Assign) for node in body), facade


def test_a_chapter_in_pytorch_is_compared_with_the_chapter() -> None:
    for twin in PYTORCH:
        chapter = {"classifiers/transformer": "classifiers/captioning_transformer"}.get(twin)
        assert (chapter or twin.removesuffix("_pytorch")) in CONCEPTS
        assert (ROOT / "tests" / f"test_{Path(twin).name.removesuffix('_pytorch')}_pytorch.py").is_file()
